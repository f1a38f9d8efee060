//! Reads FlatBuffers in pages from a file that seeks. The crates for them take a file as one slice, weights included.
//!
//! A table begins with the distance back to its layout: two lengths, and for each field its distance from the table's start, or 0 if it
//! isn't there. A field of a varying size holds the distance to its content. Vectors have their length before them.

use crate::Reader;
use std::{
    collections::{HashMap, hash_map::Entry},
    io::{self, ErrorKind, Read, Seek, SeekFrom},
};

const PAGE: u64 = 4096;

/// How many times a file's length all vectors and texts that are read may take. Parts may be shared, as few are in real files; a hostile
/// one could share so many that they don't fit in memory.
const MOST_SHARED: u64 = 16;

pub struct File {
    pub source: Reader,
    pub length: u64,
    /// How many bytes of vectors and texts may still be read.
    left: u64,
    pages: HashMap<u64, Vec<u8>>,
}

/// A place in the file.
#[derive(Clone, Copy)]
pub struct Table(u64);

#[derive(Clone, Copy)]
pub struct Vector {
    /// Where its elements begin.
    pub at: u64,
    pub length: u64,
}

impl File {
    pub fn new(source: Reader, length: u64) -> Self {
        Self {
            source,
            length,
            left: length.saturating_mul(MOST_SHARED),
            pages: HashMap::new(),
        }
    }

    fn bytes<const N: usize>(&mut self, at: u64) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        for (byte, at) in bytes.iter_mut().zip(at..) {
            let page = match self.pages.entry(at / PAGE) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => {
                    let mut page = vec![];
                    self.source.seek(SeekFrom::Start(at / PAGE * PAGE))?;
                    self.source.by_ref().take(PAGE).read_to_end(&mut page)?;
                    entry.insert(page)
                }
            };
            *byte = *page.get((at % PAGE) as usize).ok_or_else(damaged)?;
        }
        Ok(bytes)
    }

    fn u32(&mut self, at: u64) -> io::Result<u64> {
        Ok(u32::from_le_bytes(self.bytes(at)?).into())
    }

    /// Where the distance at this place leads to.
    fn follow(&mut self, at: u64) -> io::Result<u64> {
        Ok(at + self.u32(at)?)
    }

    /// The table of a buffer that begins here.
    pub fn root(&mut self, start: u64) -> io::Result<Table> {
        self.follow(start).map(Table)
    }

    /// Where a table's field is.
    pub fn field(&mut self, table: Table, number: u64) -> io::Result<Option<u64>> {
        let back = i64::from(i32::from_le_bytes(self.bytes(table.0)?));
        let layout = table.0.checked_add_signed(-back).ok_or_else(damaged)?;
        let fields = u16::from_le_bytes(self.bytes(layout)?);
        let entry = 4 + 2 * number;
        if entry + 2 > fields.into() {
            return Ok(None);
        }
        let distance = u16::from_le_bytes(self.bytes(layout + entry)?);
        Ok((distance > 0).then(|| table.0 + u64::from(distance)))
    }

    /// A number of these bytes, which are 0 if the field isn't there.
    pub fn number<const N: usize>(&mut self, table: Table, number: u64) -> io::Result<[u8; N]> {
        match self.field(table, number)? {
            Some(at) => self.bytes(at),
            None => Ok([0; N]),
        }
    }

    pub fn table(&mut self, table: Table, number: u64) -> io::Result<Option<Table>> {
        let at = self.field(table, number)?;
        at.map(|at| self.follow(at).map(Table)).transpose()
    }

    /// A vector whose elements have this size. It is empty if it isn't there.
    pub fn vector(&mut self, table: Table, number: u64, size: u64) -> io::Result<Vector> {
        let Some(at) = self.field(table, number)? else {
            return Ok(Vector { at: 0, length: 0 });
        };
        let start = self.follow(at)?;
        let (at, length) = (start + 4, self.u32(start)?);
        if at + length * size > self.length {
            return Err(damaged());
        }
        Ok(Vector { at, length })
    }

    /// Takes bytes from those that may still be read.
    fn take(&mut self, bytes: u64) -> io::Result<()> {
        self.left = self.left.checked_sub(bytes).ok_or_else(damaged)?;
        Ok(())
    }

    /// A vector whose elements are all read.
    fn words(&mut self, table: Table, number: u64) -> io::Result<Vector> {
        let vector = self.vector(table, number, 4)?;
        self.take(4 * vector.length)?;
        Ok(vector)
    }

    pub fn tables(&mut self, table: Table, number: u64) -> io::Result<Vec<Table>> {
        let Vector { at, length } = self.words(table, number)?;
        (0..length).map(|i| self.follow(at + 4 * i).map(Table)).collect()
    }

    pub fn integers(&mut self, table: Table, number: u64) -> io::Result<Vec<i32>> {
        let Vector { at, length } = self.words(table, number)?;
        (0..length)
            .map(|i| self.bytes(at + 4 * i).map(i32::from_le_bytes))
            .collect()
    }

    /// The first of some numbers, if it is the only one.
    pub fn only<const N: usize>(&mut self, table: Table, number: u64) -> io::Result<Option<[u8; N]>> {
        let Vector { at, length } = self.vector(table, number, N as u64)?;
        (length == 1).then(|| self.bytes(at)).transpose()
    }

    /// A text; what is beyond a page is left out.
    pub fn text(&mut self, table: Table, number: u64) -> io::Result<String> {
        let Vector { at, length } = self.vector(table, number, 1)?;
        let length = length.min(PAGE);
        self.take(length)?;
        let bytes = (0..length).map(|i| self.bytes::<1>(at + i).map(|[byte]| byte));
        let bytes: Vec<u8> = bytes.collect::<io::Result<_>>()?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

pub fn damaged() -> io::Error {
    ErrorKind::InvalidData.into()
}
