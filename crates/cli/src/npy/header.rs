//! The header of NumPy's `.npy` files, as NumPy writes it for an array of numbers. Needs the standard library alone.
//!
//! A file may hold anything: the header's length is bounded before memory is taken for it, parsing takes a time that
//! grows with the length alone, and messages are one short line of printable characters.

use std::{
    fmt::Display,
    io::{ErrorKind, Read},
};

/// What a file says of its array.
#[derive(Debug, PartialEq, Eq)]
pub struct Header {
    /// NumPy's name of the element type, `<f4` for example.
    pub dtype: String,
    /// Whether the first index changes fastest.
    pub is_fortran: bool,
    /// The extents, the first axis first.
    pub shape: Vec<u64>,
    /// How many bytes the header takes in the file.
    pub bytes: u64,
}

/// The most bytes of a header's text. NumPy reads no longer one either, unless it is told to.
const MAX_LEN: usize = 10_000;

/// The most dimensions of an array, which are NumPy's limit too.
const MAX_DIMENSIONS: usize = 64;

/// The most characters of an element type: `<M8[25us]` is a long one.
const MAX_DTYPE: usize = 32;

/// The most characters of a file that a message shows.
const MAX_SHOWN: usize = 100;

impl Header {
    /// Reads a header, up to the first byte of the data.
    pub fn read(input: &mut impl Read) -> Result<Self, String> {
        let mut start = [0; 8];
        fill(input, &mut start)?;
        let (before, len) = match start {
            [0x93, b'N', b'U', b'M', b'P', b'Y', 1, 0] => {
                let mut len = [0; 2];
                fill(input, &mut len)?;
                (10, u16::from_le_bytes(len).into())
            }
            [0x93, b'N', b'U', b'M', b'P', b'Y', 2 | 3, 0] => {
                let mut len = [0; 4];
                fill(input, &mut len)?;
                (12, u32::from_le_bytes(len))
            }
            [0x93, b'N', b'U', b'M', b'P', b'Y', major, minor] => {
                return Err(refusal(format_args!("format {major}.{minor} is unknown")));
            }
            _ => return Err(refusal("it doesn't begin as one")),
        };
        let checked = usize::try_from(len).ok().filter(|&len| len <= MAX_LEN);
        let Some(checked) = checked else {
            return Err(refusal(format_args!(
                "its header has {len} bytes, but may have {MAX_LEN} at most"
            )));
        };
        let mut text = vec![0; checked];
        fill(input, &mut text)?;
        let text = text.trim_ascii_end();
        if let Some(byte) = text.iter().find(|byte| !matches!(byte, b' '..=b'~')) {
            let byte = byte.escape_ascii();
            return Err(refusal(format_args!("its header has the byte {byte}")));
        }
        let text = str::from_utf8(text).expect("it is ASCII");
        let why = || {
            refusal(format_args!(
                "its header isn't that of an array of numbers: {}",
                cut(text)
            ))
        };
        let mut header = parse(text).ok_or_else(why)?;
        header.bytes = before + u64::from(len);
        Ok(header)
    }

    /// How many elements there are, unless there are more than can be counted.
    pub fn elements(&self) -> Option<u64> {
        if self.shape.contains(&0) {
            return Some(0);
        }
        let mut extents = self.shape.iter();
        extents.try_fold(1_u64, |product, &extent| product.checked_mul(extent))
    }
}

fn fill(input: &mut impl Read, bytes: &mut [u8]) -> Result<(), String> {
    input.read_exact(bytes).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => refusal("it ends within its header"),
        _ => error.to_string(),
    })
}

fn refusal(why: impl Display) -> String {
    format!("not a .npy file ({why})")
}

/// A shape in a message.
pub fn shown(shape: &[u64]) -> String {
    cut(&format!("{shape:?}"))
}

/// The beginning of a text that may be long, in ASCII.
fn cut(text: &str) -> String {
    match text.get(..MAX_SHOWN) {
        Some(beginning) if text.len() > MAX_SHOWN => format!("{beginning}..."),
        _ => text.into(),
    }
}

/// Reads a dictionary of the three keys, in any order.
fn parse(text: &str) -> Option<Header> {
    let mut rest = Rest(text);
    let (mut dtype, mut is_fortran, mut shape) = (None, None, None);
    rest.expect("{")?;
    while !rest.skip("}") {
        let key = rest.string()?;
        rest.expect(":")?;
        match key {
            "descr" => dtype = Some(rest.string().filter(|dtype| dtype.len() <= MAX_DTYPE)?.to_owned()),
            "fortran_order" => is_fortran = Some(rest.skip("True") || rest.expect("False").map(|()| false)?),
            "shape" => shape = Some(rest.shape()?),
            _ => return None,
        }
        if !rest.skip(",") {
            rest.expect("}")?;
            break;
        }
    }
    let header = Header {
        dtype: dtype?,
        is_fortran: is_fortran?,
        shape: shape?,
        bytes: 0,
    };
    rest.0.trim_start().is_empty().then_some(header)
}

/// The text that is not yet parsed.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn skip(&mut self, token: &str) -> bool {
        let rest = self.0.trim_start().strip_prefix(token);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn expect(&mut self, token: &str) -> Option<()> {
        self.skip(token).then_some(())
    }

    /// Reads a string. NumPy writes no escapes, so the next quote ends it.
    fn string(&mut self) -> Option<&'a str> {
        let quote = ["'", "\""].into_iter().find(|quote| self.skip(quote))?;
        let (string, rest) = self.0.split_once(quote)?;
        self.0 = rest;
        Some(string)
    }

    fn shape(&mut self) -> Option<Vec<u64>> {
        let mut shape = Vec::new();
        self.expect("(")?;
        while !self.skip(")") {
            shape.push(self.number()?);
            if shape.len() > MAX_DIMENSIONS {
                return None;
            }
            if !self.skip(",") {
                self.expect(")")?;
                // In Python (3) is a number.
                return (shape.len() > 1).then_some(shape);
            }
        }
        Some(shape)
    }

    fn number(&mut self) -> Option<u64> {
        let text = self.0.trim_start();
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = text.split_at(digits);
        self.0 = rest;
        number.parse().ok()
    }
}
