//! Inputs that tell two definitions apart.

use super::{function::Function, precision::Precision};
use crate::math::{definition::HardSigmoid, dtype::DType};
use half::{bf16, f16};

/// An input that tells two definitions apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Separation {
    /// Their `y` differs at this `x`.
    Forward(f32),
    /// No `x` was found at which their `y` differs, but their gradients differ at this one.
    Backward(f32),
}

/// An `x` at which `a` and `b` differ in the given precision, or `None` if none was found. If `x` is a half float,
/// every `x` is tried; for f32, a few hundred thousand around the kinks and elsewhere.
///
/// ```
/// use hard_sigmoid::{HardSigmoid, identify::{Precision, Separation, separation}};
///
/// let found = separation(HardSigmoid::KERAS, HardSigmoid::ONNX, Precision::EXACT);
/// assert_eq!(found, Some(Separation::Backward(2.5)));
/// ```
pub fn separation(a: HardSigmoid, b: HardSigmoid, precision: Precision) -> Option<Separation> {
    separation_beyond([a, b], Function::HardSigmoid, precision, 0.0)
}

/// Two definitions that the data can't tell apart.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Undecided {
    /// The two definitions.
    pub pair: [HardSigmoid; 2],
    /// An input that tells them apart, if one was found.
    pub separation: Option<Separation>,
    /// How many more elements tell them apart with a probability of 95 %, if their `x` are spread evenly over the range of the
    /// data's `x`. `None` if none of 16,384 such `x` does.
    pub more: Option<u64>,
}

/// See [`Undecided::more`]. Results differ if they do so by more than `least`.
pub(super) fn more_needed(
    pair: [HardSigmoid; 2],
    function: Function,
    precision: Precision,
    separation: Separation,
    (low, high): (f32, f32),
    least: f32,
) -> Option<u64> {
    const TRIED: u16 = 1 << 14;
    let differs = |x: f32| {
        let [a, b] = pair.map(|definition| match separation {
            Separation::Forward(_) => precision.forward(function, definition, x),
            Separation::Backward(_) => precision.backward(function, definition, x, 1.0),
        });
        (a - b).abs() > least
    };
    let at = |i: u16| low + (high - low) * ((f32::from(i) + 0.5) / f32::from(TRIED));
    let differing = (0..TRIED).filter(|&i| differs(at(i))).count();
    let share = differing as f64 / f64::from(TRIED);
    (differing > 0).then(|| (0.05f64.ln() / (1.0 - share).ln()).ceil().max(1.0) as u64)
}

/// An input that tells `a` and `b` apart, as [`separation`] finds it, at which they differ by more than `least`.
pub(super) fn separation_beyond(
    [a, b]: [HardSigmoid; 2],
    function: Function,
    precision: Precision,
    least: f32,
) -> Option<Separation> {
    let kinks = [a, b].into_iter().filter_map(HardSigmoid::kinks);
    let beside = kinks.flat_map(|(low, high)| {
        [
            high,
            low,
            high.next_down(),
            low.next_up(),
            high.next_up(),
            low.next_down(),
        ]
    });
    // Round numbers are tried first, since a person will type them.
    let round = (-400..=400).map(|i| i as f32 / 50.0);
    let others: Box<dyn Iterator<Item = f32>> = match precision.input {
        DType::F32 => Box::new((0..1 << 18).map(|i| (i as f32 / (1 << 17) as f32 - 1.0) * 8.0)),
        DType::F16 => Box::new((0..=u16::MAX).map(|bits| f16::from_bits(bits).to_f32())),
        DType::Bf16 => Box::new((0..=u16::MAX).map(|bits| bf16::from_bits(bits).to_f32())),
        DType::U8 => Box::new((0..=u8::MAX).map(f32::from)),
    };
    let tried: Vec<f32> = beside.chain(round).chain(others).collect();
    let forward = |definition, x| precision.forward(function, definition, x);
    let backward = |definition, x| precision.backward(function, definition, x, 1.0);
    let first = |of: &dyn Fn(HardSigmoid, f32) -> f32| {
        let differs = |x: &f32| (of(a, *x) - of(b, *x)).abs() > least;
        tried.iter().copied().find(differs)
    };
    let by_value = first(&forward);
    let by_gradient = || first(&backward);
    by_value
        .map(Separation::Forward)
        .or_else(|| by_gradient().map(Separation::Backward))
}
