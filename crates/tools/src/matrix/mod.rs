//! Tests every driver that runs without a GPU and writes the results into one table.

use crate::{
    Result,
    portability::{self, Part},
};
use clap::Args;
use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Runs the GPU tests and a sample of every operation on each driver, and writes docs/portability.md
///
/// `./test.sh matrix` installs the drivers and calls it.
#[derive(Args)]
pub struct Arguments {
    /// The driver file of SwiftShader
    #[arg(value_name = "SWIFTSHADER_ICD")]
    swiftshader: String,
    /// The driver file of a lavapipe that is newer than the installed one
    #[arg(value_name = "NEWER_LAVAPIPE_ICD")]
    newer: String,
}

/// A driver, and the environment that chooses it.
struct Driver {
    name: &'static str,
    environment: Vec<(&'static str, String)>,
}

/// The results of a driver's tests and sample.
#[derive(Debug)]
struct Outcome {
    driver: &'static str,
    adapter: String,
    tests: String,
    rows: Vec<Row>,
}

/// The sample's result for one operation.
#[derive(Debug)]
struct Row {
    definition: String,
    operation: String,
    differing: u64,
    flushed: u64,
}

pub fn run(Arguments { swiftshader, newer }: &Arguments) -> Result<()> {
    let folder = PathBuf::from(std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".into())).join("matrix");
    fs::create_dir_all(&folder)?;
    let folder = fs::canonicalize(folder)?;
    let installed = installed_lavapipe()?;
    let vulkan = |icd: &str| vec![("WGPU_BACKEND", "vulkan".into()), ("VK_ICD_FILENAMES", icd.into())];
    let beside = Path::new(newer)
        .parent()
        .ok_or("the newer lavapipe's driver file has to be in a folder")?;
    let drivers = [
        Driver {
            name: "lavapipe",
            environment: vulkan(&installed),
        },
        Driver {
            name: "llvmpipe-gl",
            environment: vec![("WGPU_BACKEND", "gl".into())],
        },
        Driver {
            name: "swiftshader",
            environment: vulkan(swiftshader),
        },
        Driver {
            name: "lavapipe-backports",
            environment: [vulkan(newer), vec![("LD_LIBRARY_PATH", beside.display().to_string())]].concat(),
        },
    ];
    let mut outcomes = vec![];
    for driver in &drivers {
        outcomes.push(driver.run(&folder)?);
    }

    let layer = Layer {
        folder: &folder,
        driver: vulkan(&installed),
    };
    layer.prove()?;
    let validated = layer.validated();
    outcomes.push(validated.run(&folder)?);
    if let Some(objection) = layer.objections()?.first() {
        return Err(format!("the validation layer reports: {objection}").into());
    }

    portability::write(Path::new(portability::PATH), &Part::Drivers(tables(&outcomes)?))?;
    println!("=== docs/portability.md: {} rows of drivers", outcomes.len());
    Ok(())
}

/// The driver file of the distribution's lavapipe.
fn installed_lavapipe() -> Result<String> {
    let folder = Path::new("/usr/share/vulkan/icd.d");
    let missing = |error| format!("{}: {error}; install mesa-vulkan-drivers", folder.display());
    for entry in fs::read_dir(folder).map_err(missing)? {
        let path = entry?.path().display().to_string();
        if path.contains("lvp_icd") {
            return Ok(path);
        }
    }
    Err(format!("{} has no lavapipe: install mesa-vulkan-drivers", folder.display()).into())
}

impl Driver {
    /// Runs the GPU tests with these arguments and returns their output.
    fn test(&self, report: Option<&Path>, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new("cargo");
        command.args(["test", "--release", "-p", "hard-sigmoid", "--test", "gpu", "--"]);
        command.args(arguments).envs(self.environment.clone());
        if let Some(report) = report {
            command.env("HARD_SIGMOID_REPORT", report);
        }
        let output = command.output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{} failed:\n{text}{errors}", self.name).into());
        }
        Ok(text)
    }

    /// Runs the tests, then the sample.
    fn run(&self, folder: &Path) -> Result<Outcome> {
        println!("=== {}", self.name);
        let text = self.test(None, &["--test-threads=2"])?;
        let tests = passed(&text).ok_or_else(|| format!("{} doesn't print how many tests passed", self.name))?;
        println!("{tests}");
        let report = folder.join(format!("{}.report", self.name));
        // A report may be left from an earlier run.
        if report.exists() {
            fs::remove_file(&report)?;
        }
        self.test(Some(&report), &["--ignored", "sample"])?;
        let report = fs::read_to_string(&report).map_err(|_| format!("{} wrote no report of the sample", self.name))?;
        let (adapter, rows) = parsed(&report)?;
        Ok(Outcome {
            driver: self.name,
            adapter,
            tests,
            rows,
        })
    }
}

/// Vulkan's validation layer, which writes its objections into a file.
struct Layer<'a> {
    folder: &'a Path,
    driver: Vec<(&'static str, String)>,
}

impl Layer<'_> {
    fn log(&self) -> PathBuf {
        self.folder.join("validation.log")
    }

    fn validated(&self) -> Driver {
        let layer = [
            ("VK_INSTANCE_LAYERS", "VK_LAYER_KHRONOS_validation".to_string()),
            ("VK_LAYER_SETTINGS_PATH", self.folder.display().to_string()),
        ];
        Driver {
            name: "lavapipe-validated",
            environment: [&self.driver[..], &layer].concat(),
        }
    }

