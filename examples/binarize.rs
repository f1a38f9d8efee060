//! Binarizes the pre-activations of a small network, packs the signs into bits, and unpacks them.
//!
//! This is the use of Courbariaux's hard sigmoid: a number becomes +1 with probability p = clamp((x + 1) / 2, 0, 1), else -1.
//!
//! ```sh
//! cargo run --release --example binarize
//! cargo run --release --example binarize -- --device gpu
//! ```

use hard_sigmoid::{
    Binarization, HardSigmoid, Unary, cpu,
    offload::{Offload, Target, block_on},
};
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let target = match arguments[..] {
        [] => Target::default(),
        ["--device", device] => device.parse()?,
        ["--help" | "-h"] => {
            println!(
                "usage: binarize [--device auto|gpu|cpu]\n\nDraws signs for real pre-activations, and counts them."
            );
            return Ok(());
        }
        [given, ..] => return Err(format!("{given}: the only arguments are --device auto|gpu|cpu, and --help").into()),
    };
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/digits.x.npy");
    let x: Vec<f32> = npyz::NpyFile::new(&std::fs::read(path)?[..])?.into_vec()?;
    let len = x.len();
    let offload = block_on(Offload::new(target))?;
    println!("device:        {offload}");
    println!("input:         {len} pre-activations of a network trained on handwritten digits");

    let plus = |y: &[f32]| 100.0 * y.iter().filter(|y| **y > 0.0).count() as f64 / len as f64;
    let mut y = vec![0.0; len];
    block_on(offload.unary(Unary::binarize(Binarization::Deterministic, 1.0)?, &x, &mut y))?;
    println!("deterministic: {:.3} % are +1", plus(&y));

    // A seed and an offset give the same signs on every device. Each element takes one random word, so another draw
    // needs another seed, or an offset that is at least `len` larger.
    let stochastic = Binarization::Stochastic {
        probability: HardSigmoid::COURBARIAUX,
        seed: 42,
        offset: 0,
    };
    let draw = Unary::binarize(stochastic, 1.0)?;
    block_on(offload.unary(draw, &x, &mut y))?;
    let mut p = vec![0.0; len];
    block_on(offload.unary(Unary::Forward(HardSigmoid::COURBARIAUX), &x, &mut p))?;
    let mean_p = p.iter().map(|&p| f64::from(p)).sum::<f64>() / len as f64;
    println!(
        "stochastic:    {:.3} % are +1 in one draw, the mean of p is {:.3} %",
        plus(&y),
        100.0 * mean_p
    );

    // Pack the signs of this draw, 32 to a word.
    let mut bits = vec![0; len.div_ceil(32)];
    block_on(offload.pack(stochastic, &x, &mut bits))?;
    let mut unpacked = vec![0.0; len];
    block_on(offload.unpack(1.0, &bits, &mut unpacked))?;
    let mut on_cpu = vec![0.0; len];
    cpu::unary(draw, &x, &mut on_cpu)?;
    let differing = |other: &[f32]| y.iter().zip(other).filter(|(a, b)| a.to_bits() != b.to_bits()).count();
    println!(
        "packed:        {} bytes as f32, {} bytes as bits; unpacked, {} differ; from the CPU path, {} differ",
        size_of_val(&y[..]),
        size_of_val(&bits[..]),
        differing(&unpacked),
        differing(&on_cpu)
    );
    if differing(&unpacked) + differing(&on_cpu) > 0 {
        return Err("the signs differ".into());
    }
    Ok(())
}
