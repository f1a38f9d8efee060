//! The broadcast gate on the CPU against its definition, element by element and sum by sum.

use crate::common::definitions;
use hard_sigmoid::{BroadcastGate, Element, HardSigmoid, KinkRule, Op, OpError, Scalar, bf16, cpu, f16};
use std::fmt::Debug;

const P: HardSigmoid = HardSigmoid::PYTORCH;

/// Numbers of many magnitudes, in no order, without NaN and infinity.
fn numbers<T: Scalar>(len: usize, seed: u64) -> Vec<T> {
    let number = |i: usize| {
        let random = (i as u64 ^ seed << 40).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let random = (random ^ random >> 31).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let fraction = (random >> 40) as f32 / (1 << 23) as f32 - 1.0;
        T::from_f32(fraction * [4.0, 0.01, 30.0, 1.0][(random >> 8) as usize % 4])
    };
    (0..len).map(number).collect()
}

/// Computes `S` in the documented order. A NaN isn't replaced yet.
fn sum(products: impl Iterator<Item = f32>) -> f32 {
    let mut p = [0.0_f32; 64];
    for (m, product) in products.enumerate() {
        p[m % 64] += product;
    }
    for s in [32, 16, 8, 4, 2, 1] {
        for l in 0..s {
            p[l] += p[l + s];
        }
    }
    p[0]
}

/// Computes `y`, `da` and `db`, element by element.
fn reference<T: Scalar>(gate: BroadcastGate, a: &[T], b: &[T], g: &[T]) -> [Vec<T>; 3] {
    let (middle, inner) = (gate.middle() as usize, gate.inner() as usize);
    let of_a = |i: usize| b[i / (middle * inner) * inner + i % inner].to_f32();
    let gated = |x: &[T]| {
        let gated = |i: usize| T::from_f32(gate.definition().gate(x[i].to_f32(), of_a(i)));
        (0..x.len()).map(gated).collect()
    };
    let db = |k: usize| {
        let first = k / inner * middle * inner + k % inner;
        let products = (0..middle).map(|m| {
            let i = first + m * inner;
            g[i].to_f32() * a[i].to_f32()
        });
        let sum = sum(products);
        let sum = if sum.is_nan() { f32::from_bits(0xffc0_0000) } else { sum };
        T::from_f32(gate.definition().backward(b[k].to_f32(), sum))
    };
    [gated(a), gated(g), (0..b.len()).map(db).collect()]
}

fn bits<T: Scalar>(values: &[T]) -> Vec<u32> {
    values.iter().map(|value| value.to_f32().to_bits()).collect()
}

/// A slice between two others that nothing may change.
struct Guarded<T>(Vec<T>);

impl<T: Scalar> Guarded<T> {
    const WIDTH: usize = 9;

    fn new(len: usize) -> Self {
        Self(vec![T::from_f32(7.0); len + 2 * Self::WIDTH])
    }
    fn inside(&mut self) -> &mut [T] {
        let end = self.0.len() - Self::WIDTH;
        &mut self.0[Self::WIDTH..end]
    }
    fn checked(mut self) -> Vec<u32> {
        let inside = bits(self.inside());
        let end = self.0.len() - Self::WIDTH;
        let mut around = self.0[..Self::WIDTH].iter().chain(&self.0[end..]);
        assert!(around.all(|value| value.to_f32() == 7.0), "a write outside the slice");
        inside
    }
}

#[track_caller]
fn check<T: Scalar + Debug>(gate: BroadcastGate, a: &[T], b: &[T], g: &[T]) {
    let what = format!("{gate:?} of {} {}", a.len(), T::DTYPE);
    let [y, da, db] = reference(gate, a, b, g).map(|values| bits(&values));
    let mut actual = Guarded::new(a.len());
    cpu::gate_broadcast(gate, a, b, actual.inside()).unwrap();
    assert!(actual.checked() == y, "{what}: y");
    let mut actual = Guarded::new(a.len());
    actual.inside().copy_from_slice(a);
    cpu::gate_broadcast_in_place(gate, actual.inside(), b).unwrap();
    assert!(actual.checked() == y, "{what}: y in place");
    // The gradient of a is the gate of g.
    let mut actual = Guarded::new(a.len());
    cpu::gate_broadcast(gate, g, b, actual.inside()).unwrap();
    assert!(actual.checked() == da, "{what}: da");
    let mut actual = Guarded::new(b.len());
    cpu::gate_broadcast_sums(gate, a, b, g, actual.inside()).unwrap();
    let actual = actual.checked();
    let differs = (0..db.len()).find(|&k| actual[k] != db[k]);
    if let Some(k) = differs {
        panic!("{what}: db {k} is {:#010x}, expected {:#010x}", actual[k], db[k]);
    }
}

fn check_numbers<T: Scalar + Debug>(gate: BroadcastGate, outer: usize) {
    let (row, inner) = (gate.row() as usize, gate.inner() as usize);
    let [a, g] = [1, 2].map(|seed| numbers::<T>(outer * row, seed));
    check(gate, &a, &numbers(outer * inner, 3), &g);
}

