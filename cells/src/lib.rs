//! The catalogue of cells, for each its name, its text and what it is for, and of libraries of
//! functions. The texts stand in `cells/*.cell`, each with its paper and its conventions in a comment.
//!
//! The compiler knows none of them: a cell of the catalogue is compiled as a user's own. This
//! crate depends on nothing, and does not parse what it holds.
//!
//! ```
//! let lstm = cellc_cells::find("lstm").expect("a cell of the catalogue");
//! assert_eq!(lstm.kind, cellc_cells::Kind::Recurrent);
//! assert!(lstm.source.contains("next c = f * c + i * g"));
//! ```

mod comment;

pub use self::comment::Paper;

/// What a cell of the catalogue is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A recurrent cell: it has a state.
    Recurrent,
    /// A layer that comes before, between or after recurrent cells in a model.
    Layer,
    /// What training makes small: its first output is one number, `loss`.
    Loss,
}

/// A cell of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The cell's name.
    pub name: &'static str,
    /// What it is for.
    pub kind: Kind,
    /// Its text.
    pub source: &'static str,
    /// The first line of its comment.
    pub summary: &'static str,
}

/// A library of the catalogue: functions that cells import, `use NAME from LIBRARY`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Library {
    /// The library's name.
    pub name: &'static str,
    /// Its text.
    pub source: &'static str,
    /// The first line of its comment.
    pub summary: &'static str,
}

macro_rules! entries {
    ($($name:literal $kind:ident,)*) => {
        [$({
            let source = include_str!(concat!("../", $name, ".cell"));
            Entry { name: $name, kind: Kind::$kind, source, summary: first_comment_line(source) }
        }),*]
    };
}

static ENTRIES: [Entry; 54] = entries! {
    // Plain: one layer, no gates.
    "rnn" Recurrent,
    "rnn_relu" Recurrent,
    "indrnn" Recurrent,
    "antisymmetric_rnn" Recurrent,
    "cornn" Recurrent,
    // LSTM and its variants.
    "lstm" Recurrent,
    "lstm_peephole" Recurrent,
    "lstm_projection" Recurrent,
    "lstm_nig" Recurrent,
    "lstm_nfg" Recurrent,
    "lstm_nog" Recurrent,
    "lstm_niaf" Recurrent,
    "lstm_noaf" Recurrent,
    "lstm_cifg" Recurrent,
    "lstm_fgr" Recurrent,
    "lstm_layer_norm" Recurrent,
    "lstm_mogrifier" Recurrent,
    "slstm" Recurrent,
    "lstm_zoneout" Recurrent,
    "lstm_recurrent_dropout" Recurrent,
    // GRU and its relatives: no cell state.
    "gru" Recurrent,
    "gru_cho" Recurrent,
    "gru_chung" Recurrent,
    "gru_layer_norm" Recurrent,
    "li_gru" Recurrent,
    "mgu" Recurrent,
    "mut1" Recurrent,
    "mut2" Recurrent,
    "mut3" Recurrent,
    "ugrnn" Recurrent,
    "rhn" Recurrent,
    // Without a product in the loop.
    "sru" Recurrent,
    "qrnn" Recurrent,
    "mingru" Recurrent,
    "minlstm" Recurrent,
    "lru" Recurrent,
    // With a matrix for a memory.
    "fast_weights" Recurrent,
    "deltanet" Recurrent,
    "gated_linear_attention" Recurrent,
    "mlstm" Recurrent,
    // Of continuous time.
    "cfc" Recurrent,
    "lmu" Recurrent,
    // Layers and losses.
    "embedding" Layer,
    "linear" Layer,
    "dropout" Layer,
    "residual" Layer,
    "mean_pool" Layer,
    "max_pool" Layer,
    "attention_pool" Layer,
    "cross_entropy" Loss,
    "smoothed_cross_entropy" Loss,
    "squared_error" Loss,
    "absolute_error" Loss,
    "huber" Loss,
};

static LIBRARIES: [Library; 1] = [{
    let source = include_str!("../norms.cell");
    Library { name: "norms", source, summary: first_comment_line(source) }
}];

/// Every library of the catalogue.
pub fn libraries() -> &'static [Library] {
    &LIBRARIES
}

/// The library of a name.
pub fn find_library(name: &str) -> Option<&'static Library> {
    LIBRARIES.iter().find(|library| library.name == name)
}

/// Every cell of the catalogue: the recurrent cells first, by family, then the layers and the losses.
pub fn all() -> &'static [Entry] {
    &ENTRIES
}

/// The cell of a name.
pub fn find(name: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.name == name)
}

/// The text after `// ` on the first line.
const fn first_comment_line(source: &'static str) -> &'static str {
    let (_, text) = source.split_at("// ".len());
    let mut end = 0;
    while text.as_bytes()[end] != b'\n' {
        end += 1;
    }
    text.split_at(end).0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_found_and_are_no_cells() {
        for library in libraries() {
            assert!(library.summary.ends_with('.'), "{}: {}", library.name, library.summary);
            assert!(!library.source.contains("\ncell "), "{}", library.name);
            assert_eq!(find_library(library.name), Some(library));
            assert_eq!(find(library.name), None);
        }
    }

    #[test]
    fn every_entry_has_a_summary_and_the_name_of_its_cell() {
        for entry in all() {
            assert!(entry.source.starts_with("// "), "{} begins with no comment", entry.name);
            assert!(entry.summary.ends_with('.'), "{}: {}", entry.name, entry.summary);
            assert!(entry.source.contains(&format!("\ncell {}(", entry.name)), "{}", entry.name);
            assert_eq!(find(entry.name), Some(entry));
        }
    }
}
