//! Reports of what a device computed: `hard-sigmoid verify` and the page write them, and `docs/devices` keeps them.

use hard_sigmoid::{DType, HardSigmoid, KinkRule, Op};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// The version of the format.
pub const SCHEMA: u32 = 1;

/// What one adapter did. Nothing in it identifies a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The version of the format: [`SCHEMA`].
    pub schema: u32,
    /// The version of hard-sigmoid.
    pub version: String,
    /// The commit that the program was built from, if it was built from a clone.
    pub commit: Option<String>,
    /// The day on which it ran, such as 2026-12-01.
    pub date: String,
    /// What runs the kernels: wgpu and its operating system, or a browser.
    pub host: String,
    /// The adapter.
    pub adapter: Adapter,
    /// The adapter's limits that a plan depends on, by their names in WebGPU.
    pub limits: BTreeMap<String, u64>,
    /// Which inputs were computed: `sample`, `all`, or a part of all like `3/16`.
    pub inputs: String,
    /// A row for each operation, definition and element type.
    pub rows: Vec<Row>,
    /// Operations that the device can't run, and why.
    pub left_out: Vec<String>,
    /// Speeds of some operations.
    pub speed: Vec<Speed>,
    /// Why the run ended before it was complete.
    pub stopped: Option<String>,
}

/// An adapter, as its driver describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adapter {
    /// The device's name.
    pub name: String,
    /// Vulkan, Metal, Dx12, Gl or WebGPU.
    pub backend: String,
    /// The driver and its version; empty where it isn't told.
    pub driver: String,
    /// Whether it computes on the CPU.
    pub is_software: bool,
}

/// The results of one operation with one definition and element type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// The operation's name.
    pub operation: String,
    /// The hard sigmoid that it uses, if it uses one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<String>,
    /// The estimator of a straight-through gradient.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimator: Option<String>,
    /// f32, f16 or bf16.
    pub dtype: String,
    /// How many results were compared with the CPU path.
    pub results: u64,
    /// How many of them are wrong.
    pub differing: u64,
    /// How many more took a subnormal number as zero, which WGSL allows.
    pub flushed: u64,
    /// The first wrong result, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
}

/// The speed of an operation on tensors in the device's memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Speed {
    /// The operation's name.
    pub operation: String,
    /// f32, f16 or bf16.
    pub dtype: String,
    /// The length of each tensor.
    pub elements: u64,
    /// 10^9 bytes read and written in a second, each tensor once.
    pub gigabytes_per_second: f64,
    /// The same of the simplest kernel that copies a tensor of this size.
    pub copy_gigabytes_per_second: f64,
}

