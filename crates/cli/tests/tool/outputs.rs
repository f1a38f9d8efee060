//! Where results go: links are followed, devices and pipes are written, and a reader may leave early.

use crate::{command, folder, golden, text};
use std::{io::pipe, process::Stdio};
#[cfg(unix)]
use {
    crate::{f32_npy, files, read_f32, refused, succeeded, tool},
    std::{
        fs,
        os::unix::fs::{FileTypeExt, symlink},
        path::Path,
    },
};

#[cfg(unix)]
const RUN: &str = "run --preset jax --input x.npy --device cpu --output";

/// The target is replaced, not the link, even if it isn't there yet.
#[cfg(unix)]
#[test]
fn links_are_followed() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("far")).unwrap();
    symlink("far/second", at("first")).unwrap();
    symlink("target.npy", at("far/second")).unwrap();
    for _ in 0..2 {
        succeeded(&tool(folder.path(), &format!("{RUN} first")));
        assert!(at("first").is_symlink() && at("far/second").is_symlink());
        assert_eq!(read_f32(at("far/target.npy")).len(), 6354);
        assert_eq!(files(&at("far")).len(), 2);
    }
    succeeded(&tool(folder.path(), "report x.npy --output first"));
    assert!(at("first").is_symlink());
    assert!(fs::read_to_string(at("far/target.npy")).unwrap().starts_with("<svg"));
    symlink("circle", at("circle")).unwrap();
    symlink("no/such", at("dangling")).unwrap();
    for name in ["circle", "dangling", "far"] {
        refused(folder.path(), &format!("{RUN} {name}"), &format!("{name}: "));
        refused(
            folder.path(),
            &format!("report x.npy --output {name}"),
            &format!("{name}: "),
        );
    }
}

#[cfg(unix)]
#[test]
fn devices_stay() {
    let folder = folder();
    // Root could even replace the device, so the test uses a link to it.
    symlink("/dev/null", folder.path().join("null")).unwrap();
    for path in ["null", "/dev/null"] {
        let output = tool(folder.path(), &format!("{RUN} {path}"));
        assert_eq!(succeeded(&output), "");
        assert!(text(&output.stderr).starts_with("jax forward of 6354 elements on "));
        succeeded(&tool(folder.path(), &format!("report x.npy --output {path}")));
        assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
    }
    assert!(folder.path().join("null").is_symlink());
    assert_eq!(files(folder.path()).len(), 3);
}

#[cfg(unix)]
#[test]
fn pipes_are_written() {
    let folder = folder();
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let through = |arguments: &str| {
        let pipe = pipe.clone();
        let reading = std::thread::spawn(|| fs::read(pipe).unwrap());
        succeeded(&tool(folder.path(), arguments));
        reading.join().unwrap()
    };
    let y = through(&format!("{RUN} pipe"));
    succeeded(&tool(folder.path(), &format!("{RUN} y.npy")));
    assert!(y == fs::read(folder.path().join("y.npy")).unwrap());
    assert!(through("report x.npy --output pipe").starts_with(b"<svg"));
    assert!(fs::symlink_metadata(&pipe).unwrap().file_type().is_fifo());
}

/// The result alone is on standard output.
#[cfg(target_os = "linux")]
#[test]
fn standard_output_is_a_file_too() {
    let folder = folder();
    let output = tool(folder.path(), &format!("{RUN} /dev/stdout"));
    assert!(output.status.success(), "{}", text(&output.stderr));
    succeeded(&tool(folder.path(), &format!("{RUN} y.npy")));
    assert!(output.stdout == fs::read(folder.path().join("y.npy")).unwrap());
}

/// The file that was there stays as it was until the new one is complete.
#[cfg(unix)]
#[test]
fn a_failure_leaves_the_old_file() {
    let folder = folder();
    let out = folder.path().join("out.npy");
    fs::write(&out, "old").unwrap();
    let mut short = f32_npy("(3,)", &[0.0; 3]);
    short.pop();
    let piped = |arguments: &str| {
        let child = command(folder.path(), arguments)
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = child.unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), &short).unwrap();
        child.wait_with_output().unwrap()
    };
    if Path::new("/dev/stdin").exists() {
        let output = piped("run --preset jax --input /dev/stdin --output out.npy --device cpu");
        assert_eq!(output.status.code(), Some(2));
    }
    assert_eq!(fs::read(&out).unwrap(), b"old");
    assert_eq!(files(folder.path()).len(), 3);
}

