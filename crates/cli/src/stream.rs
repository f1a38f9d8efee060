//! File to file in pieces, so that files may be larger than memory: one piece is read and another written while a third is
//! computed.

use crate::{npy, out::Out, output::Output, progress};
use bytemuck::Pod;
use hard_sigmoid::{
    Binary, DType, Op, Quantization, Quantized, Scalar, Unary,
    offload::{Offload, OffloadError, block_on},
};
use serde_json::json;
use std::{
    error::Error,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
    time::Instant,
};

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

/// The number of elements of a piece: 16 MiB of `f32`.
const PIECE: u64 = 1 << 22;

/// The number of pieces that are under way at a time.
const PIECES: usize = 3;

pub struct FileJob<T> {
    work: Work<T>,
    x: npy::Reader,
    /// The upstream gradient, for the backward pass.
    g: Option<npy::Reader>,
    y: Output,
    to: PathBuf,
    len: u64,
    piece: Piece<T>,
}

/// The result replaces `g`, or `x` where there is none.
#[derive(Clone)]
struct Piece<T> {
    x: Vec<T>,
    g: Vec<T>,
}

/// What is computed of each piece.
struct Work<T> {
    /// The operation. That of a quantized function is the function.
    op: Op,
    quantized: Option<Quantized>,
    dtype: DType,
    compute: Box<Compute<T>>,
}

type Compute<T> = dyn Fn(&Offload, &mut Piece<T>) -> Result<(), OffloadError>;

impl<T: Scalar> FileJob<T> {
    /// An operation of x.
    pub fn unary(op: Unary, x: npy::Reader, to: &Path) -> Result<Self> {
        let work = Work {
            op: op.into(),
            quantized: None,
            dtype: T::DTYPE,
            compute: Box::new(move |offload, piece| block_on(offload.unary_in_place(op, &mut piece.x))),
        };
        Self::open(work, x, None, to)
    }

    /// An operation of x and g, which replaces g.
    pub fn binary(op: Binary, x: npy::Reader, g: npy::Reader, to: &Path) -> Result<Self> {
        let work = Work {
            op: op.into(),
            quantized: None,
            dtype: T::DTYPE,
            compute: Box::new(move |offload, piece| block_on(offload.binary_in_place(op, &piece.x, &mut piece.g))),
        };
        Self::open(work, x, Some(g), to)
    }
}

impl FileJob<u8> {
    /// A quantized function of x.
    pub fn quantized(op: Quantized, x: npy::Reader, to: &Path) -> Result<Self> {
        let table = op.table();
        let work = Work {
            op: op.op().into(),
            quantized: Some(op),
            dtype: DType::U8,
            compute: Box::new(move |offload, piece| block_on(offload.lookup_in_place(&table, &mut piece.x))),
        };
        Self::open(work, x, None, to)
    }
}

impl<T> Work<T> {
    /// What JSON says of it.
    fn summary(&self, pass: &str) -> serde_json::Value {
        let mut all = json!({
            "definition": self.op.definition().map(|it| it.to_string()),
            "operation": self.op.name(),
            "pass": pass,
            "dtype": self.dtype.to_string(),
        });
        if let Some(quantized) = self.quantized {
            let of = |it: Quantization| json!({"dtype": it.byte().to_string(), "scale": it.scale(), "zero_point": it.zero_point()});
            all["dtype"] = quantized.x().byte().to_string().into();
            all["x"] = of(quantized.x());
            all["y"] = of(quantized.y());
            all["rounding"] = quantized.rounding().to_string().into();
        }
        all
    }
}

impl<T: Pod + Send> FileJob<T> {
    /// Checks both inputs, and begins the output.
    fn open(work: Work<T>, x: npy::Reader, g: Option<npy::Reader>, to: &Path) -> Result<Self> {
        let len = x.check(work.dtype)?;
        if let Some(g) = &g {
            npy::check_same_shape(x.shape(), g.shape())?;
            g.check(work.dtype)?;
            npy::check_same_order(x.is_fortran(), g)?;
        }
        let dtype = match work.quantized {
            Some(quantized) => npy::dtype_of(quantized.y().byte()),
            None => npy::dtype(work.dtype),
        };
        let mut y = Output::create(to)?;
        y.write(&npy::head(dtype, x.shape(), x.is_fortran()))?;
        Ok(Self {
            work,
            y,
            x,
            g,
            to: to.into(),
            len,
            piece: Piece { x: vec![], g: vec![] },
        })
    }

