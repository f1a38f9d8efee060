//! Reads models of TensorFlow Lite. The numbers of tables' fields and of operators are those of its schema.fbs.

mod flat;

use crate::{
    Reader,
    activation::{self, Activation, How, Model, Way},
    chain::{Comparison, OnPaper, Scale, Step},
    eight_bits::EightBits,
    flow::{Flow, Operand, Operation},
    function::Function,
    onnx::first_element,
};
use flat::{File, Table, Vector, damaged};
use hard_sigmoid::{Byte, HardSigmoid, KinkRule, Quantization, f16};
use std::{
    collections::{HashMap, HashSet},
    io::{self, ErrorKind},
};

/// Reads a model of this length.
pub fn read(source: Reader, length: u64) -> Result<Model, String> {
    Inspector::of(File::new(source, length)).map_err(|error| match error.kind() {
        ErrorKind::InvalidData | ErrorKind::UnexpectedEof => "a damaged TensorFlow Lite model".into(),
        _ => error.to_string(),
    })
}

/// TensorType.
const FLOAT32: i8 = 0;
const FLOAT16: i8 = 1;
const UINT8: i8 = 3;
const BOOL: i8 = 6;
const INT16: i8 = 7;
const INT8: i8 = 9;

/// The operators that are looked at, of BuiltinOperator.
mod op {
    pub const ADD: i32 = 0;
    pub const CONV_2D: i32 = 3;
    pub const DEPTHWISE_CONV_2D: i32 = 4;
    pub const DEQUANTIZE: i32 = 6;
    pub const FULLY_CONNECTED: i32 = 9;
    pub const MUL: i32 = 18;
    pub const RELU: i32 = 19;
    pub const RELU_N1_TO_1: i32 = 20;
    pub const RELU6: i32 = 21;
    pub const SUB: i32 = 41;
    pub const DIV: i32 = 42;
    pub const MAXIMUM: i32 = 55;
    pub const MINIMUM: i32 = 57;
    pub const LESS: i32 = 58;
    pub const NEG: i32 = 59;
    pub const GREATER: i32 = 61;
    pub const GREATER_EQUAL: i32 = 62;
    pub const LESS_EQUAL: i32 = 63;
    pub const SELECT: i32 = 64;
    pub const TRANSPOSE_CONV: i32 = 67;
    pub const LOGICAL_NOT: i32 = 87;
    pub const HARD_SWISH: i32 = 117;
    pub const SELECT_V2: i32 = 123;
    pub const CONV_3D: i32 = 132;
    pub const RELU_0_TO_1: i32 = 152;
}

/// How TFLite computes HARD_SWISH in float32.
const XNNPACK: &str = "TFLite with XNNPACK (the default), where it fuses";
const OWN: &str = "TFLite without delegates";
const REFERENCE: &str = "TFLite's reference kernels";

/// The converter adds constants to the bias of a layer before them.
const IN_BIAS: &str = "the 3 is in the bias of the layer before, where it is rounded with the layer's own numbers, so the bits may be others";

struct Tensor {
    table: Table,
    element: i8,
    name: String,
}

struct Operator {
    table: Table,
    code: i32,
    inputs: Vec<i32>,
    outputs: Vec<i32>,
}

/// What is known of the tensors in a graph.
#[derive(Default)]
struct Scope {
    path: String,
    tensors: Vec<Tensor>,
    flow: Flow,
    /// Halves that the model turns into constants in float32, by the tensors that they become.
    dequantized: HashMap<i32, f32>,
    /// The results of layers with weights.
    layers: HashSet<String>,
}

/// What may be missing, and the first operator where it is.
#[derive(Default)]
struct Notes {
    quantized: bool,
    lost: Option<String>,
    in_weights: Option<String>,
}

