use crate::math::dtype::DType;
use std::fmt;

/// A parameter is infinite or NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NotFinite {
    /// `"alpha"` or `"beta"` of a definition, or the `"scale"` of a binarization.
    pub parameter: &'static str,
    /// What was given.
    pub value: f32,
}

impl fmt::Display for NotFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { parameter, value } = self;
        write!(f, "{parameter} is {value}; it must be a finite number")
    }
}

impl std::error::Error for NotFinite {}

/// A text that [`str::parse`], or [`Op::new`](crate::Op::new), can't read.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub enum ParseError {
    /// The text isn't one of the names.
    Unknown {
        /// What the text should name: `"hard sigmoid"`, `"kink rule"`, `"dtype"`, `"placement"`, `"device"`,
        /// `"operation"`, `"estimator"`.
        what: &'static str,
        /// What was given.
        given: String,
        /// The possible names, separated by commas.
        names: String,
    },
    /// An argument of `affine(ALPHA, BETA, KINKS)` is wrong.
    Argument {
        /// `"alpha"`, `"beta"` or `"kink rule"`.
        argument: &'static str,
        /// What was given.
        given: String,
        /// What it has to be.
        expected: &'static str,
    },
    /// `affine` doesn't have two or three arguments.
    ArgumentCount {
        /// The whole text.
        given: String,
    },
}

impl ParseError {
    /// The value whose `Display` is `given`, whatever its case, or an error that lists all values.
    pub(crate) fn find<T: Copy + fmt::Display>(what: &'static str, given: &str, all: &[T]) -> Result<T, Self> {
        let found = all
            .iter()
            .find(|value| value.to_string().eq_ignore_ascii_case(given.trim()));
        found.copied().ok_or_else(|| Self::Unknown {
            what,
            given: given.into(),
            names: all.iter().map(T::to_string).collect::<Vec<_>>().join(", "),
        })
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { what, given, names } => write!(f, "no {what} is called {given:?}; use one of {names}"),
            Self::Argument {
                argument,
                given,
                expected,
            } => write!(f, "{argument} of affine must be {expected}, but {given:?} was given"),
            Self::ArgumentCount { given } => write!(
                f,
                "affine takes alpha, beta and an optional kink rule, such as affine(0.2, 0.5, inclusive), but {given:?} \
                 was given"
            ),
        }
    }
}

impl std::error::Error for ParseError {}

/// An operation doesn't fit its operands. Nothing was written.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub enum OpError {
    /// A parameter is infinite or NaN.
    NotFinite(NotFinite),
    /// The operation doesn't take elements of this type.
    ElementType {
        /// Name of the operation.
        op: &'static str,
        /// What was given.
        dtype: DType,
        /// What it takes.
        dtypes: &'static [DType],
    },
    /// The element type can't hold the scale of a binarization.
    ScaleTooLarge {
        /// What was given.
        scale: f32,
        /// Name of the element type.
        dtype: &'static str,
        /// The largest number of the element type.
        largest: f32,
    },
    /// No operation has this name.
    Name(ParseError),
    /// An operation lacks a parameter.
    MissingParameter {
        /// Name of the operation.
        op: &'static str,
        /// Name of the parameter: a field of [`Parameters`](crate::Parameters).
        parameter: &'static str,
    },
    /// A parameter is given to an operation that doesn't take it.
    ExtraParameter {
        /// Name of the operation.
        op: &'static str,
        /// Name of the parameter: a field of [`Parameters`](crate::Parameters).
        parameter: &'static str,
    },
    /// An operation is given more or fewer tensors than it has.
    TensorCount {
        /// Name of the operation.
        op: &'static str,
        /// How many operands and how many results it has.
        needed: [usize; 2],
        /// How many were given.
        given: [usize; 2],
    },
    /// The size of a tensor isn't a multiple of its element's size.
    PartialElement {
        /// Name of the tensor.
        operand: &'static str,
        /// The size of the tensor in bytes.
        size: u64,
        /// The size of an element in bytes.
        element: u64,
    },
    /// Two operands that must hold the same number of elements don't.
    LengthMismatch {
        /// Name of the first operand.
        a: &'static str,
        /// Length of the first operand, in elements.
        a_len: u64,
        /// Name of the second operand.
        b: &'static str,
        /// Length of the second operand, in elements.
        b_len: u64,
    },
    /// A tensor has more elements than can be counted in bytes.
    TooLong {
        /// The length of the tensor in elements, 2^61 or more.
        len: u64,
    },
    /// Packed signs don't take one 4-byte word for every 32 elements, rounded up.
    PackedLength {
        /// Name of the operand whose signs they are.
        operand: &'static str,
        /// The length of this operand in elements.
        len: u64,
        /// Size of the packed signs in bytes.
        bits_size: u64,
    },
    /// The table of a look-up has another length.
    TableLength {
        /// The length that it needs.
        needed: u64,
        /// What was given.
        given: u64,
    },
    /// A broadcast gate has no elements in a row of `a`, or too many.
    BroadcastShape {
        /// The `middle` that was given.
        middle: u32,
        /// The `inner` that was given.
        inner: u32,
    },
    /// A tensor of a broadcast gate doesn't consist of whole rows.
    PartialRow {
        /// Name of the operand.
        operand: &'static str,
        /// The length of the operand in elements.
        len: u64,
        /// The number of steps that share a gate.
        middle: u32,
        /// The number of elements in a step.
        inner: u32,
    },
    /// The gate of a broadcast gate, or its gradient, doesn't have the length that the gated tensor requires.
    BroadcastLength {
        /// Name of the gated tensor.
        a: &'static str,
        /// The length of the gated tensor in elements.
        a_len: u64,
        /// Name of the gate or of its gradient.
        b: &'static str,
        /// The length of the gate, or of its gradient, in elements.
        b_len: u64,
        /// The number of steps that share a gate.
        middle: u32,
    },
    /// The result of this operation can't replace an operand.
    NotInPlace {
        /// Name of the operation.
        op: &'static str,
    },
    /// The result isn't a number that depends on one element of each operand, so there is no WGSL function for it.
    NotElementwise {
        /// Name of the operation.
        op: &'static str,
    },
    /// A name can't begin like this.
    Prefix {
        /// What was given.
        given: String,
    },
}

