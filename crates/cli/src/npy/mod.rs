//! Arrays of files, read in pieces: NumPy's `.npy` and `.npz`, and `.safetensors`.

pub mod header;
#[cfg(feature = "command")]
mod reader;
#[cfg(feature = "command")]
mod source;
#[cfg(all(test, feature = "command"))]
mod tests;

#[cfg(feature = "command")]
pub(crate) use {
    header::shown,
    reader::{
        Bytes, Numbers, Reader, Values, WORDS, bytes, check_alike, check_one_stdin, dtype, dtype_of, head, numbers,
        shipped,
    },
};
