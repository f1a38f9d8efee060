//! Files that lie: each is refused in one line, at once.

#[cfg(unix)]
use crate::{command, files, text};
use crate::{f32_npy, folder, header, raw_npy, refused, succeeded, tool};
use safetensors::{Dtype, tensor::TensorView};

/// Each command that reads a file refuses it.
#[track_caller]
fn all_refuse(file: &[u8], message: &str) {
    let folder = folder();
    std::fs::write(folder.path().join("in.npy"), file).unwrap();
    for arguments in [
        "report in.npy",
        "identify in.npy in.npy",
        "run --input in.npy --device cpu",
        "run --preset keras --input in.npy --output out.npy --device cpu",
    ] {
        refused(folder.path(), arguments, message);
    }
}

#[test]
fn headers_that_nest() {
    for bracket in ["[", "(", "{"] {
        let nested = format!("{{'descr': {}", bracket.repeat(60));
        all_refuse(
            &raw_npy(&nested, &[]),
            "its header isn't that of an array of numbers: {'descr': ",
        );
        let shape = bracket.repeat(9000);
        all_refuse(&raw_npy(&header("<f4", &shape), &[]), "its header isn't");
    }
}

#[test]
fn headers_that_claim_gigabytes() {
    for version in [2, 3] {
        let mut file = b"\x93NUMPY".to_vec();
        file.extend([version, 0, 0xff, 0xff, 0xff, 0xff]);
        file.extend([b' '; 16]);
        all_refuse(&file, "bytes, but may have 10000 at most");
    }
    all_refuse(b"\x93NUMPY\x01\x00\x00\x10{", "it ends within its header");
    all_refuse(b"\x93NUMPY\x04\x00\x00\x10{", "format 4.0 is unknown");
}

#[test]
fn headers_with_control_characters() {
    let name = header("\x1b[31m", "(1,)");
    all_refuse(&raw_npy(&name, &[]), r"its header has the byte \x1b");
    all_refuse(&raw_npy(&header("<f4\n", "(1,)"), &[]), r"its header has the byte \n");
    all_refuse(
        &raw_npy(&header("<f4\u{202e}", "(1,)"), &[]),
        r"its header has the byte \xe2",
    );
    // What Python would make a control character of stays as it is written.
    all_refuse(&raw_npy(&header(r"\x1b", "(1,)"), &[]), r"its dtype is '\x1b'");
    all_refuse(&raw_npy(&header(&"long".repeat(1000), "(1,)"), &[]), "its header isn't");
}

#[cfg(unix)]
#[test]
fn names_with_control_characters() {
    let folder = folder();
    let path = folder.path().join("a\x1b[31m\nb.npy");
    std::fs::write(&path, "text").unwrap();
    let output = command(folder.path(), "report").arg(&path).output().unwrap();
    let stderr = text(&output.stderr);
    assert!(stderr.contains(r"a\u{1b}[31m\nb.npy: not a .npy file"), "{stderr}");
    assert_eq!(stderr.lines().count(), 1);
}

/// 2^64 + 6 elements aren't 6.
#[test]
fn shapes_that_wrap() {
    let file = |shape: &str| raw_npy(&header("<f4", shape), &[0; 24]);
    all_refuse(
        &file("(9223372036854775811, 2)"),
        "shape [9223372036854775811, 2] has more bytes than can be counted",
    );
    all_refuse(&file("(4611686018427387910,)"), "has more bytes than can be counted");
    all_refuse(&file("(18446744073709551622,)"), "its header isn't");
    all_refuse(&file(&format!("({})", "1, ".repeat(65))), "its header isn't");
    all_refuse(&file(&format!("({})", "9999999999, ".repeat(64))), "... has more bytes");
    // Nothing is in this one, whatever its other extents.
    let empty = folder();
    let shape = "(9223372036854775811, 2, 0)";
    std::fs::write(empty.path().join("in.npy"), f32_npy(shape, &[])).unwrap();
    refused(empty.path(), "report in.npy", "there are no elements");
}

#[test]
fn data_that_are_cut_or_too_long() {
    for len in [0, 11, 13] {
        let file = raw_npy(&header("<f4", "(3,)"), &vec![0; len]);
        all_refuse(&file, &format!("shape [3] takes 12 bytes of data, but there are {len}"));
    }
}

