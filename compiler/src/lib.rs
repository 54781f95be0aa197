//! A compiler for recurrent cells: from a cell's text to native code.

pub mod autodiff;
pub mod cell;
pub mod check;
pub mod diagnostic;
pub mod freeze;
pub mod ir;
pub(crate) mod suggest;
pub mod syntax;
