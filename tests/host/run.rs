//! `cpu::run`, which takes any operation and bytes, against the function of each operation.

use hard_sigmoid::{Binarization, DType, HardSigmoid, Op, OpError, Scalar, Unary, bf16, cpu, f16};

/// Bytes of the same numbers for every call. Those of halves are any bit pattern.
fn bytes(len: u64, seed: u64) -> Vec<u8> {
    let byte = |i: u64| (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(seed << 17) >> 40;
    (0..len).map(|i| byte(i) as u8).collect()
}

fn of<T: bytemuck::Pod>(bytes: &[u8]) -> Vec<T> {
    bytemuck::pod_collect_to_vec(bytes)
}

/// What the operation's own function makes of outputs that hold `before`.
fn by_function<T: Scalar>(op: Op, inputs: &[Vec<u8>], before: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let i: Vec<Vec<T>> = inputs.iter().map(|bytes| of(bytes)).collect();
    let mut o: Vec<Vec<T>> = before.iter().map(|bytes| of(bytes)).collect();
    if let Op::Pack(how) = op {
        let mut bits: Vec<u32> = of(&before[0]);
        cpu::pack(how, &i[0], &mut bits).unwrap();
        return vec![bytemuck::cast_slice(&bits).to_vec()];
    }
    let (first, others) = o.split_at_mut(1);
    let out = &mut first[0];
    match op {
        Op::Unary(op) => cpu::unary(op, &i[0], out),
        Op::Binary(op) => cpu::binary(op, &i[0], &i[1], out),
        Op::GateBackward(d) => cpu::gate_backward(d, &i[0], &i[1], &i[2], out, &mut others[0]),
        Op::Unpack(scale) => cpu::unpack(scale.get(), &of(&inputs[0]), out),
        Op::GateBroadcast(gate) => cpu::gate_broadcast(gate, &i[0], &i[1], out),
        Op::GateBroadcastSums(gate) => cpu::gate_broadcast_sums(gate, &i[0], &i[1], &i[2], out),
        other => panic!("{other:?} has no function here"),
    }
    .unwrap();
    o.iter().map(|values| bytemuck::cast_slice(values).to_vec()).collect()
}

/// The results of a look-up, byte by byte.
fn by_table(op: Op, inputs: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let y = match (op, inputs) {
        (Op::Lookup, [x, table]) => x.iter().map(|&x| table[usize::from(x)]).collect(),
        (Op::LookupGate(shape), [a, b, table]) => {
            let [middle, inner] = [shape.middle(), shape.inner()].map(|size| size as usize);
            let place = |i: usize| i / (middle * inner) * inner + i % inner;
            let pair = |(i, &a): (usize, &u8)| 256 * usize::from(b[place(i)]) + usize::from(a);
            a.iter().enumerate().map(pair).map(|pair| table[pair]).collect()
        }
        other => panic!("{other:?} is no look-up"),
    };
    vec![y]
}

/// Tensors of the lengths at which loops change, aligned and not.
#[test]
fn every_operation_is_its_own_function() {
    let mut count = 0;
    for op in Op::all(HardSigmoid::SPARSE) {
        for &dtype in op.dtypes() {
            for (len, skipped) in [(0, 0), (6, 0), (66, 0), (66, 1), (100_002, 0), (100_002, 3)] {
                let sizes = op.sizes(dtype, len).unwrap();
                let tensors: Vec<_> = (0..).zip(&*sizes).map(|(seed, &size)| bytes(size, seed)).collect();
                let (inputs, before) = tensors.split_at(op.inputs().len());
                let expected = match dtype {
                    DType::F32 => by_function::<f32>(op, inputs, before),
                    DType::F16 => by_function::<f16>(op, inputs, before),
                    DType::Bf16 => by_function::<bf16>(op, inputs, before),
                    DType::U8 => by_table(op, inputs),
                };
                // Bytes before each tensor, and after a result.
                let moved = |bytes: &Vec<u8>| [&[7; 8][..skipped], bytes, &[7; 8]].concat();
                let inputs: Vec<_> = inputs.iter().map(moved).collect();
                let mut outputs: Vec<_> = before.iter().map(moved).collect();
                let end = |bytes: &[u8]| bytes.len() - 8;
                let i: Vec<&[u8]> = inputs.iter().map(|one| &one[skipped..end(one)]).collect();
                let mut o: Vec<&mut [u8]> = vec![];
                for one in &mut outputs {
                    let end = end(one);
                    o.push(&mut one[skipped..end]);
                }
                cpu::run(op, dtype, &i, &mut o).unwrap();
                assert!(
                    outputs == expected.iter().map(moved).collect::<Vec<_>>(),
                    "{op:?} {dtype} {len} {skipped}"
                );
                count += 1;
            }
        }
    }
    assert_eq!(count, (17 * 3 + 2) * 6);
}

#[test]
fn wrong_tensors_are_refused_and_nothing_is_written() {
    let refused = |op: Op, dtype, inputs: &[usize], outputs: &[usize]| {
        let inputs: Vec<_> = inputs.iter().map(|&len| vec![0; len]).collect();
        let mut outputs: Vec<_> = outputs.iter().map(|&len| vec![7; len]).collect();
        let i: Vec<&[u8]> = inputs.iter().map(|one| &one[..]).collect();
        let mut o: Vec<&mut [u8]> = outputs.iter_mut().map(|one| &mut one[..]).collect();
        let error = cpu::run(op, dtype, &i, &mut o).unwrap_err();
        assert!(outputs.iter().flatten().all(|&byte| byte == 7));
        error
    };
    let forward = Op::from(Unary::Forward(HardSigmoid::JAX));
    let gates = Op::GateBackward(HardSigmoid::JAX);
    for (given, inputs, outputs) in [
        ([0, 1], &[][..], &[4][..]),
        ([1, 2], &[4], &[4, 4]),
        ([1, 0], &[4], &[]),
    ] {
        let error = refused(forward, DType::F32, inputs, outputs);
        let needed = [1, 1];
        assert_eq!(
            error,
            OpError::TensorCount {
                op: "forward",
                needed,
                given
            }
        );
        assert!(
            error
                .to_string()
                .contains("forward needs 1 and 1 tensors, its operands and results, but"),
            "{error}"
        );
    }
    let error = refused(gates, DType::F16, &[4, 4, 4], &[4, 3]);
    assert_eq!(
        error.to_string(),
        "db is 3 bytes, which is not a whole number of elements of 2 bytes each; give the size of the elements alone"
    );
    let error = refused(forward, DType::F32, &[8], &[4]);
    assert_eq!(
        error.to_string(),
        "x holds 2 elements but y holds 1; they must have the same length"
    );
    let error = refused(Op::Pack(Binarization::Deterministic), DType::F32, &[8], &[3]);
    assert!(error.to_string().contains("bits has 3"), "{error}");
    let large = Op::from(Unary::binarize(Binarization::Deterministic, 1e5).unwrap());
    let error = refused(large, DType::F16, &[4], &[4]);
    assert!(matches!(error, OpError::ScaleTooLarge { .. }), "{error}");
    let gate = hard_sigmoid::BroadcastGate::new(HardSigmoid::JAX, 3, 2).unwrap();
    let error = refused(Op::GateBroadcastSums(gate), DType::F32, &[28, 8, 28], &[8]);
    assert!(matches!(error, OpError::PartialRow { .. }), "{error}");
}
