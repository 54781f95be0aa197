//! A compiler for recurrent cells: from a cell's text to native code.

pub mod autodiff;
pub mod cell;
pub mod codegen;
pub mod fuse;
pub mod ir;
pub mod jit;
pub mod opt;
pub mod phases;
pub mod pipeline;
pub mod plan;
