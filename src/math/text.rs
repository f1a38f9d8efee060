//! Definitions as text: names, `affine(ALPHA, BETA, KINKS)`, and formulas.

use crate::math::{
    definition::{Form, HardSigmoid},
    error::ParseError,
};
use std::{fmt, str::FromStr};

impl HardSigmoid {
    /// The forward formula as text.
    pub fn formula(self) -> String {
        match self.form {
            Form::Affine { alpha, beta, .. } => match (alpha.get(), beta.get()) {
                (0.5, 0.5) => "clamp((x + 1) / 2, 0, 1)".into(),
                (0.25, 0.5) => "clamp((x + 2) / 4, 0, 1)".into(),
                (_, shift) if shift < 0.0 => {
                    format!("clamp({alpha}·x - {}, 0, 1)", beta.to_string().trim_start_matches('-'))
                }
                _ => format!("clamp({alpha}·x + {beta}, 0, 1)"),
            },
            Form::Relu6Divide | Form::Relu6DivideBoth => "clamp(x + 3, 0, 6) / 6".into(),
            Form::Relu6Multiply => "clamp(x + 3, 0, 6) · (1/6)".into(),
        }
    }
}

/// Writes the preset's name, or `affine(ALPHA, BETA, strict|inclusive|half)`; [`str::parse`] reads it back.
impl fmt::Display for HardSigmoid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.preset(), self.form) {
            (None, Form::Affine { alpha, beta, kinks }) => f.pad(&format!("affine({alpha}, {beta}, {kinks})")),
            _ => f.pad(self.name()),
        }
    }
}

