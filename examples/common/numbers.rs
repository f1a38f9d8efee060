//! Numbers of NumPy's `.npy` files, of any type that tensors here have.

use hard_sigmoid::{
    Element,
    half::{bf16, f16},
};
use std::path::Path;

pub struct Numbers {
    pub values: Vec<f32>,
    pub shape: Vec<u64>,
    /// What they are in the file.
    pub element: Element,
}

pub fn read(path: &Path) -> Result<Numbers, String> {
    let at_path = |message: String| format!("{}: {message}", path.display());
    let bytes = std::fs::read(path).map_err(|error| at_path(error.to_string()))?;
    let file = npyz::NpyFile::new(&bytes[..]).map_err(|error| at_path(format!("not a .npy file ({error})")))?;
    let (shape, dtype) = (file.shape().to_vec(), file.dtype().descr());
    if file.order() == npyz::Order::Fortran && shape.len() > 1 {
        return Err(at_path(
            "it is in Fortran order; save numpy.ascontiguousarray(array) instead".into(),
        ));
    }
    let (element, values) = match &*dtype {
        "'<f4'" => (Element::F32, file.into_vec::<f32>()),
        "'<f2'" => {
            let values = file.into_vec::<f16>();
            (
                Element::F16,
                values.map(|all| all.into_iter().map(f16::to_f32).collect()),
            )
        }
        "'<u2'" => {
            let number = |bits| bf16::from_bits(bits).to_f32();
            let values = file.into_vec::<u16>();
            (Element::Bf16, values.map(|all| all.into_iter().map(number).collect()))
        }
        _ => {
            return Err(at_path(format!(
                "its dtype is {dtype}; read are little-endian float32, float16, and uint16 as the bits of bfloat16"
            )));
        }
    };
    Ok(Numbers {
        values: values.map_err(|error| at_path(error.to_string()))?,
        shape,
        element,
    })
}
