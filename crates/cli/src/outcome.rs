//! How a command ends: with an answer, or with what is wrong.

use crate::out;
use std::error::Error;

/// Whether the answer is yes, or what is wrong with the input.
pub type Outcome = Result<bool, Box<dyn Error + Send + Sync>>;

/// One line on standard error.
pub fn complain(message: &str) {
    out::complain("hard-sigmoid", message);
}
