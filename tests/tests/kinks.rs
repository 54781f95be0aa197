//! Derivatives where differences tell nothing: at kinks, at ties, at jumps.

use cellc_compiler::ir::graph::{Graph, OutputRole};
use cellc_compiler::ir::op::{Binary, Op, Reduction, Role, Type, Unary};
use cellc_runtime::program::{Engine, Program};
use cellc_runtime::second::SecondOrder;
use cellc_runtime::sequence::{Extent, InputMut};

/// The cotangents of an operation's operands at given values, on both engines. The cotangent of
/// element `i` of the result is `12 (i + 1)`.
fn check(op: &Op, operands: &[&[f64]], shape: &[usize], expected: &[&[f64]]) {
    let mut graph = Graph::new(op.name());
    let leaves: Vec<_> = (0..operands.len())
        .map(|i| graph.argument(Role::Input, format!("x{i}"), Type::real(shape)))
        .collect();
    let y = graph.push(op.clone(), &leaves).expect("the case is well-typed");
    graph.output(OutputRole::Output, "y", y);
    for engine in [Engine::Interpreter, Engine::Jit] {
        let program = Program::<f64>::new(&graph, engine).expect("the graph is valid");
        let mut sequence = program.sequence(1);
        sequence.reshape(Extent { steps: 1, batch: 1 });
        for (i, operand) in operands.iter().enumerate() {
            let InputMut::Real(data) = sequence.input_mut(i) else { panic!("inputs are real") };
            data.copy_from_slice(operand);
        }
        sequence.forward_with_tape(&[]).expect("the graph runs");
        let cotangent = sequence.output_cotangent_mut(0);
        cotangent.iter_mut().zip(1..).for_each(|(g, i)| *g = 12.0 * f64::from(i));
        sequence.backward(&[]).expect("there is a tape");
        for (i, &expected) in expected.iter().enumerate() {
            let found = sequence.input_gradient(i).expect("inputs are real");
            assert_eq!(found, expected, "operand {i} on {engine:?} of {graph}");
        }
        if expected.len() < operands.len() {
            // A derivative that is not stated is no number, and so is 0 times it.
            continue;
        }
        // Forward mode takes the same derivative there: it is the transpose.
        let mut tangents = SecondOrder::<f64>::new(&graph, engine).expect("the graph is valid");
        for moved in 0..operands.len() {
            for entry in 0..operands[moved].len() {
                tangents.reshape(Extent { steps: 1, batch: 1 });
                for (i, operand) in operands.iter().enumerate() {
                    if let InputMut::Real(data) = tangents.input_mut(i) {
                        data.copy_from_slice(operand);
                    }
                    let tangent = tangents.input_tangent_mut(i).expect("inputs are real");
                    tangent.fill(0.0);
                    tangent[entry] = if i == moved { 1.0 } else { 0.0 };
                }
                tangents.forward(&[], &[]).expect("the graph runs");
                let tangent = tangents.output_tangent(0).iter().zip(1..);
                let product: f64 = tangent.map(|(t, i)| t * 12.0 * f64::from(i)).sum();
                let place = format!("entry {entry} of operand {moved} on {engine:?} of {graph}");
                assert!((product - expected[moved][entry]).abs() < 1e-13, "{place}: {product}");
            }
        }
    }
}

#[test]
fn functions_of_one_operand() {
    let x: &[f64] = &[-2.0, -0.0, 0.0, 3.0];
    check(&Op::Unary(Unary::Relu), &[x], &[4], &[&[0.0, 0.0, 0.0, 48.0]]);
    check(&Op::Unary(Unary::Abs), &[x], &[4], &[&[-12.0, 0.0, 0.0, 48.0]]);
    check(&Op::Unary(Unary::Floor), &[x], &[4], &[&[0.0; 4]]);
    check(&Op::Stop, &[x], &[4], &[&[0.0; 4]]);
    let zeros: &[f64] = &[0.0, -0.0];
    for function in [Unary::Expm1, Unary::Log1p, Unary::Sin] {
        check(&Op::Unary(function), &[zeros], &[2], &[&[12.0, 24.0]]);
    }
}

#[test]
fn functions_of_two_operands() {
    let (a, b): (&[f64], &[f64]) = (&[1.0, 2.0, 3.0, -0.0], &[2.0, 2.0, 1.0, 0.0]);
    let larger: &[f64] = &[0.0, 12.0, 36.0, 24.0];
    let smaller: &[f64] = &[12.0, 12.0, 0.0, 24.0];
    check(&Op::Binary(Binary::Max), &[a, b], &[4], &[larger, smaller]);
    check(&Op::Binary(Binary::Min), &[a, b], &[4], &[smaller, larger]);
    for op in [Binary::Less, Binary::LessEqual, Binary::Equal] {
        check(&Op::Binary(op), &[a, b], &[4], &[&[0.0; 4], &[0.0; 4]]);
    }
    let base: &[f64] = &[0.0, 0.0, 0.0, 0.0, -2.0, -3.0];
    let exponent: &[f64] = &[0.0, 1.0, 2.0, 0.5, 3.0, 0.0];
    let to_base: &[f64] = &[0.0, 24.0, 0.0, f64::INFINITY, 720.0, 0.0];
    let pow = Op::Binary(Binary::Pow);
    check(&pow, &[base, exponent], &[6], &[to_base]);
    check(&pow, &[&[0.0, 0.0, 1.0], &[0.0, 3.0, 7.0]], &[3], &[&[0.0, 0.0, 252.0], &[0.0; 3]]);
    let c: &[f64] = &[0.0, -0.0, 0.5, f64::NAN];
    let (chosen, other): (&[f64], &[f64]) = (&[0.0, 0.0, 36.0, 48.0], &[12.0, 24.0, 0.0, 0.0]);
    check(&Op::Select, &[c, a, b], &[4], &[&[0.0; 4], chosen, other]);
}

#[test]
fn largest_elements() {
    let max = |axis| Op::Reduce { kind: Reduction::Max, axis };
    let x: &[f64] = &[3.0, 1.0, 3.0, 2.0, 3.0, 3.0];
    check(&max(None), &[x], &[6], &[&[3.0, 0.0, 3.0, 0.0, 3.0, 3.0]]);
    check(&max(None), &[x], &[2, 3], &[&[3.0, 0.0, 3.0, 0.0, 3.0, 3.0]]);
    check(&max(Some(0)), &[x], &[2, 3], &[&[12.0, 0.0, 18.0, 0.0, 24.0, 18.0]]);
    check(&max(Some(1)), &[x], &[2, 3], &[&[6.0, 0.0, 6.0, 0.0, 12.0, 12.0]]);
}
