//! One operation as plain WGSL functions of numbers, for a kernel of your own.
//!
//! [`scalar`] gives a text with `fn hard_sigmoid(x: f32) -> f32`. It binds nothing, and the definition's numbers are constants in it. So
//! it goes wherever a runtime takes an activation: into an epilogue, a chain, a template.
//!
//! ```
//! use hard_sigmoid::{HardSigmoid, Unary, wgsl};
//!
//! let text = wgsl::scalar(Unary::HardSwish(HardSigmoid::PYTORCH), &wgsl::Options::default())?;
//! let kernel = text + "
//! @group(0) @binding(0) var<storage, read_write> y: array<f32>;
//! @compute @workgroup_size(64)
//! fn mine(@builtin(global_invocation_id) id: vec3<u32>) {
//!     if id.x < arrayLength(&y) {
//!         y[id.x] = hard_swish(2.0 * y[id.x]);
//!     }
//! }";
//! # assert!(naga::front::wgsl::parse_str(&kernel).is_ok());
//! # Ok::<(), hard_sigmoid::OpError>(())
//! ```

use crate::{
    math::{
        dtype::DType,
        error::OpError,
        names::named,
        op::{Op, Unary},
        quantized::{Quantization, Quantized},
    },
    plan::{
        formula::Formulas,
        items::{declared_names, needed, renamed},
        short,
        text::{Call, FUNCTIONS, LOADED, OUTSIDE, calls, is_stochastic, resolved, words},
    },
};
use std::collections::HashSet;

/// What a function takes and returns. Halves are computed in `f32` and rounded once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Number {
    /// An `f32`.
    #[default]
    F32,
    /// An `f16`. Your module has to begin with `enable f16;`, and the device needs the feature `shader-f16`.
    F16,
    /// Two f16 in a `u32`, the first one in the lower half. It needs no feature.
    PackedF16,
    /// Two bfloat16 in a `u32`, the first one in the lower half. It needs no feature.
    PackedBf16,
}

named!(Number, "number", F32 => "f32", F16 => "f16", PackedF16 => "packed_f16", PackedBf16 => "packed_bf16");

impl Number {
    /// Its type in WGSL.
    pub const fn wgsl(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::PackedF16 | Self::PackedBf16 => "u32",
        }
    }

    /// The type of the numbers themselves.
    pub const fn dtype(self) -> DType {
        match self {
            Self::F32 => DType::F32,
            Self::F16 | Self::PackedF16 => DType::F16,
            Self::PackedBf16 => DType::Bf16,
        }
    }

    pub(super) const fn is_packed(self) -> bool {
        matches!(self, Self::PackedF16 | Self::PackedBf16)
    }
}

/// Which text of an operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Text {
    /// The bits of the CPU path.
    #[default]
    Exact,
    /// The shortest text. Its comment says what it may lose.
    Short,
}

named!(Text, "text", Exact => "exact", Short => "short");

/// How [`scalar`] writes an operation. The default is exact, in `f32`, without a prefix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Options<'a> {
    /// What the functions take and return.
    pub number: Number,
    /// Which text.
    pub text: Text,
    /// What every name begins with, for example `"my_"`.
    pub prefix: &'a str,
}

