//! What is found in a model.

use super::{
    chain::{self, OnPaper, Recognized, Step},
    computed::{Computed, as_texts},
    eight_bits::EightBits,
    function::Function,
};
use hard_sigmoid::HardSigmoid;
use serde::Serialize;

/// A hard sigmoid or hard swish in a model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Activation {
    /// The name of the node or layer.
    pub name: String,
    /// The function on paper.
    pub function: Function,
    /// How the file writes it.
    pub written: String,
    /// How often the model computes it: once in each call of its layer, and in each direction of a recurrent layer.
    pub times: usize,
    /// The definitions that it may have. For an operation that has a name in a framework, these are the framework's.
    /// For any other, they are those with exactly its bits. There are none if nobody has these bits.
    #[serde(serialize_with = "as_texts")]
    pub definitions: Vec<HardSigmoid>,
    /// What it computes: several if the file doesn't say which.
    pub computed: Vec<Computed>,
    /// How its gradient differs from that of the definitions.
    pub gradient: Option<&'static str>,
    /// Who computes another function than the file says, or what makes its bits others.
    pub warning: Option<&'static str>,
    /// The type in which the model computes it. None if it is float32, or not known.
    pub dtype: Option<&'static str>,
    /// What it is in 8 bits. None if it isn't quantized.
    pub quantized: Option<Box<EightBits>>,
    #[serde(skip)]
    pub(crate) ways: Vec<Way>,
}

/// A way to compute an activation.
#[derive(Clone, Debug, PartialEq)]
pub struct Way {
    /// Who computes it so. Empty if there is no other way.
    pub computed_by: &'static str,
    pub on_paper: OnPaper,
    pub how: How,
}

#[derive(Clone, Debug, PartialEq)]
pub enum How {
    /// By a function of a framework, which has a definition.
    Defined(HardSigmoid),
    Steps(Vec<Step>),
}

impl How {
    pub fn text(&self, function: Function) -> String {
        match *self {
            // PyTorch divides last.
            Self::Defined(HardSigmoid::PYTORCH) if function == Function::HardSwish => {
                "(x · clamp(x + 3, 0, 6)) / 6".into()
            }
            Self::Defined(definition) if function == Function::HardSwish => format!("x · ({})", definition.formula()),
            Self::Defined(definition) => definition.formula(),
            Self::Steps(ref steps) => chain::text(steps),
        }
    }
}

impl Way {
    /// A function that a framework has under a name.
    pub fn defined(computed_by: &'static str, definition: HardSigmoid) -> Self {
        Self {
            computed_by,
            on_paper: OnPaper::new(definition.slope(), definition.shift()),
            how: How::Defined(definition),
        }
    }
}

impl Activation {
    pub(crate) fn new(name: String, function: Function, written: String, ways: Vec<Way>) -> Self {
        Self {
            name,
            function,
            written,
            times: 1,
            definitions: vec![],
            computed: vec![],
            gradient: None,
            warning: None,
            dtype: None,
            quantized: None,
            ways,
        }
    }

    pub(crate) fn written_out(name: String, found: Recognized) -> Self {
        let written = chain::text(&found.steps);
        let way = Way {
            computed_by: "",
            on_paper: found.on_paper,
            how: How::Steps(found.steps),
        };
        Self::new(name, found.function, written, vec![way])
    }

    /// The definitions of what was computed.
    pub(crate) fn definitions_of(&self) -> Vec<HardSigmoid> {
        let named = self.ways.iter().filter_map(|way| match way.how {
            How::Defined(definition) => Some(definition),
            How::Steps(_) => None,
        });
        let is_named = self.ways.iter().any(|way| matches!(way.how, How::Defined(_)));
        let exact = self
            .computed
            .iter()
            .filter(|_| !is_named)
            .flat_map(|one| one.exact.iter().copied());
        let mut definitions = vec![];
        for definition in named.chain(exact) {
            if !definitions.contains(&definition) {
                definitions.push(definition);
            }
        }
        definitions
    }

    /// Whether one of the results that it may have has the bits of no definition.
    pub(crate) fn may_be_none(&self) -> bool {
        self.computed.iter().any(|computed| computed.exact.is_empty())
    }

    /// The definitions that differ from all that it may compute in the sign of zero only.
    pub(crate) fn definitions_but_for_signs(&self) -> Vec<HardSigmoid> {
        let of = |computed: &Computed| -> Vec<HardSigmoid> {
            let signs = computed.roundings.iter().filter(|one| one.is_of_signs());
            signs.map(|one| one.definition).collect()
        };
        let Some((first, rest)) = self.computed.split_first() else {
            return vec![];
        };
        let is_of_all = |one: &HardSigmoid| rest.iter().all(|computed| of(computed).contains(one));
        of(first).into_iter().filter(is_of_all).collect()
    }
}

/// What was found in a model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Model {
    /// The format of its file.
    pub format: String,
    /// The program that made it, where the file says.
    pub made_by: Option<String>,
    /// Its hard sigmoids and hard swishes, in their order in the file.
    pub activations: Vec<Activation>,
    /// How many there are of each kind.
    pub totals: Vec<Total>,
    /// What the search may have missed, and where.
    pub note: Option<String>,
}

/// How many activations have the same function and definitions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Total {
    /// The function on paper.
    pub function: Function,
    /// The definitions that each of them may have.
    #[serde(serialize_with = "as_texts")]
    pub definitions: Vec<HardSigmoid>,
    /// Whether each may also have the bits of no definition.
    pub or_none: bool,
    /// Their number.
    pub count: usize,
}

impl Total {
    pub(crate) fn of(activations: &[Activation]) -> Vec<Self> {
        let mut totals: Vec<Self> = vec![];
        for one in activations {
            let or_none = one.may_be_none();
            let is_same = |total: &&mut Self| {
                (total.function, &total.definitions, total.or_none) == (one.function, &one.definitions, or_none)
            };
            match totals.iter_mut().find(is_same) {
                Some(total) => total.count += one.times,
                None => totals.push(Self {
                    function: one.function,
                    definitions: one.definitions.clone(),
                    or_none,
                    count: one.times,
                }),
            }
        }
        totals.sort_by_key(|total| total.function);
        totals
    }
}

/// A note on a node or layer.
pub fn lost(name: &str) -> String {
    format!(
        "{name} chooses by a comparison in a way that isn't followed, so a hard sigmoid written out with it isn't found"
    )
}
