//! The library part of the command `hard-sigmoid`: what this project's other crates take from it.
//!
//! Each feature adds modules and what they depend on:
//!
//! - without features: [`npy::header`] and [`out`], which need the standard library alone.
//! - `curves`: the module of that name, which draws.
//! - `devices`: the module of that name, with the reports of `verify`.
//! - `command` (default): all that the command needs.

#[cfg(feature = "command")]
mod choices;
#[cfg(feature = "command")]
mod command;
#[cfg(feature = "curves")]
pub mod curves;
#[cfg(all(test, feature = "command"))]
#[path = "../../../tests/common/damage.rs"]
mod damage;
#[cfg(feature = "devices")]
pub mod devices;
#[cfg(feature = "command")]
mod identify;
#[cfg(feature = "command")]
mod inspect;
#[cfg(feature = "command")]
mod list;
pub mod npy;
pub mod out;
#[cfg(feature = "command")]
mod outcome;
#[cfg(feature = "command")]
mod output;
#[cfg(feature = "command")]
mod paths;
#[cfg(feature = "command")]
mod progress;
#[cfg(feature = "command")]
mod quantization;
#[cfg(feature = "command")]
mod report;
#[cfg(feature = "command")]
mod run;
#[cfg(feature = "command")]
mod stream;
#[cfg(feature = "command")]
mod table;
#[cfg(feature = "command")]
pub mod verify;
#[cfg(feature = "command")]
mod wgsl;

#[cfg(feature = "command")]
pub use command::main;
