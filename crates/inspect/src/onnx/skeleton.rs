//! Copies from an ONNX file what this program takes, and seeks over the rest, so that a model's weights are neither read nor held in
//! memory. In place of a tensor's data the copy has the first element if all are equal, and nothing otherwise.
//!
//! A message of protobuf is a list of fields. Each begins with a key, which has the field's number and how it is encoded. Messages, texts
//! and data have their length before them.

use crate::Reader;
use std::io::{self, BufRead, ErrorKind, Read, Seek, SeekFrom};

/// The messages of `proto.rs` that other messages may have at any depth, or that have data.
#[derive(Clone, Copy)]
enum Message {
    Model,
    Graph,
    Function,
    Node,
    Attribute,
    Tensor,
}

/// What is taken of a field.
#[derive(Clone, Copy)]
enum Taken {
    Nothing,
    /// A number, a text or a small message.
    Whole,
    Fields(Message),
    /// The first element, of at most eight bytes.
    Numbers,
    /// The first element, a number of variable length.
    Varints,
}

impl Message {
    /// What `proto.rs` takes of the field with this number.
    fn taken(self, field: u64) -> Taken {
        match (self, field) {
            (Self::Model, 7) | (Self::Attribute, 6 | 11) => Taken::Fields(Self::Graph),
            (Self::Model, 25) => Taken::Fields(Self::Function),
            (Self::Graph, 1) | (Self::Function, 7) => Taken::Fields(Self::Node),
            (Self::Node, 5) | (Self::Function, 11) => Taken::Fields(Self::Attribute),
            (Self::Graph, 5) | (Self::Attribute, 5) => Taken::Fields(Self::Tensor),
            (Self::Tensor, 4 | 9 | 10) => Taken::Numbers,
            (Self::Tensor, 5 | 7) => Taken::Varints,
            (Self::Model, 1..=3 | 8)
            | (Self::Graph, 11..=13)
            | (Self::Function, 1 | 4 | 5 | 10 | 13)
            | (Self::Node, 1..=4 | 7 | 8)
            | (Self::Attribute, 1..=4 | 7 | 9 | 21)
            | (Self::Tensor, 1 | 2 | 8 | 13 | 14) => Taken::Whole,
            _ => Taken::Nothing,
        }
    }
}

/// The most bytes of a text or a small message. No name is longer, but an attribute may hold a program for some device.
const MOST_TEXT: u64 = 1 << 16;

/// The most bytes of a tensor that is a constant. Even the zeros of a larger one aren't read.
const MOST_CONSTANT: u64 = 1 << 20;

/// The most messages within one another, as for prost.
const MOST_DEPTH: usize = 100;

/// The message that a file is, without what isn't taken.
pub(super) fn of_model(source: &mut Reader) -> io::Result<Vec<u8>> {
    let end = source.seek(SeekFrom::End(0))?;
    let mut walk = Walk::new(source, 0)?;
    let mut model = vec![];
    walk.message(Message::Model, end, 0, &mut model)?;
    Ok(model)
}

/// The first element of data somewhere in a file, if all are equal.
pub fn first_element(source: &mut Reader, offset: u64, length: u64) -> io::Result<Vec<u8>> {
    Walk::new(source, offset)?.first(length, Taken::Numbers)
}

struct Walk<'a> {
    source: &'a mut Reader,
    at: u64,
}

impl<'a> Walk<'a> {
    fn new(source: &'a mut Reader, at: u64) -> io::Result<Self> {
        source.seek(SeekFrom::Start(at))?;
        Ok(Self { source, at })
    }

    fn bytes(&mut self, count: usize, copy: &mut Vec<u8>) -> io::Result<()> {
        let before = copy.len();
        copy.resize(before + count, 0);
        self.source.read_exact(&mut copy[before..])?;
        self.at += count as u64;
        Ok(())
    }

