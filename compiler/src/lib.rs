//! A compiler for recurrent cells: from a cell's text to native code.

pub mod autodiff;
pub mod cell;
pub mod freeze;
pub mod ir;
