#![doc = include_str!("../README.md")]

mod activation;
mod bits;
mod chain;
mod compilers;
mod computed;
#[cfg(test)]
#[path = "../../../tests/common/damage.rs"]
mod damage;
mod eight_bits;
mod flow;
mod function;
mod functional;
mod keras;
mod kinds;
mod onnx;
#[cfg(test)]
mod tests;
mod text;
mod tflite;

pub use activation::{Activation, Model, Total};
pub use computed::{Computed, Difference};
pub use eight_bits::{Bytes, EightBits, Elsewhere};
pub use function::Function;

use bits::Sample;
use std::{
    collections::HashMap,
    error, fmt,
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::Path,
    sync::LazyLock,
};

/// What a model is read from, such as a file, or bytes in a [`Cursor`](io::Cursor). (The reader of HDF5 files asks for `Send` and
/// `'static`.)
pub trait Source: Read + Seek + Send + 'static {}

impl<T: Read + Seek + Send + 'static> Source for T {}

/// Opens a file beside the model, by the name that the model has for it.
pub type Beside<'a> = dyn FnMut(&str) -> io::Result<Box<dyn Source>> + 'a;

type Reader = BufReader<Box<dyn Source>>;

/// Why there is no answer, in one line.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The file can't be opened.
    Io(io::Error),
    /// The file can't be read on, or is no model.
    File(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::File(why) => why.fmt(f),
        }
    }
}

impl error::Error for Error {}

/// Inspects a model file. Its constants may lie in files beside it.
///
/// # Errors
///
/// If the file can't be read, or is no model of a known kind.
pub fn read(path: &Path) -> Result<Model, Error> {
    if let Some(kind) = kinds::by_path(path) {
        return Err(Error::File(kind.into()));
    }
    let file = File::open(path).map_err(Error::Io)?;
    read_from(file, &mut |name| {
        let path = path.with_file_name(name);
        if !path.is_file() {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(Box::new(File::open(path)?))
    })
}

/// Inspects a model. `beside` opens the files that have its constants; where there is no such file, it gives
/// [`NotFound`](io::ErrorKind::NotFound).
///
/// # Errors
///
/// If the model can't be read, or is none of a known kind.
pub fn read_from(source: impl Source, beside: &mut Beside) -> Result<Model, Error> {
    let mut model = recognized(BufReader::new(Box::new(source)), beside).map_err(Error::File)?;
    static SAMPLE: LazyLock<Sample> = LazyLock::new(Sample::new);
    // A model has the same activation many times, and comparing is slow.
    let mut known: HashMap<String, Vec<Computed>> = HashMap::new();
    for activation in &mut model.activations {
        let key = format!("{:?} {:?}", activation.function, activation.ways);
        let computed = known.entry(key).or_insert_with(|| SAMPLE.computed(activation));
        activation.computed.clone_from(computed);
        activation.definitions = activation.definitions_of();
    }
    model.totals = Total::of(&model.activations);
    Ok(model)
}

/// A byte order mark, which Windows puts before JSON.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// How many bytes tell what a file is.
const HEAD: u64 = 1024;

fn recognized(mut source: Reader, beside: &mut Beside) -> Result<Model, String> {
    let mut head = vec![];
    let mut look = || {
        let length = source.seek(SeekFrom::End(0))?;
        source.rewind()?;
        source.by_ref().take(HEAD).read_to_end(&mut head)?;
        source.rewind()?;
        Ok::<_, io::Error>(length)
    };
    let length = look().map_err(|error| error.to_string())?;
    match &head[..] {
        [] => Err("it is empty".into()),
        [b'P', b'K', 3, 4, ..] => keras::read_archive(source),
        [0x89, b'H', b'D', b'F', ..] => keras::read_hdf5(source),
        head if json(head).starts_with(b"{") || json(head).starts_with(b"[") => {
            keras::read_json(json(&whole(source, "the file")?))
        }
        [_, _, _, _, b'T', b'F', b'L', b'3', ..] => tflite::read(source, length),
        head => match kinds::other(head, length) {
            Some(kind) => Err(kind.into()),
            None => onnx::read(source, beside),
        },
    }
}

fn json(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(MARK).unwrap_or(bytes).trim_ascii_start()
}

/// The most bytes of a configuration. No real one is longer, but a hostile archive could unpack to more than fits in
/// memory.
const MOST_JSON: u64 = 256 << 20;

/// All bytes of a configuration.
fn whole(file: impl Read, name: &str) -> Result<Vec<u8>, String> {
    let mut text = vec![];
    let read = file.take(MOST_JSON + 1).read_to_end(&mut text);
    read.map_err(|error| format!("{name}: {error}"))?;
    if text.len() as u64 > MOST_JSON {
        return Err(format!(
            "{name} has more than {MOST_JSON} bytes, which no model's configuration has"
        ));
    }
    Ok(text)
}
