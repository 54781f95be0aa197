use cellc_compiler::ir::eval::Precision;
use cellc_compiler::ir::text::parse;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use safetensors::Dtype;
use safetensors::tensor::{TensorView, serialize};

use super::{ArrayFile, Arrays, Fault, file_precision};
use crate::program::{Engine, Program};
use crate::sequence::{Extent, Interface};

const CELL: &str = "
graph cell
%0 = param W : [2, 2]
%1 = input x : [2]
%2 = input i : index(2)
%3 = state h : [2]
%4 = matvec %0, %3 : [2]
%5 = add %4, %1 : [2]
%6 = take %5, %2 : []
next h = %5
output y = %6
";

fn interface() -> Interface {
    Interface::of(&parse(CELL).expect("the test's graph is well-formed"))
}

/// A file that fits the cell: T = 2, B = 1.
fn file() -> Vec<u8> {
    let real = |numbers: &[f32]| numbers.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<_>>();
    let tensors: [(&str, Dtype, Vec<usize>, Vec<u8>); 5] = [
        ("W", Dtype::F32, vec![2, 2], real(&[0.0, 1.0, 2.0, 0.0])),
        ("x", Dtype::F32, vec![2, 1, 2], real(&[1.0, 2.0, 3.0, 4.0])),
        ("i", Dtype::U8, vec![2, 1], vec![0, 1]),
        ("h", Dtype::F32, vec![1, 2], real(&[5.0, 6.0])),
        ("cotangent.out.y", Dtype::F32, vec![2, 1], real(&[1.0, 1.0])),
    ];
    let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
        (*name, TensorView::new(*dtype, shape.clone(), bytes).expect("the test's tensors fit"))
    });
    serialize(views, None).expect("the test's tensors fit")
}

#[test]
fn a_fitting_file_is_read_and_run() {
    let bytes = file();
    let file = ArrayFile::new(&bytes).expect("it is whole");
    let interface = interface();
    assert_eq!(file_precision(&file, &interface), Some((Precision::F32, "W".to_owned())));
    let arrays = Arrays::<f32>::bind(&file, &interface, None).expect("it fits");
    assert_eq!(arrays.extent, Extent { steps: 2, batch: 1 });

    let graph = parse(CELL).expect("the test's graph is well-formed");
    let program = Program::new(&graph, Engine::Interpreter).expect("it verifies");
    let results = arrays.run(&mut *program.sequence(1)).expect("it runs");
    let tensor = |name: &str| {
        let mut tensors = results.tensors.iter();
        let (_, shape, data) = tensors.find(|(n, ..)| n == name).expect("it is there");
        (shape.clone(), data.clone())
    };
    // h: (5, 6) -> (6 + 1, 10 + 2) -> (12 + 3, 14 + 4)
    assert_eq!(tensor("out.y"), (vec![2, 1], vec![7.0, 18.0]));
    assert_eq!(tensor("final.h"), (vec![1, 2], vec![15.0, 18.0]));
    assert_eq!(tensor("grad.x"), (vec![2, 1, 2], vec![3.0, 0.0, 0.0, 1.0]));
    assert_eq!(tensor("grad.h"), (vec![1, 2], vec![0.0, 3.0]));
    assert_eq!(tensor("grad.W"), (vec![2, 2], vec![15.0, 18.0, 7.0, 12.0]));
    let names: Vec<_> = results.tensors.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(names, ["out.y", "final.h", "grad.W", "grad.x", "grad.h"]);

    let bytes = results.to_bytes().expect("it is small");
    let again = ArrayFile::new(&bytes).expect("it is a safetensors file");
    assert_eq!(again.names(), ["final.h", "grad.W", "grad.h", "grad.x", "out.y"]);
}

#[test]
fn leaves_of_one_name_are_refused() {
    let text = "graph cell\n%0 = param h : [1]\n%1 = state h : [1]\nnext h = %0\noutput y = %1\n";
    let interface = Interface::of(&parse(text).expect("the test's graph is well-formed"));
    let bytes = file();
    let file = ArrayFile::new(&bytes).expect("it is whole");
    let faults = Arrays::<f32>::bind(&file, &interface, None).expect_err("it is ambiguous");
    let clash = Fault::Clash { name: "h".to_owned(), first: "param", second: "state" };
    assert_eq!(faults, [clash]);
}

/// Whatever is read is refused or fits: it never panics.
fn read(bytes: &[u8]) {
    if let Ok(file) = ArrayFile::new(bytes) {
        let interface = interface();
        file_precision(&file, &interface);
        let faults = Arrays::<f32>::bind(&file, &interface, None).err().unwrap_or_default();
        faults.iter().for_each(|fault| assert!(!fault.to_string().is_empty()));
    }
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let whole = file();
    for length in 0..whole.len() {
        assert!(ArrayFile::new(&whole[..length]).is_err(), "cut to {length} bytes");
    }
}

#[test]
fn damaged_bytes_never_panic() {
    let whole = file();
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    for _ in 0..20_000 {
        let mut bytes = whole.clone();
        for _ in 0..rng.random_range(1..4) {
            let at = rng.random_range(0..bytes.len());
            // Digits and brackets keep the header readable more often than any byte would.
            let choices = [rng.random(), b'0', b'9', b'[', b']', b'"', b',', b'-'];
            bytes[at] = choices[rng.random_range(0..choices.len())];
        }
        read(&bytes);
    }
}