/// A file that lacks an end is refused, even if the tensor that is asked for is whole.
#[test]
fn truncated_safetensors() {
    let folder = folder();
    let data = [0; 24];
    let view = |len: usize| TensorView::new(Dtype::F32, vec![len], &data[..4 * len]).unwrap();
    let whole = safetensors::serialize([("x", view(6)), ("y", view(3))], None).unwrap();
    let len = whole.len();
    for found in [len - 13, len - 12, len - 1, len + 1] {
        let mut file = whole.clone();
        file.resize(found, 0);
        std::fs::write(folder.path().join("t.safetensors"), &file).unwrap();
        let message = format!("its header describes a file of {len} bytes, but it has {found}: truncated or damaged");
        for arguments in [
            "report t.safetensors:x",
            "identify t.safetensors:x t.safetensors:x",
            "run --input t.safetensors:x --device cpu",
            "run --preset keras --input t.safetensors:x --output out.npy --device cpu",
        ] {
            refused(folder.path(), arguments, &message);
        }
    }
    std::fs::write(folder.path().join("t.safetensors"), &whole).unwrap();
    succeeded(&tool(folder.path(), "report t.safetensors:x"));
}

#[cfg(target_os = "linux")]
#[test]
fn devices() {
    let folder = folder();
    for arguments in [
        "report /dev/zero",
        "identify x.npy /dev/zero",
        "run --input /dev/zero --device cpu",
    ] {
        refused(
            folder.path(),
            arguments,
            "/dev/zero: not a .npy file (it doesn't begin as one)",
        );
    }
    refused(folder.path(), "report /dev/null", "/dev/null: not a .npy file");
    refused(folder.path(), "report .", ".: Is a directory");
}

/// A pipe is read once, from its start to its end; memory is taken for what comes, not for what is claimed.
#[cfg(unix)]
#[test]
fn pipes() {
    let folder = folder();
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let fed = |file: Vec<u8>, arguments: &str| {
        let pipe = pipe.clone();
        // What is refused closes the pipe early.
        let feeding = std::thread::spawn(move || drop(std::fs::write(pipe, file)));
        let output = tool(folder.path(), arguments);
        feeding.join().unwrap();
        (output.status.code(), output)
    };
    let x = std::fs::read(folder.path().join("x.npy")).unwrap();
    let (_, output) = fed(x.clone(), "run --preset jax --input pipe --output y.npy --device cpu");
    succeeded(&output);
    succeeded(&tool(
        folder.path(),
        "run --preset jax --input x.npy --output z.npy --device cpu",
    ));
    let [y, z] = ["y.npy", "z.npy"].map(|name| std::fs::read(folder.path().join(name)).unwrap());
    assert!(y == z);
    assert!(succeeded(&fed(x.clone(), "report pipe").1).starts_with("6354 f32"));

    let before = files(folder.path());
    let huge = raw_npy(&header("<f4", "(4611686018427387903,)"), &[0; 40]);
    let more = [&x[..], b"more"].concat();
    let less = x[..x.len() - 1].to_vec();
    for arguments in [
        "report pipe",
        "identify x.npy pipe",
        "run --input pipe --device cpu",
        "run --preset jax --input pipe --output out.npy --device cpu",
    ] {
        // What doesn't have the shape of x isn't read on.
        if !arguments.starts_with("identify") {
            let (status, output) = fed(huge.clone(), arguments);
            let stderr = text(&output.stderr);
            assert_eq!(status, Some(2), "{stderr}");
            assert!(
                stderr.contains("the data end before shape [4611686018427387903] is complete"),
                "{stderr}"
            );
        }
        for (file, message) in [
            (&more, "there are data after the last element"),
            (&less, "the data end before"),
        ] {
            let (status, output) = fed(file.clone(), arguments);
            let stderr = text(&output.stderr);
            assert_eq!(status, Some(2), "{stderr}");
            assert!(
                stderr.starts_with("hard-sigmoid: pipe: the") && stderr.contains("shape [6354]"),
                "{stderr}"
            );
            assert!(stderr.contains(message), "{stderr}");
        }
    }
    assert_eq!(files(folder.path()), before);
}
