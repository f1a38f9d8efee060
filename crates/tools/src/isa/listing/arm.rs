//! Arm's listings, by PanVK: of Valhall, and of Bifrost.

use super::{Reading, literal};
use std::collections::BTreeMap;

/// -0. A sum with it changes nothing, so such a fusion is a plain product: Mali has no other.
const MINUS_ZERO: u32 = 0x8000_0000;

/// What isn't arithmetic: control flow, and the address of a buffer. Loads and stores are told apart before.
const OTHERS: [&str; 6] = ["BARRIER", "BRANCHZ", "BRANCH", "JUMP", "LEA_BUFFER", "NOP"];

/// Reads lines of Valhall like `FMA.f32.wait1 r12, 0x44000000.neg.h1, r18, ^r12`, and of Bifrost like
/// `*FMA.f32 r1:t0, 0xc0800000 /* -4.000000 */, t0, r1`. Bifrost pairs two instructions as a tuple (`*` and `+`); each counts.
pub fn read(listing: &str) -> Reading {
    let mut reading = Reading::default();
    // Registers that hold a literal of the listing.
    let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
    for line in listing.lines() {
        let code = without_comments(line);
        let code = code.trim();
        // The header of a clause may say that NaN or infinity becomes 0.
        if code.starts_with("ds(") && (code.contains("nan_suppress") || code.contains("inf_suppress")) {
            reading.limited.push(code.into());
        }
        let (name, operands) = code.split_once(' ').unwrap_or((code, ""));
        let name = name.trim_start_matches(['*', '+']);
        if !name.starts_with(|c: char| c.is_ascii_uppercase()) {
            continue;
        }
        let (operation, modifiers) = name.split_once('.').unwrap_or((name, ""));
        let operands: Vec<&str> = operands.split(',').map(str::trim).collect();
        let known: Vec<_> = operands.iter().map(|operand| value(operand, &numbers)).collect();
        let has = |modifier: &str| modifiers.split('.').any(|one| one == modifier);
        let is_store = operation == "STORE";
        for result in operands
            .iter()
            .enumerate()
            .filter(|(i, operand)| *i == 0 || operand.starts_with('@'))
        {
            // `@r4:r5` are several registers. Bifrost names only the first, and a kind like `i128` tells how many there are.
            let kind = modifiers
                .split('.')
                .find_map(|kind| kind.strip_prefix('i')?.parse().ok());
            let count = if result.1.starts_with('@') {
                kind.unwrap_or(128u32).div_ceil(32)
            } else {
                1
            };
            let named = result
                .1
                .trim_start_matches('@')
                .split(':')
                .filter_map(|name| name.split('.').next()?.strip_prefix('r')?.parse::<u32>().ok());
            for (i, register) in named.filter(|_| !is_store).enumerate() {
                for written in register..register + if i == 0 { count } else { 1 } {
                    numbers.remove(&format!("r{written}"));
                }
            }
        }
        let moved = match (operation, &known[..]) {
            ("MOV", [_, number]) => *number,
            ("IADD_IMM", [_, Some(0), number]) => *number,
            _ => None,
        };
        if let Some(number) = moved {
            numbers.insert(operands[0].split(':').next().unwrap_or_default().into(), number);
        }
        if ["LOAD", "STORE", "LD_BUFFER"].contains(&operation) {
            let bits = modifiers.split('.').next().unwrap_or_default();
            // A uniform's place is known; 96 bits are a buffer's address and size.
            let is_uniform =
                has("ubo") || operation == "LD_BUFFER" && known.get(1).copied().flatten().is_some() || bits == "i96";
            if has("tl") || code.contains("thread_local_pointer") {
                reading.spilled.push(code.into());
            } else if !is_uniform && !has("wls") {
                reading.access(is_store, bits);
            }
            continue;
        }
        let is_float = ["f32", "v2f16", "f16"].iter().any(|kind| has(kind));
        if is_float && (operation.starts_with("FCMP") || ["CSEL", "BRANCH", "BRANCHZ"].contains(&operation)) {
            reading.compared.push(code.into());
        }
        if OTHERS.contains(&operation) {
            continue;
        }
        reading.alu += 1.0;
        // The factors follow the result, and the summand them.
        if operation.starts_with("FMA") && known.get(3).copied().flatten() != Some(MINUS_ZERO) {
            reading.fuse(code, known.iter().skip(1).take(2).copied().flatten());
        }
        let is_clamped = modifiers.split('.').any(|one| one.starts_with("clamp_"));
        if is_clamped || ["FMIN", "FMAX"].contains(&operation) {
            reading.limited.push(code.into());
        }
    }
    reading
}

