//! An operation from its name and its numbers, for programs that keep them as text or in a file.

use crate::math::{
    binarize::{Binarization, Signs, StraightThrough},
    broadcast::{Broadcast, BroadcastGate},
    definition::HardSigmoid,
    error::{OpError, ParseError},
    finite::Finite,
    op::{Binary, Op, Unary},
    parameters::Parameters,
};

impl Op {
    /// The operation of this name, with these parameters.
    ///
    /// ```
    /// use hard_sigmoid::{HardSigmoid, Op, Parameters, Unary};
    ///
    /// let parameters = Parameters {
    ///     definition: Some(HardSigmoid::JAX),
    ///     ..Default::default()
    /// };
    /// let op = Op::new("hard_swish", &parameters)?;
    /// assert_eq!(op, Unary::HardSwish(HardSigmoid::JAX).into());
    /// // Every operation can be taken apart and made again.
    /// assert_eq!(Op::new(op.name(), &op.parameters()), Ok(op));
    /// # Ok::<(), hard_sigmoid::OpError>(())
    /// ```
    ///
    /// # Errors
    /// [`OpError::Name`] if no operation has this name, [`OpError::MissingParameter`] if one is needed,
    /// [`OpError::ExtraParameter`] if the operation doesn't take one that is given; [`OpError::NotFinite`] and
    /// [`OpError::BroadcastShape`] if a number is wrong.
    pub fn new(name: &str, parameters: &Parameters) -> Result<Self, OpError> {
        let all = Self::all(parameters.definition.unwrap_or(HardSigmoid::COURBARIAUX));
        let mut names: Vec<_> = all.iter().map(|op| op.name()).collect();
        names.dedup();
        let name = ParseError::find("operation", name, &names)?;
        let of_this_name = all.iter().find(|op| op.name() == name);
        let given = Given { op: name, parameters };
        let op = match *of_this_name.expect("it is one of the names") {
            Self::Unary(Unary::Binarize(_)) => Self::Unary(Unary::Binarize(Signs {
                how: given.binarization()?,
                scale: given.scale()?,
            })),
            Self::Binary(Binary::StraightThrough(_)) => Self::Binary(Binary::StraightThrough(
                parameters.estimator.unwrap_or(StraightThrough::HardTanh),
            )),
            Self::Pack(_) => Self::Pack(given.binarization()?),
            Self::Unpack(_) => Self::Unpack(given.scale()?),
            Self::GateBroadcast(_) => Self::GateBroadcast(given.gate()?),
            Self::GateBroadcastSums(_) => Self::GateBroadcastSums(given.gate()?),
            Self::Lookup => Self::Lookup,
            Self::LookupGate(_) => Self::LookupGate(given.shape()?),
            // The other operations have no parameter but a definition.
            op => given.definition().map(|_| op)?,
        };
        given.check_all_are_taken(op.parameters())?;
        Ok(op)
    }
}

/// What [`Op::new`] is given for the operation of this name.
#[derive(Clone, Copy)]
struct Given<'a> {
    op: &'static str,
    parameters: &'a Parameters,
}

