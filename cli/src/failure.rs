//! What ends the command early.

use std::fmt;

/// Why the command ended early. All but a closed pipe end it with exit status 2.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Something that the user can mend: what is wrong, where, and what to do about it, in one or
    /// more lines without a leading `error:`.
    Message(String),
    /// Diagnostics of a cell's text, drawn already.
    Diagnostics(String),
    /// The reader of standard output has seen enough.
    Closed,
}

impl Failure {
    /// A failure with a message of one or more lines, without a leading `error:`.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self::Message(message.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(message) => write!(f, "error: {message}"),
            Self::Diagnostics(drawn) => f.write_str(drawn.trim_end()),
            Self::Closed => Ok(()),
        }
    }
}
