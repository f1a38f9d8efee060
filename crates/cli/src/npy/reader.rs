//! Reads arrays in pieces.

use super::{
    header::{Header, shown},
    source::{self, BFLOAT16, Source},
};
use crate::progress;
use bytemuck::Pod;
use hard_sigmoid::{Byte, DType, Scalar, bf16, f16};
use std::{
    borrow::Cow,
    io::{ErrorKind, Read},
    path::{Path, PathBuf},
};

/// NumPy's name of an element type, or of the bits of bfloat16.
pub fn dtype(element: DType) -> &'static str {
    match element {
        DType::F32 => "<f4",
        DType::F16 => "<f2",
        DType::Bf16 => "<u2",
        DType::U8 => dtype_of(Byte::U8),
    }
}

/// NumPy's name of a type of bytes.
pub fn dtype_of(byte: Byte) -> &'static str {
    match byte {
        Byte::U8 => "|u1",
        Byte::I8 => "|i1",
    }
}

/// NumPy's name of words of bits.
pub const WORDS: &str = "<u4";

/// The first bytes of a `.npy` file of elements with this name, up to the data.
pub fn head(dtype: &str, shape: &[u64], is_fortran: bool) -> Vec<u8> {
    let extents: Vec<_> = shape.iter().map(u64::to_string).collect();
    let extents = match &extents[..] {
        // A comma makes it a tuple in Python.
        [one] => format!("{one},"),
        extents => extents.join(", "),
    };
    let order = if is_fortran { "True" } else { "False" };
    let text = format!("{{'descr': '{dtype}', 'fortran_order': {order}, 'shape': ({extents}), }}");
    // Magic, version, length and the final newline are 11 bytes. Data start at a multiple of 64.
    let padded = (text.len() + 11).next_multiple_of(64) - 11;
    let len = u16::try_from(padded + 1).expect("64 dimensions take less");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(len.to_le_bytes());
    bytes.extend(format!("{text:padded$}\n").bytes());
    bytes
}

/// Checks that two tensors of these names have the same shape and order, since their elements are paired one by one.
pub fn check_alike([x_name, other_name]: [&str; 2], x: &Reader, other: &Reader) -> Result<(), String> {
    if x.shape() != other.shape() {
        let [x, other] = [x, other].map(|reader| shown(reader.shape()));
        return Err(format!("{x_name} has shape {x}, but {other_name} has {other}"));
    }
    if x.is_fortran() != other.is_fortran() {
        let [x, other] = [x, other].map(|reader| if reader.is_fortran() { "Fortran" } else { "C" });
        return Err(format!(
            "{x_name} is in {x} order, but {other_name} is in {other} order: save both in the same order"
        ));
    }
    Ok(())
}

/// Checks that at most one input comes from standard input, which can be read only once.
pub fn check_one_stdin<'a>(paths: impl Iterator<Item = &'a PathBuf>) -> Result<(), String> {
    match paths.filter(|path| path.as_path() == Path::new("-")).count() {
        0 | 1 => Ok(()),
        _ => Err("only one of the inputs can come from standard input".into()),
    }
}

/// A file of the data that come with the project.
pub fn shipped(name: &str) -> Result<PathBuf, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples/data")
        .join(name);
    if path.exists() {
        return Ok(path);
    }
    Err(format!(
        "{}: the project's data are no longer there; name a file",
        path.display()
    ))
}

/// The number of elements that are read at a time.
const PIECE: usize = 1 << 18;

/// An array whose header was read.
pub struct Reader {
    path: PathBuf,
    header: Header,
    data: Box<dyn Read + Send>,
    /// The number of bytes of the data, if it is known.
    len: Option<u64>,
    /// Whether the bytes of an element come in the other order.
    is_big_endian: bool,
}

impl Reader {
    pub fn open(path: &Path) -> Result<Self, String> {
        let source = source::open(path).map_err(|message| format!("{}: {message}", path.display()))?;
        let Source { mut header, data, len } = source;
        let is_big_endian = header.dtype.starts_with('>');
        if is_big_endian {
            header.dtype.replace_range(..1, "<");
        }
        Ok(Self {
            path: path.into(),
            header,
            data,
            len,
            is_big_endian,
        })
    }

    /// NumPy's name, as of little-endian numbers.
    pub fn dtype(&self) -> &str {
        &self.header.dtype
    }

