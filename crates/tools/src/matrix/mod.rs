//! Tests every driver that runs without a GPU, and writes down what each did.

use crate::{
    Result, devices,
    portability::{self, Part},
};
use clap::Args;
use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Runs the GPU tests and `hard-sigmoid verify` on each driver, and writes docs/devices and docs/portability.md
///
/// `./test.sh matrix` installs the drivers, builds the command beside this program, and calls it.
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

/// A driver, its adapter, and how many of its tests passed.
#[derive(Debug)]
struct Outcome {
    driver: &'static str,
    adapter: String,
    tests: String,
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
        devices::add(&driver.report(&folder), Path::new(devices::FOLDER))?;
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

    devices::write()?;
    portability::write(Path::new(portability::PATH), &Part::Drivers(table(&outcomes)?))?;
    println!("=== docs/portability.md: {} drivers", outcomes.len());
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
    /// Runs a command on this driver and returns its output.
    fn output(&self, command: &mut Command) -> Result<String> {
        let output = command.envs(self.environment.clone()).output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{} failed:\n{text}{errors}", self.name).into());
        }
        Ok(text)
    }

    /// Runs the GPU tests with these arguments.
    fn test(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new("cargo");
        command.args(["test", "--release", "-p", "hard-sigmoid", "--test", "gpu", "--"]);
        self.output(command.args(arguments))
    }

    /// The file of `hard-sigmoid verify`.
    fn report(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.json", self.name))
    }

    /// Runs the tests, then `hard-sigmoid verify`.
    fn run(&self, folder: &Path) -> Result<Outcome> {
        println!("=== {}", self.name);
        let text = self.test(&["--test-threads=2"])?;
        let tests = passed(&text).ok_or_else(|| format!("{} doesn't print how many tests passed", self.name))?;
        println!("{tests}");
        let report = self.report(folder);
        // A report may be left from an earlier run.
        if report.exists() {
            fs::remove_file(&report)?;
        }
        let program = std::env::current_exe()?.with_file_name("hard-sigmoid");
        print!(
            "{}",
            self.output(Command::new(program).args(["verify", "--json"]).arg(&report))?
        );
        let [report] = &devices::read(&report)?[..] else {
            return Err(format!("{} has more than one adapter", self.name).into());
        };
        Ok(Outcome {
            driver: self.name,
            adapter: format!(
                "{} ({}, {})",
                report.adapter.name, report.adapter.backend, report.adapter.driver
            ),
            tests,
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
        self.validated().test(&["one_pass"])?;
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

fn table(outcomes: &[Outcome]) -> Result<String> {
    let mut page = String::from("| driver | adapter | GPU tests |\n|---|---|---|\n");
    for Outcome { driver, adapter, tests } in outcomes {
        writeln!(page, "| {driver} | {adapter} | {tests} |")?;
    }
    page += "\n`lavapipe-validated` runs under the Khronos validation layer, which reports nothing.\n";
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_counted() {
        let text = "running 15 tests\ntest result: ok. 15 passed; 0 failed; 1 ignored\n";
        assert_eq!(passed(text).unwrap(), "15 passed");
        assert_eq!(passed("test result: FAILED. 14 passed; 1 failed"), None);
    }
}