/// `hard-sigmoid list | head -1` writes no error, and its exit status is that of the work.
#[test]
fn a_reader_may_leave() {
    let folder = folder();
    std::fs::copy(golden("keras.y.npy"), folder.path().join("y.npy")).unwrap();
    for (arguments, status) in [
        ("run --device cpu", 0),
        ("run --input x.npy --preset jax --output out.npy --device cpu", 0),
        ("identify x.npy y.npy", 1),
        ("report", 0),
        ("report --output r.svg", 0),
        ("list", 0),
        ("wgsl jax", 0),
        ("--help", 0),
        ("--version", 0),
    ] {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let child = command(folder.path(), arguments)
            .stdout(writer)
            .stderr(Stdio::piped())
            .spawn();
        let output = child.unwrap().wait_with_output().unwrap();
        assert_eq!(text(&output.stderr), "", "{arguments}");
        assert_eq!(output.status.code(), Some(status), "{arguments}");
    }
    assert!(folder.path().join("out.npy").exists());
}

/// `hard-sigmoid run --output - | head -c 100` ends at once and without a message, as other programs do.
#[cfg(unix)]
#[test]
fn a_reader_of_a_result_may_leave() {
    let folder = folder();
    // More than a pipe holds.
    fs::write(
        folder.path().join("long.npy"),
        f32_npy("(1048576,)", &vec![0.0; 1 << 20]),
    )
    .unwrap();
    let run = "run --preset jax --input long.npy --output - --device cpu";
    for (arguments, read) in [(run, 0), (run, 100), ("report long.npy --output -", 0)] {
        let (mut reader, writer) = pipe().unwrap();
        let mut reading = command(folder.path(), arguments);
        reading.stdout(writer).stderr(Stdio::piped());
        let output = if read == 0 {
            drop(reader);
            reading.output().unwrap()
        } else {
            let child = reading.spawn().unwrap();
            std::io::Read::read_exact(&mut reader, &mut vec![0; read]).unwrap();
            drop(reader);
            child.wait_with_output().unwrap()
        };
        // The table of `report` is there, but no complaint.
        let stderr = text(&output.stderr);
        assert!(
            if arguments == run {
                stderr.is_empty()
            } else {
                !stderr.contains("pipe")
            },
            "{stderr}"
        );
        assert_eq!(output.status.code(), Some(141), "{arguments}");
    }
}

#[test]
#[cfg(unix)]
fn a_replaced_file_keeps_its_permissions() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let file = folder.path().join("y.npy");
    fs::write(&file, "old").unwrap();
    fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    succeeded(&tool(
        folder.path(),
        "run --preset jax --input x.npy --output y.npy --device cpu",
    ));
    assert!(fs::read(&file).unwrap().starts_with(b"\x93NUMPY"));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}

/// The table goes where it doesn't mix with the picture.
#[test]
fn a_picture_has_standard_output_to_itself() {
    let folder = folder();
    for arguments in ["report x.npy --output -", "report x.npy --output - --json"] {
        let output = tool(folder.path(), arguments);
        let picture = succeeded(&output);
        assert!(
            picture.starts_with("<svg") && picture.trim_end().ends_with("</svg>"),
            "{arguments}"
        );
        assert!(text(&output.stderr).contains("courbariaux"), "{arguments}");
    }
}

#[test]
fn bad_places_are_named() {
    let folder = folder();
    let run = "run --preset jax --device cpu --input x.npy --output";
    refused(
        folder.path(),
        &format!("{run} nowhere/y.npy"),
        "nowhere/y.npy: No such file",
    );
    fs::copy(folder.path().join("x.npy"), folder.path().join("t.safetensors")).unwrap();
    refused(
        folder.path(),
        &format!("{run} t.safetensors:y"),
        "is a tensor of a file",
    );
    for arguments in [
        "identify - -",
        "inspect - -",
        "run --op backward --input - --grad - --preset jax --output y.npy",
    ] {
        refused(
            folder.path(),
            arguments,
            "only one of the inputs can come from standard input",
        );
    }
}
