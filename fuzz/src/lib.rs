//! What the targets share: calls of the C interface with any arguments, a model of what they set, and what holds for
//! every program that is compiled.

pub mod calls;
pub mod model;
pub mod sound;
pub mod values;
