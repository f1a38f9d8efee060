//! Tests of `run --op`: every operation that the library has for floats, from file to file.

use crate::{
    assert_same_bits, f32_npy, files, folder, golden, header, raw_npy, read_f32, refused, split, succeeded, text, tool,
};
use hard_sigmoid::{Binarization, DType, HardSigmoid, Op, Parameters, cpu};
use std::{collections::BTreeSet, fs, path::Path};
use tempfile::tempdir;

/// Numbers round the kinks.
fn numbers(len: u32, seed: u32) -> Vec<f32> {
    let one = |i: u64| (((i * 7919 + u64::from(seed) * 104_729) % 8001) as f64 / 1000.0 - 4.0) as f32;
    (0..len.into()).map(one).collect()
}

fn write(folder: &Path, name: &str, shape: &str, values: &[f32]) {
    fs::write(folder.join(name), f32_npy(shape, values)).unwrap();
}

/// The data of a file.
fn data(path: impl AsRef<Path>) -> Vec<u8> {
    split(&fs::read(path).unwrap()).1.to_vec()
}

/// The options that an operation's parameters are.
fn options(of: Parameters) -> String {
    let mut all = String::new();
    let mut add = |option: &str, value: Option<String>| {
        if let Some(value) = value {
            all += &format!(" --{option} {value}");
        }
    };
    add("preset", of.definition.map(|it| it.to_string()));
    add("seed", of.seed.map(|it| it.to_string()));
    add("offset", of.offset.map(|it| it.to_string()));
    add("scale", of.scale.map(|it| it.to_string()));
    add("estimator", of.estimator.map(|it| it.to_string()));
    all
}

#[test]
fn every_operation_has_the_librarys_bits() {
    let mut names = BTreeSet::new();
    for op in Op::all(HardSigmoid::SPARSE) {
        if !op.dtypes().contains(&DType::F32) {
            continue;
        }
        names.insert(op.name());
        let folder = tempdir().unwrap();
        let shape = op
            .broadcast()
            .map_or([12, 1, 6], |shape| [72 / shape.row(), shape.middle(), shape.inner()]);
        let [outer, middle, inner] = shape;
        let len = shape.iter().product();
        // The operands that the operation has, each by its option.
        let mut operands: Vec<Vec<u8>> = vec![];
        let mut command = format!("run --device cpu --op {}{}", op.name(), options(op.parameters()));
        let mut inputs = op.inputs().to_vec();
        let is_accumulate = op.name() == "backward_accumulate";
        if is_accumulate {
            inputs.push("dx");
        }
        let (whole, of_b) = (
            format!("({outer}, {middle}, {inner})"),
            format!("({outer}, 1, {inner})"),
        );
        for (i, input) in inputs.into_iter().enumerate() {
            let file = format!("{input}.npy");
            let option = match input {
                "b" => "gate",
                "g" => "grad",
                "dx" => "dx",
                _ => "input",
            };
            command += &format!(" --{option} {file}");
            if input == "bits" {
                let words: Vec<u8> = (0..12_u8).map(|i| i.wrapping_mul(37)).collect();
                fs::write(folder.path().join(file), raw_npy(&header("<u4", "(3,)"), &words)).unwrap();
            } else if input == "b" && op.broadcast().is_some() {
                write(folder.path(), &file, &of_b, &numbers(outer * inner, 9));
            } else {
                write(folder.path(), &file, &whole, &numbers(len, i as u32));
            }
            operands.push(data(folder.path().join(format!("{input}.npy"))));
        }
        command += " --output out.npy";
        command += if op.outputs().len() == 2 { " --db db.npy" } else { "" };
        command += if op.name() == "unpack" { " --shape 12,1,6" } else { "" };
        let told = succeeded(&tool(folder.path(), &command));
        assert!(told.contains(&format!("{} of 72 elements on CPU", op.name())), "{told}");
        let before = if is_accumulate {
            operands.pop().unwrap()
        } else {
            vec![7; 4 * len as usize]
        };
        let sizes = match op.name() {
            "pack" => vec![12],
            "gate_broadcast_sums" => vec![operands[1].len()],
            _ => vec![before.len(); op.outputs().len()],
        };
        let mut expected: Vec<_> = sizes.into_iter().map(|size| before[..size].to_vec()).collect();
        let inputs: Vec<_> = operands.iter().map(Vec::as_slice).collect();
        let mut outputs: Vec<_> = expected.iter_mut().map(Vec::as_mut_slice).collect();
        cpu::run(op, DType::F32, &inputs, &mut outputs).unwrap();
        let found = ["out.npy", "db.npy"].map(|name| folder.path().join(name));
        for (found, expected) in found.iter().zip(&expected) {
            assert!(data(found) == *expected, "{op:?}");
        }
    }
    assert_eq!(names.len(), 14);
}

