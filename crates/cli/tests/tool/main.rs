//! The command as a process, as a person would use it: results, and every bad input.

mod formats;
mod help;
mod identify;
mod inputs;
mod inspect;
mod operations;
mod outputs;
mod quantized;
mod report;
mod run;
mod wgsl;

#[cfg(unix)]
use hard_sigmoid::HardSigmoid;
use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};
use tempfile::TempDir;

/// The command in a folder, with arguments that are apart by spaces.
fn command(folder: &Path, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hard-sigmoid"));
    command.args(arguments.split_whitespace());
    in_folder(&mut command, folder);
    command
}

/// Makes a command run in a folder, in the same way whatever the environment says of graphics.
fn in_folder(command: &mut Command, folder: &Path) {
    command
        .current_dir(folder)
        // Mesa writes to standard error if it is unset.
        .env("XDG_RUNTIME_DIR", folder)
        .env_remove("WGPU_BACKEND")
        .env_remove("WGPU_ADAPTER_NAME");
}

fn tool(folder: &Path, arguments: &str) -> Output {
    command(folder, arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[track_caller]
fn succeeded(output: &Output) -> String {
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/golden")
        .join(name)
}

/// A folder with the golden inputs as x.npy and g.npy.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    for name in ["x.npy", "g.npy"] {
        std::fs::copy(golden(name), folder.path().join(name)).unwrap();
    }
    folder
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Asserts that a command fails with status 2, one line on stderr that contains `message`, nothing on stdout, and no
/// new file.
#[track_caller]
fn refused(folder: &Path, arguments: &str, message: &str) {
    let before = files(folder);
    let output = tool(folder, arguments);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert_eq!(text(&output.stdout), "");
    assert!(stderr.contains(message), "{stderr}");
    let line = stderr
        .strip_prefix("hard-sigmoid: ")
        .unwrap_or_else(|| panic!("{stderr}"));
    let line = line.strip_suffix('\n').unwrap();
    assert!(!line.contains(char::is_control), "{line:?}");
    assert!(line.len() < 300, "{line}");
    assert_eq!(files(folder), before);
}

/// A `.npy` file made by hand, to be independent of what reads it.
fn raw_npy(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16 + 1).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.push(b'\n');
    bytes.extend(data);
    bytes
}

/// The header of an array; a shape is a tuple in Python.
fn header(dtype: &str, shape: &str) -> String {
    format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}")
}

fn f32_npy(shape: &str, values: &[f32]) -> Vec<u8> {
    let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    raw_npy(&header("<f4", shape), &data)
}

/// The header and the data.
fn split(file: &[u8]) -> (String, &[u8]) {
    let len = u16::from_le_bytes([file[8], file[9]]) as usize;
    assert_eq!(file[..8], *b"\x93NUMPY\x01\x00");
    (text(&file[10..10 + len]), &file[10 + len..])
}

fn read_f32(path: impl AsRef<Path>) -> Vec<f32> {
    let file = std::fs::read(path).unwrap();
    let bytes = split(&file).1.chunks_exact(4);
    bytes
        .map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()))
        .collect()
}

#[track_caller]
fn assert_same_bits(actual: &[f32], expected: &[f32]) {
    assert_eq!(actual.len(), expected.len());
    let same = |(a, b): (&f32, &f32)| a.to_bits() == b.to_bits();
    let first = actual.iter().zip(expected).position(|pair| !same(pair));
    assert_eq!(first, None, "the first that differs");
}

#[test]
fn help_says_what_there_is() {
    let here = Path::new(".");
    let help = succeeded(&tool(here, "--help"));
    for command in ["run", "identify", "inspect", "report", "list", "wgsl"] {
        assert!(help.contains(&format!("  {command} ")), "{help}");
    }
    let help = succeeded(&tool(here, "run --help"));
    for option in [
        "--preset",
        "--alpha",
        "--kinks",
        "--pass",
        "--op",
        "--input",
        "--grad",
        "--output",
        "--device",
        "--dtype",
        "--x-scale",
        "--y-zero-point",
        "--y-dtype",
        "--rounding",
    ] {
        assert!(help.contains(option), "{option}");
    }
    assert!(succeeded(&tool(here, "identify --help")).contains("Exit status"));
    assert_eq!(tool(here, "").status.code(), Some(2));
}

