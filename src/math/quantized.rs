//! Functions of quantized tensors, as tables that the host computes.

use crate::math::{
    definition::{Form, HardSigmoid},
    names::named,
    op::Unary,
};
use std::fmt;

/// The type of a quantized number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Byte {
    /// Unsigned: 0 to 255.
    U8,
    /// Signed: -128 to 127.
    I8,
}

named!(Byte, "type of bytes", U8 => "u8", I8 => "i8");

impl Byte {
    /// The smallest and the largest number.
    pub const fn range(self) -> [i32; 2] {
        match self {
            Self::U8 => [0, 255],
            Self::I8 => [-128, 127],
        }
    }

    /// The number that these bits are.
    #[inline]
    pub const fn number(self, bits: u8) -> i32 {
        match self {
            Self::U8 => bits as i32,
            Self::I8 => bits as i8 as i32,
        }
    }

    /// The bits of the number of this type that is nearest to `number`.
    fn saturated(self, number: i64) -> u8 {
        let [smallest, largest] = self.range().map(i64::from);
        number.clamp(smallest, largest) as u8
    }

    /// [`saturated`](Self::saturated), rounded to nearest, ties to even. NaN gives the smallest number.
    fn rounded(self, number: f32) -> u8 {
        let number = if number.is_nan() { f32::NEG_INFINITY } else { number };
        self.saturated(number.round_ties_even() as i64)
    }
}

/// What a byte of a tensor stands for: the real number `scale·(q - zero_point)`.
///
/// ```
/// use hard_sigmoid::Quantization;
///
/// let of = Quantization::i8(0.25, -10)?;
/// assert_eq!((of.dequantize(-6_i8 as u8), of.quantize(1.0)), (1.0, -6_i8 as u8));
/// # Ok::<(), hard_sigmoid::QuantizationError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantization {
    byte: Byte,
    scale: f32,
    zero_point: i32,
}

impl Quantization {
    /// Numbers of type `byte` with this scale and zero point.
    ///
    /// # Errors
    /// [`QuantizationError::Scale`] unless the scale is positive, normal and finite; [`QuantizationError::ZeroPoint`] if `byte`
    /// doesn't have the zero point.
    pub const fn new(byte: Byte, scale: f32, zero_point: i32) -> Result<Self, QuantizationError> {
        if !(scale.is_normal() && scale > 0.0) {
            return Err(QuantizationError::Scale { given: scale });
        }
        let [smallest, largest] = byte.range();
        if zero_point < smallest || zero_point > largest {
            return Err(QuantizationError::ZeroPoint {
                given: zero_point,
                byte,
            });
        }
        Ok(Self {
            byte,
            scale,
            zero_point,
        })
    }

    /// Unsigned numbers.
    ///
    /// # Errors
    /// [`QuantizationError::Scale`]: see [`new`](Self::new).
    pub const fn u8(scale: f32, zero_point: u8) -> Result<Self, QuantizationError> {
        Self::new(Byte::U8, scale, zero_point as i32)
    }

    /// Signed numbers. Their bits are given and returned as `u8`.
    ///
    /// # Errors
    /// [`QuantizationError::Scale`]: see [`new`](Self::new).
    pub const fn i8(scale: f32, zero_point: i8) -> Result<Self, QuantizationError> {
        Self::new(Byte::I8, scale, zero_point as i32)
    }

    /// The type of the numbers.
    pub const fn byte(self) -> Byte {
        self.byte
    }

    /// The difference between the real numbers of two neighbours.
    pub const fn scale(self) -> f32 {
        self.scale
    }

    /// The number that stands for 0.
    pub const fn zero_point(self) -> i32 {
        self.zero_point
    }

    /// The real number that a byte stands for, rounded once: `scale·(q - zero_point)`. This is ONNX's `DequantizeLinear`.
    #[inline]
    pub fn dequantize(self, bits: u8) -> f32 {
        self.steps(bits) as f32 * self.scale
    }

    /// How many steps a byte is from the zero point.
    fn steps(self, bits: u8) -> i32 {
        self.byte.number(bits) - self.zero_point
    }

    /// The byte for a real number: `value / scale` rounded to an integer, ties to even, plus the zero point, and cut off at the
    /// ends. This is ONNX's `QuantizeLinear`. NaN gives the smallest number, as in ONNX Runtime.
    #[inline]
    pub fn quantize(self, value: f32) -> u8 {
        self.byte_of_steps(value / self.scale)
    }

    /// The byte so many steps from the zero point.
    fn byte_of_steps(self, steps: f32) -> u8 {
        // The sum is rounded only where it is far beyond the ends.
        self.byte.rounded(steps.round_ties_even() + self.zero_point as f32)
    }
}

