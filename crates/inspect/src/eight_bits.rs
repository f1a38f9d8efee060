//! Activations of bytes: what they are in ONNX Runtime's arithmetic, and how far PyTorch and TFLite would differ.

use super::function::Function;
use hard_sigmoid::{HardSigmoid, KinkRule, Quantization, QuantizationError, Quantized, Rounding, Unary};
use serde::Serialize;

/// An activation between a DequantizeLinear and a QuantizeLinear, or HARD_SWISH of bytes in TFLite.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EightBits {
    /// The operand.
    pub x: Bytes,
    /// The result.
    pub y: Bytes,
    /// The same layer in other frameworks.
    pub elsewhere: [Elsewhere; 2],
}

/// What the bytes of a tensor stand for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bytes {
    /// `u8` or `i8`.
    pub r#type: String,
    /// By how much the number of the next byte is larger.
    pub scale: f32,
    /// The byte that stands for 0.
    pub zero_point: i32,
}

/// A quantized activation in another framework, compared with ONNX Runtime.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Elsewhere {
    /// The framework.
    pub framework: &'static str,
    /// At how many of the 256 x it gives another y. None if it has no such layer.
    pub differing: Option<usize>,
    /// By how many steps at most.
    pub largest: Option<u32>,
    /// Why it has no such layer.
    pub why: Option<&'static str>,
}

const NO_FUNCTION: &str = "has no such function in 8 bits";
const ONE_TYPE: &str = "takes x and y of one type";
const FIXED: &str = "gives y the scale 1/256, with the smallest number as zero point";
const LARGE: &str = "has no defined bytes for an x whose scale is 3·2^23 or more";
const REFUSED: &str = "refuses an x whose scale is 128 times that of y or more";

impl EightBits {
    pub(crate) fn new(function: Function, definition: HardSigmoid, x: Quantization, y: Quantization) -> Option<Self> {
        let op = |definition| match function {
            Function::HardSigmoid => Unary::Forward(definition),
            Function::HardSwish => Unary::HardSwish(definition),
        };
        let ours = Quantized::new(op(definition), x, y, Rounding::Onnx).ok()?.table();
        // That of the two frameworks, on paper. In bits they have (x + 3) / 6.
        let is_theirs = HardSigmoid::affine(1.0 / 6.0, 0.5, KinkRule::Strict) == Ok(definition);
        let elsewhere = |framework, rounding| {
            let table = match Quantized::new(op(HardSigmoid::PYTORCH), x, y, rounding) {
                _ if !is_theirs => Err(NO_FUNCTION),
                Err(QuantizationError::NoTfLiteKernel { .. }) => Err(NO_FUNCTION),
                Err(QuantizationError::TfLiteScales { .. }) => Err(REFUSED),
                Err(QuantizationError::TfLiteLargeScale { .. }) => Err(LARGE),
                Err(_) => Err(ONE_TYPE),
                Ok(_) if x.byte() != y.byte() => Err(ONE_TYPE),
                Ok(_) if function == Function::HardSigmoid && !is_fixed(y) => Err(FIXED),
                Ok(quantized) => Ok(quantized.table()),
            };
            let differences = table.map(|theirs| {
                let number = |bits: u8| y.byte().number(bits);
                let both = ours.iter().zip(theirs);
                let differences = both.map(|(&a, b)| number(a).abs_diff(number(b)));
                differences.filter(|&difference| difference > 0).collect::<Vec<_>>()
            });
            Elsewhere {
                framework,
                differing: differences.as_ref().ok().map(Vec::len),
                largest: differences
                    .as_ref()
                    .ok()
                    .map(|all| all.iter().copied().max().unwrap_or(0)),
                why: differences.err(),
            }
        };
        Some(Self {
            x: x.into(),
            y: y.into(),
            elsewhere: [
                elsewhere("PyTorch", Rounding::PyTorch),
                elsewhere("TFLite", Rounding::TfLite),
            ],
        })
    }

    /// One line.
    pub(crate) fn text(&self) -> String {
        let of = |bytes: &Bytes| {
            let Bytes {
                r#type,
                scale,
                zero_point,
            } = bytes;
            format!("{type} (scale {scale}, zero point {zero_point})")
        };
        let elsewhere = self.elsewhere.iter().map(|one| match one {
            Elsewhere {
                framework,
                why: Some(why),
                ..
            } => format!("{framework} {why}"),
            Elsewhere {
                framework,
                differing: Some(differing @ 1..),
                largest: Some(largest),
                ..
            } => format!("{framework} differs at {differing} of 256 x, by up to {largest}"),
            Elsewhere { framework, .. } => format!("{framework} has the same 256 bytes"),
        });
        let elsewhere: Vec<_> = elsewhere.collect();
        format!("x is {}, y is {}; {}", of(&self.x), of(&self.y), elsewhere.join("; "))
    }
}

/// Whether these are the bytes of PyTorch's hard sigmoid, which takes no scale.
fn is_fixed(y: Quantization) -> bool {
    y.scale() == 1.0 / 256.0 && y.zero_point() == y.byte().range()[0]
}

impl From<Quantization> for Bytes {
    fn from(of: Quantization) -> Self {
        Self {
            r#type: of.byte().to_string(),
            scale: of.scale(),
            zero_point: of.zero_point(),
        }
    }
}
