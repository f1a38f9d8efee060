//! The main job: hard sigmoid of data on the host, on whatever device is there, checked bit for bit.
//!
//! ```text
//! cargo run --release --example offload                 every preset over shipped real data, as a table
//! cargo run --release --example offload -- --list       the presets
//! cargo run --release --example offload -- --preset pytorch --pass forward --input x.npy --output y.npy
//! ```

use clap::Parser;
use hard_sigmoid::{
    Element, HardSigmoid, Kinks, Region, Scalar,
    half::{bf16, f16},
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
/// Files are NumPy .npy, little-endian and in C order, of any shape: float32, float16, or bfloat16 as the bits in uint16
/// with --dtype bf16.
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
    /// What the files hold, and what the table is computed in; by default float32, or float16 if the input is
    #[arg(long, value_name = "f32|f16|bf16")]
    dtype: Option<Element>,
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
    let holds = |path: &PathBuf| header(path).ok().map(|(header, _)| header.dtype().descr());
    let input_is_f16 = || arguments.input.as_ref().and_then(holds).as_deref() == Some(descr(Element::F16));
    match arguments.dtype {
        Some(Element::F16) => run_in::<f16>(arguments),
        Some(Element::Bf16) => run_in::<bf16>(arguments),
        None if input_is_f16() => run_in::<f16>(arguments),
        _ => run_in::<f32>(arguments),
    }
}

