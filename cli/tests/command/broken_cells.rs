//! Broken cell files: each is refused with exit status 2 and a message that shows the place.

use crate::support::Folder;

/// Each with its name, its text, the place (line and column) and parts of what must be said.
const BROKEN: &[(&str, &str, &str, &[&str])] = &[
    ("empty", "", "", &["cell"]),
    ("blank", "\n\n   \n", "", &["cell"]),
    ("prose", "Dear compiler, please train this.\n", ":1:1", &["cell"]),
    ("no_name", "cell (N) {\n output y = 1\n}\n", ":1:6", &["name"]),
    ("no_brace", "cell a(N)\n input x: [N]\n output y = x\n", "", &["`{`"]),
    ("open", "cell a(N) {\n input x: [N]\n output y = x\n", "", &["`}`"]),
    ("two", "cell a(N) {\n input x: [N]\n output y = x\n}\ncell b() {}\n", ":5:1", &[]),
    ("strange", "cell a(N) {\n input x: [N]\n output y = x $ x\n}\n", ":3:15", &["$"]),
    (
        "unknown_name",
        "cell a(N) {\n state h: [N]\n next h = hh\n output h\n}\n",
        ":3:11",
        &["`hh`", "`h`"],
    ),
    (
        "unknown_function",
        "cell a(N) {\n input x: [N]\n output y = sigmiod(x)\n}\n",
        ":3:13",
        &["`sigmiod`", "`sigmoid`"],
    ),
    ("unknown_dim", "cell a(N) {\n input x: [M]\n output y = x\n}\n", ":2:12", &["`M`"]),
    ("arity", "cell a(N) {\n input x: [N]\n output y = tanh(x, x)\n}\n", ":3:", &["tanh"]),
    ("no_next", "cell a(N) {\n state h: [N]\n output h\n}\n", ":2:8", &["h", "next"]),
    (
        "two_nexts",
        "cell a(N) {\n state h: [N]\n next h = h\n next h = h\n output h\n}\n",
        ":4:",
        &["next"],
    ),
    ("next_input", "cell a(N) {\n input x: [N]\n next x = x\n output y = x\n}\n", ":3:", &["x"]),
    (
        "next_shape",
        "cell a(N) {\n state h: [N]\n next h = concat(h, h)\n output h\n}\n",
        ":3:",
        &["[N]"],
    ),
    (
        "matmul",
        "cell a(N, M) {\n input x: [M]\n param W: [N, N]\n output y = W @ x\n}\n",
        ":4:",
        &["`@`", "[N, N]"],
    ),
    (
        "elementwise",
        "cell a(N, M) {\n input x: [N], y: [M]\n output z = x + y\n}\n",
        ":3:",
        &["N", "M"],
    ),
    ("no_output", "cell a(N) {\n state h: [N]\n next h = h\n}\n", "", &["output"]),
    ("two_outputs", "cell a(N) {\n input x: [N]\n output y = x\n output y = x\n}\n", ":4:", &["y"]),
    ("twice", "cell a(N) {\n input x: [N]\n x = x + 1\n output y = x\n}\n", ":3:", &["`x`"]),
    (
        "twice_declared",
        "cell a(N) {\n input x: [N]\n param x: [N]\n output y = x\n}\n",
        ":3:",
        &["`x`"],
    ),
    ("rank", "cell a(N) {\n input x: [N, N, N]\n output y = x\n}\n", ":2:", &["3"]),
    (
        "initializer",
        "cell a(N) {\n param b: [N] ~ unifrom(1)\n output y = b\n}\n",
        ":2:",
        &["unifrom", "uniform"],
    ),
    (
        "index_state",
        "cell a(N) {\n state h: index(N)\n next h = h\n output h\n}\n",
        ":2:",
        &["index"],
    ),
    ("index_sum", "cell a(N) {\n input i: index(N)\n output y = i + 1\n}\n", ":3:", &["i"]),
    ("slice", "cell a(N) {\n input x: [N]\n output y = x[0..N + 1]\n}\n", ":3:", &["N"]),
    ("early", "cell a(N) {\n input x: [N]\n a = b\n b = x\n output y = a\n}\n", ":3:", &["`b`"]),
    ("division", "cell a(N) {\n input x: [N / 0]\n output y = x\n}\n", ":2:", &["0"]),
    ("negative", "cell a(N) {\n input x: [1 - N]\n output y = x\n}\n", ":2:", &["1 - N"]),
];

#[test]
fn each_is_refused_with_its_place() {
    let folder = Folder::new();
    for (name, text, place, parts) in BROKEN {
        folder.file(&format!("{name}.cell"), text);
        let outcome = folder.cellc(&format!("check {name}.cell")).exits(2);
        let outcome = outcome.says(&["error", &format!("{name}.cell{place}")]).says(parts);
        assert_eq!(outcome.stdout, "", "{outcome}");
        // Every command that loads cells refuses it in the same words.
        let said = |outcome: &crate::support::Outcome| {
            let lines = outcome.stderr.lines().filter(|line| !line.starts_with("note:"));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        for command in ["show --stage graph", "gradcheck --cases 1"] {
            let other = folder.cellc(&format!("{command} {name}.cell")).exits(2);
            assert_eq!(said(&other), said(&outcome), "{other}");
        }
    }
}

#[test]
fn several_errors_are_said_at_once() {
    let folder = Folder::new();
    let text = "cell a(N) {\n input x: [N]\n a = foo + x\n b = bar * x\n output y = baz(x)\n}\n";
    folder.file("a.cell", text);
    let parts = ["a.cell:3:6", "a.cell:4:6", "a.cell:5:13", "3 errors in a.cell"];
    folder.cellc("check a.cell").exits(2).says(&parts);
}

#[test]
fn many_errors_are_counted_and_prose_is_one() {
    let folder = Folder::new();
    let lines: String = (0..300).map(|i| format!(" a{i} = x y\n")).collect();
    folder.file("a.cell", format!("cell a(N) {{\n input x: [N]\n{lines}}}\n"));
    let many = folder.cellc("check a.cell").exits(2);
    assert_eq!(many.stderr.matches("error:").count(), 20, "{many}");
    many.says(&["and 280 more: 300 errors in a.cell"]);
    for text in ["# A cell\n", "Dear compiler\n", "import a.b\n", "- it's\n"] {
        folder.file("prose.txt", text.repeat(100));
        let prose = folder.cellc("check ./prose.txt").exits(2);
        assert_eq!(prose.stderr.matches("error:").count(), 1, "{prose}");
    }
}

#[test]
fn no_text_makes_it_panic() {
    let folder = Folder::new();
    let deep = |open: &str, close: &str| {
        format!("cell a() {{ output y = {}1{} }}", open.repeat(5000), close.repeat(5000))
    };
    let texts = [
        deep("(", ")"),
        deep("-", ""),
        deep("tanh(", ")"),
        deep("1 + ", ""),
        "cell ".repeat(1000),
        "{".repeat(5000),
        "cell a(N) { input x: [9999999999999999999999999] output y = x }".to_owned(),
        "cell a(N) { input x: [N * 9223372036854775807] output y = x }".to_owned(),
        "cell é(ñ) { output 🦀 = ∑ }".to_owned(),
        "cell a() { output y = 1e999999 - . }".to_owned(),
        "\u{feff}cell a() {\r\n output y = ] }".to_owned(),
        "\0\0\0".to_owned(),
    ];
    for text in texts {
        folder.file("a.cell", &text);
        folder.cellc("check a.cell").exits(2).says(&["error"]);
    }
}
