//! Files through one definition, or a table of definitions over data.

use crate::{
    choices, npy,
    out::Out,
    outcome::{Outcome, complain},
    output::check_inputs,
    paths::{extension, split},
    quantization::Options,
    stream, table,
};
use clap::{Args, ValueHint};
use hard_sigmoid::{
    Binary, DType, HardSigmoid, KinkRule, Scalar, Unary, bf16, f16,
    offload::{Offload, Target, block_on},
};
use std::path::{Path, PathBuf};

/// Computes hard sigmoids and hard swishes of .npy files, forward and backward, on a GPU or the CPU with the same bits.
///
/// Without --output it prints a table: for each definition and pass the share of elements on each piece of the curve,
/// the time, and how many results differ in bits from the CPU path. Without --input it does so for the pre-activations
/// and gradients of a small network trained on handwritten digits, in the clone that the command was built from.
///
/// An input is a .npy file, a tensor of a .npz or .safetensors file (FILE:TENSOR), or standard input (-). It may have any shape, and
/// holds float32, float16, or with --dtype bf16 bfloat16 (in NumPy's files as the bits in uint16). With --output, a .npy file or
/// standard output (-), inputs may be larger than memory: they go through in pieces. The output appears when it is complete;
/// Ctrl-C leaves no part of it. Devices and pipes are read and written as they are.
///
/// With --output a file may also hold uint8 or int8, the numbers of a quantized tensor. Say what those of x and y stand for, and whose
/// arithmetic computes them.
#[derive(Args)]
#[command(after_help = AFTER)]
pub struct Arguments {
    /// A definition by name or alias; `hard-sigmoid list` shows them
    #[arg(long, value_parser = choices::presets(), value_name = "NAME", conflicts_with_all = ["alpha", "beta", "kinks"])]
    preset: Option<HardSigmoid>,
    /// Slope of clamp(ALPHA * x + BETA, 0, 1)
    #[arg(long, requires = "beta", value_hint = ValueHint::Other, allow_negative_numbers = true)]
    alpha: Option<f32>,
    /// Value at 0 of clamp(ALPHA * x + BETA, 0, 1)
    #[arg(long, requires = "alpha", value_hint = ValueHint::Other, allow_negative_numbers = true)]
    beta: Option<f32>,
    /// Gradient of that clamp at its kinks: 0 (strict), ALPHA (inclusive) or half of it (half)
    #[arg(long, requires = "alpha", value_parser = choices::kink_rules(), value_name = "RULE")]
    kinks: Option<KinkRule>,
    /// forward or backward. By default a file is computed forward; the table has backward too if there is a gradient
    #[arg(long, value_parser = ["forward", "backward"], value_name = "PASS")]
    pass: Option<String>,
    /// forward, or hard_swish: x times the hard sigmoid of x. With --pass backward the gradient of it
    #[arg(long, value_parser = ["forward", "hard_swish"], value_name = "OP", requires = "output")]
    op: Option<String>,
    /// x
    #[arg(long, value_hint = ValueHint::FilePath, value_name = "X.npy")]
    input: Option<PathBuf>,
    /// Upstream gradient, of the same shape as x
    #[arg(long, value_hint = ValueHint::FilePath, value_name = "G.npy", requires = "input")]
    grad: Option<PathBuf>,
    /// Type of the files and of the computation. By default that of x; a file of uint16 needs bf16
    #[arg(long, value_parser = choices::dtypes(), value_name = "DTYPE")]
    dtype: Option<DType>,
    /// Where the result goes: y, or dx for the backward pass
    #[arg(long, value_hint = ValueHint::FilePath, value_name = "Y.npy", requires = "input")]
    output: Option<PathBuf>,
    /// Lets --output be one of the inputs
    #[arg(long, requires = "output")]
    overwrite: bool,
    /// Prints JSON; README.md describes it
    #[arg(long)]
    json: bool,
    /// auto (a real GPU, else the CPU), gpu (any adapter, software ones too) or cpu
    #[arg(long, value_parser = choices::devices(), default_value_t, value_name = "DEVICE")]
    device: Target,
    #[command(flatten)]
    quantization: Options,
}

