//! File to file in pieces, so that files may be larger than memory: one piece is read and another written while a third is
//! computed.

use crate::{npy, out::Out, output::Output, progress};
use bytemuck::Pod;
use hard_sigmoid::{
    Binary, DType, Op, Quantization, Quantized, Scalar,
    offload::{Offload, OffloadError, block_on},
};
use serde_json::json;
use std::{
    error::Error,
    fmt::Display,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
    time::Instant,
};

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

/// The number of elements of a piece: 16 MiB of `f32`, and whole words of bits.
const PIECE: u64 = 1 << 22;

/// The number of pieces that are under way at a time.
const PIECES: usize = 3;

pub struct FileJob<T> {
    work: Work<T>,
    inputs: Vec<npy::Reader>,
    results: Vec<Written>,
    /// The number of elements of each tensor.
    len: u64,
}

/// A result and where it goes.
pub struct Written {
    place: Place,
    output: Output,
    to: PathBuf,
}

/// Where a piece has an operand or a result.
#[derive(Clone, Copy)]
enum Place {
    Tensor(usize),
    Words,
}

/// A part of every tensor.
#[derive(Clone)]
struct Piece<T> {
    /// The operands, and results that replace none.
    tensors: Vec<Vec<T>>,
    /// Signs as bits, of `pack` and `unpack`.
    words: Vec<u32>,
    len: usize,
    /// The number of elements before it.
    start: u64,
}

/// What is computed of each piece.
struct Work<T> {
    about: About,
    /// The number of tensors of a piece.
    tensors: usize,
    has_words: bool,
    compute: Box<Compute<T>>,
}

type Compute<T> = dyn Fn(&Offload, &mut Piece<T>) -> Result<(), OffloadError>;

/// What a line or JSON says of what was computed.
pub struct About {
    /// The operation. That of a quantized function is the function.
    pub op: Op,
    pub quantized: Option<Quantized>,
    pub dtype: DType,
}

impl<T: Scalar> FileJob<T> {
    /// An operation of these operands, in its order. (`backward_accumulate` has dx as its third.) `shape` is that of what
    /// `unpack` writes.
    pub fn new(op: Op, inputs: Vec<npy::Reader>, to: &[&Path], shape: Option<&[u64]>) -> Result<Self> {
        let (places, tensors) = match op {
            Op::Pack(_) => (vec![Place::Words], 1),
            Op::GateBackward(_) => (vec![Place::Tensor(3), Place::Tensor(4)], 5),
            Op::Binary(Binary::BackwardAccumulate(_)) => (vec![Place::Tensor(2)], 3),
            op => (vec![Place::Tensor(op.replaces().unwrap_or(0))], inputs.len()),
        };
        let work = Work {
            about: About {
                op,
                quantized: None,
                dtype: T::DTYPE,
            },
            tensors,
            has_words: matches!(op, Op::Unpack(_)),
            compute: Box::new(move |offload, piece| compute_piece(op, offload, piece)),
        };
        let (x, others) = inputs.split_first().expect("an operation has an operand");
        let len = match op {
            Op::Unpack(_) => unpacked(x, shape)?,
            _ => x.check(T::DTYPE)?,
        };
        let names = op.inputs().iter().chain(&["dx"]);
        for (other, name) in others.iter().zip(names.skip(1)) {
            npy::check_alike([op.inputs()[0], name], x, other)?;
            other.check(T::DTYPE)?;
        }
        let is_drawn = op.advanced(1) != op;
        if x.is_fortran() && (is_drawn || matches!(op, Op::Pack(_))) {
            let op = op.name();
            return Err(format!(
                "{op} takes the elements in C order, but x is in Fortran order: save numpy.ascontiguousarray(x)"
            )
            .into());
        }
        let words = [len.div_ceil(32)];
        let flat = [len];
        let (dtype, shape, is_fortran) = match op {
            Op::Pack(_) => (npy::WORDS, &words[..], false),
            Op::Unpack(_) => (npy::dtype(T::DTYPE), shape.unwrap_or(&flat), false),
            _ => (npy::dtype(T::DTYPE), x.shape(), x.is_fortran()),
        };
        let results: Result<_> = places
            .into_iter()
            .zip(to)
            .map(|(place, to)| Written::begin(place, to, dtype, shape, is_fortran))
            .collect();
        Ok(Self {
            work,
            results: results?,
            inputs,
            len,
        })
    }
}

