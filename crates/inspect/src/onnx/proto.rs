//! The parts of ONNX's format that name operations and constants. The field numbers are those of onnx.proto; fields that aren't
//! declared here are skipped.

use hard_sigmoid::{bf16, f16};
use prost::Message;

#[derive(Clone, Message)]
pub(super) struct ModelProto {
    /// The version of the format, not of the operators.
    #[prost(int64, tag = "1")]
    pub(super) ir_version: i64,
    #[prost(string, tag = "2")]
    pub(super) producer_name: String,
    #[prost(string, tag = "3")]
    pub(super) producer_version: String,
    #[prost(message, optional, tag = "7")]
    pub(super) graph: Option<GraphProto>,
    #[prost(message, repeated, tag = "8")]
    pub(super) opset_import: Vec<OperatorSet>,
    #[prost(message, repeated, tag = "25")]
    pub(super) functions: Vec<FunctionProto>,
}

#[derive(Clone, Message)]
pub(super) struct OperatorSet {
    #[prost(string, tag = "1")]
    pub(super) domain: String,
    #[prost(int64, tag = "2")]
    pub(super) version: i64,
}

#[derive(Clone, Message)]
pub(super) struct FunctionProto {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, repeated, tag = "4")]
    pub(super) input: Vec<String>,
    #[prost(string, repeated, tag = "5")]
    pub(super) output: Vec<String>,
    #[prost(message, repeated, tag = "7")]
    pub(super) node: Vec<Node>,
    #[prost(string, tag = "10")]
    pub(super) domain: String,
    /// The attributes that have a default.
    #[prost(message, repeated, tag = "11")]
    pub(super) attribute_proto: Vec<Attribute>,
    #[prost(string, tag = "13")]
    pub(super) overload: String,
}

#[derive(Clone, Message)]
pub(super) struct GraphProto {
    #[prost(message, repeated, tag = "1")]
    pub(super) node: Vec<Node>,
    #[prost(message, repeated, tag = "5")]
    pub(super) initializer: Vec<Tensor>,
    #[prost(message, repeated, tag = "11")]
    pub(super) input: Vec<ValueInfo>,
    #[prost(message, repeated, tag = "12")]
    pub(super) output: Vec<ValueInfo>,
    /// The types of tensors within.
    #[prost(message, repeated, tag = "13")]
    pub(super) value_info: Vec<ValueInfo>,
}

#[derive(Clone, Message)]
pub(super) struct ValueInfo {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(message, optional, tag = "2")]
    pub(super) r#type: Option<Type>,
}

#[derive(Clone, Message)]
pub(super) struct Type {
    /// None if it is no tensor, but a sequence, say.
    #[prost(message, optional, tag = "1")]
    pub(super) tensor_type: Option<TensorType>,
}

#[derive(Clone, Message)]
pub(super) struct TensorType {
    #[prost(int32, tag = "1")]
    pub(super) elem_type: i32,
}

#[derive(Clone, Message)]
pub(super) struct Node {
    #[prost(string, repeated, tag = "1")]
    pub(super) input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub(super) output: Vec<String>,
    #[prost(string, tag = "3")]
    pub(super) name: String,
    #[prost(string, tag = "4")]
    pub(super) op_type: String,
    #[prost(message, repeated, tag = "5")]
    pub(super) attribute: Vec<Attribute>,
    #[prost(string, tag = "7")]
    pub(super) domain: String,
    #[prost(string, tag = "8")]
    pub(super) overload: String,
}

#[derive(Clone, Message)]
pub(super) struct Attribute {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(float, optional, tag = "2")]
    pub(super) f: Option<f32>,
    #[prost(int64, optional, tag = "3")]
    pub(super) i: Option<i64>,
    #[prost(bytes = "vec", optional, tag = "4")]
    pub(super) s: Option<Vec<u8>>,
    #[prost(message, optional, tag = "5")]
    pub(super) t: Option<Tensor>,
    #[prost(message, optional, boxed, tag = "6")]
    pub(super) g: Option<Box<GraphProto>>,
    #[prost(float, repeated, tag = "7")]
    pub(super) floats: Vec<f32>,
    #[prost(bytes = "vec", repeated, tag = "9")]
    pub(super) strings: Vec<Vec<u8>>,
    #[prost(message, repeated, tag = "11")]
    pub(super) graphs: Vec<GraphProto>,
    #[prost(string, tag = "21")]
    pub(super) ref_attr_name: String,
}

#[derive(Clone, Message)]
pub(super) struct Tensor {
    #[prost(int64, repeated, tag = "1")]
    pub(super) dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    pub(super) data_type: i32,
    #[prost(float, repeated, tag = "4")]
    pub(super) float_data: Vec<f32>,
    #[prost(int32, repeated, tag = "5")]
    pub(super) int32_data: Vec<i32>,
    #[prost(int64, repeated, tag = "7")]
    pub(super) int64_data: Vec<i64>,
    #[prost(string, tag = "8")]
    pub(super) name: String,
    #[prost(bytes = "vec", tag = "9")]
    pub(super) raw_data: Vec<u8>,
    #[prost(double, repeated, tag = "10")]
    pub(super) double_data: Vec<f64>,
    #[prost(message, repeated, tag = "13")]
    pub(super) external_data: Vec<Entry>,
    #[prost(int32, tag = "14")]
    pub(super) data_location: i32,
}

#[derive(Clone, Message)]
pub(super) struct Entry {
    #[prost(string, tag = "1")]
    pub(super) key: String,
    #[prost(string, tag = "2")]
    pub(super) value: String,
}