    /// Computes the file, and says so in a line or as JSON.
    pub fn run(self, offload: &Offload, json: bool, out: &mut Out) -> Result<()> {
        let mut out = Output::beside(Some(&self.y), out);
        let Self {
            work,
            mut x,
            mut g,
            mut y,
            to,
            len,
            piece,
        } = self;
        let pass = if g.is_some() { "backward" } else { "forward" };
        let start = Instant::now();
        let bytes = len * work.dtype.size();
        let bar = progress::of_bytes(bytes);
        // Each stage ends when one of its neighbours does; the first error counts.
        let (to_compute, read) = sync_channel(PIECES);
        let (to_write, computed) = sync_channel(PIECES);
        let (back, free) = sync_channel(PIECES);
        for _ in 0..PIECES {
            back.send(piece.clone()).expect("there is room for all");
        }
        let has_g = g.is_some();
        let y = thread::scope(|scope| {
            let reader = scope.spawn(move || read_pieces(&mut x, g.as_mut(), len, &free, &to_compute));
            let writer = scope.spawn({
                let bar = bar.clone();
                move || {
                    for piece in computed {
                        let piece: Piece<T> = piece;
                        let result = if has_g { &piece.g } else { &piece.x };
                        y.write(bytemuck::cast_slice(result))?;
                        bar.inc(size_of_val(&result[..]) as u64);
                        // The reader may have read everything.
                        let _ = back.send(piece);
                    }
                    Ok::<_, io::Error>(y)
                }
            });
            let computing = compute(offload, &*work.compute, read, &to_write);
            drop(to_write);
            reader.join().expect("no panics")?;
            let y = writer.join().expect("no panics")?;
            computing?;
            Ok::<_, Box<dyn Error + Send + Sync>>(y)
        });
        bar.finish_and_clear();
        y?.finish()?;
        let seconds = start.elapsed().as_secs_f64();
        let rate = bytes as f64 / 1e9 / seconds;
        let to = to.display();
        let summary = if json {
            let mut all = work.summary(pass);
            all["device"] = offload.to_string().into();
            all["elements"] = len.into();
            all["output"] = to.to_string().into();
            all["seconds"] = seconds.into();
            all["gigabytes_per_second"] = rate.into();
            format!("{all:#}")
        } else {
            let definition = work.op.definition().map_or(String::new(), |it| format!("{it} "));
            let op = work.op.name();
            format!("{definition}{op} of {len} elements on {offload}: {to} ({seconds:.1} s, {rate:.2} GB/s)")
        };
        writeln!(out, "{summary}")?;
        Ok(())
    }
}

fn read_pieces<T: Pod>(
    x: &mut npy::Reader,
    mut g: Option<&mut npy::Reader>,
    len: u64,
    free: &Receiver<Piece<T>>,
    to_compute: &SyncSender<Piece<T>>,
) -> Result<(), String> {
    for start in (0..len).step_by(PIECE as usize) {
        let Ok(mut piece) = free.recv() else { return Ok(()) };
        let len = (len - start).min(PIECE) as usize;
        piece.x.resize(len, T::zeroed());
        x.fill(&mut piece.x)?;
        if let Some(g) = &mut g {
            piece.g.resize(len, T::zeroed());
            g.fill(&mut piece.g)?;
        }
        if to_compute.send(piece).is_err() {
            return Ok(());
        }
    }
    x.end()?;
    g.map_or(Ok(()), npy::Reader::end)
}

fn compute<T>(
    offload: &Offload,
    compute: &Compute<T>,
    read: Receiver<Piece<T>>,
    to_write: &SyncSender<Piece<T>>,
) -> Result<(), String> {
    for mut piece in read {
        compute(offload, &mut piece).map_err(|error| error.to_string())?;
        if to_write.send(piece).is_err() {
            break;
        }
    }
    Ok(())
}
