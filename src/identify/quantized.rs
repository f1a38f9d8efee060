//! Which quantized function made these bytes?

use super::error::IdentifyError;
use crate::math::{
    definition::{HardSigmoid, KinkRule},
    op::Unary,
    quantized::{Quantization, Quantized, Rounding},
};

/// How far a quantized function agrees with bytes.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuantizedMatch {
    /// The function.
    pub function: Quantized,
    /// The number of elements that differ.
    pub differing: usize,
    /// The first element that differs.
    pub first: Option<usize>,
}

impl QuantizedMatch {
    /// Whether nothing differs.
    pub fn fits(&self) -> bool {
        self.differing == 0
    }
}

/// Compares the bytes `y` with what each quantized function gives for the bytes `x`: the forward pass and the hard swish of every preset
/// whose y is no other's, and of ONNX's 1/6·x + 1/2, in the arithmetic of each [`Rounding`] that has it. Those that give every `y` come first, then the others, the
/// one that differs in the fewest elements first.
///
/// Often several fit: the roundings of two frameworks give one byte nearly always. Signed numbers are given by their bits. The scales and zero
/// points are those of the model; they aren't searched, since bytes alone don't tell them.
///
/// # Errors
/// [`IdentifyError::LengthMismatch`] if the slices differ in length.
///
/// ```
/// use hard_sigmoid::{HardSigmoid, Quantization, Unary, identify::quantized};
///
/// let (of_x, of_y) = (Quantization::u8(0.05, 128)?, Quantization::u8(1.0 / 256.0, 0)?);
/// let x = [30, 100, 128, 150, 200];
/// let y = x.map(|x| of_y.quantize(HardSigmoid::TANGENT.forward(of_x.dequantize(x))));
/// let matches = quantized(&x, &y, of_x, of_y)?;
/// let fitting: Vec<_> = matches.iter().filter(|one| one.fits()).map(|one| one.function.op()).collect();
/// // In two roundings.
/// assert_eq!(fitting, [Unary::Forward(HardSigmoid::TANGENT); 2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn quantized(
    x: &[u8],
    y: &[u8],
    of_x: Quantization,
    of_y: Quantization,
) -> Result<Vec<QuantizedMatch>, IdentifyError> {
    if y.len() != x.len() {
        let (len, x_len) = (y.len(), x.len());
        return Err(IdentifyError::LengthMismatch { name: "y", len, x_len });
    }
    // How often each pair of bytes occurs, and the first element that is one.
    let mut pairs = vec![(0_usize, usize::MAX); 1 << 16];
    for (i, (&x, &y)) in x.iter().zip(y).enumerate() {
        let (count, first) = &mut pairs[usize::from(x) << 8 | usize::from(y)];
        *count += 1;
        *first = i.min(*first);
    }
    let pairs: Vec<_> = pairs
        .into_iter()
        .enumerate()
        .filter(|(_, (count, _))| *count > 0)
        .collect();
    let compared = |function: Quantized| {
        let table = function.table();
        let differing = pairs.iter().filter(|(pair, _)| table[pair >> 8] != *pair as u8);
        let differing = differing.map(|(_, of_pair)| of_pair);
        QuantizedMatch {
            function,
            differing: differing.clone().map(|(count, _)| count).sum(),
            first: differing.map(|&(_, first)| first).min(),
        }
    };
    let mut matches: Vec<_> = functions(of_x, of_y).map(compared).collect();
    matches.sort_by_key(|one| one.differing);
    Ok(matches)
}

fn functions(x: Quantization, y: Quantization) -> impl Iterator<Item = Quantized> {
    let onnx = HardSigmoid::affine(1.0 / 6.0, 0.5, KinkRule::Strict).expect("it is finite");
    let definitions = HardSigmoid::PRESETS
        .iter()
        .map(|preset| preset.definition)
        .chain([onnx]);
    let ops = definitions.flat_map(|definition| [Unary::Forward(definition), Unary::HardSwish(definition)]);
    ops.filter(|op| !is_anothers(*op)).flat_map(move |op| {
        let is_tflites = op == Unary::HardSwish(HardSigmoid::PYTORCH);
        let roundings = Rounding::ALL
            .iter()
            .filter(move |one| **one != Rounding::TfLite || is_tflites);
        // TFLite refuses some scales.
        roundings.filter_map(move |&rounding| Quantized::new(op, x, y, rounding).ok())
    })
}

/// Whether y is that of another preset, from which this one differs in its gradient alone.
fn is_anothers(op: Unary) -> bool {
    match op {
        Unary::Forward(definition) => {
            [HardSigmoid::KERAS, HardSigmoid::SPARSE, HardSigmoid::KERAS3].contains(&definition)
        }
        Unary::HardSwish(definition) => [HardSigmoid::KERAS, HardSigmoid::SPARSE].contains(&definition),
        Unary::Binarize(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left out is there under another name, and what is there isn't left out.
    #[test]
    fn no_two_presets_have_one_table_everywhere() {
        let scales = [0.02, 0.05, 0.031].map(|scale| Quantization::u8(scale, 128).unwrap());
        let fine = Quantization::u8(1.0 / 1000.0, 0).unwrap();
        let bits = |op: Unary| -> Vec<u32> {
            let x = (0..1 << 20).map(|i| (i as f32 / (1 << 16) as f32 - 8.0) * 1.000_001);
            x.map(|x| op.apply(x, 0).to_bits()).collect()
        };
        for make in [Unary::Forward, Unary::HardSwish] {
            let all: Vec<_> = HardSigmoid::PRESETS
                .iter()
                .map(|preset| make(preset.definition))
                .collect();
            let (left_out, kept): (Vec<_>, Vec<_>) = all.into_iter().partition(|op| is_anothers(*op));
            for op in left_out {
                let same = kept
                    .iter()
                    .find(|other| bits(**other) == bits(op))
                    .expect("it is another's");
                for x in scales {
                    let table = |op| Quantized::new(op, x, fine, Rounding::Onnx).unwrap().table();
                    assert_eq!(table(op), table(*same), "{op:?}");
                }
            }
            for (i, op) in kept.iter().enumerate() {
                assert!(kept[..i].iter().all(|other| bits(*other) != bits(*op)), "{op:?}");
            }
        }
    }
}