/// The `data_location` of a tensor whose data are in another file.
pub(super) const EXTERNAL: i32 = 1;

/// TensorProto's types of elements.
pub(super) const FLOAT: i32 = 1;
pub(super) const UINT8: i32 = 2;
pub(super) const INT8: i32 = 3;
pub(super) const INT32: i32 = 6;
pub(super) const INT64: i32 = 7;
pub(super) const FLOAT16: i32 = 10;
pub(super) const DOUBLE: i32 = 11;
pub(super) const BFLOAT16: i32 = 16;

pub(super) fn is_float(element: i32) -> bool {
    matches!(element, FLOAT | FLOAT16 | DOUBLE | BFLOAT16)
}

/// The name of a type of floats other than float32.
pub(super) fn other_float(element: i32) -> Option<&'static str> {
    match element {
        FLOAT16 => Some("float16"),
        DOUBLE => Some("float64"),
        BFLOAT16 => Some("bfloat16"),
        _ => None,
    }
}

/// A constant's value. An integer is no operand of an activation until it is cast to a float.
#[derive(Clone, Copy)]
pub(super) struct Number {
    pub(super) value: f64,
    pub(super) is_float: bool,
}

impl Number {
    pub(super) fn float(value: f32) -> Self {
        let value = value.into();
        Self { value, is_float: true }
    }

    /// The number, if all are equal.
    pub(super) fn of_all(numbers: &[f64], is_float: bool) -> Option<Self> {
        let (&value, rest) = numbers.split_first()?;
        rest.iter().all(|&one| one == value).then_some(Self { value, is_float })
    }
}

impl ValueInfo {
    #[cfg(test)]
    pub(super) fn of(name: &str, elem_type: i32) -> Self {
        let tensor_type = Some(TensorType { elem_type });
        Self {
            name: name.into(),
            r#type: Some(Type { tensor_type }),
        }
    }

    /// The type of its elements.
    pub(super) fn element(&self) -> Option<i32> {
        Some(self.r#type.as_ref()?.tensor_type.as_ref()?.elem_type)
    }
}

impl Node {
    /// The node's name, or else that of its first result.
    pub(super) fn own_name(&self) -> &str {
        match self.output.first() {
            Some(output) if self.name.is_empty() => output,
            _ => &self.name,
        }
    }

    /// The branches of an If, and the bodies of loops.
    pub(super) fn subgraphs(&self) -> impl Iterator<Item = &GraphProto> {
        let attributes = self.attribute.iter();
        attributes.flat_map(|one| one.g.as_deref().into_iter().chain(&one.graphs))
    }
}

impl Attribute {
    pub(super) fn graphs_mut(&mut self) -> impl Iterator<Item = &mut GraphProto> {
        self.g.as_deref_mut().into_iter().chain(&mut self.graphs)
    }
}

impl Tensor {
    /// The size of its data by its shape, if they are in another file, and few enough for a constant of an activation.
    pub(super) fn bytes_elsewhere(&self) -> Option<u64> {
        let count = |dim: &i64| u64::try_from(*dim).ok();
        let elements = self
            .dims
            .iter()
            .map(count)
            .try_fold(1_u64, |all, dim| all.checked_mul(dim?))?;
        let is_one = self.data_location == EXTERNAL && elements <= MOST_CONSTANT;
        is_one.then_some(elements * self.element_size() as u64)
    }

    fn element_size(&self) -> usize {
        match self.data_type {
            DOUBLE | INT64 => 8,
            FLOAT | INT32 => 4,
            UINT8 | INT8 => 1,
            _ => 2,
        }
    }

    /// The number, if all elements are equal.
    pub(super) fn constant(&self) -> Option<Number> {
        let of = |bytes: &[u8]| -> Option<f64> {
            Some(match self.data_type {
                FLOAT => f32::from_le_bytes(bytes.try_into().ok()?).into(),
                INT32 => i32::from_le_bytes(bytes.try_into().ok()?).into(),
                INT64 => i64::from_le_bytes(bytes.try_into().ok()?) as f64,
                UINT8 => u8::from_le_bytes(bytes.try_into().ok()?).into(),
                INT8 => i8::from_le_bytes(bytes.try_into().ok()?).into(),
                FLOAT16 => f16::from_le_bytes(bytes.try_into().ok()?).to_f64(),
                DOUBLE => f64::from_le_bytes(bytes.try_into().ok()?),
                BFLOAT16 => bf16::from_le_bytes(bytes.try_into().ok()?).to_f64(),
                _ => return None,
            })
        };
        let size = self.element_size();
        let numbers: Vec<f64> = if self.raw_data.is_empty() {
            match self.data_type {
                FLOAT => self.float_data.iter().map(|&one| one.into()).collect(),
                DOUBLE => self.double_data.clone(),
                INT32 | UINT8 | INT8 => self.int32_data.iter().map(|&one| one.into()).collect(),
                INT64 => self.int64_data.iter().map(|&one| one as f64).collect(),
                // Halves are stored as bits.
                _ => {
                    let bits = self.int32_data.iter();
                    bits.map(|&bits| of(&(bits as u16).to_le_bytes()))
                        .collect::<Option<_>>()?
                }
            }
        } else {
            self.raw_data.chunks(size).map(of).collect::<Option<_>>()?
        };
        Number::of_all(&numbers, is_float(self.data_type))
    }
}

/// The most elements of a constant in another file. Constants of activations are scalars, or one for each channel.
const MOST_CONSTANT: u64 = 1 << 16;
