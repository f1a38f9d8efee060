//! What the page calls. Everything it shows of a hard sigmoid is computed here: on the visitor's GPU, or on the CPU path.
#![cfg(target_family = "wasm")]

mod npy;
mod speed;

use hard_sigmoid::{
    Binary, Difference, Element, HardSigmoid, Op, Scalar, Unary, bf16, cpu, f16,
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
    /// By name or alias, or `affine(ALPHA, BETA, strict|inclusive|half)`.
    #[wasm_bindgen(constructor)]
    pub fn new(text: &str) -> Result<Self, JsError> {
        Ok(Self(text.parse::<HardSigmoid>()?))
    }

    /// Those that have names.
    pub fn presets() -> Vec<Self> {
        let presets = HardSigmoid::PRESETS.iter();
        presets.map(|preset| Self(preset.definition)).collect()
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

    /// The gradient at the kinks: `strict`, `inclusive` or `half`.
    #[wasm_bindgen(getter, js_name = kinkRule)]
    pub fn kink_rule(&self) -> String {
        self.0.kink_rule().to_string()
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
        self.0.unary(Unary::Forward(definition.0), &x, &mut y).await?;
        Ok(y)
    }

    /// `dx` for an upstream gradient of 1.
    pub async fn gradient(&self, definition: &Definition, x: Vec<f32>) -> Result<Vec<f32>, JsError> {
        let mut g = vec![1.0; x.len()];
        let backward = Binary::Backward(definition.0);
        self.0.binary_in_place(backward, &x, &mut g).await?;
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
        self.compare(definition.0, &x, &g, &mut comparison).await?;
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
        self.compare(definition.0, &x, &g, &mut comparison).await?;
        let x: Vec<_> = all.clone().map(bf16::from_bits).collect();
        let g: Vec<_> = all.map(|bits| bf16::from_bits(other(bits))).collect();
        self.compare(definition.0, &x, &g, &mut comparison).await?;
        Ok(comparison)
    }

    async fn compare<T: Scalar>(
        &self,
        definition: HardSigmoid,
        x: &[T],
        g: &[T],
        comparison: &mut Comparison,
    ) -> Result<(), JsError> {
        // What is not written is seen.
        let (mut here, mut on_cpu) = (vec![T::from_f32(7.0); x.len()], vec![T::from_f32(-7.0); x.len()]);
        let forward = Unary::Forward(definition);
        self.0.unary(forward, x, &mut here).await?;
        cpu::unary(forward, x, &mut on_cpu)?;
        comparison.add(forward, [x, x], &here, &on_cpu);
        here.fill(T::from_f32(7.0));
        on_cpu.fill(T::from_f32(-7.0));
        let backward = Binary::Backward(definition);
        self.0.binary(backward, x, g, &mut here).await?;
        cpu::binary(backward, x, g, &mut on_cpu)?;
        comparison.add(backward, [x, g], &here, &on_cpu);
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
    /// Adds the results of an operation. One that has a single operand takes the first.
    fn add<T: Scalar>(&mut self, op: impl Into<Op>, operands: [&[T]; 2], here: &[T], on_cpu: &[T]) {
        let op = op.into();
        assert_eq!(here.len(), on_cpu.len());
        self.compared += here.len() as f64;
        let zero = T::from_f32(0.0);
        for (index, (here, on_cpu)) in here.iter().zip(on_cpu).enumerate() {
            if bytemuck::bytes_of(here) == bytemuck::bytes_of(on_cpu) {
                continue;
            }
            let [first, second] = operands.map(|operand| operand[index]);
            let element = Element {
                operands: [first, second, zero],
                before: zero,
                index: index as u64,
            };
            match element.compare(op, 0, *here) {
                Difference::Subnormal => self.flushed += 1.0,
                Difference::None | Difference::Wrong => self.differing += 1.0,
            }
        }
    }
}

/// Bits that seem to have nothing to do with these; each comes from one pattern.
fn other_bits(bits: u32) -> u32 {
    bits.wrapping_mul(0x9e37_79b9).wrapping_add(0x7f4a_7c15)
}

/// Shows that the comparison sees a difference, and tells what WGSL allows from what it doesn't.
#[wasm_bindgen(js_name = comparisonSees)]
pub fn comparison_sees() -> Result<Comparison, JsError> {
    // The upstream gradient of x = 0, and what a device might give for a sixth of it.
    let same = [(6.0, 1.0)];
    let allowed = [(6e-39, 0.0), (-6e-39, -0.0), (6.0 * f32::MIN_POSITIVE, 0.0)];
    let wrong = [(6.0, 1.0_f32.next_down()), (6.0, 7.0), (6e-39, -0.0), (6e-37, 0.0)];
    let (g, here): (Vec<_>, Vec<_>) = same.into_iter().chain(allowed).chain(wrong).unzip();
    let (x, mut on_cpu) = (vec![0.0; g.len()], vec![0.0; g.len()]);
    let op = Binary::Backward(HardSigmoid::PYTORCH);
    cpu::binary(op, &x, &g, &mut on_cpu)?;
    let mut comparison = Comparison::default();
    comparison.add(op, [&x, &g], &here, &on_cpu);
    Ok(comparison)
}
