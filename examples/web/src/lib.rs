//! What the page calls. Everything it shows of a hard sigmoid is computed here: on the visitor's GPU, or on the CPU path.
#![cfg(target_family = "wasm")]

mod npy;
mod speed;

use hard_sigmoid::{
    HardSigmoid, Kinks, Scalar, cpu,
    half::{bf16, f16},
    offload::{Offload, Target},
};
pub use speed::Speed;
use wasm_bindgen::prelude::*;

/// A hard sigmoid.
#[wasm_bindgen]
#[derive(Clone, Copy)]
pub struct Definition(HardSigmoid);

#[wasm_bindgen]
impl Definition {
    /// By name or alias, or `affine(ALPHA, BETA, strict|inclusive)`.
    #[wasm_bindgen(constructor)]
    pub fn new(text: &str) -> Result<Self, JsError> {
        Ok(Self(text.parse::<HardSigmoid>()?))
    }

    /// Those that have names.
    pub fn presets() -> Vec<Self> {
        HardSigmoid::PRESETS.map(|preset| Self(preset.definition)).into()
    }

    /// The preset's name, or `affine`.
    #[wasm_bindgen(getter)]
    pub fn name(&self) -> String {
        self.0.name().into()
    }

    /// What [`Definition::new`] reads.
    #[wasm_bindgen(getter)]
    pub fn text(&self) -> String {
        self.0.to_string()
    }

    /// The forward formula.
    #[wasm_bindgen(getter)]
    pub fn formula(&self) -> String {
        self.0.formula()
    }

    /// Who defines it.
    #[wasm_bindgen(getter)]
    pub fn source(&self) -> Option<String> {
        self.0.preset().map(|preset| preset.source.into())
    }

    /// Slope of the linear zone.
    #[wasm_bindgen(getter)]
    pub fn alpha(&self) -> f32 {
        self.0.slope()
    }

    /// Value at 0, before it is limited to 0 and 1.
    #[wasm_bindgen(getter)]
    pub fn beta(&self) -> f32 {
        self.0.shift()
    }

    /// Whether the gradient passes at the kinks.
    #[wasm_bindgen(getter, js_name = isInclusive)]
    pub fn is_inclusive(&self) -> bool {
        self.0.kink_rule() == Kinks::Inclusive
    }

    /// The two inputs where the curve bends; empty for a constant.
    #[wasm_bindgen(getter)]
    pub fn kinks(&self) -> Vec<f32> {
        self.0.kinks().map_or(vec![], |(low, high)| vec![low, high])
    }
}

/// Where to compute.
#[wasm_bindgen]
pub struct Device(Offload);

#[wasm_bindgen]
impl Device {
    /// The visitor's GPU.
    pub async fn gpu() -> Result<Self, JsError> {
        Ok(Self(Offload::new(Target::Gpu).await?))
    }

    /// The CPU path.
    pub async fn cpu() -> Result<Self, JsError> {
        Ok(Self(Offload::new(Target::Cpu).await?))
    }

    /// The adapter's name as far as the browser tells wgpu, which may be nothing; none on the CPU path.
    #[wasm_bindgen(getter)]
    pub fn adapter(&self) -> Option<String> {
        Some(self.0.adapter_info()?.name.clone())
    }

    /// Whether the adapter is a program.
    #[wasm_bindgen(getter, js_name = isSoftware)]
    pub fn is_software(&self) -> bool {
        let software = wgpu::DeviceType::Cpu;
        self.0.adapter_info().is_some_and(|info| info.device_type == software)
    }

    /// `y`.
    pub async fn forward(&self, definition: &Definition, x: Vec<f32>) -> Result<Vec<f32>, JsError> {
        let mut y = vec![0.0; x.len()];
        self.0.forward(definition.0, &x, &mut y).await?;
        Ok(y)
    }

    /// `dx` for an upstream gradient of 1.
    pub async fn gradient(&self, definition: &Definition, x: Vec<f32>) -> Result<Vec<f32>, JsError> {
        let mut g = vec![1.0; x.len()];
        self.0.backward_in_place(definition.0, &x, &mut g).await?;
        Ok(g)
    }

    /// Compares with the CPU path, forward and backward, `count` f32 bit patterns from `start` on, `step` from one to the next.
    pub async fn check(
        &self,
        definition: &Definition,
        start: u32,
        step: u32,
        count: u32,
    ) -> Result<Comparison, JsError> {
        let pattern = |i: u32| start.wrapping_add(i.wrapping_mul(step));
        let x: Vec<f32> = (0..count).map(|i| f32::from_bits(pattern(i))).collect();
        let g: Vec<f32> = (0..count).map(|i| f32::from_bits(other_bits(pattern(i)))).collect();
        let mut comparison = Comparison::default();
        self.compare(definition.0, &x, &g, f32::to_bits, &mut comparison)
            .await?;
        Ok(comparison)
    }

    /// Compares with the CPU path, forward and backward, on every f16 and every bf16.
    #[wasm_bindgen(js_name = checkHalves)]
    pub async fn check_halves(&self, definition: &Definition) -> Result<Comparison, JsError> {
        let other = |bits: u16| (other_bits(bits.into()) >> 16) as u16;
        let all = 0..=u16::MAX;
        let mut comparison = Comparison::default();
        let x: Vec<_> = all.clone().map(f16::from_bits).collect();
        let g: Vec<_> = all.clone().map(|bits| f16::from_bits(other(bits))).collect();
        let bits = |value: f16| value.to_bits().into();
        self.compare(definition.0, &x, &g, bits, &mut comparison).await?;
        let x: Vec<_> = all.clone().map(bf16::from_bits).collect();
        let g: Vec<_> = all.map(|bits| bf16::from_bits(other(bits))).collect();
        let bits = |value: bf16| value.to_bits().into();
        self.compare(definition.0, &x, &g, bits, &mut comparison).await?;
        Ok(comparison)
    }

