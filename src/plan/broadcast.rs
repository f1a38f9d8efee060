//! How the tensors of a broadcast gate are cut and bound. A part may need numbers of `b` and `db` that begin where no
//! buffer can be bound. Then the binding begins before them, and the parameters say how far before.

use crate::{
    math::{broadcast::Broadcast, dtype::DType, lengths::MAX_TENSORS, op::Op},
    plan::{
        grid::{Grid, VECTOR, WORD, WORKGROUP},
        kernel::{Kernel, Stage},
        limits::{Limits, MAX_BINDING, UnsupportedDevice},
        params::Params,
        part::{Binding, Dispatch, Part},
    },
};

/// The index of `b` among the tensors of a gate, and of its sums.
const B: usize = 1;

/// The index of `db` among the tensors of the sums.
const DB: usize = 3;

/// The number of sums of a workgroup; `SUMS` in the shader.
const SUMS: u64 = 16;

/// The most vectors in a row of the grid of a body that takes whole rows, so that the shader's `quotient` is exact.
const MAX_GRID_ROW: u64 = 1 << 20;

/// The most elements of a part, so that positions in it fit 32 bits, also when counted from the start of a row.
const MAX_ELEMENTS: u64 = 1 << 31;

/// A broadcast gate, or its sums, on tensors of one length, and what a device allows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    kernel: Kernel,
    shape: Broadcast,
    dtype: DType,
    /// The number of elements of `a`.
    len: u64,
    limits: Limits,
}

/// A range of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    start: u64,
    len: u64,
}

/// Whole rows, whose sums one dispatch computes.
#[derive(Clone, Copy, Debug)]
struct Rows {
    cut: Cut,
    start: u64,
    count: u64,
}

impl Cut {
    /// Returns `None` if the operation isn't a broadcast gate.
    pub(super) fn of(kernel: Kernel, len: u64, limits: &Limits) -> Option<Self> {
        kernel.op().broadcast().map(|shape| Self {
            kernel,
            shape,
            dtype: kernel.dtype(),
            len,
            limits: Limits {
                max_storage_buffer_binding_size: limits.max_storage_buffer_binding_size.min(MAX_BINDING),
                ..*limits
            },
        })
    }

    fn row(self) -> u64 {
        self.shape.row().into()
    }

    fn inner(self) -> u64 {
        self.shape.inner().into()
    }

    pub(super) fn has_sums(self) -> bool {
        matches!(self.kernel.op(), Op::GateBroadcastSums(_))
    }

    /// The offset of a binding is a multiple of this, so it begins fewer bytes than this before its part.
    fn alignment(self) -> u64 {
        u64::from(self.limits.min_storage_buffer_offset_alignment).max(WORD)
    }

    /// Whether one binding holds a whole tensor. It begins with the tensor then, since a tensor begins where a buffer
    /// can be bound.
    fn is_one_part(self) -> bool {
        let size = (self.len * self.dtype.size()).next_multiple_of(WORD);
        self.len <= MAX_ELEMENTS && size <= self.limits.max_storage_buffer_binding_size
    }

    /// The most workgroups of a dispatch in each dimension. A device may allow more, which aren't needed, and this
    /// number fits 32 bits.
    fn workgroups(self) -> u64 {
        u64::from(self.limits.max_compute_workgroups_per_dimension).min(65535)
    }

    /// The most sums of a dispatch. The first workgroup may compute one less, if it begins within a word.
    fn sums_in_grid(self) -> u64 {
        (self.workgroups().pow(2) * SUMS).saturating_sub(1)
    }

