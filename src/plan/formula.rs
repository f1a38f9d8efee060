//! Which of the shader's functions compute an operation, and the constants that they use.

use crate::{
    math::{
        binarize::StraightThrough,
        definition::{Form, HardSigmoid, KinkRule},
        dtype::DType,
        op::{Binary, Op, Unary},
    },
    plan::window::Window,
};
use std::fmt::Write;

/// Which formulas of the shader compute with a definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Formula {
    Affine,
    /// The slope is subnormal.
    Tiny,
    /// The slope is zero.
    Flat,
    Divided,
    /// Not only y but the gradient too is divided by 6.
    DividedBoth,
    Multiplied,
    /// A gradient that is passed straight through.
    Unscaled,
}

impl Formula {
    fn of(op: Op, definition: HardSigmoid, dtype: DType) -> Self {
        match (op, definition.form()) {
            (Op::Binary(Binary::StraightThrough(_)), _) => Self::Unscaled,
            // In halves a product gives the gradient that a division gives: see
            // `HardSigmoid::hides_roundings_in_halves`.
            (Op::Binary(Binary::Backward(_) | Binary::BackwardFromOutput(_)), Form::Relu6DivideBoth)
                if dtype != DType::F32 =>
            {
                Self::Divided
            }
            (_, Form::Affine { alpha, .. }) if alpha.get() == 0.0 => Self::Flat,
            (_, Form::Affine { alpha, .. }) if alpha.get().is_subnormal() => Self::Tiny,
            (_, Form::Affine { .. }) => Self::Affine,
            (_, Form::Relu6Divide) => Self::Divided,
            (_, Form::Relu6DivideBoth) => Self::DividedBoth,
            (_, Form::Relu6Multiply) => Self::Multiplied,
        }
    }

    fn value(self) -> &'static str {
        match self {
            Self::Affine | Self::Unscaled => "affine_value",
            Self::Tiny => "tiny_value",
            Self::Flat => "flat_value",
            Self::Divided | Self::DividedBoth => "divided_value",
            Self::Multiplied => "multiplied_value",
        }
    }

    fn scaled(self) -> &'static str {
        match self {
            Self::Affine | Self::Divided | Self::Multiplied => "product_scaled",
            Self::Tiny => "tiny_scaled",
            Self::Flat => "flat_scaled",
            Self::DividedBoth => "divided_scaled",
            Self::Unscaled => "unscaled",
        }
    }

    fn times_value(self) -> &'static str {
        match self {
            Self::Multiplied => "product_times",
            _ => "plain_times",
        }
    }
}

/// Whether each function has to decide about infinity for itself, because y or the slope may be subnormal.
fn is_rare(formula: Formula, definition: HardSigmoid) -> bool {
    // A sum that cancels is exact, and a multiple of half of the shift's last place. So it is 0, or at least 2^-124.
    let is_never_subnormal = definition.shift().abs() >= 2.0f32.powi(-100);
    matches!(formula, Formula::Tiny | Formula::Flat) || !is_never_subnormal
}

/// Whether the operation halves the gradient at the kinks.
fn halves_at_kinks(op: Op, definition: HardSigmoid) -> bool {
    let uses_kinks = match op {
        Op::Binary(op) => matches!(
            op,
            Binary::Backward(_) | Binary::BackwardAccumulate(_) | Binary::HardSwishBackward(_)
        ),
        Op::GateBackward(_) | Op::GateBroadcastSums(_) => true,
        Op::Unary(_) | Op::Pack(_) | Op::Unpack(_) | Op::GateBroadcast(_) | Op::Lookup | Op::LookupGate(_) => false,
    };
    uses_kinks && definition.kink_rule() == KinkRule::Half
}

/// Whether the shader computes the operation with functions for words of two halves, such as `forward_halves`.
pub(crate) fn is_of_halves(op: Op, dtype: DType) -> bool {
    match (op, dtype) {
        (_, DType::F32) => false,
        (Op::Unary(Unary::Forward(definition)), _) => definition.hides_roundings_in_halves(),
        (
            Op::Binary(
                Binary::Backward(definition) | Binary::BackwardFromOutput(definition) | Binary::Gate(definition),
            ),
            DType::F16,
        ) => definition.is_moderate(),
        (Op::GateBroadcast(gate), DType::F16) => gate.definition().is_moderate(),
        (Op::Binary(Binary::StraightThrough(_)), _) => true,
        (Op::Unary(Unary::HardSwish(definition)), _) => definition.is_moderate(),
        (
            Op::Binary(Binary::BackwardAccumulate(definition) | Binary::HardSwishBackward(definition))
            | Op::GateBackward(definition),
            DType::F16,
        ) => definition.is_moderate() && definition.form() != Form::Relu6DivideBoth,
        _ => false,
    }
}

/// Whether the operation uses its first operand only to decide whether the gradient passes. A kernel for halves then compares
/// the half itself.
pub(crate) fn compares_first_operand(op: Op) -> bool {
    match op {
        Op::Binary(Binary::HardSwishBackward(_) | Binary::Gate(_)) => false,
        Op::Binary(
            Binary::Backward(_)
            | Binary::BackwardFromOutput(_)
            | Binary::BackwardAccumulate(_)
            | Binary::StraightThrough(_),
        ) => true,
        _ => false,
    }
}

