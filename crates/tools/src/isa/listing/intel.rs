//! Intel's listings, by ANV.

use super::Reading;
use std::collections::BTreeMap;

/// Literals that Intel's registers hold, by register and element, and whether a whole vector holds the same one.
#[derive(Default)]
struct Registers(BTreeMap<(u32, u32), (u32, bool)>);

impl Registers {
    /// Register and element of an operand like `g30.2<0,1,0>F`, `-g7<8,8,1>F` or `g59UD`.
    fn place(operand: &str) -> Option<(u32, u32)> {
        let name = operand
            .trim_matches(['-', '|', '(', ')'])
            .strip_prefix("(abs)")
            .unwrap_or(operand.trim_start_matches('-'));
        let digits = name
            .strip_prefix('g')?
            .split(|c: char| c != '.' && !c.is_ascii_digit())
            .next()?;
        let (register, element) = digits.split_once('.').unwrap_or((digits, "0"));
        Some((register.parse().ok()?, element.parse().ok()?))
    }

    fn get(&self, operand: &str) -> Option<u32> {
        self.0.get(&Self::place(operand)?).map(|&(number, _)| number)
    }

    /// Forgets the literals of `count` registers from `operand` on.
    fn clear(&mut self, operand: &str, count: u32) {
        if let Some((first, _)) = Self::place(operand) {
            self.0
                .retain(|&(register, _), _| register < first || register >= first + count.max(1));
        }
    }

    /// Records that an instruction on `width` lanes has written `result`: a literal, or any other value (`None`).
    fn write(&mut self, result: &str, width: u32, number: Option<u32>) {
        let Some(place) = Self::place(result) else {
            return;
        };
        let is_vector = width >= 8;
        if is_vector {
            // `g53.1<2>UW` is every second of the two-byte elements. A register has 32 bytes.
            let (stride, kind) = result
                .split_once('<')
                .and_then(|(_, rest)| rest.split_once('>'))
                .unwrap_or(("1", "F"));
            let size = match kind {
                "B" | "UB" => 1,
                "W" | "UW" | "HF" => 2,
                "Q" | "UQ" | "DF" => 8,
                _ => 4,
            };
            // Nothing is written beyond the last element.
            let last = place.1 + (width - 1) * stride.parse().unwrap_or(1);
            self.clear(result, ((last + 1) * size).div_ceil(32));
        } else {
            self.0
                .retain(|&other, &mut (_, of_vector)| other != place && (other.0 != place.0 || !of_vector));
        }
        if let Some(number) = number {
            self.0.insert(place, (number, is_vector));
        }
    }
}

/// The bits of an f32 from `0x3e2aaaabF`, `4F` or `1082130432D`.
fn intel_literal(operand: &str) -> Option<u32> {
    let text = ["UD", "D", "F"]
        .iter()
        .find_map(|suffix| operand.strip_suffix(suffix))?;
    match text.trim_start_matches('-').strip_prefix("0x") {
        Some(bits) => u32::from_str_radix(bits, 16).ok(),
        None if operand.ends_with('F') => text.parse().ok().map(f32::to_bits),
        None => text.parse().ok().map(|bits: i64| bits as u32),
    }
}

