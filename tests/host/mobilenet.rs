//! The activations of a whole MobileNetV3, forward and backward, against PyTorch's: see `tests/golden/mobilenet.py`.

use crate::common::{assert_same_bits, golden, npy};
use hard_sigmoid::{Binary, BroadcastGate, HardSigmoid, Unary, cpu};

#[test]
fn hard_swish_is_torch() {
    let rows = npy(golden("mobilenet/hard_swish.npy"));
    let len = rows.len() / 4;
    assert!(len > 50_000, "{len}");
    let [x, y, g, dx] = [0, 1, 2, 3].map(|row| &rows[row * len..][..len]);
    let mut ours = vec![f32::NAN; len];
    cpu::unary(Unary::HardSwish(HardSigmoid::PYTORCH), x, &mut ours).unwrap();
    assert_same_bits("y", &ours, y, |i| x[i].to_string());
    cpu::binary(Binary::HardSwishBackward(HardSigmoid::PYTORCH), x, g, &mut ours).unwrap();
    assert_same_bits("dx", &ours, dx, |i| format!("{}, {}", x[i], g[i]));
}

/// Squeeze-and-excitation: one gate for all pixels of a channel. PyTorch sums the gate's gradient in another order, so
/// ours is compared with the exact sum.
#[test]
fn broadcast_gates_are_torch() {
    let mut gates = 0;
    for file in std::fs::read_dir(golden("mobilenet")).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let Some(shape) = name.strip_prefix("gate_") else {
            continue;
        };
        let shape: Vec<usize> = shape.split(['x', '_']).map(|size| size.parse().unwrap()).collect();
        let (outer, middle, inner) = (shape[0], shape[1], shape[2]);
        let (len, b_len) = (outer * middle * inner, outer * inner);
        let all = npy(&path);
        assert_eq!(all.len(), 4 * len + 2 * b_len);
        let [a, g, y, da] = [0, 1, 2, 3].map(|part| &all[part * len..][..len]);
        let b = &all[4 * len..][..b_len];

        let definition = HardSigmoid::PYTORCH;
        let gate = BroadcastGate::new(definition, middle as u32, inner as u32).unwrap();
        let mut ours = vec![f32::NAN; len];
        cpu::gate_broadcast(gate, a, b, &mut ours).unwrap();
        assert_same_bits(name, &ours, y, |i| a[i].to_string());
        let mut db = vec![f32::NAN; b_len];
        cpu::gate_broadcast_sums(gate, a, b, g, &mut db).unwrap();
        cpu::gate_broadcast(gate, g, b, &mut ours).unwrap();
        assert_same_bits(name, &ours, da, |i| g[i].to_string());

        let unit = 2.0f64.powi(-24);
        for (channel, &db) in db.iter().enumerate() {
            let (outer, column) = (channel / inner, channel % inner);
            let at = |m: usize| (outer * middle + m) * inner + column;
            // The products are exact in f64, and their sum nearly so.
            let products: Vec<f64> = (0..middle).map(|m| f64::from(g[at(m)]) * f64::from(a[at(m)])).collect();
            let bound = (middle.div_ceil(64) + 6) as f64 * unit * products.iter().map(|p| p.abs()).sum::<f64>();
            let slope = f64::from(definition.backward(b[channel], 1.0));
            let exact = slope * products.iter().sum::<f64>();
            let distance = (f64::from(db) - exact).abs();
            // The product with the slope is rounded once more.
            assert!(
                distance <= slope * bound + unit * exact.abs() * 1.001,
                "{name}: db[{channel}] = {db}, exactly {exact}"
            );
        }
        gates += 1;
    }
    assert_eq!(gates, 9);
}
