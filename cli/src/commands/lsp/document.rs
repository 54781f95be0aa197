//! A document of an editor, and what the compiler says of it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use cellc_compiler::check::{Bindings, Inspection, NamedValue, default_dims, inspect};
use cellc_compiler::diagnostic::{Diagnostic, Source, Span};
use cellc_compiler::unit::Unit;
use lsp_types::Uri;

use super::uri::path_of;
use crate::load::{plain, resolve_by};

/// A file as it is in an editor.
pub(super) struct Document {
    pub(super) uri: Uri,
    /// The editor counts its changes.
    pub(super) version: i32,
    /// Its text, under its path, or under its URI if it is in no file yet.
    pub(super) source: Source,
    pub(super) analysis: Analysis,
    /// The faults that the editor shows.
    pub(super) shown: Option<Vec<lsp_types::Diagnostic>>,
}

impl Document {
    /// A document that nothing is known of yet.
    pub(super) fn new(uri: Uri, version: i32, text: String) -> Self {
        let path = path_of(&uri).map(|path| plain(&path).display().to_string());
        let source = Source::new(path.unwrap_or_else(|| uri.as_str().to_owned()), text);
        Self { uri, version, source, analysis: Analysis::default(), shown: None }
    }
}

/// What the compiler says of a document, be there faults in it or not.
#[derive(Default)]
pub(super) struct Analysis {
    /// The document with what it imports, as far as it could be parsed.
    pub(super) unit: Option<Unit>,
    pub(super) diagnostics: Vec<Diagnostic>,
    /// The shapes of what has a name.
    pub(super) values: Vec<NamedValue>,
}

impl Analysis {
    /// Parses and checks a document. Sizes of dimensions are chosen, as in `cellc check`.
    pub(super) fn of(source: &Source, read: &dyn Fn(&Path) -> Result<String, String>) -> Self {
        // A bug in the compiler must not take the editor's other documents along. Nothing that was
        // half done is used afterwards.
        let analysis = catch_unwind(AssertUnwindSafe(|| Self::made(source.clone(), read)));
        analysis.unwrap_or_else(|panic| Self {
            diagnostics: vec![Diagnostic::error(internal(&*panic), Span::default())],
            ..Self::default()
        })
    }

    fn made(source: Source, read: &dyn Fn(&Path) -> Result<String, String>) -> Self {
        let (unit, faults) = Unit::recover(source, &mut |by, place| resolve_by(read, by, place));
        let bindings = Bindings { dims: default_dims(unit.root()), hypers: Vec::new() };
        let Inspection { diagnostics, values, .. } = inspect(&unit, &bindings);
        // Faults of form come before those of meaning, which may follow from them.
        let diagnostics = if faults.is_empty() { diagnostics } else { faults };
        Self { unit: Some(unit), diagnostics, values }
    }
}

fn internal(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default();
    format!("internal error: {text}")
}