fn run_in<T: Scalar>(arguments: &Arguments) -> Result<usize> {
    let definition = match (arguments.preset, arguments.alpha, arguments.beta) {
        (None, Some(alpha), Some(beta)) => {
            let kinks = arguments.kinks.unwrap_or(Kinks::Strict);
            Some(HardSigmoid::affine(alpha, beta, kinks).map_err(|e| e.to_string())?)
        }
        (preset, ..) => preset,
    };
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data");
    let x = match &arguments.input {
        None => Npy::<f32>::read(&shipped.join("digits.x.npy"))?.rounded(),
        Some(path) => Npy::<T>::read(path)?,
    };
    let g = match (&arguments.input, &arguments.grad) {
        (None, _) => Some(Npy::<f32>::read(&shipped.join("digits.g.npy"))?.rounded()),
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
fn compute<T: Scalar>(offload: &Offload, definition: HardSigmoid, x: &[T], g: Option<&[T]>) -> Result<Vec<T>> {
    let mut result = vec![T::from_f32(0.0); x.len()];
    let done = match g {
        None => offload.forward_blocking(definition, x, &mut result),
        Some(g) => offload.backward_blocking(definition, x, g, &mut result),
    };
    done.map_err(|error| error.to_string())?;
    Ok(result)
}

/// Prints a row for each definition and pass; returns how many results differ.
fn table<T: Scalar>(
    offload: &Offload,
    definitions: &[HardSigmoid],
    x: &Npy<T>,
    g: Option<&[T]>,
    forward: bool,
) -> Result<usize> {
    println!("device: {offload}");
    println!(
        "input:  {} {} elements, shape {:?}\n",
        x.data.len(),
        T::ELEMENT,
        x.shape
    );
    println!(
        "{:<24} {:<8} {:>7} {:>7} {:>7} {:>10} {:>7} {:>7}",
        "definition", "pass", "low", "linear", "high", "time", "GB/s", "differ"
    );
    let (mut differing, mut flushed) = (0, 0);
    for &definition in definitions {
        let share = |region| {
            let there = x
                .data
                .iter()
                .filter(|x| definition.region(x.to_f32()) == Some(region))
                .count();
            format!("{:.1}%", 100.0 * there as f64 / x.data.len().max(1) as f64)
        };
        let passes = [forward.then_some(None), g.map(Some)];
        for g in passes.into_iter().flatten() {
            let pairs = x
                .data
                .iter()
                .enumerate()
                .map(|(i, x)| (x.to_f32(), g.map(|g| g[i].to_f32())));
            let on_cpu = pairs.map(|(x, g)| match g {
                None => definition.forward(x),
                Some(g) => definition.backward(x, g),
            });
            let on_cpu: Vec<T> = on_cpu.map(T::from_f32).collect();
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
                    if bytemuck::bytes_of(&actual) == bytemuck::bytes_of(&expected) {
                        continue;
                    } else if g.is_some() && is_flushed(actual.to_f32(), expected.to_f32()) {
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

/// An array of a `.npy` file.
struct Npy<T> {
    shape: Vec<u64>,
    data: Vec<T>,
}

/// NumPy's name of an element type. It has none for bfloat16.
fn descr(element: Element) -> &'static str {
    match element {
        Element::F32 => "'<f4'",
        Element::F16 => "'<f2'",
        Element::Bf16 => "'<u2'",
    }
}

fn header(path: &Path) -> Result<(npyz::NpyHeader, BufReader<File>)> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut reader = BufReader::new(file);
    let header = npyz::NpyHeader::from_reader(&mut reader).map_err(|error| format!("not a .npy file ({error})"))?;
    Ok((header, reader))
}

impl<T: Scalar> Npy<T> {
    fn read(path: &Path) -> Result<Self> {
        Self::parse(path).map_err(|message| format!("{}: {message}", path.display()))
    }

    fn parse(path: &Path) -> Result<Self> {
        let (header, mut reader) = header(path)?;
        let (dtype, wanted) = (header.dtype().descr(), descr(T::ELEMENT));
        if dtype != wanted {
            return Err(format!(
                "its dtype is {dtype}, not {wanted}; read are little-endian float32 ('<f4'), float16 ('<f2') and, with \
                 --dtype bf16, the bits of bfloat16 as uint16 ('<u2')"
            ));
        }
        if header.order() == npyz::Order::Fortran {
            return Err("it is in Fortran order; save numpy.ascontiguousarray(array) instead".into());
        }
        let shape = header.shape().to_vec();
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        let size = T::ELEMENT.size();
        let expected = shape
            .iter()
            .try_fold(size, |product, &extent| product.checked_mul(extent));
        if expected != Some(bytes.len() as u64) {
            let found = bytes.len();
            return Err(format!(
                "shape {shape:?} doesn't fit its {found} bytes of data: truncated or damaged"
            ));
        }
        // wgpu runs on little-endian machines alone, so the bytes are as in the file.
        let data = bytemuck::pod_collect_to_vec(&bytes);
        Ok(Self { shape, data })
    }
}

impl Npy<f32> {
    fn rounded<T: Scalar>(self) -> Npy<T> {
        let data = self.data.into_iter().map(T::from_f32).collect();
        Npy {
            shape: self.shape,
            data,
        }
    }
}

/// Writes to a temporary file beside `path` and renames it, so that no half-written output is ever seen.
fn write<T: Scalar>(path: &Path, shape: &[u64], data: &[T]) -> Result<()> {
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
        match T::ELEMENT {
            Element::F32 => write_array::<f32>(&mut buffered, shape, bytemuck::cast_slice(data))?,
            Element::F16 => write_array::<f16>(&mut buffered, shape, bytemuck::cast_slice(data))?,
            Element::Bf16 => write_array::<u16>(&mut buffered, shape, bytemuck::cast_slice(data))?,
        }
        buffered.flush()?;
        drop(buffered);
        file.persist(path)?;
        Ok(())
    };
    attempt().map_err(|error| format!("{}: {error}", path.display()))
}

fn write_array<V: npyz::AutoSerialize>(to: impl Write, shape: &[u64], values: &[V]) -> std::io::Result<()> {
    let mut writer = npyz::WriteOptions::new()
        .default_dtype()
        .shape(shape)
        .writer(to)
        .begin_nd()?;
    writer.extend(values)?;
    writer.finish()
}
