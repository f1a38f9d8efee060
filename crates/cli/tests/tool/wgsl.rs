//! Tests of `wgsl`. What the text computes is tested in the library.

use crate::{command, refused, succeeded, text, tool};
use hard_sigmoid::{
    Binarization, Binary, HardSigmoid, KinkRule, Op, StraightThrough, Unary,
    wgsl::{Number, Options, Text, scalar},
};
use std::path::Path;

fn here() -> &'static Path {
    Path::new(".")
}

fn printed(arguments: &str) -> String {
    let output = tool(here(), &format!("wgsl {arguments}"));
    assert_eq!(text(&output.stderr), "");
    succeeded(&output)
}

fn options(number: Number, text: Text, prefix: &str) -> Options<'_> {
    Options { number, text, prefix }
}

#[test]
fn it_prints_the_text_of_the_library() {
    let exact = Options::default();
    let short = options(Number::F32, Text::Short, "");
    let half = options(Number::F16, Text::Exact, "my_");
    let [pytorch, keras] = [HardSigmoid::PYTORCH, HardSigmoid::KERAS];
    let affine = HardSigmoid::affine(0.2, 0.5, KinkRule::Half).unwrap();
    let signs = |how, scale| Op::from(Unary::binarize(how, scale).unwrap());
    let drawn = |probability| Binarization::Stochastic {
        probability,
        seed: 7,
        offset: 0,
    };
    let cases: [(&str, Op, &Options); 12] = [
        ("pytorch", Unary::Forward(pytorch).into(), &exact),
        ("PyTorch --op Forward --exact", Unary::Forward(pytorch).into(), &exact),
        ("pytorch --short", Unary::Forward(pytorch).into(), &short),
        (
            "pytorch --op hard_swish --type f16 --prefix my_",
            Unary::HardSwish(pytorch).into(),
            &half,
        ),
        (
            "affine(0.2,0.5,half) --op backward",
            Binary::Backward(affine).into(),
            &exact,
        ),
        ("keras --op gate_backward", Op::GateBackward(keras), &exact),
        ("--op binarize", signs(Binarization::Deterministic, 1.0), &exact),
        (
            "--op binarize --scale -2",
            signs(Binarization::Deterministic, -2.0),
            &exact,
        ),
        (
            "--op binarize --random",
            signs(drawn(HardSigmoid::COURBARIAUX), 1.0),
            &exact,
        ),
        ("keras --op binarize --random", signs(drawn(keras), 1.0), &exact),
        (
            "--op straight_through",
            Binary::StraightThrough(StraightThrough::HardTanh).into(),
            &exact,
        ),
        (
            "--op straight_through --estimator identity --short",
            Binary::StraightThrough(StraightThrough::Identity).into(),
            &short,
        ),
    ];
    for (arguments, op, options) in cases {
        assert_eq!(printed(arguments), scalar(op, options).unwrap(), "{arguments}");
    }
}

/// One module has all.
#[test]
fn several_operations_are_one_module() {
    let half = options(Number::F16, Text::Short, "");
    let [y, dx] = [
        scalar(Unary::HardSwish(HardSigmoid::JAX), &half),
        scalar(Binary::HardSwishBackward(HardSigmoid::JAX), &half),
    ]
    .map(Result::unwrap);
    let expected = format!("{y}\n{dx}");
    let both = "jax --short --type f16 --op hard_swish,hard_swish_backward";
    assert_eq!(printed(both), expected);
    assert_eq!(printed(&format!("{both},hard_swish --op hard_swish")), expected);
    let text = printed("jax --op forward,backward,hard_swish,hard_swish_backward,gate,gate_backward");
    for name in ["hard_sigmoid", "hard_swish_backward", "hard_sigmoid_gate_db"] {
        assert_eq!(text.matches(&format!("\nfn {name}(")).count(), 1, "{name}");
    }
}

#[test]
fn spaces_in_a_definition_are_one_argument() {
    let mut command = command(here(), "wgsl --short");
    let output = command.arg("affine(0.25, 0.5, strict)").output().unwrap();
    let text = succeeded(&output);
    assert!(text.contains("return clamp(0.25 * x + 0.5, 0.0, 1.0);"), "{text}");
}

#[test]
fn what_it_cant_write_is_refused() {
    let bad = |arguments: &str, message: &str| refused(here(), &format!("wgsl {arguments}"), message);
    bad("", "forward needs a definition: hard-sigmoid wgsl PRESET --op forward");
    bad(
        "--op gate",
        "gate needs a definition: hard-sigmoid wgsl PRESET --op gate",
    );
    bad("jax --random", "forward doesn't draw at random: leave out --random");
    bad("--op binarize,gate", "gate needs a definition");
    bad("jax --scale 2", "forward takes no scale: leave it out");
    bad("jax --estimator identity", "forward takes no estimator: leave it out");
    bad("jax --op binarize", "add --random, or leave out the definition");
    bad(
        "jax --op straight_through",
        "straight_through takes no definition: leave it out",
    );
    for op in ["pack", "unpack", "gate_broadcast", "gate_broadcast_sums"] {
        bad(
            &format!("jax --op {op}"),
            &format!("{op} doesn't make one number of one element, so there is no function for it"),
        );
    }
    bad("jax --prefix 1", "the prefix \"1\" can't begin a name");
    bad("--op binarize --scale 1e9 --type packed_f16", "too large for f16");
    bad("--op binarize --scale nan", "scale is NaN; it must be a finite number");
}

/// clap's own messages have more than one line.
#[test]
fn wrong_arguments_are_refused_with_what_there_is() {
    for (arguments, message) in [
        (
            "pytroch",
            "no hard sigmoid is called \"pytroch\"; use one of keras, onnx, ",
        ),
        (
            "jax --op swish",
            "no operation is called \"swish\"; use one of forward, hard_swish, ",
        ),
        ("jax --type f64", "use one of f32, f16, packed_f16, packed_bf16"),
        ("jax --estimator x", "use one of hard_tanh, identity"),
        ("jax --exact --short", "cannot be used with"),
        ("jax --shrt", "a similar argument exists: '--short'"),
    ] {
        let output = tool(here(), &format!("wgsl {arguments}"));
        assert_eq!(output.status.code(), Some(2), "{arguments}");
        assert_eq!(text(&output.stdout), "", "{arguments}");
        let stderr = text(&output.stderr);
        assert!(stderr.contains(message), "{stderr}");
    }
}
