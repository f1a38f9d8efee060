//! Files through one operation, or a table of definitions over data.

mod files;
mod shared;

use crate::{
    choices, npy,
    out::Out,
    outcome::{Outcome, complain},
    quantization::Options,
    table,
};
use clap::{Args, ValueHint};
use hard_sigmoid::{
    DType, HardSigmoid, KinkRule, Scalar, StraightThrough, bf16, f16,
    offload::{Offload, Target, block_on},
};
use std::path::PathBuf;

/// Computes hard sigmoids, hard swishes, gates and signs of .npy files, and their gradients, on a GPU or the CPU with the same bits.
///
/// --op says which operation; the table at the end says what each takes. Without --output it prints a table: for each definition and pass the share of elements on each piece of the curve,
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
    /// forward or backward, for the table alone. By default it has forward, and backward if there is a gradient
    #[arg(long, value_parser = ["forward", "backward"], value_name = "PASS")]
    pass: Option<String>,
    /// What is computed of files, forward by default
    #[arg(long, value_parser = choices::file_operations(), value_name = "OPERATION", requires = "output")]
    op: Option<String>,
    /// The first operand, mostly x
    #[arg(long, value_hint = ValueHint::FilePath, value_name = "X.npy")]
    input: Option<PathBuf>,
    /// b of a gate. It is repeated along its axes of size 1 (then everything is in memory, and on the CPU)
    #[arg(long, value_hint = ValueHint::FilePath, value_name = "B.npy", requires = "output")]
    gate: Option<PathBuf>,
    /// Upstream gradient, of the same shape as x
    #[arg(long, value_hint = ValueHint::FilePath, value_name = "G.npy", requires = "input")]
    grad: Option<PathBuf>,
    /// What backward_accumulate adds the gradient to
    #[arg(long, value_hint = ValueHint::FilePath, value_name = "DX.npy", requires = "output")]
    dx: Option<PathBuf>,
    /// Seed of the random signs of binarize and pack. Without one x decides alone
    #[arg(long, value_hint = ValueHint::Other, requires = "output")]
    seed: Option<u64>,
    /// Number of the random word that the first element takes, 0 by default
    #[arg(long, value_hint = ValueHint::Other, requires = "output")]
    offset: Option<u64>,
    /// The number of a plus sign in binarize and unpack, 1 by default
    #[arg(long, value_hint = ValueHint::Other, allow_negative_numbers = true, requires = "output")]
    scale: Option<f32>,
    /// The gradient that straight_through takes, hard_tanh by default
    #[arg(long, value_parser = choices::estimators(), value_name = "ESTIMATOR", requires = "output")]
    estimator: Option<StraightThrough>,
    /// Shape of what unpack writes. By default all bits, in one dimension
    #[arg(long, value_hint = ValueHint::Other, value_delimiter = ',', value_name = "SIZE,SIZE", requires = "output")]
    shape: Option<Vec<u64>>,
    /// Type of the files and of the computation. By default that of x, of unpack f32; a file of uint16 needs bf16
    #[arg(long, value_parser = choices::dtypes(), value_name = "DTYPE")]
    dtype: Option<DType>,
    /// Where the result goes
    #[arg(long, value_hint = ValueHint::FilePath, value_name = "Y.npy", requires = "input")]
    output: Option<PathBuf>,
    /// Where the second result of gate_backward goes
    #[arg(long, value_hint = ValueHint::FilePath, value_name = "DB.npy", requires = "output")]
    db: Option<PathBuf>,
    /// Lets --output and --db be one of the inputs
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
Operations (--op). All but the last four need --preset, or --alpha and --beta; hs is the hard sigmoid:
  forward                y = hs(x)                  --input X
  backward               dx                         --input X --grad G
  backward_from_output   dx, from y                 --input Y --grad G
  backward_accumulate    dx + the gradient          --input X --grad G --dx DX
  hard_swish             y = x * hs(x)              --input X
  hard_swish_backward    dx                         --input X --grad G
  gate, gate_broadcast   y = a * hs(b)              --input A --gate B
  gate_backward          da, db                     --input A --gate B --grad G --output DA --db DB
  gate_broadcast_sums    db alone                   --input A --gate B --grad G
  binarize               y = SCALE or -SCALE        --input X [--scale S] [--seed N --offset N --preset P]
  pack                   the signs as bits, uint32  --input X [--seed N --offset N --preset P]
  unpack                 y of bits                  --input BITS [--shape 2,3] [--scale S] [--dtype T]
  straight_through       dx of binarize             --input X --grad G [--estimator E]

