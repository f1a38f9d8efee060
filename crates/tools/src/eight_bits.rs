//! The tables of `docs/definitions.md` about quantized functions.

use hard_sigmoid::{Byte, HardSigmoid, KinkRule, Quantization, Quantized, Rounding, Unary};
use hard_sigmoid_cli::out::Out;
use std::io::{Result, Write};

pub fn print(out: &mut Out) -> Result<()> {
    roundings(out)?;
    mistaken(out)
}

/// What x and y of an operation stand for.
type Tensors = [Quantization; 2];
type Table = [u8; 256];

/// ONNX's hard sigmoid of MobileNetV3, as exporters write it.
fn sixth() -> HardSigmoid {
    HardSigmoid::affine(1.0 / 6.0, 0.5, KinkRule::Strict).expect("it is finite")
}

fn table(op: Unary, [x, y]: Tensors, rounding: Rounding) -> Table {
    let quantized = Quantized::new(op, x, y, rounding);
    quantized.expect("these scales are those of a network").table()
}

fn onnx(op: Unary, tensors: Tensors) -> Table {
    table(op, tensors, Rounding::Onnx)
}

/// PyTorch's code for the elements that are left over after its vectors.
fn pytorch_single(op: Unary, [x, y]: Tensors) -> Table {
    let per_scale = 1.0 / y.scale();
    std::array::from_fn(|bits| {
        let steps = (op.apply(x.dequantize(bits as u8), 0) * per_scale).round_ties_even() as i32;
        (steps + y.zero_point()).clamp(0, 255) as u8
    })
}

/// The tensors of a MobileNetV3-small that ONNX Runtime quantized, around each operation of this name.
fn of_mobilenet(operation: &str) -> Vec<Tensors> {
    let lines = include_str!("../../../tests/golden/quantized_mobilenet/nodes.tsv").lines();
    let rows = lines.map(|line| line.split('\t').collect::<Vec<_>>());
    let tensor = |row: &[&str], at: usize| {
        let scale = f32::from_bits(u32::from_str_radix(row[at], 16).expect("bits in hex"));
        let zero_point = row[at + 1].parse().expect("an integer");
        Quantization::u8(scale, zero_point).expect("a scale")
    };
    let rows = rows.filter(|row| row[1] == operation);
    rows.map(|row| [tensor(&row, 5), tensor(&row, 8)]).collect()
}

/// Bytes for all numbers from `low` to `high`, and for 0.
fn calibrated(low: f32, high: f32) -> Quantization {
    let (low, high) = (low.min(0.0), high.max(0.0));
    let scale = (high - low) / 255.0;
    Quantization::new(Byte::U8, scale, (-low / scale).round() as i32).expect("a scale")
}

/// Tensors whose x lie between a pseudorandom number from -12 to -1 and one from 1 to 12.
fn ranges_of(op: Unary) -> Vec<Tensors> {
    let random = |i: u32, factor: u32| 1.0 + 11.0 * (i.wrapping_mul(factor) as f32 / 2f32.powi(32));
    let of = |i| {
        let x = calibrated(-random(i, 0x9e37_79b9), random(i, 0x85eb_ca6b));
        let y = (0..=255).map(|bits| op.apply(x.dequantize(bits), 0));
        let [low, high] = y.fold([0.0_f32; 2], |[low, high], y| [low.min(y), high.max(y)]);
        [x, calibrated(low, high)]
    };
    (0..20_000).map(of).collect()
}

/// How many of all bytes differ; the mean and the largest of the differences.
fn differences(all: &[Tensors], expected: impl Fn(Tensors) -> Table, other: impl Fn(Tensors) -> Table) -> String {
    let (mut differing, mut sum, mut largest) = (0, 0, 0);
    for &tensors in all {
        for (a, b) in expected(tensors).into_iter().zip(other(tensors)) {
            let difference = u64::from(a.abs_diff(b));
            differing += u64::from(difference > 0);
            sum += difference;
            largest = largest.max(difference);
        }
    }
    match differing {
        0 => "0".into(),
        _ if largest == 1 => format!("{differing}, by 1"),
        _ => {
            let mean = sum as f64 / differing as f64;
            format!("{differing}, by {mean:.0}, at most {largest}")
        }
    }
}

