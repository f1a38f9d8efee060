//! Reads a listing of machine code: how much arithmetic it does, and whether the shader's precautions are still present.

mod amd;
mod arm;
mod intel;
mod nvidia;
mod qualcomm;

use std::collections::BTreeSet;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vendor {
    Amd,
    Intel,
    Nvidia,
    Qualcomm,
    Arm,
}

impl Vendor {
    /// Whether the counts are those beyond a copy kernel's. These drivers check bounds by instructions.
    pub fn is_counted_beyond_a_copy(self) -> bool {
        !matches!(self, Self::Amd | Self::Intel)
    }
}

#[derive(Debug, Default, PartialEq)]
pub struct Reading {
    /// Arithmetic instructions of an invocation. A line in a loop counts once.
    pub alu: f64,
    /// Lines that round a product and a sum once.
    pub fused: Vec<String>,
    /// The number of further lines that round a product with 1/6 or 1/3 and a sum once.
    pub fused_sixths: usize,
    /// The number of further lines that take a sum with an exact product: see `is_exact`.
    pub fused_exact: usize,
    /// The number of these whose product is one with 3 or 6: the correction of a division.
    pub fused_corrections: usize,
    /// Lines that compare floats, which may assume that there is no NaN.
    pub compared: Vec<String>,
    /// Lines that take a minimum, a maximum or a clamp of floats, which lose NaN.
    pub limited: Vec<String>,
    /// Kinds of access to storage buffers.
    pub accesses: BTreeSet<String>,
    /// The number of loads and of stores among them. AMD's and Intel's aren't counted.
    pub loads: usize,
    pub stores: usize,
    /// Lines that keep a register in memory. Some drivers' statistics don't have them.
    pub spilled: Vec<String>,
}

impl Reading {
    /// Records a load from a storage buffer, or a store.
    fn access(&mut self, is_store: bool, width: &str) {
        self.accesses
            .insert(format!("{} {width}", if is_store { "store" } else { "load" }));
        *if is_store { &mut self.stores } else { &mut self.loads } += 1;
    }

    /// Records a fused product, given the factors that are known.
    fn fuse(&mut self, code: &str, mut factors: impl Iterator<Item = u32> + Clone) {
        if factors.clone().any(is_exact) {
            self.fused_exact += 1;
            self.fused_corrections += usize::from(factors.any(is_divisor));
            return;
        }
        match factors.any(|bits| LAST_STEPS.contains(&(bits & 0x7fff_ffff))) {
            true => self.fused_sixths += 1,
            false => self.fused.push(code.into()),
        }
    }
}

/// 1/6 and 1/3 in f32: in the last step of a division a product with them may be fused.
const LAST_STEPS: [u32; 2] = [0x3e2a_aaab, 0x3eaa_aaab];

/// Whether a product by this is exact: a power of two, and 3 and 6, by which the shader multiplies numbers of few bits.
fn is_exact(bits: u32) -> bool {
    f32::from_bits(bits).is_normal() && (bits << 9 == 0 || is_divisor(bits))
}

/// Whether the shader divides by this number, or by minus it.
fn is_divisor(bits: u32) -> bool {
    [3.0, 6.0].contains(&f32::from_bits(bits).abs())
}

/// The bits of an f32 from a number in a listing: `0x40800000` or `-4.0`.
fn literal(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(bits) => u32::from_str_radix(bits, 16).ok(),
        None if text.contains('.') => text.parse().ok().map(f32::to_bits),
        None => None,
    }
}

/// Reads a listing. `subgroup` is how many invocations run side by side.
pub fn read(vendor: Vendor, listing: &str, subgroup: u32) -> Reading {
    match vendor {
        Vendor::Amd => amd::read(listing),
        Vendor::Intel => intel::read(listing, f64::from(subgroup)),
        Vendor::Nvidia => nvidia::read(listing),
        Vendor::Qualcomm => qualcomm::read(listing),
        Vendor::Arm => arm::read(listing),
    }
}
