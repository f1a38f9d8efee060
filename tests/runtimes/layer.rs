//! What the programs share: a layer, the text of its activation, and the comparison with the CPU path.

use hard_sigmoid::{HardSigmoid, OpError, Unary, wgsl};

pub const ROWS: usize = 64;
pub const INPUTS: usize = 64;
pub const OUTPUTS: usize = 64;
const DEFINITION: HardSigmoid = HardSigmoid::PYTORCH;
/// The activation's inputs in row 0: its kinks and their neighbours, both zeros, and large numbers.
const SPECIAL: [f32; 14] = [
    -3.0, -3.0000002, -2.9999998, 3.0, 2.9999998, 3.0000002, 0.0, -0.0, -1.5, 1.0, 1e-30, -1e-30, 1e30, -1e30,
];

/// `y = hard_swish(scale * (x · w))`. A compiler may like to fuse the multiplication with the activation's first addition.
pub struct Layer {
    /// [ROWS, INPUTS]
    pub x: Vec<f32>,
    /// [OUTPUTS, INPUTS]
    pub w: Vec<f32>,
    /// [OUTPUTS]
    pub scale: Vec<f32>,
}

impl Layer {
    pub fn new() -> Self {
        let mut state = 1u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 8
        };
        // Multiples of 1/64, which halves have too: a sum of products is exact in any order.
        let mut matrix = |rows| {
            (0..rows * INPUTS)
                .map(|_| (random() % 129) as f32 / 64.0 - 1.0)
                .collect()
        };
        let (mut x, mut w): (Vec<f32>, Vec<f32>) = (matrix(ROWS), matrix(OUTPUTS));
        // Row 0 has the sum 1 everywhere.
        x[..INPUTS].fill(0.0);
        x[0] = 1.0;
        w.iter_mut().step_by(INPUTS).for_each(|w| *w = 1.0);
        let mut scale: Vec<_> = (0..OUTPUTS).map(|_| 0.5 + random() as f32 / 1.1e7).collect();
        scale[..SPECIAL.len()].copy_from_slice(&SPECIAL);
        Self { x, w, scale }
    }

    /// Compares every bit of `y` with the CPU path's, for the sums that the runtime has computed.
    pub fn check(&self, runtime: &str, sums: &[f32], y: &[f32]) -> Result<(), Box<dyn std::error::Error>> {
        if [sums.len(), y.len()] != [ROWS * OUTPUTS; 2] {
            let found = [sums.len(), y.len()];
            return Err(format!("{runtime}: {found:?} sums and results instead of {}", ROWS * OUTPUTS).into());
        }
        for (x, sums) in self.x.chunks(INPUTS).zip(sums.chunks(OUTPUTS)) {
            for (w, sum) in self.w.chunks(INPUTS).zip(sums) {
                let expected: f32 = x.iter().zip(w).map(|(x, w)| x * w).sum();
                if *sum != expected {
                    return Err(format!("{runtime}: a sum is {sum} instead of {expected}").into());
                }
            }
        }
        let differing = |activation: fn(f32, f32) -> f32| {
            let inputs = sums.iter().zip(self.scale.iter().cycle());
            let expected = inputs.map(|(sum, scale)| activation(*scale, *sum).to_bits());
            expected.zip(y).filter(|(expected, y)| *expected != y.to_bits()).count()
        };
        let differ = differing(|scale, sum| DEFINITION.hard_swish(scale * sum));
        // What the comparison has to tell apart: another definition, and a compiler that computes scale * sum + 3 in one step.
        let other = differing(|scale, sum| HardSigmoid::JAX.hard_swish(scale * sum));
        let fused = differing(|scale, sum| scale * sum * scale.mul_add(sum, 3.0).clamp(0.0, 6.0) / 6.0);
        println!(
            "{runtime}: {} results of a layer with hard swish, {differ} differ ({other} from JAX's, {fused} from fused ones)",
            y.len()
        );
        if differ > 0 {
            return Err(format!("{runtime}: the bits differ from the CPU path's").into());
        }
        if other == 0 || fused == 0 {
            return Err(format!("{runtime}: the comparison doesn't see wrong bits").into());
        }
        Ok(())
    }
}

/// The WGSL text that has `fn hard_swish(x: f32) -> f32`.
pub fn text() -> Result<String, OpError> {
    wgsl::scalar(Unary::HardSwish(DEFINITION), &wgsl::Options::default())
}
