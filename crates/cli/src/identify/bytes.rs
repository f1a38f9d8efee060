//! Which quantized function made these bytes?

use super::Arguments;
use crate::{npy, out::Out, outcome::Outcome};
use clap::{Args, ValueHint};
use hard_sigmoid::{
    Op, Quantization,
    identify::{QuantizedMatch, quantized},
};
use serde_json::{Value, json};
use std::io::Write;

/// What bytes stand for: scale · (byte - zero point).
#[derive(Args)]
pub struct Scales {
    /// Scale of x, if x and y are bytes; with the next three
    #[arg(
        long,
        value_hint = ValueHint::Other,
        value_name = "SCALE",
        requires_all = ["x_zero_point", "y_scale", "y_zero_point"],
        conflicts_with_all = ["grad", "atol"],
        allow_negative_numbers = true
    )]
    x_scale: Option<f32>,
    /// Zero point of x
    #[arg(long, value_hint = ValueHint::Other, value_name = "BYTE", requires = "x_scale", allow_negative_numbers = true)]
    x_zero_point: Option<i32>,
    /// Scale of y
    #[arg(long, value_hint = ValueHint::Other, value_name = "SCALE", requires = "x_scale", allow_negative_numbers = true)]
    y_scale: Option<f32>,
    /// Zero point of y
    #[arg(long, value_hint = ValueHint::Other, value_name = "BYTE", requires = "x_scale", allow_negative_numbers = true)]
    y_zero_point: Option<i32>,
}

impl Scales {
    /// Scale and zero point of x and of y, if they are given.
    pub fn given(&self) -> Option<[(f32, i32); 2]> {
        Some([(self.x_scale?, self.x_zero_point?), (self.y_scale?, self.y_zero_point?)])
    }
}

/// The most functions that are shown though they don't fit.
const NEAREST: usize = 5;

pub fn run(arguments: &Arguments, scales: [(f32, i32); 2], out: &mut Out) -> Outcome {
    let [x, y] = [npy::bytes(&arguments.input)?, npy::bytes(&arguments.output)?];
    if y.shape != x.shape {
        let (path, found, wanted) = (arguments.output.display(), npy::shown(&y.shape), npy::shown(&x.shape));
        return Err(format!("{path} has shape {found}, but x has {wanted}").into());
    }
    if x.bits.is_empty() {
        return Err(format!("{}: there are no elements", arguments.input.display()).into());
    }
    let of = |name: &str, bytes: &npy::Bytes, (scale, zero_point)| {
        Quantization::new(bytes.byte, scale, zero_point).map_err(|error| format!("{name}: {error}"))
    };
    let [of_x, of_y] = [of("x", &x, scales[0])?, of("y", &y, scales[1])?];
    let matches = quantized(&x.bits, &y.bits, of_x, of_y)?;
    let fitting = matches.iter().filter(|one| one.fits()).count();
    let shown = |one: &QuantizedMatch| Shown {
        operation: one.function.op().name(),
        definition: Op::from(one.function.op())
            .definition()
            .expect("each has one")
            .to_string(),
        rounding: one.function.rounding().to_string(),
        differing: one.differing,
        first: one.first.map(|at| {
            let (x, y) = (x.bits[at], y.bits[at]);
            let gives = one.function.table()[usize::from(x)];
            let [y, gives] = [y, gives].map(|bits| of_y.byte().number(bits));
            (at, of_x.byte().number(x), y, gives)
        }),
    };
    let all: Vec<_> = matches.iter().map(shown).collect();
    let elements = x.bits.len();
    if arguments.json {
        let matches: Vec<_> = all.iter().map(Shown::json).collect();
        let answer = json!({ "compared": elements, "fitting": fitting, "matches": matches });
        writeln!(out, "{answer:#}")?;
        return Ok(fitting == 1);
    }
    // Those that fit come first.
    let (first, others) = all.split_at(fitting);
    let names: Vec<_> = first.iter().map(Shown::name).collect();
    let names = if names.is_empty() {
        "unknown".into()
    } else {
        names.join(" or ")
    };
    writeln!(
        out,
        "{names}\n\n{fitting} of {} functions give every y of {elements} elements.",
        all.len()
    )?;
    for one in others.iter().take(NEAREST) {
        if let Some((at, x, y, gives)) = one.first {
            let (name, differing) = (one.name(), one.differing);
            writeln!(
                out,
                "{name} differs in {differing}: in element {at} x is {x} and y is {y}, but it gives {gives}."
            )?;
        }
    }
    Ok(fitting == 1)
}

/// A function, and how far it agrees.
struct Shown {
    operation: &'static str,
    definition: String,
    rounding: String,
    differing: usize,
    /// The first element that differs: its number, x, y, and the y that the function gives.
    first: Option<(usize, i32, i32, i32)>,
}

impl Shown {
    fn name(&self) -> String {
        format!("{} of {} ({})", self.operation, self.definition, self.rounding)
    }

    fn json(&self) -> Value {
        let first = self
            .first
            .map(|(at, x, y, gives)| json!({ "at": at, "x": x, "y": y, "gives": gives }));
        json!({
            "operation": self.operation,
            "definition": self.definition,
            "rounding": self.rounding,
            "differing": self.differing,
            "first": first,
        })
    }
}
