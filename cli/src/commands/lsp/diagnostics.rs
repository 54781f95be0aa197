//! Faults and their mends in the protocol's words.

use std::iter;

use cellc_compiler::diagnostic::{Diagnostic, Label, Severity, Source, Span};
use cellc_compiler::unit::Unit;
use lsp_types::{
    CodeAction, CodeActionKind, DiagnosticRelatedInformation, DiagnosticSeverity, Location, Range,
    TextEdit, Uri, WorkspaceEdit,
};

use super::document::Document;
use super::position::Lines;

/// Where the text of a source is, if it is in a file.
pub(super) type Locate<'l> = dyn Fn(&Source) -> Option<Uri> + 'l;

/// What is wrong with a document, for an editor to show.
pub(super) fn shown(document: &Document, locate: &Locate<'_>) -> Vec<lsp_types::Diagnostic> {
    let diagnostics = document.analysis.diagnostics.iter();
    diagnostics.map(|diagnostic| one(document, diagnostic, locate)).collect()
}

fn one(document: &Document, fault: &Diagnostic, locate: &Locate<'_>) -> lsp_types::Diagnostic {
    let unit = document.analysis.unit.as_ref();
    let Diagnostic { primary, secondary, .. } = fault;
    let is_elsewhere = primary.span.file != 0;
    let also = is_elsewhere.then_some(primary).into_iter().chain(secondary);
    let related = |label: &Label| {
        let source = &unit?.sources[label.span.file];
        let range = Lines::new(&source.text).range(label.span);
        let location = Location { uri: locate(source)?, range };
        let text = if label.text.is_empty() { &fault.message } else { &label.text };
        Some(DiagnosticRelatedInformation { location, message: text.clone() })
    };
    let related: Vec<_> = also.filter_map(related).collect();
    lsp_types::Diagnostic {
        range: range(document, fault),
        severity: Some(match fault.severity {
            Severity::Error => DiagnosticSeverity::ERROR,
            Severity::Warning => DiagnosticSeverity::WARNING,
        }),
        source: Some("cellc".to_owned()),
        message: message(fault, unit),
        related_information: (!related.is_empty()).then_some(related),
        ..lsp_types::Diagnostic::default()
    }
}

/// Where a fault is shown in a document. What is wrong in another file is shown where that is called,
/// or imported.
fn range(document: &Document, fault: &Diagnostic) -> Range {
    let labels = iter::once(&fault.primary).chain(&fault.secondary);
    let here = labels.map(|label| label.span).find(|span| span.file == 0);
    let unit = document.analysis.unit.as_ref();
    let import = || unit.and_then(|unit| import_of(unit, fault.primary.span.file));
    let span = here.or_else(import).unwrap_or_default();
    Lines::new(&document.source.text).range(span)
}

/// Where the first file of a unit imports another from, or what imports that.
fn import_of(unit: &Unit, file: usize) -> Option<Span> {
    let mut imports = unit.root().uses.iter().zip(&unit.targets[0]);
    let found = imports.find(|(_, target)| leads_to(unit, **target, file));
    found.map(|(import, _)| import.span)
}

fn leads_to(unit: &Unit, from: usize, file: usize) -> bool {
    // Files are numbered as they are found: each has a number above that of one that imports it.
    let further = || unit.targets[from].iter().filter(|next| **next > from);
    from == file || further().any(|next| leads_to(unit, *next, file))
}

/// What is wrong, what is to be seen there, and what to do about it.
fn message(fault: &Diagnostic, unit: Option<&Unit>) -> String {
    let mut text = fault.message.clone();
    let Label { span, text: label } = &fault.primary;
    if let Some(source) = unit.filter(|_| span.file != 0).map(|unit| &unit.sources[span.file]) {
        let (line, column) = source.position(span.start);
        text.push_str(&format!("\nin {}:{line}:{column}", source.name));
    }
    if !label.is_empty() {
        text.push_str(&format!("\n{label}"));
    }
    if let Some(help) = &fault.help {
        text.push_str(&format!("\nhelp: {help}"));
    }
    text
}

/// The mends of the faults in a part of a document that are changes of its text.
pub(super) fn mends(document: &Document, part: Range, locate: &Locate<'_>) -> Vec<CodeAction> {
    let lines = Lines::new(&document.source.text);
    let faults = document.analysis.diagnostics.iter();
    let faults = faults.filter(|fault| !fault.edits.is_empty());
    let faults = faults.filter(|fault| fault.edits.iter().all(|edit| edit.span.file == 0));
    let mend = |fault: &Diagnostic| {
        let at = range(document, fault);
        let edits = fault.edits.iter().map(|edit| {
            let span = edit.span;
            TextEdit::new(lines.range(span), edit.replacement.clone())
        });
        #[allow(clippy::mutable_key_type, reason = "a URI's hash is that of its text")]
        let changes = [(document.uri.clone(), edits.collect())].into_iter().collect();
        (at.start <= part.end && part.start <= at.end).then(|| CodeAction {
            title: fault.help.clone().unwrap_or_else(|| fault.message.clone()),
            kind: Some(CodeActionKind::QUICKFIX),
            diagnostics: Some(vec![one(document, fault, locate)]),
            edit: Some(WorkspaceEdit { changes: Some(changes), ..WorkspaceEdit::default() }),
            ..CodeAction::default()
        })
    };
    faults.filter_map(mend).collect()
}
