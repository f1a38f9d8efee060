//! What a listing of machine code says: how much arithmetic it does, and whether the precautions of the shader are still there.

use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vendor {
    Amd,
    Intel,
}

#[derive(Debug, Default, PartialEq)]
pub struct Reading {
    /// Arithmetic instructions of an invocation, outside loops.
    pub alu: f64,
    /// Lines that round a product and a sum once.
    pub fused: Vec<String>,
    /// Lines that compare floats, which may assume that there is no NaN.
    pub compared: Vec<String>,
    /// Kinds of access to storage buffers.
    pub accesses: BTreeSet<String>,
}

/// 1/6 in f32: the last step of a division by 6 may be fused or not.
const SIXTH: u32 = 0x3e2a_aaab;

/// A product by this number is exact, or it is the one that may be fused.
fn may_be_fused(bits: u32) -> bool {
    let number = f32::from_bits(bits);
    number.is_normal() && (bits << 9 == 0 || bits & 0x7fff_ffff == SIXTH)
}

/// A number of a listing, as the bits of an f32: `0x40800000` or `-4.0`.
fn literal(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(bits) => u32::from_str_radix(bits, 16).ok(),
        None if text.contains('.') => text.parse().ok().map(f32::to_bits),
        None => None,
    }
}

/// `subgroup` is how many invocations run side by side.
pub fn read(vendor: Vendor, listing: &str, subgroup: u32) -> Reading {
    match vendor {
        Vendor::Amd => amd(listing),
        Vendor::Intel => intel(listing, f64::from(subgroup)),
    }
}

fn amd(listing: &str) -> Reading {
    let mut reading = Reading::default();
    // Registers that hold a number of the text.
    let mut numbers: BTreeMap<&str, u32> = BTreeMap::new();
    for line in listing.lines() {
        let code = line.split(';').next().unwrap_or_default().trim();
        let Some((name, operands)) = code.split_once([' ', '\t']) else {
            continue;
        };
        let operands: Vec<&str> = operands.split(',').map(str::trim).collect();
        if name.starts_with("s_mov_b32") || name.starts_with("v_mov_b32") {
            match operands.get(1).and_then(|text| literal(text)) {
                Some(number) => numbers.insert(operands[0], number),
                None => numbers.remove(operands[0]),
            };
        } else {
            numbers.remove(operands[0]);
        }
        if ["buffer_", "global_", "flat_"]
            .iter()
            .any(|kind| name.starts_with(kind))
        {
            reading.accesses.insert(name.into());
        }
        let Some(operation) = name.strip_prefix("v_") else {
            continue;
        };
        reading.alu += 1.0;
        let is_float = ["f32", "f16", "legacy", "mix"]
            .iter()
            .any(|kind| operation.contains(kind));
        let operation = operation
            .strip_prefix("dual_")
            .or(operation.strip_prefix("pk_"))
            .unwrap_or(operation);
        if is_float && ["fma", "mad", "mac"].iter().any(|kind| operation.starts_with(kind)) {
            // (GCN's v_mad rounds twice, but counts too.) The factors follow the result.
            let factors = operands
                .iter()
                .skip(1)
                .take(2)
                .map(|text| text.trim_matches(['-', '|']));
            let known = |text: &str| literal(text).or(numbers.get(text).copied());
            if !factors.filter_map(known).any(may_be_fused) {
                reading.fused.push(code.into());
            }
        }
        if operation.starts_with("cmp") && ["_f32", "_f16", "_f64"].iter().any(|kind| operation.contains(kind)) {
            reading.compared.push(code.into());
        }
    }
    reading
}