/// What an operation adds to the functions of the shader.
pub(crate) struct Formulas {
    /// For each name that the shader only calls, the function that is meant.
    pub(crate) chosen: Vec<(&'static str, &'static str)>,
    /// The constants, and the functions that test where the gradient passes, in WGSL.
    pub(crate) text: String,
}

impl Formulas {
    pub(crate) fn new(op: Op, dtype: DType) -> Self {
        let definition = op.definition().unwrap_or(HardSigmoid::COURBARIAUX);
        let formula = Formula::of(op, definition, dtype);
        let compared = if compares_first_operand(op) { dtype } else { DType::F32 };
        let [passing, whole] = windows(op, definition).map(|window| match compared {
            DType::F32 | DType::U8 => window,
            DType::F16 | DType::Bf16 => window.of_halves(compared),
        });
        let mut text = constants(formula, definition);
        for (name, window) in [("passes", passing), ("is_whole", whole)] {
            let _ = writeln!(
                text,
                "fn {name}(x: u32) -> bool {{\n    return {};\n}}",
                window.expression("x")
            );
        }
        let is_half = halves_at_kinks(op, definition);
        let gated = if is_of_halves(op, dtype) {
            "gate_halves"
        } else {
            "gated_singly"
        };
        let mut chosen = chosen(formula, is_rare(formula, definition), is_half, passing).to_vec();
        chosen.push(("gated", gated));
        Self { chosen, text }
    }
}

/// The constants that the formulas use, in WGSL.
fn constants(formula: Formula, definition: HardSigmoid) -> String {
    let mut text = String::new();
    let mut constant = |name: &str, value: f32| {
        let wide = f64::from(value);
        let _ = writeln!(text, "const {name}: f32 = {wide:?}; // {:#010x}", value.to_bits());
    };
    let slope = match formula {
        Formula::Unscaled => 1.0,
        _ => definition.slope(),
    };
    constant("SLOPE", slope);
    constant("SHIFT", definition.shift());
    if formula == Formula::Tiny {
        constant("LARGE_SLOPE", definition.slope() * 2.0f32.powi(64));
    }
    if formula == Formula::Flat {
        let value = definition.forward(0.0).to_bits();
        let _ = writeln!(text, "const CONSTANT: u32 = {value:#010x}u;");
    }
    text
}

/// The function for each name that the shader only calls.
fn chosen(formula: Formula, is_rare: bool, is_half: bool, passing: Window) -> [(&'static str, &'static str); 14] {
    let is_composed = is_rare || is_half || formula == Formula::DividedBoth || passing.is_empty();
    let is_divided = formula == Formula::Divided;
    let either = |composed, otherwise, is_composed| if is_composed { composed } else { otherwise };
    [
        ("value", formula.value()),
        ("scaled", formula.scaled()),
        ("gradient", either("half_gradient", "plain_gradient", is_half)),
        ("slope_at", either("slope_by_kink", "whole_slope", is_half)),
        ("times_value", formula.times_value()),
        ("sum_of", either("sum_with_zero", "plain_sum", passing.is_empty())),
        ("gate_bits", either("composed_gate", "gate_once", is_rare)),
        ("gate_db_bits", either("composed_gate_db", "gate_db_once", is_composed)),
        (
            "backward_accumulate_bits",
            either("composed_backward_accumulate", "backward_accumulate_once", is_composed),
        ),
        (
            "hard_swish_bits",
            either("divided_hard_swish", "gated_hard_swish", is_divided),
        ),
        (
            "backward_halves",
            either("unscaled_halves", "product_halves", formula == Formula::Unscaled),
        ),
        (
            "swish_product",
            either("divided_swish_product", "gated_swish_product", is_divided),
        ),
        (
            "hard_swish_backward_halves",
            either("divided_swish_backward", "summed_swish_backward", is_divided),
        ),
        (
            "hard_swish_backward_bits",
            match (is_divided, is_composed) {
                (true, _) => "divided_hard_swish_backward",
                (false, true) => "composed_hard_swish_backward",
                (false, false) => "hard_swish_backward_once",
            },
        ),
    ]
}

/// Where the gradient passes, and where it is whole.
fn windows(op: Op, definition: HardSigmoid) -> [Window; 2] {
    match op {
        Op::Binary(Binary::StraightThrough(StraightThrough::HardTanh)) => [Window::between(-1.0, 1.0); 2],
        Op::Binary(Binary::StraightThrough(StraightThrough::Identity)) => [Window::EVERYTHING; 2],
        Op::Binary(Binary::BackwardFromOutput(_)) => [Window::between(0.0f32.next_up(), 1.0f32.next_down()); 2],
        Op::Binary(_) | Op::GateBackward(_) | Op::GateBroadcastSums(_) => {
            let whole = match definition.kink_rule() {
                KinkRule::Half => definition.with_strict_kinks(),
                KinkRule::Strict | KinkRule::Inclusive => definition,
            };
            [definition, whole].map(Window::of)
        }
        // No gradient, so no window.
        Op::Unary(_) | Op::Pack(_) | Op::Unpack(_) | Op::GateBroadcast(_) | Op::Lookup | Op::LookupGate(_) => {
            [Window::EVERYTHING; 2]
        }
    }
}
