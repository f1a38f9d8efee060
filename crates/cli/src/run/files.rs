//! Files through one operation.

use super::{Arguments, shared};
use crate::{
    npy,
    out::Out,
    outcome::Outcome,
    output::check_inputs,
    paths::{extension, split},
    stream::FileJob,
};
use hard_sigmoid::{
    Binary, DType, Op, OpError, Parameters, Scalar, Unary, bf16, f16,
    offload::{Offload, block_on},
};
use std::path::{Path, PathBuf, absolute};

/// What `--op` says.
struct Chosen<'a> {
    name: &'a str,
    /// The operation; of a broadcast gate, the one whose operands have one shape.
    op: Op,
}

pub fn run(arguments: &Arguments, output: &Path, out: &mut Out) -> Outcome {
    if arguments.pass.is_some() {
        return Err("--pass is for the table; of files say which operation, such as --op backward".into());
    }
    let chosen = Chosen::of(arguments)?;
    chosen.check_options(arguments)?;
    npy::check_one_stdin(arguments.inputs())?;
    let input = arguments.input.as_deref().expect("clap requires it");
    // A pipe can be opened only once.
    let x = npy::Reader::open(input)?;
    if x.byte().is_some() && arguments.dtype.is_none() {
        return in_bytes(arguments, &chosen, x, output, out);
    }
    match arguments.dtype.or(x.element()) {
        Some(DType::F16) => in_floats::<f16>(arguments, &chosen, x, output, out),
        Some(DType::Bf16) => in_floats::<bf16>(arguments, &chosen, x, output, out),
        _ => in_floats::<f32>(arguments, &chosen, x, output, out),
    }
}

impl<'a> Chosen<'a> {
    fn of(arguments: &'a Arguments) -> Result<Self, String> {
        let name = arguments.op.as_deref().unwrap_or("forward");
        // The shapes of the files say how a gate is repeated.
        let plain = match name {
            "lookup" | "lookup_gate" => {
                return Err(format!(
                    "{name} needs a table: for a file of uint8 or int8, --op forward or hard_swish makes one of the scales and \
                     zero points, and looks up in it"
                ));
            }
            "gate_broadcast" => "gate",
            "gate_broadcast_sums" => "gate_backward",
            name => name,
        };
        let parameters = Parameters {
            definition: arguments.definition()?,
            seed: arguments.seed,
            offset: arguments.offset,
            scale: arguments.scale,
            estimator: arguments.estimator,
            ..Default::default()
        };
        let op = Op::new(plain, &parameters).map_err(|error| in_options(error, name))?;
        Ok(Self { name, op })
    }

    /// Whether only db is wanted.
    fn is_sums(&self) -> bool {
        self.name == "gate_broadcast_sums"
    }

    /// Checks that every operand and result has its file, and no other is given.
    fn check_options(&self, arguments: &Arguments) -> Result<(), String> {
        let name = self.name;
        let takes = |operand: &str| self.op.inputs().contains(&operand);
        let is_accumulate = matches!(self.op, Op::Binary(Binary::BackwardAccumulate(_)));
        let has_db = matches!(self.op, Op::GateBackward(_)) && !self.is_sums();
        for (option, what, is_needed, given) in [
            ("--gate", "the gate b: --gate B.npy", takes("b"), &arguments.gate),
            (
                "--grad",
                "the upstream gradient: --grad G.npy",
                takes("g"),
                &arguments.grad,
            ),
            ("--dx", "what it adds to: --dx DX.npy", is_accumulate, &arguments.dx),
            (
                "--db",
                "a second output, for the gradient of b: --db DB.npy",
                has_db,
                &arguments.db,
            ),
        ] {
            match (is_needed, given) {
                (true, None) => return Err(format!("{name} needs {what}")),
                (false, Some(_)) if option == "--grad" => {
                    return Err(format!(
                        "{name} takes no --grad; --op backward, for example, is a gradient"
                    ));
                }
                (false, Some(_)) => return Err(format!("{name} takes no {option}: leave it out")),
                _ => {}
            }
        }
        if arguments.shape.is_some() && !matches!(self.op, Op::Unpack(_)) {
            return Err(format!(
                "{name} takes no --shape: its result has the shape of the input"
            ));
        }
        Ok(())
    }
}

