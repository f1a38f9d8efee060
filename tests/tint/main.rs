//! The kernels through Tint, Chrome's WGSL compiler, in Dawn under Node: `./test.sh tint`.

#[path = "../common/mod.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod common;
#[path = "../common/outside.rs"]
mod outside;

use common::{golden, npy};
use hard_sigmoid::{
    Binary, Broadcast, BroadcastGate, DType, Difference, Element, HardSigmoid, Op, Scalar, Unary, bf16, cpu, f16,
    plan::{Device, Kernel, Placement, Plan},
    wgsl::{self, Number, Options},
};
use outside::ROW;
use std::{fs, path::Path, process::Command};

/// A launch for Dawn.
struct Case<'a> {
    name: String,
    op: Op,
    dtype: DType,
    operands: Vec<&'a [u8]>,
}

/// A name that only this operation of the sample has.
fn named(op: Op) -> String {
    let of = op.definition().map_or("any", HardSigmoid::name);
    match (op, op.parameters().offset) {
        (Op::Binary(Binary::StraightThrough(estimator)), _) => format!("{of}-{}-{estimator:?}", op.name()),
        (_, Some(offset)) => format!("{of}-{}-{offset}", op.name()),
        _ => format!("{of}-{}", op.name()),
    }
}

/// The byte with which the script fills outputs and what follows them.
const SENTINEL: u8 = 0xab;
const GUARD: usize = 16;

impl<'a> Case<'a> {
    /// The hard sigmoid is that of `x`; the tensor that a gate scales is `g`.
    fn new<T: Scalar>(op: Op, x: &'a [T], g: &'a [T]) -> Self {
        let [x, g] = [x, g].map(bytemuck::cast_slice);
        let operands = match op.inputs() {
            ["x"] => vec![x],
            ["a", "b"] => vec![g, x],
            ["a", "b", "g"] => vec![g, x, g],
            ["x" | "y", "g"] => vec![x, g],
            other => panic!("no operands for {other:?}"),
        };
        let name = format!("{}-{}", named(op), T::DTYPE);
        Self {
            name,
            op,
            dtype: T::DTYPE,
            operands,
        }
    }

    fn len(&self) -> u64 {
        self.operands[0].len() as u64 / self.dtype.size()
    }

    /// The size of an output in bytes.
    fn size(&self, output: usize) -> usize {
        let sizes = self.op.sizes(self.dtype, self.len()).unwrap();
        sizes[self.operands.len() + output] as usize
    }

    /// Writes text, parameters and operands, all as the plan says, and a line about them.
    fn write(&self, folder: &Path) -> String {
        let Self {
            name,
            op,
            dtype,
            operands,
        } = self;
        let kernel = Kernel::new(*op, *dtype, Placement::Separate).unwrap();
        let plan = Plan::new(kernel, self.len(), &Device::default()).unwrap();
        let parts: Vec<_> = plan.parts().collect();
        let put = |suffix: &str, bytes: &[u8]| fs::write(folder.join(format!("{name}.{suffix}")), bytes).unwrap();
        put("wgsl", kernel.text().as_bytes());
        for (i, operand) in operands.iter().enumerate() {
            put(&i.to_string(), operand);
        }
        let mut dispatches = vec![];
        for (i, part) in parts.iter().enumerate() {
            let bound = part.bindings().iter().map(|binding| (binding.tensor, binding.offset));
            assert!(
                bound.eq((0..op.inputs().len() + op.outputs().len()).map(|tensor| (tensor, 0))),
                "the script binds whole operands and then results"
            );
            put(&format!("params.{i}"), bytemuck::bytes_of(&part.params));
            dispatches.extend(part.dispatches().map(|dispatch| {
                let [x, y, z] = dispatch.workgroups;
                format!("{}:{i}:{x}:{y}:{z}", dispatch.entry_point())
            }));
        }
        let sizes: Vec<_> = (0..op.outputs().len())
            .map(|output| self.size(output).to_string())
            .collect();
        format!(
            "{name}\t{}\t{}\t{}\n",
            operands.len(),
            sizes.join(" "),
            dispatches.join(" ")
        )
    }

