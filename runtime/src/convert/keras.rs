//! Keras 3: `LSTM`, `GRU` and `SimpleRNN`, by the names of their weights.
//!
//! `kernel` is `[I, gates H]`, `recurrent_kernel` `[H, gates H]`, `bias` `[gates H]`, or `[2, 3 H]` of a
//! GRU with `reset_after`. `gru` is that with `reset_after=True`, Keras's default, `gru_cho` that
//! without; `rnn_relu` is a `SimpleRNN` with `activation="relu"`. The layers of other activations
//! are other cells.

use super::cell::{Kind, Sizes};
use super::layout::{Array, Blocks, Layout, extents, per_gate};
use super::{ConvertError, Place, Tensors};

/// The cells that Keras has.
pub(super) const CELLS: [Kind; 5] = [Kind::Rnn, Kind::RnnRelu, Kind::Lstm, Kind::Gru, Kind::GruCho];

fn gates(cell: Kind) -> &'static str {
    match cell {
        Kind::Lstm | Kind::LstmPeephole | Kind::LstmProjection => "ifgo",
        Kind::Gru | Kind::GruCho => "zrn",
        Kind::Rnn | Kind::RnnRelu => "n",
    }
}

pub(super) fn layout(cell: Kind, sizes: Sizes, place: &Place) -> Layout {
    let Sizes { input, hidden, .. } = sizes;
    let gates = gates(cell);
    let all = gates.len() * hidden;
    let matrix = |of: &str, columns: usize| {
        let array = Array::new(format!("{}{of}", place.prefix), vec![columns, all]);
        Blocks::transposed(array, hidden, columns)
    };
    let bias = |shape: Vec<usize>, start: usize| {
        let array = Array::new(format!("{}bias", place.prefix), shape);
        Blocks::stacked(array, start, hidden, 1).optional()
    };
    Layout {
        gates,
        kernel: matrix("kernel", input),
        recurrent: matrix("recurrent_kernel", hidden),
        biases: match cell {
            Kind::Gru => vec![bias(vec![2, all], 0), bias(vec![2, all], all)],
            _ => vec![bias(vec![all], 0)],
        },
        peepholes: None,
        projection: None,
    }
}

pub(super) fn sizes<T>(
    cell: Kind,
    place: &Place,
    arrays: &Tensors<T>,
) -> Result<Sizes, ConvertError> {
    let gates = gates(cell).len();
    let expected = if gates == 1 { "[I, H]".to_owned() } else { format!("[I, {gates} H]") };
    let kernel = format!("{}kernel", place.prefix);
    let [input, all] = extents(arrays, &kernel, &expected)?;
    let hidden = per_gate(arrays, &kernel, &expected, (all, gates))?;
    // The number of biases is all that tells the two forms of a GRU apart.
    let bias = format!("{}bias", place.prefix);
    let other = match (cell, arrays.get(&bias).map(|bias| bias.shape.len())) {
        (Kind::Gru, Some(1)) => Kind::GruCho,
        (Kind::GruCho, Some(2)) => Kind::Gru,
        _ => return Ok(Sizes { input, hidden, projection: None }),
    };
    Err(ConvertError::Other { array: bias, cell, other })
}
