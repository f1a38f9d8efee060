//! Qualcomm's listings, by Turnip.

use super::{Reading, literal};
use std::collections::BTreeMap;

/// What isn't arithmetic: control flow and waiting. Loads and stores are told apart before.
const OTHERS: [&str; 18] = [
    "bar", "br", "brao", "end", "fence", "getone", "jump", "lock", "mova1", "nop", "predf", "prede", "predt",
    "resinfo", "shpe", "shps", "sleep", "unlock",
];

/// Reads lines like `(sy)(rpt1)mad.f32 r0.x, (r)r1.x, c4.y, (neg)r2.x`, which counts twice. The preamble, which runs once for a launch,
/// isn't counted, nor what writes the shared registers `r48.x` to `r55.w`, which runs once for all invocations of a subgroup.
pub fn read(listing: &str) -> Reading {
    let mut reading = Reading::default();
    // Constants and registers that hold a literal of the listing.
    let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
    let mut in_preamble = false;
    for line in listing.lines().map(str::trim) {
        if let Some((first, values)) = line.strip_prefix("@const(").and_then(|rest| rest.split_once(')')) {
            let values = values.split(',').map(|value| literal(value.trim()));
            let values = values.enumerate();
            numbers.extend(values.filter_map(|(i, value)| Some((later(first, i)?, value?))));
            continue;
        }
        let (flags, code) = flags(line);
        let (name, operands) = code.split_once(char::is_whitespace).unwrap_or((code, ""));
        let (operation, kind) = name.split_once('.').unwrap_or((name, ""));
        match operation {
            "shps" => in_preamble = true,
            "shpe" => in_preamble = false,
            _ => {}
        }
        // A register may have another number where ways join.
        if name.ends_with(':') || operation.starts_with("pred") {
            numbers.retain(|register, _| register.starts_with('c'));
        }
        if in_preamble
            || name.ends_with(':')
            || !name.starts_with(|c: char| c.is_ascii_lowercase())
            || OTHERS.contains(&operation)
        {
            continue;
        }
        let repeats = flags
            .iter()
            .find_map(|flag| flag.strip_prefix("rpt")?.parse().ok())
            .unwrap_or(0);
        let operands: Vec<&str> = operands.split(',').map(str::trim).collect();
        let known = |operand: usize, repeat: usize| -> Option<u32> {
            let (flags, register) = self::flags(operands.get(operand)?);
            // `(r)` takes the next component each time. A literal is `(2.0)`.
            let register = later(register, if flags.contains(&"r") { repeat } else { 0 });
            register.map_or_else(|| literal(flags.last()?), |register| numbers.get(&register).copied())
        };
        let factors: Vec<_> = (0..=repeats).map(|i| [known(1, i), known(2, i)]).collect();
        let (masks, result) = self::flags(operands[0]);
        let is_load = ["isam", "ldib", "ldl", "ldp", "ldc", "ldg"].contains(&operation);
        if !operation.starts_with("st") {
            for i in 0..=if is_load { 3 } else { repeats } {
                later(result, i).map(|register| numbers.remove(&register));
            }
        }
        match operation {
            // A texture's unit loads as many words as its mask has components, the others as many as the name says.
            "isam" => reading.access(false, &masks.last().map_or(0, |mask| mask.len()).to_string()),
            "ldib" | "stib" | "ldg" | "stg" => {
                let words = kind.split('.').find(|part| part.parse::<u32>().is_ok()).unwrap_or("?");
                reading.access(operation.starts_with("st"), words);
            }
            "ldp" | "stp" => reading.spilled.push(code.into()),
            _ => {}
        }
        if is_load || operation.starts_with("st") {
            continue;
        }
        if operation == "mov" {
            let moved = factors.iter().enumerate();
            numbers.extend(moved.filter_map(|(i, &[number, _])| Some((later(result, i)?, number?))));
        }
        let is_shared = later(result, 0).is_some_and(|first| {
            let digits = first.strip_prefix('r').and_then(|rest| rest.split('.').next());
            digits
                .and_then(|digits| digits.parse().ok())
                .is_some_and(|register: u32| (48..56).contains(&register))
        });
        if !is_shared {
            reading.alu += 1.0 + repeats as f64;
        }
        if !kind.starts_with('f') {
            continue;
        }
        match operation {
            "mad" => factors
                .iter()
                .for_each(|factors| reading.fuse(line, factors.iter().copied().flatten())),
            "cmps" | "cmpv" | "sel" => reading.compared.push(line.into()),
            _ => {}
        }
        if flags.contains(&"sat") || ["min", "max"].contains(&operation) {
            reading.limited.push(line.into());
        }
    }
    reading
}

/// What stands in brackets before a name or an operand, and the rest.
fn flags(text: &str) -> (Vec<&str>, &str) {
    let (mut flags, mut rest) = (vec![], text);
    while let Some((flag, after)) = rest.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
        flags.push(flag);
        rest = after.trim_start();
    }
    (flags, rest)
}

/// The register that lies `count` components after one like `r2.w`, `hr0.x` or `c3.y`.
fn later(register: &str, count: usize) -> Option<String> {
    const COMPONENTS: &str = "xyzw";
    let (name, component) = register.split_once('.')?;
    let kind = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let place = 4 * name[kind.len()..].parse::<usize>().ok()? + COMPONENTS.find(component)? + count;
    Some(format!("{kind}{}.{}", place / 4, &COMPONENTS[place % 4..=place % 4]))
}

#[cfg(test)]
mod tests {
    use super::{later, read};

