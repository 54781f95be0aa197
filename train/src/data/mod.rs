//! Users' data: from files to sequences of numbers, and the order in which they are read.
//!
//! | module | knows |
//! |---|---|
//! | [`table`] | rows of CSV, TSV, JSON lines, Parquet and NumPy files |
//! | [`text`] | plain text, piece by piece |
//! | [`tokenizer`] | texts as numbers of characters, words or parts of words, and back |
//! | [`store`] | sequences in memory, and beyond a limit in a temporary file |
//! | [`normalize`] | channels of numbers brought to one scale, and back |
//! | [`split`] | which examples are trained on, and which a model is judged by |
//!
//! Nothing here holds a whole file in memory, and nothing depends on anything but the files and seeds:
//! what is drawn at random is a pure function of a seed.

mod error;
pub mod normalize;
pub mod split;
pub mod store;
pub mod table;
pub mod text;
pub mod tokenizer;
mod utf8;
pub mod vocabulary;
pub mod words;

pub use error::DataError;
pub(crate) use error::{list, rereadable};
pub use utf8::decompressed;