    /// Refuses a device whose bindings or grids are too small. A part of the sums has at least one row of `a`. A part
    /// of a gate may need all `inner` numbers of a row of `b`.
    pub(super) fn check_limits(self) -> Result<(), UnsupportedDevice> {
        let whole = match self.kernel.op() {
            _ if self.is_one_part() || self.len == 0 => 0,
            Op::GateBroadcastSums(_) => self.row(),
            // If `middle` is 1, a part needs as many numbers of `b` as of `a`.
            _ if self.shape.middle() == 1 => 0,
            _ => self.inner(),
        };
        if whole > 0 {
            UnsupportedDevice::check(
                "max_storage_buffer_binding_size",
                whole * self.dtype.size() + self.alignment(),
                self.limits.max_storage_buffer_binding_size,
            )?;
        }
        if self.has_sums() && self.len > 0 && self.sums_in_grid() < self.inner() {
            let groups = (self.inner() + 1).div_ceil(SUMS);
            let root = groups.isqrt();
            UnsupportedDevice::check(
                "max_compute_workgroups_per_dimension",
                root + u64::from(root * root < groups),
                self.limits.max_compute_workgroups_per_dimension.into(),
            )?;
        }
        Ok(())
    }

    /// The limits for parts of elements, so that a part's `b` fits a binding too.
    pub(super) fn element_limits(self) -> Limits {
        let mut limits = self.limits;
        if !self.is_one_part() {
            let size = &mut limits.max_storage_buffer_binding_size;
            *size = (*size - self.alignment()).min(MAX_ELEMENTS * self.dtype.size());
        }
        limits
    }

    /// The numbers of `b` that elements of `a` use, perhaps with unused ones between them.
    fn gates(self, part: Span) -> Span {
        let (row, inner, middle) = (self.row(), self.inner(), u64::from(self.shape.middle()));
        let last = part.start + part.len - 1;
        let [first_row, last_row] = [part.start, last].map(|element| element / row);
        let [first_step, last_step] = [part.start, last].map(|element| element / inner);
        let [first_column, last_column] = [part.start, last].map(|element| element % inner);
        let same_step = first_step == last_step;
        // A part that begins in the last step of its row uses no earlier column of that row. A part that ends in the
        // first step of its row uses no later column.
        let from = if same_step || (first_row < last_row && (first_step + 1) % middle == 0) {
            first_column
        } else {
            0
        };
        let to = if same_step || (first_row < last_row && last_step % middle == 0) {
            last_column
        } else {
            inner - 1
        };
        let start = first_row * inner + from;
        Span {
            start,
            len: last_row * inner + to + 1 - start,
        }
    }

    /// The binding that holds a span of a tensor, and how many elements before the span the binding begins.
    fn binding(self, tensor: usize, part: Span) -> (Binding, u32) {
        let size = self.dtype.size();
        let (start, end) = (part.start * size, (part.start + part.len) * size);
        let offset = start / self.alignment() * self.alignment();
        let binding = Binding {
            tensor,
            offset,
            size: (end - offset).next_multiple_of(WORD),
        };
        (binding, ((start - offset) / size) as u32)
    }

    /// Binds the numbers of `b` that a part of `a` needs, instead of those with the indices of the part, and completes
    /// its parameters.
    pub(super) fn bind_elements(
        self,
        start: u64,
        len: u32,
        bindings: &mut [Binding; MAX_TENSORS],
        params: Params,
    ) -> Params {
        let part = Span { start, len: len.into() };
        let gates = self.gates(part);
        let (of_b, skipped) = self.binding(B, gates);
        bindings[B] = of_b;
        // b_first is where the row of the first number of b begins in the binding. If that is before the binding,
        // b_first wraps, and so do the additions in the shader.
        let b_first = skipped.wrapping_sub((gates.start % self.inner()) as u32);
        params.broadcast_from((start % self.row()) as u32, b_first)
    }

    /// The body that takes a part by rows of whole vectors, and its grid. `None` if the rows or the steps aren't whole vectors, or if
    /// the grid doesn't suit them.
    pub(super) fn by_rows(self, start: u64, len: u32) -> Option<(Stage, Grid)> {
        let width = VECTOR / self.dtype.size();
        let limit = self.workgroups();
        let row = self.row() / width;
        let most = (limit * u64::from(WORKGROUP)).min(MAX_GRID_ROW) / row.max(1);
        let (stage, rows) = match self.inner() {
            1 => (Stage::BodyShared, most),
            // At least half of the invocations have work.
            inner if inner.is_multiple_of(width) && row >= u64::from(WORKGROUP) / 2 => {
                (Stage::BodyAligned, most.min(1))
            }
            _ => return None,
        };
        if !self.row().is_multiple_of(width) || rows == 0 {
            return None;
        }
        let vectors = start % self.row() / width + u64::from(len) / width;
        let row = rows.min(vectors.div_ceil(row)) * row;
        let [x, y] = [row.div_ceil(WORKGROUP.into()), vectors.div_ceil(row)];
        let [x, y, row] = [x, y, row].map(|count| count as u32);
        (u64::from(y) <= limit).then_some((stage, Grid { x, y, row }))
    }

