//! What operations give for zeros of both signs, infinities, NaN, denormals and ordinary numbers:
//! native code gives what the interpreter gives, in registers, in tails and by itself.

use cellc_compiler::ir::eval::Precision;
use cellc_compiler::ir::graph::{Graph, OutputRole};
use cellc_compiler::ir::op::{Binary, Op, Reduction, Role, Type, Unary};
use cellc_runtime::kernels::Wide;
use cellc_runtime::program::{Engine, Program};
use cellc_runtime::sequence::{Extent, InputMut};

/// Numbers at which operations differ if they differ anywhere.
fn specials<T: Wide>() -> Vec<T> {
    let (least, normal, largest) = match T::PRECISION {
        Precision::F32 => (1e-45, f64::from(f32::MIN_POSITIVE), f64::from(f32::MAX)),
        Precision::F64 => (5e-324, f64::MIN_POSITIVE, f64::MAX),
    };
    let positive = [0.0, least, normal / 4.0, normal, 0.3, 1.0, 2.5, 90.0, largest, f64::INFINITY];
    let both = positive.iter().flat_map(|&x| [x, -x]);
    both.chain([f64::NAN]).map(T::from_f64).collect()
}

/// The output of a graph of one output for the given inputs, over `rows` examples.
fn run<T: Wide>(graph: &Graph, engine: Engine, inputs: &[Vec<T>], rows: usize) -> Vec<T> {
    let program = Program::<T>::new(graph, engine).expect("the graph is valid");
    let mut sequence = program.sequence(1);
    sequence.reshape(Extent { steps: 1, batch: rows });
    for (i, input) in inputs.iter().enumerate() {
        let InputMut::Real(data) = sequence.input_mut(i) else { panic!("inputs are real") };
        data.copy_from_slice(input);
    }
    sequence.forward(&[]).expect("the graph runs");
    sequence.output(0).to_vec()
}

/// An operation on inputs of one type.
fn graph(op: Op, operands: usize, shape: &[usize]) -> Graph {
    let mut graph = Graph::new(op.name());
    let operands: Vec<_> = (0..operands)
        .map(|i| graph.argument(Role::Input, format!("x{i}"), Type::real(shape)))
        .collect();
    let y = graph.push(op, &operands).expect("the case is well-typed");
    graph.output(OutputRole::Output, "y", y);
    graph
}

/// Whether two numbers are the same bit for bit, or both NaN; or, for functions that are rounded,
/// closer than a few units in the last place.
fn same<T: Wide>(a: T, b: T, rounded: bool) -> bool {
    let (a, b) = (a.to_f64(), b.to_f64());
    let ulp = match T::PRECISION {
        Precision::F32 => (b.abs() * f64::from(f32::EPSILON)).max(1e-45),
        Precision::F64 => (b.abs() * f64::EPSILON).max(5e-324),
    };
    a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan() || rounded && (a - b).abs() <= 6.0 * ulp
}

/// Holds native code against the interpreter, for a value of every size up to two registers and
/// a tail: the number `i` of an operand is special number `i + shift` of it, over all of them.
fn check<T: Wide>(op: &Op, operands: usize, rounded: bool) {
    let mut specials = specials::<T>();
    if let Op::Unary(Unary::Sin | Unary::Cos) = op {
        // Native code reduces angles as far as the documentation says.
        specials.retain(|x| x.to_f64().abs() < 1e6 || !x.to_f64().is_finite());
    }
    let n = specials.len();
    for size in 1..=9 {
        let shapes: &[&[usize]] = match op {
            Op::Reduce { axis: Some(0), .. } => &[&[3, size], &[size, 3]],
            Op::Reduce { axis: Some(_), .. } => &[&[3, size]],
            _ if size == 1 => &[&[1], &[]],
            _ => &[&[size]],
        };
        for &shape in shapes {
            let graph = graph(op.clone(), operands, shape);
            let elements: usize = shape.iter().product();
            let rows = (n * n).div_ceil(elements);
            // Each pair of special numbers meets: the first operand goes through them quickly,
            // the others slowly.
            let inputs: Vec<Vec<T>> = (0..operands)
                .map(|operand| {
                    let pick = |i: usize| match operand {
                        0 => specials[i % n],
                        1 => specials[i / n % n],
                        _ => specials[(i + i / n) % n],
                    };
                    (0..rows * elements).map(pick).collect()
                })
                .collect();
            let meaning = run(&graph, Engine::Interpreter, &inputs, rows);
            let native = run(&graph, Engine::Jit, &inputs, rows);
            assert_eq!(native.len(), meaning.len());
            for (i, (&a, &b)) in native.iter().zip(&meaning).enumerate() {
                let each = elements * i / (native.len() / rows);
                let of: Vec<T> = inputs.iter().map(|input| input[each]).collect();
                let name = T::PRECISION.name();
                assert!(
                    same(a, b, rounded),
                    "{name}, element {i}, {of:?}: {a:?}, not {b:?}: {graph}"
                );
            }
        }
    }
}

