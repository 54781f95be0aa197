//! What graphs are refused: by the typing rules, the verifier, the text form and the interpreter.

use super::eval::{Datum, eval};
use super::graph::{Graph, Node, Operands, OutputRole};
use super::op::{Binary, Op, Reduction, Role, Scalar, Shape, Type, TypeError, Unary};
use super::text::parse;
use super::verify::verify;

fn real(shape: &[usize]) -> Type {
    Type::real(shape)
}

fn shape(extents: &[usize]) -> Shape {
    extents.into()
}

#[test]
fn operands_that_do_not_fit_are_refused() {
    let (s, v, w) = (|| Type::scalar(), |n: usize| real(&[n]), |m: usize, n: usize| real(&[m, n]));
    let i = Type::index;
    let reduce = |axis| Op::Reduce { kind: Reduction::Sum, axis };
    let cases: Vec<(Op, Vec<Type>, &str)> = vec![
        (Op::argument(Role::Input, "x"), vec![], "`input` takes 0 operands, found 0"),
        (Op::constant(1.0), vec![s()], "`constant` takes 0 operands, found 1"),
        (Op::Unary(Unary::Tanh), vec![], "`tanh` takes 1 operands, found 0"),
        (Op::Unary(Unary::Tanh), vec![s(), s()], "`tanh` takes 1 operands, found 2"),
        (Op::Binary(Binary::Add), vec![v(2)], "`add` takes 2 operands, found 1"),
        (Op::Select, vec![s(), s()], "`select` takes 3 operands, found 2"),
        (Op::Concat { axis: 0 }, vec![], "`concat` takes one or more operands, found 0"),
        (Op::Take, vec![v(3)], "`take` takes 2 operands, found 1"),
        (
            Op::Unary(Unary::Neg),
            vec![i(3)],
            "`neg` needs real numbers as operand 0, found index(3)",
        ),
        (
            Op::Binary(Binary::Mul),
            vec![s(), i(2)],
            "`mul` needs real numbers as operand 1, found index(2)",
        ),
        (Op::Take, vec![v(3), s()], "`take` needs an index as operand 1, found []"),
        (Op::Take, vec![i(3), i(3)], "`take` needs real numbers as operand 0, found index(3)"),
        (Op::Put { len: 3 }, vec![s(), s()], "`put` needs an index as operand 0, found []"),
        (Op::Binary(Binary::Add), vec![v(2), v(3)], "`add` needs [2] as operand 1, found [3]"),
        (Op::Binary(Binary::Max), vec![v(1), s()], "`max` needs [1] as operand 1, found []"),
        (Op::Select, vec![v(2), v(2), w(1, 2)], "`select` needs [2] as operand 2, found [1, 2]"),
        (Op::MatVec, vec![v(2), v(2)], "`matvec` needs a matrix as operand 0, found [2]"),
        (Op::MatVec, vec![w(2, 3), v(2)], "`matvec` needs [3] as operand 1, found [2]"),
        (Op::MatVec, vec![w(2, 3), w(3, 1)], "`matvec` needs [3] as operand 1, found [3, 1]"),
        (Op::MatVecT, vec![s(), v(2)], "`matvec_t` needs a matrix as operand 0, found []"),
        (Op::MatVecT, vec![w(2, 3), v(3)], "`matvec_t` needs [2] as operand 1, found [3]"),
        (Op::Outer, vec![s(), v(3)], "`outer` needs a vector as operand 0, found []"),
        (Op::Outer, vec![v(3), w(1, 3)], "`outer` needs a vector as operand 1, found [1, 3]"),
        (Op::Concat { axis: 0 }, vec![v(3), s()], "`concat` needs a vector as operand 1, found []"),
        (
            Op::Slice { axis: 0, start: 2, len: 2 },
            vec![v(3)],
            "`slice` needs at least [4] as operand 0, found [3]",
        ),
        (
            Op::Slice { axis: 0, start: usize::MAX, len: 2 },
            vec![v(3)],
            "`slice` needs at least [18446744073709551615] as operand 0, found [3]",
        ),
        (
            Op::Slice { axis: 1, start: 2, len: 2 },
            vec![w(5, 3)],
            "`slice` needs at least [5, 4] as operand 0, found [5, 3]",
        ),
        (
            Op::Slice { axis: 1, start: 0, len: 1 },
            vec![v(3)],
            "`slice` needs a matrix as operand 0, found [3]",
        ),
        (
            Op::Concat { axis: 0 },
            vec![w(2, 3), w(2, 4)],
            "`concat` needs [2, 3] as operand 1, found [2, 4]",
        ),
        (
            Op::Concat { axis: 1 },
            vec![w(2, 3), w(3, 3)],
            "`concat` needs [2, 3] as operand 1, found [3, 3]",
        ),
        (
            Op::Pad { axis: 0, before: 0, after: 1 },
            vec![s()],
            "`pad` needs a vector as operand 0, found []",
        ),
        (
            Op::Broadcast { shape: shape(&[3]) },
            vec![v(2)],
            "`broadcast` needs a shape that broadcasts to [3] as operand 0, found [2]",
        ),
        (
            Op::Broadcast { shape: shape(&[3]) },
            vec![w(1, 3)],
            "`broadcast` needs a shape that broadcasts to [3] as operand 0, found [1, 3]",
        ),
        (
            Op::Broadcast { shape: shape(&[3, 2]) },
            vec![v(3)],
            "`broadcast` needs a shape that broadcasts to [3, 2] as operand 0, found [3]",
        ),
        (
            Op::Reshape { shape: shape(&[2, 2]) },
            vec![v(3)],
            "`reshape` needs as many elements as [2, 2] as operand 0, found [3]",
        ),
        (Op::Transpose, vec![v(3)], "`transpose` needs a matrix as operand 0, found [3]"),
        (reduce(Some(0)), vec![v(3)], "`reduce_sum` needs a matrix as operand 0, found [3]"),
        (reduce(Some(2)), vec![w(3, 3)], "`reduce_sum` needs an axis 2 as operand 0, found [3, 3]"),
        (Op::Take, vec![v(3), i(4)], "`take` needs index(3) as operand 1, found index(4)"),
        (Op::Take, vec![s(), i(1)], "`take` needs a vector or a matrix as operand 0, found []"),
        (Op::Put { len: 3 }, vec![i(4), s()], "`put` needs index(3) as operand 0, found index(4)"),
        (
            Op::Put { len: 3 },
            vec![i(3), w(1, 1)],
            "`put` needs a scalar or a vector as operand 1, found [1, 1]",
        ),
    ];
    for (op, operands, expected) in cases {
        let error: TypeError =
            op.result_type(&operands.iter().collect::<Vec<_>>()).expect_err(expected);
        assert_eq!(error.to_string(), expected);
        // A graph takes nothing of it.
        let mut graph = Graph::new("refused");
        let ids: Vec<_> = (operands.iter())
            .map(|ty| graph.argument(Role::Input, format!("x{}", graph.len()), ty.clone()))
            .collect();
        let before = graph.len();
        assert_eq!(graph.push(op, &ids), Err(error));
        assert_eq!(graph.len(), before);
    }
}