    /// What the elements are, if the file tells: uint16 may be anything.
    pub fn element(&self) -> Option<DType> {
        let all = [("<f4", DType::F32), ("<f2", DType::F16), (BFLOAT16, DType::Bf16)];
        let found = all.into_iter().find(|(name, _)| *name == self.dtype());
        found.map(|(_, element)| element).or(self.byte().map(|_| DType::U8))
    }

    /// The type of its elements, if they are bytes.
    pub fn byte(&self) -> Option<Byte> {
        Byte::ALL.iter().copied().find(|&byte| dtype_of(byte) == self.dtype())
    }

    pub fn shape(&self) -> &[u64] {
        &self.header.shape
    }

    /// Whether the elements come in Fortran order. With one extent above 1 there is one order.
    pub fn is_fortran(&self) -> bool {
        self.header.is_fortran && self.has_orders()
    }

    /// Whether Fortran order isn't C order.
    pub fn has_orders(&self) -> bool {
        self.shape().iter().filter(|&&extent| extent != 1).count() > 1
    }

    /// How many words of bits there are.
    pub fn check_words(&self) -> Result<u64, String> {
        match self.dtype() {
            WORDS => self.checked(4).map_err(|message| self.at_path(message)),
            other => Err(self.at_path(format!(
                "its dtype is '{other}', but bits are in uint32, as --op pack writes them"
            ))),
        }
    }

    /// How many elements there are, if they are of this type, and as many as the file is long.
    pub fn check(&self, element: DType) -> Result<u64, String> {
        let (found, wanted) = (self.dtype(), dtype(element));
        if found != wanted && self.element() != Some(element) {
            return Err(self.at_path(match (self.element(), found) {
                (Some(_), _) => format!(
                    "its dtype is '{found}', not '{wanted}' as x or --dtype says; convert the file, or change --dtype"
                ),
                (None, "<f8") => "its dtype is '<f8', float64, which no operation computes: convert it to float32 first, in \
                                  NumPy with .astype('float32')"
                    .into(),
                (None, "<u2") => "its dtype is '<u2'; if these are the bits of bfloat16, give --dtype bf16".into(),
                (None, _) => format!(
                    "its dtype is '{found}'; supported are float32, float16, uint8, int8 and, with --dtype bf16, the bits of \
                     bfloat16 as uint16"
                ),
            }));
        }
        self.checked(element.size()).map_err(|message| self.at_path(message))
    }

    fn checked(&self, size: u64) -> Result<u64, String> {
        let shape = shown(self.shape());
        let counted = self
            .header
            .elements()
            .and_then(|len| Some((len, len.checked_mul(size)?)));
        let Some((len, bytes)) = counted else {
            return Err(format!("shape {shape} has more bytes than can be counted"));
        };
        // What a pipe lacks is seen when it ends.
        match self.len.filter(|&found| found != bytes) {
            Some(found) => Err(format!(
                "shape {shape} takes {bytes} bytes of data, but there are {found}: truncated or damaged"
            )),
            None => Ok(len),
        }
    }

    /// The next elements.
    pub fn fill<T: Pod>(&mut self, values: &mut [T]) -> Result<(), String> {
        // wgpu runs on little-endian machines alone.
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(values);
        let read = self.data.read_exact(bytes);
        if self.is_big_endian {
            bytes.chunks_exact_mut(size_of::<T>()).for_each(<[u8]>::reverse);
        }
        read.map_err(|error| {
            self.at_path(match error.kind() {
                ErrorKind::UnexpectedEof => format!("the data end before shape {} is complete", shown(self.shape())),
                _ => error.to_string(),
            })
        })
    }

    /// Checks that nothing follows the last element.
    pub fn end(&mut self) -> Result<(), String> {
        match self.data.read_exact(&mut [0]) {
            Ok(()) => Err(self.at_path(format!(
                "there are data after the last element of shape {}",
                shown(self.shape())
            ))),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(()),
            Err(error) => Err(self.at_path(error.to_string())),
        }
    }

    /// Reads all elements. A pipe may promise more than it has, so memory is taken as they come.
    pub fn all<T: Scalar, V>(self, convert: impl Fn(T) -> V) -> Result<Vec<V>, String> {
        let len = self.check(T::DTYPE)?;
        self.read_all(len, convert)
    }

