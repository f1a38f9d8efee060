//! Whether a machine's GPUs give the bits of the CPU path, and how fast they are.

pub mod machine;
mod samples;
mod show;
mod speed;

use crate::{
    devices::{self, Adapter, CHUNK, Key, LeftOut, Report, Row, SCHEMA},
    out::{Out, escaped},
    outcome::{Outcome, complain},
    output::Output,
    progress,
};
use clap::{Args, ValueHint};
use hard_sigmoid::{DType, Op, cpu::Comparison, gpu::wgpu, offload::block_on};
use indicatif::ProgressBar;
use machine::{Machine, Trouble};
use std::{
    collections::BTreeSet,
    io::Write,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// Verifies that this machine's GPUs give the bits of the CPU path, and measures them.
///
/// On each adapter it computes every operation, with every preset and element type, on a sample spread over all bit patterns, and
/// compares each result with the CPU path. Then it measures forward, backward, hard swish and gate on tensors in the device's memory,
/// beside a kernel that copies one. That takes about a minute; drivers that compute on the CPU may need a few.
///
/// Ctrl-C ends it, with a report of what was done so far; a second one ends it at once.
#[derive(Args)]
#[command(after_help = AFTER)]
pub struct Arguments {
    /// Computes all 2^32 inputs too: of every preset in f32, forward and backward, and of other operations with one to three definitions.
    /// That takes minutes on a GPU, and half an hour or more on a driver that computes on two cores
    #[arg(long)]
    full: bool,
    /// Computes a part of all 2^32 inputs, such as 3/16; all parts together are --full
    #[arg(long, value_name = "K/N", conflicts_with = "full", value_parser = |text: &str| devices::chunks(text).map(|_| text.to_owned()))]
    part: Option<String>,
    /// Writes the report as JSON; README.md describes it. It has nothing that identifies a person
    #[arg(long, value_hint = ValueHint::FilePath, value_name = "FILE.json")]
    json: Option<PathBuf>,
}

const AFTER: &str = "\
Examples:
  hard-sigmoid verify
  hard-sigmoid verify --json report.json
  hard-sigmoid verify --full
  WGPU_BACKEND=vulkan hard-sigmoid verify
  WGPU_ADAPTER_NAME=nvidia hard-sigmoid verify

Exit status:
  0    every result has the bits of the CPU path
  1    a result is wrong
  2    bad arguments, no adapter, a report that can't be written, or an adapter's run ended early
  130  Ctrl-C came twice";

pub(crate) fn run(arguments: &Arguments, out: &mut Out) -> Outcome {
    let interrupted = Arc::new(AtomicBool::new(false));
    let noted = interrupted.clone();
    ctrlc::set_handler(move || {
        // A device that hangs would never come to the end of a step.
        if noted.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        complain("ending after this step; once more ends at once, without a report");
    })?;
    let is_interrupted = || interrupted.load(Ordering::Relaxed);
    let file = arguments.json.as_deref();
    let is_file = file.map(Output::is_file_at).transpose()?;
    // Text doesn't mix with a report in standard output.
    let mut out: Box<dyn Write> = match is_file {
        Some(false) => Box::new(std::io::stderr()),
        _ => Box::new(out),
    };
    let inputs = match (&arguments.part, arguments.full) {
        (Some(part), _) => part,
        (None, true) => "all",
        (None, false) => "sample",
    };
    let mut reports = vec![];
    for (number, adapter) in adapters()?.iter().enumerate() {
        if number > 0 {
            writeln!(out)?;
        }
        let mut job = Verification::new(adapter, inputs);
        job.is_interrupted = &is_interrupted;
        job.bar = progress::of_elements(0);
        writeln!(out, "{}", escaped(&job.report.adapter.to_string()))?;
        job.run(Machine::new(adapter, adapter.limits()));
        job.bar.finish_and_clear();
        show::report(&mut out, &job.report)?;
        reports.push(job.report);
        // The next adapter's driver may crash.
        if let (Some(path), Some(true)) = (file, is_file) {
            Output::write_whole(path, devices::to_json(&reports).as_bytes())?;
        }
    }
    match (file, is_file) {
        (Some(path), Some(true)) => writeln!(out, "\n{}", show::what_to_do(path))?,
        (Some(path), _) => Output::write_whole(path, devices::to_json(&reports).as_bytes())?,
        (None, _) => writeln!(
            out,
            "\nWith --json FILE.json it also writes a report, to send or to keep."
        )?,
    }
    let stopped = reports.iter().find_map(|report| report.stopped.clone());
    match (reports.iter().all(Report::is_right), stopped) {
        (false, _) => Ok(false),
        (true, Some(why)) => Err(format!("not everything was verified: {why}").into()),
        (true, None) => Ok(true),
    }
}

/// The adapters that the environment allows.
fn adapters() -> Result<Vec<wgpu::Adapter>, String> {
    let wish = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let mut adapters = block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    adapters.retain(|adapter| adapter.get_info().backend != wgpu::Backend::Noop);
    let found: Vec<_> = adapters.iter().map(|adapter| described(adapter).to_string()).collect();
    if let Some(name) = wish("WGPU_ADAPTER_NAME") {
        adapters.retain(|adapter| adapter.get_info().name.to_lowercase().contains(&name.to_lowercase()));
    }
    let wishes: Vec<_> = ["WGPU_BACKEND", "WGPU_ADAPTER_NAME"]
        .into_iter()
        .filter_map(|name| Some(format!("{name}={}", wish(name)?)))
        .collect();
    match (&adapters[..], &found[..], &wishes[..]) {
        ([], [], []) => Err("there is no adapter: install a driver for Vulkan, Metal, DX12 or GL".into()),
        ([], [], wishes) => Err(format!(
            "there is no adapter with {}: install its driver, or set WGPU_BACKEND to another of vulkan, metal, dx12 and gl",
            wishes.join(" ")
        )),
        ([], found, wishes) => Err(format!("{} matches none of: {}", wishes.join(" "), found.join("; "))),
        _ => Ok(adapters),
    }
}

fn described(adapter: &wgpu::Adapter) -> Adapter {
    let info = adapter.get_info();
    let driver = [info.driver, info.driver_info]
        .into_iter()
        .filter(|text| !text.is_empty());
    Adapter {
        name: info.name,
        backend: format!("{:?}", info.backend),
        driver: driver.collect::<Vec<_>>().join(" ").trim().into(),
        is_software: info.device_type == wgpu::DeviceType::Cpu,
    }
}

/// The report of an adapter that has done nothing yet.
fn empty(adapter: &wgpu::Adapter, inputs: &str) -> Report {
    let limits = adapter.limits();
    let limits = [
        (
            "maxStorageBuffersPerShaderStage",
            limits.max_storage_buffers_per_shader_stage.into(),
        ),
        ("maxStorageBufferBindingSize", limits.max_storage_buffer_binding_size),
        (
            "minStorageBufferOffsetAlignment",
            limits.min_storage_buffer_offset_alignment.into(),
        ),
        (
            "maxComputeWorkgroupsPerDimension",
            limits.max_compute_workgroups_per_dimension.into(),
        ),
        (
            "maxComputeWorkgroupStorageSize",
            limits.max_compute_workgroup_storage_size.into(),
        ),
    ];
    Report {
        schema: SCHEMA,
        version: env!("CARGO_PKG_VERSION").into(),
        commit: option_env!("HARD_SIGMOID_COMMIT").map(Into::into),
        date: time::OffsetDateTime::now_utc().date().to_string(),
        host: format!("wgpu on {} {}", std::env::consts::OS, std::env::consts::ARCH),
        adapter: described(adapter),
        limits: limits.map(|(name, limit)| (name.into(), limit)).into(),
        inputs: inputs.into(),
        rows: vec![],
        left_out: vec![],
        speed: vec![],
        not_measured: None,
        stopped: None,
    }
}

/// The verification of one adapter.
pub struct Verification<'a> {
    /// What was done so far.
    pub report: Report,
    /// What is computed.
    pub cases: Vec<(Op, DType)>,
    /// Whether to end early.
    pub is_interrupted: &'a dyn Fn() -> bool,
    /// The operation that is computed in the place of another: for a test, in which the wrong one must be found.
    pub run_as: &'a dyn Fn(Op) -> Op,
    /// Shows how much is done.
    pub bar: ProgressBar,
}

