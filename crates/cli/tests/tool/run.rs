//! Tests of `run` and `list`.

use crate::{
    assert_same_bits, command, f32_npy, files, folder, golden, header, raw_npy, read_f32, refused, split, succeeded,
    text, tool,
};
use hard_sigmoid::HardSigmoid;

#[test]
fn the_table_has_every_preset_and_no_difference() {
    let output = tool(folder().path(), "run --device cpu");
    let table = succeeded(&output);
    for preset in HardSigmoid::PRESETS {
        for pass in ["forward", "backward"] {
            let row = table
                .lines()
                .find(|line| line.split_whitespace().take(2).eq([preset.name, pass]));
            assert!(
                row.unwrap_or_else(|| panic!("no row {} {pass}", preset.name))
                    .ends_with(" 0")
            );
        }
    }
    assert!(table.contains("115008 f32 elements, shape [1797, 64]"), "{table}");
}

#[test]
fn files_come_back_transformed() {
    let folder = folder();
    let (x, g) = (read_f32(golden("x.npy")), read_f32(golden("g.npy")));
    let custom = "--alpha -0.7 --beta 0.3 --kinks inclusive";
    for (chosen, definition) in [
        ("--preset BinaryNet", "courbariaux"),
        (custom, "affine(-0.7, 0.3, inclusive)"),
    ] {
        let definition: HardSigmoid = definition.parse().unwrap();
        let forward = format!("run {chosen} --input x.npy --output y.npy --device cpu");
        let backward = format!("run {chosen} --op backward --input x.npy --grad g.npy --output dx.npy --device cpu");
        for arguments in [forward, backward] {
            let output = tool(folder.path(), &arguments);
            succeeded(&output);
        }
        let expected: Vec<f32> = x.iter().map(|&x| definition.forward(x)).collect();
        assert_same_bits(&read_f32(folder.path().join("y.npy")), &expected);
        let expected: Vec<f32> = x.iter().zip(&g).map(|(&x, &g)| definition.backward(x, g)).collect();
        assert_same_bits(&read_f32(folder.path().join("dx.npy")), &expected);
    }
    assert_eq!(files(folder.path()).len(), 4, "temporary files are left");
}

#[test]
fn hard_swishes_come_back() {
    let folder = folder();
    let (x, g) = (read_f32(golden("x.npy")), read_f32(golden("g.npy")));
    for definition in [HardSigmoid::PYTORCH, HardSigmoid::KERAS] {
        let run = format!("run --preset {definition} --device cpu --input x.npy");
        let forward = succeeded(&tool(folder.path(), &format!("{run} --op hard_swish --output y.npy")));
        assert!(
            forward.starts_with(&format!("{definition} hard_swish of 6354 elements on CPU")),
            "{forward}"
        );
        let backward = format!("{run} --op hard_swish_backward --grad g.npy --output dx.npy --json");
        let json: serde_json::Value = serde_json::from_str(&succeeded(&tool(folder.path(), &backward))).unwrap();
        assert_eq!([&json["operation"], &json["pass"]], ["hard_swish_backward", "backward"]);
        let expected: Vec<f32> = x.iter().map(|&x| definition.hard_swish(x)).collect();
        assert_same_bits(&read_f32(folder.path().join("y.npy")), &expected);
        let pairs = x.iter().zip(&g);
        let expected: Vec<f32> = pairs.map(|(&x, &g)| definition.hard_swish_backward(x, g)).collect();
        assert_same_bits(&read_f32(folder.path().join("dx.npy")), &expected);
    }
}

/// float16 is seen from the file; bfloat16 is uint16 and has to be named.
#[test]
fn half_files_come_back_transformed() {
    let folder = folder();
    let all: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
    for (dtype, name, option) in [("<f2", "f16", ""), ("<u2", "bf16", "--dtype bf16")] {
        let file = raw_npy(&header(dtype, "(256, 256)"), &all);
        std::fs::write(folder.path().join("in.npy"), file).unwrap();
        let output = tool(
            folder.path(),
            &format!("run --preset torch --input in.npy --output out.npy --device cpu {option}"),
        );
        succeeded(&output);
        let written = std::fs::read(folder.path().join("out.npy")).unwrap();
        let (head, result) = split(&written);
        assert!(head.contains(&format!("'{dtype}'")));
        let expected = std::fs::read(golden(&format!("pytorch.{name}.y.npy"))).unwrap();
        let (_, expected) = split(&expected);
        assert_eq!(result.len(), all.len());
        let is_nan = |bytes: &[u8]| match name {
            "f16" => hard_sigmoid::f16::from_le_bytes([bytes[0], bytes[1]]).is_nan(),
            _ => hard_sigmoid::bf16::from_le_bytes([bytes[0], bytes[1]]).is_nan(),
        };
        for (actual, expected) in result.chunks_exact(2).zip(expected.chunks_exact(2)) {
            assert!(actual == expected || is_nan(actual) && is_nan(expected));
        }
    }
    refused(
        folder.path(),
        "run --preset jax --dtype f16 --input x.npy --output o.npy --device cpu",
        "its dtype is '<f4', not '<f2'",
    );
    let table = succeeded(&tool(folder.path(), "run --dtype bf16 --device cpu"));
    assert!(table.contains("115008 bf16 elements"), "{table}");
}