    /// Reads a number, and copies its bytes.
    fn varint(&mut self, copy: &mut Vec<u8>) -> io::Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            self.bytes(1, copy)?;
            let byte = copy.last().copied().unwrap_or_default();
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(damaged())
    }

    /// Copies the fields of a message.
    fn message(&mut self, message: Message, end: u64, depth: usize, copy: &mut Vec<u8>) -> io::Result<()> {
        if depth > MOST_DEPTH {
            return Err(damaged());
        }
        while self.at < end {
            let before = copy.len();
            let key = self.varint(copy)?;
            let taken = message.taken(key >> 3);
            match key & 7 {
                0 => drop(self.varint(copy)?),
                1 => self.bytes(8, copy)?,
                5 => self.bytes(4, copy)?,
                2 => {
                    let length = self.varint(&mut vec![])?;
                    let end = self.at.checked_add(length).filter(|&inner| inner <= end);
                    let end = end.ok_or_else(damaged)?;
                    let mut content = vec![];
                    match taken {
                        Taken::Fields(inner) => self.message(inner, end, depth + 1, &mut content)?,
                        Taken::Whole if length <= MOST_TEXT => self.bytes(length as usize, &mut content)?,
                        Taken::Numbers | Taken::Varints => content = self.first(length, taken)?,
                        Taken::Whole | Taken::Nothing => {}
                    }
                    self.skip_to(end)?;
                    prost::encode_length_delimiter(content.len(), copy).map_err(io::Error::other)?;
                    copy.extend(content);
                }
                _ => return Err(damaged()),
            }
            if matches!(taken, Taken::Nothing) {
                copy.truncate(before);
            }
        }
        if self.at == end { Ok(()) } else { Err(damaged()) }
    }

    /// The first element if all are equal, else nothing. It stops where two differ, which is soon in weights. Eight bytes are two or
    /// more elements if these are shorter.
    fn first(&mut self, length: u64, taken: Taken) -> io::Result<Vec<u8>> {
        let mut first = vec![];
        if length == 0 || length > MOST_CONSTANT {
            return Ok(first);
        }
        let end = self.at.checked_add(length).ok_or_else(damaged)?;
        match taken {
            Taken::Varints => drop(self.varint(&mut first)?),
            _ => self.bytes(length.min(8) as usize, &mut first)?,
        }
        let mut expected = first.iter().cycle();
        while self.at < end {
            let read = self.source.fill_buf()?;
            let read = &read[..read.len().min((end - self.at) as usize)];
            if read.is_empty() {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            if read.iter().any(|byte| Some(byte) != expected.next()) {
                return Ok(vec![]);
            }
            let count = read.len();
            self.source.consume(count);
            self.at += count as u64;
        }
        Ok(first)
    }

    fn skip_to(&mut self, end: u64) -> io::Result<()> {
        let left = end.checked_sub(self.at).ok_or_else(damaged)?;
        self.source.seek_relative(left.try_into().map_err(|_| damaged())?)?;
        self.at = end;
        Ok(())
    }
}

fn damaged() -> io::Error {
    ErrorKind::InvalidData.into()
}

#[cfg(test)]
mod tests {
    use super::super::proto::*;
    use super::*;
    use prost::Message;
    use std::io::{BufReader, Cursor};

    fn copy(bytes: &[u8]) -> io::Result<Vec<u8>> {
        of_model(&mut BufReader::new(Box::new(Cursor::new(bytes.to_vec()))))
    }

    fn tensor() -> Tensor {
        Tensor {
            dims: vec![1],
            data_type: 1,
            float_data: vec![0.5],
            int32_data: vec![300],
            int64_data: vec![-1],
            name: "t".into(),
            raw_data: vec![1, 2, 3, 4],
            double_data: vec![0.25],
            external_data: vec![Entry {
                key: "location".into(),
                value: "w.bin".into(),
            }],
            data_location: EXTERNAL,
        }
    }

    fn node(graphs: Vec<GraphProto>) -> Node {
        Node {
            input: vec!["a".into()],
            output: vec!["b".into()],
            name: "n".into(),
            op_type: "If".into(),
            attribute: vec![Attribute {
                name: "then_branch".into(),
                f: Some(0.5),
                i: Some(-1),
                s: Some(b"s".into()),
                t: Some(tensor()),
                g: graphs.first().cloned().map(Box::new),
                floats: vec![1.0, 2.0],
                strings: vec![b"a".into(), b"b".into()],
                graphs,
                ref_attr_name: "r".into(),
            }],
            domain: "d".into(),
            overload: "o".into(),
        }
    }

    fn graph(graphs: Vec<GraphProto>) -> GraphProto {
        GraphProto {
            node: vec![node(graphs)],
            initializer: vec![tensor()],
            input: vec![ValueInfo::of("a", FLOAT)],
            output: vec![ValueInfo::of("b", FLOAT)],
            value_info: vec![ValueInfo::of("c", FLOAT)],
        }
    }

