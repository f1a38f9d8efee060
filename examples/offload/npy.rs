//! NumPy's `.npy` files, read in pieces and written beside their place.

use hard_sigmoid::{Element, Scalar, half::f16};
use npyz::WriterBuilder;
use std::{
    fs::File,
    io::{BufReader, Read, Seek, Write},
    path::{Path, PathBuf},
};
use tempfile::NamedTempFile;

/// NumPy's name of an element type. It has none for bfloat16.
pub fn descr(element: Element) -> &'static str {
    match element {
        Element::F32 => "'<f4'",
        Element::F16 => "'<f2'",
        Element::Bf16 => "'<u2'",
    }
}

pub fn same_shape(of_x: &[u64], of_g: &[u64]) -> Result<(), String> {
    if of_x == of_g {
        return Ok(());
    }
    Err(format!("the input has shape {of_x:?} but the gradient {of_g:?}"))
}

/// A file whose header was read.
pub struct Reader {
    path: PathBuf,
    header: npyz::NpyHeader,
    file: BufReader<File>,
}

impl Reader {
    pub fn open(path: &Path) -> Result<Self, String> {
        let at_path = |message: String| format!("{}: {message}", path.display());
        let file = File::open(path).map_err(|error| at_path(error.to_string()))?;
        let mut file = BufReader::new(file);
        let header =
            npyz::NpyHeader::from_reader(&mut file).map_err(|error| at_path(format!("not a .npy file ({error})")))?;
        Ok(Self {
            path: path.into(),
            header,
            file,
        })
    }

    pub fn dtype(&self) -> String {
        self.header.dtype().descr()
    }

    pub fn shape(&self) -> &[u64] {
        self.header.shape()
    }

    /// How many elements there are, if they are of type `T`, in C order, and as many as the file is long.
    pub fn check<T: Scalar>(&mut self) -> Result<u64, String> {
        self.checked::<T>().map_err(|message| self.at_path(message))
    }

    fn checked<T: Scalar>(&mut self) -> Result<u64, String> {
        let (dtype, wanted) = (self.dtype(), descr(T::ELEMENT));
        if dtype != wanted {
            return Err(format!(
                "its dtype is {dtype}, not {wanted}; read are little-endian float32 ('<f4'), float16 ('<f2') and, with \
                 --dtype bf16, the bits of bfloat16 as uint16 ('<u2')"
            ));
        }
        if self.header.order() == npyz::Order::Fortran {
            return Err("it is in Fortran order; save numpy.ascontiguousarray(array) instead".into());
        }
        let size = T::ELEMENT.size();
        let mut extents = self.shape().iter();
        let expected = extents.try_fold(size, |product, &extent| product.checked_mul(extent));
        let metadata = self.file.get_ref().metadata().map_err(|error| error.to_string())?;
        // A pipe has no length; what it lacks is seen when it ends.
        if metadata.is_file() {
            let start = self.file.stream_position().map_err(|error| error.to_string())?;
            let found = metadata.len() - start;
            if expected != Some(found) {
                return Err(format!(
                    "shape {:?} doesn't fit its {found} bytes of data: truncated or damaged",
                    self.shape()
                ));
            }
        }
        expected
            .map(|bytes| bytes / size)
            .ok_or_else(|| format!("shape {:?} has more bytes than can be counted", self.shape()))
    }

    /// The next elements.
    pub fn fill<T: Scalar>(&mut self, values: &mut [T]) -> Result<(), String> {
        // wgpu runs on little-endian machines alone, so the bytes are as in the file.
        let read = self.file.read_exact(bytemuck::cast_slice_mut(values));
        read.map_err(|error| self.at_path(error.to_string()))
    }

    pub fn all<T: Scalar>(mut self) -> Result<Vec<T>, String> {
        let len = self.check::<T>()?;
        let mut values = vec![T::from_f32(0.0); len as usize];
        self.fill(&mut values)?;
        Ok(values)
    }

    fn at_path(&self, message: String) -> String {
        format!("{}: {message}", self.path.display())
    }
}

/// A file that takes its place only when it is complete; else nothing is left of it.
pub struct Writer {
    path: PathBuf,
    file: NamedTempFile,
}

impl Writer {
    pub fn create<T: Scalar>(path: &Path, shape: &[u64]) -> Result<Self, String> {
        let folder = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let mut builder = tempfile::Builder::new();
        // As any newly created file, rather than for the owner alone.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let header = match T::ELEMENT {
            Element::F32 => header::<f32>(shape),
            Element::F16 => header::<f16>(shape),
            Element::Bf16 => header::<u16>(shape),
        };
        let attempt = || {
            let mut file = builder.prefix(".offload-").tempfile_in(folder)?;
            file.write_all(&header?)?;
            Ok(file)
        };
        let file = attempt().map_err(|error: std::io::Error| format!("{}: {error}", path.display()))?;
        Ok(Self {
            path: path.into(),
            file,
        })
    }

    pub fn temporary(&self) -> &Path {
        self.file.path()
    }

    pub fn write<T: Scalar>(&mut self, values: &[T]) -> Result<(), String> {
        let written = self.file.write_all(bytemuck::cast_slice(values));
        written.map_err(|error| format!("{}: {error}", self.path.display()))
    }

    pub fn finish(self) -> Result<(), String> {
        let Self { path, file } = self;
        file.persist(&path)
            .map(drop)
            .map_err(|error| format!("{}: {}", path.display(), error.error))
    }
}

fn header<V: npyz::AutoSerialize>(shape: &[u64]) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let options = npyz::WriteOptions::<V>::new().default_dtype().shape(shape);
    // The header is all that is written here; the elements follow by themselves.
    drop(options.writer(&mut bytes).begin_nd()?);
    Ok(bytes)
}