/// What is wrong, in the words of these arguments.
fn in_options(error: OpError, name: &str) -> String {
    match error {
        OpError::MissingParameter {
            parameter: "definition",
            ..
        } => {
            format!("{name} needs a definition: --preset NAME, or --alpha A --beta B")
        }
        OpError::MissingParameter { parameter: "seed", .. } => {
            format!("{name} draws at random only with --seed: give it, or leave out --offset and the definition")
        }
        OpError::ExtraParameter {
            parameter: "definition",
            ..
        } => {
            format!("{name} takes no definition: leave out --preset, --alpha and --beta")
        }
        OpError::ExtraParameter { parameter, .. } => format!("{name} takes no --{parameter}: leave it out"),
        error => error.to_string(),
    }
}

/// From an 8-bit file to another.
fn in_bytes(arguments: &Arguments, chosen: &Chosen, x: npy::Reader, output: &Path, out: &mut Out) -> Outcome {
    let Op::Unary(op @ (Unary::Forward(_) | Unary::HardSwish(_))) = chosen.op else {
        let name = chosen.name;
        return Err(format!("{name} takes no 8-bit files: of uint8 and int8 there are forward and hard_swish").into());
    };
    x.check(DType::U8)?;
    let byte = x.byte().expect("it was checked");
    let op = arguments.quantization.quantized(op, byte)?;
    check_output(arguments, output)?;
    let job = FileJob::quantized(op, x, output)?;
    job.run(&block_on(Offload::new(arguments.device))?, arguments.json, out)?;
    Ok(true)
}

fn in_floats<T: Scalar>(
    arguments: &Arguments,
    chosen: &Chosen,
    x: npy::Reader,
    output: &Path,
    out: &mut Out,
) -> Outcome {
    match chosen.op {
        Op::Unpack(_) => x.check_words()?,
        _ => x.check(T::DTYPE)?,
    };
    arguments.quantization.check_unused()?;
    let outputs: Vec<_> = [Some(output), arguments.db.as_deref()].into_iter().flatten().collect();
    for output in &outputs {
        check_output(arguments, output)?;
    }
    let place = |output: &&Path| absolute(output).ok();
    if outputs.len() == 2 && place(&outputs[0]) == place(&outputs[1]) {
        return Err(format!("--output and --db are both {}", output.display()).into());
    }
    let mut inputs = vec![x];
    // In the order of the operations' operands.
    for path in arguments.inputs().skip(1) {
        inputs.push(npy::Reader::open(path)?);
    }
    if arguments.gate.is_some() {
        let shape = shared::shape(&inputs[0], &inputs[1])?;
        if chosen.is_sums() || shape.is_some() {
            let operands = shared::Operands {
                op: chosen.op,
                inputs,
                shape,
                is_sums: chosen.is_sums(),
            };
            return operands.run::<T>(arguments, &outputs, out);
        }
    }
    let job = FileJob::<T>::new(chosen.op, inputs, &outputs, arguments.shape.as_deref())?;
    let offload = block_on(Offload::new(arguments.device))?;
    job.run(&offload, arguments.json, out)?;
    Ok(true)
}

impl Arguments {
    /// The files to read, in the order of an operation's operands.
    pub fn inputs(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.input, &self.gate, &self.grad, &self.dx].into_iter().flatten()
    }
}

/// Checks that an output is a `.npy` file, and not one of the inputs by mistake.
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
        false => check_inputs(output, arguments.inputs()),
    }
}

const OTHER_FILES: [&str; 4] = ["svg", "png", "npz", "safetensors"];
