//! One file per subcommand: its arguments, and what it does with them. What `compare` and `sweep`
//! share is in `series`.

pub(crate) mod bench;
pub(crate) mod cells;
pub(crate) mod check;
pub(crate) mod compare;
pub(crate) mod convert;
pub(crate) mod eval;
pub(crate) mod fmt;
pub(crate) mod gradcheck;
pub(crate) mod info;
pub(crate) mod lsp;
pub(crate) mod predict;
pub(crate) mod run;
pub(crate) mod sample;
pub(crate) mod series;
pub(crate) mod show;
pub(crate) mod sweep;
pub(crate) mod tasks;
pub(crate) mod train;