/// What PyTorch computes around its hard sigmoid, and the gradient of BinaryNet. A NaN is as good as any other.
#[test]
fn gates_and_gradients_are_the_frameworks() {
    let folder = folder();
    // The third operand of those golden files.
    let g = read_f32(golden("g.npy"));
    write(folder.path(), "third.npy", "(6354,)", &[&g[11..], &g[..11]].concat());
    let run = |arguments: &str| succeeded(&tool(folder.path(), &format!("run --device cpu {arguments}")));
    let same = |name: &str, expected: &str| {
        let [found, expected] = [folder.path().join(name), golden(expected)].map(read_f32);
        let is_same = |(a, b): (&f32, &f32)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
        assert!(
            found.len() == 6354 && found.iter().zip(&expected).all(is_same),
            "{name}"
        );
    };
    run("--op straight_through --input x.npy --grad g.npy --output dx.npy");
    same("dx.npy", "straight_through.dx.npy");
    run("--preset pytorch --op backward_accumulate --input x.npy --grad g.npy --dx third.npy --output dx.npy");
    same("dx.npy", "pytorch.accumulate.dx.npy");
    run("--preset pytorch --op gate --input third.npy --gate x.npy --output y.npy");
    same("y.npy", "pytorch.gate.y.npy");
    run("--preset pytorch --op gate_backward --input third.npy --gate x.npy --grad g.npy --output da.npy --db db.npy");
    same("da.npy", "pytorch.gate.da.npy");
    same("db.npy", "pytorch.gate.db.npy");
}

/// Draws and bits go on in the next of the pieces that are in memory at a time.
#[test]
fn long_files_are_drawn_packed_and_unpacked() {
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let len = 2 * (1 << 22) + 5;
    let x = numbers(len, 1);
    write(folder.path(), "x.npy", &format!("({len},)"), &x);
    let run = |arguments: &str| succeeded(&tool(folder.path(), &format!("run --device cpu {arguments}")));
    run("--op binarize --seed 7 --offset 3 --scale 0.5 --input x.npy --output signs.npy");
    let mut expected = vec![0.0; x.len()];
    let how = Binarization::stochastic(7, 3);
    cpu::unary(hard_sigmoid::Unary::binarize(how, 0.5).unwrap(), &x, &mut expected).unwrap();
    assert_same_bits(&read_f32(at("signs.npy")), &expected);
    run("--op pack --seed 7 --offset 3 --input x.npy --output bits.npy");
    let mut words = vec![0; x.len().div_ceil(32)];
    cpu::pack(how, &x, &mut words).unwrap();
    assert!(data(at("bits.npy")) == words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>());
    run(&format!(
        "--op unpack --scale 0.5 --shape {len},1 --input bits.npy --output y.npy"
    ));
    assert_same_bits(&read_f32(at("y.npy")), &expected);
    let header = split(&fs::read(at("y.npy")).unwrap()).0;
    assert!(header.contains(&format!("({len}, 1)")), "{header}");
    run("--op unpack --dtype f16 --input bits.npy --output half.npy");
    assert_eq!(data(at("half.npy")).len(), 2 * 32 * words.len());
    assert_eq!(files(folder.path()).len(), 5, "temporary files are left");
}