    /// Returns the bytes of an output after checking its guard.
    fn actual(&self, folder: &Path, output: usize) -> Vec<u8> {
        let mut bytes = fs::read(folder.join(format!("{}.actual.{output}", self.name))).unwrap();
        let guard = bytes.split_off(self.size(output));
        assert!(
            guard.len() >= GUARD && guard.iter().all(|&byte| byte == SENTINEL),
            "wrote after its end"
        );
        bytes
    }

    /// Compares what the script wrote; returns how many results were compared, and how many are wrong.
    fn compare(&self, folder: &Path) -> [u64; 2] {
        let results: Vec<_> = (0..self.op.outputs().len())
            .map(|output| self.actual(folder, output))
            .collect();
        let results: Vec<&[u8]> = results.iter().map(Vec::as_slice).collect();
        let mut inputs = self.operands.clone();
        let before = vec![SENTINEL; self.size(0)];
        if self.op.name() == "backward_accumulate" {
            inputs.push(&before);
        }
        let found = cpu::compare(self.op, self.dtype, &inputs, &results).unwrap();
        println!(
            "{:<42} {} results, {} differ ({} subnormals as zero)",
            self.name, found.compared, found.differing, found.flushed
        );
        if let Some(first) = found.first {
            println!("{first}");
        }
        [found.compared, found.differing]
    }
}

/// Operands of a broadcast gate: its numbers, or with their bytes those of a look-up and its table.
struct Gated<T> {
    gate: BroadcastGate,
    a: Vec<T>,
    b: Vec<T>,
    g: Vec<T>,
}

impl<T: Scalar> Gated<T> {
    fn new(outer: usize, middle: u32, inner: u32) -> Self {
        let gate = BroadcastGate::new(HardSigmoid::PYTORCH, middle, inner).unwrap();
        let of = |len: usize, step: usize| {
            let number = |i: usize| T::from_f32((i * step % 8191) as f32 / 1024.0 - 3.9);
            (0..len).map(number).collect()
        };
        Self {
            gate,
            a: of(outer * gate.row() as usize, 7919),
            b: of(outer * gate.inner() as usize, 5003),
            g: of(outer * gate.row() as usize, 3571),
        }
    }

    fn cases(&self) -> [Case<'_>; 2] {
        let Self { gate, a, b, g } = self;
        let [a, b, g] = [a, b, g].map(|values| bytemuck::cast_slice(values));
        let case = |op: Op, operands| Case {
            name: format!("{}-{}x{}-{}", op.name(), gate.middle(), gate.inner(), T::DTYPE),
            op,
            dtype: T::DTYPE,
            operands,
        };
        [
            case(Op::GateBroadcast(*gate), vec![a, b]),
            case(Op::GateBroadcastSums(*gate), vec![a, b, g]),
        ]
    }
}

/// Look-ups of all bytes, of all pairs of them, and in each of the shapes.
fn lookups<'a>(x: &'a [u8], table: &'a [u8]) -> Vec<Case<'a>> {
    let case = |name: String, op, operands| Case {
        name,
        op,
        dtype: DType::U8,
        operands,
    };
    let gate = |(outer, middle, inner): (usize, u32, u32)| {
        let shape = Broadcast::new(middle, inner).unwrap();
        let [a, b] = [shape.row(), inner].map(|len| &x[..outer * len as usize]);
        let name = format!("lookup_gate-{middle}x{inner}");
        case(name, Op::LookupGate(shape), vec![a, b, table])
    };
    let all_pairs = (256, 256, 1);
    let gates = SHAPES.into_iter().chain([all_pairs]).map(gate);
    let plain = case("lookup".into(), Op::Lookup, vec![&x[..1003], &table[..256]]);
    gates.chain([plain]).collect()
}

/// Somebody else's kernel that calls the functions of an operation, straight after arithmetic if it multiplies.
struct Function<'a, T> {
    op: Op,
    number: Number,
    operands: [&'a [T]; 3],
}