impl Given<'_> {
    fn needed<T>(self, parameter: &'static str, value: Option<T>) -> Result<T, OpError> {
        value.ok_or(OpError::MissingParameter { op: self.op, parameter })
    }

    fn definition(self) -> Result<HardSigmoid, OpError> {
        self.needed("definition", self.parameters.definition)
    }

    fn binarization(self) -> Result<Binarization, OpError> {
        let Parameters {
            definition,
            seed,
            offset,
            ..
        } = *self.parameters;
        if definition.is_none() && seed.is_none() && offset.is_none() {
            return Ok(Binarization::Deterministic);
        }
        Ok(Binarization::Stochastic {
            probability: definition.unwrap_or(HardSigmoid::COURBARIAUX),
            seed: self.needed("seed", seed)?,
            offset: offset.unwrap_or(0),
        })
    }

    fn scale(self) -> Result<Finite, OpError> {
        Ok(Finite::new("scale", self.parameters.scale.unwrap_or(1.0))?)
    }

    fn gate(self) -> Result<BroadcastGate, OpError> {
        let definition = self.definition()?;
        let shape = self.shape()?;
        BroadcastGate::new(definition, shape.middle(), shape.inner())
    }

    fn shape(self) -> Result<Broadcast, OpError> {
        let middle = self.needed("middle", self.parameters.middle)?;
        Broadcast::new(middle, self.parameters.inner.unwrap_or(1))
    }

    fn check_all_are_taken(self, taken: Parameters) -> Result<(), OpError> {
        for ((parameter, is_given), (_, is_taken)) in self.parameters.present().into_iter().zip(taken.present()) {
            if is_given && !is_taken {
                return Err(OpError::ExtraParameter { op: self.op, parameter });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::definition::KinkRule;

    #[test]
    fn every_operation_is_made_of_its_name_and_parameters() {
        let affine = HardSigmoid::affine(0.3, 0.25, KinkRule::Half).unwrap();
        for definition in [HardSigmoid::PYTORCH, affine] {
            for op in Op::all(definition) {
                assert_eq!(Op::new(op.name(), &op.parameters()), Ok(op));
            }
        }
    }

    #[test]
    fn what_is_left_out_has_a_default_or_is_missing() {
        let none = Parameters::default();
        let default = [
            (
                "binarize",
                Unary::binarize(Binarization::Deterministic, 1.0).unwrap().into(),
            ),
            ("pack", Op::Pack(Binarization::Deterministic)),
            ("unpack", Op::Unpack(Finite::ONE)),
            ("lookup", Op::Lookup),
            (
                "straight_through",
                Binary::StraightThrough(StraightThrough::HardTanh).into(),
            ),
        ];
        for op in Op::all(HardSigmoid::KERAS) {
            let found = Op::new(op.name(), &none);
            match default.iter().find(|(name, _)| *name == op.name()) {
                Some((_, expected)) => assert_eq!(found, Ok(*expected)),
                None if op.definition().is_none() => assert!(found.is_err(), "{op:?}"),
                None => {
                    let error = found.unwrap_err().to_string();
                    assert!(error.contains("needs a hard sigmoid"), "{error}");
                }
            }
        }
        let seed = Some(7);
        let drawn = Op::new("pack", &Parameters { seed, ..none });
        assert_eq!(drawn, Ok(Op::Pack(Binarization::stochastic(7, 0))));
    }

    #[test]
    fn wrong_names_and_parameters_are_refused() {
        let of = Parameters::of(HardSigmoid::JAX);
        let refused = |name, parameters: Parameters, message: &str| {
            let error = Op::new(name, &parameters).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        };
        refused(
            "sigmoid",
            of,
            "no operation is called \"sigmoid\"; use one of forward, hard_swish, ",
        );
        refused(
            "sigmoid",
            of,
            "pack, unpack, gate_broadcast, gate_broadcast_sums, lookup, lookup_gate",
        );
        refused("forward", Parameters { seed: Some(1), ..of }, "forward takes no seed");
        refused("unpack", of, "unpack takes no definition");
        refused("binarize", of, "binarize draws at random only with a seed");
        refused(
            "pack",
            Parameters {
                offset: Some(1),
                ..Parameters::NONE
            },
            "pack draws at random only with a seed",
        );
        refused("gate_broadcast", of, "gate_broadcast needs middle");
        refused("gate", Parameters { inner: Some(1), ..of }, "gate takes no inner");
        refused(
            "gate_broadcast",
            Parameters {
                middle: Some(0),
                inner: Some(1),
                ..of
            },
            "both must be at least 1",
        );
        refused(
            "binarize",
            Parameters {
                scale: Some(f32::NAN),
                ..Parameters::NONE
            },
            "scale is NaN",
        );
        assert_eq!(Op::new(" Forward", &of), Ok(Unary::Forward(HardSigmoid::JAX).into()));
    }
}
