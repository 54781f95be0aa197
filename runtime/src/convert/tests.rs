use cellc_compiler::check::check;
use cellc_compiler::diagnostic::Source;
use cellc_compiler::syntax::parse;

use super::{Conversion, ConvertError, Kind, Order, Place, Sizes, System, Tensor, Tensors};
use crate::sequence::Interface;

const SYSTEMS: [System; 3] = [System::Pytorch, System::Keras, System::Onnx];

fn sizes(cell: Kind) -> Sizes {
    let projection = (cell == Kind::LstmProjection).then_some(2);
    Sizes { input: 2, hidden: 3, projection }
}

/// Numbers that are all different.
fn counted(shape: &[usize], from: usize) -> Tensor<f64> {
    let size: usize = shape.iter().product();
    let data = (from..from + size).map(|x| x as f64).collect();
    Tensor { shape: shape.to_vec(), data }
}

fn tensors(list: &[(&str, &[usize])]) -> Tensors<f64> {
    let mut from = 1;
    let tensor = |&(name, shape): &(&str, &[usize])| {
        let tensor = counted(shape, from);
        from += tensor.data.len();
        (name.to_owned(), tensor)
    };
    list.iter().map(tensor).collect()
}

/// Params of a cell whose numbers are all different.
fn params(cell: Kind) -> Tensors<f64> {
    let mut from = 1;
    let param = |array: super::Array| {
        let tensor = counted(&array.shape, from);
        from += tensor.data.len();
        (array.name, tensor)
    };
    cell.params(sizes(cell)).into_iter().map(param).collect()
}

#[test]
fn params_are_those_of_the_catalogue() {
    for cell in Kind::ALL {
        assert_eq!(Kind::find(cell.name()), Some(cell));
        let entry = cellc_cells::find(cell.name()).expect("a cell of the catalogue");
        let tree = parse(&Source::new(cell.name(), entry.source)).expect("the catalogue parses");
        let mut dims = vec![("I".to_owned(), 2), ("H".to_owned(), 3)];
        dims.extend(sizes(cell).projection.map(|size| ("P".to_owned(), size)));
        let interface = Interface::of(&check(&tree, &dims).expect("the catalogue checks").graph);
        let mut expected: Vec<_> =
            interface.params.iter().map(|p| (p.name.clone(), p.ty.shape.to_vec())).collect();
        expected.sort();
        let found = params(cell).into_iter().map(|(name, tensor)| (name, tensor.shape));
        assert_eq!(found.collect::<Vec<_>>(), expected, "{}", cell.name());
        let states: Vec<_> = interface.states.iter().map(|port| port.name.as_str()).collect();
        assert_eq!(states, cell.states(), "{}", cell.name());
    }
}

#[test]
fn params_go_to_every_system_and_come_back() {
    let mut conversions = 0;
    for system in SYSTEMS {
        for &cell in system.cells() {
            for (reverse, bidirectional) in
                [(false, false), (true, false), (false, true), (true, true)]
            {
                let prefix = "a/".to_owned();
                let place = Place { system, prefix, layer: 1, reverse, bidirectional };
                let conversion = Conversion::new(cell, sizes(cell), &place).expect("it is there");
                let params = params(cell);
                let mut arrays = Tensors::new();
                conversion.from_cell(&params, &mut arrays).expect("they fit");
                assert_eq!(conversion.to_cell(&arrays), Ok(params.clone()), "{place:?}");
                // The sizes can be read from the arrays, of which none but these are taken.
                let again = Conversion::of_arrays(cell, &place, &arrays).expect("they fit");
                assert_eq!(again.sizes(), sizes(cell));
                assert_eq!(again.to_cell(&arrays), Ok(params.clone()), "{place:?}");
                assert!(arrays.keys().all(|name| conversion.takes(name) && name.starts_with("a/")));
                // Every element of ours is somewhere in theirs.
                let all = |tensors: &Tensors<f64>| {
                    let mut all: Vec<_> = tensors.values().flat_map(|t| t.data.clone()).collect();
                    all.retain(|x| *x != 0.0);
                    all.sort_by(f64::total_cmp);
                    all
                };
                assert_eq!(all(&arrays), all(&params), "{place:?}");
                conversions += 1;
            }
        }
    }
    assert_eq!(conversions, 4 * 16);
}

/// The part of a vector or of a matrix's rows that belongs to one of `gates` gates.
fn part(tensor: &Tensor<f64>, gates: usize, nth: usize) -> Vec<f64> {
    let size = tensor.data.len() / gates;
    tensor.data[nth * size..][..size].to_vec()
}

