//! What is wrong with a cell's text, where, and how to mend it; and how that is drawn.

use std::ops::Range;
use std::{iter, slice};

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Patch, Renderer, Snippet};

/// The text of a cell and the name it is reported under, such as its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What the text is called in diagnostics.
    pub name: String,
    /// The text.
    pub text: String,
}

impl Source {
    /// A named text.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// The line and the column of a byte, in characters, both from 1.
    pub fn position(&self, at: usize) -> (usize, usize) {
        let before = &self.text[..self.text.floor_char_boundary(at)];
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        (line, column)
    }
}

/// A text on its own is a list of one: it is number 0.
impl AsRef<[Self]> for Source {
    fn as_ref(&self) -> &[Self] {
        slice::from_ref(self)
    }
}

/// A range of bytes of a [`Source`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The number of the source, among those of one cell: 0 is the file that the cell stands in.
    pub file: usize,
    /// The first byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// The bytes of a source from `start` up to `end`.
    pub fn new(file: usize, start: usize, end: usize) -> Self {
        Self { file, start, end }
    }

    /// From the start of this span to the end of another.
    #[must_use]
    pub fn to(self, end: Self) -> Self {
        Self { end: end.end, ..self }
    }

    /// Whether another span lies within this one.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.file == other.file && self.start <= other.start && other.end <= self.end
    }

    /// The place before its first byte.
    #[must_use]
    pub fn before(self) -> Self {
        Self { end: self.start, ..self }
    }

    /// The place after its last byte.
    #[must_use]
    pub fn after(self) -> Self {
        Self { start: self.end, ..self }
    }
}

/// How grave a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// The text has no meaning as it stands.
    Error,
    /// The text has a meaning, but perhaps not the intended one.
    Warning,
}

/// A note at a place in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What is to be seen there.
    pub text: String,
}

/// A change of the text that would mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// What is replaced.
    pub span: Span,
    /// What replaces it.
    pub replacement: String,
}

/// A fault in a text: what and where it is, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How grave it is.
    pub severity: Severity,
    /// What is wrong, in one line.
    pub message: String,
    /// The place it is reported at.
    pub primary: Label,
    /// Other places that bear on it.
    pub secondary: Vec<Label>,
    /// What to do about it.
    pub help: Option<String>,
    /// The mend as a change of one text; its title is `help`.
    pub edits: Vec<Edit>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(message: impl Into<String>, span: Span) -> Self {
        Self::new(Severity::Error, message, span)
    }

    /// A warning at a place.
    pub fn warning(message: impl Into<String>, span: Span) -> Self {
        Self::new(Severity::Warning, message, span)
    }

    fn new(severity: Severity, message: impl Into<String>, span: Span) -> Self {
        Self {
            severity,
            message: message.into(),
            primary: Label { span, text: String::new() },
            secondary: Vec::new(),
            help: None,
            edits: Vec::new(),
        }
    }

    /// Says what is to be seen at the primary place.
    #[must_use]
    pub fn label(mut self, text: impl Into<String>) -> Self {
        self.primary.text = text.into();
        self
    }

    /// Adds another place that bears on the fault.
    #[must_use]
    pub fn also(mut self, span: Span, text: impl Into<String>) -> Self {
        self.secondary.push(Label { span, text: text.into() });
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// Adds a change of the text that, with its siblings, carries out the help.
    #[must_use]
    pub fn edit(mut self, span: Span, replacement: impl Into<String>) -> Self {
        self.edits.push(Edit { span, replacement: replacement.into() });
        self
    }

    /// Whether the text has no meaning because of it.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// Draws diagnostics with the lines of text they point at, in colour for a terminal. The sources are
/// those that the diagnostics' spans are of, by number: a [`Source`], or a list of them.
///
/// # Panics
/// If a span is of none of the sources.
pub fn render(
    diagnostics: &[Diagnostic],
    sources: &(impl AsRef<[Source]> + ?Sized),
    color: bool,
) -> String {
    let renderer = if color {
        Renderer::styled().decor_style(DecorStyle::Unicode)
    } else {
        Renderer::plain().decor_style(DecorStyle::Ascii)
    };
    let mut drawn = String::new();
    for (i, diagnostic) in diagnostics.iter().enumerate() {
        if i > 0 {
            drawn.push('\n');
        }
        drawn.push_str(&renderer.render(&groups(diagnostic, sources.as_ref())));
        drawn.push('\n');
    }
    drawn
}

fn groups<'a>(diagnostic: &'a Diagnostic, sources: &'a [Source]) -> Vec<Group<'a>> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let labels = || {
        let primary = (AnnotationKind::Primary, &diagnostic.primary);
        let secondary = diagnostic.secondary.iter().map(|label| (AnnotationKind::Context, label));
        iter::once(primary).chain(secondary)
    };
    let snippet = |(file, source): (usize, &'a Source)| {
        let labels = labels().filter(|(_, label)| label.span.file == file);
        let annotations: Vec<_> = labels
            .map(|(kind, Label { span, text })| {
                kind.span(range(source, *span)).label((!text.is_empty()).then_some(text.as_str()))
            })
            .collect();
        let snippet = Snippet::source(source.text.as_str()).path(source.name.as_str());
        (!annotations.is_empty()).then(|| snippet.annotations(annotations))
    };
    let snippets = in_order(sources, diagnostic.primary.span.file).filter_map(snippet);
    let group = level.primary_title(diagnostic.message.as_str()).elements(snippets);
    let Some(help) = diagnostic.help.as_deref() else { return vec![group] };
    let Some(first) = diagnostic.edits.first() else {
        return vec![group.element(Level::HELP.message(help))];
    };
    let source = &sources[first.span.file];
    let patched = Snippet::source(source.text.as_str()).path(source.name.as_str()).patches(
        (diagnostic.edits.iter())
            .map(|edit| Patch::new(range(source, edit.span), edit.replacement.as_str())),
    );
    vec![group, Level::HELP.secondary_title(help).element(patched)]
}

/// The sources with their numbers, one of them first.
fn in_order(sources: &[Source], first: usize) -> impl Iterator<Item = (usize, &Source)> {
    let others = sources.iter().enumerate().filter(move |(file, _)| *file != first);
    iter::once((first, &sources[first])).chain(others)
}

/// The bytes of a span, moved to the nearest places that the text can be cut at.
fn range(source: &Source, span: Span) -> Range<usize> {
    let floor = |at: usize| source.text.floor_char_boundary(at);
    let start = floor(span.start);
    start..floor(span.end).max(start)
}
