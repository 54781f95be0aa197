//! The open documents, and what editors ask of them.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use cellc_compiler::diagnostic::{Source, Span};
use cellc_compiler::syntax::format;
use cellc_compiler::unit::Unit;
use lsp_server::{Connection, ErrorCode, Message, Notification, Request, Response};
use lsp_types::notification::{
    DidChangeTextDocument, DidCloseTextDocument, DidOpenTextDocument, DidSaveTextDocument,
    Notification as _, PublishDiagnostics,
};
use lsp_types::request::{
    CodeActionRequest, DocumentSymbolRequest, Formatting, GotoDefinition, HoverRequest,
    Request as _,
};
use lsp_types::{
    CodeActionOrCommand, DocumentSymbolResponse, GotoDefinitionResponse, Hover, HoverContents,
    HoverProviderCapability, InitializeResult, Location, MarkupContent, MarkupKind, OneOf,
    PositionEncodingKind, PublishDiagnosticsParams, ServerCapabilities, ServerInfo,
    TextDocumentPositionParams, TextDocumentSyncCapability, TextDocumentSyncKind,
    TextDocumentSyncOptions, TextEdit, Uri,
};
use serde::de::DeserializeOwned;
use serde_json::{from_value, to_value};

use super::document::{Analysis, Document};
use super::names::{self, Mention};
use super::position::Lines;
use super::{diagnostics, hover, symbols, uri};
use crate::load;

type Served<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Serves an editor until it says `exit`, or is gone. The exit status is 1 if it was not told to shut
/// down before, as the protocol has it.
pub(super) fn serve(connection: &Connection) -> Served<ExitCode> {
    let (id, _) = connection.initialize_start()?;
    let result = InitializeResult {
        capabilities: capabilities(),
        server_info: Some(ServerInfo {
            name: "cellc".to_owned(),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        }),
    };
    connection.initialize_finish(id, to_value(result)?)?;
    let mut server = Server { connection, documents: BTreeMap::new() };
    for message in &connection.receiver {
        match message {
            Message::Request(request) => {
                if connection.handle_shutdown(&request)? {
                    return Ok(ExitCode::SUCCESS);
                }
                connection.sender.send(server.answer(request).into())?;
            }
            Message::Notification(notification) if notification.method == "exit" => break,
            Message::Notification(notification) => server.notice(notification)?,
            // The server asks nothing.
            Message::Response(_) => {}
        }
    }
    Ok(ExitCode::from(1))
}

fn capabilities() -> ServerCapabilities {
    ServerCapabilities {
        position_encoding: Some(PositionEncodingKind::UTF16),
        text_document_sync: Some(TextDocumentSyncCapability::Options(TextDocumentSyncOptions {
            open_close: Some(true),
            change: Some(TextDocumentSyncKind::FULL),
            save: Some(true.into()),
            ..TextDocumentSyncOptions::default()
        })),
        hover_provider: Some(HoverProviderCapability::Simple(true)),
        definition_provider: Some(OneOf::Left(true)),
        document_symbol_provider: Some(OneOf::Left(true)),
        document_formatting_provider: Some(OneOf::Left(true)),
        code_action_provider: Some(true.into()),
        ..ServerCapabilities::default()
    }
}

struct Server<'c> {
    connection: &'c Connection,
    /// By their URIs.
    documents: BTreeMap<String, Document>,
}

/// What changes.
impl Server<'_> {
    fn notice(&mut self, notification: Notification) -> Served<()> {
        match notification.method.as_str() {
            DidOpenTextDocument::METHOD => {
                let Some(params) = known::<DidOpenTextDocument>(notification) else {
                    return Ok(());
                };
                let document = params.text_document;
                self.set(Document::new(document.uri, document.version, document.text))
            }
            DidChangeTextDocument::METHOD => {
                let Some(params) = known::<DidChangeTextDocument>(notification) else {
                    return Ok(());
                };
                let document = params.text_document;
                // Each change is the whole text.
                match params.content_changes.into_iter().next_back() {
                    Some(last) => {
                        self.set(Document::new(document.uri, document.version, last.text))
                    }
                    None => Ok(()),
                }
            }
            // Others may import it.
            DidSaveTextDocument::METHOD => self.refresh(),
            DidCloseTextDocument::METHOD => {
                let Some(params) = known::<DidCloseTextDocument>(notification) else {
                    return Ok(());
                };
                let closed = self.documents.remove(params.text_document.uri.as_str());
                if let Some(Document { uri, .. }) = closed {
                    self.publish(PublishDiagnosticsParams::new(uri, Vec::new(), None))?;
                }
                self.refresh()
            }
            _ => Ok(()),
        }
    }

    fn set(&mut self, document: Document) -> Served<()> {
        self.documents.insert(document.uri.as_str().to_owned(), document);
        self.refresh()
    }

    /// Checks all documents, since each may import others, and shows what is wrong with them now.
    fn refresh(&mut self) -> Served<()> {
        let read = |path: &Path| match self.open(path) {
            Some(document) => Ok(document.source.text.clone()),
            None => load::read(path),
        };
        let documents = self.documents.values();
        let analyses: Vec<_> =
            documents.map(|document| Analysis::of(&document.source, &read)).collect();
        for (document, analysis) in self.documents.values_mut().zip(analyses) {
            document.analysis = analysis;
        }
        let documents = self.documents.values();
        let shown: Vec<_> = documents
            .map(|document| diagnostics::shown(document, &|source| self.locate(source)))
            .collect();
        let mut changed = Vec::new();
        for (document, shown) in self.documents.values_mut().zip(shown) {
            if document.shown.as_ref() != Some(&shown) {
                document.shown = Some(shown.clone());
                let (uri, version) = (document.uri.clone(), Some(document.version));
                changed.push(PublishDiagnosticsParams::new(uri, shown, version));
            }
        }
        changed.into_iter().try_for_each(|params| self.publish(params))
    }

    fn publish(&self, params: PublishDiagnosticsParams) -> Served<()> {
        let notification = Notification::new(PublishDiagnostics::METHOD.to_owned(), params);
        Ok(self.connection.sender.send(notification.into())?)
    }

    /// The document that is open under a path.
    fn open(&self, path: &Path) -> Option<&Document> {
        let mut documents = self.documents.values();
        documents.find(|document| Path::new(&document.source.name) == path)
    }

    /// Where a source is, if it is a file.
    fn locate(&self, source: &Source) -> Option<Uri> {
        let path = Path::new(&source.name);
        match self.open(path) {
            Some(document) => Some(document.uri.clone()),
            None => uri::uri_of(path),
        }
    }
}