    /// A model in which every field of `proto.rs` is set.
    fn model() -> ModelProto {
        ModelProto {
            ir_version: 10,
            producer_name: "p".into(),
            producer_version: "1".into(),
            graph: Some(graph(vec![graph(vec![])])),
            opset_import: vec![OperatorSet {
                domain: "d".into(),
                version: 18,
            }],
            functions: vec![FunctionProto {
                name: "f".into(),
                input: vec!["a".into()],
                output: vec!["b".into()],
                node: vec![node(vec![])],
                domain: "d".into(),
                attribute_proto: node(vec![]).attribute,
                overload: "o".into(),
            }],
        }
    }

    #[test]
    fn every_field_of_ours_is_copied_and_no_other() {
        let bytes = model().encode_to_vec();
        assert_eq!(copy(&bytes).unwrap(), bytes);
        // Fields of a number that isn't ours, of each kind.
        let others: [&[u8]; 4] = [
            b"\x80\x7d\x01",
            b"\x81\x7d12345678",
            b"\x82\x7d\x031\x02\xff",
            b"\x85\x7d1234",
        ];
        for other in others {
            assert_eq!(copy(&[other, &bytes, other].concat()).unwrap(), bytes);
        }
    }

    #[test]
    fn data_are_one_element() {
        let data = |tensor: Tensor| {
            let graph = GraphProto {
                initializer: vec![tensor],
                ..Default::default()
            };
            let graph = Some(graph);
            let model = ModelProto {
                graph,
                ..Default::default()
            };
            let model = ModelProto::decode(&*copy(&model.encode_to_vec()).unwrap()).unwrap();
            let Tensor {
                float_data,
                int32_data,
                raw_data,
                ..
            } = model.graph.unwrap().initializer.remove(0);
            (float_data, int32_data, raw_data)
        };
        let floats = |float_data: Vec<f32>| {
            let of = Tensor {
                float_data,
                ..Default::default()
            };
            data(of).0
        };
        let integers = |int32_data: Vec<i32>| {
            let of = Tensor {
                int32_data,
                ..Default::default()
            };
            data(of).1
        };
        let bytes = |raw_data: Vec<u8>| {
            let of = Tensor {
                raw_data,
                ..Default::default()
            };
            data(of).2
        };
        assert_eq!(floats(vec![3.0; 30_001]), [3.0; 2]);
        assert_eq!(floats([vec![3.0; 30_000], vec![2.0]].concat()), [0.0; 0]);
        // Of two elements that take turns, both are kept, and they aren't one constant.
        assert_eq!(floats([1.0, 2.0].repeat(1000)), [1.0, 2.0]);
        assert_eq!(integers(vec![70_000; 10_000]), [70_000]);
        assert_eq!(integers([vec![70_000; 10_000], vec![1]].concat()), [0; 0]);
        assert_eq!(bytes(b"abcdefgh".repeat(3000)), b"abcdefgh");
        assert_eq!(bytes(vec![7; 5]), [7; 5]);
        assert_eq!(bytes(vec![7; 13]), [7; 8]);
        assert_eq!(bytes(vec![]), [0; 0]);
        assert_eq!(bytes(vec![0; MOST_CONSTANT as usize]), [0; 8]);
        assert_eq!(bytes(vec![0; MOST_CONSTANT as usize + 1]), [0; 0]);
    }

    #[test]
    fn damaged_messages_are_refused() {
        let bytes = model().encode_to_vec();
        for length in 0..bytes.len() {
            let cut = copy(&bytes[..length]);
            assert!(cut.is_err() || ModelProto::decode(&*cut.unwrap()).is_ok(), "{length}");
        }
        // A group, a length beyond the end, and a number that is too long.
        for bytes in [&b"\x3b"[..], b"\x3a\x05abc", &[0xff; 20]] {
            assert!(copy(bytes).is_err(), "{bytes:?}");
        }
        // Graphs within graphs.
        let within = |depth: usize| {
            let branch = |graph: GraphProto| Attribute {
                g: Some(Box::new(graph)),
                ..Default::default()
            };
            let outer = |inner: GraphProto| GraphProto {
                node: vec![Node {
                    attribute: vec![branch(inner)],
                    ..Default::default()
                }],
                ..Default::default()
            };
            let graph = Some((0..depth).fold(GraphProto::default(), |inner, _| outer(inner)));
            let model = ModelProto {
                graph,
                ..Default::default()
            };
            copy(&model.encode_to_vec())
        };
        assert!(within(30).is_ok());
        assert!(within(40).is_err());
    }
}
