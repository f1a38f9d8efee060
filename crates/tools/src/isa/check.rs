//! Checks a device's machine code for faults and counts its instructions.

use crate::{
    Result,
    isa::{
        careless::{ROUNDINGS, without},
        device::Device,
        driver::{Compiled, Driver},
        kernels::{self, Module, Pipeline},
        listing::{self, Reading},
    },
};
use hard_sigmoid::DType;

const LIMITED: &str = "gfx1100";

/// Limits on the instructions for an element on that device in f32, f16 and bf16. The counts depend on Mesa's version and naga's:
/// these are a twentieth above those of Mesa 22.3.6 and naga 30. Lower them when a kernel gets better.
const LIMITS: [(&str, [f64; 3]); 32] = [
    ("pytorch forward", [11.7, 13.8, 11.1]),
    ("keras forward", [9.7, 13.8, 11.1]),
    ("jax forward", [8.6, 13.8, 11.1]),
    ("keras3 forward", [11.7, 13.8, 11.1]),
    ("keras3 backward", [39.7, 20.1, 13.8]),
    ("sparse forward", [9.7, 13.8, 11.1]),
    ("sparse backward", [20.2, 22.3, 22.2]),
    ("affine(0.16666667, 0.5, strict) forward", [9.7, 36.9, 13.2]),
    ("affine(0, 0.25, strict) forward", [8.2, 35.1, 10.9]),
    ("pytorch backward", [9.7, 20.1, 13.8]),
    ("keras backward", [10.7, 20.1, 13.8]),
    ("jax backward", [10.7, 20.1, 13.8]),
    ("affine(0.16666667, 0.5, strict) backward", [10.7, 20.1, 13.8]),
    ("affine(0, 0.25, strict) backward", [12.1, 39.7, 15.5]),
    ("pytorch backward_from_output", [9.7, 19.6, 13.2]),
    ("pytorch hard_swish", [26.5, 22.7, 16.4]),
    ("pytorch backward_accumulate", [22.6, 40.7, 27.5]),
    ("pytorch hard_swish_backward", [24.7, 41.3, 29.2]),
    ("pytorch gate", [20.5, 34.4, 25.0]),
    ("pytorch gate_backward", [39.4, 66.0, 48.2]),
    ("pytorch gate_broadcast", [40.7, 55.1, 45.7]),
    ("pytorch gate_broadcast, aligned", [24.4, 36.4, 26.9]),
    ("pytorch gate_broadcast, shared", [17.6, 26.5, 19.4]),
    ("pytorch binarize", [158.8, 171.6, 159.5]),
    ("pytorch binarize, aligned", [89.8, 102.5, 90.4]),
    ("binarize", [5.0, 6.7, 5.7]),
    ("pytorch pack", [20.0, 42.8, 39.9]),
    ("pytorch pack, aligned", [11.3, 25.4, 22.7]),
    ("pack", [4.1, 5.0, 5.0]),
    ("unpack", [6.5, 6.3, 5.2]),
    ("straight_through hard_tanh", [8.6, 7.9, 7.9]),
    ("straight_through identity", [5.5, 3.7, 3.7]),
];

/// Those on the instructions for a byte.
const BYTE_LIMITS: [(&str, f64); 4] = [
    ("lookup", 7.7),
    ("lookup_gate", 41.0),
    ("lookup_gate, aligned", 9.7),
    ("lookup_gate, shared", 9.9),
];

/// A device on which an operation spills registers in halves: 64 registers have to hold five vectors, which are twenty words, what is
/// computed of them, and every constant, which PanVK keeps in a register.
const SPILLING: (&str, &str) = ("g610", "gate_backward");

/// The faults of some pipelines.
#[derive(Default)]
struct Faults {
    /// Their number. A pipeline may have several.
    count: usize,
    /// Description of the first fault.
    first: Option<String>,
    /// Names of the pipelines with fused roundings.
    fusing: Vec<String>,
    /// Names of the others that leave out the correction of a division.
    leaving: Vec<String>,
    /// The number of pipelines that spill where `SPILLING` allows it.
    spilling: usize,
}

