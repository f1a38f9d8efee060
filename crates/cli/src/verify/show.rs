//! A report as text for people.

use crate::{
    devices::{Adapter, Report, Row, grouped},
    out::escaped,
};
use hard_sigmoid::DType;
use std::{
    fmt,
    io::{self, Write},
    path::Path,
};

impl fmt::Display for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let driver = if self.driver.is_empty() {
            String::new()
        } else {
            format!(", {}", self.driver)
        };
        let software = if self.is_software {
            ", which computes on the CPU"
        } else {
            ""
        };
        write!(f, "{} ({}{driver}){software}", self.name, self.backend)
    }
}

/// Prints the tables of a report, and the verdict.
pub fn report(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let mut names: Vec<&str> = vec![];
    for row in &report.rows {
        if !names.contains(&&*row.operation) {
            names.push(&row.operation);
        }
    }
    if !names.is_empty() {
        writeln!(
            out,
            "\n{:<22} {:>11} {:>13} {:>13} {:>13} {:>13}",
            "wrong results", "definitions", "f32", "f16", "bf16", "u8"
        )?;
    }
    for name in names {
        let rows = || report.rows.iter().filter(|row| row.operation == name);
        let mut definitions: Vec<_> = rows().filter_map(|row| row.definition.as_ref()).collect();
        definitions.sort();
        definitions.dedup();
        let definitions = if definitions.is_empty() {
            "-".into()
        } else {
            definitions.len().to_string()
        };
        write!(out, "{name:<22} {definitions:>11}")?;
        for dtype in DType::ALL {
            let rows: Vec<_> = rows().filter(|row| row.dtype == dtype.to_string()).collect();
            let sum = |of: fn(&Row) -> u64| rows.iter().map(|row| of(row)).sum::<u64>();
            let cell = match (rows.len(), sum(|row| row.flushed)) {
                (0, _) => "-".into(),
                (_, 0) => grouped(sum(|row| row.differing)),
                (_, flushed) => format!("{} ({})", grouped(sum(|row| row.differing)), grouped(flushed)),
            };
            write!(out, " {cell:>13}")?;
        }
        writeln!(out)?;
    }
    let [results, differing, flushed] = report.totals();
    if flushed > 0 {
        writeln!(
            out,
            "In brackets: further results that took a subnormal number as zero, which WGSL allows."
        )?;
    }
    if !report.speed.is_empty() {
        writeln!(
            out,
            "\n{:<22} {:>5} {:>12} {:>10} {:>10}",
            "speed", "type", "elements", "GB/s", "of a copy"
        )?;
    }
    for speed in &report.speed {
        writeln!(
            out,
            "{:<22} {:>5} {:>12} {:>10.1} {:>10.2}",
            speed.operation,
            speed.dtype,
            grouped(speed.elements),
            speed.gigabytes_per_second,
            speed.ratio()
        )?;
    }
    if let Some(why) = &report.not_measured {
        writeln!(out, "\nNothing was measured: {why}")?;
    }
    for left_out in &report.left_out {
        writeln!(out, "\nNot run: {}, since {}", left_out.operation, left_out.why)?;
    }
    let wrong: Vec<_> = report.rows.iter().filter(|row| row.differing > 0).collect();
    for row in wrong.iter().take(MOST_WRONG) {
        let first = row.first.as_deref().unwrap_or_default();
        writeln!(
            out,
            "\nWrong: {}, {} of {} results. {first}",
            row.key(),
            grouped(row.differing),
            grouped(row.results)
        )?;
    }
    if wrong.len() > MOST_WRONG {
        writeln!(out, "\nand {} other rows with wrong results", wrong.len() - MOST_WRONG)?;
    }
    let name = escaped(&report.adapter.name);
    let but = if report.left_out.is_empty() {
        ""
    } else {
        ", but for what was not run"
    };
    let kind = if report.adapter.is_software {
        ", a driver that computes on the CPU"
    } else {
        ""
    };
    let subnormals = match flushed {
        0 => String::new(),
        _ => format!(", or took a subnormal number as zero ({} of them),", grouped(flushed)),
    };
    let inputs = match &*report.inputs {
        "sample" => "of a sample over all bit patterns".to_string(),
        "all" => "of a sample in every type and of all 2^32 inputs in f32".into(),
        part => format!("of a sample in every type and of part {part} of all 2^32 inputs in f32"),
    };
    let verdict = match (differing, &report.stopped) {
        (0, None) => format!(
            "All {} results {inputs} have the CPU path's bits{subnormals} on {name}{kind}{but}.",
            grouped(results)
        ),
        (0, Some(why)) => format!(
            "Not everything was verified on {name}{kind}, because {why}. The {} results so far have the CPU path's bits{subnormals}.",
            grouped(results)
        ),
        (_, None) => format!(
            "{name}{kind} is WRONG: {} of {} results {inputs} differ from the CPU path.",
            grouped(differing),
            grouped(results)
        ),
        (_, Some(why)) => format!(
            "{name}{kind} is WRONG: {} of {} results differ from the CPU path. It ended early, because {why}.",
            grouped(differing),
            grouped(results)
        ),
    };
    writeln!(out, "\n{verdict}")
}

/// Rows with wrong results that are told in words.
const MOST_WRONG: usize = 5;

/// What to do with a file.
pub fn what_to_do(file: &Path) -> String {
    // In quotes, since it may be pasted into a shell.
    let file = escaped(&file.display().to_string()).replace('\'', r"'\''");
    let send = match env!("CARGO_PKG_REPOSITORY") {
        "" => "Please send it to whoever gave you this program".to_string(),
        address => format!("Please open an issue with it at {address}"),
    };
    format!(
        "'{file}' has the report. {send}, or in a clone add it to docs/devices:\n  \
         cargo run --release -p hard-sigmoid-tools -- devices '{file}'"
    )
}