impl<T: Scalar> Function<'_, T> {
    fn name(&self) -> String {
        format!("function-{}-{}", named(self.op), self.number)
    }

    /// An invocation computes an f32, or two halves.
    fn invocations(&self) -> usize {
        let len = self.operands[0].len();
        if self.number == Number::F32 { len } else { len / 2 }
    }

    fn write(&self, folder: &Path) -> String {
        let Self { op, number, operands } = *self;
        let options = Options {
            number,
            ..Default::default()
        };
        let (kernel, numbers) = outside::kernel(op, &options, self.invocations(), None);
        let text = wgsl::scalar(op, &options).unwrap() + &kernel;
        let name = self.name();
        let put = |suffix: &str, bytes: &[u8]| fs::write(folder.join(format!("{name}.{suffix}")), bytes).unwrap();
        put("wgsl", text.as_bytes());
        put("0", bytemuck::cast_slice(&operands.concat()));
        put("params.0", bytemuck::cast_slice(&numbers));
        let size = op.outputs().len() * size_of_val(operands[0]);
        let [x, y] = [ROW / 64, self.invocations() / ROW];
        assert_eq!(self.invocations() % ROW, 0);
        format!("{name}\t1\t{size}\tmine:0:{x}:{y}:1\n")
    }

    /// Compares what the script wrote, as [`Case::compare`] does.
    fn compare(&self, folder: &Path) -> [u64; 2] {
        let Self { op, operands, .. } = *self;
        let name = self.name();
        let mut bytes = fs::read(folder.join(format!("{name}.actual.0"))).unwrap();
        let size = size_of_val(operands[0]);
        let guard = bytes.split_off(op.outputs().len() * size);
        assert!(guard.len() >= GUARD && guard.iter().all(|&byte| byte == SENTINEL));
        let (mut compared, mut wrong) = (0, 0);
        for (output, actual) in bytes.chunks(size).enumerate() {
            let actual: Vec<T> = bytemuck::pod_collect_to_vec(actual);
            for (index, &actual) in actual.iter().enumerate() {
                let element = Element {
                    operands: operands.map(|operand| operand[index]),
                    before: operands[2][index],
                    index: index as u64,
                };
                compared += 1;
                wrong += u64::from(element.compare(op, output, actual) == Difference::Wrong);
            }
        }
        println!("{name:<42} {compared} results, {wrong} differ");
        [compared, wrong]
    }
}

/// Shapes with channels first and last (outer, middle, inner), with odd lengths and in whole vectors, and with more steps than
/// partial sums.
const SHAPES: [(usize, u32, u32); 4] = [(37, 197, 1), (5, 131, 33), (37, 200, 1), (5, 131, 40)];

/// All cases that are compared with one type.
struct Cases<'a, T> {
    elementwise: Vec<Case<'a>>,
    gated: [Gated<T>; SHAPES.len()],
    functions: Vec<Function<'a, T>>,
}

impl<'a, T: Scalar> Cases<'a, T> {
    fn new(operations: &[Op], x: &'a [T], g: &'a [T]) -> Self {
        let (number, row) = match T::DTYPE {
            DType::F32 => (Number::F32, ROW),
            DType::F16 => (Number::PackedF16, 2 * ROW),
            DType::Bf16 => (Number::PackedBf16, 2 * ROW),
            DType::U8 => unreachable!("bytes are no Scalar"),
        };
        // As many numbers as fill rows of the grid.
        let whole = x.len() / row * row;
        assert!(whole > 0);
        let has_function = |op: &&Op| wgsl::scalar(**op, &Options::default()).is_ok();
        let function = |op: &Op| Function {
            op: *op,
            number,
            operands: [&x[..whole], &g[..whole], &x[x.len() - whole..]],
        };
        Self {
            functions: operations.iter().filter(has_function).map(function).collect(),
            elementwise: operations.iter().map(|&op| Case::new(op, x, g)).collect(),
            gated: SHAPES.map(|(outer, middle, inner)| Gated::new(outer, middle, inner)),
        }
    }

    /// Calls [`Case::write`] for each case.
    fn write(&self, folder: &Path) -> String {
        let gated = self.gated.iter().flat_map(Gated::cases);
        let elementwise = self.elementwise.iter().map(|case| case.write(folder));
        let functions = self.functions.iter().map(|function| function.write(folder));
        let gated = gated.map(|case| case.write(folder));
        elementwise.chain(gated).chain(functions).collect()
    }

