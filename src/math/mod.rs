//! What is computed: definitions, binarizations, element types, and the operations that they make.

pub(crate) mod arithmetic;
pub(crate) mod binarize;
pub(crate) mod broadcast;
mod by_name;
pub(crate) mod contract;
pub(crate) mod definition;
pub(crate) mod dtype;
pub(crate) mod error;
pub(crate) mod finite;
pub(crate) mod lengths;
pub(crate) mod names;
pub(crate) mod op;
pub(crate) mod parameters;
pub(crate) mod philox;
pub(crate) mod presets;
pub(crate) mod quantized;
mod samples;
mod text;
