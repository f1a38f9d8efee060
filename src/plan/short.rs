//! The shortest WGSL of an operation, for those who don't need its bits.

use crate::{
    math::{
        binarize::StraightThrough,
        definition::{Form, HardSigmoid, KinkRule},
        op::{Binary, Op, Unary},
    },
    plan::{
        text::{Call, is_stochastic},
        wgsl::{Number, parameters},
        window::passing,
    },
};

/// What the text may lose.
pub(super) fn comment(op: Op, number: Number) -> String {
    let mut text = String::from(
        "// Short: a compiler may fuse these operations, so the last bits may differ from driver to driver. NaN may become any number",
    );
    text += match number {
        Number::F32 => ",\n// and a subnormal number may become zero.\n",
        Number::F16 | Number::PackedF16 => {
            ",\n// a subnormal number may become zero, and a result may be rounded up or down to f16.\n"
        }
        Number::PackedBf16 => ",\n// and a subnormal number may become zero.\n",
    };
    if matches!(op, Op::Binary(_) | Op::GateBackward(_)) && op.definition().is_some() {
        text += "// A gradient passes for the same finite numbers as in the exact text.\n";
    }
    text
}

/// The functions.
pub(super) fn text(op: Op, number: Number, calls: &[Call]) -> String {
    let mut text = String::new();
    for (output, call) in op.outputs().iter().zip(calls) {
        let result = of_numbers(op, call);
        let of = number.wgsl();
        let outer = parameters(op, number, call);
        if number == Number::F32 {
            text += &format!("fn {}({outer}) -> {of} {{\n    return {result};\n}}\n", call.name);
            continue;
        }
        let inner = parameters(op, Number::F32, call);
        let names: Vec<_> = inner
            .split(", ")
            .map(|one| one.split(':').next().unwrap_or(one))
            .collect();
        let called = |read: &dyn Fn(&str) -> String| {
            let arguments: Vec<_> = names.iter().map(|name| read(name)).collect();
            format!("number({})", arguments.join(", "))
        };
        let draws = |name: &str, lane: &str| (name == "random").then(|| format!("random{lane}"));
        let result = match number {
            Number::F32 => unreachable!("it has returned"),
            Number::F16 => format!(
                "f16({})",
                called(&|name| draws(name, "").unwrap_or(format!("f32({name})")))
            ),
            Number::PackedF16 => {
                let lane =
                    |lane: &str| called(&|name| draws(name, lane).unwrap_or(format!("unpack2x16float({name}){lane}")));
                format!("pack2x16float(vec2<f32>({}, {}))", lane(".x"), lane(".y"))
            }
            Number::PackedBf16 => {
                let first = called(&|name| draws(name, ".x").unwrap_or(format!("bitcast<f32>({name} << 16u)")));
                let second = called(&|name| draws(name, ".y").unwrap_or(format!("bitcast<f32>({name} & 0xffff0000u)")));
                format!("(rounded({first}) >> 16u) | (rounded({second}) & 0xffff0000u)")
            }
        };
        // Each function has a helper of its own.
        let helper = match calls {
            [_] => "number".into(),
            _ => format!("{output}_number"),
        };
        text += &format!(
            "fn {}({outer}) -> {of} {{\n    return {};\n}}\nfn {helper}({inner}) -> f32 {{\n    return {};\n}}\n",
            call.name,
            result.replace("number(", &format!("{helper}(")),
            of_numbers(op, call)
        );
    }
    if number == Number::PackedBf16 {
        text += "fn rounded(v: f32) -> u32 {\n    let bits = bitcast<u32>(v);\n    \
                 return bits + 0x7fffu + ((bits >> 16u) & 1u);\n}\n";
    }
    text
}

/// The expression of a result, from operands that are `f32`.
fn of_numbers(op: Op, call: &Call) -> String {
    match op {
        Op::Unary(Unary::Forward(it)) => forward(it, "x"),
        Op::Unary(Unary::HardSwish(it)) => format!("x * {}", forward(it, "x")),
        Op::Unary(Unary::Binarize(signs)) => {
            let scale = signs.scale.get();
            let is_plus = match op.definition() {
                Some(it) if is_stochastic(op) => format!("f32(random) * 2.3283064e-10 < {}", forward(it, "x")),
                _ => "x >= 0.0".into(),
            };
            format!("select({:?}, {scale:?}, {is_plus})", -scale)
        }
        Op::Binary(Binary::Backward(it)) => backward(it, "x", "g"),
        Op::Binary(Binary::BackwardFromOutput(it)) => {
            format!("select(0.0, {}, y > 0.0 && y < 1.0)", scaled(it, "g"))
        }
        Op::Binary(Binary::BackwardAccumulate(it)) => format!("dx + {}", backward(it, "x", "g")),
        Op::Binary(Binary::HardSwishBackward(it)) => match it.form() {
            Form::Relu6Divide => "select(select(0.0, g * (x / 3.0 + 0.5), x > -3.0), g, x >= 3.0)".into(),
            _ => format!("g * {} + {}", forward(it, "x"), backward(it, "x", "(g * x)")),
        },
        Op::Binary(Binary::Gate(it)) => format!("a * {}", forward(it, "b")),
        Op::Binary(Binary::StraightThrough(StraightThrough::HardTanh)) => "select(0.0, g, abs(x) <= 1.0)".into(),
        Op::Binary(Binary::StraightThrough(StraightThrough::Identity)) => "g".into(),
        Op::GateBackward(it) if call.name.ends_with("_da") => format!("g * {}", forward(it, "b")),
        Op::GateBackward(it) => backward(it, "b", "(g * a)"),
        Op::Pack(_) | Op::Unpack(_) | Op::GateBroadcast(_) | Op::GateBroadcastSums(_) => {
            unreachable!("it has no calls")
        }
    }
}

/// The hard sigmoid of `x`.
fn forward(definition: HardSigmoid, x: &str) -> String {
    match definition.form() {
        Form::Affine { alpha, beta, .. } => {
            let (sign, beta) = if beta.get() < 0.0 {
                ('-', -beta.get())
            } else {
                ('+', beta.get())
            };
            format!("clamp({:?} * {x} {sign} {beta:?}, 0.0, 1.0)", alpha.get())
        }
        Form::Relu6Divide | Form::Relu6DivideBoth => format!("clamp({x} + 3.0, 0.0, 6.0) / 6.0"),
        Form::Relu6Multiply => format!("clamp({x} + 3.0, 0.0, 6.0) * {:?}", definition.slope()),
    }
}

/// The gradient at `x`, given the upstream gradient `g`.
fn backward(definition: HardSigmoid, x: &str, g: &str) -> String {
    let scaled = scaled(definition, g);
    let Some([first, last]) = passing(definition) else {
        return "0.0".into();
    };
    let inside = format!("{x} >= {first:?} && {x} <= {last:?}");
    match (definition.kink_rule(), passing(definition.with_strict_kinks())) {
        (KinkRule::Half, Some([first, last])) => {
            format!("select(0.0, select(0.5 * {scaled}, {scaled}, {x} >= {first:?} && {x} <= {last:?}), {inside})")
        }
        (KinkRule::Half, None) => format!("select(0.0, 0.5 * {scaled}, {inside})"),
        _ => format!("select(0.0, {scaled}, {inside})"),
    }
}

/// The slope times `g`.
fn scaled(definition: HardSigmoid, g: &str) -> String {
    match definition.form() {
        Form::Relu6DivideBoth => format!("{g} / 6.0"),
        _ => format!("{:?} * {g}", definition.slope()),
    }
}