/// The number of signs, of which there may be fewer than bits in the last word.
fn unpacked(bits: &npy::Reader, shape: Option<&[u64]>) -> Result<u64, String> {
    let words = bits.check_words()?;
    let Some(shape) = shape else { return Ok(32 * words) };
    let len = shape.iter().try_fold(1_u64, |len, &extent| len.checked_mul(extent));
    match len {
        Some(len) if len.div_ceil(32) == words => Ok(len),
        _ => Err(format!(
            "shape {} doesn't go with {words} words of 32 bits: unpack needs the shape of what was packed",
            npy::shown(shape)
        )),
    }
}

fn compute_piece<T: Scalar>(op: Op, offload: &Offload, piece: &mut Piece<T>) -> Result<(), OffloadError> {
    let words = &mut piece.words;
    match (op.advanced(piece.start), &mut piece.tensors[..]) {
        (Op::Unary(op), [x]) => block_on(offload.unary_in_place(op, x)),
        (Op::Binary(op @ Binary::BackwardAccumulate(_)), [x, g, dx]) => block_on(offload.binary(op, x, g, dx)),
        (Op::Binary(op @ Binary::Gate(_)), [a, b]) => block_on(offload.binary_in_place(op, b, a)),
        (Op::Binary(op), [x, g]) => block_on(offload.binary_in_place(op, x, g)),
        (Op::GateBackward(definition), [a, b, g, da, db]) => {
            block_on(offload.gate_backward(definition, a, b, g, da, db))
        }
        (Op::Pack(how), [x]) => {
            words.resize(x.len().div_ceil(32), 0);
            block_on(offload.pack(how, x, words))
        }
        (Op::Unpack(scale), [y]) => block_on(offload.unpack(scale.get(), words, y)),
        (op, _) => unreachable!("{} isn't computed in pieces", op.name()),
    }
}

impl FileJob<u8> {
    /// A quantized function of x.
    pub fn quantized(op: Quantized, x: npy::Reader, to: &Path) -> Result<Self> {
        let table = op.table();
        let work = Work {
            about: About {
                op: op.op().into(),
                quantized: Some(op),
                dtype: DType::U8,
            },
            tensors: 1,
            has_words: false,
            compute: Box::new(move |offload, piece| block_on(offload.lookup_in_place(&table, &mut piece.tensors[0]))),
        };
        let dtype = npy::dtype_of(op.y().byte());
        Ok(Self {
            len: x.check(DType::U8)?,
            results: vec![Written::begin(Place::Tensor(0), to, dtype, x.shape(), x.is_fortran())?],
            work,
            inputs: vec![x],
        })
    }
}

impl Written {
    fn begin(place: Place, to: &Path, dtype: &str, shape: &[u64], is_fortran: bool) -> Result<Self> {
        let mut output = Output::create(to)?;
        output.write(&npy::head(dtype, shape, is_fortran))?;
        let to = to.into();
        Ok(Self { place, output, to })
    }
}

impl About {
    /// One line or JSON: what was computed of `len` elements, where, and in how many seconds.
    pub fn summary(&self, json: bool, device: impl Display, len: u64, to: &[&Path], seconds: f64) -> String {
        let rate = (len * self.dtype.size()) as f64 / 1e9 / seconds;
        let [definition, op] = [
            self.op.definition().map(|it| it.to_string()),
            Some(self.op.name().to_owned()),
        ];
        let to: Vec<_> = to.iter().map(|to| to.display().to_string()).collect();
        if !json {
            let what: Vec<_> = [definition, op].into_iter().flatten().collect();
            let [what, to] = [what.join(" "), to.join(" and ")];
            return format!("{what} of {len} elements on {device}: {to} ({seconds:.1} s, {rate:.2} GB/s)");
        }
        let is_gradient = self.op.inputs().contains(&"g");
        let mut all = json!({
            "definition": definition,
            "operation": op,
            "pass": if is_gradient { "backward" } else { "forward" },
            "dtype": self.dtype.to_string(),
            "device": device.to_string(),
            "elements": len,
            "output": to[0],
            "seconds": seconds,
            "gigabytes_per_second": rate,
        });
        if let Some(db) = to.get(1) {
            all["db"] = db.as_str().into();
        }
        if let Some(quantized) = self.quantized {
            let of = |it: Quantization| json!({"dtype": it.byte().to_string(), "scale": it.scale(), "zero_point": it.zero_point()});
            all["dtype"] = quantized.x().byte().to_string().into();
            all["x"] = of(quantized.x());
            all["y"] = of(quantized.y());
            all["rounding"] = quantized.rounding().to_string().into();
        }
        format!("{all:#}")
    }
}