impl Notes {
    fn text(&self) -> Option<String> {
        let quantized = self.quantized.then(|| {
            "the model is quantized, so hard sigmoids written out in its bytes aren't found (HARD_SWISH is)".to_owned()
        });
        let lost = self.lost.as_deref().map(activation::lost);
        let in_weights = self.in_weights.as_ref().map(|name| {
            format!(
                "{name} limits the result of a layer to 0 and 1, which is a hard sigmoid if the converter has put its slope into the layer's weights"
            )
        });
        let notes: Vec<_> = [quantized, lost, in_weights].into_iter().flatten().collect();
        (!notes.is_empty()).then(|| notes.join("; "))
    }
}

struct Inspector {
    file: File,
    /// The operators, by the index that the model gives them.
    codes: Vec<i32>,
    buffers: Vec<Table>,
    found: Vec<Activation>,
    notes: Notes,
}

impl Inspector {
    fn of(mut file: File) -> io::Result<Model> {
        let model = file.root(0)?;
        let codes = file.tables(model, 1)?.into_iter().map(|code| {
            // Operators from 127 on have their number in a field that old models lack.
            let old = i8::from_le_bytes(file.number(code, 0)?);
            Ok(i32::from_le_bytes(file.number(code, 3)?).max(old.into()))
        });
        let codes = codes.collect::<io::Result<_>>()?;
        let buffers = file.tables(model, 4)?;
        let version = u32::from_le_bytes(file.number(model, 0)?);
        let mut inspector = Self {
            file,
            codes,
            buffers,
            found: vec![],
            notes: Notes::default(),
        };
        let made_by = inspector.made_by(model)?;
        for (i, graph) in inspector.file.tables(model, 2)?.into_iter().enumerate() {
            let path = match i {
                0 => String::new(),
                _ => format!("{}/", inspector.file.text(graph, 4)?),
            };
            inspector.graph(graph, &path)?;
        }
        Ok(Model {
            format: format!("TensorFlow Lite, version {version}"),
            made_by,
            activations: inspector.found,
            totals: vec![],
            note: inspector.notes.text(),
        })
    }

    /// The version of TensorFlow that converted the model.
    fn made_by(&mut self, model: Table) -> io::Result<Option<String>> {
        for metadata in self.file.tables(model, 6)? {
            if self.file.text(metadata, 0)? != "CONVERSION_METADATA" {
                continue;
            }
            let buffer = u32::from_le_bytes(self.file.number(metadata, 1)?);
            let Some(data) = self.data(buffer)? else { continue };
            let conversion = self.file.root(data.at)?;
            if let Some(environment) = self.file.table(conversion, 0)? {
                let version = self.file.text(environment, 0)?;
                return Ok((!version.is_empty()).then(|| format!("TensorFlow {version}")));
            }
        }
        Ok(None)
    }

    /// The data of a buffer, if it has any.
    fn data(&mut self, buffer: u32) -> io::Result<Option<Vector>> {
        let Some(&table) = self.buffers.get(buffer as usize) else {
            return Err(damaged());
        };
        // A model of more than 2 GiB has them behind its tables.
        let (offset, size) = (self.file.number(table, 1)?, self.file.number(table, 2)?);
        let behind = Vector {
            at: u64::from_le_bytes(offset),
            length: u64::from_le_bytes(size),
        };
        let data = if behind.at > 1 {
            behind
        } else {
            self.file.vector(table, 0, 1)?
        };
        let is_within = data
            .at
            .checked_add(data.length)
            .is_some_and(|end| end <= self.file.length);
        match data.length {
            _ if !is_within => Err(damaged()),
            0 => Ok(None),
            _ => Ok(Some(data)),
        }
    }

    fn graph(&mut self, graph: Table, path: &str) -> io::Result<()> {
        let mut tensors = vec![];
        for table in self.file.tables(graph, 0)? {
            tensors.push(Tensor {
                table,
                element: i8::from_le_bytes(self.file.number(table, 1)?),
                name: self.file.text(table, 3)?,
            });
        }
        let mut operators = vec![];
        for table in self.file.tables(graph, 3)? {
            let code = u32::from_le_bytes(self.file.number(table, 0)?);
            operators.push(Operator {
                table,
                code: *self.codes.get(code as usize).ok_or_else(damaged)?,
                inputs: self.file.integers(table, 1)?,
                outputs: self.file.integers(table, 2)?,
            });
        }
        let outputs = self.file.integers(graph, 2)?;
        let uses = operators.iter().flat_map(|one| &one.inputs).chain(&outputs);
        let uses: Vec<String> = uses.map(ToString::to_string).collect();
        let mut scope = Scope {
            path: path.into(),
            tensors,
            ..Default::default()
        };
        scope.flow.enter(uses.iter().map(String::as_str));
        operators.into_iter().try_for_each(|one| self.operator(&mut scope, one))
    }

