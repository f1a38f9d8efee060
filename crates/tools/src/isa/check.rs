//! Checks a device's machine code for faults and counts its instructions.

use crate::{
    Result,
    isa::{
        careless::{ROUNDINGS, without},
        device::Device,
        driver::{Compiled, Driver},
        kernels::{self, Module, Pipeline},
        listing::{self, Reading, Vendor},
    },
};
const LIMITED: &str = "gfx1100";

/// Limits on the instructions for an element on that device in f32, f16 and bf16. The counts depend on Mesa's version and naga's:
/// these are a twentieth above those of Mesa 22.3.6 and naga 30. Lower them when a kernel gets better.
const LIMITS: [(&str, [f64; 3]); 28] = [
    ("pytorch forward", [13.9, 13.8, 11.1]),
    ("keras forward", [9.7, 13.8, 11.1]),
    ("jax forward", [8.6, 13.8, 11.1]),
    ("keras3 forward", [13.9, 13.8, 11.1]),
    ("keras3 backward", [39.7, 26.4, 13.8]),
    ("sparse forward", [9.7, 13.8, 11.1]),
    ("sparse backward", [20.2, 45.8, 22.2]),
    ("affine(0.16666667, 0.5, strict) forward", [9.7, 36.9, 13.2]),
    ("affine(0, 0.25, strict) forward", [8.2, 35.1, 10.9]),
    ("pytorch backward", [9.7, 26.4, 13.8]),
    ("keras backward", [10.7, 26.4, 13.8]),
    ("jax backward", [10.7, 26.4, 13.8]),
    ("affine(0.16666667, 0.5, strict) backward", [10.7, 37.4, 13.8]),
    ("affine(0, 0.25, strict) backward", [12.1, 39.7, 15.5]),
    ("pytorch backward_from_output", [9.7, 25.8, 13.2]),
    ("pytorch hard_swish", [42.0, 43.3, 45.1]),
    ("pytorch backward_accumulate", [22.6, 62.2, 27.5]),
    ("pytorch hard_swish_backward", [28.9, 68.0, 33.4]),
    ("pytorch gate", [22.6, 61.7, 27.1]),
    ("pytorch gate_backward", [41.5, 108.4, 50.2]),
    ("pytorch gate_broadcast", [42.8, 83.0, 48.8]),
    ("pytorch binarize", [160.9, 173.7, 161.6]),
    ("binarize", [5.0, 6.7, 5.7]),
    ("pytorch pack", [20.3, 43.3, 40.4]),
    ("pack", [4.1, 5.0, 5.0]),
    ("unpack", [6.5, 6.3, 5.2]),
    ("straight_through hard_tanh", [8.6, 25.3, 12.7]),
    ("straight_through identity", [5.5, 21.6, 9.0]),
];

/// Counts of pipelines with each kind of fault.
#[derive(Default)]
struct Faults {
    fused: usize,
    compared: usize,
    limited: usize,
    torn: usize,
    spilled: usize,
    /// Description of the first fault.
    first: Option<String>,
    /// Names of the pipelines with fused roundings.
    fusing: Vec<String>,
}

impl Faults {
    fn add(&mut self, kernel: &Pipeline, reading: &Reading, statistics: &[(String, u64)], copied: &Reading) {
        let spills = |(name, value): &&(String, u64)| {
            let name = name.to_lowercase();
            *value > 0 && ["spill", "fill", "scratch"].iter().any(|what| name.contains(what))
        };
        let torn: Vec<_> = match kernel.takes_vectors() {
            true => reading.accesses.difference(&copied.accesses).collect(),
            false => vec![],
        };
        let sixths = ["more products by 1/6 are fused than there are divisions".to_string()];
        let fused = match (kernel.may_fuse(), reading.fused_sixths > kernel.sixths()) {
            (true, _) => &[][..],
            (false, true) => &sixths,
            (false, false) => &reading.fused,
        };
        let limited = if kernel.limits_floats() {
            &[][..]
        } else {
            &reading.limited
        };
        let spilled = statistics.iter().find(spills);
        self.fused += usize::from(!fused.is_empty());
        self.compared += usize::from(!reading.compared.is_empty());
        self.limited += usize::from(!limited.is_empty());
        self.torn += usize::from(!torn.is_empty());
        self.spilled += usize::from(spilled.is_some());
        let name = kernel.name();
        if !fused.is_empty() {
            self.fusing.push(format!("{name} {}", kernel.dtype));
        }
        let words = match (fused, &reading.compared[..], limited, &torn[..], spilled) {
            ([line, ..], ..) => format!("rounds once: {line}"),
            (_, [line, ..], ..) => format!("compares floats: {line}"),
            (_, _, [line, ..], ..) => format!("takes a minimum, maximum or clamp of floats: {line}"),
            (_, _, _, [access, ..], _) => format!("accesses vectors in another way than the copy kernel: {access}"),
            (_, _, _, _, Some((what, value))) => format!("{what} is {value}"),
            _ => return,
        };
        let dtype = kernel.dtype;
        let place = match kernel.placement {
            Some(placement) => placement.to_string(),
            None => "in somebody else's kernel".into(),
        };
        self.first
            .get_or_insert(format!("{name} in {dtype}, {place}, {} {words}", kernel.entry));
    }

    fn count(&self) -> usize {
        self.fused + self.compared + self.limited + self.torn + self.spilled
    }
}

