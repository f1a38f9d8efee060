//! The native half of the Python package: plain functions on contiguous arrays and text. The package's Python code, in
//! `python/hard_sigmoid`, converts the user's arguments to these.

mod compute;
mod identify;
mod inspect;
mod plan;
mod quantized;
mod threads;

use hard_sigmoid::{DType, HardSigmoid, KinkRule, Op, OpError, Parameters};
use pyo3::{
    exceptions::{PyTypeError, PyValueError},
    prelude::*,
    types::PyDict,
};
use std::fmt::Display;

#[pymodule]
mod _native {
    use super::{Bound, PyModule, PyResult, threads};
    #[pymodule_export]
    use super::{
        Operation, affine,
        compute::compute,
        definition,
        identify::{identify, separation},
        inspect::inspect,
        plan::{plan, scalar, wgsl},
        presets,
        quantized::table,
    };

    #[pymodule_init]
    fn init(_module: &Bound<'_, PyModule>) -> PyResult<()> {
        threads::remember_process();
        Ok(())
    }
}

/// Converts an error of the crate into Python's `ValueError`.
fn value_error(error: impl Display) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// The element type with NumPy's name `name`.
fn dtype(name: &str) -> PyResult<DType> {
    match name {
        "float32" => Ok(DType::F32),
        "float16" => Ok(DType::F16),
        "bfloat16" => Ok(DType::Bf16),
        "uint8" | "int8" => Ok(DType::U8),
        _ => Err(PyValueError::new_err(format!(
            "no dtype is called {name:?}; use one of float32, float16, bfloat16, and uint8 or int8 for look-ups"
        ))),
    }
}

/// [`dtype`] of numbers that stand for themselves.
fn float(name: &str) -> PyResult<DType> {
    match dtype(name)? {
        DType::U8 => Err(PyValueError::new_err(format!(
            "dtype is {name}, but has to be float32, float16 or bfloat16"
        ))),
        float => Ok(float),
    }
}

fn parsed(definition: &str) -> PyResult<HardSigmoid> {
    definition.parse().map_err(value_error)
}

type Described = (
    String,
    &'static str,
    String,
    Option<(f32, f32)>,
    String,
    f32,
    f32,
    Option<&'static str>,
);

/// The definition's text, name, formula, kinks, kink rule, slope, shift and source.
#[pyfunction]
fn definition(text: &str) -> PyResult<Described> {
    let definition = parsed(text)?;
    Ok((
        definition.to_string(),
        definition.name(),
        definition.formula(),
        definition.kinks(),
        definition.kink_rule().to_string(),
        definition.slope(),
        definition.shift(),
        definition.preset().map(|preset| preset.source),
    ))
}

/// The text of the affine definition of alpha, beta and a kink rule.
#[pyfunction]
fn affine(alpha: f32, beta: f32, kinks: &str) -> PyResult<String> {
    let kinks: KinkRule = kinks.parse().map_err(value_error)?;
    let definition = HardSigmoid::affine(alpha, beta, kinks).map_err(value_error)?;
    Ok(definition.to_string())
}

/// The names of the presets.
#[pyfunction]
fn presets() -> Vec<&'static str> {
    HardSigmoid::PRESETS.iter().map(|preset| preset.name).collect()
}

/// An operation with all its parameters except tensors.
#[pyclass(frozen)]
struct Operation(Op);

#[pymethods]
impl Operation {
    #[new]
    #[pyo3(signature = (name, definition=None, **parameters))]
    fn new(name: &str, definition: Option<&str>, parameters: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        operation(name, definition, parameters).map(Self)
    }

    /// Names of the operands.
    #[getter]
    fn inputs(&self) -> Vec<&'static str> {
        self.0.inputs().to_vec()
    }

    /// Names of the results.
    #[getter]
    fn outputs(&self) -> Vec<&'static str> {
        self.0.outputs().to_vec()
    }
}

fn operation(name: &str, definition: Option<&str>, parameters: Option<&Bound<'_, PyDict>>) -> PyResult<Op> {
    let mut left = Left(parameters.map(|given| given.copy()).transpose()?);
    let estimator: Option<String> = left.take("estimator")?;
    let given = Parameters {
        definition: definition.map(parsed).transpose()?,
        seed: left.take("seed")?,
        offset: left.take("offset")?,
        scale: left.take("scale")?,
        estimator: estimator.map(|text| text.parse()).transpose().map_err(value_error)?,
        middle: left.take("middle")?,
        inner: left.take("inner")?,
    };
    let op = Op::new(name, &given).map_err(|error| match error {
        OpError::MissingParameter { .. } | OpError::ExtraParameter { .. } => PyTypeError::new_err(error.to_string()),
        error => value_error(error),
    })?;
    left.check_empty(name)?;
    Ok(op)
}

/// Keyword arguments that aren't taken yet.
struct Left<'py>(Option<Bound<'py, PyDict>>);

impl<'py> Left<'py> {
    fn take<T: for<'a> FromPyObject<'a, 'py, Error = PyErr>>(&mut self, name: &str) -> PyResult<Option<T>> {
        let Some(given) = &self.0 else { return Ok(None) };
        let Some(value) = given.get_item(name)? else {
            return Ok(None);
        };
        given.del_item(name)?;
        if value.is_none() {
            return Ok(None);
        }
        let wrong = |error: PyErr| PyValueError::new_err(format!("{name} is {value}: {error}"));
        value.extract().map(Some).map_err(wrong)
    }

    fn check_empty(&self, operation: &str) -> PyResult<()> {
        match self.0.as_ref().map(|given| given.keys()) {
            Some(names) if !names.is_empty() => Err(PyTypeError::new_err(format!(
                "{operation} takes no {}",
                names.get_item(0)?
            ))),
            _ => Ok(()),
        }
    }
}