/// Sizes around one and several rounds of 64 partial sums, vectors, tiles and blocks of columns.
#[test]
fn every_shape_has_the_bits_of_its_definition() {
    let mut count = 0;
    for middle in [1, 2, 31, 32, 33, 63, 64, 65, 127, 129, 4097] {
        for inner in [1, 2, 3, 16, 17, 63, 64, 65, 130, 511, 513, 1025] {
            for outer in [0, 1, 2, 5] {
                let gate = BroadcastGate::new(P, middle, inner).unwrap();
                if outer as u64 * u64::from(gate.row()) > 600_000 {
                    continue;
                }
                check_numbers::<f32>(gate, outer);
                check_numbers::<f16>(gate, outer);
                check_numbers::<bf16>(gate, outer);
                count += 1;
            }
        }
    }
    assert!(count > 400, "{count}");
}

/// Tensors long enough to be shared among cores, which cut rows anywhere.
#[test]
fn long_tensors() {
    for (outer, middle, inner) in [
        (1_000_003, 1, 1),
        (30_011, 7, 5),
        (513, 3136, 1),
        (3, 3137, 192),
        (2, 5, 100_001),
        (1, 2, 700_001),
        (1, 2_000_001, 1),
    ] {
        let gate = BroadcastGate::new(P, middle, inner).unwrap();
        check_numbers::<f32>(gate, outer);
        check_numbers::<bf16>(gate, outer);
    }
    check_numbers::<f16>(BroadcastGate::new(P, 49, 1).unwrap(), 16_385);
}

/// Every triple of special values, alone and as one of many products.
#[test]
fn special_values() {
    fn of<T: Scalar + Debug>() {
        let signalling = f32::from_bits(0x7f80_2000);
        let positive = [
            0.0,
            1e-45,
            1e-40,
            f32::MIN_POSITIVE,
            1e-3,
            0.7,
            3.0,
            1e20,
            f32::MAX,
            f32::INFINITY,
            f32::NAN,
            signalling,
        ];
        let values: Vec<T> = positive.iter().flat_map(|&v| [v, -v]).map(T::from_f32).collect();
        let count = values.len();
        let all = |place: u32| -> Vec<T> {
            (0..count.pow(3))
                .map(|i| values[i / count.pow(place) % count])
                .collect()
        };
        for definition in definitions() {
            check(BroadcastGate::new(definition, 1, 1).unwrap(), &all(0), &all(1), &all(2));
        }
        // Pairs, at each place of a row with ordinary numbers. Their gates are open except for the last.
        for (middle, inner) in [(5, 1), (70, 2), (130, 1), (3, 70)] {
            let gate = BroadcastGate::new(HardSigmoid::KERAS, middle, inner).unwrap();
            let row = gate.row() as usize;
            let rows = count * count;
            let [mut a, mut g] = [1, 2].map(|seed| numbers::<T>(rows * row, seed));
            let mut b = numbers::<T>(rows * inner as usize, 3);
            for i in 0..rows {
                let at = i * row + i * 37 % row;
                (a[at], g[at]) = (values[i % count], values[i / count]);
                b[i * inner as usize] = values[(i * 5 + i / count) % count];
            }
            check(gate, &a, &b, &g);
        }
    }
    of::<f32>();
    of::<f16>();
    of::<bf16>();
}

/// A definition whose gradient is the sum itself.
fn sums_of(middle: u32) -> BroadcastGate {
    BroadcastGate::new(HardSigmoid::affine(1.0, 0.0, KinkRule::Inclusive).unwrap(), middle, 1).unwrap()
}

fn sum_of(a: &[f32], g: &[f32]) -> f32 {
    let mut db = [7.0];
    cpu::gate_broadcast_sums(sums_of(a.len() as u32), a, &[0.5], g, &mut db).unwrap();
    db[0]
}

#[test]
fn a_sum_has_one_zero_and_one_nan() {
    assert_eq!(sum_of(&[-0.0], &[1.0]).to_bits(), 0);
    assert_eq!(sum_of(&[1.0, -1.0], &[3.0, 3.0]).to_bits(), 0);
    let nans = [
        (vec![f32::NAN, 1.0], vec![1.0, 1.0]),
        (vec![f32::from_bits(0x7f80_0123)], vec![1.0]),
        (vec![f32::INFINITY], vec![0.0]),
        (vec![f32::INFINITY, 1.0], vec![1.0, f32::NEG_INFINITY]),
        // Both infinities are in one partial sum, 64 products apart.
        (
            [vec![f32::INFINITY], vec![1.0; 63], vec![f32::NEG_INFINITY]].concat(),
            vec![1.0; 65],
        ),
    ];
    for (a, g) in nans {
        assert_eq!(sum_of(&a, &g).to_bits(), 0xffc0_0000);
    }
    assert_eq!(sum_of(&[f32::MAX, f32::MAX], &[1.0, 1.0]), f32::INFINITY);
    // Where the gradient doesn't pass, a NaN sum has no effect.
    let gate = BroadcastGate::new(P, 1, 1).unwrap();
    let mut db = [7.0_f32];
    cpu::gate_broadcast_sums(gate, &[f32::NAN], &[4.0], &[1.0], &mut db).unwrap();
    assert_eq!(db[0].to_bits(), 0);
}