/// Reports as JSON, with a line for each row.
///
/// # Panics
/// Never: they have only texts and numbers.
pub fn to_json(reports: &[Report]) -> String {
    let json = serde_json::to_string(reports).expect("they have only texts and numbers");
    json.replace(r#"{"operation""#, "\n{\"operation\"") + "\n"
}

/// What tells rows apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key([Option<String>; 4]);

impl Key {
    /// That of an operation in a type.
    pub fn of(op: Op, dtype: DType) -> Self {
        let estimator = op.parameters().estimator.map(|it| it.to_string());
        let definition = op.definition().map(|it| it.to_string());
        Self([Some(op.name().into()), definition, estimator, Some(dtype.to_string())])
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [operation, definition, estimator, dtype] = &self.0;
        let words = [definition, operation, estimator].into_iter().flatten();
        let name = words.map(String::as_str).collect::<Vec<_>>().join(" ");
        write!(f, "{name} in {}", dtype.as_deref().unwrap_or_default())
    }
}

impl Row {
    /// The row's key.
    pub fn key(&self) -> Key {
        Key([
            Some(self.operation.clone()),
            self.definition.clone(),
            self.estimator.clone(),
            Some(self.dtype.clone()),
        ])
    }
}

impl Speed {
    /// The share of the copy's speed.
    pub fn ratio(&self) -> f64 {
        self.gigabytes_per_second / self.copy_gigabytes_per_second
    }
}

/// A number with commas between thousands.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The fewest results of a row.
pub const LEAST: u64 = 1 << 14;

/// Every operation and type of a report: each preset, and one definition that is none.
pub fn cases() -> Vec<(Op, DType)> {
    let other = HardSigmoid::affine(0.3, 0.45, KinkRule::Half).expect("its numbers are finite");
    let presets = HardSigmoid::PRESETS.iter().map(|preset| preset.definition);
    let mut ops = vec![];
    for op in presets.chain([other]).flat_map(Op::all) {
        if !ops.contains(&op) {
            ops.push(op);
        }
    }
    let with_types = |op| DType::ALL.iter().map(move |&dtype| (op, dtype));
    ops.into_iter().flat_map(with_types).collect()
}

/// The number of inputs that are computed at a time where all 2^32 are.
pub const CHUNK: u64 = 1 << 24;

/// The first inputs of the chunks that a part of all 2^32 inputs has. Part 3/16 is the third of every 16 chunks, so that each part has
/// all magnitudes.
///
/// # Errors
/// If `part` isn't of the form `k/n` with k from 1 to n and n at most 256.
pub fn chunks(part: &str) -> Result<Vec<u64>, String> {
    let all = (1 << 32) / CHUNK;
    let numbers = part
        .split_once('/')
        .and_then(|(k, n)| Some((k.parse().ok()?, n.parse().ok()?)));
    let (which, count): (u64, u64) = numbers
        .filter(|&(which, count)| (1..=count).contains(&which) && count <= all)
        .ok_or_else(|| format!("{part:?} is no part: write K/N, with K from 1 to N and N at most {all}"))?;
    Ok((which - 1..all)
        .step_by(count as usize)
        .map(|chunk| chunk * CHUNK)
        .collect())
}

/// Whether an operation is also computed for all 2^32 inputs: forward and backward with every preset, and every other operation with
/// one definition. Packed signs are those of `binarize`; a broadcast gate's arithmetic is that of a gate.
pub fn takes_all_inputs(op: Op, dtype: DType) -> bool {
    let definition = op.definition();
    let one = match op.name() {
        "forward" | "backward" => return dtype == DType::F32 && definition.is_some_and(|it| it.preset().is_some()),
        "pack" | "unpack" | "gate_broadcast" | "gate_broadcast_sums" => return false,
        // PyTorch's hard swish has another form than these two, and half a gradient is SPARSE's alone.
        "hard_swish" | "hard_swish_backward" => &[HardSigmoid::PYTORCH, HardSigmoid::JAX, HardSigmoid::KERAS3][..],
        "backward_accumulate" => &[HardSigmoid::PYTORCH, HardSigmoid::SPARSE],
        _ => &[HardSigmoid::PYTORCH],
    };
    dtype == DType::F32 && definition.is_none_or(|it| one.contains(&it))
}

impl Report {
    /// Whether every result that was compared is right.
    pub fn is_right(&self) -> bool {
        self.rows.iter().all(|row| row.differing == 0)
    }

    /// How many results were compared, are wrong, and took a subnormal as zero.
    pub fn totals(&self) -> [u64; 3] {
        let sum = |of: fn(&Row) -> u64| self.rows.iter().map(of).sum();
        [sum(|row| row.results), sum(|row| row.differing), sum(|row| row.flushed)]
    }

    /// Checks that a program of this project may have written it, for the reports that others send.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn check(&self) -> Result<(), String> {
        let wrong = |what: String| Err(format!("{}: {what}", self.adapter.name));
        if self.schema != SCHEMA {
            return wrong(format!("schema is {}, but this program knows {SCHEMA}", self.schema));
        }
        let is_date = |text: &str| {
            let numbers: Vec<_> = text.split('-').map(str::len).collect();
            numbers == [4, 2, 2] && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit())
        };
        if !is_date(&self.date) {
            return wrong(format!("date is {:?}, but has to be like 2026-12-01", self.date));
        }
        let keys: BTreeSet<_> = self.rows.iter().map(Row::key).collect();
        if keys.len() != self.rows.len() {
            return wrong("two rows are of the same operation, definition and type".into());
        }
        let expected: Vec<_> = cases();
        let all: BTreeSet<_> = expected.iter().map(|&(op, dtype)| Key::of(op, dtype)).collect();
        let is_complete = self.stopped.is_none() && self.left_out.is_empty();
        if self.version == env!("CARGO_PKG_VERSION") {
            if let Some(key) = keys.difference(&all).next() {
                return wrong(format!("{key} is no row of version {}", self.version));
            }
            if let (true, Some(key)) = (is_complete, all.difference(&keys).next()) {
                return wrong(format!("a row is missing: {key}"));
            }
        }
        let everything = match &*self.inputs {
            "sample" => 0,
            "all" => 1 << 32,
            part => chunks(part)?.len() as u64 * CHUNK,
        };
        let takes_all = |row: &Row| {
            let case = expected.iter().find(|&&(op, dtype)| Key::of(op, dtype) == row.key());
            case.is_some_and(|&(op, dtype)| takes_all_inputs(op, dtype))
        };
        for row in &self.rows {
            let least = if self.stopped.is_none() && takes_all(row) {
                LEAST + everything
            } else {
                LEAST
            };
            if row.results < least {
                return wrong(format!("{} has {} results, fewer than {least}", row.key(), row.results));
            }
            if row.differing + row.flushed > row.results {
                return wrong(format!("{} has more wrong results than results", row.key()));
            }
            if (row.differing > 0) != row.first.is_some() {
                return wrong(format!("{} has to say which result is wrong, if one is", row.key()));
            }
        }
        for speed in &self.speed {
            if !(0.01..=2.0).contains(&speed.ratio()) || !(0.01..=1e5).contains(&speed.gigabytes_per_second) {
                return wrong(format!(
                    "{} in {} can't have {} GB/s where a copy has {}",
                    speed.operation, speed.dtype, speed.gigabytes_per_second, speed.copy_gigabytes_per_second
                ));
            }
        }
        Ok(())
    }
}
