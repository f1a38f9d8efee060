//! Finds the hard sigmoids in a model.

use crate::value_error;
use hard_sigmoid_inspect::{Error, read, read_from};
use pyo3::{prelude::*, pybacked::PyBackedBytes};
use std::{
    io::{self, Cursor},
    path::PathBuf,
};

#[derive(FromPyObject)]
pub enum Given {
    Bytes(PyBackedBytes),
    Path(PathBuf),
}

/// What was found, as JSON and as text for people.
#[pyfunction]
pub fn inspect(py: Python<'_>, model: Given) -> PyResult<(String, String)> {
    let found = py.detach(|| match model {
        Given::Path(path) => read(&path).map_err(|error| match error {
            Error::Io(error) => io::Error::new(error.kind(), format!("{}: {error}", path.display())).into(),
            error => value_error(error),
        }),
        Given::Bytes(bytes) => {
            let no_place = |_: &str| Err(io::Error::other("bytes have no place: give the path of the model"));
            read_from(Cursor::new(bytes), &mut { no_place }).map_err(value_error)
        }
    })?;
    let json = serde_json::to_string(&found).map_err(value_error)?;
    Ok((json, found.to_string()))
}
