//! The WebAssembly of `inspect` in the npm package. It is a module of its own, since its readers of files take more space than all else.
#![cfg(target_family = "wasm")]

use hard_sigmoid_inspect::{Source, read_from};
use js_sys::{Array, Function, Uint8Array};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use wasm_bindgen::prelude::*;

/// A file that JavaScript has.
struct File {
    length: u64,
    /// Takes an offset and a length; returns the bytes, or undefined.
    read: Function,
    at: u64,
}

impl Read for File {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.length.saturating_sub(self.at);
        let length = left.min(buffer.len() as u64) as usize;
        let bytes = self
            .read
            .call2(&JsValue::NULL, &(self.at as f64).into(), &length.into())
            .ok()
            .and_then(|bytes| bytes.dyn_into::<Uint8Array>().ok())
            .filter(|bytes| bytes.length() as usize == length)
            .ok_or_else(|| io::Error::other("its bytes aren't there"))?;
        bytes.copy_to(&mut buffer[..length]);
        self.at += length as u64;
        Ok(length)
    }
}

impl Seek for File {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(offset) => self.length.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.at.checked_add_signed(offset),
        };
        self.at = at.ok_or(ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

/// Inspects the file of this length, which `read` reads. `beside` takes the name of another file; it returns an array of its length and
/// a function that reads it, or undefined. The result is the model as JSON, and as text for people.
#[wasm_bindgen]
pub fn inspect(length: f64, read: Function, beside: &Function) -> Result<Vec<String>, JsError> {
    let file = |length: f64, read| File {
        length: length as u64,
        read,
        at: 0,
    };
    let mut beside = |name: &str| {
        let found = beside.call1(&JsValue::NULL, &name.into()).ok();
        let found = found
            .and_then(|found| found.dyn_into::<Array>().ok())
            .ok_or(ErrorKind::NotFound)?;
        let read = found.get(1).dyn_into().map_err(|_| ErrorKind::NotFound)?;
        let opened: Box<dyn Source> = Box::new(file(found.get(0).as_f64().unwrap_or(0.0), read));
        Ok(opened)
    };
    let model = read_from(file(length, read), &mut beside)?;
    Ok(vec![serde_json::to_string(&model)?, model.to_string()])
}
