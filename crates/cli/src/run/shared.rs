//! Gates whose b many elements share. They are computed in memory, by the CPU path.

use super::Arguments;
use crate::{npy, out::Out, outcome::Outcome, output::Output, stream::About};
use hard_sigmoid::{BroadcastGate, HardSigmoid, Op, Scalar, cpu, offload::Target};
use std::{io::Write, path::Path, time::Instant};

pub struct Operands {
    /// The gate or its gradients, as if a and b had one shape.
    pub op: Op,
    /// a, b, and for gradients g.
    pub inputs: Vec<npy::Reader>,
    /// How a shares the numbers of b; `None` if it doesn't.
    pub shape: Option<Shape>,
    /// Whether only db is wanted.
    pub is_sums: bool,
}

/// The numbers of a [`Broadcast`]; no elements at all are a shape too.
#[derive(Clone, Copy)]
pub struct Shape {
    middle: u64,
    inner: u64,
}

/// How a shares the numbers of b, which is repeated along its axes of size 1. `None` if both have one shape.
pub fn shape(a: &npy::Reader, b: &npy::Reader) -> Result<Option<Shape>, String> {
    let (of_a, of_b) = (a.shape(), b.shape());
    if of_a == of_b {
        return Ok(None);
    }
    let shown = [of_a, of_b].map(npy::shown);
    let fits = |(a, b): (&u64, &u64)| b == a || *b == 1;
    if of_a.len() != of_b.len() || !of_a.iter().zip(of_b).all(fits) {
        return Err(format!(
            "b has shape {}, but a has {}: it needs as many axes, each of the size that a's has, or 1",
            shown[1], shown[0]
        ));
    }
    if b.has_orders() && a.is_fortran() != b.is_fortran() {
        return Err("one of a and b is in Fortran order, the other in C order: save both in the same order".into());
    }
    let mut extents: Vec<_> = of_a.iter().zip(of_b).collect();
    if a.is_fortran() {
        extents.reverse();
    }
    let is_repeated = |&(a, b): &(&u64, &u64)| a != b;
    let first = extents.iter().position(is_repeated).expect("the shapes differ");
    let last = extents.iter().rposition(is_repeated).expect("the shapes differ");
    if extents[first..=last]
        .iter()
        .any(|extent| !is_repeated(extent) && *extent.0 != 1)
    {
        return Err(format!(
            "b of shape {} is repeated in a of {} along axes that aren't neighbours: move them together, as with numpy.moveaxis",
            shown[1], shown[0]
        ));
    }
    let product = |extents: &[(&u64, &u64)]| extents.iter().map(|(a, _)| **a).product();
    Ok(Some(Shape {
        middle: product(&extents[first..=last]),
        inner: product(&extents[last + 1..]),
    }))
}

impl Operands {
    pub fn run<T: Scalar>(self, arguments: &Arguments, to: &[&Path], out: &mut Out) -> Outcome {
        let Self {
            op,
            inputs,
            shape,
            is_sums,
        } = self;
        if arguments.device == Target::Gpu {
            return Err("a gate that many elements share is computed on the CPU alone: leave out --device gpu".into());
        }
        let definition = op.definition().expect("a gate has one");
        let [a, b, ..] = &inputs[..] else {
            unreachable!("a gate has two operands")
        };
        if let Some(g) = inputs.get(2) {
            npy::check_alike(["a", "g"], a, g)?;
        }
        for input in &inputs {
            input.check(T::DTYPE)?;
        }
        let len = a.check(T::DTYPE)?;
        let like_b = (is_sums || op.outputs().len() == 2).then_some(b);
        let like_a = (!is_sums).then_some(a);
        let results = like_a.into_iter().chain(like_b);
        let outputs = to.iter().zip(results).map(|(to, like)| {
            let mut output = Output::create(to)?;
            // b may have one order, and a another.
            output.write(&npy::head(npy::dtype(T::DTYPE), like.shape(), like.is_fortran()))?;
            Ok::<_, std::io::Error>(output)
        });
        let mut outputs = outputs.collect::<Result<Vec<_>, _>>()?;
        let start = Instant::now();
        let mut tensors = vec![];
        for input in inputs {
            tensors.push(input.all(|value: T| value)?);
        }
        let (op, results) = computed(op, definition, shape, is_sums, tensors)?;
        for (output, result) in outputs.iter_mut().zip(&results) {
            output.write(bytemuck::cast_slice(result))?;
        }
        let about = About {
            op,
            quantized: None,
            dtype: T::DTYPE,
        };
        let summary = about.summary(arguments.json, "CPU", len, to, start.elapsed().as_secs_f64());
        writeln!(Output::beside(&outputs, out), "{summary}")?;
        for output in outputs {
            output.finish()?;
        }
        Ok(true)
    }
}

/// What was computed, and the results.
fn computed<T: Scalar>(
    op: Op,
    definition: HardSigmoid,
    shape: Option<Shape>,
    is_sums: bool,
    tensors: Vec<Vec<T>>,
) -> Result<(Op, Vec<Vec<T>>), String> {
    let mut tensors = tensors.into_iter();
    let mut next = || tensors.next().unwrap_or_default();
    let [mut a, b, mut g] = [next(), next(), next()];
    let mut db = vec![T::zeroed(); b.len()];
    let Shape { middle, inner } = shape.unwrap_or(Shape { middle: 1, inner: 1 });
    // What is too large is refused, with the largest number in its place.
    let [middle, inner] = [middle, inner].map(|extent| u32::try_from(extent).unwrap_or(u32::MAX));
    let gate = || BroadcastGate::new(definition, middle, inner).map_err(|error| error.to_string());
    let failed = |error: hard_sigmoid::OpError| error.to_string();
    Ok(match op {
        // Sums over no elements.
        _ if a.is_empty() => match (op, is_sums) {
            (_, true) => (op, vec![db]),
            (Op::GateBackward(_), _) => (op, vec![a, db]),
            _ => (op, vec![a]),
        },
        Op::GateBackward(_) => {
            cpu::gate_broadcast_sums(gate()?, &a, &b, &g, &mut db).map_err(failed)?;
            if is_sums {
                return Ok((Op::GateBroadcastSums(gate()?), vec![db]));
            }
            cpu::gate_broadcast_in_place(gate()?, &mut g, &b).map_err(failed)?;
            (op, vec![g, db])
        }
        _ => {
            cpu::gate_broadcast_in_place(gate()?, &mut a, &b).map_err(failed)?;
            (Op::GateBroadcast(gate()?), vec![a])
        }
    })
}