fn declare(graph: &mut Graph, role: Role, name: &str, ty: Type) {
    graph.argument(role, name, ty);
}

/// Appends without a check, which is what the verifier is for.
fn append(graph: &mut Graph, op: Op, operands: &[usize], ty: Type) {
    let ids: Operands = operands.iter().filter_map(|&i| nth(graph.len() + 1, i)).collect();
    graph.append_unchecked(Node { op, operands: ids, ty });
}

fn nth(len: usize, i: usize) -> Option<super::graph::ValueId> {
    let mut graph = Graph::new("ids");
    (0..len.max(i + 1)).for_each(|k| declare(&mut graph, Role::Input, &k.to_string(), real(&[])));
    graph.ids().nth(i)
}

/// An input `x`, a state `h` and a parameter `w`, all of `[2]`, and the state's next value.
fn valid() -> Graph {
    let mut graph = Graph::new("g");
    let x = graph.argument(Role::Input, "x", real(&[2]));
    graph.argument(Role::State, "h", real(&[2]));
    graph.argument(Role::Param, "w", real(&[2]));
    graph.output(OutputRole::Next, "h", x);
    graph
}

#[test]
fn broken_invariants_are_found() {
    type Break = fn(&mut Graph);
    let cases: [(Break, &str); 22] = [
        (
            |g| append(g, Op::Unary(Unary::Neg), &[3], real(&[2])),
            "%3 uses %3, which comes after it",
        ),
        (
            |g| declare(g, Role::Input, "z", real(&[2, 0])),
            "%3 is [2, 0]: ranks go to 2, no extent is 0, sizes go to 2^31",
        ),
        (
            |g| declare(g, Role::Input, "z", real(&[1, 2, 1])),
            "%3 is [1, 2, 1]: ranks go to 2, no extent is 0, sizes go to 2^31",
        ),
        (
            |g| append(g, Op::Slice { axis: 0, start: 1, len: 0 }, &[0], real(&[0])),
            "%3 is [0]: ranks go to 2, no extent is 0, sizes go to 2^31",
        ),
        (|g| declare(g, Role::Input, "x", real(&[3])), "there are two inputs `x`"),
        (
            |g| {
                declare(g, Role::Mask(Scalar(0.5)), "m", real(&[3]));
                declare(g, Role::Mask(Scalar(0.25)), "m", real(&[3]));
            },
            "there are two masks `m`",
        ),
        (
            |g| declare(g, Role::Mask(Scalar(1.5)), "m", real(&[3])),
            "mask `m` has the probability 1.5",
        ),
        (
            |g| declare(g, Role::Mask(Scalar(0.5)), "m", Type::index(3)),
            "mask `m` is an index; only inputs can be",
        ),
        (|g| declare(g, Role::State, "h", real(&[2])), "there are two states `h`"),
        (
            |g| append(g, Op::argument(Role::Input, "z"), &[0], real(&[2])),
            "%3 is a leaf with operands",
        ),
        (
            |g| declare(g, Role::State, "z", Type::index(3)),
            "state `z` is an index; only inputs can be",
        ),
        (
            |g| declare(g, Role::Param, "z", Type::index(3)),
            "param `z` is an index; only inputs can be",
        ),
        (
            |g| append(g, Op::MatVec, &[0, 1], real(&[2])),
            "%3: `matvec` needs a matrix as operand 0, found [2]",
        ),
        (
            |g| append(g, Op::Binary(Binary::Add), &[0], real(&[2])),
            "%3: `add` takes 2 operands, found 1",
        ),
        (
            |g| append(g, Op::Binary(Binary::Add), &[0, 1], real(&[3])),
            "%3 is of type [2], but is said to be [3]",
        ),
        (
            |g| g.output(OutputRole::Output, "y", nth(10, 9).expect("an id")),
            "output `y` is %9, which does not exist",
        ),
        (
            |g| {
                let x = g.ids().next().expect("there is x");
                g.output(OutputRole::Output, "y", x);
                g.output(OutputRole::Output, "y", x);
            },
            "there are two outputs `y`",
        ),
        (|g| g.output(OutputRole::Next, "h", nth(1, 0).expect("an id")), "there are two nexts `h`"),
        (
            |g| {
                let i = g.argument(Role::Input, "i", Type::index(3));
                g.output(OutputRole::Output, "y", i);
            },
            "output `y` is an index; results are real",
        ),
        (
            |g| {
                let z = g.argument(Role::Input, "z", real(&[3]));
                g.output(OutputRole::Sum, "w", z);
            },
            "sum `w` is [3], but `w` is [2]",
        ),
        (|g| g.output(OutputRole::Next, "x", nth(1, 0).expect("an id")), "next `x` names no state"),
        (|g| declare(g, Role::State, "k", real(&[2])), "state `k` has no next value"),
    ];
    assert_eq!(verify(&valid()), Ok(()));
    for (change, expected) in cases {
        let mut graph = valid();
        change(&mut graph);
        let error = verify(&graph).expect_err(expected);
        assert_eq!(error.to_string(), format!("graph `g`: {expected}"));
    }
    let mut graph = Graph::new("g");
    graph.argument(Role::State, "h", real(&[2]));
    let wider = graph.argument(Role::Input, "x", real(&[3]));
    graph.output(OutputRole::Next, "h", wider);
    let error = verify(&graph).expect_err("the next value is of another type");
    assert_eq!(error.to_string(), "graph `g`: next `h` is [3], but `h` is [2]");
}

