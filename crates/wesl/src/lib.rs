#![doc = include_str!("../README.md")]

wesl_core::wesl_pkg!(
    /// The package in WESL.
    pub hard_sigmoid
);

#[doc(no_inline)]
pub use crate::hard_sigmoid::PACKAGE;
