//! Somebody else's kernel, which calls the functions of `wgsl::scalar`.

use hard_sigmoid::{Binarization, Op, Unary, wgsl::Options};

/// What the kernel has in its uniform.
const NUMBERS: &str = "struct Numbers { seed: vec2<u32>, offset: vec2<u32>, factor: f32 }";

/// Invocations in a row of the grid, whose workgroups have 64.
pub const ROW: usize = 4096;

/// A kernel that calls the functions of an operation, to be appended to the text of `wgsl::scalar`. Its first buffer has three tensors
/// of operands of `len` elements each, its second the results, its third the uniform, whose contents come with the text. With a
/// factor, the function gets products with it.
pub fn kernel(op: Op, options: &Options, len: usize, factor: Option<f32>) -> (String, [u64; 4]) {
    let Options { number, prefix, .. } = *options;
    let element = number.wgsl();
    let operand = |i: usize| format!("operands[{}u + i]", i * len);
    let times = if factor.is_some() { " * numbers.factor" } else { "" };
    let mut arguments: Vec<_> = (0..op.inputs().len())
        .map(|i| format!("{}{times}", operand(i)))
        .collect();
    if op.name() == "backward_accumulate" {
        arguments.push(format!("{}{times}", operand(2)));
    }
    let draws = matches!(op, Op::Unary(Unary::Binarize(signs)) if signs.how != Binarization::Deterministic);
    // Without draws the text has no use for random words.
    let mut drawn = String::new();
    if draws {
        let first = if element == "u32" { "2u * i" } else { "i" };
        drawn = format!(
            "let words = {prefix}binarize_random4(({first}) & 0xfffffffcu, numbers.seed, numbers.offset);
            let first = ({first}) & 3u;"
        );
        let two = "vec2<u32>(words[first], words[first + 1u])";
        arguments.push(if element == "u32" {
            two.into()
        } else {
            "words[first]".into()
        });
    }
    let names: &[&str] = match op.name() {
        "forward" => &["hard_sigmoid"],
        "backward" => &["hard_sigmoid_backward"],
        "backward_from_output" => &["hard_sigmoid_backward_from_output"],
        "backward_accumulate" => &["hard_sigmoid_backward_accumulate"],
        "gate" => &["hard_sigmoid_gate"],
        "gate_backward" => &["hard_sigmoid_gate_da", "hard_sigmoid_gate_db"],
        name => &[name],
    };
    let stores = names.iter().enumerate().map(|(output, name)| {
        let call = format!("{prefix}{name}({})", arguments.join(", "));
        format!("results[{}u + i] = {call};\n", output * len)
    });
    let stores: String = stores.collect();
    let parameters = op.parameters();
    let [seed, offset] = [parameters.seed, parameters.offset].map(Option::unwrap_or_default);
    let factor = u64::from(factor.unwrap_or_default().to_bits());
    let text = format!(
        "
        {NUMBERS}
        @group(0) @binding(0) var<storage, read> operands: array<{element}>;
        @group(0) @binding(1) var<storage, read_write> results: array<{element}>;
        @group(0) @binding(2) var<uniform> numbers: Numbers;
        @compute @workgroup_size(64)
        fn mine(@builtin(global_invocation_id) id: vec3<u32>) {{
            let i = id.y * {ROW}u + id.x;
            // So that the layout has it.
            _ = numbers.seed;
            {drawn}
            {stores}
        }}"
    );
    (text, [seed, offset, factor, 0])
}
