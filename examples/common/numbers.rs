//! Numbers of NumPy's `.npy` files, of any type that tensors here have.

use hard_sigmoid::half::{bf16, f16};
use std::path::Path;

/// The numbers of a file, and its shape.
pub fn read(path: &Path) -> Result<(Vec<f32>, Vec<u64>), String> {
    let at_path = |message: String| format!("{}: {message}", path.display());
    let bytes = std::fs::read(path).map_err(|error| at_path(error.to_string()))?;
    let file = npyz::NpyFile::new(&bytes[..]).map_err(|error| at_path(format!("not a .npy file ({error})")))?;
    let (shape, dtype) = (file.shape().to_vec(), file.dtype().descr());
    if file.order() == npyz::Order::Fortran && shape.len() > 1 {
        return Err(at_path(
            "it is in Fortran order; save numpy.ascontiguousarray(array) instead".into(),
        ));
    }
    let values = match &*dtype {
        "'<f4'" => file.into_vec::<f32>(),
        "'<f2'" => file
            .into_vec::<f16>()
            .map(|values| values.into_iter().map(f16::to_f32).collect()),
        "'<u2'" => file
            .into_vec::<u16>()
            .map(|values| values.into_iter().map(|bits| bf16::from_bits(bits).to_f32()).collect()),
        _ => {
            return Err(at_path(format!(
                "its dtype is {dtype}; read are little-endian float32, float16, and uint16 as the bits of bfloat16"
            )));
        }
    };
    Ok((values.map_err(|error| at_path(error.to_string()))?, shape))
}
