//! A small cell drawn in both languages, and what is a node.

use expect_test::{Expect, expect};

use super::Drawing;
use crate::diagnostic::Source;
use crate::syntax::parse;

fn drawing(text: &str) -> Drawing {
    let file = parse(&Source::new("test.cell", text)).expect("the text is well-formed");
    Drawing::of(&file.cell.expect("the text has a cell"))
}

const LEAKY: &str = "
cell leaky(I, H) {
    hyper keep = 0.9
    output h
    input x: [I]
    state h: [H]
    param W: [H, I], U: [H, H], b: [H]

    n = tanh(W @ x + U @ h + b)
    next h = keep * h + (1 - keep) * n
    output small = next h < 0.5
}";

#[test]
fn a_cell_in_the_language_of_graphviz() {
    let expected = expect![[r#"
        digraph leaky {
            node [shape=box, fontname="monospace"];
            {
                rank=source;
                n0 [label="input x", shape=parallelogram];
                n1 [label="state h", style=rounded];
            }
            n2 [label="W @ x"];
            n3 [label="U @ h"];
            n4 [label="· + · + b"];
            n5 [label="n = tanh(·)"];
            n6 [label="keep * h"];
            n7 [label="(1 - keep) * n"];
            n8 [label="next h = · + ·"];
            n9 [label="output small = next h < 0.5", shape=parallelogram, peripheries=2];
            n10 [label="output h", shape=parallelogram, peripheries=2];
            n0 -> n2;
            n1 -> n3;
            n2 -> n4;
            n3 -> n4;
            n4 -> n5;
            n1 -> n6;
            n5 -> n7;
            n6 -> n8;
            n7 -> n8;
            n8 -> n9;
            n8 -> n10;
            n8 -> n1 [style=dashed, constraint=false];
        }
    "#]];
    expected.assert_eq(&drawing(LEAKY).to_dot());
}

#[test]
fn a_cell_in_the_language_of_mermaid() {
    let expected = expect![[r#"
        flowchart TD
            n0[/"input x"/]
            n1(["state h"])
            n2["W @ x"]
            n3["U @ h"]
            n4["· + · + b"]
            n5["n = tanh(·)"]
            n6["keep * h"]
            n7["(1 - keep) * n"]
            n8["next h = · + ·"]
            n9[\"output small = next h &lt; 0.5"\]
            n10[\"output h"\]
            n0 --> n2
            n1 --> n3
            n2 --> n4
            n3 --> n4
            n4 --> n5
            n1 --> n6
            n5 --> n7
            n6 --> n8
            n7 --> n8
            n8 --> n9
            n8 --> n10
            n1 -. "↑" .- n8
    "#]];
    expected.assert_eq(&drawing(LEAKY).to_mermaid());
}

/// Holds the drawing of these statements against lines of Mermaid.
fn check(statements: &str, expected: &Expect) {
    let text = format!(
        "cell c(N) {{\n input x: [N], y: [N]\n state h: [N]\n param W: [N, N], p, q: [N]\n {statements} }}"
    );
    expected.assert_eq(&drawing(&text).to_mermaid());
}

#[test]
fn params_stand_where_they_are_read() {
    check(
        "a = W @ x + p * q - 1; b = a + p",
        &expect![[r#"
        flowchart TD
            n0[/"input x"/]
            n1[/"input y"/]
            n2(["state h"])
            n3["a = W @ x + p * q - 1"]
            n4["b = a + p"]
            n0 --> n3
            n3 --> n4
    "#]],
    );
    check(
        "slow = exp(-p); next h = slow * h",
        &expect![[r#"
            flowchart TD
                n0[/"input x"/]
                n1[/"input y"/]
                n2(["state h"])
                n3["slow = exp(-p)"]
                n4["next h = slow * h"]
                n3 --> n4
                n2 --> n4
                n2 -. "↑" .- n4
        "#]],
    );
    check(
        "a = normalise(W @ x, p, q)",
        &expect![[r#"
        flowchart TD
            n0[/"input x"/]
            n1[/"input y"/]
            n2(["state h"])
            n3["W @ x"]
            n4["a = normalise(·, p, q)"]
            n0 --> n3
            n3 --> n4
    "#]],
    );
}

#[test]
fn another_name_is_a_node_of_its_own() {
    check(
        "a = x; next h = a; output h; output a",
        &expect![[r#"
            flowchart TD
                n0[/"input x"/]
                n1[/"input y"/]
                n2(["state h"])
                n3["a = x"]
                n4["next h = a"]
                n5[\"output h"\]
                n6[\"output a"\]
                n0 --> n3
                n3 --> n4
                n4 --> n5
                n3 --> n6
                n2 -. "↑" .- n4
        "#]],
    );
    check(
        "next h = h; output p",
        &expect![[r#"
            flowchart TD
                n0[/"input x"/]
                n1[/"input y"/]
                n2(["state h"])
                n3["next h = h"]
                n4[\"output p"\]
                n2 --> n3
                n2 -. "↑" .- n3
        "#]],
    );
}

#[test]
fn operands_are_told_apart_where_their_order_matters() {
    check(
        "a = -x - exp(y)",
        &expect![[r#"
        flowchart TD
            n0[/"input x"/]
            n1[/"input y"/]
            n2(["state h"])
            n3["-x"]
            n4["exp(y)"]
            n5["a = ① - ②"]
            n0 --> n3
            n1 --> n4
            n3 -- "①" --> n5
            n4 -- "②" --> n5
    "#]],
    );
    check(
        "a = select(x < y, -x, h)",
        &expect![[r#"
        flowchart TD
            n0[/"input x"/]
            n1[/"input y"/]
            n2(["state h"])
            n3["x &lt; y"]
            n4["-x"]
            n5["a = select(①, ②, h)"]
            n0 --> n3
            n1 --> n3
            n0 --> n4
            n3 -- "①" --> n5
            n4 -- "②" --> n5
            n2 --> n5
    "#]],
    );
    check(
        "a = x * x + exp(y) * exp(h)",
        &expect![[r#"
        flowchart TD
            n0[/"input x"/]
            n1[/"input y"/]
            n2(["state h"])
            n3["x * x"]
            n4["exp(y)"]
            n5["exp(h)"]
            n6["· * ·"]
            n7["a = · + ·"]
            n0 --> n3
            n1 --> n4
            n2 --> n5
            n4 --> n6
            n5 --> n6
            n3 --> n7
            n6 --> n7
    "#]],
    );
    check(
        "a = concat(x, -y)[2..N]",
        &expect![[r#"
        flowchart TD
            n0[/"input x"/]
            n1[/"input y"/]
            n2(["state h"])
            n3["-y"]
            n4["concat(x, ·)"]
            n5["a = ·[2..N]"]
            n1 --> n3
            n0 --> n4
            n3 --> n4
            n4 --> n5
    "#]],
    );
}
