//! NVIDIA's listings, by NVK.

use super::{Reading, literal};
use std::collections::BTreeMap;

/// What isn't arithmetic: control flow, reading what the launch has set, and moves, most of which NVK's allocation of registers puts
/// around bounds checks. Loads and stores are told apart before.
const OTHERS: [&str; 16] = [
    "bar", "bclear", "bmov", "bra", "break", "bssy", "bsync", "cs2r", "exit", "ldc", "membar", "mov", "nop", "s2r",
    "warpsync", "}",
];

/// Reads lines like `@!p0 r2 p1 = ffma.ftz r3 0x40800000 -r4 // delay=4`. Instructions of the uniform datapath, whose result is a
/// register like `ur2` or `up2`, run once for all invocations of a subgroup and aren't counted.
pub fn read(listing: &str) -> Reading {
    let mut reading = Reading::default();
    // Registers that hold a literal of the listing.
    let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
    for line in listing.lines() {
        let code = line.split("//").next().unwrap_or_default().trim();
        if code.is_empty() {
            continue;
        }
        if code.starts_with("block") {
            // A register may have another number where ways join.
            numbers.clear();
            continue;
        }
        let (predicate, rest) = code.split_at(match code.starts_with('@') {
            true => code.find(' ').unwrap_or(code.len()),
            false => 0,
        });
        let (results, rest) = rest.split_once(" = ").unwrap_or(("", rest));
        let mut words = rest.split_whitespace();
        let name = words.next().unwrap_or_default();
        let operands: Vec<&str> = words.collect();
        let known = |text: &&str| {
            let text = text.trim_matches(['-', '|']);
            literal(text).or_else(|| numbers.get(text).copied())
        };
        let known: Vec<Option<u32>> = operands.iter().map(known).collect();
        let mut is_uniform = false;
        for result in results.split_whitespace() {
            is_uniform |= result.starts_with('u');
            // An example of several registers is `r4..8`.
            let (first, end) = result.split_once("..").unwrap_or((result, ""));
            let kind = first.trim_end_matches(|c: char| c.is_ascii_digit());
            let Ok(first) = first[kind.len()..].parse::<u32>() else {
                continue;
            };
            for register in first..end.parse().unwrap_or(first + 1) {
                numbers.remove(&format!("{kind}{register}"));
            }
        }
        let (operation, modifiers) = name.split_once('.').unwrap_or((name, ""));
        if let ("mov", "", [Some(number)]) = (operation, predicate, &known[..]) {
            numbers.insert(results.trim().into(), *number);
        }
        if ["ld", "st", "atom"].contains(&operation) {
            match modifiers.split('.').next() {
                // The width is the last word; the others are about order.
                Some("global") => reading.access(operation != "ld", modifiers.rsplit('.').next().unwrap_or_default()),
                Some("local") => reading.spilled.push(code.into()),
                _ => {}
            }
            continue;
        }
        if OTHERS.contains(&operation) {
            continue;
        }
        reading.alu += f64::from(!is_uniform);
        match operation {
            "ffma" | "hfma2" | "dfma" => reading.fuse(code, known.iter().take(2).copied().flatten()),
            "fset" | "fsetp" | "hset2" | "hsetp2" | "dsetp" => reading.compared.push(code.into()),
            _ => {}
        }
        let is_saturated = operation != "i2i" && modifiers.split('.').any(|modifier| modifier == "sat");
        if is_saturated || ["fmnmx", "hmnmx2", "dmnmx"].contains(&operation) {
            reading.limited.push(code.into());
        }
    }
    reading
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn a_fused_product_is_seen() {
        for line in [
            "      r0     = ffma.ftz r1 0x3e4ccccd r2                 // delay=4",
            "@!p0  r0     = ffma.sat.ftz r1 cx[ur0..2][0x10] r0       // delay=4 wt=000001",
            "      r0     = hfma2 r1 r2 r3",
        ] {
            assert_eq!(read(line).fused.len(), 1, "{line}");
        }
        // Integers aren't rounded, and a product alone isn't fused.
        for line in [
            "r0 = imad r1 cx[ur0..2][0x4] r0",
            "r0 = fmul.ftz r1 0x3e4ccccd",
            "r0 = fadd.ftz r1 r2",
        ] {
            assert_eq!(read(line).fused.len(), 0, "{line}");
        }
    }

    #[test]
    fn an_exact_product_may_be_fused() {
        let fused = |listing: &str| {
            let reading = read(listing);
            (reading.fused.len(), reading.fused_exact, reading.fused_sixths)
        };
        assert_eq!(fused("r0 = ffma.ftz r1 0xc0800000 r2"), (0, 1, 0));
        assert_eq!(fused("r0 = ffma.ftz r1 0x3e2aaaab r2"), (0, 0, 1));
        // An exact summand doesn't make the fusion exact.
        assert_eq!(fused("r0 = ffma.ftz r1 r2 0xc0800000"), (1, 0, 0));
        assert_eq!(fused("r3 = mov 0xc0800000\nr0 = ffma.ftz r1 -r3 r2"), (0, 1, 0));
    }

    /// A register that was written again, or is written on one way only, doesn't hold the literal.
    #[test]
    fn a_number_that_was_overwritten_is_forgotten() {
        for between in [
            "r3 = mov r4",
            "r2..4 = ld.global.a64.constant.b64 [r4..6]",
            "r1 r3 = swap r3 r1",
            "} -> [4]\nblock 4 L5 [2, 3] -> {",
        ] {
            let listing = format!("r3 = mov 0xc0800000\n{between}\nr0 = ffma.ftz r1 r3 r2");
            assert_eq!(read(&listing).fused.len(), 1, "{between}");
        }
        assert_eq!(read("@p0 r3 = mov 0xc0800000\nr0 = ffma.ftz r1 r3 r2").fused.len(), 1);
    }

    #[test]
    fn limited_and_compared_floats_are_seen() {
        let lines =
            "r0 = fmnmx.ftz r1 0x40c00000 pT\nr0 = fadd.sat.ftz r1 r2\nr0 = imnmx.i32 r1 r2 pT\nr0 = i2i.sat.u8.u32 r1";
        assert_eq!(read(lines).limited.len(), 2);
        assert_eq!(read("p0 = fsetp.ge.ftz r0 0xc0400000").compared.len(), 1);
        assert_eq!(read("p0 = isetp.lt.u32 r0 ur0").compared.len(), 0);
    }

    #[test]
    fn instructions_and_accesses_are_counted() {
        let reading = read(
            "block.u 0 L1 [] -> {\n\
             r0     = s2r sr[0x25]                              // delay=4 wr:0\n\
             r0     = iadd3 r0 c[0x0][0x0] rZ                   // delay=5 wt=000001\n\
             ur0    = shf.r.w.u32.hi rZ ur0 0x2                 // delay=12\n\
             @!p0   bra L0                                      // delay=1\n\
             } -> [1, 26]\n\
             r1     = ld.global.a64.constant.b32 [r4..6]        // delay=5 wr:0\n\
             r2     = ld.global.a64.strong.sys.b32 [r4..6]      // delay=5 wr:0\n\
             r2     = ld.local.b32 [r4]\n\
             r7 p0  = iadd3 r5 c[0x1][0x0] rZ                   // delay=13\n\
             st.global.a64.strong.sys.b32 [r4..6] r1            // delay=2 rd:0",
        );
        assert_eq!((reading.alu, reading.loads, reading.stores), (2.0, 2, 1));
        assert_eq!(reading.spilled, ["r2     = ld.local.b32 [r4]"]);
        let accesses: Vec<_> = reading.accesses.into_iter().collect();
        assert_eq!(accesses, ["load b32", "store b32"]);
    }
}