impl fmt::Display for OpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFinite(error) => error.fmt(f),
            Self::ElementType { op, dtype, dtypes } => {
                let dtypes: Vec<_> = dtypes.iter().map(DType::to_string).collect();
                write!(f, "{op} takes tensors of {}, but {dtype} was given", dtypes.join(", "))
            }
            Self::ScaleTooLarge { scale, dtype, largest } => write!(
                f,
                "scale {scale:?} is too large for {dtype}, whose largest number is {largest:?}; take a smaller scale or another \
                 element type"
            ),
            Self::Name(error) => error.fmt(f),
            Self::MissingParameter {
                op,
                parameter: "definition",
            } => write!(f, "{op} needs a hard sigmoid: give a definition, such as a preset"),
            Self::MissingParameter { op, parameter: "seed" } => {
                write!(f, "{op} draws at random only with a seed: give one")
            }
            Self::MissingParameter { op, parameter } => write!(f, "{op} needs {parameter}: give it"),
            Self::ExtraParameter { op, parameter } => write!(f, "{op} takes no {parameter}: leave it out"),
            Self::TensorCount {
                op,
                needed: [inputs, outputs],
                given: [inputs_given, outputs_given],
            } => write!(
                f,
                "{op} needs {inputs} and {outputs} tensors, its operands and results, but {inputs_given} and {outputs_given} were given"
            ),
            Self::PartialElement { operand, size, element } => write!(
                f,
                "{operand} is {size} bytes, which is not a whole number of elements of {element} bytes each; give the size of the elements \
                 alone"
            ),
            Self::LengthMismatch { a, a_len, b, b_len } => write!(
                f,
                "{a} holds {a_len} elements but {b} holds {b_len}; they must have the same length"
            ),
            Self::TooLong { len } => write!(f, "a tensor must have fewer than 2^61 elements, but {len} were given"),
            Self::PackedLength {
                operand,
                len,
                bits_size,
            } => write!(
                f,
                "{operand} holds {len} elements, whose signs take {} bytes (4 for every 32 elements, rounded up), but \
                 bits has {bits_size}",
                len.div_ceil(32) * 4,
            ),
            Self::TableLength { needed, given } => write!(
                f,
                "table must hold {needed} bytes, one for each value, but it holds {given}"
            ),
            Self::BroadcastShape { middle, inner } => write!(
                f,
                "middle is {middle} and inner is {inner}; both must be at least 1, and their product below 2^31"
            ),
            Self::PartialRow {
                operand,
                len,
                middle,
                inner,
            } => write!(
                f,
                "{operand} holds {len} elements, which isn't a multiple of middle·inner = {middle}·{inner} = {}; give whole rows",
                u64::from(*middle) * u64::from(*inner)
            ),
            Self::BroadcastLength {
                a,
                a_len,
                b,
                b_len,
                middle,
            } => write!(
                f,
                "{a} holds {a_len} elements and middle is {middle}, so {b} must hold {}, but it holds {b_len}",
                a_len / u64::from(*middle)
            ),
            Self::NotInPlace { op } => write!(
                f,
                "{op} can't be computed in place; write its result to memory of its own"
            ),
            Self::NotElementwise { op } => write!(
                f,
                "{op} doesn't make one number of one element, so there is no function for it; take its kernel, or the function of gate or \
                 binarize"
            ),
            Self::Prefix { given } => write!(
                f,
                "the prefix {given:?} can't begin a name; take letters from a to z, digits and _, and begin with a letter or one _"
            ),
        }
    }
}

impl std::error::Error for OpError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NotFinite(error) => Some(error),
            Self::Name(error) => Some(error),
            _ => None,
        }
    }
}

impl From<ParseError> for OpError {
    fn from(error: ParseError) -> Self {
        Self::Name(error)
    }
}

impl From<NotFinite> for OpError {
    fn from(error: NotFinite) -> Self {
        Self::NotFinite(error)
    }
}