/// An operation as plain functions, one for each result. With another [`Number`] each `f32` is an `f16`, or a `u32` that holds two
/// halves.
///
/// | operation | functions |
/// |---|---|
/// | [`Unary::Forward`] | `hard_sigmoid(x: f32) -> f32` |
/// | [`Unary::HardSwish`] | `hard_swish(x: f32) -> f32` |
/// | [`Unary::Binarize`] | `binarize(x: f32) -> f32` |
/// | [`Binary::Backward`] | `hard_sigmoid_backward(x: f32, g: f32) -> f32` |
/// | [`Binary::BackwardFromOutput`] | `hard_sigmoid_backward_from_output(y: f32, g: f32) -> f32` |
/// | [`Binary::BackwardAccumulate`] | `hard_sigmoid_backward_accumulate(x: f32, g: f32, dx: f32) -> f32` returns the sum of `dx` and the gradient |
/// | [`Binary::HardSwishBackward`] | `hard_swish_backward(x: f32, g: f32) -> f32` |
/// | [`Binary::Gate`] | `hard_sigmoid_gate(a: f32, b: f32) -> f32` |
/// | [`Binary::StraightThrough`] | `straight_through(x: f32, g: f32) -> f32` |
/// | [`Op::GateBackward`] | `hard_sigmoid_gate_da` and `hard_sigmoid_gate_db`, each `(a: f32, b: f32, g: f32) -> f32` |
///
/// **Bits.** [`Text::Exact`] has the bits of the CPU path for every operand, also where the operands come straight out of
/// arithmetic: its roundings are kept apart from each other and from that arithmetic. It relies on a driver that rounds to nearest and
/// keeps the sign of a zero, as all do that we tested. There are two exceptions. WGSL lets a GPU take a subnormal number for zero;
/// and an `f16` that isn't packed is converted by the driver, which may lose a NaN's payload. Where your own arithmetic makes a NaN
/// or an infinity, WGSL leaves open what it is. [`Text::Short`] is for those who don't need the bits.
///
/// **Text.** It may stand anywhere in a module, after directives such as `enable f16;`. The texts of different operations have
/// different names, so they fit into one module. Two texts of one operation need different prefixes, also if they have another
/// definition or another [`Text`]. A module must not redefine the built-in functions that the text calls, such as `clamp`.
///
/// **Signs.** A stochastic `binarize` takes the random word of its element too; two halves take a `vec2<u32>`. The text has a
/// function for random words. Its seed and offset are those of the [`Binarization`](crate::Binarization), each with its low word
/// first. They aren't in the text, so that they may change.
///
/// ```wgsl
/// fn binarize(x: f32, random: u32) -> f32
/// // The random words of four elements in a row, the first of which is number `element` of the tensor.
/// fn binarize_random4(element: u32, seed: vec2<u32>, offset: vec2<u32>) -> vec4<u32>
/// ```
///
/// ```
/// use hard_sigmoid::{Binarization, Unary, wgsl};
///
/// // The seed doesn't matter here.
/// let draws = Unary::binarize(Binarization::stochastic(0, 0), 1.0)?;
/// let text = wgsl::scalar(draws, &wgsl::Options::default())?;
/// let kernel = text + "
/// @group(0) @binding(0) var<storage, read_write> x: array<f32>;
/// @group(0) @binding(1) var<uniform> seed: vec2<u32>;
/// @compute @workgroup_size(64)
/// fn mine(@builtin(global_invocation_id) id: vec3<u32>) {
///     if id.x < arrayLength(&x) {
///         x[id.x] = binarize(x[id.x], binarize_random4(id.x, seed, vec2<u32>(0u)).x);
///     }
/// }";
/// # assert!(naga::front::wgsl::parse_str(&kernel).is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// [`Binary::Backward`]: crate::Binary::Backward
/// [`Binary::BackwardFromOutput`]: crate::Binary::BackwardFromOutput
/// [`Binary::BackwardAccumulate`]: crate::Binary::BackwardAccumulate
/// [`Binary::HardSwishBackward`]: crate::Binary::HardSwishBackward
/// [`Binary::Gate`]: crate::Binary::Gate
/// [`Binary::StraightThrough`]: crate::Binary::StraightThrough
///
/// The example `fused` puts a hard swish behind a matrix product, and its gradient before one.
///
/// # Errors
/// [`OpError::NotElementwise`] for packing, unpacking and broadcast gates; [`OpError::ScaleTooLarge`] for a binarization
/// to numbers that the type doesn't have; [`OpError::Prefix`] for a prefix that can't begin a name.
pub fn scalar(op: impl Into<Op>, options: &Options) -> Result<String, OpError> {
    let op = op.into();
    let Options { number, text, prefix } = *options;
    let calls = calls(op);
    if calls.is_empty() {
        return Err(OpError::NotElementwise { op: op.name() });
    }
    op.check_dtype(number.dtype())?;
    check_prefix(prefix)?;
    let about = about(op);
    let (comment, body) = match text {
        Text::Exact => (exact_comment(number).to_string(), exact(op, number, calls)),
        Text::Short => (
            short::comment(op, number),
            short::text(op, number, calls) + &random_words(op),
        ),
    };
    let names = calls.iter().map(|call| call.name).collect();
    Ok(format!(
        "{about}{comment}\n{}",
        prefixed(&body, prefix, &base(op, calls), &names)
    ))
}

