//! `hard-sigmoid verify` on every adapter: a wrong kernel is found, and a run that ends early says what it did.

#[path = "../../../tests/common/trials.rs"]
mod trials;

use hard_sigmoid::{Binary, DType, HardSigmoid, Op, Unary};
use hard_sigmoid_cli::{
    devices::{self, Report},
    verify::{
        Verification,
        machine::{Machine, Trouble},
    },
};
use std::{
    cell::Cell,
    fs,
    io::{BufRead, BufReader, Read},
    process::Command,
    thread::sleep,
    time::Duration,
};

fn main() {
    trials::run(&[
        ("right_results_pass", right_results_pass),
        ("a_wrong_kernel_is_found", a_wrong_kernel_is_found),
        (
            "an_interrupted_run_tells_what_it_did",
            an_interrupted_run_tells_what_it_did,
        ),
        ("a_lost_device_tells_what_it_did", a_lost_device_tells_what_it_did),
        (
            "what_a_device_cannot_run_is_left_out",
            what_a_device_cannot_run_is_left_out,
        ),
        ("control_c_leaves_a_report", control_c_leaves_a_report),
    ])
    .exit();
}

/// Why a test can't run on an adapter.
fn cannot_run(_: &str, _: &wgpu::Adapter) -> Option<String> {
    None
}

/// One of each operation, in each type.
fn some_cases() -> Vec<(Op, DType)> {
    let of_jax = |&(op, _): &(Op, DType)| op.definition().is_none_or(|definition| definition == HardSigmoid::JAX);
    devices::cases().into_iter().filter(of_jax).collect()
}

fn machine(adapter: &wgpu::Adapter) -> Result<Machine, Trouble> {
    Machine::new(adapter, adapter.limits())
}

/// The report of some cases, with a change.
fn verified<'a>(adapter: &wgpu::Adapter, change: impl FnOnce(&mut Verification<'a>)) -> Report {
    let mut verification = Verification::new(adapter, "sample");
    verification.cases = some_cases();
    change(&mut verification);
    verification.run(machine(adapter));
    verification.report
}

fn right_results_pass(adapter: &wgpu::Adapter) {
    let mut report = verified(adapter, |_| ());
    assert_eq!((report.rows.len(), &report.stopped), (some_cases().len(), &None));
    assert!(report.is_right() && report.left_out.is_empty());
    assert_eq!(report.speed.len(), 8);
    assert!(report.speed.iter().all(|speed| speed.gigabytes_per_second > 0.0));
    let [results, ..] = report.totals();
    assert!(results > 30_000_000, "{results} results");
    // On a busy machine a copy may seem slower than it can be.
    for speed in &mut report.speed {
        speed.copy_gigabytes_per_second = speed.gigabytes_per_second;
    }
    // A report of all cases is one of this version. This one lacks some.
    assert_eq!(report.check(), Ok(()));
    assert!(report.check_of_this_version().unwrap_err().contains("a row is missing"));
}

/// The kernel of another definition is wrong in roundings; only the one operation is reported, with a number.
fn a_wrong_kernel_is_found(adapter: &wgpu::Adapter) {
    let wanted = Op::from(Unary::Forward(HardSigmoid::JAX));
    let plant = |op: Op| {
        if op == wanted {
            Unary::Forward(HardSigmoid::PYTORCH).into()
        } else {
            op
        }
    };
    let report = verified(adapter, |verification| verification.run_as = &plant);
    let wrong: Vec<_> = report.rows.iter().filter(|row| row.differing > 0).collect();
    assert_eq!(wrong.len(), 1, "a half rounds the difference away: {wrong:?}");
    assert_eq!((&*wrong[0].operation, &*wrong[0].dtype), ("forward", "f32"));
    let first = wrong[0].first.as_deref().unwrap();
    assert!(
        first.starts_with("y[") && first.contains("but has to be") && first.contains("; x = "),
        "{first}"
    );
    assert!(!report.is_right());
    assert_eq!(report.totals()[1], wrong[0].differing);

    // One gradient differs in every type.
    let wanted = Op::from(Binary::Backward(HardSigmoid::JAX));
    let plant = |op: Op| {
        if op == wanted {
            Binary::Backward(HardSigmoid::KERAS).into()
        } else {
            op
        }
    };
    let report = verified(adapter, |verification| verification.run_as = &plant);
    assert_eq!(report.rows.iter().filter(|row| row.differing > 0).count(), 3);
}

fn an_interrupted_run_tells_what_it_did(adapter: &wgpu::Adapter) {
    let left = Cell::new(10);
    let is_interrupted = || {
        left.set(left.get() - 1);
        left.get() < 0
    };
    let report = verified(adapter, |verification| verification.is_interrupted = &is_interrupted);
    assert_eq!(
        (report.rows.len(), report.stopped.as_deref()),
        (10, Some("it was interrupted"))
    );
    assert!(report.is_right() && report.speed.is_empty());
    assert_eq!(report.check_of_this_version(), Ok(()));
}

fn a_lost_device_tells_what_it_did(adapter: &wgpu::Adapter) {
    let machine = machine(adapter).unwrap_or_else(|trouble| panic!("{trouble:?}"));
    let (device, left) = (machine.device.clone(), Cell::new(10));
    let lose = || {
        left.set(left.get() - 1);
        if left.get() < 0 {
            device.destroy();
        }
        false
    };
    let mut verification = Verification::new(adapter, "sample");
    verification.cases = some_cases();
    verification.is_interrupted = &lose;
    verification.run(Ok(machine));
    let report = verification.report;
    assert_eq!(report.rows.len(), 10);
    let why = report.stopped.as_deref().unwrap();
    assert!(why.contains("lost") && !why.contains('\n'), "{why}");
    assert!(report.is_right());
    assert_eq!(report.check_of_this_version(), Ok(()));
}

fn what_a_device_cannot_run_is_left_out(adapter: &wgpu::Adapter) {
    let mut limits = adapter.limits();
    limits.max_storage_buffers_per_shader_stage = 4;
    let mut verification = Verification::new(adapter, "sample");
    verification.cases = some_cases();
    verification.run(Machine::new(adapter, limits));
    let report = verification.report;
    let [left_out] = &report.left_out[..] else {
        panic!("{:?}", report.left_out);
    };
    assert_eq!(left_out.operation, "gate_backward");
    assert!(left_out.why.starts_with("the kernel needs"), "{left_out:?}");
    assert_eq!((report.rows.len(), &report.stopped), (some_cases().len() - 3, &None));
}

/// The command itself, with a signal after a moment: status 2, and a report with some rows.
fn control_c_leaves_a_report(adapter: &wgpu::Adapter) {
    if !cfg!(unix) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_hard-sigmoid"));
    command.args(["verify", "--full", "--json"]).arg(&file);
    command.env(
        "WGPU_BACKEND",
        format!("{:?}", adapter.get_info().backend).to_lowercase(),
    );
    let mut child = command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // Its first line comes before the first step.
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    lines.read_line(&mut text).unwrap();
    assert!(text.contains(&adapter.get_info().name), "{text}");
    sleep(Duration::from_secs(5));
    assert!(
        Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status()
            .unwrap()
            .success()
    );
    lines.read_to_string(&mut text).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("Not everything was verified"), "{text}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("ending after this step"));
    let reports: Vec<Report> = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    assert!(!reports[0].rows.is_empty());
    assert_eq!(reports[0].stopped.as_deref(), Some("it was interrupted"));
}
