//! The main job: hard sigmoid of data on the host, on whatever device is there, checked bit for bit.
//!
//! ```text
//! cargo run --release --example offload                 every preset over shipped real data, as a table
//! cargo run --release --example offload -- --list       the presets
//! cargo run --release --example offload -- --preset pytorch --pass forward --input x.npy --output y.npy
//! ```

mod npy;
mod stream;
mod table;

use clap::Parser;
use hard_sigmoid::{
    Element, HardSigmoid, Kinks, Scalar,
    half::{bf16, f16},
    offload::{Offload, Target},
};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Hard sigmoid of .npy files, forward and backward, on a GPU or the CPU with the same bits.
///
/// Without --output it prints a table: for each definition and pass the share of elements on each piece of the curve,
/// the time, and how many results differ in bits from the CPU path. Without --input it does so for the pre-activations
/// and gradients of a small network trained on handwritten digits, which ship with the project.
///
/// Files are NumPy .npy, little-endian and in C order, of any shape: float32, float16, or bfloat16 as the bits in uint16
/// with --dtype bf16. With --output they may be larger than memory: they go through in pieces. The output appears when
/// it is complete; Ctrl-C leaves nothing behind.
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
    let input_is_f16 = || {
        let input = arguments.input.as_ref().and_then(|path| npy::Reader::open(path).ok());
        input.is_some_and(|input| input.dtype() == npy::descr(Element::F16))
    };
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
    let pass = arguments.pass.as_deref();
    if arguments.input.is_some() && arguments.grad.is_none() && pass == Some("backward") {
        return Err("the backward pass needs the upstream gradient: --grad G.npy".into());
    }
    if let Some(output) = &arguments.output {
        let definition = definition.ok_or("--output needs a definition: --preset NAME, or --alpha A --beta B")?;
        let input = arguments.input.as_ref().expect("clap requires it");
        let grad = arguments.grad.as_ref().filter(|_| pass == Some("backward"));
        let job = stream::Job::<T>::open(definition, input, grad.map(|path| &**path), output)?;
        let offload = Offload::new_blocking(arguments.device).map_err(|e| e.to_string())?;
        job.run(&offload)?;
        return Ok(0);
    }
    let (shape, x, g) = match (&arguments.input, &arguments.grad) {
        (None, _) => {
            let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data");
            let (shape, x) = all::<f32>(&shipped.join("digits.x.npy"))?;
            let (_, g) = all::<f32>(&shipped.join("digits.g.npy"))?;
            let [x, g] = [x, g].map(|values| values.into_iter().map(T::from_f32).collect());
            (shape, x, Some(g))
        }
        (Some(x), None) => {
            let (shape, x) = all(x)?;
            (shape, x, None)
        }
        (Some(x), Some(g)) => {
            let ((shape, x), (of_g, g)) = (all(x)?, all(g)?);
            npy::same_shape(&shape, &of_g)?;
            (shape, x, Some(g))
        }
    };
    let offload = Offload::new_blocking(arguments.device).map_err(|e| e.to_string())?;
    let definitions = match definition {
        Some(definition) => vec![definition],
        None => HardSigmoid::PRESETS.map(|preset| preset.definition).to_vec(),
    };
    let input = table::Input {
        shape: &shape,
        x: &x,
        g: g.as_deref().filter(|_| pass != Some("forward")),
        forward: pass != Some("backward"),
    };
    table::print(&offload, &definitions, &input)
}

/// The shape and the elements of a file.
fn all<T: Scalar>(path: &Path) -> Result<(Vec<u64>, Vec<T>)> {
    let reader = npy::Reader::open(path)?;
    Ok((reader.shape().to_vec(), reader.all()?))
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