/// What bash completes where the last of `words` begins.
#[cfg(unix)]
fn completed(words: &[&str]) -> Vec<String> {
    // What bash does at a tab: the function that `complete -p` names gets the command, the word and the word before it.
    let script = r#"
        eval "$("$0" completions bash)"
        of=$(complete -p hard-sigmoid | sed 's/.* -F \([^ ]*\) .*/\1/')
        COMP_WORDS=(hard-sigmoid "$@")
        COMP_CWORD=$#
        "$of" hard-sigmoid "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}" 2>/dev/null
        printf '%s\n' "${COMPREPLY[@]}""#;
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-c", script, env!("CARGO_BIN_EXE_hard-sigmoid")]);
    let output = bash.args(words).output().unwrap();
    let found = succeeded(&output);
    found.lines().map(str::to_owned).filter(|one| !one.is_empty()).collect()
}

#[cfg(unix)]
#[test]
fn bash_completes_subcommands_options_and_values() {
    let of = |words: &str| completed(&words.split(' ').collect::<Vec<_>>());
    let of = |words: &str| of(words).join(" ");
    assert_eq!(of("id"), "identify");
    assert_eq!(of("identify --d"), "--dx");
    assert_eq!(of("run --pre"), "--preset");
    let presets: Vec<_> = HardSigmoid::PRESETS.iter().map(|preset| preset.name).collect();
    assert_eq!(of("run --preset "), presets.join(" "));
    assert_eq!(of("run --preset keras"), "keras keras3");
    assert_eq!(of("run --alpha 1 --beta 0 --kinks "), "strict inclusive half");
    assert_eq!(of("run --device "), "auto gpu cpu");
    assert_eq!(of("run --dtype "), "f32 f16 bf16");
    assert_eq!(of("run --y-dtype "), "u8 i8");
    assert_eq!(of("run --rounding "), "onnx pytorch tflite");
    assert_eq!(of("run --op un"), "unpack");
    assert_eq!(of("run --op look"), "");
    assert_eq!(of("run --pass "), "forward backward");
    assert_eq!(of("report --theme d"), "dark");
    assert_eq!(of("wgsl tan"), "tangent");
    assert_eq!(of("wgsl jax --op hard"), "hard_swish hard_swish_backward");
    // What has no function isn't offered.
    assert_eq!(of("wgsl --op pa"), "");
    assert_eq!(of("wgsl --type "), "f32 f16 packed_f16 packed_bf16");
    assert_eq!(of("wgsl --estimator "), "hard_tanh identity");
    assert_eq!(of("completions z"), "zsh");
    // Numbers aren't file names.
    assert_eq!(of("run --alpha Cargo"), "Cargo");
    assert_eq!(of("run --input Cargo"), "Cargo.toml");
}

#[test]
fn completions_a_manual_page_and_the_list_as_json() {
    let here = Path::new(".");
    for shell in ["bash", "zsh", "fish"] {
        let script = succeeded(&tool(here, &format!("completions {shell}")));
        for part in ["identify", "atol", "hard-sigmoid", "keras3", "inclusive"] {
            assert!(script.contains(part), "{shell} {part}");
        }
    }
    let manual = succeeded(&tool(here, "man"));
    for part in [
        ".TH hard-sigmoid",
        ".SH \"HARD-SIGMOID IDENTIFY\"",
        "atol",
        "Exit status",
    ] {
        assert!(manual.contains(part), "{part}");
    }
    let list: serde_json::Value = serde_json::from_str(&succeeded(&tool(here, "list --json"))).unwrap();
    assert_eq!(list.as_array().unwrap().len(), 8);
    assert_eq!(list[0]["kinks"], serde_json::json!([-2.5, 2.5]));
}
