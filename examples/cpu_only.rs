//! Prints definitions and their gradients with the CPU path alone: no device, no wgpu objects.
//!
//! `cargo run --release --example cpu_only`

use hard_sigmoid::{Binary, HardSigmoid, KinkRule, Unary, cpu};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if std::env::args().len() > 1 {
        println!("usage: cpu_only\n\nPrints y and dx of every preset at a few x, on the CPU.");
        return Ok(());
    }
    let x = [-3.0_f32, -2.5, -1.0, 0.0, 1.0, 2.5, 3.0, f32::NAN];
    print!("{:<22}", "x");
    println!("{}", row(&x));
    let steep = HardSigmoid::affine(0.4, 0.5, KinkRule::Strict)?;
    for definition in HardSigmoid::PRESETS
        .iter()
        .map(|preset| preset.definition)
        .chain([steep])
    {
        let mut y = [0.0_f32; 8];
        cpu::unary(Unary::Forward(definition), &x, &mut y)?;
        // With an upstream gradient of 1, the gradient is the slope.
        let mut slope = [1.0_f32; 8];
        cpu::binary_in_place(Binary::Backward(definition), &x, &mut slope)?;
        println!("{definition:<22}{}", row(&y));
        println!("{:<22}{}", "  gradient", row(&slope));
    }
    Ok(())
}

fn row(values: &[f32]) -> String {
    values.iter().map(|value| format!("{value:>9.4}")).collect()
}
