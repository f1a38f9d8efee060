//! The kernels through Tint, Chrome's WGSL compiler, in Dawn under Node: `./test.sh tint`.

#[path = "common/mod.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod common;

use common::{golden, npy};
use hard_sigmoid::{
    Binary, Difference, Element, HardSigmoid, Op, Other, Scalar, Unary, bf16, f16,
    plan::{Limits, Operand, Placement, Plan},
    wgsl,
};
use std::{fs, path::Path, process::Command};

/// A launch for Dawn.
struct Case<'a, T> {
    name: String,
    op: Op,
    operands: Vec<&'a [T]>,
}

/// What the script fills outputs with, and what follows them.
const SENTINEL: u8 = 0xab;
const GUARD: usize = 16;

impl<'a, T: Scalar> Case<'a, T> {
    /// The hard sigmoid is that of `x`; what goes through a gate is `g`.
    fn new(op: Op, x: &'a [T], g: &'a [T]) -> Self {
        let operands = match op.inputs() {
            ["x"] => vec![x],
            ["a", "b"] => vec![g, x],
            ["a", "b", "g"] => vec![g, x, g],
            ["x" | "y", "g"] => vec![x, g],
            other => panic!("no operands for {other:?}"),
        };
        let of = op.definition().map_or("any", HardSigmoid::name);
        let mut name = format!("{of}-{}-{}", op.name(), T::DTYPE);
        if let Op::Binary(Binary::StraightThrough(estimator)) = op {
            name += &format!("-{estimator:?}");
        }
        Self { name, op, operands }
    }

    fn packs(&self) -> bool {
        matches!(self.op, Op::Other(Other::Pack(_)))
    }

    /// Bytes of an output.
    fn size(&self) -> usize {
        match self.packs() {
            true => self.operands[0].len().div_ceil(32) * 4,
            false => size_of_val(self.operands[0]),
        }
    }

    /// Writes text, parameters and operands, all as the plan says, and a line about them.
    fn write(&self, folder: &Path) -> String {
        let Self { name, op, operands } = self;
        let (len, placement) = (operands[0].len() as u64, Placement::Separate);
        let plan = Plan::new(*op, T::DTYPE, placement, len, &Limits::default()).unwrap();
        let [part] = plan.parts().collect::<Vec<_>>()[..] else {
            panic!("{name} takes one part")
        };
        let put = |suffix: &str, bytes: &[u8]| fs::write(folder.join(format!("{name}.{suffix}")), bytes).unwrap();
        put("wgsl", wgsl::kernel(*op, T::DTYPE, placement).as_bytes());
        put("params", bytemuck::bytes_of(&part.params));
        for (i, operand) in operands.iter().enumerate() {
            put(&i.to_string(), bytemuck::cast_slice(operand));
        }
        let bound = part.bindings().iter().map(|binding| binding.operand);
        let inputs = (0..op.inputs().len()).map(Operand::Input);
        let outputs = (0..op.outputs().len()).map(Operand::Output);
        assert!(
            bound.eq(inputs.chain(outputs)),
            "the script binds operands and then results"
        );
        let sizes = vec![self.size().to_string(); op.outputs().len()].join(" ");
        let dispatches = part.dispatches().map(|dispatch| {
            let [x, y, z] = dispatch.workgroups;
            format!("{}:{x}:{y}:{z}", dispatch.entry_point)
        });
        let dispatches = dispatches.collect::<Vec<_>>().join(" ");
        format!("{name}\t{}\t{sizes}\t{dispatches}\n", operands.len())
    }

    /// Compares what the script wrote; returns how many results were compared, and how many are wrong.
    fn compare(&self, folder: &Path) -> [usize; 2] {
        let (mut compared, mut wrong, mut subnormal) = (0, 0, 0);
        for output in 0..self.op.outputs().len() {
            let bytes = fs::read(folder.join(format!("{}.actual.{output}", self.name))).unwrap();
            let (actual, guard) = bytes.split_at(self.size());
            assert!(
                guard.len() >= GUARD && guard.iter().all(|&byte| byte == SENTINEL),
                "wrote after its end"
            );
            let before: T = bytemuck::pod_read_unaligned(&[SENTINEL; 4][..size_of::<T>()]);
            let actual: Vec<T> = if self.packs() {
                let words: Vec<u32> = bytemuck::pod_collect_to_vec(actual);
                let sign = |i: usize| T::from_f32(if words[i / 32] >> (i % 32) & 1 == 1 { 1.0 } else { -1.0 });
                (0..self.operands[0].len()).map(sign).collect()
            } else {
                bytemuck::pod_collect_to_vec(actual)
            };
            for (index, &actual) in actual.iter().enumerate() {
                let operand = |i: usize| self.operands.get(i).map_or(before, |operand| operand[index]);
                let element = Element {
                    operands: std::array::from_fn(operand),
                    before,
                    index: index as u64,
                };
                compared += 1;
                match element.compare(self.op, output, actual) {
                    Difference::None => {}
                    Difference::Subnormal => subnormal += 1,
                    Difference::Wrong => wrong += 1,
                }
            }
        }
        println!(
            "{:<42} {compared} results, {wrong} differ ({subnormal} subnormals as zero)",
            self.name
        );
        [compared, wrong]
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
    // Bits aren't numbers, so unpacking has no operands here.
    let others = others.filter(|op| !["forward", "backward", "unpack"].contains(&op.name()));
    both.chain(others).collect()
}

#[test]
#[ignore = "needs Node, Dawn and a driver that Dawn accepts: ./test.sh tint"]
fn tint_gives_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (x, g) = (npy(golden("x.npy")), npy(golden("g.npy")));
    let ([x16, g16], [xb, gb]) = (all_halves(f16::from_bits), all_halves(bf16::from_bits));
    let operations = operations();
    let of_f32: Vec<_> = operations.iter().map(|&op| Case::new(op, &x, &g)).collect();
    let of_f16: Vec<_> = operations.iter().map(|&op| Case::new(op, &x16, &g16)).collect();
    let of_bf16: Vec<_> = operations.iter().map(|&op| Case::new(op, &xb, &gb)).collect();
    let lines = of_f32.iter().map(|case| case.write(folder));
    let lines = lines.chain(of_f16.iter().map(|case| case.write(folder)));
    let lines: Vec<_> = lines.chain(of_bf16.iter().map(|case| case.write(folder))).collect();
    fs::write(folder.join("cases"), lines.concat()).unwrap();

    let modules = std::env::var("HARD_SIGMOID_NODE_MODULES").expect("set by test.sh");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tint/run.mjs");
    let status = Command::new("node").arg(script).arg(folder).arg(modules).status();
    assert!(status.expect("node is installed").success());

    let counts = of_f32.iter().map(|case| case.compare(folder));
    let counts = counts.chain(of_f16.iter().map(|case| case.compare(folder)));
    let counts: Vec<_> = counts.chain(of_bf16.iter().map(|case| case.compare(folder))).collect();
    let [compared, wrong] = [0, 1].map(|i| counts.iter().map(|count| count[i]).sum::<usize>());
    println!("{} cases, {compared} results, {wrong} differ", counts.len());
    assert_eq!((counts.len(), wrong), (3 * operations.len(), 0));

    println!("and as they have to be seen, the results of another definition:");
    let mut other = Case::new(Unary::Forward(HardSigmoid::JAX).into(), &x, &g);
    other.name = Case::new(Unary::Forward(HardSigmoid::PYTORCH).into(), &x, &g).name;
    assert!(other.compare(folder)[1] > 0);
}