/// Reads lines like `(+f0.0) mad(16) g103<1>F g93<8,8,1>F g3.0<0,1,0>F g95<1,1,1>F { align1 }`.
pub fn read(listing: &str, subgroup: f64) -> Reading {
    let mut reading = Reading::default();
    let mut registers = Registers::default();
    // The register that receives a message, whose description follows in the next line.
    let mut received = "";
    for line in listing.lines().map(str::trim) {
        if let Some((port, message)) = line.split_once("MsgDesc: ") {
            let words: Vec<_> = message
                .split([' ', ',', ')'])
                .filter(|word| !word.is_empty() && *word != "=")
                .collect();
            let length = words.windows(2).find(|pair| ["dst_len", "rlen"].contains(&pair[0]));
            registers.clear(received, length.and_then(|pair| pair[1].parse().ok()).unwrap_or(8));
            // `const` and `transpose` load uniforms. Surface and width don't describe the kind of access.
            if message.starts_with('(') && !port.starts_with("const") && !message.contains("transpose") {
                let parts = message.trim_start_matches('(').split([',', ')']).map(str::trim);
                let named = parts.filter(|part| {
                    let says = ["untyped", "DC untyped", "load", "store", "Mask", "xyzw", "d32"];
                    says.iter().any(|word| part.starts_with(word))
                });
                reading.accesses.insert(named.collect::<Vec<_>>().join(", "));
            }
            continue;
        }
        let (is_predicated, code) = match line.strip_prefix('(').and_then(|rest| rest.split_once(") ")) {
            Some((_, rest)) => (true, rest),
            None => (false, line),
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
        let operands: Vec<&str> = operands.split_whitespace().collect();
        let Some(result) = operands.first() else {
            continue;
        };
        let mut parts = name.split('.');
        let operation = parts.next().unwrap_or_default();
        let modifiers: Vec<_> = parts.collect();
        if operation.starts_with("send") {
            received = result;
            continue;
        }
        const OTHERS: [&str; 9] = ["sync", "if", "else", "endif", "while", "jmpi", "nop", "halt", "wait"];
        if OTHERS.contains(&operation) {
            continue;
        }
        let known: Vec<_> = operands
            .iter()
            .map(|operand| intel_literal(operand).or(registers.get(operand)))
            .collect();
        let moved = known
            .get(1)
            .copied()
            .flatten()
            .filter(|_| operation == "mov" && !is_predicated);
        registers.write(result, width, moved);
        if width < 8 {
            continue;
        }
        reading.alu += f64::from(width) / subgroup;
        let is_float = |operand: &str| operand.ends_with(">F") || operand.ends_with(">HF");
        if !operands.iter().any(|operand| is_float(operand)) {
            continue;
        }
        match operation {
            // The summand comes first.
            "mad" | "madm" => reading.fuse(code, known.iter().skip(2).take(2).copied().flatten()),
            "mac" | "lrp" | "line" | "pln" | "dp4" | "dp4a" => reading.fuse(code, std::iter::empty()),
            _ => {}
        }
        const CONDITIONS: [&str; 6] = ["l", "le", "g", "ge", "z", "nz"];
        let has_condition = modifiers.iter().any(|modifier| CONDITIONS.contains(modifier));
        if operation == "sel" && has_condition || modifiers.contains(&"sat") {
            reading.limited.push(code.into());
        } else if ["cmp", "cmpn", "csel"].contains(&operation) || has_condition {
            reading.compared.push(code.into());
        }
    }
    reading
}

#[cfg(test)]
mod tests {
    use crate::isa::listing::Reading;

    fn read(listing: &str) -> Reading {
        super::read(listing, 16.0)
    }

    #[test]
    fn a_fused_product_is_seen() {
        for listing in [
            "mad(16) g103<1>F g93<8,8,1>F g3.0<0,1,0>F g95<1,1,1>F { align1 1H };",
            "(+f0.0) mad(8) g9<1>F g8<8,8,1>F g3<0,1,0>F g9<1,1,1>F { align1 };",
            "lrp(16) g9<1>F g8<8,8,1>F g7<8,8,1>F g6<1,1,1>F { };",
        ] {
            assert_eq!(read(listing).fused.len(), 1, "{listing}");
        }
        // Integers aren't rounded.
        let integers = "mad(16) g103<1>D g93<8,8,1>D g3.0<0,1,0>D g95<1,1,1>W { align1 };";
        assert_eq!(read(integers).fused.len(), 0);
    }

    #[test]
    fn an_exact_product_may_be_fused() {
        let four = "mov(8) g7<1>F 0x40800000F /* 4F */ { align1 };\n";
        let of = |factor: &str| {
            let mad = format!("{four}mad(16) g9<1>F g8<8,8,1>F {factor} g6<1,1,1>F {{ align1 }};");
            read(&mad).fused.len()
        };
        assert_eq!([of("g7<0,1,0>F"), of("-g7.0<0,1,0>F"), of("g5<0,1,0>F")], [0, 0, 1]);
        let in_bits = "mov(1) g7.2<1>D 1082130432D { };\nmad(16) g9<1>F g8<8,8,1>F g7.2<0,1,0>F g6<1,1,1>F { };";
        assert_eq!(read(in_bits).fused.len(), 0);
    }

    /// A register that was written again doesn't hold the literal any more.
    #[test]
    fn a_number_that_was_overwritten_is_forgotten() {
        let mad = "mad(16) g9<1>F g8<8,8,1>F g7<8,8,1>F g6<1,1,1>F { };";
        for between in [
            "send(16) g7UD g31UD nullUD { };\nugm MsgDesc: ( load, d32 dst_len = 1, src0_len = 2 ) BTI 2",
            "add(1) g7<1>D g2<0,1,0>D g3<0,1,0>D { };",
            "add(1) g7.1<1>D g2<0,1,0>D g3<0,1,0>D { };",
            "mul(16) g6<1>F g2<8,8,1>F g4<8,8,1>F { };",
        ] {
            let listing = format!("mov(8) g7<1>F 0x40800000F {{ }};\n{between}\n{mad}");
            assert_eq!(read(&listing).fused.len(), 1, "{between}");
        }
        // Two bytes of each word of two registers, and the register after them is kept.
        let before = "mov(8) g7<1>F 0x40800000F { };\nadd(16) g5.1<2>UW g5.1<16,8,2>UW g2<16,8,2>UW { };";
        assert_eq!(read(&format!("{before}\n{mad}")).fused.len(), 0);
        let predicated = format!("(+f0.0) mov(16) g7<1>F 0x40800000F {{ }};\n{mad}");
        assert_eq!(read(&predicated).fused.len(), 1);
    }

    #[test]
    fn limited_and_compared_floats_are_seen() {
        let limited = read(
            "sel.ge(16) g7<1>F g8<8,8,1>F 0F { };\nadd.sat(16) g7<1>F g8<8,8,1>F g9<8,8,1>F { };\nsel.ge(16) g7<1>D g8<8,8,1>D 0D { };",
        );
        assert_eq!(limited.limited.len(), 2);
        let compared = |listing| read(listing).compared.len();
        assert_eq!(
            compared("cmp.l.f0.0(16) null<1>F g55<8,8,1>F g57<8,8,1>F { align1 };"),
            1
        );
        assert_eq!(compared("add.l.f0.0(16) g7<1>F g8<8,8,1>F g9<8,8,1>F { };"), 1);
        assert_eq!(
            compared("cmp.l.f0.0(16) null<1>UD g55<8,8,1>UD g57<8,8,1>UD { align1 };"),
            0
        );
    }

    #[test]
    fn instructions_and_accesses_are_counted() {
        let reading = read(
            "add(1) g1<1>D g2<0,1,0>D g3<0,1,0>D { };\nadd(16) g1<1>D g2<0,1,0>D g3<0,1,0>D { };\nsend(16) g59UD g31UD nullUD { };\n\
             ugm MsgDesc: ( load_cmask, a32, d32, xyzw, L1STATE_L3MOCS dst_len = 8, src0_len = 2 bti ) BTI 2\n\
             or(8) g1<1>D g2<0,1,0>D g3<0,1,0>D { };",
        );
        assert_eq!(reading.alu, 1.5);
        let accesses: Vec<_> = reading.accesses.into_iter().collect();
        assert_eq!(accesses, ["load_cmask, d32, xyzw"]);
        let reading = read(
            "dp data 1 MsgDesc: (untyped surface read, Surface = 2, SIMD16, Mask = 0x0) mlen 2 rlen 8 { align1 1H };\n\
             const MsgDesc: (bti 4, msg_ctrl 3, msg_type 0, write_commit 0) mlen 1 rlen 2 { align1 WE_all 1H };",
        );
        let accesses: Vec<_> = reading.accesses.into_iter().collect();
        assert_eq!(accesses, ["untyped surface read, Mask = 0x0"]);
    }
}