    /// The parts of the sums.
    pub(super) fn sums(self) -> impl Iterator<Item = Part> + use<> {
        let outer = self.len / self.row();
        let in_grid = self.sums_in_grid() / self.inner();
        let in_binding = if self.is_one_part() {
            outer
        } else {
            let size = self.limits.max_storage_buffer_binding_size - self.alignment();
            (size / self.dtype.size()).min(MAX_ELEMENTS) / self.row()
        };
        // At least one row: `check_limits` refuses devices that allow less.
        let most = in_grid.min(in_binding).max(1);
        (0..outer.div_ceil(most)).map(move |part| {
            let rows = Rows {
                cut: self,
                start: part * most,
                count: most.min(outer - part * most),
            };
            rows.part()
        })
    }
}

impl Rows {
    fn part(self) -> Part {
        let Self { cut, start, count } = self;
        let of_rows = |row: u64| Span {
            start: start * row,
            len: count * row,
        };
        let (elements, sums) = (of_rows(cut.row()), of_rows(cut.inner()));
        let tensors = cut.kernel.tensors();
        let mut bindings = [Binding::NONE; MAX_TENSORS];
        let (mut first, mut b_first) = (0, 0);
        for (binding, tensor) in bindings.iter_mut().zip(tensors.clone()) {
            let (part, skipped) = match tensor.index {
                B | DB => (sums, &mut b_first),
                _ => (elements, &mut first),
            };
            (*binding, *skipped) = cut.binding(tensor.index, part);
        }
        let in_word = match cut.dtype {
            DType::F16 | DType::Bf16 => u64::from(b_first % 2),
            DType::F32 | DType::U8 => 0,
        };
        let groups = (sums.len + in_word).div_ceil(SUMS);
        let rows = groups.div_ceil(cut.workgroups());
        let columns = groups.div_ceil(rows);
        let dispatch = Dispatch {
            stage: Stage::Body,
            workgroups: [columns as u32, rows as u32, 1],
        };
        Part {
            params: Params::new(cut.kernel.op())
                .of_part(0, sums.len as u32, columns as u32 * WORKGROUP)
                .broadcast_from(first, b_first),
            dispatches: [Some(dispatch), None],
            bindings,
            tensors: tensors.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        math::{broadcast::BroadcastGate, definition::HardSigmoid},
        plan::{Device, Placement, Plan, PlanError, params::FIELDS},
    };
    use proptest::prelude::*;

    fn field(params: Params, name: &str) -> u32 {
        let offset = FIELDS.iter().find(|field| field.0 == name).unwrap().1;
        let bytes = &bytemuck::bytes_of(&params)[offset..][..4];
        u32::from_ne_bytes(bytes.try_into().unwrap())
    }

    fn kernel(op: Op, dtype: DType) -> Kernel {
        Kernel::new(op, dtype, Placement::Separate).unwrap()
    }

    /// Does what body_aligned and body_shared do for an element, and returns its row and its column. `position` counts from the
    /// beginning of the row of `a` in which the part begins.
    fn in_grid_row(
        gate: BroadcastGate,
        dtype: DType,
        stage: Stage,
        position: u32,
        [x, y, _]: [u32; 3],
        row_invocations: u32,
    ) -> (u32, u32) {
        let width = (VECTOR / dtype.size()) as u32;
        let quotient = |n: u32, d: u32| {
            // WGSL's division is off by 2.5 ulp at most.
            let quotient = (n as f32 + 0.5) / d as f32;
            let [low, high] =
                [1.0 - 2.5 * f32::EPSILON, 1.0 + 2.5 * f32::EPSILON].map(|error| (quotient * error) as u32);
            assert!(n < 1 << 20 && low == n / d && high == n / d, "{n} / {d}");
            n / d
        };
        let [id_x, id_y] = [position / width % row_invocations, position / width / row_invocations];
        assert!(id_x < x * WORKGROUP && id_y < y);
        assert!((x - 1) * WORKGROUP < row_invocations && (gate.row() / width) * width == gate.row());
        match stage {
            Stage::BodyShared => {
                let row = gate.middle() / width;
                (id_y * quotient(row_invocations, row) + quotient(id_x, row), 0)
            }
            _ => {
                let step = gate.inner() / width;
                assert_eq!((step * width, row_invocations * width), (gate.inner(), gate.row()));
                let column = id_x - quotient(id_x, step) * step;
                (id_y, column * width + position % width)
            }
        }
    }

    /// Does what the shader does with every part, and asserts that each element finds its number of `b`, and each sum
    /// its elements.
    fn check(gate: BroadcastGate, dtype: DType, outer: u64, limits: &Limits) -> Result<usize, PlanError> {
        let (row, inner, size) = (u64::from(gate.row()), u64::from(gate.inner()), dtype.size());
        let len = outer * row;
        let mut parts = 0;
        let device = Device::new(*limits)?;
        let ops = match dtype {
            DType::U8 => vec![Op::LookupGate(gate.shape())],
            _ => vec![Op::GateBroadcast(gate), Op::GateBroadcastSums(gate)],
        };
        for op in ops {
            let is_forward = !matches!(op, Op::GateBroadcastSums(_));
            let plan = Plan::new(kernel(op, dtype), len, &device)?;
            let (mut elements, mut sums) = (0, 0);
            for part in plan.parts() {
                parts += 1;
                let alignment = u64::from(limits.min_storage_buffer_offset_alignment);
                for &Binding {
                    tensor,
                    offset,
                    size: bytes,
                } in part.bindings()
                {
                    if op.tensor_name(tensor) == "table" {
                        assert_eq!((offset, bytes), (0, 1 << 16));
                        continue;
                    }
                    let is_short = ["b", "db"].contains(&op.tensor_name(tensor));
                    let all = if is_short { outer * inner } else { len };
                    assert!(bytes > 0 && bytes <= limits.max_storage_buffer_binding_size, "{part:?}");
                    assert!(offset.is_multiple_of(alignment) && offset + bytes <= (all * size).next_multiple_of(WORD));
                }
                let dispatch = part.dispatches().next().unwrap();
                let [x, y, _] = dispatch.workgroups;
                let most = limits.max_compute_workgroups_per_dimension;
                assert!(x <= most && y <= most);
                let [first, b_first, part_len, row_invocations] =
                    ["first", "b_first", "len", "row_invocations"].map(|name| field(part.params, name));
                let of_b = part.bindings[B];
                let b_words = of_b.size / size;
                if !is_forward {
                    let [of_a, _, of_g, of_db] = part.bindings().try_into().unwrap();
                    let of_a: Binding = of_a;
                    assert_eq!((of_a.offset, of_a.size), (of_g.offset, of_g.size));
                    assert_eq!((of_db.offset, of_db.size), (of_b.offset, of_b.size));
                    assert_eq!(row_invocations, x * WORKGROUP);
                    let even = if dtype == DType::F32 { 0 } else { u64::from(b_first % 2) };
                    assert!(u64::from(x) * u64::from(y) * SUMS >= u64::from(part_len) + even);
                    for number in [0, part_len / 2, part_len - 1] {
                        assert_eq!(
                            of_b.offset / size + u64::from(b_first + number),
                            sums + u64::from(number)
                        );
                        let begin = first + number / gate.inner() * gate.row() + number % gate.inner();
                        let last = begin + (gate.middle() - 1) * gate.inner();
                        assert!((u64::from(last) + 1) * size <= of_a.size);
                        let expected = (sums + u64::from(number)) / inner * row + (sums + u64::from(number)) % inner;
                        assert_eq!(of_a.offset / size + u64::from(begin), expected);
                    }
                    sums += u64::from(part_len);
                } else {
                    assert_eq!(part.bindings[0].offset, elements * size);
                    for e in [
                        0,
                        1,
                        part_len / 3,
                        part_len / 2,
                        part_len.saturating_sub(2),
                        part_len - 1,
                    ] {
                        let e = e.min(part_len - 1);
                        let place = first + e;
                        let (outer, in_row) = (place / gate.row(), place % gate.row());
                        let (outer, column) = match dispatch.stage {
                            Stage::Body | Stage::Tail => (outer, in_row % gate.inner()),
                            by_rows => in_grid_row(gate, dtype, by_rows, place, dispatch.workgroups, row_invocations),
                        };
                        let at = b_first.wrapping_add(outer * gate.inner()).wrapping_add(column);
                        assert!(u64::from(at) < b_words, "{part:?} {e}");
                        let element = elements + u64::from(e);
                        let expected = element / row * inner + element % inner;
                        assert_eq!(of_b.offset / size + u64::from(at), expected, "{part:?} {e}");
                    }
                    elements += u64::from(part_len);
                }
            }
            assert_eq!((elements, sums), if is_forward { (len, 0) } else { (0, outer * inner) });
        }
        Ok(parts)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn parts_bind_what_they_need(
            outer in 0u64..90,
            middle in prop_oneof![Just(1u32), 1u32..8, 1u32..600, (1u32..80).prop_map(|n| n * 8)],
            inner in prop_oneof![Just(1u32), 1u32..8, 1u32..600, (1u32..80).prop_map(|n| n * 8)],
            dtype in prop::sample::select(DType::ALL),
            binding in 512u64..20_000,
            shift in 2u32..=8,
            workgroups in 2u32..=65535,
        ) {
            let table = if dtype == DType::U8 { 1 << 16 } else { 0 };
            let binding = binding + table;
            let limits = Limits {
                max_storage_buffer_binding_size: binding.max(32 << shift),
                min_storage_buffer_offset_alignment: 1 << shift,
                max_compute_workgroups_per_dimension: workgroups,
                ..Default::default()
            };
            let gate = BroadcastGate::new(HardSigmoid::KERAS, middle, inner).unwrap();
            match check(gate, dtype, outer, &limits) {
                Ok(parts) => prop_assert!(parts > 0 || outer == 0),
                // This happens only if a row, or its sums, isn't small compared with the limits.
                Err(PlanError::UnsupportedDevice(error)) => prop_assert!(match error.limit {
                    "max_storage_buffer_binding_size" => u64::from(gate.row()) * dtype.size() + 256 > binding,
                    _ => u64::from(inner) >= 16 * u64::from(workgroups).pow(2) - 1,
                }, "{}", error),
                Err(other) => panic!("{other}"),
            }
        }
    }

    #[test]
    fn the_shader_has_the_same_workgroups() {
        let gate = BroadcastGate::new(HardSigmoid::KERAS, 2, 3).unwrap();
        let sums = kernel(Op::GateBroadcastSums(gate), DType::F16);
        let module = naga::front::wgsl::parse_str(&sums.text()).unwrap();
        let number = module
            .constants
            .iter()
            .find(|(_, constant)| constant.name.as_deref() == Some("SUMS"));
        let number = &module.global_expressions[number.unwrap().1.init];
        assert!(matches!(number, naga::Expression::Literal(naga::Literal::U32(sums)) if u64::from(*sums) == SUMS));
        let in_workgroup = |variable: &naga::GlobalVariable| variable.space == naga::AddressSpace::WorkGroup;
        let memory = module
            .global_variables
            .iter()
            .filter(|(_, variable)| in_workgroup(variable));
        let sizes: Vec<_> = memory
            .map(|(_, variable)| module.types[variable.ty].inner.size(module.to_ctx()))
            .collect();
        assert_eq!(sizes, [sums.workgroup_memory()]);
    }

    /// Rows and steps of whole vectors have a body of their own.
    #[test]
    fn rows_of_whole_vectors_have_their_own_body() {
        let stages = |outer, middle, inner, dtype| {
            let gate = BroadcastGate::new(HardSigmoid::KERAS, middle, inner).unwrap();
            let kernel = kernel(Op::GateBroadcast(gate), dtype);
            let plan = Plan::new(kernel, u64::from(outer * middle * inner), &Device::default()).unwrap();
            let dispatches = plan.parts().next().unwrap().dispatches();
            dispatches.map(|one| (one.stage, one.workgroups)).collect::<Vec<_>>()
        };
        let (f32, f16) = (DType::F32, DType::F16);
        assert_eq!(stages(960, 196, 1, f32), [(Stage::BodyShared, [184, 1, 1])]);
        assert_eq!(stages(30_720, 784, 1, f32), [(Stage::BodyShared, [4096, 6, 1])]);
        assert_eq!(stages(32, 196, 672, f32), [(Stage::BodyAligned, [129, 32, 1])]);
        assert_eq!(stages(32, 196, 672, f16), [(Stage::BodyAligned, [65, 32, 1])]);
        // 196 isn't a multiple of 8, and 49 of nothing; a row is short, or too long.
        assert_eq!(stages(960, 196, 1, f16), [(Stage::Body, [92, 1, 1])]);
        assert_eq!(stages(961, 49, 1, f32)[0].0, Stage::Body);
        assert_eq!(stages(100, 1, 480, f32)[0].0, Stage::Body);
        assert_eq!(stages(1, 1 << 14, 512, f32)[0].0, Stage::Body);
    }

    /// Tensors beyond 32 bits of elements and of bytes, with the limits that devices have.
    #[test]
    fn large_tensors_are_cut() {
        for (outer, middle, inner) in [
            (1 << 20, 3136, 1),
            (1 << 10, 3136, 256),
            (1 << 33, 1, 1),
            (3, (1 << 24) - 1, 2),
            (5, 1, (1 << 24) - 1),
            (1, (1 << 25) - 64, 1),
        ] {
            let gate = BroadcastGate::new(HardSigmoid::KERAS, middle, inner).unwrap();
            for binding in [(1 << 27) + (1 << 10), 1 << 30, u64::from(u32::MAX), 1 << 40] {
                let limits = Limits {
                    max_storage_buffer_binding_size: binding,
                    ..Default::default()
                };
                for &dtype in DType::ALL {
                    let size = outer * u64::from(gate.row()) * dtype.size();
                    assert!(check(gate, dtype, outer, &limits).unwrap() >= if size > binding { 2 } else { 1 });
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_cut_is_refused() {
        let plan = |op, len| Plan::new(kernel(op, DType::F32), len, &Device::default()).map(|_| ());
        let gate = |middle, inner| BroadcastGate::new(HardSigmoid::KERAS, middle, inner).unwrap();
        let long = gate((1 << 25) - 63, 1);
        // One row fits as it is, two don't: the second may begin within an alignment.
        assert_eq!(plan(Op::GateBroadcastSums(long), long.row().into()), Ok(()));
        let error = plan(Op::GateBroadcastSums(long), 2 * u64::from(long.row()));
        let needed = UnsupportedDevice {
            limit: "max_storage_buffer_binding_size",
            needed: (1 << 27) + 4,
            has: 1 << 27,
        };
        assert_eq!(error, Err(needed.into()));
        // WebGPU's default is 2^27.
        assert!(
            needed.to_string().ends_with("ask for more when you make the device"),
            "{needed}"
        );
        // No device binds a row of 2^30 f32.
        let limits = Limits {
            max_storage_buffer_binding_size: 1 << 40,
            ..Limits::default()
        };
        let sums = kernel(Op::GateBroadcastSums(gate(1 << 30, 1)), DType::F32);
        let error = Plan::new(sums, 1 << 30, &Device::new(limits).unwrap()).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("whatever the device allows; give shorter rows"),
            "{error}"
        );
        assert_eq!(plan(Op::GateBroadcast(long), 2 * u64::from(long.row())), Ok(()));
        assert!(plan(Op::GateBroadcast(gate(2, 1 << 25)), 1 << 26).is_err());
        assert!(plan(Op::GateBroadcast(long), 100).is_err());
    }
}