/// The file is longer than what is in memory at a time, and has an odd end. The output may be a file that is read.
#[test]
fn long_files_come_back_transformed() {
    let folder = folder();
    let len = 4 * (1 << 22) + 3;
    let x: Vec<f32> = (0..len)
        .map(|i| ((i64::from(i) * 7919) % 8001) as f32 / 1000.0 - 4.0)
        .collect();
    let g: Vec<f32> = (0..len).map(|i| i as f32).collect();
    let (x_file, g_file) = (folder.path().join("x.npy"), folder.path().join("g.npy"));
    let shape = format!("({len},)");
    std::fs::write(&x_file, f32_npy(&shape, &x)).unwrap();
    std::fs::write(&g_file, f32_npy(&shape, &g)).unwrap();
    for arguments in [
        "run --preset jax --op backward --input x.npy --grad g.npy --output g.npy --overwrite --device cpu",
        "run --preset jax --input x.npy --output x.npy --overwrite --device cpu",
    ] {
        let output = tool(folder.path(), arguments);
        succeeded(&output);
        assert_eq!(text(&output.stderr), "", "a progress bar where there is no terminal");
    }
    let y: Vec<f32> = x.iter().map(|&x| HardSigmoid::JAX.forward(x)).collect();
    let dx: Vec<f32> = x
        .iter()
        .zip(&g)
        .map(|(&x, &g)| HardSigmoid::JAX.backward(x, g))
        .collect();
    assert_same_bits(&read_f32(&x_file), &y);
    assert_same_bits(&read_f32(&g_file), &dx);
    assert_eq!(files(folder.path()).len(), 2, "temporary files are left");
}