impl Verification<'_> {
    /// That of every case on an adapter, for `inputs` as in [`Report::inputs`].
    pub fn new(adapter: &wgpu::Adapter, inputs: &str) -> Self {
        Self {
            report: empty(adapter, inputs),
            cases: devices::cases(),
            is_interrupted: &|| false,
            run_as: &|op| op,
            bar: ProgressBar::hidden(),
        }
    }

    /// Fills the report. What goes wrong is part of it.
    pub fn run(&mut self, machine: Result<Machine, Trouble>) {
        let done = machine.and_then(|mut machine| self.steps(&mut machine).map(|()| machine));
        match done {
            Ok(machine) if !(self.is_interrupted)() => self.measure(machine),
            Ok(_) => {}
            Err(Trouble::Unsupported(words) | Trouble::Failed(words)) => self.report.stopped = Some(words),
        }
        if (self.is_interrupted)() {
            self.report.stopped.get_or_insert("it was interrupted".into());
        }
    }

    fn measure(&mut self, mut machine: Machine) {
        self.bar.finish_and_clear();
        let measuring = progress::of_time("measuring");
        let (is_software, is_interrupted) = (self.report.adapter.is_software, self.is_interrupted);
        match speed::measure(&mut machine, is_software, || !is_interrupted()) {
            Ok(speed) => self.report.speed = speed,
            Err(Trouble::Unsupported(words) | Trouble::Failed(words)) => self.report.not_measured = Some(words),
        }
        measuring.finish_and_clear();
    }

    fn steps(&mut self, machine: &mut Machine) -> Result<(), Trouble> {
        let cases = self.cases.clone();
        let chunks = match &*self.report.inputs {
            "sample" => vec![],
            "all" => devices::chunks("1/1").map_err(Trouble::Failed)?,
            part => devices::chunks(part).map_err(Trouble::Failed)?,
        };
        let for_all: Vec<_> = cases
            .iter()
            .copied()
            .filter(|&(op, dtype)| devices::takes_all_inputs(op, dtype))
            .collect();
        let of_sample = |&(_, dtype): &(Op, DType)| samples::len(dtype);
        let elements = cases.iter().map(of_sample).sum::<u64>() + chunks.len() as u64 * CHUNK * for_all.len() as u64;
        self.bar.set_length(elements);
        self.samples(machine, &cases)?;
        if !chunks.is_empty() {
            self.all_inputs(machine, &for_all, &chunks)?;
        }
        Ok(())
    }

    /// Every case on its sample.
    fn samples(&mut self, machine: &mut Machine, cases: &[(Op, DType)]) -> Result<(), Trouble> {
        let mut tensors = machine.tensors(DType::F32.size() * samples::len(DType::F32))?;
        for &of in DType::ALL {
            machine.fill(&mut tensors, samples::sample(of))?;
            for &(op, dtype) in cases.iter().filter(|case| case.1 == of) {
                if (self.is_interrupted)() {
                    return Ok(());
                }
                let run = (self.run_as)(op);
                match machine.compare(&tensors, [op, run], dtype, samples::len(dtype)) {
                    Ok(found) => self.add(op, dtype, found),
                    Err(Trouble::Unsupported(why)) => self.leave_out(op, why),
                    Err(failed) => return Err(failed),
                }
                self.bar.inc(samples::len(dtype));
            }
        }
        Ok(())
    }

    /// Chunks of all inputs.
    fn all_inputs(&mut self, machine: &mut Machine, cases: &[(Op, DType)], chunks: &[u64]) -> Result<(), Trouble> {
        let mut tensors = machine.tensors(DType::F32.size() * CHUNK)?;
        let ran: BTreeSet<_> = self.report.rows.iter().map(Row::key).collect();
        let can_run = |&&(op, dtype): &&(Op, DType)| ran.contains(&Key::of(op, dtype));
        let cases: Vec<_> = cases.iter().filter(can_run).copied().collect();
        for (done, &start) in (1..).zip(chunks) {
            machine.fill(&mut tensors, samples::all_from(start, CHUNK))?;
            for &(op, dtype) in &cases {
                if (self.is_interrupted)() {
                    return Ok(());
                }
                let run = (self.run_as)(op);
                let found = machine.compare(&tensors, [op, run], dtype, CHUNK)?;
                self.add(op, dtype, found);
                self.bar.inc(CHUNK);
            }
            // A log shows no bar, so it gets a line for each sixteenth.
            if self.bar.is_hidden() && done * 16 / chunks.len() > (done - 1) * 16 / chunks.len() {
                let [_, differing, _] = self.report.totals();
                eprintln!("{}%, {differing} wrong", done * 100 / chunks.len());
            }
        }
        Ok(())
    }

    fn leave_out(&mut self, op: Op, why: String) {
        let operation = op.name().to_owned();
        if self.report.left_out.iter().all(|it| it.operation != operation) {
            self.report.left_out.push(LeftOut { operation, why });
        }
    }

    /// Adds results to the row of their operation.
    fn add(&mut self, op: Op, dtype: DType, (mut found, wrote_beyond): (Comparison, bool)) {
        let key = Key::of(op, dtype);
        let mut first = found.first.map(|wrong| wrong.to_string());
        if wrote_beyond {
            found.differing = found.differing.max(1);
            first = Some("it wrote beyond its result".into());
        }
        if let Some(row) = self.report.rows.iter_mut().find(|row| row.key() == key) {
            row.results += found.compared;
            row.differing += found.differing;
            row.flushed += found.flushed;
            row.first = row.first.take().or(first);
            return;
        }
        self.report.rows.push(Row {
            operation: op.name().into(),
            definition: op.definition().map(|it| it.to_string()),
            estimator: op.parameters().estimator.map(|it| it.to_string()),
            dtype: dtype.to_string(),
            results: found.compared,
            differing: found.differing,
            flushed: found.flushed,
            first,
        });
    }
}