const AFTER: &str = "\
Examples:
  hard-sigmoid run --preset pytorch --input x.npy --output y.npy
  hard-sigmoid run --preset keras --pass backward --input x.npy --grad g.npy --output dx.npy
  hard-sigmoid run --alpha 0.3 --beta 0.45 --input weights.safetensors:layer.x --output y.npy
  hard-sigmoid run --preset jax --input - --output - < x.npy > y.npy
  hard-sigmoid run --input x.npy --grad g.npy --json
  hard-sigmoid run --preset pytorch --op hard_swish --input x.npy --output swish.npy
  hard-sigmoid run --preset pytorch --op hard_swish --input q.npy --x-scale 0.05 --x-zero-point 100 --y-scale 0.025 --y-zero-point 15 --output swish.npy

Exit status:
  0  every result has the bits of the CPU path
  1  a result of the table differs
  2  the input is bad, or the output can't be written
  141  the reader of the result left before its end";

pub fn run(arguments: &Arguments, out: &mut Out) -> Outcome {
    let pass = arguments.pass.as_deref();
    let is_forward = pass == Some("forward") || pass.is_none() && arguments.output.is_some();
    if arguments.grad.is_some() && is_forward {
        return Err("--grad belongs to the backward pass: add --pass backward".into());
    }
    if arguments.input.is_some() && arguments.grad.is_none() && pass == Some("backward") {
        return Err("the backward pass needs the upstream gradient: --grad G.npy".into());
    }
    npy::check_one_stdin(arguments.input.iter().chain(&arguments.grad))?;
    // A pipe can be opened only once.
    let x = arguments.input.as_deref().map(npy::Reader::open).transpose()?;
    let in_file = || x.as_ref().and_then(npy::Reader::element);
    if arguments.dtype == Some(DType::U8) {
        return Err("--dtype is f32, f16 or bf16; 8-bit numbers have the type that their file says".into());
    }
    match arguments.dtype.or_else(in_file) {
        Some(DType::F16) => run_in::<f16>(arguments, x, out),
        Some(DType::Bf16) => run_in::<bf16>(arguments, x, out),
        Some(DType::F32) | None => run_in::<f32>(arguments, x, out),
        Some(DType::U8) => run_in_bytes(arguments, x, out),
    }
}

/// From an 8-bit file to another.
fn run_in_bytes(arguments: &Arguments, x: Option<npy::Reader>, out: &mut Out) -> Outcome {
    let (Some(output), Some(x)) = (&arguments.output, x) else {
        return Err("the table is of floats; 8-bit numbers go from --input X.npy to --output Y.npy".into());
    };
    if arguments.pass.as_deref() == Some("backward") {
        return Err("8-bit files have no backward pass".into());
    }
    x.check(DType::U8)?;
    let byte = x.byte().expect("it was checked");
    let op = arguments.unary(arguments.needed_definition()?);
    let op = arguments.quantization.quantized(op, byte)?;
    check_output(arguments, output)?;
    let job = stream::FileJob::quantized(op, x, output)?;
    job.run(&block_on(Offload::new(arguments.device))?, arguments.json, out)?;
    Ok(true)
}

impl Arguments {
    fn definition(&self) -> Result<Option<HardSigmoid>, String> {
        match (self.preset, self.alpha, self.beta) {
            (None, Some(alpha), Some(beta)) => {
                let kinks = self.kinks.unwrap_or(KinkRule::Strict);
                let made = HardSigmoid::affine(alpha, beta, kinks);
                made.map(Some).map_err(|error| error.to_string())
            }
            (preset, ..) => Ok(preset),
        }
    }

    fn needed_definition(&self) -> Result<HardSigmoid, String> {
        let needed = || "--output needs a definition: --preset NAME, or --alpha A --beta B".to_owned();
        self.definition()?.ok_or_else(needed)
    }

    fn is_hard_swish(&self) -> bool {
        self.op.as_deref() == Some("hard_swish")
    }

