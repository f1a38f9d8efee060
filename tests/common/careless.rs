//! Texts without their precautions: what a check has to find faults in.

/// The code that keeps roundings apart, each with the code without that precaution.
pub const ROUNDINGS: &[(&str, &str)] = &[
    ("return bitcast<f32>(min(bitcast<i32>(v), i32(INFINITE)));", "return v;"),
    (
        "let q = bitcast<f32>(bitcast<u32>(t * SIXTH) & 0xfffffff8u);",
        "let q = t * SIXTH;",
    ),
    (
        "let q = bitcast<f32>(bitcast<u32>(x * THIRD) & 0xfffffffcu);",
        "let q = x * THIRD;",
    ),
];

/// The code that keeps NaN.
#[cfg(test)]
pub const NAN: &[(&str, &str)] = &[(
    "return select(result, operand | QUIET, magnitude_of(operand) > INFINITE);",
    "return result;",
)];

/// The text without some precautions. In a text for others, names have prefixes.
pub fn without(text: &str, precautions: &[(&str, &str)]) -> String {
    let declaration = text
        .lines()
        .find(|line| line.starts_with("const ") && line.contains("INFINITE: "));
    let prefix = declaration.map_or("", |line| line["const ".len()..].split("INFINITE").next().unwrap_or(""));
    let prefixed = |code: &str| {
        let names = ["INFINITE", "SIXTH", "THIRD", "QUIET", "magnitude_of"];
        names.iter().fold(code.to_string(), |code, name| {
            code.replace(name, &format!("{prefix}{name}"))
        })
    };
    let replace =
        |text: String, (careful, careless): &(&str, &str)| text.replace(&prefixed(careful), &prefixed(careless));
    precautions.iter().fold(text.to_string(), replace)
}
