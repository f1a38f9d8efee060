//! Identifies the hard sigmoid that made some data.

use crate::{float, parsed, value_error};
use hard_sigmoid::HardSigmoid;
use hard_sigmoid::identify::{
    self as core, Agreement, Gradient, Precision, Real, Rounding, Separation, identify_within,
};
use numpy::{Element, PyReadonlyArray1};
use pyo3::prelude::*;

/// Counts of elements, of those that differ and of subnormals that are zero, and the largest difference and its index.
type Agrees = (usize, usize, usize, Option<(f32, usize)>);

/// A definition, how it rounds, and how well it agrees in y and dx.
type Matched = (String, String, Agrees, Option<Agrees>);

/// Two definitions, what tells them apart (`"y"` or `"dx"` at an x), and how many more elements would.
type Separated = (String, String, Option<(&'static str, f32)>, Option<u64>);

/// The ranges of alpha and beta.
type Open = ((f64, f64), (f64, f64));

/// Function, verdict, tolerance, definitions and outliers; matches, counts at the kinks, separations, ranges and report.
type Found = (
    (String, &'static str, f64, Vec<String>, Vec<usize>),
    Vec<Matched>,
    (usize, usize, usize),
    Vec<Separated>,
    Option<Open>,
    String,
);

/// x and y of one type, and g and dx.
type Arrays<'py, T> = (
    PyReadonlyArray1<'py, T>,
    PyReadonlyArray1<'py, T>,
    Option<(PyReadonlyArray1<'py, T>, PyReadonlyArray1<'py, T>)>,
);

/// Arrays of one type.
#[derive(FromPyObject)]
pub enum Given<'py> {
    Singles(Arrays<'py, f32>),
    Doubles(Arrays<'py, f64>),
}

#[pyfunction]
pub fn identify<'py>(py: Python<'py>, arrays: Given<'py>, dtypes: (String, String), atol: f32) -> PyResult<Found> {
    match arrays {
        Given::Singles(arrays) => identified(py, arrays, dtypes, atol),
        Given::Doubles(arrays) => identified(py, arrays, dtypes, atol),
    }
}

fn identified<'py, T: Real + Element>(
    py: Python<'py>,
    (x, y, gradient): Arrays<'py, T>,
    dtypes: (String, String),
    atol: f32,
) -> PyResult<Found> {
    let (x, y) = (x.as_slice()?, y.as_slice()?);
    let gradient = match &gradient {
        None => None,
        Some((g, dx)) => Some(Gradient {
            g: g.as_slice()?,
            dx: dx.as_slice()?,
        }),
    };
    let [x_dtype, y_dtype] = [float(&dtypes.0)?, float(&dtypes.1)?];
    let found = py
        .detach(|| {
            let found = identify_within(x, y, gradient, atol)?;
            let separations = found.separations(x_dtype, y_dtype);
            let report = found.report(x, y, x_dtype, y_dtype);
            Ok::<_, core::IdentifyError>((found, separations, report))
        })
        .map_err(value_error)?;
    let (found, separations, report) = found;
    let matches = found.matches.iter().map(|one| {
        let backward = one.backward.map(agreement);
        (
            one.definition.to_string(),
            one.precision.to_string(),
            agreement(one.forward),
            backward,
        )
    });
    let kinks = (found.kinks.passed, found.kinks.halved, found.kinks.blocked);
    let separations = separations.into_iter().map(|one| {
        let [a, b] = one.pair.map(|definition| definition.to_string());
        (a, b, one.separation.map(separated), one.more)
    });
    // The number that a person would write.
    let within = found.within.to_string().parse().expect("it is a number");
    let definitions = found.verdict.definitions().iter().map(HardSigmoid::to_string).collect();
    Ok((
        (
            found.function.to_string(),
            found.verdict.name(),
            within,
            definitions,
            found.outliers.clone(),
        ),
        matches.collect(),
        kinks,
        separations.collect(),
        found.ranges.map(|ranges| (ranges.alpha, ranges.beta)),
        report,
    ))
}

fn agreement(of: Agreement) -> Agrees {
    (of.compared, of.differing, of.flushed, of.largest)
}

fn separated(separation: Separation) -> (&'static str, f32) {
    match separation {
        Separation::Forward(x) => ("y", x),
        Separation::Backward(x) => ("dx", x),
    }
}

/// What tells two definitions apart: `"y"` or `"dx"`, at which x.
#[pyfunction]
pub fn separation(a: &str, b: &str, dtype_name: &str) -> PyResult<Option<(&'static str, f32)>> {
    let dtype = float(dtype_name)?;
    let precision = Precision {
        input: dtype,
        output: dtype,
        rounding: Rounding::AsDefined,
    };
    Ok(core::separation(parsed(a)?, parsed(b)?, precision).map(separated))
}