    fn operator(&mut self, scope: &mut Scope, operator: Operator) -> io::Result<()> {
        let Operator {
            table,
            code,
            inputs,
            outputs,
        } = operator;
        let (Some(&input), Some(&output)) = (inputs.first(), outputs.first()) else {
            return Ok(());
        };
        let tensor = |i: i32| usize::try_from(i).ok().and_then(|i| scope.tensors.get(i));
        let (Some(x), Some(y)) = (tensor(input), tensor(output)) else {
            return Ok(());
        };
        let name = format!("{}{}", scope.path, y.name);
        let operation = operation(code);
        match (code, y.element) {
            (op::HARD_SWISH, _) => {
                let hard_swish = self.hard_swish(name, x, y)?;
                self.found.push(hard_swish);
                return Ok(());
            }
            (op::DEQUANTIZE, _) => {
                let constant = self.constant(x)?;
                scope.dequantized.extend(constant.map(|constant| (output, constant)));
            }
            (_, UINT8 | INT8 | INT16) => {
                self.notes.quantized |= operation.is_some();
                return Ok(());
            }
            // Comparisons give truth values. Integers are indices.
            (_, FLOAT32 | FLOAT16 | BOOL) => {}
            _ => return Ok(()),
        }
        let dtype = (y.element == FLOAT16).then_some("float16");
        let fused = self.fused(table, code)?;
        let result = output.to_string();
        let before = format!("{result} before its activation");
        let to = if fused.is_some() { &before } else { &result };
        if let Some(operation) = &operation {
            let mut operands = vec![];
            for &i in &inputs {
                let known = scope.dequantized.get(&i).copied();
                let constant = match (known, tensor(i)) {
                    (None, Some(tensor)) => self.constant(tensor)?,
                    _ => known,
                };
                operands.push(constant.map_or_else(|| Operand::Tensor(i.to_string()), Operand::Constant));
            }
            self.apply(&mut scope.flow, &name, operation, &operands, to, dtype);
        } else if is_layer(code) {
            scope.layers.insert(to.clone());
        }
        if let Some((low, high)) = fused {
            // The converter adds constants to the bias of a layer before them. With the limits 0 and 6 that is 3.
            let limit = Step::Limit(low, high);
            let is_in_bias = scope.layers.contains(&before) && (low, high) == (0.0, 6.0);
            let steps = if is_in_bias {
                vec![Step::Add(3.0), limit]
            } else {
                vec![limit]
            };
            let steps = Operation::Steps(steps);
            self.apply(
                &mut scope.flow,
                &name,
                &steps,
                &[Operand::Tensor(before)],
                &result,
                dtype,
            );
        }
        let Some((_, steps)) = scope
            .flow
            .steps(&result)
            .filter(|(first, _)| scope.layers.contains(*first))
        else {
            return Ok(());
        };
        let completed = self.found.last_mut().filter(|one| one.name == name);
        match (&steps[..], completed) {
            ([Step::Limit(0.0, 1.0)], None) => drop(self.notes.in_weights.get_or_insert(name)),
            ([Step::Add(3.0), Step::Limit(0.0, 6.0), ..], Some(activation)) => activation.warning = Some(IN_BIAS),
            _ => {}
        }
        Ok(())
    }

    fn apply(
        &mut self,
        flow: &mut Flow,
        name: &str,
        operation: &Operation,
        operands: &[Operand],
        output: &str,
        dtype: Option<&'static str>,
    ) {
        if let Some(activation) = flow.apply(name.into(), operation, operands, output, &mut self.found) {
            activation.dtype = dtype;
        }
        if flow.is_lost(operation, operands, output) {
            self.notes.lost.get_or_insert_with(|| name.into());
        }
    }