    /// Calls [`Case::compare`] for each case.
    fn compare(&self, folder: &Path) -> Vec<[u64; 2]> {
        let gated = self
            .gated
            .iter()
            .flat_map(Gated::cases)
            .map(|case| case.compare(folder));
        let elementwise = self.elementwise.iter().map(|case| case.compare(folder));
        let functions = self.functions.iter().map(|function| function.compare(folder));
        elementwise.chain(gated).chain(functions).collect()
    }
}

/// Every bit pattern except one, so that there is a tail with half a word.
fn all_halves<T: Scalar>(of: fn(u16) -> T) -> [Vec<T>; 2] {
    let other = |i: u16| of(i.wrapping_mul(0x9e37).wrapping_add(0x1234));
    [(0..u16::MAX).map(of).collect(), (0..u16::MAX).map(other).collect()]
}

/// Forward and backward with every preset, and every other operation with the one that divides.
fn operations() -> Vec<Op> {
    let presets = HardSigmoid::PRESETS.iter().map(|preset| preset.definition);
    let both = presets.flat_map(|d| [Unary::Forward(d).into(), Binary::Backward(d).into()]);
    let others = Op::all(HardSigmoid::PYTORCH).into_iter();
    // Bits aren't numbers, so unpacking has no operands here. Broadcast gates have theirs in `Gated`, and look-ups have bytes.
    let elsewhere = ["forward", "backward", "unpack", "lookup"];
    let others = others.filter(|op| !elsewhere.contains(&op.name()) && op.broadcast().is_none());
    // The draws of a sample begin within a block of the random stream. One element further on they begin with a block.
    let draws = others
        .clone()
        .filter(|op| op.advanced(1) != *op)
        .map(|op| op.advanced(1));
    both.chain(others).chain(draws).collect()
}

#[test]
#[ignore = "needs Node, Dawn and a driver that Dawn accepts: ./test.sh tint"]
fn tint_gives_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (x, g) = (npy(golden("x.npy")), npy(golden("g.npy")));
    let ([x16, g16], [xb, gb]) = (all_halves(f16::from_bits), all_halves(bf16::from_bits));
    let operations = operations();
    let of_f32 = Cases::new(&operations, &x, &g);
    let of_f16 = Cases::new(&operations, &x16, &g16);
    let of_bf16 = Cases::new(&operations, &xb, &gb);
    let bytes: Vec<u8> = (0..1 << 16_u32).map(|i| (i ^ i >> 8) as u8).collect();
    let table: Vec<u8> = (0..1 << 16_u32)
        .map(|i: u32| (i.wrapping_mul(0x9e37_79b1) >> 24) as u8)
        .collect();
    let lookups = lookups(&bytes, &table);
    let lines = [of_f32.write(folder), of_f16.write(folder), of_bf16.write(folder)];
    let of_bytes: String = lookups.iter().map(|case| case.write(folder)).collect();
    fs::write(folder.join("cases"), lines.concat() + &of_bytes).unwrap();

    let modules = std::env::var("HARD_SIGMOID_NODE_MODULES").expect("set by test.sh");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tint/run.mjs");
    let status = Command::new("node").arg(script).arg(folder).arg(modules).status();
    assert!(status.expect("node is installed").success());

    let of_bytes = lookups.iter().map(|case| case.compare(folder)).collect();
    let counts = [
        of_f32.compare(folder),
        of_f16.compare(folder),
        of_bf16.compare(folder),
        of_bytes,
    ]
    .concat();
    let [compared, wrong] = [0, 1].map(|i| counts.iter().map(|count| count[i]).sum::<u64>());
    println!("{} cases, {compared} results, {wrong} differ", counts.len());
    let functions = of_f32.functions.len();
    assert!(functions > 20, "{functions}");
    assert_eq!(
        (counts.len(), wrong),
        (
            3 * (operations.len() + 2 * SHAPES.len() + functions) + SHAPES.len() + 2,
            0
        )
    );

    println!("the results of another definition, which have to differ:");
    let mut other = Case::new(Unary::Forward(HardSigmoid::JAX).into(), &x, &g);
    other.name = Case::new(Unary::Forward(HardSigmoid::PYTORCH).into(), &x, &g).name;
    assert!(other.compare(folder)[1] > 0);
    println!("the results of another table, which have to differ:");
    let mut other = lookups.into_iter().last().expect("the plain one");
    other.operands[1] = &table[256..512];
    assert!(other.compare(folder)[1] > 0);
}
