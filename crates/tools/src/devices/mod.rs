//! The page `docs/devices.md`, of the reports in `docs/devices`.

use crate::Result;
use clap::Args;
use hard_sigmoid_cli::devices::{Report, grouped, to_json};
use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    slice,
};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/devices.md");
/// Where the reports are.
pub const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/devices");

/// Adds reports of `hard-sigmoid verify` or of the page to docs/devices, and writes docs/devices.md
///
/// Each report is checked: its form, and that its rows and counts are those of this version. A report of the same device, driver, host
/// and inputs is replaced, unless it is complete and the new one isn't.
#[derive(Args)]
pub struct Arguments {
    /// Files of `hard-sigmoid verify --json`, or of the page. Without one the page is only written
    #[arg(value_name = "REPORT.json")]
    reports: Vec<PathBuf>,
    /// Only checks them
    #[arg(long, requires = "reports")]
    check: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    if arguments.check {
        for path in &arguments.reports {
            println!("{}: {} reports of this version", path.display(), new(path)?.len());
        }
        return Ok(());
    }
    for path in &arguments.reports {
        for name in add(path, Path::new(FOLDER))? {
            println!("docs/devices/{name}");
        }
    }
    write()?;
    println!("wrote docs/devices.md");
    Ok(())
}

/// Writes the page.
pub fn write() -> Result<()> {
    Ok(fs::write(PAGE, page(&all(Path::new(FOLDER))?)?)?)
}

/// Adds a file's reports to a folder, and returns the names of the new files. Nothing is written if one is wrong.
pub fn add(path: &Path, folder: &Path) -> Result<Vec<String>> {
    let reports = new(path)?;
    fs::create_dir_all(folder)?;
    for report in reports.iter().filter(|report| report.stopped.is_some()) {
        let there = folder.join(name(report));
        if there.exists() && read(&there)?[0].stopped.is_none() {
            return Err(format!("{} is complete, and the new report ended early", there.display()).into());
        }
    }
    let write = |report: &Report| -> Result<String> {
        let name = name(report);
        fs::write(folder.join(&name), to_json(slice::from_ref(report)))?;
        Ok(name)
    };
    reports.iter().map(write).collect()
}

/// The reports of a file that this version has made.
fn new(path: &Path) -> Result<Vec<Report>> {
    let reports = read(path)?;
    for report in &reports {
        let at = |error: String| format!("{}: {error}", path.display());
        report.check_of_this_version().map_err(at)?;
    }
    Ok(reports)
}

/// The reports of a file, whose form was checked.
pub fn read(path: &Path) -> Result<Vec<Report>> {
    let at = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let text = fs::read_to_string(path).map_err(|error| at(&error))?;
    let reports: Vec<Report> = serde_json::from_str(&text).map_err(|error| at(&error))?;
    if reports.is_empty() {
        return Err(at(&"it has no report").into());
    }
    for report in &reports {
        report.check().map_err(|error| at(&error))?;
    }
    Ok(reports)
}

/// The name of a report's file: what tells its device from others.
fn name(report: &Report) -> String {
    let adapter = &report.adapter;
    let all = [
        &adapter.name,
        &adapter.backend,
        &adapter.driver,
        &report.host,
        &report.inputs,
    ];
    let all = all.map(String::as_str).join(" ");
    let words: Vec<_> = all
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    words.join("-") + ".json"
}

/// Every report of a folder, real GPUs first.
fn all(folder: &Path) -> Result<Vec<Report>> {
    let mut files: Vec<_> = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let mut reports = vec![];
    for file in &files {
        let [report] = &read(file)?[..] else {
            return Err(format!("{}: it has to have one report", file.display()).into());
        };
        if file.file_name().is_none_or(|it| it.to_string_lossy() != name(report)) {
            return Err(format!("{}: its name has to be {}", file.display(), name(report)).into());
        }
        reports.push(report.clone());
    }
    reports.sort_by_key(|report| report.adapter.is_software);
    Ok(reports)
}

