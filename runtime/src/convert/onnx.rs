//! ONNX: the operators LSTM, GRU and RNN, by the names of their inputs.
//!
//! `W` is `[D, gates H, I]`, `R` `[D, gates H, H]`, `B` `[D, 2 gates H]`, `P` `[D, 3 H]`, where `D` is the
//! number of directions. `gru` is that with `linear_before_reset=1`, `gru_cho` that with 0, ONNX's
//! default; `rnn_relu` is an RNN with the activation `Relu`. There is no cell for other activations,
//! for `clip` and for `input_forget=1`.

use super::cell::{Kind, Sizes};
use super::layout::{Array, Blocks, Layout, extents, per_gate};
use super::{ConvertError, Place, Tensors};

/// The cells that ONNX has.
pub(super) const CELLS: [Kind; 6] =
    [Kind::Rnn, Kind::RnnRelu, Kind::Lstm, Kind::LstmPeephole, Kind::Gru, Kind::GruCho];

fn gates(cell: Kind) -> &'static str {
    match cell {
        Kind::Lstm | Kind::LstmPeephole | Kind::LstmProjection => "iofg",
        Kind::Gru | Kind::GruCho => "zrn",
        Kind::Rnn | Kind::RnnRelu => "n",
    }
}

pub(super) fn layout(cell: Kind, sizes: Sizes, place: &Place) -> Layout {
    let Sizes { input, hidden, .. } = sizes;
    let gates = gates(cell);
    let all = gates.len() * hidden;
    let direction = place.direction();
    let array = |of: &str, shape: &[usize]| {
        let directions = 1 + usize::from(place.bidirectional);
        let shape = [&[directions], shape].concat();
        Array::new(format!("{}{of}", place.prefix), shape)
    };
    let matrix = |of: &str, columns: usize| {
        let start = direction * all * columns;
        Blocks::stacked(array(of, &[all, columns]), start, hidden, columns)
    };
    let bias = |nth: usize| {
        let start = (2 * direction + nth) * all;
        Blocks::stacked(array("B", &[2 * all]), start, hidden, 1).optional()
    };
    let peepholes = || {
        let start = direction * 3 * hidden;
        ("iof", Blocks::stacked(array("P", &[3 * hidden]), start, hidden, 1))
    };
    Layout {
        gates,
        kernel: matrix("W", input),
        recurrent: matrix("R", hidden),
        biases: vec![bias(0), bias(1)],
        peepholes: (cell == Kind::LstmPeephole).then(peepholes),
        projection: None,
    }
}

/// The sizes, and whether there are two directions.
pub(super) fn sizes<T>(
    cell: Kind,
    place: &Place,
    arrays: &Tensors<T>,
) -> Result<(Sizes, bool), ConvertError> {
    let gates = gates(cell).len();
    let expected = if gates == 1 { "[D, H, I]".to_owned() } else { format!("[D, {gates} H, I]") };
    let name = |of: &str| format!("{}{of}", place.prefix);
    let [directions, all, input] = extents(arrays, &name("W"), &expected)?;
    let hidden = per_gate(arrays, &name("W"), &expected, (all, gates))?;
    if !(1..=2).contains(&directions) {
        let (array, expected) = (name("W"), format!("{expected}, D being 1 or 2"));
        return Err(ConvertError::Shape { array, expected, found: vec![directions, all, input] });
    }
    if cell != Kind::LstmPeephole && arrays.contains_key(&name("P")) {
        return Err(ConvertError::Other { array: name("P"), cell, other: Kind::LstmPeephole });
    }
    Ok((Sizes { input, hidden, projection: None }, directions == 2))
}