fn roundings(out: &mut Out) -> Result<()> {
    writeln!(
        out,
        "\n| instead of | other bytes in MobileNetV3-small's tables | of 5,120,000 bytes for 20,000 ranges of x |"
    )?;
    writeln!(out, "|---|---|---|")?;
    let (hs, swish) = (Unary::Forward(sixth()), Unary::HardSwish(sixth()));
    let (of_torch, swish_of_torch) = (
        Unary::Forward(HardSigmoid::PYTORCH),
        Unary::HardSwish(HardSigmoid::PYTORCH),
    );
    // PyTorch's hard sigmoid has this y always.
    let fixed = |[x, _]: Tensors| [x, Quantization::u8(1.0 / 256.0, 0).expect("a scale")];
    let by_torch = |tensors| table(swish_of_torch, tensors, Rounding::PyTorch);
    let mut row = |what: &str, op: Unary, expected: &dyn Fn(Tensors) -> Table, other: &dyn Fn(Tensors) -> Table| {
        let of_network = of_mobilenet(if op == hs { "forward" } else { "hard_swish" });
        let bytes = 256 * of_network.len();
        let [of_network, of_ranges] = [of_network, ranges_of(op)].map(|all| differences(&all, expected, other));
        writeln!(out, "| {what} | of {bytes}: {of_network} | {of_ranges} |")
    };
    row(
        "ONNX Runtime's hard sigmoid with a y of 1/256: PyTorch's",
        hs,
        &|tensors| onnx(hs, fixed(tensors)),
        &|tensors| table(of_torch, fixed(tensors), Rounding::PyTorch),
    )?;
    row(
        "ONNX Runtime's hard swish: PyTorch's",
        swish,
        &|tensors| onnx(swish, tensors),
        &by_torch,
    )?;
    row(
        "PyTorch's hard swish: its own for single elements",
        swish,
        &by_torch,
        &|tensors| pytorch_single(swish_of_torch, tensors),
    )?;
    row(
        "ONNX Runtime's hard swish: TFLite's",
        swish,
        &|tensors| onnx(swish, tensors),
        &|tensors| table(swish_of_torch, tensors, Rounding::TfLite),
    )?;
    row(
        "the hard sigmoid of slope 1/6: that of slope 0.2",
        hs,
        &|tensors| onnx(hs, tensors),
        &|tensors| onnx(Unary::Forward(HardSigmoid::ONNX), tensors),
    )?;
    row(
        "a hard swish: a hard sigmoid",
        swish,
        &|tensors| onnx(swish, tensors),
        &|tensors| onnx(hs, tensors),
    )
}

/// A hard sigmoid in place of a hard swish, at a few x.
fn mistaken(out: &mut Out) -> Result<()> {
    writeln!(
        out,
        "\n| byte of x | x | byte of its hard swish | which stands for | byte of its hard sigmoid | which stands for |"
    )?;
    writeln!(out, "|---|---|---|---|---|---|")?;
    let tensors = of_mobilenet("hard_swish")[0];
    let [x, y] = tensors;
    let tables = [Unary::HardSwish(sixth()), Unary::Forward(sixth())].map(|op| onnx(op, tensors));
    for real in [-4.0, -3.0, -1.5, 0.0, 1.5, 3.0, 4.0] {
        let bits = x.quantize(real);
        let cells = tables.map(|table| {
            let of = table[usize::from(bits)];
            format!("{of} | {:.2}", y.dequantize(of))
        });
        writeln!(out, "| {bits} | {:.2} | {} |", x.dequantize(bits), cells.join(" | "))?;
    }
    Ok(())
}