    async fn compare<T: Scalar>(
        &self,
        definition: HardSigmoid,
        x: &[T],
        g: &[T],
        bits: impl Fn(T) -> u32,
        comparison: &mut Comparison,
    ) -> Result<(), JsError> {
        // What is not written is seen.
        let (mut here, mut on_cpu) = (vec![T::from_f32(7.0); x.len()], vec![T::from_f32(-7.0); x.len()]);
        self.0.forward(definition, x, &mut here).await?;
        cpu::forward(definition, x, &mut on_cpu)?;
        comparison.add(&here, &on_cpu, &bits, |i| {
            T::from_f32(forward_without_subnormals(definition, x[i].to_f32()))
        });
        here.fill(T::from_f32(7.0));
        on_cpu.fill(T::from_f32(-7.0));
        self.0.backward(definition, x, g, &mut here).await?;
        cpu::backward(definition, x, g, &mut on_cpu)?;
        // The kernels look at x as an integer, which nothing flushes.
        comparison.add(&here, &on_cpu, &bits, |i| {
            T::from_f32(definition.backward(x[i].to_f32(), subnormal_as_zero(g[i].to_f32())))
        });
        Ok(())
    }

    /// `y`, or the gradient, of the elements of a `.npy` file, as another such file. `is_bf16` says that its uint16 are the
    /// bits of bfloat16. What is wrong with the file is thrown as a string, a failure of the device as an `Error`.
    #[wasm_bindgen(js_name = transformNpy)]
    pub async fn transform_npy(
        &self,
        definition: &Definition,
        wants_gradient: bool,
        is_bf16: bool,
        file: Vec<u8>,
    ) -> Result<Vec<u8>, JsValue> {
        npy::transformed(&self.0, definition.0, wants_gradient, is_bf16, file).await
    }
}

/// How many results were compared with the CPU path, and how many differ.
#[wasm_bindgen]
#[derive(Clone, Copy, Default)]
pub struct Comparison {
    /// Results.
    pub compared: f64,
    /// Those that differ in any bit.
    pub differing: f64,
    /// Those that differ because a subnormal counted as zero of its sign, which WGSL allows.
    pub flushed: f64,
}

impl Comparison {
    /// `without_subnormals` is what the CPU path gives for an element whose subnormal operands are zero.
    fn add<T: Scalar>(
        &mut self,
        here: &[T],
        on_cpu: &[T],
        bits: impl Fn(T) -> u32,
        without_subnormals: impl Fn(usize) -> T,
    ) {
        assert_eq!(here.len(), on_cpu.len());
        self.compared += here.len() as f64;
        for (i, (&here, &on_cpu)) in here.iter().zip(on_cpu).enumerate() {
            if bits(here) == bits(on_cpu) {
                continue;
            }
            let is_flushed = |result: T| {
                let (here, result) = (here.to_f32(), result.to_f32());
                // A product may be flushed before it is rounded up to the smallest normal number.
                let is_tiny = result.abs() <= f32::MIN_POSITIVE;
                is_tiny && here == 0.0 && here.is_sign_negative() == result.is_sign_negative()
            };
            let allowed = without_subnormals(i);
            if bits(here) == bits(allowed) || is_flushed(on_cpu) || is_flushed(allowed) {
                self.flushed += 1.0;
            } else {
                self.differing += 1.0;
            }
        }
    }
}

fn subnormal_as_zero(value: f32) -> f32 {
    if value.is_subnormal() {
        0.0_f32.copysign(value)
    } else {
        value
    }
}

/// `forward(x)` where every subnormal counts as zero, also between the operations. (Not the slope: the kernels scale it.)
fn forward_without_subnormals(definition: HardSigmoid, x: f32) -> f32 {
    let (slope, shift) = (definition.slope(), definition.shift());
    let is_lost = x.is_subnormal() || (slope * x).is_subnormal();
    let x = if is_lost { 0.0_f32.copysign(x) } else { x };
    // Then it is no preset.
    let definition = if shift.is_subnormal() {
        HardSigmoid::affine(slope, 0.0, definition.kink_rule()).unwrap()
    } else {
        definition
    };
    definition.forward(x)
}

/// Bits that seem to have nothing to do with these; each comes from one pattern.
fn other_bits(bits: u32) -> u32 {
    bits.wrapping_mul(0x9e37_79b9).wrapping_add(0x7f4a_7c15)
}

/// Shows that the comparison sees a difference, and tells what WGSL allows from what it doesn't.
#[wasm_bindgen(js_name = comparisonSees)]
pub fn comparison_sees() -> Comparison {
    let mut comparison = Comparison::default();
    let here = [1.0, 0.0, 0.0, f32::NAN, 0.5, 0.25, 0.0, -0.0];
    let on_cpu = [1.0, 1e-40, -1e-40, -f32::NAN, 0.75, 0.75, 1.5e-38, 1.5e-38];
    let without_subnormals = [1.0, 1e-40, -1e-40, -f32::NAN, 0.5, 0.5, 1e-40, 1e-40];
    comparison.add(&here, &on_cpu, f32::to_bits, |i| without_subnormals[i]);
    comparison
}
