//! What the numbers of 8-bit files stand for.

use crate::choices;
use clap::{Args, ValueHint};
use hard_sigmoid::{Byte, Quantization, QuantizationError, Quantized, Rounding, Unary};

/// The options of 8-bit files. Nothing stands in for a scale or a zero point that is missing: no result would show the mistake.
#[derive(Args)]
#[command(next_help_heading = "Options for uint8 and int8 files")]
pub struct Options {
    /// Scale of x: its number q stands for SCALE * (q - ZERO)
    #[arg(long, requires = "output", value_hint = ValueHint::Other, allow_negative_numbers = true, value_name = "SCALE")]
    x_scale: Option<f32>,
    /// Zero point of x
    #[arg(long, requires = "output", value_hint = ValueHint::Other, allow_negative_numbers = true, value_name = "ZERO")]
    x_zero_point: Option<i32>,
    /// Scale of y
    #[arg(long, requires = "output", value_hint = ValueHint::Other, allow_negative_numbers = true, value_name = "SCALE")]
    y_scale: Option<f32>,
    /// Zero point of y
    #[arg(long, requires = "output", value_hint = ValueHint::Other, allow_negative_numbers = true, value_name = "ZERO")]
    y_zero_point: Option<i32>,
    /// Type of y, u8 or i8. By default that of x
    #[arg(long, requires = "output", value_parser = choices::bytes(), value_name = "DTYPE")]
    y_dtype: Option<Byte>,
    /// Whose arithmetic: onnx (as ONNX Runtime's; the default), pytorch or tflite (hard_swish only)
    #[arg(long, requires = "output", value_parser = choices::roundings(), value_name = "WHOSE")]
    rounding: Option<Rounding>,
}

impl Options {
    /// The quantized form of `op`, for x of type `byte`.
    pub fn quantized(&self, op: Unary, byte: Byte) -> Result<Quantized, String> {
        let tensor = |name: &str, byte, scale: Option<f32>, zero_point: Option<i32>| match (scale, zero_point) {
            (Some(scale), Some(zero_point)) => {
                Quantization::new(byte, scale, zero_point).map_err(|error| format!("{name}: {error}"))
            }
            _ => Err(format!(
                "x has 8-bit numbers, so say what those of {name} stand for: --{name}-scale SCALE --{name}-zero-point ZERO"
            )),
        };
        let x = tensor("x", byte, self.x_scale, self.x_zero_point)?;
        let y = tensor("y", self.y_dtype.unwrap_or(byte), self.y_scale, self.y_zero_point)?;
        let rounding = self.rounding.unwrap_or(Rounding::Onnx);
        Quantized::new(op, x, y, rounding).map_err(|error: QuantizationError| error.to_string())
    }

    /// Refuses them for files of floats.
    pub fn check_unused(&self) -> Result<(), String> {
        let given = [
            ("x-scale", self.x_scale.is_some()),
            ("x-zero-point", self.x_zero_point.is_some()),
            ("y-scale", self.y_scale.is_some()),
            ("y-zero-point", self.y_zero_point.is_some()),
            ("y-dtype", self.y_dtype.is_some()),
            ("rounding", self.rounding.is_some()),
        ];
        match given.iter().find(|(_, is_given)| *is_given) {
            Some((name, _)) => Err(format!(
                "--{name} is for files of uint8 or int8, but x has floats, which need no quantization"
            )),
            None => Ok(()),
        }
    }
}
