//! What `pictures` and `binarize` both need.

use crate::Result;
use plotters::{element::PathElement, style::ShapeStyle};
use std::{fs, path::Path};

pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    Ok(fs::write(path, bytes).map_err(|error| format!("{}: {error}", path.display()))?)
}

/// The outline of a rectangle. plotters' own has a width of one coordinate.
pub fn outline([(left, top), (right, bottom)]: [(i32, i32); 2], line: ShapeStyle) -> PathElement<(i32, i32)> {
    let corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)];
    PathElement::new(corners, line)
}
