//! Where an array is: a `.npy` file, a tensor of a `.npz` or `.safetensors` file, or standard input.

use super::{header::Header, reader::dtype_of};
use crate::paths::{extension, split};
use hard_sigmoid::Byte;
use safetensors::{Dtype, tensor::Metadata};
use std::{
    fs::File,
    io::{self, BufReader, Cursor, Read, Seek, SeekFrom},
    path::Path,
};
use zip::{CompressionMethod, ZipArchive};

/// The dtype of bfloat16 tensors in `.safetensors` files. NumPy has no name for it.
pub const BFLOAT16: &str = "bfloat16";

pub struct Source {
    pub header: Header,
    /// The elements.
    pub data: Box<dyn Read + Send>,
    /// How many bytes they are; a pipe has no length.
    pub len: Option<u64>,
}

/// Opens an array. `-` is standard input. FILE:TENSOR is a tensor of a file; without a name it is the only one.
pub fn open(path: &Path) -> Result<Source, String> {
    if path == Path::new("-") {
        let mut data = BufReader::new(io::stdin());
        let header = Header::read(&mut data)?;
        return Ok(Source {
            header,
            data: Box::new(data),
            len: None,
        });
    }
    let (path, tensor) = split(path);
    let file = File::open(&path).map_err(|error| error.to_string())?;
    match extension(&path).as_deref() {
        Some("npz") => of_npz(file, tensor),
        Some("safetensors") => of_safetensors(file, tensor),
        _ if tensor.is_some() => Err("tensors have names in .npz and .safetensors files alone".into()),
        _ => of_npy(file),
    }
}

fn of_npy(file: File) -> Result<Source, String> {
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    let mut data = BufReader::new(file);
    let header = Header::read(&mut data)?;
    let len = match metadata.is_file() {
        true => Some(metadata.len() - data.stream_position().map_err(|error| error.to_string())?),
        false => None,
    };
    Ok(Source {
        header,
        data: Box::new(data),
        len,
    })
}

fn of_npz(mut file: File, tensor: Option<String>) -> Result<Source, String> {
    let damaged = |error| format!("a damaged .npz archive: {error}");
    let mut archive = ZipArchive::new(&mut file).map_err(damaged)?;
    let names = archive
        .file_names()
        .filter_map(|name| Some(name.ok()?.strip_suffix(".npy")?.to_owned()));
    let name = chosen(names.collect(), tensor)?;
    let mut entry = archive.by_name(&format!("{name}.npy")).map_err(damaged)?;
    let size = entry.size();
    let header = Header::read(&mut entry)?;
    let len = size.checked_sub(header.bytes).ok_or("a damaged .npz archive")?;
    if entry.compression() == CompressionMethod::Stored {
        let start = entry.data_start().ok_or("a damaged .npz archive")? + header.bytes;
        drop(entry);
        return part(file, header, start, len);
    }
    // What is compressed is held in memory. A few bytes may claim to be many: memory that can't be had is an error.
    let mut data = vec![];
    entry.read_to_end(&mut data).map_err(|error| error.to_string())?;
    Ok(Source {
        header,
        data: Box::new(Cursor::new(data)),
        len: Some(len),
    })
}

/// The most bytes of a header of `.safetensors`, which is the limit of the format's own library.
const MOST_METADATA: u64 = 100_000_000;

fn of_safetensors(mut file: File, tensor: Option<String>) -> Result<Source, String> {
    let damaged = |what: &str| format!("not a .safetensors file ({what})");
    let mut len = [0; 8];
    file.read_exact(&mut len)
        .map_err(|_| damaged("it ends within its header"))?;
    let len = u64::from_le_bytes(len);
    if len > MOST_METADATA {
        let why = format!("its header has {len} bytes, but may have {MOST_METADATA} at most");
        return Err(damaged(&why));
    }
    let mut text = vec![];
    let read = (&file)
        .take(len)
        .read_to_end(&mut text)
        .map_err(|error| error.to_string())?;
    if (read as u64) < len {
        return Err(damaged("it ends within its header"));
    }
    let metadata: Metadata = serde_json::from_slice(&text).map_err(|error| damaged(&error.to_string()))?;
    let whole = (8 + len).saturating_add(metadata.data_len() as u64);
    let found = file.metadata().map_err(|error| error.to_string())?.len();
    if found != whole {
        return Err(format!(
            "its header describes a file of {whole} bytes, but it has {found}: truncated or damaged"
        ));
    }
    let name = chosen(metadata.tensors().into_keys().collect(), tensor)?;
    let info = metadata.info(&name).expect("it is one of them");
    let dtype = match info.dtype {
        Dtype::F64 => "<f8",
        Dtype::F32 => "<f4",
        Dtype::F16 => "<f2",
        Dtype::BF16 => BFLOAT16,
        Dtype::U8 => dtype_of(Byte::U8),
        Dtype::I8 => dtype_of(Byte::I8),
        other => {
            return Err(format!(
                "{name} has dtype {other:?}; supported are F64, F32, F16, BF16, U8 and I8"
            ));
        }
    };
    let header = Header {
        dtype: dtype.into(),
        is_fortran: false,
        shape: info.shape.iter().map(|&extent| extent as u64).collect(),
        bytes: 0,
    };
    let (start, end) = info.data_offsets;
    part(file, header, 8 + len + start as u64, (end - start) as u64)
}

/// A range of a file; one that goes beyond its end is as long as the file is.
fn part(mut file: File, header: Header, start: u64, len: u64) -> Result<Source, String> {
    let whole = file.metadata().map_err(|error| error.to_string())?.len();
    file.seek(SeekFrom::Start(start)).map_err(|error| error.to_string())?;
    Ok(Source {
        header,
        data: Box::new(BufReader::new(file).take(len)),
        len: Some(len.min(whole.saturating_sub(start))),
    })
}

fn chosen(mut names: Vec<String>, tensor: Option<String>) -> Result<String, String> {
    names.sort();
    let listed = || {
        let shown: Vec<_> = names.iter().take(10).map(String::as_str).collect();
        let more = if names.len() > shown.len() { ", ..." } else { "" };
        format!("{}{more}", shown.join(", "))
    };
    match tensor {
        Some(tensor) if names.contains(&tensor) => Ok(tensor),
        Some(tensor) => Err(format!("there is no tensor {tensor}; there are {}", listed())),
        None if names.len() == 1 => Ok(names.remove(0)),
        None if names.is_empty() => Err("there are no tensors in it".into()),
        None => Err(format!("name one of its tensors, as FILE:TENSOR: {}", listed())),
    }
}
