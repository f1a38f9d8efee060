//! The shortest WGSL of an operation, for those who don't need its bits.

use crate::{
    math::{
        binarize::StraightThrough,
        definition::{Form, HardSigmoid, KinkRule},
        op::{Binary, Op, Unary},
    },
    plan::{
        text::{Call, is_stochastic},
        wgsl::{Number, operands, parameters},
        window::passing,
    },
};

/// What the text may lose.
pub(super) fn comment(op: Op, number: Number) -> String {
    let is_arithmetic = op.definition().is_some();
    let mut text = String::from("// Short.");
    if is_arithmetic {
        text += " A compiler may fuse and reorder these operations: a result may be off by about 1e-7 of its largest operand.";
    }
    text += " NaN may\n// become any number, and a subnormal number may become zero.\n";
    text += match number {
        Number::F32 => "",
        Number::F16 => {
            "// A driver may round a result up or down to f16. The module has to begin with `enable f16;`.\n"
        }
        Number::PackedF16 => {
            "// A driver may round a result up or down to f16. Where one is larger than f16 allows, both halves may be wrong.\n"
        }
        Number::PackedBf16 => "",
    };
    if has_gradient(op) {
        text += "// A gradient passes for the same finite numbers as in the exact text.\n";
    }
    text
}

/// Whether a definition says where a gradient passes.
fn has_gradient(op: Op) -> bool {
    match op {
        Op::Binary(Binary::Gate(_)) | Op::Unary(_) => false,
        Op::Binary(_) | Op::GateBackward(_) => op.definition().is_some(),
        Op::Pack(_)
        | Op::Unpack(_)
        | Op::GateBroadcast(_)
        | Op::GateBroadcastSums(_)
        | Op::Lookup
        | Op::LookupGate(_) => false,
    }
}

/// The functions.
pub(super) fn text(op: Op, number: Number, calls: &[Call]) -> String {
    let mut text = String::new();
    for (output, call) in op.outputs().iter().zip(calls) {
        // Each function of halves has a helper of its own.
        let helper = match calls {
            [_] => "number".into(),
            _ => format!("{output}_number"),
        };
        let body = match number {
            Number::F32 => format!("    return {};\n", of_numbers(op, call)),
            Number::F16 => {
                let operands = operands(op, call);
                let arguments = operands.iter().map(|operand| format!("f32({operand})"));
                format!("    return f16({helper}({}));\n", with_random(op, arguments, ""))
            }
            Number::PackedF16 | Number::PackedBf16 => of_words(op, number, call, &helper),
        };
        let (name, outer, of) = (call.name, parameters(op, number, call), number.wgsl());
        text += &format!("fn {name}({outer}) -> {of} {{\n{body}}}\n");
        if number != Number::F32 {
            let inner = parameters(op, Number::F32, call);
            let result = of_numbers(op, call);
            text += &format!("fn {helper}({inner}) -> f32 {{\n    return {result};\n}}\n");
        }
    }
    if number == Number::PackedBf16 {
        text += "fn rounded(v: f32) -> u32 {\n    let bits = bitcast<u32>(v);\n    \
                 return bits + 0x7fffu + ((bits >> 16u) & 1u);\n}\n";
    }
    text
}

/// The body of a function of words. `helper` computes a number.
fn of_words(op: Op, number: Number, call: &Call, helper: &str) -> String {
    let mut body = String::new();
    for operand in operands(op, call) {
        let both = match number {
            Number::PackedBf16 => {
                format!("vec2<f32>(bitcast<f32>({operand} << 16u), bitcast<f32>({operand} & 0xffff0000u))")
            }
            _ => format!("unpack2x16float({operand})"),
        };
        body += &format!("    let {operand}2 = {both};\n");
    }
    let lane = |lane: &str| {
        let operands = operands(op, call);
        let arguments = operands.iter().map(|operand| format!("{operand}2{lane}"));
        format!("{helper}({})", with_random(op, arguments, lane))
    };
    let (first, second) = (lane(".x"), lane(".y"));
    body + &match number {
        Number::PackedBf16 => {
            format!("    return (rounded({first}) >> 16u) | (rounded({second}) & 0xffff0000u);\n")
        }
        _ => format!("    return pack2x16float(vec2<f32>({first}, {second}));\n"),
    }
}

/// The arguments, and the random word if there is one.
fn with_random(op: Op, arguments: impl Iterator<Item = String>, lane: &str) -> String {
    let random = is_stochastic(op).then(|| format!("random{lane}"));
    arguments.chain(random).collect::<Vec<_>>().join(", ")
}

/// The expression of a result, from operands that are `f32`.
fn of_numbers(op: Op, call: &Call) -> String {
    match op {
        Op::Unary(Unary::Forward(it)) => forward(it, "x"),
        Op::Unary(Unary::HardSwish(it)) => match it.form() {
            // PyTorch divides the product.
            Form::Relu6Divide => format!("x * {}", forward(it, "x")),
            _ => format!("x * {}", factor(it, "x")),
        },
        Op::Unary(Unary::Binarize(signs)) => {
            let scale = signs.scale.get();
            let is_plus = match op.definition() {
                Some(it) if is_stochastic(op) => format!("f32(random >> 8u) * 5.9604645e-8 < {}", forward(it, "x")),
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
            _ => format!("g * {} + {}", factor(it, "x"), backward(it, "x", "(g * x)")),
        },
        Op::Binary(Binary::Gate(it)) => format!("a * {}", factor(it, "b")),
        Op::Binary(Binary::StraightThrough(StraightThrough::HardTanh)) => "select(0.0, g, abs(x) <= 1.0)".into(),
        Op::Binary(Binary::StraightThrough(StraightThrough::Identity)) => "g".into(),
        Op::GateBackward(it) if call.name.ends_with("_da") => format!("g * {}", factor(it, "b")),
        Op::GateBackward(it) => backward(it, "b", "(g * a)"),
        Op::Pack(_)
        | Op::Unpack(_)
        | Op::GateBroadcast(_)
        | Op::GateBroadcastSums(_)
        | Op::Lookup
        | Op::LookupGate(_) => unreachable!("it has no calls"),
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

/// The hard sigmoid of `x` as a factor: a product that is divided later could overflow.
fn factor(definition: HardSigmoid, x: &str) -> String {
    match definition.form() {
        Form::Affine { .. } => forward(definition, x),
        Form::Relu6Divide | Form::Relu6DivideBoth | Form::Relu6Multiply => format!("({})", forward(definition, x)),
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