#[test]
fn text_that_is_no_graph_is_refused() {
    let cases = [
        ("", 1, "the text is empty"),
        ("\n// only this\n", 1, "the text is empty"),
        ("\n%0 = input x : []", 2, "expected `graph NAME`"),
        ("graph g\n%0 input x : []", 2, "expected `=`"),
        ("graph g\n\n%1 = input x : []", 3, "expected `%0` to be defined next, found `%1`"),
        ("graph g\n%0 = input x", 2, "expected `: TYPE`"),
        ("graph g\n%0 = : []", 2, "expected an operation"),
        ("graph g\n%0 = input : []", 2, "expected a name"),
        ("graph g\n%0 = input a b : []", 2, "expected a name"),
        ("graph g\n%0 = mask m : []", 2, "expected `p=`"),
        ("graph g\n%0 = mask m p=half : []", 2, "`half` is no number"),
        ("graph g\n%0 = input x : [2", 2, "`[2` is no type"),
        ("graph g\n%0 = input x : [two]", 2, "`[two]` is no type"),
        ("graph g\n%0 = input x : index(-1)", 2, "`index(-1)` is no type"),
        ("graph g\n%0 = input x : 3", 2, "`3` is no type"),
        ("graph g\n%0 = frobnicate : []", 2, "`frobnicate` is no operation"),
        ("graph g\n%0 = neg %0 : []", 2, "`%0` is not a value defined above"),
        ("graph g\n%0 = neg %x : []", 2, "`%x` is not a value defined above"),
        ("graph g\n%0 = constant : []", 2, "expected a number"),
        ("graph g\n%0 = constant one : []", 2, "`one` is no number"),
        ("graph g\n%0 = input x : [2]\n%1 = slice %0 : [1]", 3, "expected `start=`"),
        ("graph g\n%0 = input x : [2]\n%1 = slice %0 start=a : [1]", 3, "`a` is no number"),
        ("graph g\n%0 = input x : [2]\n%1 = pad %0 before=1 : [3]", 3, "expected `after=`"),
        (
            "graph g\n%0 = input x : [2]\n%1 = slice %0 start=0 : []",
            3,
            "expected a type of rank 1, or more",
        ),
        ("graph g\n%0 = input x : [2]\n%1 = neg %0 : [3]", 3, "`neg` is of type [2] here, not [3]"),
        (
            "graph g\n%0 = input x : [2]\n%1 = neg %0, %0 : [2]",
            3,
            "`neg` takes 1 operands, found 2",
        ),
        ("graph g\n%0 = input x : []\nresult y = %0", 3, "`result` is no role of an output"),
        ("graph g\n%0 = input x : []\noutput = %0", 3, "expected a role and a name"),
        ("graph g\n%0 = input x : []\noutput y = %1", 3, "`%1` is not a value defined above"),
    ];
    for (text, line, fault) in cases {
        let error = parse(text).expect_err(fault);
        assert_eq!(error.to_string(), format!("line {line}: {fault}"));
    }
}

