//! Tables of quantized functions.

use crate::{operation, value_error};
use hard_sigmoid::{Byte, Op, Quantization, QuantizationError, Quantized};
use pyo3::{prelude::*, types::PyBytes};

/// A scale, a zero point and whether the numbers are signed.
type Given = (f32, i32, bool);

/// y for each of the 256 values of x.
#[pyfunction]
pub fn table<'py>(
    py: Python<'py>,
    name: &str,
    definition: &str,
    x: Given,
    y: Given,
    rounding: &str,
) -> PyResult<Bound<'py, PyBytes>> {
    let rounding = rounding.parse().map_err(value_error)?;
    let op = match operation(name, Some(definition), None)? {
        Op::Unary(op) => op,
        other => return Err(value_error(QuantizationError::Op { op: other.name() })),
    };
    let of = |tensor: &str, (scale, zero_point, is_signed): Given| {
        let byte = if is_signed { Byte::I8 } else { Byte::U8 };
        Quantization::new(byte, scale, zero_point).map_err(|error| value_error(format_args!("{tensor}: {error}")))
    };
    let quantized = Quantized::new(op, of("x", x)?, of("y", y)?, rounding).map_err(value_error)?;
    Ok(PyBytes::new(py, &quantized.table()))
}
