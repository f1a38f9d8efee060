//! NumPy's `.npy` files in memory.

// The command's, so that both read the same files.
#[path = "../../../cli/src/npy/header.rs"]
mod header;

use hard_sigmoid::{
    Binary, HardSigmoid, Scalar, Unary, bf16, f16,
    offload::{Offload, OffloadError},
};
use header::{Header, shown};
use wasm_bindgen::{JsError, JsValue};

/// `file` with other elements; dtype, shape and order stay. The error is a string if it is the file's.
pub async fn transformed(
    offload: &Offload,
    definition: HardSigmoid,
    wants_gradient: bool,
    is_bf16: bool,
    mut file: Vec<u8>,
) -> Result<Vec<u8>, JsValue> {
    let mut rest = &file[..];
    let header = Header::read(&mut rest)?;
    let start = file.len() - rest.len();
    let dtype = &*header.dtype;
    let size: u64 = match dtype {
        "<f4" => 4,
        "<f2" => 2,
        "<u2" if is_bf16 => 2,
        _ => {
            let message = format!(
                "its dtype is '{dtype}'; read are little-endian float32 and float16 (save array.astype(numpy.float32)), and, \
                 if you say so, the bits of bfloat16 as uint16"
            );
            return Err(message.into());
        }
    };
    let expected = header.len().and_then(|len| len.checked_mul(size));
    let data = &mut file[start..];
    if expected != Some(data.len() as u64) {
        let (shape, len) = (shown(&header.shape), data.len());
        return Err(format!("shape {shape} doesn't fit its {len} bytes of data: truncated or damaged").into());
    }
    let result = match dtype {
        "<f4" => in_place::<f32>(offload, definition, wants_gradient, data).await,
        "<f2" => in_place::<f16>(offload, definition, wants_gradient, data).await,
        _ => in_place::<bf16>(offload, definition, wants_gradient, data).await,
    };
    result.map_err(JsError::from)?;
    Ok(file)
}

async fn in_place<T: Scalar>(
    offload: &Offload,
    definition: HardSigmoid,
    wants_gradient: bool,
    bytes: &mut [u8],
) -> Result<(), OffloadError> {
    // The data of a file may start anywhere.
    let mut x: Vec<T> = bytemuck::pod_collect_to_vec(bytes);
    if wants_gradient {
        let mut g = vec![T::from_f32(1.0); x.len()];
        let backward = Binary::Backward(definition);
        offload.binary_in_place(backward, &x, &mut g).await?;
        x = g;
    } else {
        offload.unary_in_place(Unary::Forward(definition), &mut x).await?;
    }
    bytes.copy_from_slice(bytemuck::cast_slice(&x));
    Ok(())
}
