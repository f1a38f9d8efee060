//! File to file in pieces, so that files may be larger than memory: one piece is read and another written while a third is
//! computed.

use crate::{npy, out::Out, output::Output, progress};
use hard_sigmoid::{
    Binary, HardSigmoid, Scalar, Unary,
    offload::{Offload, block_on},
};
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
    definition: HardSigmoid,
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

impl<T: Scalar> FileJob<T> {
    /// Checks both inputs, and begins the output.
    pub fn open(definition: HardSigmoid, x: npy::Reader, g: Option<npy::Reader>, to: &Path) -> Result<Self> {
        let len = x.check::<T>()?;
        if let Some(g) = &g {
            npy::check_same_shape(x.shape(), g.shape())?;
            g.check::<T>()?;
            npy::check_same_order(x.is_fortran(), g)?;
        }
        let mut y = Output::create(to)?;
        y.write(&npy::head(T::DTYPE, x.shape(), x.is_fortran()))?;
        Ok(Self {
            definition,
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
            definition,
            mut x,
            mut g,
            mut y,
            to,
            len,
            piece,
        } = self;
        let pass = if g.is_some() { "backward" } else { "forward" };
        let start = Instant::now();
        let bar = progress::of_bytes(len * T::DTYPE.size());
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
            let computing = compute(offload, definition, has_g, read, &to_write);
            drop(to_write);
            reader.join().expect("no panics")?;
            let y = writer.join().expect("no panics")?;
            computing?;
            Ok::<_, Box<dyn Error + Send + Sync>>(y)
        });
        bar.finish_and_clear();
        y?.finish()?;
        let seconds = start.elapsed().as_secs_f64();
        let gigabytes = (len * T::DTYPE.size()) as f64 / 1e9;
        let rate = gigabytes / seconds;
        let summary = if json {
            let all = serde_json::json!({
                "device": offload.to_string(),
                "definition": definition.to_string(),
                "pass": pass,
                "elements": len,
                "dtype": T::DTYPE.to_string(),
                "output": to.display().to_string(),
                "seconds": seconds,
                "gigabytes_per_second": rate,
            });
            format!("{all:#}")
        } else {
            let to = to.display();
            format!("{definition} {pass} of {len} elements on {offload}: {to} ({seconds:.1} s, {rate:.2} GB/s)")
        };
        writeln!(out, "{summary}")?;
        Ok(())
    }
}

fn read_pieces<T: Scalar>(
    x: &mut npy::Reader,
    mut g: Option<&mut npy::Reader>,
    len: u64,
    free: &Receiver<Piece<T>>,
    to_compute: &SyncSender<Piece<T>>,
) -> Result<(), String> {
    for start in (0..len).step_by(PIECE as usize) {
        let Ok(mut piece) = free.recv() else { return Ok(()) };
        let len = (len - start).min(PIECE) as usize;
        piece.x.resize(len, T::from_f32(0.0));
        x.fill(&mut piece.x)?;
        if let Some(g) = &mut g {
            piece.g.resize(len, T::from_f32(0.0));
            g.fill(&mut piece.g)?;
        }
        if to_compute.send(piece).is_err() {
            return Ok(());
        }
    }
    x.end()?;
    g.map_or(Ok(()), npy::Reader::end)
}

fn compute<T: Scalar>(
    offload: &Offload,
    definition: HardSigmoid,
    has_g: bool,
    read: Receiver<Piece<T>>,
    to_write: &SyncSender<Piece<T>>,
) -> Result<(), String> {
    for mut piece in read {
        let done = if has_g {
            block_on(offload.binary_in_place(Binary::Backward(definition), &piece.x, &mut piece.g))
        } else {
            block_on(offload.unary_in_place(Unary::Forward(definition), &mut piece.x))
        };
        done.map_err(|error| error.to_string())?;
        if to_write.send(piece).is_err() {
            break;
        }
    }
    Ok(())
}
