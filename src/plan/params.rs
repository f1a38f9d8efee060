//! The kernels' uniform block: what a launch tells them.

use crate::math::{binarize::Binarization, broadcast::Broadcast, finite::Finite, op::Op, philox::words};
use bytemuck::{Pod, Zeroable};

/// The uniform block of the kernels, `Params` in WGSL, for an operation and a part of a tensor. `shaders/params.wgsl`
/// explains each field.
///
/// `bytemuck::bytes_of` gives its bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub struct Params {
    len: u32,
    row_invocations: u32,
    scale: f32,
    zero: u32,
    seed: [u32; 2],
    offset: [u32; 2],
    middle: u32,
    inner: u32,
    first: u32,
    b_first: u32,
}

/// Names and byte offsets of the fields, for the test that reflects the shader.
#[cfg(test)]
pub(crate) const FIELDS: [(&str, usize); 10] = {
    macro_rules! offsets {
        ($($field:ident)*) => { [$((stringify!($field), std::mem::offset_of!(Params, $field))),*] };
    }
    offsets!(len row_invocations scale zero seed offset middle inner first b_first)
};

impl Params {
    /// The parameters of an operation. The length is 0: [`of_part`](Self::of_part) sets it.
    pub(crate) fn new(op: Op) -> Self {
        let (seed, offset) = match op.binarization() {
            Some(Binarization::Stochastic { seed, offset, .. }) => (seed, offset),
            Some(Binarization::Deterministic) | None => (0, 0),
        };
        Self {
            len: 0,
            row_invocations: 0,
            scale: op.scale().map_or(1.0, Finite::get),
            zero: 0,
            seed: words(seed),
            offset: words(offset),
            middle: op.broadcast().map_or(1, Broadcast::middle),
            inner: op.broadcast().map_or(1, Broadcast::inner),
            first: 0,
            b_first: 0,
        }
    }

    /// These parameters for the part of a tensor that starts at element `start`.
    pub(crate) fn of_part(self, start: u64, len: u32, row_invocations: u32) -> Self {
        let [low, high] = self.offset.map(u64::from);
        let offset = words((high << 32 | low).wrapping_add(start));
        Self {
            len,
            row_invocations,
            offset,
            ..self
        }
    }

    /// Whether the random word of the first element is the first of a block.
    pub(crate) fn begins_block(self) -> bool {
        self.offset[0].is_multiple_of(4)
    }

    /// These parameters for a part of a broadcast gate that begins at these positions.
    pub(crate) fn broadcast_from(self, first: u32, b_first: u32) -> Self {
        Self { first, b_first, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::op::Unary;

    #[test]
    fn the_shader_has_the_same_layout() {
        let module = naga::front::wgsl::parse_str(crate::plan::text::PARAMS).unwrap();
        let (_, params) = module
            .types
            .iter()
            .find(|(_, ty)| ty.name.as_deref() == Some("Params"))
            .unwrap();
        let naga::TypeInner::Struct { members, span } = &params.inner else {
            panic!("Params isn't a struct")
        };
        let fields: Vec<_> = members
            .iter()
            .map(|m| (m.name.as_deref().unwrap(), m.offset as usize))
            .collect();
        assert_eq!(fields, FIELDS);
        assert_eq!(*span as usize, size_of::<Params>());
        // GL drivers round a block up to 16 bytes, and expect all of them to be bound.
        assert_eq!(span % 16, 0);
        for (member, kind) in members.iter().zip("uufuvvuuuu".chars()) {
            use naga::{Scalar, TypeInner, VectorSize};
            let expected = match kind {
                'f' => TypeInner::Scalar(Scalar::F32),
                'u' => TypeInner::Scalar(Scalar::U32),
                _ => TypeInner::Vector {
                    size: VectorSize::Bi,
                    scalar: Scalar::U32,
                },
            };
            assert_eq!(module.types[member.ty].inner, expected, "{:?}", member.name);
        }
    }

    #[test]
    fn parts_continue_the_random_numbers() {
        let draws = Unary::binarize(Binarization::stochastic(1 << 40 | 7, u64::MAX - 1), 0.5).unwrap();
        let params = Params::new(draws.into());
        assert_eq!((params.seed, params.scale), ([7, 1 << 8], 0.5));
        assert_eq!(params.of_part(1, 9, 8).offset, [u32::MAX; 2]);
        assert_eq!(params.of_part(5 << 32, 9, 8).offset, [u32::MAX - 1, 4]);
    }
}