/// Whose arithmetic a quantized function has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rounding {
    /// ONNX Runtime's: [`dequantize`](Quantization::dequantize), the function in `f32`, [`quantize`](Quantization::quantize).
    Onnx,
    /// PyTorch's with vectors (AVX2, AVX-512), which all whole groups of 64 elements have: it dequantizes by one fused
    /// multiplication and addition, `fma(scale, q, fl(scale·-zero_point))`, and multiplies by `fl(1 / scale)` to quantize. Of the few
    /// elements after the last group, and of all without vectors, about one in a hundred thousand is another byte. Where y is
    /// 2^31 scales or more PyTorch's integers wrap; here they are cut off.
    PyTorch,
    /// TFLite's reference kernel of `HARD_SWISH`, in fixed point: only the hard swish of x·relu6(x + 3)/6.
    TfLite,
}

named!(Rounding, "rounding", Onnx => "onnx", PyTorch => "pytorch", TfLite => "tflite");

/// A quantization, or a quantized function, doesn't exist.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum QuantizationError {
    /// The scale isn't positive, normal and finite.
    Scale {
        /// What was given.
        given: f32,
    },
    /// The type of bytes doesn't have the zero point.
    ZeroPoint {
        /// What was given.
        given: i32,
        /// The type of bytes.
        byte: Byte,
    },
    /// Only a forward pass and a hard swish have quantized forms.
    Op {
        /// Name of the operation.
        op: &'static str,
    },
    /// TFLite has a quantized kernel for no function but x·relu6(x + 3)/6.
    NoTfLiteKernel {
        /// Name of the operation.
        op: &'static str,
        /// The definition.
        definition: HardSigmoid,
    },
    /// TFLite's hard swish takes input and output of one type.
    TfLiteTypes,
    /// TFLite's hard swish has no defined result for a scale of x from 3·2^23 on.
    TfLiteLargeScale {
        /// The scale of x.
        x: f32,
    },
    /// TFLite's hard swish refuses an input scale of 128 output scales or more.
    TfLiteScales {
        /// The scale of x.
        x: f32,
        /// The scale of y.
        y: f32,
    },
}

impl fmt::Display for QuantizationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scale { given } => write!(
                f,
                "scale is {given:?}; it must be positive and finite, and not subnormal (below {:?})",
                f32::MIN_POSITIVE
            ),
            Self::ZeroPoint { given, byte } => {
                let [smallest, largest] = byte.range();
                write!(
                    f,
                    "zero point is {given}; it must be a number of {byte}, from {smallest} to {largest}"
                )
            }
            Self::Op { op } => write!(f, "{op} has no quantized form; take forward, hard_swish, or a gate"),
            Self::NoTfLiteKernel { op, definition } => write!(
                f,
                "TFLite has no quantized kernel for {op} of {definition}, only for hard_swish of pytorch, jax and keras3, x·relu6(x + 3)/6; \
                 take the rounding onnx"
            ),
            Self::TfLiteTypes => write!(
                f,
                "TFLite's hard swish takes x and y of one type; give both as u8 or as i8"
            ),
            Self::TfLiteLargeScale { x } => write!(
                f,
                "TFLite shifts by too many places where the scale of x is 3·2^23 or more, but {x:?} was given; take the rounding onnx"
            ),
            Self::TfLiteScales { x, y } => write!(
                f,
                "TFLite refuses a hard swish whose x has a scale of 128 times that of y or more, but {x:?} and {y:?} were given"
            ),
        }
    }
}

impl std::error::Error for QuantizationError {}

/// A function of one quantized tensor to another. For a device it is a table, which [`Op::Lookup`](crate::Op::Lookup) looks up.
///
/// ```
/// use hard_sigmoid::{HardSigmoid, Quantization, Quantized, Rounding, Unary};
///
/// let (x, y) = (Quantization::u8(0.05, 100)?, Quantization::u8(0.025, 15)?);
/// let hard_swish = Quantized::new(Unary::HardSwish(HardSigmoid::PYTORCH), x, y, Rounding::Onnx)?;
/// // 100 stands for 0, and so does 15.
/// assert_eq!(hard_swish.table()[100], 15);
/// # Ok::<(), hard_sigmoid::QuantizationError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantized {
    op: Unary,
    x: Quantization,
    y: Quantization,
    rounding: Rounding,
}

