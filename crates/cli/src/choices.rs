//! Values of options that a shell completes.

use clap::{
    Arg, Command,
    builder::{PossibleValue, TypedValueParser},
};
use hard_sigmoid::{DType, HardSigmoid, KinkRule, ParseError, offload::Target};
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

pub fn dtypes() -> Choices<DType> {
    Choices::of(DType::ALL)
}

pub fn devices() -> Choices<Target> {
    Choices::of(Target::ALL)
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