/// A quantized function as a plain function of a byte, `fn hard_swish_quantized(x: u32) -> u32`, or `hard_sigmoid_quantized`. It takes
/// the lowest 8 bits of a `u32`, and returns the bits of a `u8` or an `i8` in one. The table is in the text, so each pair of scales has a text of its own; the
/// kernel of [`Op::Lookup`] has one for all.
///
/// ```
/// use hard_sigmoid::{HardSigmoid, Quantization, Quantized, Rounding, Unary, wgsl};
///
/// let (x, y) = (Quantization::u8(0.05, 100)?, Quantization::u8(0.025, 15)?);
/// let hard_swish = Quantized::new(Unary::HardSwish(HardSigmoid::PYTORCH), x, y, Rounding::Onnx)?;
/// let text = wgsl::quantized(hard_swish, "layer3_")?;
/// assert!(text.contains("fn layer3_hard_swish_quantized(x: u32) -> u32"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`OpError::Prefix`] for a prefix that can't begin a name.
pub fn quantized(of: Quantized, prefix: &str) -> Result<String, OpError> {
    check_prefix(prefix)?;
    let name = match of.op() {
        Unary::Forward(_) => "hard_sigmoid",
        op => op.name(),
    };
    let tensor = |name: &str, of: Quantization| {
        let (byte, scale, zero_point) = (of.byte(), of.scale(), of.zero_point());
        format!("{name} {byte} with scale {scale:?} and zero point {zero_point}")
    };
    let [x, y] = [tensor("x", of.x()), tensor("y", of.y())];
    let about = about(of.op().into());
    let table = of.table();
    let rows = table.chunks(32).map(|row| {
        let word = |word: &[u8]| word.iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte));
        let words: Vec<_> = row.chunks(4).map(|bytes| format!("{:#010x}u", word(bytes))).collect();
        format!("        {},\n", words.join(", "))
    });
    let rows: String = rows.collect();
    Ok(format!(
        "{about}// {x}, {y}, rounded as by {}.\n\n\
         fn {prefix}{name}_quantized(x: u32) -> u32 {{\n    var table = array<u32, 64>(\n{rows}    );\n    \
         return (table[(x >> 2u) & 63u] >> (x << 3u)) & 0xffu;\n}}\n",
        of.rounding()
    ))
}

/// The first line: what is computed.
fn about(op: Op) -> String {
    let parameters = op.parameters();
    let definition = parameters.definition.map(|it| format!("{it}, {}", it.formula()));
    let scale = parameters.scale.map(|scale| format!("scale {scale:?}"));
    let estimator = parameters.estimator.map(|estimator| estimator.to_string());
    let all: Vec<_> = [definition, scale, estimator].into_iter().flatten().collect();
    format!("// {}: {}\n", op.name(), all.join(", "))
}

/// The text with the prefix before the functions in `public`, and with `base` too before all other names.
fn prefixed(text: &str, prefix: &str, base: &str, public: &HashSet<&str>) -> String {
    let declared = declared_names(text);
    renamed(text, |name, _| match (public.contains(name), declared.contains(name)) {
        (true, _) => Some(format!("{prefix}{name}")),
        (false, true) => Some(format!("{prefix}{base}_{name}")),
        (false, false) => None,
    })
}