/// A file of 256 GiB, of which nothing but zeros is on the disk: memory stays bounded, and Ctrl-C leaves no output.
#[cfg(target_os = "linux")]
#[test]
fn files_larger_than_memory_and_ctrl_c() {
    let folder = tempfile::tempdir().unwrap();
    let len = 1_u64 << 36;
    let path = folder.path().join("x.npy");
    std::fs::write(&path, f32_npy(&format!("({len},)"), &[])).unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    let start = file.metadata().unwrap().len();
    file.set_len(start + 4 * len).unwrap();
    let mut child = command(
        folder.path(),
        "run --preset jax --input x.npy --output y.npy --device cpu",
    )
    .stderr(std::process::Stdio::piped())
    .spawn()
    .unwrap();
    let written = || {
        let others = files(folder.path()).into_iter().filter(|other| *other != path);
        others.map(|other| other.metadata().map_or(0, |m| m.len())).sum::<u64>()
    };
    while written() < 600 << 20 {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    let signalled = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(signalled.unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert_eq!(text(&output.stderr), "hard-sigmoid: interrupted\n");
    assert_eq!(files(folder.path()), [path]);
    assert!(peak < 160 << 10, "{peak} KiB of memory");
}

#[test]
fn shapes_are_kept() {
    let folder = folder();
    for (shape, count) in [("()", 1), ("(0,)", 0), ("(2, 3, 1)", 6), ("(5, 0)", 0)] {
        std::fs::write(folder.path().join("in.npy"), f32_npy(shape, &vec![0.0; count])).unwrap();
        let output = tool(
            folder.path(),
            "run --preset jax --input in.npy --output out.npy --device cpu",
        );
        succeeded(&output);
        let written = std::fs::read(folder.path().join("out.npy")).unwrap();
        let header = split(&written).0.replace([' ', ','], "");
        assert!(
            header.contains(&format!("'shape':{}", shape.replace([' ', ','], ""))),
            "{header}"
        );
        assert_eq!(read_f32(folder.path().join("out.npy")), vec![0.5; count]);
    }
}

#[test]
fn bad_input_is_one_clear_line() {
    let folder = folder();
    let put = |name: &str, header: &str, data| {
        let header = format!("{{'descr': {header}, }}");
        std::fs::write(folder.path().join(name), raw_npy(&header, &vec![0; data])).unwrap();
    };
    put("f8.npy", "'<f8', 'fortran_order': False, 'shape': (2,)", 16);
    put(
        "fortran.npy",
        "'<f4', 'fortran_order': True, 'shape': (2, 3177)",
        4 * 6354,
    );
    put(
        "rows.npy",
        "'<f4', 'fortran_order': False, 'shape': (2, 3177)",
        4 * 6354,
    );
    put("short.npy", "'<f4', 'fortran_order': False, 'shape': (3,)", 11);
    put("long.npy", "'<f4', 'fortran_order': False, 'shape': (3,)", 13);
    put(
        "huge.npy",
        "'<f4', 'fortran_order': False, 'shape': (9223372036854775807, 8)",
        4,
    );
    put("row.npy", "'<f4', 'fortran_order': False, 'shape': (1, 6354)", 4 * 6354);
    std::fs::write(folder.path().join("text.npy"), "x").unwrap();
    let to = |input: &str| format!("run --preset keras --input {input} --output out.npy --device cpu");
    refused(folder.path(), &to("missing.npy"), "missing.npy: ");
    refused(folder.path(), &to("text.npy"), "text.npy: not a .npy file");
    refused(
        folder.path(),
        &to("f8.npy"),
        "its dtype is '<f8', float64, which no operation computes: convert it to float32",
    );
    refused(
        folder.path(),
        &to("short.npy"),
        "takes 12 bytes of data, but there are 11",
    );
    refused(folder.path(), &to("long.npy"), "but there are 13");
    refused(folder.path(), &to("huge.npy"), "has more bytes than can be counted");
    let backward = "run --preset keras --op backward --input x.npy --output out.npy --device cpu";
    refused(folder.path(), backward, "needs the upstream gradient: --grad G.npy");
    let forward = "run --preset keras --input x.npy --grad x.npy --output out.npy --device cpu";
    refused(
        folder.path(),
        forward,
        "forward takes no --grad; --op backward, for example, is a gradient",
    );
    refused(
        folder.path(),
        &format!("{backward} --grad row.npy"),
        "x has shape [6354], but g has [1, 6354]",
    );
    let orders = "run --preset keras --input rows.npy --grad fortran.npy --device cpu";
    for orders in [orders, &format!("{orders} --op backward --output out.npy")] {
        refused(
            folder.path(),
            orders,
            "x is in C order, but g is in Fortran order: save both in the same order",
        );
    }
    refused(
        folder.path(),
        "run --preset keras --pass backward --input x.npy --grad g.npy --output out.npy",
        "--pass is for the table; of files say which operation, such as --op backward",
    );
    refused(
        folder.path(),
        "run --input x.npy --output out.npy --device cpu",
        "needs a definition",
    );
    refused(
        folder.path(),
        "run --alpha inf --beta 0 --input x.npy --output out.npy",
        "alpha is inf; it must be a finite number",
    );
    refused(
        folder.path(),
        "run --preset keras --input x.npy --output no/such/out.npy --device cpu",
        "no/such/out.npy",
    );
}

#[test]
fn bad_arguments_say_what_is_allowed() {
    let folder = folder();
    for (arguments, message) in [
        ("--preset softmax", "use one of keras, onnx, courbariaux"),
        ("--device tpu", "auto, gpu, cpu"),
        ("--alpha 1", "--beta"),
        ("--preset keras --alpha 1 --beta 0", "cannot be used with"),
        ("--pass sideways", "forward, backward"),
        ("--grad g.npy", "--input"),
    ] {
        let output = tool(folder.path(), &format!("run {arguments}"));
        assert_eq!(output.status.code(), Some(2));
        assert!(
            text(&output.stderr).contains(message),
            "{arguments}: {}",
            text(&output.stderr)
        );
    }
}

#[test]
fn unmet_wishes_of_the_environment_are_errors() {
    for (variable, value) in [("WGPU_BACKEND", "warp9"), ("WGPU_ADAPTER_NAME", "no such adapter")] {
        let output = command(".".as_ref(), "run").env(variable, value).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(
            text(&output.stderr).contains(&format!("{variable}={value}")),
            "{}",
            text(&output.stderr)
        );
    }
}

#[test]
fn the_list_has_every_preset() {
    let list = succeeded(&tool(".".as_ref(), "list"));
    for preset in HardSigmoid::PRESETS {
        assert!(list.contains(&format!("{:<12} y = {}", preset.name, preset.definition.formula())));
        assert!(list.contains(preset.source));
    }
}

#[test]
fn json_tells_the_same() {
    let folder = folder();
    let json = |arguments: &str| -> serde_json::Value {
        let output = tool(folder.path(), &format!("run --json --device cpu {arguments}"));
        serde_json::from_str(&succeeded(&output)).unwrap()
    };
    let table = json("--input x.npy --grad g.npy");
    let rows = table["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 2 * HardSigmoid::PRESETS.len());
    let x = read_f32(golden("x.npy"));
    assert_eq!(table["elements"], x.len());
    for row in rows {
        let counted = ["low", "linear", "high"].map(|key| row[key].as_u64().unwrap());
        let numbers = x.iter().filter(|x| !x.is_nan()).count();
        assert_eq!(counted.iter().sum::<u64>(), numbers as u64, "{row}");
        assert_eq!((&row["differing"], &row["flushed"]), (&0.into(), &0.into()), "{row}");
        assert!(row["seconds"].as_f64().unwrap() > 0.0 && row["gigabytes_per_second"].as_f64().unwrap() > 0.0);
    }
    let file = json("--preset jax --input x.npy --output y.npy");
    assert_eq!((&file["definition"], &file["pass"]), (&"jax".into(), &"forward".into()));
    assert_eq!((&file["elements"], &file["output"]), (&x.len().into(), &"y.npy".into()));
}