impl<T: Pod + Send> FileJob<T> {
    /// Computes the file, and says so in a line or as JSON.
    pub fn run(self, offload: &Offload, json: bool, out: &mut Out) -> Result<()> {
        let mut out = Output::beside(self.results.iter().map(|result| &result.output), out);
        let Self {
            work,
            mut inputs,
            mut results,
            len,
        } = self;
        let start = Instant::now();
        let size = work.about.dtype.size();
        let bar = progress::of_bytes(len * size);
        let piece = Piece {
            tensors: vec![vec![]; work.tensors],
            words: vec![],
            len: 0,
            start: 0,
        };
        // Each stage ends when one of its neighbours does; the first error counts.
        let (to_compute, read) = sync_channel(PIECES);
        let (to_write, computed) = sync_channel(PIECES);
        let (back, free) = sync_channel(PIECES);
        for _ in 0..PIECES {
            back.send(piece.clone()).expect("there is room for all");
        }
        let has_words = work.has_words;
        let results = thread::scope(|scope| {
            let reader = scope.spawn(move || read_pieces(&mut inputs, has_words, len, &free, &to_compute));
            let writer = scope.spawn({
                let bar = bar.clone();
                move || {
                    for piece in computed {
                        let piece: Piece<T> = piece;
                        for result in &mut results {
                            result.output.write(match result.place {
                                Place::Tensor(i) => bytemuck::cast_slice(&piece.tensors[i]),
                                Place::Words => bytemuck::cast_slice(&piece.words),
                            })?;
                        }
                        bar.inc(piece.len as u64 * size);
                        // The reader may have read everything.
                        let _ = back.send(piece);
                    }
                    Ok::<_, io::Error>(results)
                }
            });
            let computing = compute(offload, &*work.compute, read, &to_write);
            drop(to_write);
            reader.join().expect("no panics")?;
            let results = writer.join().expect("no panics")?;
            computing?;
            Ok::<_, Box<dyn Error + Send + Sync>>(results)
        });
        bar.finish_and_clear();
        let mut to = vec![];
        for result in results? {
            result.output.finish()?;
            to.push(result.to);
        }
        let to: Vec<_> = to.iter().map(PathBuf::as_path).collect();
        let seconds = start.elapsed().as_secs_f64();
        writeln!(out, "{}", work.about.summary(json, offload, len, &to, seconds))?;
        Ok(())
    }
}

fn read_pieces<T: Pod>(
    inputs: &mut [npy::Reader],
    has_words: bool,
    len: u64,
    free: &Receiver<Piece<T>>,
    to_compute: &SyncSender<Piece<T>>,
) -> Result<(), String> {
    for start in (0..len).step_by(PIECE as usize) {
        let Ok(mut piece) = free.recv() else { return Ok(()) };
        piece.len = (len - start).min(PIECE) as usize;
        piece.start = start;
        for tensor in &mut piece.tensors {
            tensor.resize(piece.len, T::zeroed());
        }
        if has_words {
            piece.words.resize(piece.len.div_ceil(32), 0);
            inputs[0].fill(&mut piece.words)?;
        } else {
            for (input, tensor) in inputs.iter_mut().zip(&mut piece.tensors) {
                input.fill(tensor)?;
            }
        }
        if to_compute.send(piece).is_err() {
            return Ok(());
        }
    }
    inputs.iter_mut().try_for_each(npy::Reader::end)
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