impl Quantized {
    /// The quantized form of a [`Unary::Forward`] or a [`Unary::HardSwish`].
    ///
    /// # Errors
    /// [`QuantizationError::Op`] for other operations; with [`Rounding::TfLite`] also [`QuantizationError::NoTfLiteKernel`],
    /// [`QuantizationError::TfLiteTypes`], [`QuantizationError::TfLiteScales`] and [`QuantizationError::TfLiteLargeScale`].
    pub fn new(op: Unary, x: Quantization, y: Quantization, rounding: Rounding) -> Result<Self, QuantizationError> {
        let definition = match op {
            Unary::Forward(definition) | Unary::HardSwish(definition) => definition,
            Unary::Binarize(_) => return Err(QuantizationError::Op { op: op.name() }),
        };
        if rounding == Rounding::TfLite {
            let is_relu6 = !matches!(definition.form(), Form::Affine { .. });
            if !(is_relu6 && matches!(op, Unary::HardSwish(_))) {
                let op = op.name();
                return Err(QuantizationError::NoTfLiteKernel { op, definition });
            }
            if x.byte != y.byte {
                return Err(QuantizationError::TfLiteTypes);
            }
            let fixed = TfLite::new(x, y);
            if fixed.to_relu.exponent > MAX_SHIFT + 1 {
                return Err(QuantizationError::TfLiteLargeScale { x: x.scale });
            }
            if fixed.to_y.exponent > 0 {
                let [x, y] = [x.scale, y.scale];
                return Err(QuantizationError::TfLiteScales { x, y });
            }
        }
        Ok(Self { op, x, y, rounding })
    }

    /// The function.
    pub const fn op(self) -> Unary {
        self.op
    }

    /// What the bytes of x stand for.
    pub const fn x(self) -> Quantization {
        self.x
    }

    /// What the bytes of y stand for.
    pub const fn y(self) -> Quantization {
        self.y
    }

    /// Whose arithmetic it has.
    pub const fn rounding(self) -> Rounding {
        self.rounding
    }

    /// y for each of the 256 values of x. A signed x is looked up by its bits, and a signed y is given by its bits.
    pub fn table(self) -> [u8; 256] {
        let Self { op, x, y, rounding } = self;
        let of = |compute: &dyn Fn(u8) -> u8| std::array::from_fn(|bits| compute(bits as u8));
        match rounding {
            Rounding::Onnx => of(&|bits| y.quantize(op.apply(x.dequantize(bits), 0))),
            Rounding::PyTorch => {
                let to_zero = x.scale * -(x.zero_point as f32);
                let steps = 1.0 / y.scale;
                of(&|bits| {
                    let x = x.scale.mul_add(x.byte.number(bits) as f32, to_zero);
                    y.byte_of_steps(op.apply(x, 0) * steps)
                })
            }
            Rounding::TfLite => {
                let fixed = TfLite::new(x, y);
                of(&|bits| fixed.hard_swish(bits))
            }
        }
    }
}

/// The gate of squeeze-and-excitation in 8 bits, `y = a·h` with `h = forward(b)`: each of the four tensors is quantized. For a device
/// it is a table, which [`Op::LookupGate`](crate::Op::LookupGate) looks up.
///
/// It has the arithmetic of ONNX's operators: h is computed and quantized as [`Rounding::Onnx`] does it, then
/// `QuantizeLinear(DequantizeLinear(a)·DequantizeLinear(h))`. At its default level ONNX Runtime fuses the latter into a
/// `QLinearMul`: on x86 for `u8`, not for `i8`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuantizedGate {
    /// The hard sigmoid.
    pub definition: HardSigmoid,
    /// What the bytes of a stand for.
    pub a: Quantization,
    /// What the bytes of b stand for.
    pub b: Quantization,
    /// What the bytes of the hard sigmoid's results would stand for.
    pub h: Quantization,
    /// What the bytes of y stand for.
    pub y: Quantization,
    /// Whether the product is `QLinearMul`'s: `fl((a - za)·(h - zh)·fl(fl(sa·sh) / sy))`, to which it adds the zero point before it
    /// rounds. Very few results differ, by 1.
    pub is_fused: bool,
}

impl QuantizedGate {
    /// y for each pair of a and b: that of `a` and `b` is number `256·b + a`. Signed numbers are taken and given by their bits.
    pub fn table(self) -> Vec<u8> {
        let gate = Quantized {
            op: Unary::Forward(self.definition),
            x: self.b,
            y: self.h,
            rounding: Rounding::Onnx,
        };
        let Self { a, h, y, .. } = self;
        let ratio = a.scale * h.scale / y.scale;
        let product = |bits_of_a: u8, bits_of_h: u8| match self.is_fused {
            true => {
                let steps = (a.steps(bits_of_a) * h.steps(bits_of_h)) as f32 * ratio;
                y.byte.rounded(steps + y.zero_point as f32)
            }
            false => y.quantize(a.dequantize(bits_of_a) * h.dequantize(bits_of_h)),
        };
        let row = |bits_of_h: u8| (0..=255).map(move |bits_of_a| product(bits_of_a, bits_of_h));
        gate.table().into_iter().flat_map(row).collect()
    }
}