    /// What --op says.
    fn unary(&self, definition: HardSigmoid) -> Unary {
        match self.is_hard_swish() {
            true => Unary::HardSwish(definition),
            false => Unary::Forward(definition),
        }
    }

    /// Its gradient.
    fn binary(&self, definition: HardSigmoid) -> Binary {
        match self.is_hard_swish() {
            true => Binary::HardSwishBackward(definition),
            false => Binary::Backward(definition),
        }
    }
}

fn run_in<T: Scalar>(arguments: &Arguments, x: Option<npy::Reader>, out: &mut Out) -> Outcome {
    if let Some(x) = &x {
        x.check(T::DTYPE)?;
    }
    arguments.quantization.check_unused()?;
    let pass = arguments.pass.as_deref();
    if let Some(output) = &arguments.output {
        let definition = arguments.needed_definition()?;
        check_output(arguments, output)?;
        let x = x.expect("clap requires it");
        let grad = arguments.grad.as_deref().filter(|_| pass == Some("backward"));
        let job = match grad.map(npy::Reader::open).transpose()? {
            Some(g) => stream::FileJob::<T>::binary(arguments.binary(definition), x, g, output)?,
            None => stream::FileJob::<T>::unary(arguments.unary(definition), x, output)?,
        };
        let offload = block_on(Offload::new(arguments.device))?;
        job.run(&offload, arguments.json, out)?;
        return Ok(true);
    }
    let definition = arguments.definition()?;
    let is_fortran = x.as_ref().is_some_and(npy::Reader::is_fortran);
    let (shape, x, g) = match (x, &arguments.grad) {
        (None, _) => {
            let (shape, x) = all(npy::Reader::open(&npy::shipped("digits.x.npy")?)?, T::from_f32)?;
            let (_, g) = all(npy::Reader::open(&npy::shipped("digits.g.npy")?)?, T::from_f32)?;
            (shape, x, Some(g))
        }
        (Some(x), None) => {
            let (shape, x) = all(x, |x: T| x)?;
            (shape, x, None)
        }
        (Some(x), Some(g)) => {
            let (shape, x) = all(x, |x: T| x)?;
            let g = npy::Reader::open(g)?;
            npy::check_same_order(is_fortran, &g)?;
            let (g_shape, g) = all(g, |g: T| g)?;
            npy::check_same_shape(&shape, &g_shape)?;
            (shape, x, Some(g))
        }
    };
    let offload = block_on(Offload::new(arguments.device))?;
    let definitions = match definition {
        Some(definition) => vec![definition],
        None => HardSigmoid::PRESETS.iter().map(|preset| preset.definition).collect(),
    };
    let input = table::Input {
        shape: &shape,
        x: &x,
        g: g.as_deref().filter(|_| pass != Some("forward")),
        forward: pass != Some("backward"),
    };
    let differing = table::print(out, &offload, &definitions, &input, arguments.json)?;
    if differing > 0 {
        let results = if differing == 1 {
            "result differs"
        } else {
            "results differ"
        };
        complain(&format!("{differing} {results} from the CPU path"));
    }
    Ok(differing == 0)
}

/// Checks that the output is a `.npy` file, and not one of the inputs by mistake.
fn check_output(arguments: &Arguments, output: &Path) -> Result<(), String> {
    if split(output).1.is_some() {
        let output = output.display();
        return Err(format!("{output} is a tensor of a file, but the result is a .npy file"));
    }
    if let Some(extension) = extension(output).filter(|one| OTHER_FILES.contains(&one.as_str())) {
        let output = output.display();
        return Err(format!(
            "{output} is the name of a .{extension} file, but the result is a .npy file"
        ));
    }
    match arguments.overwrite {
        true => Ok(()),
        false => check_inputs(output, arguments.input.iter().chain(&arguments.grad)),
    }
}

const OTHER_FILES: [&str; 4] = ["svg", "png", "npz", "safetensors"];

/// The shape and the elements of a file.
fn all<T: Scalar, V>(file: npy::Reader, convert: impl Fn(T) -> V) -> Result<(Vec<u64>, Vec<V>), String> {
    Ok((file.shape().to_vec(), file.all(convert)?))
}
