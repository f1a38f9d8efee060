//! The main job: hard sigmoid of data on the host, on whatever device is there, checked bit for bit.
//!
//! ```text
//! cargo run --release --example offload                 every preset over shipped real data, as a table
//! cargo run --release --example offload -- --list       the presets
//! cargo run --release --example offload -- --preset pytorch --pass forward --input x.npy --output y.npy
//! ```

use clap::Parser;
use hard_sigmoid::{
    HardSigmoid, Kinks, Region,
    offload::{Offload, Target},
};
use npyz::WriterBuilder;
use std::{
    fs::File,
    io::{BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

/// Hard sigmoid of .npy files, forward and backward, on a GPU or the CPU with the same bits.
///
/// Without --output it prints a table: for each definition and pass the share of elements on each piece of the curve,
/// the time, and how many results differ in bits from the CPU path. Without --input it does so for the pre-activations
/// and gradients of a small network trained on handwritten digits, which ship with the project.
///
/// Files are NumPy .npy, little-endian float32 in C order, of any shape.
#[derive(Parser)]
#[command(name = "offload")]
struct Arguments {
    /// A definition by name or alias; --list shows them
    #[arg(long, value_name = "NAME", conflicts_with_all = ["alpha", "beta", "kinks"])]
    preset: Option<HardSigmoid>,
    /// Slope of clamp(ALPHA * x + BETA, 0, 1)
    #[arg(long, requires = "beta", allow_negative_numbers = true)]
    alpha: Option<f32>,
    /// Value at 0 of clamp(ALPHA * x + BETA, 0, 1)
    #[arg(long, requires = "alpha", allow_negative_numbers = true)]
    beta: Option<f32>,
    /// Gradient at the kinks of that: 0 (strict) or ALPHA (inclusive)
    #[arg(long, value_parser = parse_kinks, requires = "alpha", value_name = "strict|inclusive")]
    kinks: Option<Kinks>,
    /// forward or backward; both in the table, forward for a file
    #[arg(long, value_parser = ["forward", "backward"], value_name = "forward|backward")]
    pass: Option<String>,
    /// x
    #[arg(long, value_name = "X.npy")]
    input: Option<PathBuf>,
    /// Upstream gradient, of the same shape as x
    #[arg(long, value_name = "G.npy", requires = "input")]
    grad: Option<PathBuf>,
    /// Where the result goes: y, or dx for the backward pass
    #[arg(long, value_name = "Y.npy", requires = "input")]
    output: Option<PathBuf>,
    /// auto (a real GPU, else the CPU), gpu (any adapter, software ones too) or cpu
    #[arg(long, default_value_t, value_name = "auto|gpu|cpu")]
    device: Target,
    /// Show every preset with its formula and source
    #[arg(long)]
    list: bool,
}

fn parse_kinks(text: &str) -> Result<Kinks, String> {
    [Kinks::Strict, Kinks::Inclusive]
        .into_iter()
        .find(|kinks| kinks.to_string() == text)
        .ok_or_else(|| "use strict or inclusive".into())
}

type Result<T, E = String> = std::result::Result<T, E>;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(differing) => {
            eprintln!("offload: {differing} results differ from the CPU path");
            ExitCode::FAILURE
        }
        Err(message) => {
            eprintln!("offload: {message}");
            ExitCode::from(2)
        }
    }
}