/// b goes with a as in NumPy, in C order and in Fortran order.
#[test]
fn gates_are_repeated_along_axes_of_size_1() {
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (extents, definition) = ([2, 3, 4, 5], HardSigmoid::COURBARIAUX);
    let len = extents.iter().product::<usize>();
    // No sum of their products is rounded, whatever its order.
    let [a, g] = [1, 2].map(|seed| {
        numbers(len as u32, seed)
            .into_iter()
            .map(f32::round)
            .collect::<Vec<_>>()
    });
    // The place in an array of these extents, whose index is 0 along those of size 1.
    let place = |index: [usize; 4], extents: [usize; 4], is_fortran: bool| {
        let mut axes = [0, 1, 2, 3];
        if is_fortran {
            axes.reverse();
        }
        axes.into_iter()
            .fold(0, |at, axis| at * extents[axis] + index[axis] % extents[axis])
    };
    let save = |name: &str, extents: [usize; 4], is_fortran: bool, values: &[f32]| {
        let order = if is_fortran { "True" } else { "False" };
        let [n, c, h, w] = extents;
        let header = format!("{{'descr': '<f4', 'fortran_order': {order}, 'shape': ({n}, {c}, {h}, {w}), }}");
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        fs::write(at(name), raw_npy(&header, &bytes)).unwrap();
    };
    for of_b in [[2, 3, 1, 1], [2, 3, 4, 1], [1, 3, 4, 5], [2, 1, 1, 5], [1, 1, 1, 1]] {
        for is_fortran in [false, true] {
            let b = numbers(of_b.iter().product::<usize>() as u32, 3);
            save("a.npy", extents, is_fortran, &a);
            save("b.npy", of_b, is_fortran, &b);
            save("g.npy", extents, is_fortran, &g);
            let run = "run --device cpu --preset courbariaux --input a.npy --gate b.npy --output out.npy";
            succeeded(&tool(folder.path(), &format!("{run} --op gate")));
            let (mut y, mut da, mut sums) = (vec![0.0; len], vec![0.0; len], vec![0.0; b.len()]);
            for i in 0..len {
                let index = [i / 60, i / 20 % 3, i / 5 % 4, i % 5];
                let [at, of_b] = [(extents, is_fortran), (of_b, is_fortran)].map(|(of, order)| place(index, of, order));
                y[at] = definition.gate(a[at], b[of_b]);
                da[at] = definition.gate(g[at], b[of_b]);
                sums[of_b] += a[at] * g[at];
            }
            assert_same_bits(&read_f32(at("out.npy")), &y);
            let both = format!("{run} --op gate_backward --grad g.npy --db db.npy --json");
            let json: serde_json::Value = serde_json::from_str(&succeeded(&tool(folder.path(), &both))).unwrap();
            assert_eq!([&json["operation"], &json["pass"]], ["gate_backward", "backward"]);
            assert_eq!([&json["output"], &json["db"]], ["out.npy", "db.npy"]);
            assert_same_bits(&read_f32(at("out.npy")), &da);
            let db = data(at("db.npy"));
            succeeded(&tool(
                folder.path(),
                &format!("{run} --op gate_broadcast_sums --grad g.npy"),
            ));
            assert!(data(at("out.npy")) == db && db.len() == 4 * b.len());
            let pairs = b.iter().zip(&sums);
            let expected: Vec<_> = pairs.map(|(&b, &sum)| definition.backward(b, sum)).collect();
            assert_same_bits(&read_f32(at("db.npy")), &expected);
        }
    }
    // No elements: db is a sum of nothing.
    save("a.npy", [2, 3, 0, 5], false, &[]);
    save("g.npy", [2, 3, 0, 5], false, &[]);
    save("b.npy", [2, 3, 1, 1], false, &numbers(6, 1));
    let run =
        "run --preset pytorch --op gate_backward --input a.npy --gate b.npy --grad g.npy --output da.npy --db db.npy";
    succeeded(&tool(folder.path(), run));
    assert_eq!((data(at("da.npy")), data(at("db.npy"))), (vec![], vec![0; 24]));
}

#[test]
fn one_of_two_results_may_be_standard_output() {
    let folder = folder();
    let run = "run --device cpu --preset jax --op gate_backward --input x.npy --gate g.npy --grad x.npy";
    succeeded(&tool(folder.path(), &format!("{run} --output da.npy --db db.npy")));
    let output = tool(folder.path(), &format!("{run} --output - --db other.npy"));
    let at = |name: &str| fs::read(folder.path().join(name)).unwrap();
    assert!(output.stdout == at("da.npy") && at("other.npy") == at("db.npy"));
    assert!(text(&output.stderr).starts_with("jax gate_backward of 6354 elements on "));
}