impl Faults {
    fn add(
        &mut self,
        kernel: &Pipeline,
        reading: &Reading,
        statistics: &[(String, u64)],
        device: &Device,
        copied: &Reading,
    ) {
        let name = kernel.name();
        let fused = if kernel.may_fuse() {
            None
        } else if reading.fused_sixths > kernel.sixths() {
            Some("fuses more products by 1/6 or 1/3 than there are divisions".into())
        } else {
            reading.fused.first().map(|line| format!("rounds once: {line}"))
        };
        // The product by 6 or 3 is fused wherever it is present.
        let is_left_out = fused.is_none() && kernel.sixths() > 0 && reading.fused_corrections == 0;
        let left_out = is_left_out.then(|| "leaves out the correction of a division by 6 or 3".into());
        let compared = reading.compared.first().map(|line| format!("compares floats: {line}"));
        let limited = reading.limited.first().filter(|_| !kernel.limits_floats());
        let limited = limited.map(|line| format!("takes a minimum, maximum or clamp of floats: {line}"));
        let mut other = reading.accesses.difference(&copied.accesses);
        let torn = other.next().filter(|_| kernel.takes_vectors());
        let torn = torn.map(|access| format!("accesses vectors in another way than the copy kernel: {access}"));
        let spills = |(name, value): &&(String, u64)| {
            let name = name.to_lowercase();
            // NVK has the size of an invocation's own memory, Turnip the loads and stores there.
            let kinds = ["spill", "fill", "scratch", "slm size", "stp count", "ldp count"];
            *value > 0 && kinds.iter().any(|what| name.contains(what))
        };
        let counted = statistics
            .iter()
            .find(spills)
            .map(|(what, value)| format!("{what} is {value}"));
        let spilled = counted.or_else(|| reading.spilled.first().map(|line| format!("spills a register: {line}")));
        let may_spill = kernel.dtype != DType::F32 && SPILLING == (device.name, kernel.op.name());
        self.spilling += usize::from(may_spill && spilled.is_some());

        for (names, fault) in [(&mut self.fusing, &fused), (&mut self.leaving, &left_out)] {
            names.extend(fault.as_ref().map(|_| format!("{name} {}", kernel.dtype)));
        }
        let place = match kernel.placement {
            Some(placement) => placement.to_string(),
            None => "in somebody else's kernel".into(),
        };
        for fault in [fused, left_out, compared, limited, torn, spilled.filter(|_| !may_spill)]
            .into_iter()
            .flatten()
        {
            self.count += 1;
            self.first
                .get_or_insert(format!("{name} in {}, {place}, {} {fault}", kernel.dtype, kernel.entry));
        }
    }
}

/// A driver, and its machine code of a copy kernel, for comparison.
struct Reader<'a> {
    driver: Driver,
    device: &'a Device,
    copied: Reading,
    /// How many instructions a copy kernel needs for all, and for each load and each store: for its address, and to check its bounds.
    share: [f64; 3],
}

impl<'a> Reader<'a> {
    fn open(device: &'a Device) -> Result<Self> {
        let mut reader = Self {
            driver: Driver::open()?,
            device,
            copied: Reading::default(),
            share: [0.0; 3],
        };
        reader.copied = reader.control(&kernels::copy(1, 1), 2)?;
        if reader.copied.accesses.is_empty() {
            return Err("the copy kernel's listing shows no memory access".into());
        }
        if device.vendor.is_counted_beyond_a_copy() {
            let copied = &reader.copied;
            let operands = reader.control(&kernels::copy(2, 1), 3)?;
            let results = reader.control(&kernels::copy(1, 2), 3)?;
            // Four instructions combine two operands.
            let load = (operands.alu - 4.0 - copied.alu) / (operands.loads - copied.loads) as f64;
            let store = (results.alu - copied.alu) / (results.stores - copied.stores) as f64;
            let rest = copied.alu - load * copied.loads as f64 - store * copied.stores as f64;
            reader.share = [rest, load, store];
        }
        Ok(reader)
    }

    /// The machine code of an entry point that binds this number of storage buffers, and what stands in it.
    fn read(&self, text: &str, entry: &str, tensors: usize) -> Result<(Compiled, Reading)> {
        let compiled = Module::new(text)?.compile(&self.driver, entry, tensors)?;
        let reading = listing::read(self.device.vendor, &compiled.listing, compiled.subgroup);
        match reading.alu {
            0.0 => Err(format!("the listing shows no instruction:\n{}", compiled.listing).into()),
            _ => Ok((compiled, reading)),
        }
    }

