// Starts `cellc lsp`, tells it what is edited, and shows what it answers.
"use strict";

const vscode = require("vscode");
const { Client } = require("./client");

const LANGUAGE = "cellc";
let client;

async function activate(context) {
  const command = vscode.workspace.getConfiguration("cellc").get("path") || "cellc";
  const shown = vscode.languages.createDiagnosticCollection("cellc");
  const notified = (method, params) => {
    if (method === "textDocument/publishDiagnostics") {
      shown.set(vscode.Uri.parse(params.uri), params.diagnostics.map(toDiagnostic));
    }
  };
  const ended = (why) => {
    shown.clear();
    vscode.window.showWarningMessage(
      `\`${command} lsp\` does not run: ${why}. The setting \`cellc.path\` says where cellc is.`,
    );
  };
  client = new Client(command, ["lsp"], notified, ended);
  context.subscriptions.push(shown);
  try {
    await client.request("initialize", { processId: process.pid, rootUri: null, capabilities: {} });
  } catch {
    // The message says why.
    return;
  }
  client.notify("initialized", {});
  follow(context);
  provide(context);
}

function deactivate() {
  return client?.leave();
}

// Tells the server of documents.
function follow(context) {
  const say = (method, params) => (document) => {
    if (document.languageId === LANGUAGE) {
      client.notify(`textDocument/${method}`, params(document));
    }
  };
  const versioned = (document) => ({ ...id(document), version: document.version });
  const open = say("didOpen", (document) => ({
    textDocument: { ...versioned(document), languageId: LANGUAGE, text: document.getText() },
  }));
  const change = say("didChange", (document) => ({
    textDocument: versioned(document),
    contentChanges: [{ text: document.getText() }],
  }));
  const save = say("didSave", (document) => ({ textDocument: id(document) }));
  const close = say("didClose", (document) => ({ textDocument: id(document) }));
  const { workspace } = vscode;
  workspace.textDocuments.forEach((document) => open(document));
  context.subscriptions.push(
    workspace.onDidOpenTextDocument(open),
    workspace.onDidChangeTextDocument(({ document }) => change(document)),
    workspace.onDidSaveTextDocument(save),
    workspace.onDidCloseTextDocument(close),
  );
}

// Asks the server for what the editor asks.
function provide(context) {
  const ask = (method, document, more) =>
    client.request(`textDocument/${method}`, { textDocument: id(document), ...more });
  const { languages } = vscode;
  context.subscriptions.push(
    languages.registerHoverProvider(LANGUAGE, {
      async provideHover(document, position) {
        const hover = await ask("hover", document, { position: place(position) });
        if (!hover) return undefined;
        const text = new vscode.MarkdownString(hover.contents.value);
        return new vscode.Hover(text, toRange(hover.range));
      },
    }),
    languages.registerDefinitionProvider(LANGUAGE, {
      async provideDefinition(document, position) {
        const found = await ask("definition", document, { position: place(position) });
        return found ? toLocation(found) : undefined;
      },
    }),
    languages.registerDocumentSymbolProvider(LANGUAGE, {
      async provideDocumentSymbols(document) {
        return ((await ask("documentSymbol", document)) ?? []).map(toSymbol);
      },
    }),
    languages.registerDocumentFormattingEditProvider(LANGUAGE, {
      async provideDocumentFormattingEdits(document, { tabSize, insertSpaces }) {
        const options = { tabSize, insertSpaces };
        return ((await ask("formatting", document, { options })) ?? []).map(toEdit);
      },
    }),
    languages.registerCodeActionsProvider(LANGUAGE, {
      async provideCodeActions(document, range) {
        const part = { start: place(range.start), end: place(range.end) };
        const more = { range: part, context: { diagnostics: [] } };
        return ((await ask("codeAction", document, more)) ?? []).map(toAction);
      },
    }),
  );
}

// From the editor's words to the protocol's, and back. Both count lines and units of UTF-16 from 0.

const id = (document) => ({ uri: document.uri.toString() });

const place = ({ line, character }) => ({ line, character });

const toRange = ({ start, end }) =>
  new vscode.Range(start.line, start.character, end.line, end.character);

const toLocation = ({ uri, range }) => new vscode.Location(vscode.Uri.parse(uri), toRange(range));

const toEdit = ({ range, newText }) => vscode.TextEdit.replace(toRange(range), newText);

function toDiagnostic({ range, message, severity, relatedInformation }) {
  // The protocol counts severities and kinds of symbols from 1, the editor from 0.
  const diagnostic = new vscode.Diagnostic(toRange(range), message, severity - 1);
  diagnostic.source = "cellc";
  diagnostic.relatedInformation = relatedInformation?.map(
    ({ location, message }) =>
      new vscode.DiagnosticRelatedInformation(toLocation(location), message),
  );
  return diagnostic;
}

function toSymbol({ name, detail, kind, range, selectionRange, children }) {
  const [whole, selection] = [toRange(range), toRange(selectionRange)];
  const symbol = new vscode.DocumentSymbol(name, detail ?? "", kind - 1, whole, selection);
  symbol.children = (children ?? []).map(toSymbol);
  return symbol;
}

function toAction({ title, edit, diagnostics }) {
  const action = new vscode.CodeAction(title, vscode.CodeActionKind.QuickFix);
  action.diagnostics = diagnostics.map(toDiagnostic);
  action.edit = new vscode.WorkspaceEdit();
  for (const [uri, edits] of Object.entries(edit.changes)) {
    action.edit.set(vscode.Uri.parse(uri), edits.map(toEdit));
  }
  return action;
}

module.exports = { activate, deactivate };