Examples:
  hard-sigmoid run --preset pytorch --input x.npy --output y.npy
  hard-sigmoid run --preset keras --op backward --input x.npy --grad g.npy --output dx.npy
  hard-sigmoid run --alpha 0.3 --beta 0.45 --input weights.safetensors:layer.x --output y.npy
  hard-sigmoid run --preset jax --input - --output - < x.npy > y.npy
  hard-sigmoid run --input x.npy --grad g.npy --json
  hard-sigmoid run --preset pytorch --op hard_swish --input x.npy --output swish.npy
  hard-sigmoid run --preset pytorch --op gate --input x.npy --gate g.npy --output gated.npy
  hard-sigmoid run --op pack --seed 42 --input x.npy --output bits.npy
  hard-sigmoid run --preset pytorch --op hard_swish --input q.npy --x-scale 0.05 --x-zero-point 100 --y-scale 0.025 --y-zero-point 15 --output swish.npy

Exit status:
  0  every result has the bits of the CPU path
  1  a result of the table differs
  2  the input is bad, or the output can't be written
  141  the reader of the result left before its end";

pub fn run(arguments: &Arguments, out: &mut Out) -> Outcome {
    if arguments.dtype == Some(DType::U8) {
        return Err("--dtype is f32, f16 or bf16; 8-bit numbers have the type that their file says".into());
    }
    if let Some(output) = &arguments.output {
        return files::run(arguments, output, out);
    }
    let pass = arguments.pass.as_deref();
    if arguments.grad.is_some() && pass == Some("forward") {
        return Err("--grad belongs to the backward pass: leave it out, or --pass forward".into());
    }
    if arguments.input.is_some() && arguments.grad.is_none() && pass == Some("backward") {
        return Err("the backward pass needs the upstream gradient: --grad G.npy".into());
    }
    npy::check_one_stdin(arguments.inputs())?;
    // A pipe can be opened only once.
    let x = arguments.input.as_deref().map(npy::Reader::open).transpose()?;
    match arguments.dtype.or(x.as_ref().and_then(npy::Reader::element)) {
        Some(DType::F16) => print_table::<f16>(arguments, x, out),
        Some(DType::Bf16) => print_table::<bf16>(arguments, x, out),
        Some(DType::F32) | None => print_table::<f32>(arguments, x, out),
        Some(DType::U8) => Err("the table is of floats; 8-bit numbers go from --input X.npy to --output Y.npy".into()),
    }
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
}

fn print_table<T: Scalar>(arguments: &Arguments, x: Option<npy::Reader>, out: &mut Out) -> Outcome {
    if let Some(x) = &x {
        x.check(T::DTYPE)?;
    }
    let definition = arguments.definition()?;
    let (shape, x, g) = match x {
        None => {
            let (shape, x) = all(npy::Reader::open(&npy::shipped("digits.x.npy")?)?, T::from_f32)?;
            let (_, g) = all(npy::Reader::open(&npy::shipped("digits.g.npy")?)?, T::from_f32)?;
            (shape, x, Some(g))
        }
        Some(x) => {
            let g = arguments.grad.as_deref().map(npy::Reader::open).transpose()?;
            if let Some(g) = &g {
                npy::check_alike(["x", "g"], &x, g)?;
            }
            let (shape, x) = all(x, |x: T| x)?;
            (shape, x, g.map(|g| g.all(|g: T| g)).transpose()?)
        }
    };
    let offload = block_on(Offload::new(arguments.device))?;
    let definitions = match definition {
        Some(definition) => vec![definition],
        None => HardSigmoid::PRESETS.iter().map(|preset| preset.definition).collect(),
    };
    let pass = arguments.pass.as_deref();
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

/// The shape and the elements of a file.
fn all<T: Scalar, V>(file: npy::Reader, convert: impl Fn(T) -> V) -> Result<(Vec<u64>, Vec<V>), String> {
    Ok((file.shape().to_vec(), file.all(convert)?))
}