/// TFLite's hard swish in fixed point: `HardSwish` of its reference kernels, and the multipliers that the operator prepares.
#[derive(Clone, Copy)]
struct TfLite {
    x: Quantization,
    y: Quantization,
    /// From x in 128ths to y, before a shift to the right.
    to_y: Multiplier,
    /// From x in 128ths to 3/32768.
    to_relu: Multiplier,
}

/// The most places by which TFLite can shift an integer of 32 bits to the left.
const MAX_SHIFT: i32 = 30;

/// A factor: `fixed·2^(exponent - 15)`.
#[derive(Clone, Copy)]
struct Multiplier {
    fixed: i16,
    exponent: i32,
}

impl Multiplier {
    /// TFLite's `QuantizeMultiplier`, and then its rounding to 16 bits.
    fn new(factor: f32) -> Self {
        let (mantissa, mut exponent) = mantissa_and_exponent(factor.into());
        // Ties don't occur: the mantissa of an f32 has 24 bits.
        let mut fixed = (mantissa * 2.0f64.powi(31)).round() as i64;
        if fixed == 1 << 31 {
            (fixed, exponent) = (fixed / 2, exponent + 1);
        }
        if exponent < -31 {
            (fixed, exponent) = (0, 0);
        }
        let fixed = ((fixed + (1 << 15)) >> 16).min(i16::MAX.into()) as i16;
        Self { fixed, exponent }
    }
}

/// A number as `mantissa·2^exponent`, with a mantissa from 1/2 to 1: C's `frexp` of a normal number.
fn mantissa_and_exponent(value: f64) -> (f64, i32) {
    let exponent = ((value.to_bits() >> 52 & 0x7ff) as i32) - 1022;
    (value / 2.0f64.powi(exponent), exponent)
}

impl TfLite {
    fn new(x: Quantization, y: Quantization) -> Self {
        let fine = 1.0 / 128.0 * x.scale;
        let to_y = Multiplier::new(fine / y.scale);
        let to_relu = Multiplier::new(fine / (3.0 / 32768.0));
        Self { x, y, to_y, to_relu }
    }

    fn hard_swish(self, bits: u8) -> u8 {
        let x = (self.x.steps(bits) << 7) as i16;
        let y = rounded_product(x, self.to_y.fixed);
        // The relu6 as a number from -1 to 1, and then from 0 to 1.
        let exponent = self.to_relu.exponent;
        let mut relu = if exponent > 0 { shifted_left(x, exponent - 1) } else { x };
        relu = rounded_product(relu, self.to_relu.fixed);
        if exponent > 0 {
            relu = shifted_left(relu, 1);
        } else if exponent < 0 {
            relu = shifted_right(relu, -exponent);
        }
        let relu = ((i32::from(relu) + (1 << 15)) >> 1) as i16;
        let y = shifted_right(cut_product(relu, y), -self.to_y.exponent);
        // TFLite adds in 16 bits, which wraps where both are large.
        self.y.byte.saturated(y.wrapping_add(self.y.zero_point as i16).into())
    }
}

/// gemmlowp's `SaturatingRoundingDoublingHighMul`.
fn rounded_product(a: i16, b: i16) -> i16 {
    let product = i32::from(a) * i32::from(b);
    let nudge = if product >= 0 { 1 << 14 } else { 1 - (1 << 14) };
    ((product + nudge) / (1 << 15)).min(i16::MAX.into()) as i16
}

/// TFLite's `SaturatingDoublingHighMul`, which doesn't round.
fn cut_product(a: i16, b: i16) -> i16 {
    (i32::from(a) * i32::from(b) / (1 << 15)).min(i16::MAX.into()) as i16
}

/// TFLite's `SaturatingLeftShift`.
fn shifted_left(value: i16, places: i32) -> i16 {
    let wide = i64::from(value) << places;
    wide.clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

/// gemmlowp's `RoundingDivideByPOT`: to nearest, ties away from zero. From 16 places on, where its mask wraps, it gives 1 or -1.
fn shifted_right(value: i16, places: i32) -> i16 {
    let mask = ((1_i64 << places) - 1) as i16;
    let threshold = (mask >> 1) + i16::from(value < 0);
    let quotient = (i64::from(value) >> places) as i16;
    quotient + i16::from(value & mask > threshold)
}