    fn control(&self, text: &str, tensors: usize) -> Result<Reading> {
        Ok(self.read(text, "main", tensors)?.1)
    }

    /// The instructions of a kernel that count.
    fn count(&self, reading: &Reading) -> f64 {
        let [rest, load, store] = self.share;
        reading.alu - rest - load * reading.loads as f64 - store * reading.stores as f64
    }

    /// How many instructions each function adds to a kernel. A short function is fused with the kernel, or the check proves nothing.
    fn epilogues(&self) -> Result<Vec<(String, f64)>> {
        let read = |pipeline: &Pipeline| self.read(&pipeline.text, pipeline.entry, pipeline.tensors);
        let none = self.count(&read(&kernels::no_epilogue()?)?.1);
        let mut counts = vec![];
        for (name, pipeline) in kernels::epilogues()? {
            let (_, reading) = read(&pipeline)?;
            if name == "keras forward short" && reading.fused.is_empty() {
                return Err(format!("{name} shows no fusion, so this check might miss one").into());
            }
            counts.push((name, self.count(&reading) - none));
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
            faults.add(kernel, &reading, &compiled.statistics, self.device, &self.copied);
            each(kernel, &reading);
        }
        Ok(faults)
    }
}

/// Checks every pipeline on the device that the environment has chosen, and prints a summary and the counts.
pub fn check(device: &Device) -> Result<()> {
    let reader = Reader::open(device)?;
    let plain = reader.control(&kernels::plain(), 2)?;
    if plain.fused.is_empty() {
        return Err("the plain clamp shows no fusion, so this check might miss one".into());
    }
    let mut rows = vec![
        ("copy f32".to_string(), reader.copied.alu / 4.0),
        ("plain clamp f32".into(), reader.count(&plain) / 4.0),
    ];
    let (mut above, mut with_limit) = (vec![], 0);
    let count = |kernel: &Pipeline, reading: &Reading| {
        // A copy's loads say nothing about those of a table.
        let is_comparable = !device.vendor.is_counted_beyond_a_copy() || kernel.dtype != DType::U8;
        if !kernel.is_shown() || !is_comparable {
            return;
        }
        let name = format!("{} {}", kernel.name(), kernel.dtype);
        let count = reader.count(reading) / f64::from(kernel.width());
        let of_bytes = || BYTE_LIMITS.iter().find(|(name, _)| *name == kernel.name());
        let limit = match LIMITS.iter().find(|(name, _)| *name == kernel.name()) {
            Some((_, limits)) => Some(limits[kernel.dtype as usize]),
            None => of_bytes().map(|(_, limit)| *limit),
        };
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
        return Err(format!("{} faults in {} pipelines, first: {first}", found.count, all.len()).into());
    }
    let limits = 3 * LIMITS.len() + BYTE_LIMITS.len();
    if device.name == LIMITED && with_limit != limits {
        above.push(format!(
            "only {with_limit} of {limits} limits belong to a kernel: remove the others from LIMITS"
        ));
    }
    if !above.is_empty() {
        return Err(above.join("\n").into());
    }

    if device.name == SPILLING.0 && found.spilling == 0 {
        return Err(format!("no {} spills registers any more: remove SPILLING", SPILLING.1).into());
    }

    // Without the shader's precautions the compiler has to fuse, or the check proves nothing.
    let (outside, ours): (Vec<_>, Vec<_>) = all.into_iter().partition(|pipeline| pipeline.placement.is_none());
    let shown: Vec<_> = ours.into_iter().filter(Pipeline::is_shown).collect();
    let careless = reader.faults(|text| without(text, ROUNDINGS), &shown, |_, _| ())?;
    let careless_outside = reader.faults(|text| without(text, ROUNDINGS), &outside, |_, _| ())?;
    if careless_outside.fusing.is_empty() {
        return Err(
            "no kernel that calls a function shows a fusion without apart(), so this check might miss one".into(),
        );
    }
    for kernel in ["keras forward f32", "affine(0.16666667, 0.5, strict) forward f32"] {
        if !careless.fusing.iter().any(|name| name == kernel) {
            return Err(format!("{kernel} shows no fusion without apart(), so this check might miss one").into());
        }
    }
    println!(
        "{}, 0 faults in all pipelines{}; {} of {} bodies, and {} of {} kernels that call a function, round otherwise without apart()",
        reader.driver.name.trim(),
        match found.spilling {
            0 => String::new(),
            count => format!(", but {count} of {} spill registers", SPILLING.1),
        },
        careless.fusing.len() + careless.leaving.len(),
        shown.len(),
        careless_outside.fusing.len() + careless_outside.leaving.len(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::{device::DEVICES, kernels};
    use std::collections::BTreeSet;

    /// The faults of a body that a device's listing shows so.
    fn faults(device: &str, name: &str, dtype: DType, reading: &Reading, statistics: &[(String, u64)]) -> Faults {
        let all = kernels::all();
        let kernel = all
            .iter()
            .find(|kernel| kernel.entry == "body" && kernel.name() == name && kernel.dtype == dtype);
        let device = DEVICES.iter().find(|one| one.name == device).unwrap();
        let copied = Reading {
            accesses: BTreeSet::from(["load 4".into()]),
            ..Default::default()
        };
        let mut faults = Faults::default();
        faults.add(kernel.unwrap(), reading, statistics, device, &copied);
        faults
    }

    /// A listing without a fault, but for this change.
    fn changed(change: impl Fn(&mut Reading)) -> Reading {
        let mut reading = Reading {
            accesses: BTreeSet::from(["load 4".into()]),
            ..Default::default()
        };
        change(&mut reading);
        reading
    }

    #[test]
    fn every_kind_of_fault_is_seen() {
        let of = |reading: &Reading| faults("gfx1100", "keras forward", DType::F32, reading, &[]);
        assert_eq!(of(&changed(|_| ())).first, None);
        let lines = || vec!["a line".to_string()];
        let bad = [
            (changed(|reading| reading.fused = lines()), "rounds once: a line"),
            (
                changed(|reading| reading.fused_sixths = 1),
                "more products by 1/6 or 1/3",
            ),
            (changed(|reading| reading.compared = lines()), "compares floats: a line"),
            (changed(|reading| reading.limited = lines()), "clamp of floats: a line"),
            (
                changed(|reading| reading.accesses = BTreeSet::from(["load 1".into()])),
                "the copy kernel: load 1",
            ),
            (
                changed(|reading| reading.spilled = lines()),
                "spills a register: a line",
            ),
        ];
        for (i, (reading, words)) in bad.iter().enumerate() {
            let found = of(reading);
            assert!(found.first.is_some_and(|first| first.contains(words)), "{words}");
            assert_eq!((found.count, found.fusing.len()), (1, usize::from(i < 2)), "{words}");
        }
    }

    /// The correction of a division has a product by 6, and one by 1/6, for each element.
    #[test]
    fn a_division_needs_its_correction() {
        let of = |exact, sixths| {
            let reading = changed(|reading| (reading.fused_corrections, reading.fused_sixths) = (exact, sixths));
            let found = faults("a740", "pytorch forward", DType::F32, &reading, &[]);
            (found.count, found.fusing.len(), found.leaving.len())
        };
        assert_eq!([of(4, 4), of(0, 0), of(4, 5)], [(0, 0, 0), (1, 0, 1), (1, 1, 0)]);
    }

    #[test]
    fn spilled_registers_are_seen_in_the_statistics() {
        let spills = |device, dtype, statistic: &str, value| {
            let reading = changed(|reading| reading.fused_corrections = 2);
            let statistics = [("Instruction count".into(), 9), (statistic.into(), value)];
            faults(device, "pytorch gate_backward", dtype, &reading, &statistics).count > 0
        };
        for statistic in [
            "Spilled VGPRs",
            "Scratch Memory Size",
            "Fill Count",
            "SLM Size",
            "STP Count",
            "LDP Count",
        ] {
            assert!(spills("ada", DType::F16, statistic, 4), "{statistic}");
            assert!(!spills("ada", DType::F16, statistic, 0), "{statistic}");
        }
        // The known case, and no other.
        assert!(!spills("g610", DType::F16, "Spill Count", 4));
        assert!(spills("g610", DType::F32, "Spill Count", 4));
    }
}