/// A text in a cell of a table.
fn cell(text: &str) -> String {
    let escape = |c: char| match c {
        '|' | '[' | ']' | '`' | '*' | '_' | '\\' => format!("\\{c}"),
        '<' => "&lt;".into(),
        c => c.into(),
    };
    text.chars().map(escape).collect()
}

fn page(reports: &[Report]) -> Result<String> {
    let mut rows = String::new();
    for report in reports {
        let adapter = &report.adapter;
        let through = match &*adapter.driver {
            "" => adapter.backend.clone(),
            driver => format!("{}, {driver}", adapter.backend),
        };
        let [results, differing, flushed] = report.totals();
        let of = |dtype: &str| {
            let speeds: Vec<_> = ["forward", "backward", "hard_swish", "gate"]
                .iter()
                .map(|name| {
                    let speed = report
                        .speed
                        .iter()
                        .find(|it| it.operation == *name && it.dtype == dtype);
                    speed.map_or("-".into(), |speed| format!("{:.2}", speed.ratio()))
                })
                .collect();
            speeds.join(" / ")
        };
        let ended = report
            .stopped
            .as_ref()
            .map_or(String::new(), |why| format!("; ended early: {}", cell(why)));
        let left_out = report
            .left_out
            .iter()
            .map(|it| format!("; {} not run", cell(&it.operation)));
        let left_out: String = left_out.collect();
        let commit = cell(report.commit.as_deref().unwrap_or(&report.version));
        writeln!(
            rows,
            "| {}{} | {} | {} | {}, {commit} | {}{ended}{left_out} | {} | {} | {} | {} | {} |",
            cell(&adapter.name),
            if adapter.is_software { " (on the CPU)" } else { "" },
            cell(&through),
            cell(&report.host),
            report.date,
            cell(&report.inputs),
            grouped(results),
            grouped(differing),
            grouped(flushed),
            of("f32"),
            of("f16"),
        )?;
    }
    Ok(include_str!("page.md").replace("{rows}\n", &rows))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hard_sigmoid::{DType, Op};
    use hard_sigmoid_cli::devices::{Adapter, Key, LeftOut, Row, SCHEMA, Speed, cases, sample_len};

    fn report() -> Report {
        let row = |&(op, dtype): &(Op, DType)| {
            let len = sample_len("sample", dtype);
            let sizes = op.sizes(dtype, len).unwrap();
            let results = sizes[op.inputs().len()..].iter().map(|size| size / dtype.size()).sum();
            Row {
                operation: op.name().into(),
                definition: op.definition().map(|it| it.to_string()),
                estimator: op.parameters().estimator.map(|it| it.to_string()),
                dtype: dtype.to_string(),
                results: if op.name() == "pack" { len } else { results },
                differing: 0,
                flushed: 0,
                first: None,
            }
        };
        Report {
            schema: SCHEMA,
            version: "0.1.0".into(),
            commit: None,
            date: "2026-12-01".into(),
            host: "wgpu on linux x86_64".into(),
            adapter: Adapter {
                name: "GPU <1> | two".into(),
                backend: "Vulkan".into(),
                driver: "driver 7".into(),
                is_software: false,
            },
            limits: Default::default(),
            inputs: "sample".into(),
            rows: cases().iter().map(row).collect(),
            left_out: vec![],
            speed: vec![],
            not_measured: None,
            stopped: None,
        }
    }

    /// A change to a report that has to be refused, and a part of the message.
    type Lie = (fn(&mut Report), &'static str);

    #[test]
    fn what_no_run_can_have_written_is_refused() {
        let good = report();
        assert_eq!(good.check_of_this_version(), Ok(()));
        let speed = |operation: &str, rate| Speed {
            operation: operation.into(),
            dtype: "f32".into(),
            elements: 8,
            gigabytes_per_second: rate,
            copy_gigabytes_per_second: 1.0,
        };
        assert_eq!(speed("forward", 0.5).ratio(), 0.5);
        let lies: [Lie; 17] = [
            (|report| report.schema = 2, "schema is 2"),
            (|report| report.date = "today".into(), "date is"),
            (|report| report.inputs = "17/16".into(), "no part"),
            (|report| report.inputs = "all".into(), "results, but"),
            (|report| report.inputs = "1/2".into(), "results, but"),
            (|report| report.rows.clear(), "no results"),
            (|report| report.stopped = Some(String::new()), "say why"),
            (|report| report.rows.truncate(5), "a row is missing"),
            (|report| report.rows[3] = report.rows[4].clone(), "two rows"),
            (|report| report.rows[3].operation = "softmax".into(), "a row is missing"),
            (|report| report.rows[3].results += 1, "results, but"),
            (
                |report| report.rows[3].flushed = 1 << 40,
                "more wrong results than results",
            ),
            (
                |report| (report.rows[3].differing, report.rows[3].flushed) = (u64::MAX, 2),
                "more wrong results",
            ),
            (|report| report.rows[3].results = 1 << 63, "too many"),
            (
                |report| report.rows[3].differing = 1,
                "has to say which result is wrong",
            ),
            (|report| report.adapter.name = "a\nb".into(), "control character"),
            (
                |report| {
                    report.left_out.push(LeftOut {
                        operation: "gate".into(),
                        why: "none".into(),
                    });
                },
                "is left out, and has a row",
            ),
        ];
        for (lie, message) in lies {
            let mut report = good.clone();
            lie(&mut report);
            let error = report.check_of_this_version().unwrap_err();
            assert!(error.contains(message), "{error}");
        }
        let mut fast = good.clone();
        fast.speed.push(speed("forward", 30.0));
        assert!(fast.check().unwrap_err().contains("can't have 30 GB/s"));
        // What is left out or not reached may be missing.
        let mut short = good.clone();
        short.rows.truncate(5);
        short.stopped = Some("it was interrupted".into());
        assert_eq!(short.check_of_this_version(), Ok(()));
        // Reports of another version stay, but aren't added.
        let mut old = good.clone();
        old.rows.pop();
        assert_eq!(old.check(), Ok(()));
        assert_eq!(good.rows[0].key(), Key::of(cases()[0].0, cases()[0].1));
    }

    #[test]
    fn reports_are_added_and_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new.json");
        let write = |reports: &[Report]| fs::write(&file, serde_json::to_string(reports).unwrap()).unwrap();
        let devices = folder.path().join("devices");
        let (first, mut other) = (report(), report());
        other.adapter.name = "another".into();
        write(&[first.clone(), other.clone()]);
        let names = add(&file, &devices).unwrap();
        assert_eq!(names[0], "gpu-1-two-vulkan-driver-7-wgpu-on-linux-x86-64-sample.json");
        other.date = "2026-12-02".into();
        write(&[other]);
        assert_eq!(add(&file, &devices).unwrap(), names[1..]);
        let all = all(&devices).unwrap();
        assert_eq!(all.len(), 2);
        let page = page(&all).unwrap();
        assert!(
            page.contains("| GPU &lt;1> \\| two | Vulkan, driver 7 |") && page.contains("2026-12-02"),
            "{page}"
        );
        // One that ended early doesn't replace a complete one.
        let mut early = first.clone();
        early.stopped = Some("it was interrupted".into());
        write(&[early]);
        assert!(add(&file, &devices).unwrap_err().to_string().contains("is complete"));
        // One that is wrong keeps all from being written.
        let (mut good, mut bad) = (first.clone(), first);
        good.adapter.name = "third".into();
        bad.schema = 9;
        write(&[good, bad]);
        assert!(add(&file, &devices).unwrap_err().to_string().contains("schema is 9"));
        assert_eq!(fs::read_dir(&devices).unwrap().count(), 2);
        fs::write(&file, "[]").unwrap();
        assert!(add(&file, &devices).unwrap_err().to_string().contains("no report"));
        fs::write(&file, r#"[{"schema": 1, "user": "me"}]"#).unwrap();
        assert!(add(&file, &devices).is_err());
    }

    #[test]
    fn the_page_is_that_of_the_reports() {
        let page = page(&all(Path::new(FOLDER)).unwrap()).unwrap();
        let there = fs::read_to_string(PAGE).unwrap();
        assert_eq!(page, there, "run: cargo run --release -p hard-sigmoid-tools -- devices");
    }
}