/// Returns how many results differ from the CPU path.
fn run(arguments: &Arguments) -> Result<usize> {
    if arguments.list {
        list();
        return Ok(0);
    }
    let definition = match (arguments.preset, arguments.alpha, arguments.beta) {
        (None, Some(alpha), Some(beta)) => {
            let kinks = arguments.kinks.unwrap_or(Kinks::Strict);
            Some(HardSigmoid::affine(alpha, beta, kinks).map_err(|e| e.to_string())?)
        }
        (preset, ..) => preset,
    };
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data");
    let x = Npy::read(arguments.input.as_deref().unwrap_or(&shipped.join("digits.x.npy")))?;
    let g = match (&arguments.input, &arguments.grad) {
        (None, _) => Some(Npy::read(&shipped.join("digits.g.npy"))?),
        (_, Some(path)) => Some(Npy::read(path)?),
        (_, None) => None,
    };
    if let Some(g) = g.as_ref().filter(|g| g.shape != x.shape) {
        return Err(format!(
            "the input has shape {:?} but the gradient {:?}",
            x.shape, g.shape
        ));
    }
    let pass = arguments.pass.as_deref();
    if pass == Some("backward") && g.is_none() {
        return Err("the backward pass needs the upstream gradient: --grad G.npy".into());
    }
    let offload = Offload::new_blocking(arguments.device).map_err(|e| e.to_string())?;

    if let Some(output) = &arguments.output {
        let definition = definition.ok_or("--output needs a definition: --preset NAME, or --alpha A --beta B")?;
        let g = g.filter(|_| pass == Some("backward"));
        let result = compute(&offload, definition, &x.data, g.as_ref().map(|g| &g.data[..]))?;
        write(output, &x.shape, &result)?;
        let pass = pass.unwrap_or("forward");
        println!(
            "{definition} {pass} of {} elements on {offload}: {}",
            result.len(),
            output.display()
        );
        return Ok(0);
    }
    let definitions = match definition {
        Some(definition) => vec![definition],
        None => HardSigmoid::PRESETS.map(|preset| preset.definition).to_vec(),
    };
    let g = g.as_ref().map(|g| &g.data[..]).filter(|_| pass != Some("forward"));
    table(&offload, &definitions, &x, g, pass != Some("backward"))
}

fn list() {
    for preset in &HardSigmoid::PRESETS {
        let definition = preset.definition;
        let (low, high) = definition.kinks().expect("no preset is constant");
        println!("{:<12} y = {}", preset.name, definition.formula());
        println!(
            "{:<12} slope {}, kinks at {low} and {high}, gradient there: {}",
            "",
            definition.slope(),
            definition.kink_rule(),
        );
        println!("{:<12} {}", "", preset.source);
        println!("{:<12} also called {}\n", "", preset.aliases.join(", "));
    }
    println!("Any other: --alpha A --beta B [--kinks strict|inclusive]");
}

/// One pass: forward, or backward if there is an upstream gradient.
fn compute(offload: &Offload, definition: HardSigmoid, x: &[f32], g: Option<&[f32]>) -> Result<Vec<f32>> {
    let mut result = vec![0.0; x.len()];
    let done = match g {
        None => offload.forward_blocking(definition, x, &mut result),
        Some(g) => offload.backward_blocking(definition, x, g, &mut result),
    };
    done.map_err(|error| error.to_string())?;
    Ok(result)
}