    /// c14.x is -4, c13.z 1/6, c14.y -2 and c14.z another number.
    const NUMBERS: &str = "@const(c13.x)\t0x40400000, 0x40c00000, 0x3e2aaaab, 0x3f7fffff\n\
                           @const(c14.x)\t0xc0800000, 0xc0000000, 0x3e4ccccd, 0xd0d0d0d0\n";

    fn fused(lines: &str) -> (usize, usize, usize) {
        let reading = read(&format!("{NUMBERS}{lines}"));
        (reading.fused.len(), reading.fused_exact, reading.fused_sixths)
    }

    #[test]
    fn a_fused_product_is_seen() {
        assert_eq!(fused("mad.f32 r0.x, c14.z, r0.y, c13.w"), (1, 0, 0));
        assert_eq!(fused("(sy)(nop2) mad.f32 r0.x, r1.x, (neg)r2.x, r0.y"), (1, 0, 0));
        assert_eq!(fused("(sat)mad.f16 hr0.x, hr1.x, hr2.x, hr0.y"), (1, 0, 0));
        // Integers aren't rounded, and a product alone isn't fused.
        assert_eq!(
            fused("madsh.m16 r0.x, r1.x, r2.x, r0.y\nmul.f r0.x, c14.z, r0.x"),
            (0, 0, 0)
        );
    }

    #[test]
    fn an_exact_product_may_be_fused() {
        assert_eq!(fused("mad.f32 r1.w, c14.x, r2.w, r1.w"), (0, 1, 0));
        assert_eq!(fused("mad.f32 r3.x, c13.z, r1.w, r2.w"), (0, 0, 1));
        // An exact summand doesn't make the fusion exact.
        assert_eq!(fused("mad.f32 r1.w, r2.w, r1.w, c14.x"), (1, 0, 0));
    }

    /// The second time, `(r)` takes the next component: c14.y after c14.x, and c14.z after c14.y.
    #[test]
    fn a_repeated_instruction_is_several() {
        assert_eq!(fused("(rpt3)mad.f32 r1.x, c14.x, (r)r2.x, (r)r3.x"), (0, 4, 0));
        assert_eq!(fused("(rpt1)mad.f32 r1.x, (r)c14.x, (r)r2.x, (r)r3.x"), (0, 2, 0));
        assert_eq!(fused("(rpt1)mad.f32 r1.x, (r)c14.y, (r)r2.x, (r)r3.x"), (1, 1, 0));
        assert_eq!(read("(rpt3)sel.b32 r1.x, (r)r4.x, (r)r5.x, (r)r2.x").alu, 4.0);
        assert_eq!(later("r2.w", 2).unwrap(), "r3.y");
    }

    /// A register that was written again, or is written on one way only, doesn't hold the literal.
    #[test]
    fn a_number_that_was_overwritten_is_forgotten() {
        let mad = "mad.f32 r1.w, r4.y, r2.w, r1.w";
        assert_eq!(fused(&format!("(rpt1)mov.f32f32 r4.x, (r)c14.x\n{mad}")), (0, 1, 0));
        for between in [
            "mov.f32f32 r4.y, r0.x",
            "(rpt3)add.f r3.z, (r)r2.x, (r)r1.x",
            "isam.v.base0 (u32)(xyzw)r4.x, r0.x, s#0, t#0",
            "l10:",
            "prede",
        ] {
            assert_eq!(
                fused(&format!("mov.f32f32 r4.y, c14.x\n{between}\n{mad}")),
                (1, 0, 0),
                "{between}"
            );
        }
    }

    #[test]
    fn limited_and_compared_floats_are_seen() {
        let lines =
            "min.f r0.x, r0.x, c13.y\n(nop1) max.f r0.x, r0.x, (0.0)\n(sat)add.f r0.x, r0.x, r0.y\nmax.s r0.x, r0.x, 0";
        assert_eq!(read(lines).limited.len(), 3);
        assert_eq!(
            read("(nop3) cmps.f.lt p0.x, r0.x, c4.x\nsel.f32 r0.x, r0.x, r0.y, r0.z")
                .compared
                .len(),
            2
        );
        assert_eq!(
            read("cmps.u.lt p0.x, r0.x, c4.x\nsel.b32 r0.x, r0.x, r0.y, r0.z")
                .compared
                .len(),
            0
        );
    }

    #[test]
    fn instructions_and_accesses_are_counted() {
        let reading = read(
            "Native code for unnamed CL shader (null)\n; num_ubos: 0\n@in(r0.x)\tin1 (wrmask=0x7)\n\
             shps #l10\ngetone #l10\n(sy)(ss)shr.b r48.w, r48.w, 2\nldc.4.k.imm.base0 c[a1.x], 0, 2\n(sy)(ss)shpe\nl10:\n\
             (jp)shr.b r49.y, c8.y, 16\n(ss)(nop2) sad.s32 r0.x, r48.x, r0.x, r48.y\n(rpt1)nop\npredt\n\
             isam.v.base0 (u32)(xyzw)r0.w, r0.x, s#0, t#0\nldib.b.untyped.1d.u32.4.imm.base0 r0.w, r0.x, 1\n\
             (sy)stib.b.untyped.1d.u32.1.imm.base0 r0.w, r0.x, 1\nstp.u32 p[r0.x], r1.x, 1\nprede\nend",
        );
        assert_eq!((reading.alu, reading.loads, reading.stores), (1.0, 2, 1));
        assert_eq!(reading.spilled, ["stp.u32 p[r0.x], r1.x, 1"]);
        let accesses: Vec<_> = reading.accesses.into_iter().collect();
        assert_eq!(accesses, ["load 4", "store 1"]);
    }
}
