//! NumPy's `.npy` files in memory.

use hard_sigmoid::{
    Binary, HardSigmoid, Scalar, Unary, bf16, f16,
    offload::{Offload, OffloadError},
};
use wasm_bindgen::{JsError, JsValue};

/// `file` with other elements; dtype, shape and order stay. The error is a string if it is the file's.
pub async fn transformed(
    offload: &Offload,
    definition: HardSigmoid,
    wants_gradient: bool,
    is_bf16: bool,
    mut file: Vec<u8>,
) -> Result<Vec<u8>, JsValue> {
    // npyz allocates what the header says it takes. (In version 1 that is no more than 64 KiB.)
    if let [_, _, _, _, _, _, version, _, a, b, c, d, rest @ ..] = &file[..]
        && *version > 1
        && u32::from_le_bytes([*a, *b, *c, *d]) as usize > rest.len()
    {
        return Err("not a .npy file (its header would be longer than the file)".into());
    }
    let mut rest = &file[..];
    let header = npyz::NpyHeader::from_reader(&mut rest).map_err(|error| format!("not a .npy file ({error})"))?;
    let start = file.len() - rest.len();
    let (dtype, shape) = (header.dtype().descr(), header.shape());
    let size: u64 = match &*dtype {
        "'<f4'" => 4,
        "'<f2'" => 2,
        "'<u2'" if is_bf16 => 2,
        _ => {
            let message = format!(
                "its dtype is {dtype}; read are little-endian float32 and float16 (save array.astype(numpy.float32)), and, \
                 if you say so, the bits of bfloat16 as uint16"
            );
            return Err(message.into());
        }
    };
    let expected = shape
        .iter()
        .try_fold(size, |product, &extent| product.checked_mul(extent));
    let data = &mut file[start..];
    if expected != Some(data.len() as u64) {
        let len = data.len();
        return Err(format!("shape {shape:?} doesn't fit its {len} bytes of data: truncated or damaged").into());
    }
    let result = match &*dtype {
        "'<f4'" => in_place::<f32>(offload, definition, wants_gradient, data).await,
        "'<f2'" => in_place::<f16>(offload, definition, wants_gradient, data).await,
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
