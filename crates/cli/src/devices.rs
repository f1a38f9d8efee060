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
    /// Which inputs were computed: `sample`, the page's `short sample`, `all`, or a part of all like `3/16`; the last two beside a
    /// sample.
    pub inputs: String,
    /// A row for each operation, definition and element type.
    pub rows: Vec<Row>,
    /// Operations that the device can't run.
    pub left_out: Vec<LeftOut>,
    /// Speeds of some operations.
    pub speed: Vec<Speed>,
    /// Why nothing was measured, if nothing was.
    pub not_measured: Option<String>,
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
    /// f32, f16, bf16 or u8.
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

/// An operation that the device can't run, with any definition and type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    /// The operation's name.
    pub operation: String,
    /// What it needs and the device lacks.
    pub why: String,
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

/// Elements of a sample: rows of six, as the broadcast gate of [`Op::all`] needs them, and two more than kernels take at a time. Of
/// halves a sample has every bit pattern about eight times, each time with other operands beside it. The page's are shorter in f32.
pub fn sample_len(inputs: &str, dtype: DType) -> u64 {
    match dtype {
        DType::F32 if inputs != SHORT => 6 * 349_527,
        // Whole words, which can be copied.
        DType::U8 => 6 * 87_382,
        _ => 6 * 87_383,
    }
}

/// The inputs of the page.
const SHORT: &str = "short sample";

/// How many results an operation has for `len` elements.
fn results(op: Op, dtype: DType, len: u64) -> u64 {
    if op.name() == "pack" {
        return len;
    }
    let sizes = op
        .sizes(dtype, len)
        .expect("the length is a multiple of the gates' rows");
    sizes[op.inputs().len()..].iter().map(|size| size / dtype.size()).sum()
}

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
    let with_types = |op: Op| op.dtypes().iter().map(move |&dtype| (op, dtype));
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

    /// Checks that its texts are texts and its numbers can be, whatever version wrote it.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn check(&self) -> Result<(), String> {
        let adapter = &self.adapter;
        let words = [
            &self.version,
            &self.date,
            &self.host,
            &adapter.name,
            &adapter.backend,
            &adapter.driver,
            &self.inputs,
        ];
        let optional = [&self.commit, &self.stopped, &self.not_measured].into_iter().flatten();
        if words
            .into_iter()
            .chain(optional)
            .any(|text| text.contains(char::is_control))
        {
            return Err("a text has a control character".into());
        }
        let wrong = |what: String| Err(format!("{}: {what}", adapter.name));
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
        if self.rows.is_empty() {
            return wrong("it has no results".into());
        }
        if self.stopped.as_deref() == Some("") {
            return wrong("stopped has to say why".into());
        }
        if !["sample", SHORT, "all"].contains(&&*self.inputs) {
            chunks(&self.inputs)?;
        }
        let keys: BTreeSet<_> = self.rows.iter().map(Row::key).collect();
        if keys.len() != self.rows.len() {
            return wrong("two rows are of the same operation, definition and type".into());
        }
        for row in &self.rows {
            let seen = row.differing.checked_add(row.flushed);
            if row.results > MOST || seen.is_none_or(|seen| seen > row.results) {
                return wrong(format!(
                    "{} has more wrong results than results, or too many",
                    row.key()
                ));
            }
            if (row.differing > 0) != row.first.is_some() {
                return wrong(format!("{} has to say which result is wrong, if one is", row.key()));
            }
        }
        for speed in &self.speed {
            // A kernel can't be faster than a copy, but on a busy machine a copy may seem several times slower than it is.
            if !(0.01..=10.0).contains(&speed.ratio()) || !(0.01..=1e5).contains(&speed.gigabytes_per_second) {
                return wrong(format!(
                    "{} in {} can't have {} GB/s where a copy has {}",
                    speed.operation, speed.dtype, speed.gigabytes_per_second, speed.copy_gigabytes_per_second
                ));
            }
        }
        Ok(())
    }

    /// Checks that this version wrote it: that it has this version's rows, with as many results as they have.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn check_of_this_version(&self) -> Result<(), String> {
        self.check()?;
        let wrong = |what: String| {
            let commit = self.commit.as_deref().unwrap_or(&self.version);
            Err(format!(
                "{}: {what}; add it in a clone of its own version, {commit}",
                self.adapter.name
            ))
        };
        let mut rows: BTreeMap<Key, &Row> = self.rows.iter().map(|row| (row.key(), row)).collect();
        for (op, dtype) in cases() {
            let key = Key::of(op, dtype);
            let is_left_out = self.left_out.iter().any(|it| it.operation == op.name());
            let row = match (rows.remove(&key), is_left_out) {
                (Some(row), false) => row,
                (None, true) => continue,
                (None, false) if self.stopped.is_some() => continue,
                (None, false) => return wrong(format!("a row is missing: {key}")),
                (Some(_), true) => return wrong(format!("{key} is left out, and has a row")),
            };
            let least = results(op, dtype, sample_len(&self.inputs, dtype));
            let more = match &*self.inputs {
                "all" if takes_all_inputs(op, dtype) => 1 << 32,
                part if takes_all_inputs(op, dtype) && part.contains('/') => chunks(part)?.len() as u64 * CHUNK,
                _ => 0,
            };
            let whole = least + more * op.outputs().len() as u64;
            let is_right = match self.stopped {
                None => row.results == whole,
                Some(_) => (least..=whole).contains(&row.results),
            };
            if !is_right {
                return wrong(format!("{key} has {} results, but {whole} are computed", row.results));
            }
        }
        match rows.keys().next() {
            Some(key) => wrong(format!("there is no row {key}")),
            None => Ok(()),
        }
    }
}

/// More results than any run has.
const MOST: u64 = 1 << 40;