fn without_comments(line: &str) -> String {
    let parts = line.split("/*");
    parts
        .enumerate()
        .map(|(i, part)| {
            if i == 0 {
                part
            } else {
                part.split_once("*/").map_or("", |(_, rest)| rest)
            }
        })
        .collect()
}

/// The bits of an f32 from an operand like `0x44000000.neg.h1`, `#0x3E2AAAAB`, `#0.neg`, `^r3` or `r4.h0`.
fn value(operand: &str, numbers: &BTreeMap<String, u32>) -> Option<u32> {
    let operand = operand.trim_start_matches(['^', '#']);
    let mut parts = operand.split('.');
    let base = parts.next().unwrap_or_default().trim();
    let bits = match base {
        "0" => 0,
        _ => literal(base).or_else(|| numbers.get(base).copied())?,
    };
    let (mut bits, mut is_negated) = (bits, false);
    for modifier in parts {
        match modifier.trim() {
            "x" | "y" => {}
            "neg" => is_negated = true,
            "h0" => bits = widened(bits & 0xffff)?,
            "h1" => bits = widened(bits >> 16)?,
            _ => return None,
        }
    }
    Some(if is_negated { bits ^ MINUS_ZERO } else { bits })
}

/// The bits of an f32 from those of a normal f16.
fn widened(half: u32) -> Option<u32> {
    let exponent = half >> 10 & 31;
    (1..31)
        .contains(&exponent)
        .then_some((half & 0x8000) << 16 | (exponent + 112) << 23 | (half & 0x3ff) << 13)
}

#[cfg(test)]
mod tests {
    use super::read;

    fn fused(listing: &str) -> (usize, usize, usize) {
        let reading = read(listing);
        (reading.fused.len(), reading.fused_exact, reading.fused_sixths)
    }

    #[test]
    fn a_fused_product_is_seen() {
        for line in [
            "   FMA.f32.wait1 r2, r0, ^r1, ^r3",
            "   FMA.f32.clamp_0_1 r0, ^r0, r1, 0x38000000.h1",
            "   FMA.v2f16 r0, r1, r2, r3",
            "    *FMA.f32 r5:t0, 0x3e4ccccd /* 0.200000 */, t1, 0x3f000000 /* 0.500000 */",
            // A sum with +0 makes +0 of -0.
            "   FMA.f32 r0, ^r0, r1, 0x0",
        ] {
            assert_eq!(fused(line), (1, 0, 0), "{line}");
        }
    }

    /// A sum with -0 changes nothing.
    #[test]
    fn a_plain_product_is_not_fused() {
        for line in [
            "   FMA.f32 r18, r12, r17, 0x0.neg",
            "    *FMA.f32 r5:t0, t1, r4, #0.neg",
            "   IMUL.i32 r1, ^r2, ^r1",
            "   FADD_IMM.f32 r12, r3, #0x40400000",
        ] {
            assert_eq!(fused(line), (0, 0, 0), "{line}");
        }
    }

    #[test]
    fn an_exact_product_may_be_fused() {
        assert_eq!(fused("   FMA.f32 r12, 0x44000000.neg.h1, r18, ^r12"), (0, 1, 0));
        assert_eq!(fused("   FMA.f32 r12, 0x40000000.neg, r18, ^r12"), (0, 1, 0));
        assert_eq!(fused("    *FMA.f32 t0, 0xc0800000 /* -4.000000 */, t0, r1"), (0, 1, 0));
        // The other half is 0, which isn't exact.
        assert_eq!(fused("   FMA.f32 r12, 0x44000000.h0, r18, ^r12"), (1, 0, 0));
        // An exact summand doesn't make the fusion exact.
        assert_eq!(fused("   FMA.f32 r12, r18, ^r12, 0x40000000"), (1, 0, 0));
        assert_eq!(
            fused("   IADD_IMM.i32 r17, 0x0, #0x3E2AAAAB\n   FMA.f32 r12, ^r12, r17, ^r18"),
            (0, 0, 1)
        );
        assert_eq!(
            fused("    +MOV.i32 r17:t1, 0x3e2aaaab /* 0.166667 */\n    *FMA.f32 t0, r1, r17, r18"),
            (0, 0, 1)
        );
    }