/// The documented bound holds for numbers of one sign and of both. A plain sum breaks it, so the order matters.
#[test]
fn the_error_of_a_sum_is_bounded() {
    let u = 2.0f64.powi(-24);
    let mut plain_breaks_it = false;
    for middle in [1, 2, 63, 64, 65, 129, 4097, 50_000] {
        for seed in 0..20 {
            let [mut a, mut g] = [2 * seed, 2 * seed + 1].map(|seed| numbers::<f32>(middle, seed));
            match seed % 4 {
                // One number again and again is rounded in the same direction.
                0 => (a, g) = (vec![0.1 + seed as f32; middle], vec![1.0; middle]),
                1 => a.iter_mut().chain(&mut g).for_each(|x| *x = x.abs()),
                _ => {}
            }
            let exact = |i: usize| f64::from(a[i]) * f64::from(g[i]);
            let (sum, size): (f64, f64) = (0..middle)
                .map(exact)
                .fold((0.0, 0.0), |(s, t), x| (s + x, t + x.abs()));
            let bound = (middle.div_ceil(64) + 6) as f64 * u * size * (1.0 + 1e-3);
            let error = (f64::from(sum_of(&a, &g)) - sum).abs();
            assert!(error <= bound, "{middle}: {error:e} beyond {bound:e}");
            let plain: f32 = (0..middle).map(|i| a[i] * g[i]).sum();
            plain_breaks_it |= (f64::from(plain) - sum).abs() > bound;
        }
    }
    assert!(plain_breaks_it);
}

/// With a middle of 1 the broadcast gate is the plain gate, except for the sign of a zero and the NaN of a sum.
#[test]
fn a_middle_of_1_is_the_plain_gate() {
    let [a, b, g] = [1, 2, 3].map(|seed| numbers::<f32>(10_007, seed));
    for definition in definitions() {
        let gate = BroadcastGate::new(definition, 1, 10_007).unwrap();
        let [mut da, mut db, mut plain_da, mut plain_db] = [(); 4].map(|()| vec![7.0; a.len()]);
        cpu::gate_broadcast(gate, &g, &b, &mut da).unwrap();
        cpu::gate_broadcast_sums(gate, &a, &b, &g, &mut db).unwrap();
        cpu::gate_backward(definition, &a, &b, &g, &mut plain_da, &mut plain_db).unwrap();
        assert!(bits(&da) == bits(&plain_da));
        assert!(db == plain_db);
        for i in 0..a.len() {
            let element = |a: f32| Element {
                operands: [a, b[i], g[i]],
                before: 0.0,
                index: i as u64,
            };
            let [of_g, _] = element(g[i]).expected(Op::GateBroadcast(gate));
            let [sum, _] = element(a[i]).expected(Op::GateBroadcastSums(gate));
            assert_eq!(bits(&[of_g, sum]), bits(&[da[i], db[i]]));
            assert_eq!(element(a[i]).expected(Op::GateBackward(definition)), [of_g, sum]);
        }
    }
}

#[test]
fn wrong_lengths_write_nothing() {
    let gate = BroadcastGate::new(P, 3, 2).unwrap();
    let seven = |len| vec![7.0_f32; len];
    for (a, b, y) in [(7, 2, 7), (12, 2, 12), (12, 12, 12), (12, 4, 11), (0, 1, 0)] {
        let (mut y, mut over_a) = (seven(y), seven(a));
        let error = cpu::gate_broadcast(gate, &seven(a), &seven(b), &mut y).unwrap_err();
        let expected = match (a, b) {
            (7, _) => "isn't a multiple of middle·inner = 3·2 = 6",
            (12, 4) => "a holds 12 elements but y holds 11",
            _ => "middle is 3, so b must hold",
        };
        assert!(error.to_string().contains(expected), "{error}");
        if (a, b) != (12, 4) {
            assert_eq!(cpu::gate_broadcast_in_place(gate, &mut over_a, &seven(b)), Err(error));
        }
        assert!(y.iter().chain(&over_a).all(|&value| value == 7.0));
    }
    for lengths in [[12, 4, 11, 4], [12, 4, 12, 3], [12, 3, 12, 3]] {
        let [a, b, g, mut db] = lengths.map(seven);
        let error = cpu::gate_broadcast_sums(gate, &a, &b, &g, &mut db).unwrap_err();
        let by_length = matches!(error, OpError::LengthMismatch { .. } | OpError::BroadcastLength { .. });
        assert!(by_length, "{error}");
        assert!(db.iter().all(|&value| value == 7.0));
    }
}