    /// The limits of the activation that an operator has fused.
    fn fused(&mut self, operator: Table, code: i32) -> io::Result<Option<(f32, f32)>> {
        // Where the options of the operator name it.
        let field = match code {
            op::ADD | op::SUB | op::MUL | op::DIV | op::FULLY_CONNECTED => 0,
            op::CONV_2D | op::TRANSPOSE_CONV => 3,
            op::DEPTHWISE_CONV_2D | op::CONV_3D => 4,
            _ => return Ok(None),
        };
        let Some(options) = self.file.table(operator, 4)? else {
            return Ok(None);
        };
        Ok(match i8::from_le_bytes(self.file.number(options, field)?) {
            1 => Some((0.0, f32::INFINITY)),
            2 => Some((-1.0, 1.0)),
            3 => Some((0.0, 6.0)),
            _ => None,
        })
    }

    /// The number that all elements of a tensor are, if it is constant.
    fn constant(&mut self, tensor: &Tensor) -> io::Result<Option<f32>> {
        let size = match tensor.element {
            FLOAT32 => 4,
            FLOAT16 => 2,
            _ => return Ok(None),
        };
        let [is_variable] = self.file.number(tensor.table, 5)?;
        let buffer = u32::from_le_bytes(self.file.number(tensor.table, 2)?);
        let Some(data) = self.data(buffer)?.filter(|_| is_variable == 0) else {
            return Ok(None);
        };
        let first = first_element(&mut self.file.source, data.at, data.length)?;
        let number = |bytes: &[u8]| match *bytes {
            [a, b, c, d] => f32::from_le_bytes([a, b, c, d]),
            [a, b] => f16::from_le_bytes([a, b]).to_f32(),
            _ => f32::NAN,
        };
        let mut numbers = first.chunks(size).map(number);
        let one = numbers.next();
        Ok(one.filter(|&one| numbers.all(|other| other == one)))
    }

    /// What the bytes of a tensor stand for.
    fn quantization(&mut self, tensor: &Tensor) -> io::Result<Option<Quantization>> {
        let byte = match tensor.element {
            UINT8 => Byte::U8,
            INT8 => Byte::I8,
            _ => return Ok(None),
        };
        let Some(quantization) = self.file.table(tensor.table, 4)? else {
            return Ok(None);
        };
        let scale = self.file.only(quantization, 2)?.map(f32::from_le_bytes);
        let zero_point = self.file.only(quantization, 3)?.map(i64::from_le_bytes);
        let both = scale.zip(zero_point.and_then(|one| one.try_into().ok()));
        Ok(both.and_then(|(scale, zero_point)| Quantization::new(byte, scale, zero_point).ok()))
    }

    fn hard_swish(&mut self, name: String, x: &Tensor, y: &Tensor) -> io::Result<Activation> {
        const SIXTH: f32 = 1.0 / 6.0;
        let of = |computed_by, steps: &[Step]| Way {
            computed_by,
            on_paper: OnPaper::new(SIXTH, 0.5),
            how: How::Steps(steps.to_vec()),
        };
        let ways = match y.element {
            FLOAT32 => vec![
                of(
                    XNNPACK,
                    &[
                        Step::Mul(SIXTH),
                        Step::Fused(SIXTH, 0.5),
                        Step::Limit(0.0, 1.0),
                        Step::Times(0),
                    ],
                ),
                of(
                    OWN,
                    &[
                        Step::Add(3.0),
                        Step::Limit(0.0, 6.0),
                        Step::TimesScaled(0, Scale::Mul(SIXTH)),
                    ],
                ),
                Way::defined(REFERENCE, HardSigmoid::PYTORCH),
            ],
            _ => vec![Way::defined("", HardSigmoid::PYTORCH)],
        };
        let on_paper = HardSigmoid::affine(SIXTH, 0.5, KinkRule::Strict).ok();
        let quantized = match (on_paper, self.quantization(x)?, self.quantization(y)?) {
            (Some(on_paper), Some(x), Some(y)) => EightBits::new(Function::HardSwish, on_paper, x, y),
            _ => None,
        };
        Ok(Activation {
            dtype: (y.element == FLOAT16).then_some("float16"),
            quantized: quantized.map(Box::new),
            ..Activation::new(name, Function::HardSwish, "HARD_SWISH".into(), ways)
        })
    }
}