/// What the names of an operation's helpers begin with.
fn base(op: Op, calls: &[Call]) -> String {
    match calls {
        [call] => call.name.into(),
        _ => format!("hard_sigmoid_{}", op.name()),
    }
}

fn check_prefix(prefix: &str) -> Result<(), OpError> {
    let starts = |c: char| c.is_ascii_alphabetic() || c == '_';
    let is_name = prefix.starts_with(starts) && prefix.chars().all(|c| starts(c) || c.is_ascii_digit());
    if prefix.is_empty() || is_name && !prefix.starts_with("__") {
        return Ok(());
    }
    Err(OpError::Prefix { given: prefix.into() })
}

fn exact_comment(number: Number) -> &'static str {
    match number {
        Number::F16 => {
            "// Exact: made to give the same bits on every driver, except that a driver may take a subnormal number for zero, and may give a\n\
             // NaN another payload. The module has to begin with `enable f16;`.\n"
        }
        _ => {
            "// Exact: made to give the same bits on every driver, except that a driver may take a subnormal number for zero.\n"
        }
    }
}

/// The operands of a function. An operation that adds takes what it adds to.
pub(super) fn operands(op: Op, call: &Call) -> Vec<&'static str> {
    let mut operands = op.inputs().to_vec();
    operands.extend(call.operands.iter().filter(|operand| !op.inputs().contains(operand)));
    operands
}

/// The parameters of a function: `x: f32, g: f32`.
pub(super) fn parameters(op: Op, number: Number, call: &Call) -> String {
    let operands = operands(op, call).into_iter();
    let operands = operands.map(|operand| format!("{operand}: {}", number.wgsl()));
    let words = if number.is_packed() { "vec2<u32>" } else { "u32" };
    let random = is_stochastic(op).then(|| format!("random: {words}"));
    operands.chain(random).collect::<Vec<_>>().join(", ")
}

/// The function that gives random words, for an operation that draws.
fn random_words(op: Op) -> String {
    match is_stochastic(op) {
        true => "\n".to_string() + &needed(&FUNCTIONS.join("\n"), &["random4"], |_| None),
        false => String::new(),
    }
}

/// The exact functions, and all that they need.
fn exact(op: Op, number: Number, calls: &[Call]) -> String {
    let mut functions = String::new();
    for call in calls {
        let result = match number {
            Number::F32 => format!("bitcast<f32>({})", of_numbers(op, call, "")),
            // A number that is a half is converted without rounding.
            Number::F16 => format!(
                "f16(bitcast<f32>(low(packed_results({}, 0u))))",
                of_numbers(op, call, "f32")
            ),
            Number::PackedF16 | Number::PackedBf16 => of_words(op, number.dtype(), call),
        };
        let (name, parameters, of) = (call.name, parameters(op, number, call), number.wgsl());
        functions += &format!("fn {name}({parameters}) -> {of} {{\n    return {result};\n}}\n");
    }
    if let Some(scale) = op.scale() {
        functions += &format!("const SCALE: f32 = {:?};\n", f64::from(scale.get()));
    }
    // Halves that aren't packed are numbers of f32 by then.
    let computed = if number.is_packed() { number.dtype() } else { DType::F32 };
    let formulas = Formulas::new(op, computed);
    let reader = if number.is_packed() { LOADED } else { OUTSIDE };
    let mut parts = vec![&*functions, &*formulas.text, reader];
    if number != Number::F32 {
        parts.extend(words(number.dtype()));
    }
    parts.extend(FUNCTIONS);
    let mut roots: Vec<_> = calls.iter().map(|call| call.name).collect();
    if is_stochastic(op) {
        roots.push("random4");
    }
    resolved(&parts, &roots, op, &formulas)
}