/// Reads a preset's name, one of its aliases, or `affine(ALPHA, BETA[, strict|inclusive|half])`; case doesn't matter,
/// and the gradient rule is strict if none is given.
impl FromStr for HardSigmoid {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let wanted = text.trim().to_ascii_lowercase();
        let named = Self::PRESETS
            .iter()
            .find(|preset| preset.name == wanted || preset.aliases.contains(&wanted.as_str()));
        if let Some(preset) = named {
            return Ok(preset.definition);
        }
        let unknown = || {
            let names = Self::PRESETS.iter().map(|preset| preset.name);
            let names: Vec<_> = names.chain(["affine(ALPHA, BETA, strict|inclusive|half)"]).collect();
            ParseError::Unknown {
                what: "hard sigmoid",
                given: text.into(),
                names: names.join(", "),
            }
        };
        let arguments = wanted.strip_prefix("affine").ok_or_else(unknown)?.trim_start();
        let count = || ParseError::ArgumentCount { given: text.into() };
        let arguments = arguments
            .strip_prefix('(')
            .and_then(|rest| rest.strip_suffix(')'))
            .ok_or_else(count)?;
        let arguments: Vec<&str> = arguments.split(',').map(str::trim).collect();
        let (alpha, beta, kinks) = match arguments[..] {
            [alpha, beta] => (alpha, beta, "strict"),
            [alpha, beta, kinks] => (alpha, beta, kinks),
            _ => return Err(count()),
        };
        let wrong = |argument, given: &str, expected| ParseError::Argument {
            argument,
            given: given.into(),
            expected,
        };
        let number = |argument, text: &str| {
            let number = text.parse().ok().filter(|number: &f32| number.is_finite());
            number.ok_or_else(|| wrong(argument, text, "a finite f32 number, such as 0.2"))
        };
        let (alpha, beta) = (number("alpha", alpha)?, number("beta", beta)?);
        let rule = kinks
            .parse()
            .map_err(|_| wrong("kink rule", kinks, "strict, inclusive or half"))?;
        Self::affine(alpha, beta, rule).map_err(|error| wrong(error.parameter, text, "a finite f32 number"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::definition::KinkRule;
    use proptest::prelude::*;

    #[test]
    fn names_are_unique_and_round_trip() {
        let mut seen = std::collections::HashSet::new();
        for preset in HardSigmoid::PRESETS {
            for name in preset.aliases.iter().chain([&preset.name]) {
                assert!(seen.insert(*name), "{name} is listed twice");
                assert_eq!(name.to_uppercase().parse(), Ok(preset.definition));
            }
            assert_eq!(preset.definition.to_string(), preset.name);
            assert_eq!(preset.definition.preset(), Some(preset));
        }
    }

    #[test]
    fn kink_rules_round_trip() {
        for rule in KinkRule::ALL {
            assert_eq!(rule.to_string().parse(), Ok(*rule));
        }
        assert!(
            "none"
                .parse::<KinkRule>()
                .unwrap_err()
                .to_string()
                .contains("strict, inclusive, half")
        );
    }

    /// An alias is another name of the same function, and relu6 is a different function.
    #[test]
    fn relu6_is_no_hard_sigmoid() {
        assert!("relu6".parse::<HardSigmoid>().is_err());
    }

    #[test]
    fn a_custom_definition_equal_to_a_preset_has_its_name() {
        let same = HardSigmoid::affine(0.2, 0.5, KinkRule::Inclusive).unwrap();
        assert_eq!(same.to_string(), "keras");
        assert_eq!("affine(0.2, 0.5)".parse(), Ok(HardSigmoid::ONNX));
    }

    #[test]
    fn bad_texts_and_parameters_are_refused() {
        for text in ["", "sigmoid", "affin(1, 2)"] {
            let error = text.parse::<HardSigmoid>().unwrap_err();
            assert!(
                matches!(&error, ParseError::Unknown { given, .. } if given == text),
                "{error}"
            );
            assert!(error.to_string().contains("courbariaux"));
        }
        for (text, message) in [
            ("affine", "affine takes alpha, beta"),
            ("affine(1, 2", "affine takes alpha, beta"),
            ("affine()", "affine takes alpha, beta"),
            ("affine(1)", "\"affine(1)\" was given"),
            ("affine(1,2,strict,4)", "affine takes alpha, beta"),
            (
                "affine(1, 2, inclusiv)",
                "kink rule of affine must be strict, inclusive or half, but \"inclusiv\" was given",
            ),
            (
                "affine(1/6, 0.5)",
                "alpha of affine must be a finite f32 number, such as 0.2, but \"1/6\" was given",
            ),
            ("affine(1e39, 0)", "\"1e39\""),
            ("affine(nan,0)", "alpha of affine"),
            ("affine(0,inf)", "beta of affine"),
        ] {
            let error = text.parse::<HardSigmoid>().unwrap_err().to_string();
            assert!(error.contains(message), "{text}: {error}");
        }
        assert_eq!(" Affine (0.2, 0.5, INCLUSIVE)".parse(), Ok(HardSigmoid::KERAS));
    }

    #[test]
    fn formulas_and_kinks_of_the_presets() {
        let falling = HardSigmoid::affine(-2.0, -1e-40, KinkRule::Strict).unwrap();
        assert_eq!(falling.formula(), "clamp(-2·x - 1e-40, 0, 1)");
        let presets = HardSigmoid::PRESETS.iter().map(|preset| preset.definition);
        let rows: Vec<_> = presets.map(|d| (d.formula(), d.kinks().unwrap())).collect();
        let rows: Vec<_> = rows.iter().map(|(formula, kinks)| (formula.as_str(), *kinks)).collect();
        assert_eq!(
            rows,
            [
                ("clamp(0.2·x + 0.5, 0, 1)", (-2.5, 2.5)),
                ("clamp(0.2·x + 0.5, 0, 1)", (-2.5, 2.5)),
                ("clamp((x + 1) / 2, 0, 1)", (-1.0, 1.0)),
                ("clamp((x + 2) / 4, 0, 1)", (-2.0, 2.0)),
                ("clamp(x + 3, 0, 6) / 6", (-3.0, 3.0)),
                ("clamp(x + 3, 0, 6) · (1/6)", (-3.0, 3.0)),
                ("clamp(x + 3, 0, 6) / 6", (-3.0, 3.0)),
                ("clamp((x + 1) / 2, 0, 1)", (-1.0, 1.0)),
            ]
        );
        let falling = HardSigmoid::affine(-2.0, 0.5, KinkRule::Strict).unwrap();
        assert_eq!(falling.kinks(), Some((-0.25, 0.25)));
        assert_eq!(HardSigmoid::affine(-0.0, 0.5, KinkRule::Strict).unwrap().kinks(), None);
    }

    proptest! {
        #[test]
        fn display_round_trips(alpha: f32, beta: f32, rule in 0..KinkRule::ALL.len()) {
            if let Ok(definition) = HardSigmoid::affine(alpha, beta, KinkRule::ALL[rule]) {
                prop_assert_eq!(definition.to_string().parse(), Ok(definition));
            }
        }
    }
}