/// A driver, and its machine code of a copy kernel, for comparison.
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
            true => Err("the copy kernel's listing shows no memory access".into()),
            false => Ok(reader),
        }
    }

    /// The machine code of an entry point that binds this number of storage buffers, and what stands in it.
    fn read(&self, text: &str, entry: &str, tensors: usize) -> Result<(Compiled, Reading)> {
        let compiled = Module::new(text)?.compile(&self.driver, entry, tensors)?;
        let reading = listing::read(self.vendor, &compiled.listing, compiled.subgroup);
        match reading.alu {
            0.0 => Err(format!("the listing shows no instruction:\n{}", compiled.listing).into()),
            _ => Ok((compiled, reading)),
        }
    }

    fn control(&self, text: &str) -> Result<Reading> {
        Ok(self.read(text, "main", 2)?.1)
    }

    /// How many instructions each function adds to a kernel. A short function is fused with the kernel, or the check proves nothing.
    fn epilogues(&self) -> Result<Vec<(String, f64)>> {
        let read = |pipeline: &Pipeline| self.read(&pipeline.text, pipeline.entry, pipeline.tensors);
        let none = read(&kernels::no_epilogue()?)?.1.alu;
        let mut counts = vec![];
        for (name, pipeline) in kernels::epilogues()? {
            let (_, reading) = read(&pipeline)?;
            if name == "keras forward short" && reading.fused.is_empty() {
                return Err(format!("{name} shows no fusion, so this check might miss one").into());
            }
            counts.push((name, reading.alu - none));
        }
        Ok(counts)
    }

    /// Compiles and reads pipelines, after a change of their text.
    fn faults(
        &self,
        change: impl Fn(&str) -> String,
        pipelines: &[Pipeline],
        mut each: impl FnMut(&Pipeline, &Reading),
    ) -> Result<Faults> {
        let mut faults = Faults::default();
        for kernel in pipelines {
            let (compiled, reading) = self.read(&change(&kernel.text), kernel.entry, kernel.tensors)?;
            faults.add(kernel, &reading, &compiled.statistics, &self.copied);
            each(kernel, &reading);
        }
        Ok(faults)
    }
}

/// Checks every pipeline on the device that the environment has chosen, and prints a summary and the counts.
pub fn check(device: &Device) -> Result<()> {
    let reader = Reader::open(device.vendor)?;
    let plain = reader.control(kernels::PLAIN)?;
    if plain.fused.is_empty() {
        return Err("the plain clamp shows no fusion, so this check might miss one".into());
    }
    let mut rows = vec![
        ("copy f32".to_string(), reader.copied.alu / 4.0),
        ("plain clamp f32".into(), plain.alu / 4.0),
    ];
    let (mut above, mut with_limit) = (vec![], 0);
    let count = |kernel: &Pipeline, reading: &Reading| {
        if !kernel.is_shown() {
            return;
        }
        let name = format!("{} {}", kernel.name(), kernel.dtype);
        let count = reading.alu / f64::from(kernel.width());
        let limit = LIMITS.iter().find(|(name, _)| *name == kernel.name());
        let limit = limit.map(|(_, limits)| limits[kernel.dtype as usize]);
        with_limit += usize::from(limit.is_some());
        match limit {
            _ if device.name != LIMITED => {}
            None => above.push(format!(
                "{name} takes {count:.1} instructions for an element and has no limit: add one to LIMITS"
            )),
            Some(limit) if count > limit => above.push(format!(
                "{name} takes {count:.1} instructions for an element, above its limit of {limit}"
            )),
            Some(_) => {}
        }
        rows.push((name, count));
    };
    let all = kernels::all();
    let found = reader.faults(str::to_string, &all, count)?;
    if let Some(first) = &found.first {
        return Err(format!("{} faults in {} pipelines, first: {first}", found.count(), all.len()).into());
    }
    if device.name == LIMITED && with_limit != 3 * LIMITS.len() {
        above.push(format!(
            "only {with_limit} of {} limits belong to a kernel: remove the others from LIMITS",
            3 * LIMITS.len()
        ));
    }
    if !above.is_empty() {
        return Err(above.join("\n").into());
    }

    // Without the shader's precautions the compiler has to fuse, or the check proves nothing.
    let (outside, ours): (Vec<_>, Vec<_>) = all.into_iter().partition(|pipeline| pipeline.placement.is_none());
    let shown: Vec<_> = ours.into_iter().filter(Pipeline::is_shown).collect();
    let careless = reader.faults(|text| without(text, ROUNDINGS), &shown, |_, _| ())?;
    let careless_outside = reader.faults(|text| without(text, ROUNDINGS), &outside, |_, _| ())?;
    if careless_outside.fused == 0 {
        return Err(
            "no kernel that calls a function shows a fusion without apart(), so this check might miss one".into(),
        );
    }
    for kernel in ["pytorch forward f32", "pytorch gate f32"] {
        if !careless.fusing.iter().any(|name| name == kernel) {
            return Err(format!("{kernel} shows no fusion without apart(), so this check might miss one").into());
        }
    }
    println!(
        "{}, 0 faults in all pipelines; {} of {} bodies, and {} of {} kernels that call a function, fuse without apart()",
        reader.driver.name,
        careless.fused,
        shown.len(),
        careless_outside.fused,
        outside.len()
    );
    for (name, count) in rows {
        println!("{name}\t{count:.1}");
    }
    println!();
    for (name, count) in reader.epilogues()? {
        println!("{name}\t{count:.1}");
    }
    Ok(())
}
