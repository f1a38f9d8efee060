//! The tables of `docs/portability.md` about machine code.

use crate::{
    Result,
    isa::{device::Device, listing::Vendor},
    portability::{self, Part},
};
use std::{collections::BTreeMap, fmt::Write, path::Path};

/// The output of a device's process.
pub struct Counts {
    device: &'static str,
    about: &'static str,
    vendor: Vendor,
    pub summary: String,
    /// Names and instructions for an element, in the order of the rows.
    rows: Vec<(String, f64)>,
    /// Names of functions, and the instructions that each adds to a kernel.
    functions: Vec<(String, f64)>,
}

impl Counts {
    pub fn parse(device: &Device, text: &str) -> Result<Self> {
        let mut lines = text.lines();
        let summary = lines.next().ok_or("a device's process printed nothing")?.to_string();
        let row = |line: &str| -> Result<(String, f64)> {
            let (name, count) = line
                .split_once('\t')
                .ok_or_else(|| format!("not a row of name, tab and count: {line}"))?;
            Ok((name.into(), count.parse()?))
        };
        Ok(Self {
            device: device.name,
            about: device.about,
            vendor: device.vendor,
            summary,
            rows: lines
                .by_ref()
                .take_while(|line| !line.is_empty())
                .map(row)
                .collect::<Result<_>>()?,
            functions: lines.map(row).collect::<Result<_>>()?,
        })
    }
}

/// Two tables of kernels, and two of functions: the first of each is of devices whose counts are whole, the second of those whose
/// counts are beyond a copy. A row for each kernel or function, and a column for each device. A cell has f32, f16 and bf16, or the
/// short and the exact text.
pub fn tables(counted: &[Counts]) -> [(&'static str, String); 4] {
    let (beyond, whole): (Vec<&Counts>, Vec<_>) = counted
        .iter()
        .partition(|counts| counts.vendor.is_counted_beyond_a_copy());
    let kernels = |counted: &[&Counts]| joined("kernel", counted, |counts| &counts.rows);
    let functions = |counted: &[&Counts]| joined("function", counted, |counts| &counts.functions);
    [
        ("kernels", kernels(&whole)),
        ("kernels_beyond", kernels(&beyond)),
        ("functions", functions(&whole)),
        ("functions_beyond", functions(&beyond)),
    ]
}

/// A row for the names that are alike but for their last word, whose counts come into one cell.
fn joined(what: &str, counted: &[&Counts], rows: impl Fn(&Counts) -> &[(String, f64)]) -> String {
    if counted.is_empty() {
        return String::new();
    }
    let mut table = format!("| {what} |");
    for counts in counted {
        write!(table, " {} ({}) |", counts.device, counts.about).expect("writing to a String succeeds");
    }
    table += &format!("\n|---|{}\n", "---|".repeat(counted.len()));
    let mut names: Vec<&str> = vec![];
    let mut cells: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    for counts in counted {
        for (name, count) in rows(counts) {
            let name = name.rsplit_once(' ').map_or(&**name, |(name, _)| name);
            if !names.contains(&name) {
                names.push(name);
            }
            cells
                .entry((name, counts.device))
                .or_default()
                .push(format!("{count:.1}"));
        }
    }
    for name in names {
        write!(table, "| {name} |").expect("writing to a String succeeds");
        for counts in counted {
            let cell = cells
                .get(&(name, counts.device))
                .map_or(String::new(), |cell| cell.join(" / "));
            write!(table, " {cell} |").expect("writing to a String succeeds");
        }
        table += "\n";
    }
    table
}

/// Name, memory bandwidth in GB/s, and 32-bit integer operations in 10^12 a second.
const GPUS: [(&str, f64, f64); 5] = [
    ("NVIDIA H100 SXM", 3350.0, 14.4),
    ("NVIDIA RTX 4090", 1008.0, 20.6),
    ("AMD RX 7900 XTX", 960.0, 15.4),
    ("Intel Arc A770", 560.0, 8.6),
    ("AMD Radeon 680M", 102.0, 1.8),
];

/// The table of how many instructions an element may take before arithmetic limits a GPU instead of memory.
fn budgets() -> String {
    let mut table = String::from(
        "| GPU | GB/s | 10^12 op/s | forward, f32 | forward, halves | backward, f32 | backward, halves |\n|---|---|---|---|---|---|---|\n",
    );
    for (name, bandwidth, rate) in GPUS {
        let budget = |bytes: f64| (rate * 1e3 / (bandwidth / bytes)).floor();
        let [forward, forward_halves, backward, backward_halves] = [8.0, 4.0, 12.0, 6.0].map(budget);
        writeln!(
            table,
            "| {name} | {bandwidth} | {rate} | {forward} | {forward_halves} | {backward} | {backward_halves} |"
        )
        .expect("writing to a String succeeds");
    }
    table
}

/// Replaces this part of the page.
pub fn write(path: &Path, counted: &[Counts]) -> Result<()> {
    let mut summaries = String::new();
    for counts in counted {
        writeln!(summaries, "- {} ({}): {}.", counts.device, counts.about, counts.summary)?;
    }
    let others = [("summaries", summaries), ("budgets", budgets())];
    portability::write(
        path,
        &Part::MachineCode(tables(counted).into_iter().chain(others).collect()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::device::DEVICES;

    #[test]
    fn counts_stand_beside_each_other() {
        let parse = |device, text| Counts::parse(&DEVICES[device], text).unwrap();
        let counted = [
            parse(
                0,
                "device A, 3 pipelines\nkeras forward f32\t9.2\nkeras forward f16\t13.2\npack f32\t2.0\n",
            ),
            parse(
                1,
                "device B, 3 pipelines\nkeras forward f32\t8.0\n\nkeras forward short\t2.0\nkeras forward exact\t7.0\n",
            ),
            parse(DEVICES.len() - 1, "device C, 3 pipelines\nkeras forward f32\t9.0\n"),
        ];
        let [kernels, kernels_beyond, functions, _] = tables(&counted).map(|(_, table)| table);
        assert!(kernels.contains("| keras forward | 9.2 / 13.2 | 8.0 |\n"), "{kernels}");
        assert!(kernels.contains("| pack | 2.0 |  |\n"), "{kernels}");
        assert!(functions.contains("| keras forward |  | 2.0 / 7.0 |\n"), "{functions}");
        // A device whose counts are beyond a copy has a table of its own.
        assert!(kernels_beyond.contains("| keras forward | 9.0 |\n"), "{kernels_beyond}");
        assert!(Counts::parse(&DEVICES[0], "").is_err());
        assert!(Counts::parse(&DEVICES[0], "device\nno tab").is_err());
    }

    #[test]
    fn a_budget_is_the_rate_for_the_time_of_an_elements_bytes() {
        assert!(
            budgets().contains("| NVIDIA H100 SXM | 3350 | 14.4 | 34 | 17 | 51 | 25 |"),
            "{}",
            budgets()
        );
    }
}
