//! `cellc lsp`, as an editor speaks to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::support::Folder;

/// A run of the server, and what it said that was no answer.
struct Editor {
    server: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    requests: i32,
    /// What the server shows, as it came: URI and diagnostics.
    shown: Vec<(String, Value)>,
}

impl Editor {
    /// Starts the server.
    fn started() -> Self {
        let mut server = Command::new(env!("CARGO_BIN_EXE_cellc"))
            .args(["lsp", "--stdio"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary was built with the test");
        let input = server.stdin.take().expect("it is piped");
        let output = BufReader::new(server.stdout.take().expect("it is piped"));
        Self { server, input, output, requests: 0, shown: Vec::new() }
    }

    /// Starts the server and says hello.
    fn new() -> Self {
        let mut editor = Self::started();
        let hello = editor.asks("initialize", json!({ "capabilities": {} }));
        assert_eq!(hello["capabilities"]["positionEncoding"], "utf-16");
        assert_eq!(hello["capabilities"]["textDocumentSync"]["change"], 1);
        editor.says("initialized", json!({}));
        editor
    }

    fn send(&mut self, message: &Value) {
        let text = message.to_string();
        write!(self.input, "Content-Length: {}\r\n\r\n{text}", text.len()).expect("it is read");
        self.input.flush().expect("it is read");
    }

    fn receive(&mut self) -> Value {
        let mut length = 0;
        loop {
            let mut line = String::new();
            self.output.read_line(&mut line).expect("the server writes text");
            match line.trim_end().split_once(": ") {
                Some(("Content-Length", number)) => length = number.parse().expect("a number"),
                Some(_) => {}
                None => break,
            }
        }
        let mut text = vec![0; length];
        self.output.read_exact(&mut text).expect("the server goes on");
        serde_json::from_slice(&text).expect("the server writes JSON")
    }

    fn says(&mut self, method: &str, params: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    /// What the server answers, be it a result or an error.
    fn asks_in_full(&mut self, method: &str, params: Value) -> Value {
        self.requests += 1;
        let id = self.requests;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        loop {
            let mut message = self.receive();
            if message["id"] == id {
                return message;
            }
            assert_eq!(message["method"], "textDocument/publishDiagnostics", "{message}");
            let uri = message["params"]["uri"].as_str().expect("a URI").to_owned();
            self.shown.push((uri, message["params"]["diagnostics"].take()));
        }
    }

    fn asks(&mut self, method: &str, params: Value) -> Value {
        let mut message = self.asks_in_full(method, params);
        assert!(message.get("error").is_none(), "{message}");
        message["result"].take()
    }

    fn opens(&mut self, uri: &str, text: &str) {
        let document = json!({ "uri": uri, "languageId": "cellc", "version": 1, "text": text });
        self.says("textDocument/didOpen", json!({ "textDocument": document }));
    }

    fn changes(&mut self, uri: &str, text: &str) {
        let document = json!({ "uri": uri, "version": 2 });
        let changes = json!([{ "text": text }]);
        self.says(
            "textDocument/didChange",
            json!({ "textDocument": document, "contentChanges": changes }),
        );
    }

    /// What the server shows of a document now.
    fn shown(&mut self, uri: &str) -> Value {
        // Answers come behind all that was shown before.
        self.about("textDocument/documentSymbol", uri);
        let shown = self.shown.iter().rev().find(|(other, _)| other == uri);
        shown.unwrap_or_else(|| panic!("nothing is shown of {uri}")).1.clone()
    }

    /// Asks about a document as a whole.
    fn about(&mut self, method: &str, uri: &str) -> Value {
        let options = json!({ "tabSize": 4, "insertSpaces": true });
        self.asks(method, json!({ "textDocument": { "uri": uri }, "options": options }))
    }

    /// Asks about a place in a document.
    fn at(&mut self, method: &str, uri: &str, line: u32, character: u32) -> Value {
        let position = json!({ "line": line, "character": character });
        self.asks(method, json!({ "textDocument": { "uri": uri }, "position": position }))
    }

    fn hover(&mut self, uri: &str, line: u32, character: u32) -> String {
        let hover = self.at("textDocument/hover", uri, line, character);
        hover["contents"]["value"].as_str().unwrap_or_default().to_owned()
    }

    /// Shuts the server down, which must have gone well.
    fn leaves(mut self) {
        assert_eq!(self.asks("shutdown", Value::Null), Value::Null);
        self.says("exit", Value::Null);
        self.ends(0);
    }

    fn ends(self, status: i32) -> String {
        let Self { server, input, .. } = self;
        drop(input);
        let output = server.wait_with_output().expect("it ends");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!stderr.contains("panicked"), "{stderr}");
        assert_eq!(output.status.code(), Some(status), "{stderr}");
        stderr
    }
}

fn uri(path: &Path) -> String {
    format!("file://{}", path.display())
}

fn range(start: (u32, u32), end: (u32, u32)) -> Value {
    let place = |(line, character)| json!({ "line": line, "character": character });
    json!({ "start": place(start), "end": place(end) })
}

const WRONG: &str = "\
cell wrong(I, H) {
    input x: [I]
    state h: [H]
    param W: [H, I]

    next h = tanh(W @ x + x)
    output h
}
";

#[test]
fn faults_are_shown_where_they_are() {
    let folder = Folder::new();
    let uri = uri(&folder.path().join("wrong.cell"));
    let mut editor = Editor::new();
    editor.opens(&uri, WRONG);
    let shown = editor.shown(&uri);
    assert_eq!(shown.as_array().map(Vec::len), Some(1), "{shown}");
    let fault = &shown[0];
    assert_eq!(fault["range"], range((5, 24), (5, 25)));
    assert_eq!(fault["severity"], 1);
    let message = fault["message"].as_str().expect("a text");
    assert!(
        message.starts_with("`+` needs operands of one shape, found a vector [H]"),
        "{message}"
    );
    let related = &fault["relatedInformation"];
    assert_eq!(related[0]["location"]["uri"], uri.as_str());
    assert_eq!(related[0]["location"]["range"], range((5, 18), (5, 23)), "{related}");

    // Corrected, nothing is wrong; with a name that nothing uses there is a warning.
    let right = WRONG.replace(" + x)", ")");
    editor.changes(&uri, &right);
    assert_eq!(editor.shown(&uri), json!([]));
    editor.changes(&uri, &right.replace("    next", "    spare = W @ x\n    next"));
    let shown = editor.shown(&uri);
    assert_eq!((&shown[0]["severity"], &shown[0]["range"]), (&json!(2), &range((5, 4), (5, 9))));
    assert!(shown[0]["message"].as_str().expect("a text").contains("\nhelp: "), "{shown}");

    // What is misspelt has a mend.
    editor.changes(&uri, &right.replace("tanh", "tahn"));
    let params = json!({
        "textDocument": { "uri": uri }, "range": range((5, 14), (5, 14)),
        "context": { "diagnostics": [] },
    });
    let mends = editor.asks("textDocument/codeAction", params);
    let edit = &mends[0]["edit"]["changes"][&uri][0];
    assert_eq!(edit, &json!({ "range": range((5, 13), (5, 17)), "newText": "tanh" }), "{mends}");

    editor.says("textDocument/didClose", json!({ "textDocument": { "uri": uri } }));
    editor.opens("untitled:Untitled-1", "cell a(N) {}");
    let shown = editor.shown("untitled:Untitled-1");
    let message = "cell `a` has no output\nhelp: write `output name` or `output name = ..`";
    assert_eq!(shown[0]["message"], message);
    let last = editor.shown.iter().rev().find(|(other, _)| *other == uri);
    assert_eq!(last.expect("it was shown").1, json!([]), "what is closed has no faults");
    editor.leaves();
}

#[test]
fn places_are_in_units_of_utf_16_and_imports_beside_the_file() {
    let folder = Folder::new();
    folder.file("𝛔.cell", "fn f(x) = 2 * x\n");
    let uri = uri(&folder.path().join("a%20b.cell"));
    let mut editor = Editor::new();
    let text = "use f from \"𝛔.cell\"; const c = q\r\nfn g(x) = f(x, c)\r\n";
    editor.opens(&uri, text);
    let shown = editor.shown(&uri);
    assert_eq!(shown[0]["range"], range((0, 32), (0, 33)), "{shown}");
    assert_eq!(shown[1]["range"], range((1, 10), (1, 17)), "{shown}");
    assert_eq!(shown.as_array().map(Vec::len), Some(2), "a library is no fault: {shown}");
    let defined = editor.at("textDocument/definition", &uri, 1, 10);
    let target = defined["uri"].as_str().expect("a URI");
    assert!(target.ends_with("/%F0%9D%9B%94.cell"), "{target}");
    assert_eq!(defined["range"], range((0, 3), (0, 4)));
    editor.leaves();
}

#[test]
fn open_documents_come_before_files() {
    let folder = Folder::new();
    let library = folder.file("library.cell", "fn twice(x) = 2 * x\n");
    let (library, main) = (uri(&library), uri(&folder.path().join("main.cell")));
    let text = "use twice from \"library.cell\"\n\ncell a(N) {\n    input x: [N]\n    output y = twice(x)\n}\n";
    let mut editor = Editor::new();
    editor.opens(&main, text);
    assert_eq!(editor.shown(&main), json!([]));
    assert!(editor.hover(&main, 4, 16).contains("fn twice(x)"));

    editor.opens(&library, "fn thrice(x) = 3 * x\n");
    let shown = editor.shown(&main);
    assert_eq!(shown[0]["range"], range((0, 4), (0, 9)), "{shown}");
    assert_eq!(editor.shown(&library), json!([]));

    // What is wrong in the library is shown there, and where it is called.
    let at_fault = "fn twice(x) = 2 * x + concat(x, x)\n";
    editor.changes(&library, at_fault);
    assert_eq!(editor.shown(&library), json!([]), "without a call there are no shapes");
    let shown = editor.shown(&main);
    assert_eq!(shown[0]["range"], range((4, 15), (4, 23)), "{shown}");
    assert_eq!(shown[0]["relatedInformation"][0]["location"]["uri"], library.as_str());
    assert_eq!(shown[0]["relatedInformation"][0]["location"]["range"], range((0, 20), (0, 21)));
    editor.changes(&library, "fn twice(x) = 2 *\n");
    assert_eq!(editor.shown(&main)[0]["range"], range((0, 15), (0, 29)), "where it is imported");

    editor.says("textDocument/didClose", json!({ "textDocument": { "uri": library } }));
    assert_eq!(editor.shown(&main), json!([]), "the file is as it was");
    folder.file("library.cell", "fn thrice(x) = 3 * x\n");
    editor.says("textDocument/didSave", json!({ "textDocument": { "uri": main } }));
    assert_eq!(editor.shown(&main)[0]["range"], range((0, 4), (0, 9)), "the file has changed");
    editor.leaves();
}

#[test]
fn names_are_explained() {
    let text = "\
use layer_norm from norms

const two = 2

// Twice as
// much.
fn scaled(v: [N], by) {
    d = v * by
    return d
}

cell a(I, H, K = 4) {
    hyper keep = 0.5
    input x: [I]
    state h: [H] = h_0
    param W: [H, I] ~ uniform(1 / K), h_0, gain, bias: [H], A: [K, K]

    z = scaled(tanh(W @ x), two) + layer_norm(h, gain, bias) + sum(A @ A)
    next h = keep * z
    output y = concat(next h, h)
}
";
    let uri = "file:///a.cell";
    let mut editor = Editor::new();
    editor.opens(uri, text);
    assert_eq!(editor.shown(uri), json!([]));
    let z = "scaled(tanh(W @ x), two) + layer_norm(h, gain, bias) + sum(A @ A)";
    // A line, a word in it, how that is introduced, and what it is.
    for (line, word, code, what) in [
        ("z = ", "z", &*format!("z = {z}"), "a value of each step: a vector [H]"),
        ("z = ", "W", "param W: [H, I] ~ uniform(1 / K)", "a parameter: a matrix [H, I]"),
        ("z = ", "x)", "input x: [I]", "an input: a vector [I]"),
        ("z = ", "A", "param A: [K, K]", "a parameter: a matrix [K, K] = [4, 4]"),
        ("z = ", "two", "const two = 2", "a constant"),
        ("z = ", "scaled", "fn scaled(v: [N], by)", "a function\n\nTwice as\nmuch."),
        (
            "z = ",
            "layer_norm",
            "fn layer_norm(v: [N], gain: [N], bias: [N])",
            "a function of catalogue:norms",
        ),
        ("next h = ", "h", "state h: [H] = h_0", "a state: a vector [H]"),
        ("next h = ", "keep", "hyper keep = 0.5", "a hyper-parameter"),
        ("output", "y", "output y = concat(next h, h)", "an output: a vector [H + H]"),
        ("param", "K)", "K = 4", "a dimension of the cell"),
        ("param", "h_0", "param h_0: [H]", "a parameter: a vector [H]"),
        ("cell", "a", "cell a(I, H, K = 4)", "the cell"),
        ("d = ", "v", "v: [N]", "a parameter of the function `scaled`"),
        ("return", "d", "d = v * by", "a value of the function `scaled`"),
    ] {
        let expected = format!("```cellc\n{code}\n```\n\n{what}");
        assert_eq!(hover(&mut editor, uri, text, line, word), expected, "`{word}` in `{line}`");
    }
    assert_eq!(hover(&mut editor, uri, text, "z = ", "tanh"), "`tanh(x)`");
    let sum = hover(&mut editor, uri, text, "z = ", "sum");
    assert!(sum.starts_with("`sum(x)`, `mean(x)`: over all elements"), "{sum}");
    let uniform = hover(&mut editor, uri, text, "param", "uniform");
    assert!(uniform.starts_with("`~ uniform(a)`: uniform in -a..a"), "{uniform}");
    for (line, word) in [("// Twice", "Twice"), ("cell", "{"), ("next h = ", "=")] {
        assert_eq!(hover(&mut editor, uri, text, line, word), "", "`{word}` is no name");
    }

    // While a line is at fault, the others are explained.
    let broken = text.replace("keep * z", "keep * z +");
    editor.changes(uri, &broken);
    assert_eq!(editor.shown(uri).as_array().map(Vec::len), Some(1));
    let value = hover(&mut editor, uri, &broken, "z = ", "z");
    assert!(value.ends_with("a value of each step: a vector [H]"), "{value}");
    editor.leaves();
}

/// What is shown of the first word of a kind in the first line of a kind.
fn hover(editor: &mut Editor, uri: &str, text: &str, line: &str, word: &str) -> String {
    let (number, line) = (text.lines().enumerate())
        .find(|(_, text)| text.trim_start().starts_with(line))
        .expect("the line is there");
    let at = line.find(word).expect("the word is there");
    editor.hover(uri, u32::try_from(number).expect("small"), u32::try_from(at).expect("small"))
}

#[test]
fn documents_are_formatted_and_outlined() {
    let uri = "file:///a.cell";
    let mut editor = Editor::new();
    // Lines may end as on Windows: they still do afterwards.
    editor.opens(uri, "const c=1\r\ncell a(N){ // 𝛔\r\ninput x:[N];output y=c*x}");
    let edits = editor.about("textDocument/formatting", uri);
    let text =
        "const c = 1\r\ncell a(N) {  // 𝛔\r\n    input x: [N]\r\n    output y = c * x\r\n}\r\n";
    assert_eq!(edits, json!([{ "range": range((0, 0), (2, 25)), "newText": text }]));
    editor.changes(uri, text);
    assert_eq!(editor.about("textDocument/formatting", uri), json!([]));

    let symbols = editor.about("textDocument/documentSymbol", uri);
    assert_eq!((&symbols[0]["name"], &symbols[1]["name"]), (&json!("c"), &json!("a")));
    let names: Vec<_> = (symbols[1]["children"].as_array().expect("what is in the cell").iter())
        .map(|symbol| (&symbol["name"], &symbol["range"]))
        .collect();
    let expected = [
        (&json!("N"), &range((1, 7), (1, 8))),
        (&json!("x"), &range((2, 10), (2, 11))),
        (&json!("y"), &range((3, 11), (3, 20))),
    ];
    assert_eq!(names, expected);

    editor.changes(uri, "cell a(N){ output");
    assert_eq!(editor.about("textDocument/formatting", uri), Value::Null);
    editor.leaves();
}

#[test]
fn what_is_not_of_the_protocol_is_answered() {
    let mut editor = Editor::new();
    let message = editor.asks_in_full("textDocument/rename", json!({}));
    assert_eq!(message["error"]["code"], -32601, "{message}");
    let message = editor.asks_in_full("textDocument/hover", json!({ "position": 3 }));
    assert_eq!(message["error"]["code"], -32602, "{message}");
    editor.says("textDocument/didOpen", json!([]));
    editor.says("$/setTrace", json!({ "value": "off" }));
    assert_eq!(editor.hover("file:///unknown.cell", 0, 0), "");
    editor.says("exit", Value::Null);
    editor.ends(1);

    // The editor is gone, before or after it said hello.
    Editor::new().ends(1);
    assert!(Editor::started().ends(2).starts_with("error: the language server ended early"));
    let folder = Folder::new();
    folder.cellc_fed("lsp", "what is this\r\n\r\n").exits(2).says(&["the language server"]);
}

/// Texts as they are on the way: the cells of the catalogue up to some byte, and without some part.
#[test]
fn the_server_outlives_all_texts() {
    let uri = "file:///cut.cell";
    let mut editor = Editor::new();
    editor.opens(uri, "");
    for entry in cellc_cells::all() {
        let text = entry.source;
        // A step that is no multiple of a line's length meets all kinds of places.
        for at in (0..text.len()).step_by(23).filter(|&at| text.is_char_boundary(at)) {
            let behind = text.ceil_char_boundary(at + 11);
            for cut in [text[..at].to_owned(), format!("{}{}", &text[..at], &text[behind..])] {
                editor.changes(uri, &cut);
                let line = cut[..at].matches('\n').count();
                editor.hover(uri, u32::try_from(line).expect("small"), 9);
                editor.about("textDocument/formatting", uri);
                let shown = editor.shown(uri);
                assert!(!shown.to_string().contains("internal error"), "{shown} in {cut}");
                editor.shown.clear();
            }
        }
    }
    editor.leaves();
}