    /// A register that was written again doesn't hold the literal any more.
    #[test]
    fn a_number_that_was_overwritten_is_forgotten() {
        for between in [
            "   IADD_IMM.i32 r17, r1, #0x3E2AAAAB",
            "   LD_BUFFER.i128.unsigned.slot0 @r16:r17:r18:r19, ^r1, ^r3",
            "    +LOAD.i96 t1, r2, t1, @r15",
            "    *NOP t0\n    +IADD.s32 r17:t1, t, t0",
        ] {
            let listing = format!("   MOV.i32 r17, 0x40000000\n{between}\n   FMA.f32 r12, r1, r17, r18");
            assert_eq!(fused(&listing), (1, 0, 0), "{between}");
        }
        // A load of one register keeps those after it.
        let listing =
            "   MOV.i32 r17, 0x40000000\n   LD_BUFFER.i32.unsigned.slot1 @r16, ^r1, r3\n   FMA.f32 r12, r1, r17, r18";
        assert_eq!(fused(listing), (0, 1, 0));
    }

    #[test]
    fn limited_and_compared_floats_are_seen() {
        let lines = "   FMIN.f32 r0, r1, r2\n    *FADD.f32.clamp_0_inf t0, r1, #0.neg\n   CSEL.s32.lt r0, r1, r2, r1, r2\n\
                     ds(0) nbb nan_suppress ncph\nds(0) nbb ncph";
        assert_eq!(read(lines).limited.len(), 3);
        let lines = "   FCMP_OR.f32.lt.m1 r1, r0, ^r1, 0x0\n   CSEL.f32.gt r0, r1, r2, r1, r2\n    +BRANCH.f32.lt t1, r0, r1, clause_4";
        assert_eq!(read(lines).compared.len(), 3);
        assert_eq!(
            read("   ICMP_OR.u32.lt.m1 r1, r0, ^r1, 0x0\n    +BRANCHZ.i16.eq t1, r1.h0, #0.x")
                .compared
                .len(),
            0
        );
    }

    #[test]
    fn instructions_and_accesses_are_counted() {
        let reading = read(
            "   IADD_IMM.i32 r3, 0x0, #0x1000002\n   LD_BUFFER.i32.unsigned.slot1.wait1 @r1, 0x0, ^r3\n   LEA_BUFFER.slot1 @r2:r3, ^r1, ^r2\n\
             LD_BUFFER.i128.unsigned.slot2.wait1 @r4:r5:r6:r7, ^r0, 0x1000000\n   STORE.i128.slot0 @r4:r5:r6:r7, ^r0, offset:0\n\
             STORE.i128.force.slot1 @r4:r5:r6:r7, thread_local_pointer.w0, offset:0\n   NOP.end \n",
        );
        assert_eq!((reading.alu, reading.loads, reading.stores), (1.0, 1, 1));
        assert_eq!(reading.spilled.len(), 1);
        assert_eq!(
            reading.accesses.into_iter().collect::<Vec<_>>(),
            ["load i128", "store i128"]
        );
        let reading = read(
            "clause_0:\nds(0) nbb attr ncph next_attr dwb(0) \n{\n    *NOP t0\n    +LOAD.i32.ubo t1, 0x00000004 /* 0.000000 */, #0.x, @r2\n\
             *U16_TO_U32 t0, r55\n    +IADD.s32 t1, r57, u0.w0\n    *NOP t0\n    +LOAD.i96 t1, u2.w0, u2.w1, @r7\n}\n\
             *NOP t0\n    +LOAD.i32 t1, r11, r12, @r10\n    *NOP t0\n    +STORE.i32 t1, r11, r12, @r10\n    +LOAD.i32.tl t1, r1, r2, @r3",
        );
        assert_eq!((reading.alu, reading.loads, reading.stores), (2.0, 1, 1));
        assert_eq!(reading.spilled.len(), 1);
        assert_eq!(
            reading.accesses.into_iter().collect::<Vec<_>>(),
            ["load i32", "store i32"]
        );
    }
}
