//! Values of options that a shell completes.

use clap::{
    Arg, Command,
    builder::{PossibleValue, TypedValueParser},
};
use hard_sigmoid::{
    Byte, DType, HardSigmoid, KinkRule, Op, OpError, Parameters, ParseError, Rounding, StraightThrough, Unary,
    offload::Target,
    wgsl::{self, Number, Options},
};
use std::{ffi::OsStr, str::FromStr};

/// Parses with `FromStr`, which takes more than these names: aliases, and `affine(...)` as a preset.
#[derive(Clone)]
pub struct Choices<T> {
    names: Vec<String>,
    parse: fn(&str) -> Result<T, ParseError>,
}

impl<T: FromStr<Err = ParseError>> Choices<T> {
    fn of(names: impl IntoIterator<Item = impl ToString>) -> Self {
        Self {
            names: names.into_iter().map(|name| name.to_string()).collect(),
            parse: T::from_str,
        }
    }
}

pub fn presets() -> Choices<HardSigmoid> {
    Choices::of(HardSigmoid::PRESETS.iter().map(|preset| preset.name))
}

pub fn kink_rules() -> Choices<KinkRule> {
    Choices::of(KinkRule::ALL)
}

/// The types of elements. That of 8-bit files is in the file.
pub fn dtypes() -> Choices<DType> {
    Choices::of(Op::from(Unary::Forward(HardSigmoid::PYTORCH)).dtypes())
}

pub fn bytes() -> Choices<Byte> {
    Choices::of(Byte::ALL)
}

pub fn roundings() -> Choices<Rounding> {
    Choices::of(Rounding::ALL)
}

pub fn devices() -> Choices<Target> {
    Choices::of(Target::ALL)
}

pub fn numbers() -> Choices<Number> {
    Choices::of(Number::ALL)
}

pub fn estimators() -> Choices<StraightThrough> {
    Choices::of(StraightThrough::ALL)
}

/// The names of the operations. A shell completes those that have WGSL functions.
pub fn functions() -> Choices<String> {
    operations(|op| wgsl::scalar(op, &Options::default()).is_ok())
}

/// The names of the operations. A shell completes those of floats: what looks bytes up is chosen by the type of a file.
pub fn file_operations() -> Choices<String> {
    operations(|op| op.dtypes().contains(&DType::F32))
}

fn operations(is_offered: impl Fn(Op) -> bool) -> Choices<String> {
    let all = Op::all(HardSigmoid::PYTORCH).into_iter();
    let offered = all.filter(|&op| is_offered(op));
    let mut names: Vec<_> = offered.map(|op| op.name().to_owned()).collect();
    names.dedup();
    Choices {
        names,
        parse: |name| match Op::new(name, &Parameters::default()) {
            Err(OpError::Name(error)) => Err(error),
            // Its parameters are other arguments.
            _ => Ok(name.trim().to_ascii_lowercase()),
        },
    }
}

impl<T: Clone + Send + Sync + 'static> TypedValueParser for Choices<T> {
    type Value = T;

    fn parse_ref(&self, command: &Command, argument: Option<&Arg>, value: &OsStr) -> Result<T, clap::Error> {
        self.parse.parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.names.iter().map(PossibleValue::new)))
    }
}