/// As in `mad(16) g103<1>F g93<8,8,1>F g3.0<0,1,0>F g95<1,1,1>F { align1 }`.
fn intel(listing: &str, subgroup: f64) -> Reading {
    let mut reading = Reading::default();
    let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
    for line in listing.lines() {
        let line = line.trim();
        if let Some((port, message)) = line.split_once("MsgDesc: (") {
            // Uniforms are loaded by `const` or `transpose`; surface and width say nothing about an access.
            if !port.starts_with("const") && !message.contains("transpose") {
                let parts = message.split([',', ')']).map(str::trim);
                let named = parts.filter(|part| {
                    let says = ["untyped", "DC untyped", "load", "store", "Mask", "xyzw", "d32"];
                    says.iter().any(|word| part.starts_with(word))
                });
                reading.accesses.insert(named.collect::<Vec<_>>().join(", "));
            }
            continue;
        }
        // A predicate may stand in front.
        let code = match line.strip_prefix('(').and_then(|rest| rest.split_once(") ")) {
            Some((_, rest)) => rest,
            None => line,
        };
        let code = code.split('{').next().unwrap_or_default().trim();
        let Some((name, rest)) = code.split_once('(') else {
            continue;
        };
        let Some((width, operands)) = rest.split_once(')') else {
            continue;
        };
        let Ok(width) = width.parse::<u32>() else {
            continue;
        };
        let operation = name.split('.').next().unwrap_or_default();
        const OTHERS: [&str; 12] = [
            "send", "sends", "sendc", "sync", "if", "else", "endif", "while", "jmpi", "nop", "halt", "wait",
        ];
        if OTHERS.contains(&operation) || width < 8 && operation != "mov" {
            continue;
        }
        let operands: Vec<&str> = operands.split_whitespace().collect();
        let Some(result) = operands.first() else {
            continue;
        };
        let register = |operand: &str| {
            let operand = operand.trim_matches(['-', '|', '(', ')', 'a', 'b', 's']);
            let name = operand.split('<').next().unwrap_or_default();
            name.strip_suffix(".0").unwrap_or(name).to_string()
        };
        // `0x3e2aaaabF`, `4F` and `1082130432D` are numbers.
        let number = |operand: &str| {
            let suffixes = ["UD", "D", "F"];
            let text = suffixes.iter().find_map(|suffix| operand.strip_suffix(suffix))?;
            match text.trim_start_matches('-').strip_prefix("0x") {
                Some(bits) => u32::from_str_radix(bits, 16).ok(),
                None if operand.ends_with('F') => text.parse().ok().map(f32::to_bits),
                None => text.parse().ok().map(|bits: i64| bits as u32),
            }
        };
        let is_float = |operand: &str| operand.ends_with(">F") || operand.ends_with(">HF");
        if operation == "mov" {
            match operands.get(1).and_then(|operand| number(operand)) {
                Some(number) => numbers.insert(register(result), number),
                None => numbers.remove(&register(result)),
            };
        } else {
            numbers.remove(&register(result));
        }
        if width < 8 {
            continue;
        }
        reading.alu += f64::from(width) / subgroup;
        // The addend comes first.
        if ["mad", "madm", "mac"].contains(&operation) && is_float(result) {
            let factors = operands.iter().skip(2).take(2);
            let known = |operand: &&str| number(operand).or(numbers.get(&register(operand)).copied());
            if !factors.filter_map(known).any(may_be_fused) {
                reading.fused.push(code.into());
            }
        }
        if ["cmp", "csel", "cmpn"].contains(&operation) && operands[1..].iter().any(|operand| is_float(operand)) {
            reading.compared.push(code.into());
        }
    }
    reading
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amd(listing: &str) -> Reading {
        read(Vendor::Amd, listing, 64)
    }

    fn intel(listing: &str) -> Reading {
        read(Vendor::Intel, listing, 16)
    }

    #[test]
    fn a_fused_product_is_seen() {
        assert_eq!(amd("\tv_fma_f32 v2, s4, v2, 0.5 ; d6130002").fused.len(), 1);
        assert_eq!(amd("v_fmac_f32_e32 v2, v3, v4").fused.len(), 1);
        assert_eq!(amd("v_pk_fma_f16 v2, v3, v4, v5").fused.len(), 1);
        assert_eq!(
            intel("mad(16) g103<1>F g93<8,8,1>F g3.0<0,1,0>F g95<1,1,1>F { align1 1H };")
                .fused
                .len(),
            1
        );
        assert_eq!(
            intel("(+f0.0) mad(8) g9<1>F g8<8,8,1>F g3<0,1,0>F g9<1,1,1>F { align1 };")
                .fused
                .len(),
            1
        );
        // On integers there is no rounding.
        assert_eq!(amd("v_mad_u32_u24 v2, v3, v4, v5").fused.len(), 0);
        assert_eq!(
            intel("mad(16) g103<1>D g93<8,8,1>D g3.0<0,1,0>D g95<1,1,1>W { align1 };")
                .fused
                .len(),
            0
        );
    }

    #[test]
    fn an_exact_product_may_be_fused() {
        assert_eq!(amd("v_fma_f32 v2, -4.0, v1, v2").fused.len(), 0);
        assert_eq!(amd("v_fmamk_f32 v2, v1, 0xc0800000, v2").fused.len(), 0);
        assert_eq!(amd("s_mov_b32 s3, 0x3e2aaaab\nv_fma_f32 v2, s3, v1, v2").fused.len(), 0);
        let in_bits = "mov(1) g7<1>D 1082130432D { };\nmad(16) g9<1>F g8<8,8,1>F g7.0<0,1,0>F g6<1,1,1>F { };";
        assert_eq!(intel(in_bits).fused.len(), 0);
        // Another number has come into the register, or it is the summand.
        assert_eq!(
            amd("s_mov_b32 s3, 0x3e2aaaab\ns_mov_b32 s3, s4\nv_fma_f32 v2, s3, v1, v2")
                .fused
                .len(),
            1
        );
        assert_eq!(amd("v_fma_f32 v2, v3, v1, -4.0").fused.len(), 1);
        let four = "mov(8) g7<1>F 0x40800000F /* 4F */ { align1 };\n";
        let of = |factor: &str| {
            intel(&format!(
                "{four}mad(16) g9<1>F g8<8,8,1>F {factor} g6<1,1,1>F {{ align1 }};"
            ))
            .fused
            .len()
        };
        assert_eq!([of("g7<0,1,0>F"), of("-g7.0<0,1,0>F"), of("g5<0,1,0>F")], [0, 0, 1]);
    }

    #[test]
    fn compared_floats_are_seen() {
        assert_eq!(amd("v_cmp_gt_f32_e32 vcc, v1, v2").compared.len(), 1);
        assert_eq!(amd("v_cmp_gt_u32_e32 vcc, v1, v2").compared.len(), 0);
        assert_eq!(
            intel("cmp.l.f0.0(16) null<1>F g55<8,8,1>F g57<8,8,1>F { align1 };")
                .compared
                .len(),
            1
        );
        assert_eq!(
            intel("cmp.l.f0.0(16) null<1>UD g55<8,8,1>UD g57<8,8,1>UD { align1 };")
                .compared
                .len(),
            0
        );
    }

    #[test]
    fn instructions_and_accesses_are_counted() {
        let reading = amd(
            "s_add_u32 s0, s0, s1\nv_add_f32 v0, v1, v2\nbuffer_load_b128 v[4:7], v0, s[4:7], 0 offen\nv_or_b32 v0, v1, v2",
        );
        assert_eq!(reading.alu, 2.0);
        assert_eq!(reading.accesses.into_iter().collect::<Vec<_>>(), ["buffer_load_b128"]);
        let reading = intel(
            "add(1) g1<1>D g2<0,1,0>D g3<0,1,0>D { };\nadd(16) g1<1>D g2<0,1,0>D g3<0,1,0>D { };\nsend(16) g59UD g31UD nullUD { };\n\
             ugm MsgDesc: ( load_cmask, a32, d32, xyzw, L1STATE_L3MOCS dst_len = 8, src0_len = 2 bti ) BTI 2\n\
             or(8) g1<1>D g2<0,1,0>D g3<0,1,0>D { };",
        );
        assert_eq!(reading.alu, 1.5);
        let accesses: Vec<_> = reading.accesses.into_iter().collect();
        assert_eq!(accesses, ["load_cmask, d32, xyzw"]);
        let reading = intel(
            "dp data 1 MsgDesc: (untyped surface read, Surface = 2, SIMD16, Mask = 0x0) mlen 2 rlen 8 { align1 1H };\n\
             const MsgDesc: (bti 4, msg_ctrl 3, msg_type 0, write_commit 0) mlen 1 rlen 2 { align1 WE_all 1H };",
        );
        let accesses: Vec<_> = reading.accesses.into_iter().collect();
        assert_eq!(accesses, ["untyped surface read, Mask = 0x0"]);
    }
}
