//! The activations of a whole MobileNetV3, forward and backward, against PyTorch's: see `tests/golden/mobilenet.py`.

use crate::common::{assert_same_bits, golden, npy};
use hard_sigmoid::{Binary, HardSigmoid, Unary, cpu};

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
