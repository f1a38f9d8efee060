//! The kernels through Tint, Chrome's WGSL compiler, in Dawn under Node: `./test.sh tint`.

#[path = "common/mod.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod common;

use common::{golden, npy};
use hard_sigmoid::{
    Binarization, HardSigmoid, Kernel, Params, Scalar, cpu,
    half::{bf16, f16},
    wgsl_kernel,
};
use std::{fs, path::Path, process::Command};

const DRAWS: Binarization = Binarization::stochastic(11, 5);

/// Writes what `run.mjs` needs of a kernel: text, parameters, inputs, expected outputs; and a line about it.
fn write<T: Scalar>(folder: &Path, cases: &mut String, kernel: Kernel, definition: HardSigmoid, x: &[T], g: &[T]) {
    let len = x.len() as u32;
    // What the script fills outputs with, to which `backward_accumulate` adds.
    let before: T = bytemuck::pod_read_unaligned(&[0xab; 4][..size_of::<T>()]);
    let (mut y, mut second) = (vec![before; x.len()], vec![before; x.len()]);
    let mut bits = vec![0xabab_abab_u32; x.len().div_ceil(32)];
    let (entry, inputs, done): (_, &[&[T]], _) = match kernel {
        Kernel::Forward => ("unary", &[x], cpu::forward(definition, x, &mut y)),
        Kernel::HardSwish => ("unary", &[x], cpu::hard_swish(definition, x, &mut y)),
        Kernel::Binarize => ("unary", &[x], cpu::binarize(DRAWS, 1.0, x, &mut y)),
        Kernel::Backward => ("binary", &[x, g], cpu::backward(definition, x, g, &mut y)),
        Kernel::HardSwishBackward => ("binary", &[x, g], cpu::hard_swish_backward(definition, x, g, &mut y)),
        Kernel::BackwardAccumulate => ("binary", &[x, g], cpu::backward_accumulate(definition, x, g, &mut y)),
        Kernel::Gate => ("binary", &[x, g], cpu::gate(definition, g, x, &mut y)),
        Kernel::GateBackward => {
            let done = cpu::gate_backward(definition, g, x, g, &mut y, &mut second);
            ("gate_backward", &[x, g, g], done)
        }
        Kernel::BinarizePacked => ("binarize_packed", &[x], cpu::binarize_packed(DRAWS, x, &mut bits)),
        other => panic!("{other:?} isn't among the cases"),
    };
    done.unwrap();
    let is_drawn = matches!(kernel, Kernel::Binarize | Kernel::BinarizePacked);
    let (per_invocation, outputs, element): (u32, Vec<&[u8]>, _) = match kernel {
        Kernel::BinarizePacked => (32, vec![bytemuck::cast_slice(&bits)], "bits".into()),
        Kernel::GateBackward => {
            let outputs = [&y, &second].map(|output| bytemuck::cast_slice(output));
            (16 / T::ELEMENT.size() as u32, outputs.into(), T::ELEMENT.to_string())
        }
        _ => (
            16 / T::ELEMENT.size() as u32,
            vec![bytemuck::cast_slice(&y)],
            T::ELEMENT.to_string(),
        ),
    };
    let groups = (len / per_invocation).div_ceil(256);
    let params = if is_drawn {
        Params::binarize(DRAWS, 1.0, len, groups * 256)
    } else {
        Params::new(definition, len, groups * 256)
    };
    let name = format!("{}-{}-{}", definition.name(), kernel.name(), T::ELEMENT);
    let put = |suffix: &str, bytes: &[u8]| fs::write(folder.join(format!("{name}.{suffix}")), bytes).unwrap();
    put("wgsl", wgsl_kernel(kernel, definition, is_drawn, T::ELEMENT).as_bytes());
    put("params", bytemuck::bytes_of(&params));
    for (i, output) in outputs.iter().enumerate() {
        put(&format!("expected.{i}"), output);
    }
    for (i, input) in inputs.iter().enumerate() {
        put(&i.to_string(), bytemuck::cast_slice(input));
    }
    let tail = !len.is_multiple_of(per_invocation);
    let (inputs, outputs) = (inputs.len(), outputs.len());
    *cases += &format!("{name}\t{element}\t{entry}\t{inputs}\t{outputs}\t{groups}\t{tail}\n");
}

/// Every bit pattern, but one, so that there is a tail with half a word.
fn all_halves<T: Scalar>(of: fn(u16) -> T) -> [Vec<T>; 2] {
    let other = |i: u16| of(i.wrapping_mul(0x9e37).wrapping_add(0x1234));
    [(0..u16::MAX).map(of).collect(), (0..u16::MAX).map(other).collect()]
}

#[test]
#[ignore = "needs Node, Dawn and a driver that Dawn accepts: ./test.sh tint"]
fn tint_gives_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let mut cases = String::new();
    let (x, g) = (npy(golden("x.npy")), npy(golden("g.npy")));
    let ([x16, g16], [xb, gb]) = (all_halves(f16::from_bits), all_halves(bf16::from_bits));
    for preset in &HardSigmoid::PRESETS {
        for kernel in [Kernel::Forward, Kernel::Backward] {
            write(folder.path(), &mut cases, kernel, preset.definition, &x, &g);
            write(folder.path(), &mut cases, kernel, preset.definition, &x16, &g16);
            write(folder.path(), &mut cases, kernel, preset.definition, &xb, &gb);
        }
    }
    let others = [
        Kernel::HardSwish,
        Kernel::BackwardAccumulate,
        Kernel::Gate,
        Kernel::GateBackward,
    ];
    for kernel in others {
        write(folder.path(), &mut cases, kernel, HardSigmoid::PYTORCH, &x, &g);
        write(folder.path(), &mut cases, kernel, HardSigmoid::PYTORCH, &x16, &g16);
    }
    // Not in f32, where its sum may have a subnormal operand that counts as zero: that is compared in tests/gpu.
    write(
        folder.path(),
        &mut cases,
        Kernel::HardSwishBackward,
        HardSigmoid::PYTORCH,
        &x16,
        &g16,
    );
    // The probability of a draw.
    let definition = HardSigmoid::COURBARIAUX;
    for kernel in [Kernel::Binarize, Kernel::BinarizePacked] {
        write(folder.path(), &mut cases, kernel, definition, &x, &g);
        write(folder.path(), &mut cases, kernel, definition, &xb, &gb);
    }
    assert_eq!(cases.lines().count(), 49);
    fs::write(folder.path().join("cases"), cases).unwrap();

    let modules = std::env::var("HARD_SIGMOID_NODE_MODULES").expect("set by test.sh");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tint/run.mjs");
    let status = Command::new("node")
        .arg(script)
        .arg(folder.path())
        .arg(modules)
        .status();
    assert!(status.expect("node is installed").success());
}