    fn read_all<T: Pod, V>(mut self, len: u64, convert: impl Fn(T) -> V) -> Result<Vec<V>, String> {
        let mut left = len;
        let mut all = Vec::new();
        if self.len.is_some() {
            let len = usize::try_from(len).map_err(|error| self.at_path(error.to_string()))?;
            all.try_reserve_exact(len)
                .map_err(|error| self.at_path(error.to_string()))?;
        }
        let progress = progress::of_bytes(len * size_of::<T>() as u64);
        let mut piece = vec![T::zeroed(); left.min(PIECE as u64) as usize];
        while left > 0 {
            let len = left.min(PIECE as u64) as usize;
            self.fill(&mut piece[..len])?;
            all.try_reserve(len).map_err(|error| self.at_path(error.to_string()))?;
            all.extend(piece[..len].iter().map(|&value| convert(value)));
            left -= len as u64;
            progress.inc((len * size_of::<T>()) as u64);
        }
        progress.finish_and_clear();
        self.end()?;
        Ok(all)
    }

    fn at_path(&self, message: String) -> String {
        format!("{}: {message}", self.path.display())
    }
}

/// Numbers of any type that tensors here have, in C order.
pub struct Numbers {
    pub values: Values,
    pub shape: Vec<u64>,
    /// What they are in the file; f32 for float64 too.
    pub element: DType,
}

pub enum Values {
    Single(Vec<f32>),
    Double(Vec<f64>),
}

impl Values {
    pub fn len(&self) -> usize {
        match self {
            Self::Single(values) => values.len(),
            Self::Double(values) => values.len(),
        }
    }

    /// The values, rounded to float32 if they are float64.
    pub fn singles(&self) -> Cow<'_, [f32]> {
        match self {
            Self::Single(values) => values.into(),
            Self::Double(values) => values.iter().map(|&value| value as f32).collect(),
        }
    }

    pub fn doubles(&self) -> Cow<'_, [f64]> {
        match self {
            Self::Single(values) => values.iter().map(|&value| value.into()).collect(),
            Self::Double(values) => values.into(),
        }
    }
}

pub fn numbers(path: &Path) -> Result<Numbers, String> {
    let reader = Reader::open(path)?;
    let shape = reader.shape().to_vec();
    let is_fortran = reader.is_fortran();
    let (element, values) = match reader.dtype() {
        "<f4" => (DType::F32, Values::Single(reader.all(|value: f32| value)?)),
        "<f2" => (DType::F16, Values::Single(reader.all(f16::to_f32)?)),
        "<u2" | BFLOAT16 => (DType::Bf16, Values::Single(reader.all(bf16::to_f32)?)),
        "<f8" => {
            let len = reader.checked(8).map_err(|message| reader.at_path(message))?;
            (DType::F32, Values::Double(reader.read_all(len, |value: f64| value)?))
        }
        other => {
            return Err(reader.at_path(format!(
                "its dtype is '{other}'; supported are float64, float32, float16, and uint16 as the bits of bfloat16, and for \
                 identify with scales uint8 and int8"
            )));
        }
    };
    let values = match values {
        values if !is_fortran => values,
        Values::Single(values) => Values::Single(in_c_order(&values, &shape)),
        Values::Double(values) => Values::Double(in_c_order(&values, &shape)),
    };
    Ok(Numbers { values, shape, element })
}

/// The bits of 8-bit numbers, in C order.
pub struct Bytes {
    pub bits: Vec<u8>,
    pub shape: Vec<u64>,
    pub byte: Byte,
}

pub fn bytes(path: &Path) -> Result<Bytes, String> {
    let reader = Reader::open(path)?;
    let (shape, is_fortran) = (reader.shape().to_vec(), reader.is_fortran());
    let byte = match reader.dtype() {
        "|u1" => Byte::U8,
        "|i1" => Byte::I8,
        other => return Err(reader.at_path(format!("its dtype is '{other}'; with scales it must be uint8 or int8"))),
    };
    let len = reader.checked(1).map_err(|message| reader.at_path(message))?;
    let bits = reader.read_all(len, |bits: u8| bits)?;
    let bits = if is_fortran { in_c_order(&bits, &shape) } else { bits };
    Ok(Bytes { bits, shape, byte })
}

/// Reorders values from Fortran order, in which the first index changes fastest.
fn in_c_order<T: Copy>(values: &[T], shape: &[u64]) -> Vec<T> {
    let mut strides = vec![1; shape.len()];
    for axis in 1..shape.len() {
        strides[axis] = strides[axis - 1] * shape[axis - 1] as usize;
    }
    let mut index = vec![0; shape.len()];
    let mut at = 0;
    let next = |_| {
        let value = values[at];
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            at += strides[axis];
            if index[axis] < shape[axis] {
                break;
            }
            at -= strides[axis] * shape[axis] as usize;
            index[axis] = 0;
        }
        value
    };
    (0..values.len()).map(next).collect()
}