/// Prints a row for each definition and pass; returns how many results differ.
fn table(offload: &Offload, definitions: &[HardSigmoid], x: &Npy, g: Option<&[f32]>, forward: bool) -> Result<usize> {
    println!("device: {offload}");
    println!("input:  {} elements, shape {:?}\n", x.data.len(), x.shape);
    println!(
        "{:<24} {:<8} {:>7} {:>7} {:>7} {:>10} {:>7} {:>7}",
        "definition", "pass", "low", "linear", "high", "time", "GB/s", "differ"
    );
    let (mut differing, mut flushed) = (0, 0);
    for &definition in definitions {
        let share = |region| {
            let there = x.data.iter().filter(|x| definition.region(**x) == Some(region)).count();
            format!("{:.1}%", 100.0 * there as f64 / x.data.len().max(1) as f64)
        };
        let passes = [forward.then_some(None), g.map(Some)];
        for g in passes.into_iter().flatten() {
            let on_cpu: Vec<f32> = match g {
                None => x.data.iter().map(|&x| definition.forward(x)).collect(),
                Some(g) => x.data.iter().zip(g).map(|(&x, &g)| definition.backward(x, g)).collect(),
            };
            // The first run compiles the pipeline; the median of three more counts.
            let mut differ = 0;
            let mut seconds = [f64::INFINITY; 3];
            for run in 0..4 {
                let start = Instant::now();
                let result = compute(offload, definition, &x.data, g)?;
                if run > 0 {
                    seconds[run - 1] = start.elapsed().as_secs_f64();
                    continue;
                }
                for (&actual, &expected) in result.iter().zip(&on_cpu) {
                    if actual.to_bits() == expected.to_bits() {
                        continue;
                    } else if g.is_some() && is_flushed(actual, expected) {
                        flushed += 1;
                    } else {
                        differ += 1;
                    }
                }
            }
            seconds.sort_by(f64::total_cmp);
            let bytes = size_of_val(&x.data[..]) * if g.is_some() { 3 } else { 2 };
            println!(
                "{:<24} {:<8} {:>7} {:>7} {:>7} {:>7.3} ms {:>7.2} {:>7}",
                definition.to_string(),
                if g.is_some() { "backward" } else { "forward" },
                share(Region::Low),
                share(Region::Linear),
                share(Region::High),
                seconds[1] * 1e3,
                bytes as f64 / seconds[1] / 1e9,
                differ,
            );
            differing += differ;
        }
    }
    println!("\nshares: where the gradient is 0 below (low), passes (linear), is 0 above (high)");
    println!("time: host memory to host memory; differ: results whose bits are not the CPU path's");
    if flushed > 0 {
        println!("{flushed} subnormal gradients came as zeros, which WGSL allows a GPU");
    }
    Ok(differing)
}

/// Whether a subnormal result came as a zero of its own sign. The smallest normal number may be one rounded up.
fn is_flushed(actual: f32, expected: f32) -> bool {
    let tiny = expected != 0.0 && expected.abs() <= f32::MIN_POSITIVE;
    tiny && actual.to_bits() == 0.0f32.copysign(expected).to_bits()
}

/// A float32 array of a `.npy` file.
struct Npy {
    shape: Vec<u64>,
    data: Vec<f32>,
}

impl Npy {
    fn read(path: &Path) -> Result<Self> {
        Self::parse(path).map_err(|message| format!("{}: {message}", path.display()))
    }

    fn parse(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|error| error.to_string())?;
        let mut reader = BufReader::new(file);
        let header = npyz::NpyHeader::from_reader(&mut reader).map_err(|error| format!("not a .npy file ({error})"))?;
        let dtype = header.dtype().descr();
        if dtype != "'<f4'" {
            return Err(format!(
                "its dtype is {dtype}; only little-endian float32, '<f4', is read"
            ));
        }
        if header.order() == npyz::Order::Fortran {
            return Err("it is in Fortran order; save numpy.ascontiguousarray(array) instead".into());
        }
        let shape = header.shape().to_vec();
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        let expected = shape
            .iter()
            .try_fold(4u64, |product, &extent| product.checked_mul(extent));
        if expected != Some(bytes.len() as u64) {
            return Err(format!(
                "shape {shape:?} doesn't fit its {} bytes of data: truncated or damaged",
                bytes.len()
            ));
        }
        let element = |bytes: &[u8]| f32::from_le_bytes(bytes.try_into().expect("four bytes"));
        let data = bytes.chunks_exact(4).map(element).collect();
        Ok(Self { shape, data })
    }
}

/// Writes to a temporary file beside `path` and renames it, so that no half-written output is ever seen.
fn write(path: &Path, shape: &[u64], data: &[f32]) -> Result<()> {
    let folder = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let attempt = || -> std::io::Result<()> {
        let mut builder = tempfile::Builder::new();
        // As any newly created file, rather than for the owner alone.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut file = builder.prefix(".offload-").tempfile_in(folder)?;
        let mut buffered = BufWriter::new(&mut file);
        let options = npyz::WriteOptions::new().default_dtype().shape(shape);
        let mut writer = options.writer(&mut buffered).begin_nd()?;
        writer.extend(data)?;
        writer.finish()?;
        buffered.flush()?;
        drop(buffered);
        file.persist(path)?;
        Ok(())
    };
    attempt().map_err(|error| format!("{}: {error}", path.display()))
}
