//! NumPy's `.npy` files, read in pieces.

mod header;
#[cfg(test)]
mod tests;

use hard_sigmoid::{DType, Scalar, bf16, f16};
use header::Header;
pub use header::shown;
use std::{
    fs::File,
    io::{BufReader, ErrorKind, Read, Seek},
    path::{Path, PathBuf},
};

/// NumPy's name of an element type. It has none for bfloat16.
pub fn dtype(element: DType) -> &'static str {
    match element {
        DType::F32 => "<f4",
        DType::F16 => "<f2",
        DType::Bf16 => "<u2",
    }
}

/// The first bytes of a file of these elements, up to the data.
pub fn head(element: DType, shape: &[u64]) -> Vec<u8> {
    let extents: Vec<_> = shape.iter().map(u64::to_string).collect();
    let extents = match &extents[..] {
        // A comma makes it a tuple in Python.
        [one] => format!("{one},"),
        extents => extents.join(", "),
    };
    let dtype = dtype(element);
    let text = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({extents}), }}");
    // Magic, version, length and the final newline are 11 bytes. Data start at a multiple of 64.
    let padded = (text.len() + 11).next_multiple_of(64) - 11;
    let len = u16::try_from(padded + 1).expect("64 dimensions take less");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(len.to_le_bytes());
    bytes.extend(format!("{text:padded$}\n").bytes());
    bytes
}

pub fn same_shape(of_x: &[u64], of_g: &[u64]) -> Result<(), String> {
    if of_x == of_g {
        return Ok(());
    }
    Err(format!(
        "the input has shape {} but the gradient {}",
        shown(of_x),
        shown(of_g)
    ))
}

/// A file of the data that come with the project.
pub fn shipped(name: &str) -> Result<PathBuf, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../examples/data")
        .join(name);
    if path.exists() {
        return Ok(path);
    }
    Err(format!(
        "{}: the project's data are no longer there; name a file",
        path.display()
    ))
}

/// Elements that are read at a time.
const PIECE: usize = 1 << 18;

/// A file whose header was read.
pub struct Reader {
    path: PathBuf,
    header: Header,
    file: BufReader<File>,
}

impl Reader {
    pub fn open(path: &Path) -> Result<Self, String> {
        let at_path = |message: String| format!("{}: {message}", path.display());
        let file = File::open(path).map_err(|error| at_path(error.to_string()))?;
        let mut file = BufReader::new(file);
        let header = Header::read(&mut file).map_err(at_path)?;
        Ok(Self {
            path: path.into(),
            header,
            file,
        })
    }

    pub fn dtype(&self) -> &str {
        &self.header.dtype
    }

    pub fn shape(&self) -> &[u64] {
        &self.header.shape
    }

    /// How many elements there are, if they are of type `T`, in C order, and as many as the file is long.
    pub fn check<T: Scalar>(&mut self) -> Result<u64, String> {
        self.checked::<T>().map_err(|message| self.at_path(message))
    }

    fn checked<T: Scalar>(&mut self) -> Result<u64, String> {
        let (found, wanted) = (self.dtype(), dtype(T::DTYPE));
        if found != wanted {
            return Err(format!(
                "its dtype is '{found}', not '{wanted}'; read are little-endian float32 ('<f4'), float16 ('<f2') and, with \
                 --dtype bf16, the bits of bfloat16 as uint16 ('<u2')"
            ));
        }
        // With one dimension there is one order.
        if self.header.is_fortran && self.shape().len() > 1 {
            return Err("it is in Fortran order; save numpy.ascontiguousarray(array) instead".into());
        }
        let len = self.header.len();
        let bytes = len.and_then(|len| len.checked_mul(T::DTYPE.size()));
        let metadata = self.file.get_ref().metadata().map_err(|error| error.to_string())?;
        // A pipe has no length: what it lacks is seen when it ends.
        if metadata.is_file() {
            let start = self.file.stream_position().map_err(|error| error.to_string())?;
            let found = metadata.len().saturating_sub(start);
            if bytes != Some(found) {
                return Err(format!(
                    "shape {} doesn't fit its {found} bytes of data: truncated or damaged",
                    shown(self.shape())
                ));
            }
        }
        len.filter(|_| bytes.is_some())
            .ok_or_else(|| format!("shape {} has more bytes than can be counted", shown(self.shape())))
    }

    /// The next elements.
    pub fn fill<T: Scalar>(&mut self, values: &mut [T]) -> Result<(), String> {
        // wgpu runs on little-endian machines alone, so the bytes are as in the file.
        let read = self.file.read_exact(bytemuck::cast_slice_mut(values));
        read.map_err(|error| {
            self.at_path(match error.kind() {
                ErrorKind::UnexpectedEof => format!("shape {} has more elements than came", shown(self.shape())),
                _ => error.to_string(),
            })
        })
    }

    /// That nothing follows the last element.
    pub fn end(&mut self) -> Result<(), String> {
        match self.file.read_exact(&mut [0]) {
            Ok(()) => Err(self.at_path(format!("shape {} has fewer elements than came", shown(self.shape())))),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(()),
            Err(error) => Err(self.at_path(error.to_string())),
        }
    }

    /// All elements. Memory is taken as they come, since a pipe may promise more than it has.
    pub fn all<T: Scalar, V>(mut self, convert: impl Fn(T) -> V) -> Result<Vec<V>, String> {
        let mut left = self.check::<T>()?;
        let mut all = Vec::new();
        let mut piece = vec![T::from_f32(0.0); left.min(PIECE as u64) as usize];
        while left > 0 {
            let len = left.min(PIECE as u64) as usize;
            self.fill(&mut piece[..len])?;
            all.try_reserve(len).map_err(|error| self.at_path(error.to_string()))?;
            all.extend(piece[..len].iter().map(|&value| convert(value)));
            left -= len as u64;
        }
        self.end()?;
        Ok(all)
    }

    fn at_path(&self, message: String) -> String {
        format!("{}: {message}", self.path.display())
    }
}

/// Numbers of any type that tensors here have.
pub struct Numbers {
    pub values: Vec<f32>,
    pub shape: Vec<u64>,
    /// What they are in the file.
    pub element: DType,
}

pub fn numbers(path: &Path) -> Result<Numbers, String> {
    let reader = Reader::open(path)?;
    let shape = reader.shape().to_vec();
    let all = [DType::F32, DType::F16, DType::Bf16];
    let Some(element) = all.into_iter().find(|&element| dtype(element) == reader.dtype()) else {
        return Err(reader.at_path(format!(
            "its dtype is '{}'; read are little-endian float32, float16, and uint16 as the bits of bfloat16",
            reader.dtype()
        )));
    };
    let values = match element {
        DType::F32 => reader.all(|value: f32| value)?,
        DType::F16 => reader.all(f16::to_f32)?,
        DType::Bf16 => reader.all(bf16::to_f32)?,
    };
    Ok(Numbers { values, shape, element })
}
