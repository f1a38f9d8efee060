//! AMD's listings, by RADV.

use super::{Reading, literal};
use std::collections::BTreeMap;

/// Reads lines like `v_fma_f32 v2, s4, v2, 0.5 ; d6130002`, or two instructions with `::` between them.
pub fn read(listing: &str) -> Reading {
    let mut reading = Reading::default();
    // Registers that hold a literal of the listing.
    let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
    let lines = listing.lines().map(|line| line.split(';').next().unwrap_or_default());
    for code in lines.flat_map(|line| line.split(" :: ")).map(str::trim) {
        let Some((name, operands)) = code.split_once([' ', '\t']) else {
            continue;
        };
        let operands: Vec<&str> = operands.split(',').map(str::trim).collect();
        // An example of several registers is `v[4:7]`.
        let (kind, rest) = operands[0].split_at(operands[0].find(|c| c != 'v' && c != 's').unwrap_or_default());
        let range = rest.trim_matches(['[', ']']);
        let (first, last) = range.split_once(':').unwrap_or((range, range));
        if let (Ok(first), Ok(last)) = (first.parse::<u32>(), last.parse::<u32>()) {
            for register in first..=last {
                numbers.remove(&format!("{kind}{register}"));
            }
        }
        if let (true, Some(number)) = (
            name.contains("_mov_b32"),
            operands.get(1).and_then(|text| literal(text)),
        ) {
            numbers.insert(operands[0].into(), number);
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
        let is_float = ["f32", "f16", "f64", "legacy", "mix"]
            .iter()
            .any(|kind| operation.contains(kind));
        if !is_float {
            continue;
        }
        let operation = ["dual_", "pk_"]
            .iter()
            .fold(operation, |name, prefix| name.strip_prefix(prefix).unwrap_or(name));
        let is = |names: &[&str]| names.iter().any(|name| operation.starts_with(name));
        if is(&["fma", "mad", "mac", "dot"]) {
            // GCN's v_mad rounds twice, but counts too. The factors follow the result.
            let factors = operands
                .iter()
                .skip(1)
                .take(2)
                .map(|text| text.trim_matches(['-', '|']));
            reading.fuse(
                code,
                factors.filter_map(|text| literal(text).or(numbers.get(text).copied())),
            );
        }
        if is(&["cmp"]) {
            reading.compared.push(code.into());
        }
        if is(&["min", "max", "med3"]) || code.ends_with(" clamp") {
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
        for listing in [
            "\tv_fma_f32 v2, s4, v2, 0.5 ; d6130002",
            "v_fmac_f32_e32 v2, v3, v4",
            "v_pk_fma_f16 v2, v3, v4, v5",
            "v_dot2c_f32_f16 v1, v2, v3",
        ] {
            assert_eq!(read(listing).fused.len(), 1, "{listing}");
        }
        // Integers aren't rounded.
        assert_eq!(read("v_mad_u32_u24 v2, v3, v4, v5").fused.len(), 0);
    }

    #[test]
    fn an_exact_product_may_be_fused() {
        assert_eq!(read("v_fma_f32 v2, -4.0, v1, v2").fused.len(), 0);
        assert_eq!(read("v_fmamk_f32 v2, v1, 0xc0800000, v2").fused.len(), 0);
        // An exact summand doesn't make the fusion exact.
        assert_eq!(read("v_fma_f32 v2, v3, v1, -4.0").fused.len(), 1);
        let sixth = read("s_mov_b32 s3, 0x3e2aaaab\nv_fma_f32 v2, s3, v1, v2");
        assert_eq!((sixth.fused.len(), sixth.fused_sixths), (0, 1));
    }

    /// A register that was written again doesn't hold the literal any more.
    #[test]
    fn a_number_that_was_overwritten_is_forgotten() {
        for between in ["s_mov_b32 s3, s4", "s_load_b64 s[2:3], s[0:1], 0"] {
            let listing = format!("s_mov_b32 s3, 0xc0800000\n{between}\nv_fma_f32 v2, s3, v1, v2");
            assert_eq!(read(&listing).fused.len(), 1, "{between}");
        }
        let listing = "v_mov_b32_e32 v5, -4.0\nbuffer_load_b128 v[4:7], v0, s[4:7], 0 offen\nv_fma_f32 v2, v5, v1, v2";
        assert_eq!(read(listing).fused.len(), 1);
    }

    #[test]
    fn two_instructions_of_a_line_are_seen() {
        let reading = read("v_dual_mul_f32 v1, v2, v3 :: v_dual_fmac_f32 v4, v5, v6");
        assert_eq!((reading.alu, reading.fused.len()), (2.0, 1));
    }

    #[test]
    fn limited_and_compared_floats_are_seen() {
        let limited =
            read("v_max_f32 v1, v2, v3\nv_med3_f32 v1, v2, v3, v4\nv_add_f32 v1, v2, v3 clamp\nv_max_i32 v1, v2, v3");
        assert_eq!(limited.limited.len(), 3);
        assert_eq!(read("v_cmp_gt_f32_e32 vcc, v1, v2").compared.len(), 1);
        assert_eq!(read("v_cmp_gt_u32_e32 vcc, v1, v2").compared.len(), 0);
    }

    #[test]
    fn instructions_and_accesses_are_counted() {
        let reading = read(
            "s_add_u32 s0, s0, s1\nv_add_f32 v0, v1, v2\nbuffer_load_b128 v[4:7], v0, s[4:7], 0 offen\nv_or_b32 v0, v1, v2",
        );
        assert_eq!(reading.alu, 2.0);
        assert_eq!(reading.accesses.into_iter().collect::<Vec<_>>(), ["buffer_load_b128"]);
    }
}