fn sum(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

/// Orders of gates, biases and columns, element by element, as the systems document them.
#[test]
fn pytorch_has_i_f_g_o_and_r_z_n() {
    let arrays = tensors(&[
        ("weight_ih_l0", &[12, 2]),
        ("weight_hh_l0", &[12, 3]),
        ("bias_ih_l0", &[12]),
        ("bias_hh_l0", &[12]),
    ]);
    let place = Place::new(System::Pytorch);
    let lstm = Conversion::of_arrays(Kind::Lstm, &place, &arrays).expect("it fits");
    let params = lstm.to_cell(&arrays).expect("it fits");
    for (nth, gate) in ["i", "f", "g", "o"].into_iter().enumerate() {
        let of = |name: &str| part(&arrays[name], 4, nth);
        assert_eq!(params[&format!("b_{gate}")].data, sum(&of("bias_ih_l0"), &of("bias_hh_l0")));
        let (h, x) = (of("weight_hh_l0"), of("weight_ih_l0"));
        let rows = (0..3).flat_map(|row| [&h[3 * row..][..3], &x[2 * row..][..2]].concat());
        assert_eq!(params[&format!("W_{gate}")].data, rows.collect::<Vec<_>>());
    }

    let arrays = tensors(&[
        ("weight_ih_l0", &[9, 2]),
        ("weight_hh_l0", &[9, 3]),
        ("bias_ih_l0", &[9]),
        ("bias_hh_l0", &[9]),
    ]);
    let gru = Conversion::of_arrays(Kind::Gru, &place, &arrays).expect("it fits");
    let params = gru.to_cell(&arrays).expect("it fits");
    for (nth, gate) in ["r", "z", "n"].into_iter().enumerate() {
        let of = |name: &str| part(&arrays[name], 3, nth);
        assert_eq!(params[&format!("W_{gate}")].data, of("weight_ih_l0"));
        assert_eq!(params[&format!("U_{gate}")].data, of("weight_hh_l0"));
        if gate == "n" {
            assert_eq!(params["b_n"].data, of("bias_ih_l0"));
            assert_eq!(params["c_n"].data, of("bias_hh_l0"));
        } else {
            let both = sum(&of("bias_ih_l0"), &of("bias_hh_l0"));
            assert_eq!(params[&format!("b_{gate}")].data, both);
        }
    }
}

#[test]
fn keras_has_z_r_h_and_transposes() {
    let arrays = tensors(&[("kernel", &[2, 9]), ("recurrent_kernel", &[3, 9]), ("bias", &[2, 9])]);
    let place = Place::new(System::Keras);
    let gru = Conversion::of_arrays(Kind::Gru, &place, &arrays).expect("it fits");
    let params = gru.to_cell(&arrays).expect("it fits");
    for (nth, gate) in ["z", "r", "n"].into_iter().enumerate() {
        for (name, ours) in [("kernel", "W"), ("recurrent_kernel", "U")] {
            let theirs = &arrays[name];
            let at = |row: usize, column: usize| theirs.data[column * 9 + 3 * nth + row];
            let columns = theirs.shape[0];
            let expected = (0..3).flat_map(|row| (0..columns).map(move |column| at(row, column)));
            assert_eq!(params[&format!("{ours}_{gate}")].data, expected.collect::<Vec<_>>());
        }
    }
    let bias = |row: usize, nth: usize| arrays["bias"].data[9 * row + 3 * nth..][..3].to_vec();
    assert_eq!(params["b_z"].data, sum(&bias(0, 0), &bias(1, 0)));
    assert_eq!(params["b_r"].data, sum(&bias(0, 1), &bias(1, 1)));
    assert_eq!(params["b_n"].data, bias(0, 2));
    assert_eq!(params["c_n"].data, bias(1, 2));

    let arrays = tensors(&[("kernel", &[2, 12]), ("recurrent_kernel", &[3, 12]), ("bias", &[12])]);
    let lstm = Conversion::of_arrays(Kind::Lstm, &place, &arrays).expect("it fits");
    let params = lstm.to_cell(&arrays).expect("it fits");
    for (nth, gate) in ["i", "f", "g", "o"].into_iter().enumerate() {
        assert_eq!(params[&format!("b_{gate}")].data, part(&arrays["bias"], 4, nth));
    }
}

#[test]
fn onnx_has_i_o_f_c_and_peepholes_i_o_f() {
    let arrays =
        tensors(&[("W", &[2, 12, 2]), ("R", &[2, 12, 3]), ("B", &[2, 24]), ("P", &[2, 9])]);
    for (direction, reverse) in [(0, false), (1, true)] {
        let place = Place { reverse, ..Place::new(System::Onnx) };
        let lstm = Conversion::of_arrays(Kind::LstmPeephole, &place, &arrays).expect("it fits");
        let params = lstm.to_cell(&arrays).expect("it fits");
        let of = |name: &str| {
            let data = part(&arrays[name], 2, direction);
            Tensor { shape: vec![data.len()], data }
        };
        let (input, state) = (part(&of("B"), 2, 0), part(&of("B"), 2, 1));
        for (nth, gate) in ["i", "o", "f", "g"].into_iter().enumerate() {
            let expected = sum(&input[3 * nth..][..3], &state[3 * nth..][..3]);
            assert_eq!(params[&format!("b_{gate}")].data, expected);
            let (h, x) = (part(&of("R"), 4, nth), part(&of("W"), 4, nth));
            let rows = (0..3).flat_map(|row| [&h[3 * row..][..3], &x[2 * row..][..2]].concat());
            assert_eq!(params[&format!("W_{gate}")].data, rows.collect::<Vec<_>>());
        }
        for (nth, gate) in ["i", "o", "f"].into_iter().enumerate() {
            assert_eq!(params[&format!("p_{gate}")].data, part(&of("P"), 3, nth));
        }
    }
}

#[test]
fn directions_share_arrays_of_onnx() {
    let mut arrays = Tensors::new();
    let both = params(Kind::Gru);
    let place = |reverse| Place { reverse, bidirectional: true, ..Place::new(System::Onnx) };
    for reverse in [false, true] {
        let gru = Conversion::new(Kind::Gru, sizes(Kind::Gru), &place(reverse)).expect("it is");
        gru.from_cell(&both, &mut arrays).expect("they fit");
    }
    assert_eq!(arrays["W"].shape, [2, 9, 2]);
    for reverse in [false, true] {
        let gru = Conversion::of_arrays(Kind::Gru, &place(reverse), &arrays).expect("they fit");
        assert_eq!(gru.to_cell(&arrays), Ok(both.clone()));
    }
}

#[test]
fn a_gradient_by_a_sum_is_that_by_each_term() {
    let place = Place::new(System::Pytorch);
    let gru = Conversion::new(Kind::Gru, sizes(Kind::Gru), &place).expect("it is there");
    let ours = params(Kind::Gru);
    let (mut arrays, mut gradients) = (Tensors::new(), Tensors::new());
    gru.from_cell(&ours, &mut arrays).expect("they fit");
    gru.gradients(&ours, &mut gradients).expect("they fit");
    let (r, n) = (0, 2);
    let of = |tensors: &Tensors<f64>, name: &str, gate| part(&tensors[name], 3, gate);
    assert_eq!(of(&arrays, "bias_ih_l0", r), ours["b_r"].data);
    assert_eq!(of(&arrays, "bias_hh_l0", r), [0.0; 3]);
    assert_eq!(of(&arrays, "bias_hh_l0", n), ours["c_n"].data);
    for name in ["bias_ih_l0", "bias_hh_l0"] {
        assert_eq!(of(&gradients, name, r), ours["b_r"].data);
    }
    assert_eq!(of(&gradients, "bias_ih_l0", n), ours["b_n"].data);
    assert_eq!(of(&gradients, "bias_hh_l0", n), ours["c_n"].data);
}

#[test]
fn faults_name_the_array_and_both_shapes() {
    let place = Place::new(System::Pytorch);
    let mut arrays = tensors(&[("weight_ih_l0", &[12, 2]), ("weight_hh_l0", &[12, 3])]);
    let lstm = |arrays: &Tensors<f64>| {
        Conversion::of_arrays(Kind::Lstm, &place, arrays)
            .and_then(|lstm| lstm.to_cell(arrays))
            .map_err(|error| error.to_string())
    };
    assert_eq!(lstm(&arrays).expect("biases may be left out")["b_f"].data, [0.0; 3]);
    arrays.insert("bias_ih_l0".to_owned(), counted(&[12], 0));
    let fault = "array `bias_hh_l0` is missing: it must be [12]";
    assert_eq!(lstm(&arrays).expect_err("both or none"), fault);
    arrays.insert("bias_hh_l0".to_owned(), counted(&[11], 0));
    let fault = "array `bias_hh_l0` must be [12], found [11]";
    assert_eq!(lstm(&arrays).expect_err("it is shorter"), fault);
    arrays.insert("weight_hr_l0".to_owned(), counted(&[2, 3], 0));
    let fault = "array `weight_hr_l0` has no place in `lstm`: these are the weights of \
                 `lstm_projection`";
    assert_eq!(lstm(&arrays).expect_err("it is another cell"), fault);
    arrays.insert("weight_ih_l0".to_owned(), counted(&[10, 2], 0));
    let fault = "array `weight_ih_l0` must be [4 H, I], found [10, 2]";
    assert_eq!(lstm(&arrays).expect_err("10 is no multiple"), fault);
    arrays.insert("weight_ih_l0".to_owned(), counted(&[12, 0], 0));
    let fault = "array `weight_ih_l0` must be [4 H, I], none of them 0, found [12, 0]";
    assert_eq!(lstm(&arrays).expect_err("it has no columns"), fault);
    let fault = "array `weight_ih_l0` is missing: it must be [4 H, I]";
    assert_eq!(lstm(&Tensors::new()).expect_err("nothing is there"), fault);

    let cell = Kind::GruCho;
    let missing = Conversion::new(cell, sizes(cell), &place).expect_err("PyTorch has it not");
    assert_eq!(missing, ConvertError::NoSuchCell { system: System::Pytorch, cell });
    assert_eq!(
        missing.to_string(),
        "PyTorch has no cell that computes what `gru_cho` does; it has `rnn`, `rnn_relu`, `lstm`, \
         `lstm_projection`, `gru`"
    );
    // Forms of a cell that the shapes tell apart.
    let arrays = tensors(&[("kernel", &[2, 9]), ("recurrent_kernel", &[3, 9]), ("bias", &[9])]);
    let keras = Conversion::of_arrays(Kind::Gru, &Place::new(System::Keras), &arrays);
    let (array, other) = ("bias".to_owned(), Kind::GruCho);
    let fault = ConvertError::Other { array, cell: Kind::Gru, other };
    assert_eq!(keras.expect_err("`reset_after=False` has one bias"), fault);
}

#[test]
fn inputs_and_states_are_found() {
    let mut arrays = tensors(&[("W", &[2, 9, 2]), ("R", &[2, 9, 3])]);
    arrays.insert("X".to_owned(), counted(&[4, 5, 2], 0));
    arrays.insert("initial_h".to_owned(), counted(&[4, 2, 3], 0));
    let place = Place { reverse: true, ..Place::new(System::Onnx) };
    let gru = Conversion::of_arrays(Kind::Gru, &place, &arrays).expect("they fit");
    let found = gru.sequence(&arrays, Order::BatchMajor).expect("they fit");
    assert_eq!(found["x"].shape, [5, 4, 2]);
    assert_eq!(found["x"].data[..4], [0.0, 1.0, 10.0, 11.0]);
    assert_eq!(found["h"].shape, [4, 3]);
    assert_eq!(found["h"].data[..6], [3.0, 4.0, 5.0, 9.0, 10.0, 11.0]);
    arrays.insert("initial_h".to_owned(), counted(&[2, 3], 0));
    let fault = gru.sequence(&arrays, Order::TimeMajor).expect_err("an axis is missing");
    assert_eq!(fault.to_string(), "array `initial_h` must be [D, B, 3], found [2, 3]");
    arrays.insert("X".to_owned(), counted(&[5, 4, 3], 0));
    let fault = gru.sequence(&arrays, Order::TimeMajor).expect_err("I is 2");
    assert_eq!(fault.to_string(), "array `X` must be [T, B, 2], found [5, 4, 3]");
}

#[test]
fn later_layers_have_states_and_no_input() {
    let cell = Kind::LstmProjection;
    let mut arrays = tensors(&[("input", &[5, 1, 2]), ("h_0", &[2, 1, 2]), ("c_0", &[2, 1, 3])]);
    let place = |layer| Place { layer, ..Place::new(System::Pytorch) };
    let of = |layer| Conversion::new(cell, sizes(cell), &place(layer)).expect("it is there");
    let found = |layer, arrays: &Tensors<f64>| of(layer).sequence(arrays, Order::TimeMajor);
    let first = found(0, &arrays).expect("they fit");
    assert_eq!(first.keys().collect::<Vec<_>>(), ["c", "h", "x"]);
    let second = found(1, &arrays).expect("they fit");
    assert_eq!(second.keys().collect::<Vec<_>>(), ["c", "h"], "`input` is that of layer 0");
    assert_eq!(second["h"].data, [13.0, 14.0]);
    assert!(of(0).takes_sequence("input") && !of(1).takes_sequence("input"));
    for (name, shape, expected) in
        [("c_0", [2, 1, 2], "[layers D, B, 3]"), ("h_0", [2, 1, 3], "[layers D, B, 2]")]
    {
        arrays.insert(name.to_owned(), counted(&shape, 0));
        let fault = found(1, &arrays).expect_err("the last axis is of another size");
        let expected = format!("array `{name}` must be {expected}, found {shape:?}");
        assert_eq!(fault.to_string(), expected);
        arrays.remove(name);
    }
}