#[test]
fn what_is_missing_or_too_much_is_said() {
    let folder = folder();
    write(folder.path(), "b.npy", "(6, 1)", &numbers(6, 1));
    write(folder.path(), "a.npy", "(6, 5)", &numbers(30, 1));
    write(folder.path(), "cube.npy", "(2, 3, 4)", &numbers(24, 1));
    write(folder.path(), "gaps.npy", "(1, 3, 1)", &numbers(3, 1));
    let fortran = "{'descr': '<f4', 'fortran_order': True, 'shape': (6, 5), }";
    fs::write(folder.path().join("fortran.npy"), raw_npy(fortran, &[0; 120])).unwrap();
    let keras = "--preset keras --input x.npy";
    for (arguments, message) in [
        (
            "--op gate --preset keras --input x.npy",
            "gate needs the gate b: --gate B.npy",
        ),
        (
            "--op gate_broadcast --preset keras --input x.npy",
            "gate_broadcast needs the gate b: --gate B.npy",
        ),
        (
            &format!("--op hard_swish_backward {keras}"),
            "hard_swish_backward needs the upstream gradient: --grad G.npy",
        ),
        (
            &format!("--op backward_accumulate {keras} --grad g.npy"),
            "needs what it adds to: --dx DX.npy",
        ),
        (
            &format!("--op gate_backward {keras} --grad g.npy --gate g.npy"),
            "needs a second output, for the gradient of b: --db DB.npy",
        ),
        (
            &format!("--op gate_backward {keras} --grad g.npy --gate g.npy --db ./x.npy"),
            "./x.npy: it is an input",
        ),
        (
            &format!("--op gate_backward {keras} --grad g.npy --gate g.npy --db ./y.npy"),
            "--output and --db are both y.npy",
        ),
        (
            &format!("--op hard_swish {keras} --gate g.npy"),
            "hard_swish takes no --gate: leave it out",
        ),
        (&format!("{keras} --db g.npy"), "forward takes no --db: leave it out"),
        (&format!("{keras} --shape 6354"), "forward takes no --shape"),
        (&format!("{keras} --seed 1"), "forward takes no --seed: leave it out"),
        (
            &format!("--op binarize {keras}"),
            "binarize draws at random only with --seed",
        ),
        (
            "--op binarize --input x.npy --offset 1",
            "binarize draws at random only with --seed",
        ),
        (
            &format!("--op unpack {keras}"),
            "unpack takes no definition: leave out --preset, --alpha and --beta",
        ),
        (
            "--op hard_swish --input x.npy",
            "hard_swish needs a definition: --preset NAME, or --alpha A --beta B",
        ),
        (
            "--op unpack --input x.npy",
            "x.npy: its dtype is '<f4', but bits are in uint32, as --op pack writes them",
        ),
        (
            "--op pack --input fortran.npy",
            "pack takes the elements in C order, but x is in Fortran order",
        ),
        (
            "--op binarize --seed 1 --input fortran.npy",
            "binarize takes the elements in C order",
        ),
        (
            "--op lookup --input x.npy",
            "lookup needs a table: for a file of uint8 or int8, --op forward or hard_swish",
        ),
        (
            "--op straight_through --input x.npy --grad a.npy",
            "x has shape [6354], but g has [6, 5]",
        ),
        (
            "--op gate --preset keras --input b.npy --gate a.npy",
            "b has shape [6, 5], but a has [6, 1]: it needs as many axes, each of the size that a's has, or 1",
        ),
        (
            "--op gate --preset keras --input cube.npy --gate gaps.npy",
            "b of shape [1, 3, 1] is repeated in a of [2, 3, 4] along axes that aren't neighbours",
        ),
        (
            "--op gate --preset keras --input a.npy --gate b.npy --device gpu",
            "is computed on the CPU alone: leave out --device gpu",
        ),
    ] {
        refused(folder.path(), &format!("run --output y.npy {arguments}"), message);
    }
    succeeded(&tool(
        folder.path(),
        "run --op pack --input x.npy --output bits.npy --device cpu",
    ));
    let wrong = "run --op unpack --input bits.npy --output y.npy --shape 10";
    refused(folder.path(), wrong, "shape [10] doesn't go with 199 words of 32 bits");
    for (arguments, message) in [
        (
            "--op softmax --output y.npy --input x.npy",
            "use one of forward, hard_swish, binarize",
        ),
        ("--op gate", "--output"),
    ] {
        let output = tool(folder.path(), &format!("run {arguments}"));
        assert!(text(&output.stderr).contains(message) && output.status.code() == Some(2));
    }
}
