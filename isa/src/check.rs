//! What has to hold of a device's machine code.

use crate::{
    Device, Result,
    driver::Driver,
    kernels::{self, Kernel, Module, Modules},
    listing::{self, Reading, Vendor},
};
use hard_sigmoid::wgsl;

const LIMITED: &str = "gfx1100";

/// Instructions for an element on that device in f32, f16 and bf16. The counts depend on Mesa's version and on naga's: these are a
/// twentieth above those of Mesa 22.3.6 and naga 30, and where a kernel gets better, lower them.
const LIMITS: [(&str, [f64; 3]); 14] = [
    ("pytorch forward", [15.0, 13.9, 11.2]),
    ("keras forward", [9.7, 13.9, 11.2]),
    ("jax forward", [8.7, 13.9, 11.2]),
    ("pytorch backward", [11.8, 28.0, 15.9]),
    ("keras backward", [11.8, 28.0, 15.9]),
    ("jax backward", [11.8, 28.0, 15.9]),
    ("pytorch hard_swish", [20.5, 47.5, 24.0]),
    ("pytorch backward_accumulate", [24.7, 64.3, 29.7]),
    ("pytorch hard_swish_backward", [39.4, 78.6, 43.9]),
    ("pytorch gate", [24.7, 63.9, 29.2]),
    ("pytorch gate_backward", [46.8, 113.7, 55.5]),
    ("pytorch binarize", [162.0, 174.8, 162.7]),
    ("pytorch pack", [20.4, 43.5, 40.8]),
    ("unpack", [6.6, 6.3, 5.3]),
];

/// What is wrong with pipelines.
#[derive(Default)]
struct Faults {
    fused: usize,
    compared: usize,
    torn: usize,
    spilled: usize,
    /// The first of them, in words.
    first: Option<String>,
}

impl Faults {
    fn add(&mut self, kernel: &Kernel, reading: &Reading, statistics: &[(String, u64)], copied: &Reading) {
        let spills = |(name, value): &&(String, u64)| {
            let name = name.to_lowercase();
            *value > 0 && ["spill", "fill", "scratch"].iter().any(|what| name.contains(what))
        };
        let takes_vectors = kernel.is_body && !["pack", "unpack"].contains(&kernel.op.name());
        let torn: Vec<_> = match takes_vectors {
            true => reading.accesses.difference(&copied.accesses).collect(),
            false => vec![],
        };
        let fused = if kernel.may_fuse() { &[][..] } else { &reading.fused };
        let spilled = statistics.iter().find(spills);
        self.fused += usize::from(!fused.is_empty());
        self.compared += usize::from(!reading.compared.is_empty());
        self.torn += usize::from(!torn.is_empty());
        self.spilled += usize::from(spilled.is_some());
        let words = match (fused, &reading.compared[..], &torn[..], spilled) {
            ([line, ..], ..) => format!("rounds once: {line}"),
            (_, [line, ..], ..) => format!("compares floats: {line}"),
            (_, _, [access, ..], _) => format!("doesn't access vectors as the copy does: {access}"),
            (_, _, _, Some((name, value))) => format!("{name} is {value}"),
            _ => return,
        };
        let Kernel {
            dtype,
            placement,
            entry_point,
            ..
        } = kernel;
        let name = kernel.name();
        self.first
            .get_or_insert(format!("{name} in {dtype}, {placement:?}, {entry_point} {words}"));
    }

    fn count(&self) -> usize {
        self.fused + self.compared + self.torn + self.spilled
    }
}

/// A driver, and what it makes of a copy.
struct Reader {
    driver: Driver,
    vendor: Vendor,
    copied: Reading,
}

impl Reader {
    fn open(vendor: Vendor) -> Result<Self> {
        let mut reader = Self {
            driver: Driver::open()?,
            vendor,
            copied: Reading::default(),
        };
        reader.copied = reader.control(kernels::COPY)?;
        match reader.copied.accesses.is_empty() {
            true => Err("no access is seen in the copy".into()),
            false => Ok(reader),
        }
    }

    fn control(&self, text: &str) -> Result<Reading> {
        let compiled = Module::new(text)?.compile(&self.driver, "main", &[], 2)?;
        Ok(listing::read(self.vendor, &compiled.listing, compiled.subgroup))
    }

    /// Compiles and reads pipelines.
    fn faults(&self, modules: &Modules, kernels: &[Kernel], mut each: impl FnMut(&Kernel, &Reading)) -> Result<Faults> {
        let mut faults = Faults::default();
        for kernel in kernels {
            let module = modules.of(kernel.placement);
            let compiled = module.compile(&self.driver, kernel.entry_point, &kernel.constants, kernel.tensors)?;
            let reading = listing::read(self.vendor, &compiled.listing, compiled.subgroup);
            if reading.alu == 0.0 {
                return Err(format!("no instruction is seen in\n{}", compiled.listing).into());
            }
            faults.add(kernel, &reading, &compiled.statistics, &self.copied);
            each(kernel, &reading);
        }
        Ok(faults)
    }
}

/// Checks every pipeline on a device, which the environment has chosen, and prints a summary and the counts.
pub fn check(device: &Device) -> Result<()> {
    let reader = Reader::open(device.vendor)?;
    let plain = reader.control(kernels::PLAIN)?;
    if plain.fused.is_empty() {
        return Err("the fusion of the plain clamp isn't seen".into());
    }
    let mut rows = vec![
        ("copy f32".to_string(), reader.copied.alu / 4.0),
        ("plain clamp f32".into(), plain.alu / 4.0),
    ];
    let mut above = vec![];
    let count = |kernel: &Kernel, reading: &Reading| {
        if !kernel.is_shown() {
            return;
        }
        let name = format!("{} {}", kernel.name(), kernel.dtype);
        let count = reading.alu / f64::from(kernel.width());
        let limits = LIMITS.iter().find(|(limited, _)| *limited == kernel.name());
        let limit = limits.map_or(f64::INFINITY, |(_, limits)| limits[kernel.dtype as usize]);
        if device.name == LIMITED && count > limit {
            above.push(format!(
                "{name} takes {count:.1} instructions for an element, above its limit of {limit}"
            ));
        }
        rows.push((name, count));
    };
    let all = kernels::all()?;
    let found = reader.faults(&Modules::new(str::to_string)?, &all, count)?;
    if let Some(first) = &found.first {
        return Err(format!("{} faults in {} pipelines, first: {first}", found.count(), all.len()).into());
    }
    if !above.is_empty() {
        return Err(above.join("\n").into());
    }

    // Without the shader's precaution the fusion has to be seen.
    let precaution = "return bitcast<vec4<f32>>(bitcast<vec4<u32>>(v) ^ vec4<u32>(params.opaque_zero));";
    if !wgsl::SEPARATE.contains(precaution) {
        return Err("opaque() isn't what this check takes out".into());
    }
    let careless = Modules::new(|text| text.replace(precaution, "return v;"))?;
    let shown: Vec<_> = all.into_iter().filter(Kernel::is_shown).collect();
    let careless = reader.faults(&careless, &shown, |_, _| ())?;
    if careless.fused == 0 {
        return Err("a fusion isn't seen where opaque() is taken out".into());
    }
    println!(
        "{}, 0 faults in all pipelines; {} of {} bodies fuse without opaque()",
        reader.driver.name,
        careless.fused,
        shown.len()
    );
    for (name, count) in rows {
        println!("{name}\t{count:.1}");
    }
    Ok(())
}
