//! Computes the tables of `docs/definitions.md`. A test compares them with the page.

use crate::eight_bits;
use hard_sigmoid::{HardSigmoid, KinkRule};
use hard_sigmoid_cli::{curves::logistic, out::Out};
use std::io::{Result, Write};

pub fn print(out: &mut Out) -> Result<()> {
    properties(out)?;
    errors(out)?;
    dead(out)?;
    pairs(out)?;
    sixths(out)?;
    eight_bits::print(out)
}

fn names() -> impl Iterator<Item = (&'static str, HardSigmoid)> {
    HardSigmoid::PRESETS
        .iter()
        .map(|preset| (preset.name, preset.definition))
}

fn properties(out: &mut Out) -> Result<()> {
    writeln!(
        out,
        "| preset | y | kinks | slope | y(0) | dy/dx at a kink | one f32 step inside the upper kink |"
    )?;
    writeln!(out, "|---|---|---|---|---|---|---|")?;
    for (name, definition) in names() {
        let (low, high) = definition.kinks().expect("no preset is constant");
        let at = definition.backward(high, 1.0);
        let inside = definition.backward(high.next_down(), 1.0);
        let (formula, slope, middle) = (definition.formula(), definition.slope(), definition.forward(0.0));
        writeln!(
            out,
            "| {name} | {formula} | {low}, {high} | {slope} | {middle} | {at} | {inside} |"
        )?;
    }
    Ok(())
}

/// Steps of 1/4096 in [-range, range].
fn even(range: i32) -> impl Iterator<Item = f64> + Clone {
    (-range * 4096..=range * 4096).map(|i| f64::from(i) / 4096.0)
}

/// The largest and the mean of |`of`| in [-range, range].
fn distance(range: i32, of: impl Fn(f64) -> f64) -> String {
    let all: Vec<f64> = even(range).map(|x| of(x).abs()).collect();
    let largest = all.iter().copied().fold(0.0, f64::max);
    let mean = all.iter().sum::<f64>() / all.len() as f64;
    format!("{largest:.3}, {mean:.3}")
}

fn errors(out: &mut Out) -> Result<()> {
    writeln!(
        out,
        "\n| from the logistic sigmoid: largest, mean | y in [-1, 1] | y in [-4, 4] | y in [-8, 8] | dy/dx in [-4, 4] |"
    )?;
    writeln!(out, "|---|---|---|---|---|")?;
    for (name, definition) in names() {
        let of_value = |x| f64::from(definition.forward(x as f32)) - logistic(x);
        let of_gradient = |x| f64::from(definition.backward(x as f32, 1.0)) - logistic(x) * (1.0 - logistic(x));
        let values = [1, 4, 8].map(|range| distance(range, of_value)).join(" | ");
        writeln!(out, "| {name} | {values} | {} |", distance(4, of_gradient))?;
    }
    Ok(())
}

/// The share of a normal distribution in which the gradient is 0.
fn dead_share(definition: HardSigmoid, deviation: f64) -> f64 {
    let density = |x: f64| (-0.5 * (x / deviation).powi(2)).exp();
    // The sum ends at ten times the widest deviation.
    let (mut dead, mut all) = (0.0, 0.0);
    for x in even(50).map(|x| x + 0.5 / 4096.0) {
        all += density(x);
        if definition.backward(x as f32, 1.0) == 0.0 {
            dead += density(x);
        }
    }
    dead / all
}

fn dead(out: &mut Out) -> Result<()> {
    writeln!(
        out,
        "\n| gradient 0 | beyond | of N(0, 1) | of N(0, 2²) | of N(0, 5²) |"
    )?;
    writeln!(out, "|---|---|---|---|---|")?;
    for (name, definition) in names() {
        let (_, high) = definition.kinks().expect("no preset is constant");
        let shares = [1.0, 2.0, 5.0].map(|deviation| format!("{:.1} %", 100.0 * dead_share(definition, deviation)));
        writeln!(out, "| {name} | ±{high} | {} |", shares.join(" | "))?;
    }
    Ok(())
}

fn pairs(out: &mut Out) -> Result<()> {
    writeln!(
        out,
        "\n| largest difference of y | {} |",
        names().map(|(name, _)| name).collect::<Vec<_>>().join(" | ")
    )?;
    writeln!(out, "|{}", "---|".repeat(names().count() + 1))?;
    for (name, a) in names() {
        let cell = |(_, b): (&str, HardSigmoid)| {
            let difference = |x: f64| (a.forward(x as f32) - b.forward(x as f32)).abs();
            let largest = even(4).map(difference).fold(0.0, f32::max);
            match largest {
                0.0 => "0".into(),
                _ if largest < 1e-3 => format!("{largest:.1e}"),
                _ => format!("{largest:.3}"),
            }
        };
        writeln!(
            out,
            "| {name} | {} |",
            names().map(cell).collect::<Vec<_>>().join(" | ")
        )?;
    }
    Ok(())
}

/// The definitions that are (x + 3) / 6 on paper.
fn sixths(out: &mut Out) -> Result<()> {
    let sixth = |alpha| HardSigmoid::affine(alpha, 0.5, KinkRule::Strict).expect("it is finite");
    let forms = [
        ("(x + 3) · (1/6), `JAX`", HardSigmoid::JAX),
        ("x · (1/6) + 0.5, `affine(0.16666667, 0.5)`", sixth(1.0 / 6.0)),
        ("x · 0.1666667 + 0.5, PaddlePaddle's default", sixth(0.166_666_7)),
        ("x · 0.167 + 0.5", sixth(0.167)),
    ];
    // 2^22 pseudorandom numbers, and the numbers next to the lower kink.
    let random = (0..1u32 << 22).map(|i| f64::from(i.wrapping_mul(0x9e37_79b9)) / 2f64.powi(32));
    let random = random.map(|u| (6.0 * u - 3.0) as f32);
    let beside = (1..=4096).map(|i| f32::from_bits((-3.0_f32).to_bits() - i));
    writeln!(
        out,
        "\n| form, compared with (x + 3) / 6 (`PYTORCH`) | other bits in (-3, 3) | largest difference | largest relative difference |"
    )?;
    writeln!(out, "|---|---|---|---|")?;
    for (name, definition) in forms {
        let (mut differing, mut largest, mut relative) = (0, 0.0_f32, 0.0_f32);
        let count = random.clone().count();
        for (i, x) in random.clone().chain(beside.clone()).enumerate() {
            let (expected, y) = (HardSigmoid::PYTORCH.forward(x), definition.forward(x));
            differing += usize::from(i < count && y.to_bits() != expected.to_bits());
            largest = largest.max((y - expected).abs());
            relative = relative.max((y - expected).abs() / expected);
        }
        let share = 100.0 * differing as f64 / count as f64;
        let relative = match relative {
            1.0 => "1: y is 0".into(),
            _ => format!("{relative:.1e}"),
        };
        writeln!(out, "| {name} | {share:.1} % | {largest:.1e} | {relative} |")?;
    }
    Ok(())
}