#[test]
fn text_may_have_comments_and_space() {
    let graph = parse("\n// a graph\n  graph g  \n\n %0 = input x : [ 2 , 3 ]\n  output y = %0 \n");
    let text = graph.expect("it is well-formed").to_string();
    assert_eq!(text, "graph g\n%0 = input x : [2, 3]\noutput y = %0\n");
}

#[test]
fn constants_keep_their_bits_in_text() {
    for number in [0.0, -0.0, 0.1, 1e300, 5e-324, f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
        let mut graph = Graph::new("g");
        let _ = graph.push(Op::constant(number), &[]);
        assert_eq!(parse(&graph.to_string()).as_ref(), Ok(&graph), "{number}");
    }
}

fn take() -> Graph {
    parse("graph g\n%0 = input a : [3]\n%1 = input i : index(3)\n%2 = take %0, %1 : []\n")
        .expect("it is well-formed")
}

fn eval_take(a: Datum<f64>, i: Datum<f64>) -> Vec<Datum<f64>> {
    let leaves = [a, i];
    eval(&take(), |id| leaves[id.index()].clone())
}

#[test]
fn the_interpreter_takes_leaves_of_their_types() {
    let values = eval_take(Datum::Real(vec![1.0, 2.0, 3.0]), Datum::Index(2));
    assert_eq!(values[2], Datum::Real(vec![3.0]));
}

#[test]
#[should_panic(expected = "%0 has the wrong number of elements")]
fn the_interpreter_refuses_a_leaf_of_another_size() {
    eval_take(Datum::Real(vec![1.0, 2.0]), Datum::Index(0));
}

#[test]
#[should_panic(expected = "real numbers where an index is needed")]
fn the_interpreter_refuses_real_numbers_for_an_index() {
    eval_take(Datum::Real(vec![1.0, 2.0, 3.0]), Datum::Real(vec![0.0]));
}

#[test]
#[should_panic(expected = "an index where real numbers are needed")]
fn the_interpreter_refuses_an_index_for_real_numbers() {
    eval_take(Datum::Index(0), Datum::Index(0));
}

#[test]
#[should_panic(expected = "out of range")]
fn the_interpreter_refuses_an_index_out_of_its_bound() {
    eval_take(Datum::Real(vec![1.0, 2.0, 3.0]), Datum::Index(3));
}
