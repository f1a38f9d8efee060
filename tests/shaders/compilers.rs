//! The translations are compiled by the compilers that drivers and wgpu use, and the output is checked:
//! `./test.sh compilers` installs and names them.
//!
//! WGSL lets a compiler fuse a product and a sum into one rounding, and Microsoft's do. So wherever two roundings are
//! promised, an integer operation has to be between them, in the compilers' output too.

use crate::{
    Change, Variant,
    careless::{NAN, ROUNDINGS, without},
    each_variant, glsl, hlsl, spirv,
};
use hard_sigmoid::{DType, Op, Unary};
use naga::back::hlsl::ShaderModel;
use std::{
    collections::HashMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Whether a product with this factor may be fused with a sum. A product with a power of two is exact, unless it is subnormal, and so
/// is one with 3 or 6, since the shader multiplies numbers of few bits by them. In the last step of a division by 3 or 6 both ways give
/// the same bits. (FXC writes six digits.)
fn may_be_fused(operand: &str) -> bool {
    // DXIL writes a number without a short decimal form as the bits of a double.
    let number = match operand.strip_prefix("0x") {
        Some(bits) => u64::from_str_radix(bits, 16).ok().map(f64::from_bits),
        None => operand.parse().ok(),
    };
    let is_near = |n: f64, others: [f64; 2]| others.iter().any(|other| (n.abs() - other).abs() < 1e-6);
    number.is_some_and(|n: f64| {
        let is_exact = n.is_normal() && n.to_bits() << 12 == 0 || is_near(n, [3.0, 6.0]);
        is_exact || is_near(n, [1.0 / 3.0, 1.0 / 6.0])
    })
}

/// The lines of DXC's listing that round once, or let a driver round once, where two roundings are required.
fn fused_in_dxil(listing: &str) -> Vec<&str> {
    // Results that are products, and whether they are exact.
    let mut products = HashMap::new();
    let mut found = vec![];
    for line in listing.lines() {
        let Some((result, operation)) = line.trim().split_once(" = ") else {
            continue;
        };
        let words: Vec<_> = operation
            .split([' ', ',', '(', ')'])
            .filter(|w| !w.is_empty())
            .collect();
        // The operands follow the type: `fmul fast float %1, %2`,
        // `call float @dx.op.tertiary.f32(i32 46, float %1, float %2, float %3)`.
        let floats = words.windows(2).filter(|pair| pair[0] == "float").map(|pair| pair[1]);
        match words[0] {
            "fmul" => {
                let factors = &words[words.len() - 2..];
                products.insert(result, factors.iter().any(|factor| may_be_fused(factor)));
            }
            "fadd" | "fsub" => {
                let terms = &words[words.len() - 2..];
                // DXIL negates by subtracting from -0.
                let negates = terms[0] == "-0.000000e+00";
                if !negates && terms.iter().any(|term| products.get(term) == Some(&false)) {
                    found.push(line);
                }
            }
            "call" if operation.contains("@dx.op.tertiary.f32") && !floats.skip(1).take(2).any(may_be_fused) => {
                found.push(line);
            }
            _ => {}
        }
    }
    found
}

/// A register's component that an operand of FXC's listing reads for component `at`; nothing for constants.
fn component_of(operand: &str, at: char) -> Option<(String, char)> {
    let (register, swizzle) = operand.trim_matches(['-', '|']).split_once('.')?;
    let components: Vec<_> = swizzle.chars().collect();
    let component = match components.len() {
        1 => components[0],
        _ => *components.get("xyzw".find(at)?)?,
    };
    register.starts_with('r').then(|| (register.to_string(), component))
}

/// The lines of FXC's listing that round once where two roundings are required.
fn fused_in_dxbc(listing: &str) -> Vec<&str> {
    // Components that hold a rounded product.
    let mut products: HashMap<(String, char), bool> = HashMap::new();
    let mut found = vec![];
    for line in listing.lines() {
        let Some((operation, rest)) = line.trim().split_once(' ') else {
            continue;
        };
        // Commas within `l(1.0, 2.0)` don't separate operands.
        let mut depth = 0;
        let separated = rest.split(|c| {
            depth += i32::from(c == '(') - i32::from(c == ')');
            c == ',' && depth == 0
        });
        let operands: Vec<_> = separated.map(str::trim).collect();
        let Some((register, mask)) = operands[0].split_once('.').filter(|(name, _)| name.starts_with('r')) else {
            continue;
        };
        let is_exact = |operand: &&str| {
            let literal = operand.strip_prefix("l(").and_then(|text| text.strip_suffix(')'));
            let numbers: Vec<_> = literal
                .into_iter()
                .flat_map(|text| text.split(',').map(str::trim))
                .collect();
            // Of four numbers those count that the result has a component for.
            match numbers[..] {
                [] => false,
                [number] => may_be_fused(number),
                _ => "xyzw"
                    .chars()
                    .zip(numbers)
                    .all(|(component, n)| !mask.contains(component) || may_be_fused(n)),
            }
        };
        if operation.starts_with("mad") && !operands[1..3].iter().any(is_exact) {
            found.push(line);
        }
        let reads_product = |component: char| {
            operands[1..]
                .iter()
                .any(|operand| component_of(operand, component).is_some_and(|key| products.get(&key) == Some(&true)))
        };
        if operation.starts_with("add") && mask.chars().any(reads_product) {
            found.push(line);
        }
        let rounds = |component| match operation {
            "mul" => !operands[1..].iter().any(is_exact),
            "mov" => reads_product(component),
            _ => false,
        };
        let written: Vec<_> = mask.chars().map(|c| ((register.to_string(), c), rounds(c))).collect();
        products.extend(written);
    }
    found
}

#[test]
fn fused_roundings_are_seen() {
    let dxil = "  %1 = fmul fast float %a, %b\n  %2 = fadd fast float %1, %c";
    assert_eq!(fused_in_dxil(dxil).len(), 1);
    let exact = "  %1 = fmul fast float %a, 4.000000e+00\n  %2 = fsub fast float %c, %1";
    assert_eq!(fused_in_dxil(exact).len(), 0);
    let call = "%3 = call float @dx.op.tertiary.f32(i32 46, float %1, float %2, float %4)  ; FMad(a,b,c)";
    assert_eq!(fused_in_dxil(call).len(), 1);
    assert_eq!(fused_in_dxil(&call.replace("%2", "-4.000000e+00")).len(), 0);
    let sixth = "  %1 = fmul fast float %r, 0x3FC5555560000000\n  %2 = fadd fast float %1, %q";
    assert_eq!(fused_in_dxil(sixth).len(), 0);
    let kept = "%1 = fmul fast float %a, %b\n%2 = bitcast float %1 to i32\n%3 = xor i32 %2, %z\n%4 = bitcast i32 %3 to float\n\
                %5 = fadd fast float %4, %c";
    assert_eq!(fused_in_dxil(kept).len(), 0);

    assert_eq!(fused_in_dxbc("mad r0.xy, r1.xyxx, cb0[0].xxxx, r2.xyxx").len(), 1);
    assert_eq!(
        fused_in_dxbc("mad r0.xy, r1.xyxx, l(-4.000000, -4.000000, 0, 0), r2.xyxx").len(),
        0
    );
    let upper = "mad r1.zw, -r2.zzzw, l(0.000000, 0.000000, 4.000000, 4.000000), r1.zzzw";
    assert_eq!(fused_in_dxbc(upper).len(), 0);
    assert_eq!(fused_in_dxbc(&upper.replace("4.000000, 4", "4.000000, 5")).len(), 1);
    assert_eq!(fused_in_dxbc(&upper.replace("zw, -", "yz, -")).len(), 1);
    assert_eq!(
        fused_in_dxbc("mul r0.xy, r1.xyxx, cb0[0].xxxx\nadd r3.x, -r0.y, r2.x").len(),
        1
    );
    assert_eq!(
        fused_in_dxbc("mul r0.xy, r1.xyxx, cb0[0].xxxx\nadd r3.x, r0.z, r2.x").len(),
        0
    );
    let kept = "mul r0.xy, r1.xyxx, cb0[0].xxxx\nxor r0.xy, r0.xyxx, cb0[2].yyyy\nadd r3.x, r0.y, r2.x";
    assert_eq!(fused_in_dxbc(kept).len(), 0);
}

/// A translation.
struct File {
    /// Path without suffix.
    base: PathBuf,
    entry: String,
    expected: Expected,
}

/// What a translation has to fulfil.
#[derive(Clone, Copy)]
struct Expected {
    keeps_nan: bool,
    /// A preset's forward pass in halves, where a fused rounding can't be seen.
    may_fuse: bool,
    /// Whether numbers that FXC prints as 0 are powers of two.
    small_are_exact: bool,
}

/// The files of the translations, without duplicates.
struct Files {
    folder: tempfile::TempDir,
    suffix: &'static str,
    all: Vec<File>,
    known: HashMap<Vec<u8>, usize>,
}

impl Files {
    fn of(suffix: &'static str, change: Change, translate: impl Fn(Variant) -> Result<Vec<u8>, String>) -> Self {
        let mut files = Self {
            folder: tempfile::tempdir().unwrap(),
            suffix,
            all: vec![],
            known: HashMap::new(),
        };
        each_variant(change, |variant| {
            let Variant { op, dtype, entry, .. } = variant;
            let name = format!("{}-{}-{entry}-{dtype}", files.all.len(), op.name());
            // Only kernels that compute with f32 have these tests for NaN; halves have their own.
            let makes_signs = matches!(op, Op::Unary(Unary::Binarize(_)) | Op::Pack(_) | Op::Unpack(_));
            let expected = Expected {
                keeps_nan: !makes_signs && dtype == DType::F32,
                may_fuse: op.name() == "forward" && dtype != DType::F32,
                small_are_exact: small_are_exact(variant.text),
            };
            let translated = translate(variant)?;
            if files.known.insert(translated.clone(), files.all.len()).is_none() {
                let base = files.folder.path().join(name);
                fs::write(format!("{}.{suffix}", base.display()), &translated).unwrap();
                files.all.push(File {
                    base,
                    entry: entry.into(),
                    expected,
                });
            }
            Ok(translated)
        });
        files
    }

    fn each(&self, mut command: impl FnMut(&Path) -> Command) {
        for File { base, .. } in &self.all {
            let path = format!("{}.{}", base.display(), self.suffix);
            let output = command(Path::new(&path)).output().expect("it is installed");
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            assert!(
                output.status.success(),
                "{path}: {}{}",
                text(&output.stdout),
                text(&output.stderr)
            );
        }
        println!("{} distinct translations in {}", self.all.len(), self.suffix);
    }

    /// The listings of one of Microsoft's compilers.
    fn listings(&self, compiler: &str) -> Vec<(String, Expected)> {
        let host = std::env::var("HARD_SIGMOID_HLSL_HOST").expect("set by test.sh");
        let wine = Command::new("wine")
            .args([&host, compiler])
            .env("WINEDEBUG", "-all")
            .stdin(Stdio::piped())
            .spawn();
        let mut wine = wine.expect("wine is installed");
        let lines: String = self
            .all
            .iter()
            .map(|File { base, entry, .. }| format!("Z:{} {entry}\n", base.display()))
            .collect();
        wine.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        assert!(wine.wait().unwrap().success(), "{compiler} failed");
        let read = |file: &File| {
            let listing = fs::read_to_string(format!("{}.{compiler}", file.base.display())).unwrap();
            // FXC prints six decimals, so a power of two below them isn't seen to be one.
            match compiler == "fxc" && file.expected.small_are_exact {
                true => listing.replace("0.000000", "1.000000"),
                false => listing,
            }
        };
        self.all.iter().map(|file| (read(file), file.expected)).collect()
    }
}

/// Whether the numbers of a text that FXC prints as 0 are powers of two. A definition's slope may be another.
fn small_are_exact(text: &str) -> bool {
    let numbers = text.split(|c: char| !(c.is_ascii_alphanumeric() || ".-".contains(c)));
    let numbers = numbers.filter_map(|number| number.trim_end_matches('f').parse::<f32>().ok());
    let mut small = numbers.filter(|number| *number != 0.0 && number.abs() < 1e-6);
    small.all(|number| number.is_normal() && number.to_bits() << 9 == 0)
}

#[test]
fn small_numbers_are_told_apart() {
    assert!(small_are_exact(
        "const A: f32 = 5.9604644775390625e-8; const B: f32 = 0.2; let c = 0x1p0 * 0.0;"
    ));
    assert!(!small_are_exact(
        "const A: f32 = 5.9604644775390625e-8; const B: f32 = 1.8e-21;"
    ));
}

/// Numbers that a listing has to contain: infinity, which ends the finite magnitudes, and the bit that makes a NaN
/// quiet.
fn tests_nan(listing: &str) -> bool {
    let has = |decimal: &str, hex: &str| listing.contains(decimal) || listing.contains(hex);
    has("2139095040", "0x7f800000") && has("4194304", "0x00400000")
}

/// The number of listings that fuse, and of those that lost a test for NaN.
fn faults(listings: &[(String, Expected)], fused: impl Fn(&str) -> Vec<&str>) -> [usize; 2] {
    assert!(listings.len() > 20, "{}", listings.len());
    let fusing = listings
        .iter()
        .filter(|(text, expected)| !expected.may_fuse && !fused(text).is_empty());
    let losing = listings
        .iter()
        .filter(|(text, expected)| expected.keeps_nan && !tests_nan(text));
    [fusing.count(), losing.count()]
}

/// The shader without its precautions.
fn careless(text: &str) -> String {
    let all = [ROUNDINGS, NAN].concat();
    without(text, &all)
}

#[test]
#[ignore = "needs spirv-val and glslangValidator: ./test.sh compilers"]
fn spirv_and_glsl_compile() {
    Files::of("spv", str::to_string, spirv).each(|path| {
        let mut command = Command::new("spirv-val");
        command.args(["--target-env", "vulkan1.1"]).arg(path);
        command
    });
    Files::of("comp", str::to_string, glsl).each(|path| {
        let mut command = Command::new("glslangValidator");
        command.args(["-S", "comp"]).arg(path);
        command
    });
}

#[test]
#[ignore = "needs Wine and Microsoft's compilers: ./test.sh compilers"]
fn dxc_and_fxc_keep_the_bits() {
    for (compiler, model, fused) in [
        ("dxc", ShaderModel::V6_0, fused_in_dxil as fn(&str) -> Vec<&str>),
        ("fxc", ShaderModel::V5_1, fused_in_dxbc),
    ] {
        let listings = Files::of("hlsl", str::to_string, |variant| hlsl(variant, model)).listings(compiler);
        if let Some((listing, _)) = listings
            .iter()
            .find(|(listing, expected)| !expected.may_fuse && !fused(listing).is_empty())
        {
            panic!("{compiler} fuses {:#?} in\n{listing}", fused(listing));
        }
        assert_eq!(faults(&listings, fused), [0, 0], "{compiler}");
        println!(
            "{compiler}: {} distinct shaders, no fusion, no NaN test lost",
            listings.len()
        );

        let listings = Files::of("hlsl", careless, |variant| hlsl(variant, model)).listings(compiler);
        let [fusing, losing] = faults(&listings, fused);
        println!("{compiler}, without precautions: {fusing} fuse, {losing} lose NaN");
        assert!(fusing > 0 && losing > 0);
    }
}