/// Whether an operator has weights and a bias.
fn is_layer(code: i32) -> bool {
    let layers = [
        op::CONV_2D,
        op::DEPTHWISE_CONV_2D,
        op::FULLY_CONNECTED,
        op::TRANSPOSE_CONV,
        op::CONV_3D,
    ];
    layers.contains(&code)
}

fn operation(code: i32) -> Option<Operation> {
    let step = |step| Operation::Steps(vec![step]);
    Some(match code {
        op::ADD => Operation::Add,
        op::SUB => Operation::Sub,
        op::MUL => Operation::Mul,
        op::DIV => Operation::Div,
        op::MINIMUM => Operation::Min,
        op::MAXIMUM => Operation::Max,
        op::NEG => step(Step::Mul(-1.0)),
        op::RELU => step(Step::Limit(0.0, f32::INFINITY)),
        op::RELU6 => step(Step::Limit(0.0, 6.0)),
        op::RELU_N1_TO_1 => step(Step::Limit(-1.0, 1.0)),
        op::RELU_0_TO_1 => step(Step::Limit(0.0, 1.0)),
        op::LESS => Operation::Compare(Comparison::Less),
        op::LESS_EQUAL => Operation::Compare(Comparison::LessOrEqual),
        op::GREATER => Operation::Compare(Comparison::Greater),
        op::GREATER_EQUAL => Operation::Compare(Comparison::GreaterOrEqual),
        op::LOGICAL_NOT => Operation::Not,
        op::SELECT | op::SELECT_V2 => Operation::Where,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn source(bytes: &[u8]) -> Reader {
        Reader::new(Box::new(Cursor::new(bytes.to_vec())))
    }

    /// A hostile file may refer to one part many times.
    #[test]
    fn what_is_shared_too_often_is_damage() {
        let whole = include_bytes!("../../tests/models/tflite_steps.tflite");
        let mut file = File::new(source(whole), whole.len() as u64);
        let model = file.root(0).unwrap();
        let times = (0..1 << 20).take_while(|_| file.tables(model, 4).is_ok()).count();
        assert!((16..1 << 20).contains(&times), "{times}");
    }

    /// An operator's number is the larger one of two fields.
    #[test]
    fn operators_may_have_a_number_beyond_127() {
        let whole = include_bytes!("../../tests/models/tflite_steps.tflite");
        let found = |bytes: &[u8]| {
            let model = read(source(bytes), bytes.len() as u64).unwrap();
            model.activations.into_iter().map(|one| one.written).collect::<Vec<_>>()
        };
        let with_relu_as = |code: i32| {
            let mut file = File::new(source(whole), whole.len() as u64);
            let model = file.root(0).unwrap();
            let mut codes = file.tables(model, 1).unwrap().into_iter();
            let relu = codes
                .find(|&code| file.number(code, 0).unwrap() == [op::RELU as u8])
                .unwrap();
            let [old, new] = [0, 3].map(|field| file.field(relu, field).unwrap().unwrap() as usize);
            let mut bytes = whole.to_vec();
            bytes[old] = code.min(127) as u8;
            bytes[new..new + 4].copy_from_slice(&code.to_le_bytes());
            found(&bytes)
        };
        let all = found(whole);
        assert_eq!(with_relu_as(op::RELU), all);
        // It limits by 1 once more.
        assert_eq!(with_relu_as(op::RELU_0_TO_1), all);
        // Without it the lower limit is missing.
        assert!(with_relu_as(op::RELU_0_TO_1 + 1).len() < all.len());
    }
}