/// The bits of a result from operands that are numbers. `widen` makes an `f32` of them.
fn of_numbers(op: Op, call: &Call, widen: &str) -> String {
    let bits = |operand: &&str| match widen {
        "" => format!("bitcast<u32>({operand})"),
        _ => format!("bitcast<u32>({widen}({operand}))"),
    };
    let operands = call.operands.iter().map(bits).collect::<Vec<_>>().join(", ");
    match op {
        Op::Unary(Unary::Binarize(_)) if is_stochastic(op) => {
            format!("signed(is_drawn_plus({operands}, random), SCALE)")
        }
        Op::Unary(Unary::Binarize(_)) => format!("signed(is_plus({operands}), SCALE)"),
        _ => format!("{}({operands})", call.function),
    }
}

/// A word of a result from words of halves.
fn of_words(op: Op, dtype: DType, call: &Call) -> String {
    match op {
        Op::Unary(Unary::Binarize(_)) if is_stochastic(op) => {
            "signed_halves(is_drawn_plus(low(x), random.x), is_drawn_plus(high(x), random.y), SCALE)".into()
        }
        Op::Unary(Unary::Binarize(_)) => "signed_halves(is_plus_half(x << 16u), is_plus_half(x), SCALE)".into(),
        _ => call.of_words(op, dtype),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        math::{binarize::Binarization, definition::HardSigmoid, op::Binary},
        plan::text::tests::{called, definitions},
    };
    use std::collections::BTreeSet;

    fn checked(text: &str) -> naga::Module {
        let text = &["enable f16;\n", text].concat();
        let module =
            naga::front::wgsl::parse_str(text).unwrap_or_else(|error| panic!("{}", error.emit_to_string(text)));
        use naga::valid::Capabilities;
        let capabilities = Capabilities::SHADER_FLOAT16 | Capabilities::SHADER_FLOAT16_IN_FLOAT32;
        let mut validator = naga::valid::Validator::new(naga::valid::ValidationFlags::all(), capabilities);
        validator
            .validate(&module)
            .unwrap_or_else(|error| panic!("{}\n{text}", error.emit_to_string(text)));
        module
    }

    fn all_options() -> impl Iterator<Item = Options<'static>> {
        let texts = |number| {
            Text::ALL.iter().map(move |&text| Options {
                number,
                text,
                prefix: "",
            })
        };
        Number::ALL.iter().flat_map(move |&number| texts(number))
    }

    /// The text parses alone, binds nothing, has what was asked for, and nothing that isn't needed. Its names begin as promised.
    #[test]
    fn a_function_stands_by_itself() {
        let mut count = 0;
        let mut without = BTreeSet::new();
        for op in definitions().into_iter().flat_map(Op::all) {
            for options in all_options() {
                let Ok(text) = scalar(
                    op,
                    &Options {
                        prefix: "my_",
                        ..options
                    },
                ) else {
                    without.insert(op.name());
                    continue;
                };
                count += 1;
                let module = checked(&text);
                assert!(module.entry_points.is_empty() && module.global_variables.is_empty());
                assert!(module.overrides.is_empty() && !text.contains("Params"));
                let mut roots: Vec<_> = calls(op).iter().map(|call| format!("my_{}", call.name)).collect();
                if is_stochastic(op) {
                    roots.push("my_binarize_random4".into());
                }
                let mut used = BTreeSet::new();
                for (handle, function) in module.functions.iter() {
                    if roots.contains(function.name.as_ref().unwrap()) {
                        used.insert(handle);
                        used.extend(called(&module, function));
                    }
                }
                assert_eq!(used.len(), module.functions.len(), "{text}");
                let begin = format!("my_{}", base(op, calls(op)));
                for name in declared_names(&text) {
                    assert!(
                        name.starts_with(&begin) || roots.iter().any(|root| root == name),
                        "{name}"
                    );
                }
                for call in calls(op) {
                    let line = format!(
                        "fn my_{}({}) -> {} {{",
                        call.name,
                        parameters(op, options.number, call),
                        options.number.wgsl()
                    );
                    assert!(text.contains(&line), "{line}\n{text}");
                }
            }
        }
        assert!(count > 500, "{count}");
        assert_eq!(
            without,
            BTreeSet::from([
                "gate_broadcast",
                "gate_broadcast_sums",
                "lookup",
                "lookup_gate",
                "pack",
                "unpack"
            ])
        );
    }

    /// Texts of all operations fit into one module, and a text with a prefix beside one without.
    #[test]
    fn texts_of_different_operations_fit_into_one_module() {
        for options in all_options() {
            let mut names = BTreeSet::new();
            let mut all = String::new();
            for op in Op::all(HardSigmoid::PYTORCH) {
                if calls(op).is_empty() || !names.insert(base(op, calls(op))) {
                    continue;
                }
                all += &scalar(op, &options).unwrap();
                all += &scalar(
                    op,
                    &Options {
                        prefix: "other_",
                        ..options
                    },
                )
                .unwrap();
            }
            assert_eq!(names.len(), 10);
            checked(&all);
        }
    }

    #[test]
    fn what_cant_be_written_is_an_error() {
        let large = Unary::binarize(Binarization::Deterministic, 1e30).unwrap();
        let of = |number| {
            scalar(
                large,
                &Options {
                    number,
                    ..Default::default()
                },
            )
        };
        for number in [Number::F16, Number::PackedF16] {
            assert!(matches!(of(number), Err(OpError::ScaleTooLarge { .. })));
        }
        assert!(of(Number::PackedBf16).is_ok() && of(Number::F32).is_ok());
        let forward = Unary::Forward(HardSigmoid::KERAS);
        for prefix in ["1", "a-", "__a", " ", "ü", "a b"] {
            let error = scalar(
                forward,
                &Options {
                    prefix,
                    ..Default::default()
                },
            )
            .unwrap_err();
            assert_eq!(error, OpError::Prefix { given: prefix.into() });
        }
        for prefix in ["_", "a", "A_1"] {
            checked(
                &scalar(
                    forward,
                    &Options {
                        prefix,
                        ..Default::default()
                    },
                )
                .unwrap(),
            );
        }
        assert_eq!("packed_f16".parse(), Ok(Number::PackedF16));
        assert_eq!("short".parse(), Ok(Text::Short));
    }

    #[test]
    fn a_short_text_is_short() {
        let short = |op: Op, number| {
            let options = Options {
                number,
                text: Text::Short,
                prefix: "",
            };
            let text = scalar(op, &options).unwrap();
            let code = text.lines().filter(|line| !line.starts_with("//") && !line.is_empty());
            code.collect::<Vec<_>>().join("\n")
        };
        let keras = HardSigmoid::KERAS;
        assert_eq!(
            short(Unary::Forward(keras).into(), Number::F32),
            "fn hard_sigmoid(x: f32) -> f32 {\n    return clamp(0.2 * x + 0.5, 0.0, 1.0);\n}"
        );
        assert_eq!(
            short(Binary::Backward(keras).into(), Number::F32),
            "fn hard_sigmoid_backward(x: f32, g: f32) -> f32 {\n    return select(0.0, 0.2 * g, x >= -2.5 && x <= 2.5000002);\n}"
        );
        assert_eq!(
            short(Unary::HardSwish(HardSigmoid::PYTORCH).into(), Number::F16),
            "fn hard_swish(x: f16) -> f16 {\n    return f16(hard_swish_number(f32(x)));\n}\n\
             fn hard_swish_number(x: f32) -> f32 {\n    return x * clamp(x + 3.0, 0.0, 6.0) / 6.0;\n}"
        );
    }
}