/// The parameters of a notification; what has others than the protocol says is passed over.
fn known<N: lsp_types::notification::Notification>(
    notification: Notification,
) -> Option<N::Params> {
    from_value(notification.params).ok()
}

/// What is asked.
impl Server<'_> {
    fn answer(&self, request: Request) -> Response {
        match request.method.as_str() {
            HoverRequest::METHOD => answered::<HoverRequest>(request, |params| {
                self.hover(&params.text_document_position_params)
            }),
            GotoDefinition::METHOD => answered::<GotoDefinition>(request, |params| {
                self.definition(&params.text_document_position_params)
            }),
            DocumentSymbolRequest::METHOD => answered::<DocumentSymbolRequest>(request, |params| {
                let (document, unit) = self.analysed(&params.text_document.uri)?;
                let lines = Lines::new(&document.source.text);
                Some(DocumentSymbolResponse::Nested(symbols::of_file(unit.root(), &lines)))
            }),
            Formatting::METHOD => {
                answered::<Formatting>(request, |params| self.formatted(&params.text_document.uri))
            }
            CodeActionRequest::METHOD => answered::<CodeActionRequest>(request, |params| {
                let document = self.documents.get(params.text_document.uri.as_str())?;
                let locate = |source: &Source| self.locate(source);
                let mends = diagnostics::mends(document, params.range, &locate);
                Some(mends.into_iter().map(CodeActionOrCommand::CodeAction).collect())
            }),
            method => {
                let message = format!("`{method}` is not offered");
                Response::new_err(request.id.clone(), ErrorCode::MethodNotFound as i32, message)
            }
        }
    }

    /// A document that the compiler came to an end with.
    fn analysed(&self, uri: &Uri) -> Option<(&Document, &Unit)> {
        let document = self.documents.get(uri.as_str())?;
        Some((document, document.analysis.unit.as_ref()?))
    }

    fn mention(&self, at: &TextDocumentPositionParams) -> Option<(&Document, &Unit, Mention<'_>)> {
        let (document, unit) = self.analysed(&at.text_document.uri)?;
        let byte = Lines::new(&document.source.text).offset(at.position);
        Some((document, unit, names::at(unit, byte)?))
    }

    fn hover(&self, at: &TextDocumentPositionParams) -> Option<Hover> {
        let (document, unit, mention) = self.mention(at)?;
        let value = hover::text(&document.analysis, unit, mention)?;
        let contents = HoverContents::Markup(MarkupContent { kind: MarkupKind::Markdown, value });
        let range = Lines::new(&document.source.text).range(mention.span);
        Some(Hover { contents, range: Some(range) })
    }

    fn definition(&self, at: &TextDocumentPositionParams) -> Option<GotoDefinitionResponse> {
        let (_, unit, mention) = self.mention(at)?;
        let span: Span = mention.meaning.introduced()?;
        let source = &unit.sources[span.file];
        // What is of the catalogue is in no file.
        let uri = self.locate(source)?;
        let range = Lines::new(&source.text).range(span);
        Some(GotoDefinitionResponse::Scalar(Location { uri, range }))
    }

    /// The changes that `cellc fmt` would make: none where there are faults.
    fn formatted(&self, uri: &Uri) -> Option<Vec<TextEdit>> {
        let source = &self.documents.get(uri.as_str())?.source;
        let formatted = format(source).ok()?;
        if formatted == source.text {
            return Some(Vec::new());
        }
        Some(vec![TextEdit::new(Lines::new(&source.text).whole(), formatted)])
    }
}

/// The answer to a request, or that its parameters are not what the protocol says.
fn answered<R>(request: Request, answer: impl FnOnce(R::Params) -> R::Result) -> Response
where
    R: lsp_types::request::Request<Params: DeserializeOwned>,
{
    match from_value(request.params) {
        Ok(params) => Response::new_ok(request.id, answer(params)),
        Err(error) => {
            Response::new_err(request.id, ErrorCode::InvalidParams as i32, error.to_string())
        }
    }
}