    fn settle(&self, extra: &str) -> Result<()> {
        let log = self.log();
        if log.exists() {
            fs::remove_file(&log)?;
        }
        let settings = format!(
            "khronos_validation.debug_action = VK_DBG_LAYER_ACTION_LOG_MSG\n\
             khronos_validation.report_flags = error,warn,perf,info\n\
             khronos_validation.log_filename = {}\n{extra}\n",
            log.display()
        );
        Ok(fs::write(self.folder.join("vk_layer_settings.txt"), settings)?)
    }

    /// Checks that an objection would be found. With best practices on, the layer objects to an old extension that wgpu asks for.
    fn prove(&self) -> Result<()> {
        self.settle("khronos_validation.enables = VK_VALIDATION_FEATURE_ENABLE_BEST_PRACTICES_EXT")?;
        self.validated().test(None, &["one_pass"])?;
        if self.objections()?.is_empty() {
            return Err("the validation layer's log has no objection where one was expected".into());
        }
        self.settle("")
    }

    fn objections(&self) -> Result<Vec<String>> {
        let log = fs::read_to_string(self.log())?;
        if !log.contains("Khronos Validation Layer Active") {
            return Err("the validation layer wasn't active: install vulkan-validationlayers".into());
        }
        let kinds = ["Validation Error", "Validation Warning", "Validation Performance"];
        let objects = |line: &&str| kinds.iter().any(|kind| line.contains(kind));
        Ok(log.lines().filter(objects).map(String::from).collect())
    }
}

/// The count of a line like `test result: ok. 15 passed; 0 failed; ...`.
fn passed(text: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with("test result: ok."))?;
    let count = line.split_whitespace().nth(3)?;
    Some(format!("{count} passed"))
}

/// The adapter and the rows of a report, whose fields `tests/gpu/exhaustive.rs` separates by tabs.
fn parsed(report: &str) -> Result<(String, Vec<Row>)> {
    let mut lines = report.lines();
    let adapter = lines.next().ok_or("the report is empty")?.to_string();
    let row = |line: &str| -> Result<Row> {
        let fields: Vec<_> = line.split('\t').collect();
        let [definition, operation, _results, differing, flushed] = fields[..] else {
            return Err(format!("the report needs five fields between tabs, not {line:?}").into());
        };
        Ok(Row {
            definition: definition.into(),
            operation: operation.into(),
            differing: differing.parse()?,
            flushed: flushed.parse()?,
        })
    };
    let rows = lines.map(row).collect::<Result<Vec<_>>>()?;
    if rows.is_empty() {
        return Err("the report has no operations".into());
    }
    Ok((adapter, rows))
}

fn tables(outcomes: &[Outcome]) -> Result<String> {
    let mut page = String::from("| driver | adapter | tests |\n|---|---|---|\n");
    for Outcome {
        driver, adapter, tests, ..
    } in outcomes
    {
        writeln!(page, "| {driver} | {adapter} | {tests} |")?;
    }
    page += "\n`lavapipe-validated` runs under the Khronos validation layer, which reports nothing.\n\n";
    let names: Vec<_> = outcomes.iter().map(|outcome| outcome.driver).collect();
    writeln!(page, "| definition | operation | {} |", names.join(" | "))?;
    writeln!(page, "|---|---|{}", "---|".repeat(names.len()))?;
    for (index, first) in outcomes[0].rows.iter().enumerate() {
        write!(page, "| {} | {} |", first.definition, first.operation)?;
        for outcome in outcomes {
            let row = outcome
                .rows
                .get(index)
                .filter(|row| (&row.definition, &row.operation) == (&first.definition, &first.operation));
            let row = row.ok_or_else(|| format!("{} doesn't report {}", outcome.driver, first.operation))?;
            match row.flushed {
                0 => write!(page, " {} |", row.differing)?,
                flushed => write!(page, " {} ({flushed}) |", row.differing)?,
            }
        }
        page += "\n";
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(report: &str) -> Result<Outcome> {
        let (adapter, rows) = parsed(report)?;
        Ok(Outcome {
            driver: "driver",
            adapter,
            tests: "15 passed".into(),
            rows,
        })
    }

    #[test]
    fn differences_and_subnormals_show() {
        let first = outcome("A (Vulkan)\njax\tforward\t10\t0\t0\njax\tbackward\t10\t3\t2\n").unwrap();
        let page = tables(&[first]).unwrap();
        assert!(page.contains("| driver | A (Vulkan) | 15 passed |"), "{page}");
        assert!(
            page.contains("| jax | forward | 0 |\n| jax | backward | 3 (2) |\n"),
            "{page}"
        );
    }

    #[test]
    fn what_is_missing_is_an_error() {
        assert!(outcome("").is_err() && outcome("A (Vulkan)\n").is_err());
        assert!(outcome("A (Vulkan)\njax forward 10 0 0\n").is_err());
        let both = "A\njax\tforward\t10\t0\t0\njax\tbackward\t10\t0\t0\n";
        let one = "B\njax\tforward\t10\t0\t0\n";
        let error = tables(&[outcome(both).unwrap(), outcome(one).unwrap()]).unwrap_err();
        assert!(error.to_string().contains("doesn't report backward"), "{error}");
    }

    #[test]
    fn tests_are_counted() {
        let text = "running 15 tests\ntest result: ok. 15 passed; 0 failed; 1 ignored\n";
        assert_eq!(passed(text).unwrap(), "15 passed");
        assert_eq!(passed("test result: FAILED. 14 passed; 1 failed"), None);
    }
}