fn check_both(op: &Op, operands: usize, rounded: bool) {
    check::<f32>(op, operands, rounded);
    check::<f64>(op, operands, rounded);
}

#[test]
fn functions_of_one_operand() {
    for op in Unary::ALL {
        check_both(&Op::Unary(op), 1, op.is_transcendental());
    }
}

#[test]
fn functions_of_two_operands() {
    for op in Binary::ALL {
        check_both(&Op::Binary(op), 2, op == Binary::Pow);
    }
}

#[test]
fn selections() {
    check_both(&Op::Select, 3, false);
}

#[test]
fn reductions() {
    for axis in [None, Some(0), Some(1)] {
        check_both(&Op::Reduce { kind: Reduction::Max, axis }, 1, false);
    }
}

/// A sum depends on its order, but for numbers whose sums are exact; and what is infinite or NaN
/// is so in any order.
#[test]
fn sums() {
    fn check<T: Wide>() {
        let numbers = [0.0, -0.0, 1.0, -3.0, 0.25, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
        for size in 1..=9 {
            let graph = graph(Op::Reduce { kind: Reduction::Sum, axis: None }, 1, &[size]);
            let finite = (0..40 * size).map(|i| T::from_f64(numbers[i * 7 % 5])).collect();
            let any = (0..40 * size).map(|i| T::from_f64(numbers[i * 5 / 3 % 8])).collect();
            let zeros = (0..40 * size).map(|i| T::from_f64(numbers[usize::from(i % 7 != 0)]));
            for data in [finite, any, zeros.collect()] {
                let inputs = [data];
                let meaning = run(&graph, Engine::Interpreter, &inputs, 40);
                let native = run(&graph, Engine::Jit, &inputs, 40);
                for (row, (&a, &b)) in native.iter().zip(&meaning).enumerate() {
                    let of = &inputs[0][row * size..][..size];
                    assert!(same(a, b, false), "the sum of {of:?} is {a:?}, not {b:?}");
                }
            }
        }
    }
    check::<f32>();
    check::<f64>();
}

/// What the documentation of the operations says.
#[test]
fn meanings() {
    let nan = f64::NAN;
    let at = |op: Op, operands: &[f64]| {
        let graph = graph(op, operands.len(), &[]);
        let inputs: Vec<_> = operands.iter().map(|&x| vec![x]).collect();
        let [meaning, native] =
            [Engine::Interpreter, Engine::Jit].map(|engine| run(&graph, engine, &inputs, 1)[0]);
        assert!(same(native, meaning, true), "{operands:?}: {native} and {meaning}");
        meaning
    };
    let unary = |op, x| at(Op::Unary(op), &[x]);
    let binary = |op, x, y| at(Op::Binary(op), &[x, y]);
    assert!(unary(Unary::Relu, nan).is_nan());
    assert_eq!(unary(Unary::Relu, -0.0).to_bits(), 0);
    assert_eq!(unary(Unary::Exp, f64::NEG_INFINITY).to_bits(), 0);
    assert_eq!(unary(Unary::Log, 0.0), f64::NEG_INFINITY);
    assert!(unary(Unary::Log, -1.0).is_nan());
    assert_eq!(unary(Unary::Sigmoid, f64::NEG_INFINITY), 0.0);
    assert_eq!(unary(Unary::Tanh, f64::INFINITY), 1.0);
    for op in [Binary::Max, Binary::Min] {
        assert!(binary(op, nan, 1.0).is_nan() && binary(op, 1.0, nan).is_nan());
    }
    for (x, y) in [(0.0, -0.0), (-0.0, 0.0)] {
        assert_eq!(binary(Binary::Max, x, y).to_bits(), 0.0_f64.to_bits());
        assert_eq!(binary(Binary::Min, x, y).to_bits(), (-0.0_f64).to_bits());
    }
    for op in [Binary::Less, Binary::LessEqual, Binary::Equal] {
        assert_eq!(binary(op, nan, nan).to_bits(), 0);
    }
    // A NaN is not zero, and what is not chosen does not matter.
    assert_eq!(at(Op::Select, &[nan, 1.0, nan]), 1.0);
    assert_eq!(at(Op::Select, &[-0.0, nan, 2.0]), 2.0);
}
