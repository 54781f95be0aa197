//! PyTorch: `nn.LSTM`, `nn.GRU` and `nn.RNN`, by the names of their params.
//!
//! `weight_ih_l{k}` is `[gates H, I]`, `weight_hh_l{k}` `[gates H, H]` (with `proj_size` `[4 H, P]`),
//! `bias_ih_l{k}` and `bias_hh_l{k}` `[gates H]`, `weight_hr_l{k}` `[P, H]`; `_reverse` stands behind
//! the names of the other direction.

use super::cell::{Kind, Sizes};
use super::layout::{Array, Blocks, Layout, extents, per_gate};
use super::{ConvertError, Place, Tensors};

/// The cells that PyTorch has.
pub(super) const CELLS: [Kind; 5] =
    [Kind::Rnn, Kind::RnnRelu, Kind::Lstm, Kind::LstmProjection, Kind::Gru];

fn gates(cell: Kind) -> &'static str {
    match cell {
        Kind::Lstm | Kind::LstmPeephole | Kind::LstmProjection => "ifgo",
        Kind::Gru | Kind::GruCho => "rzn",
        Kind::Rnn | Kind::RnnRelu => "n",
    }
}

fn name(place: &Place, of: &str) -> String {
    let reverse = if place.reverse { "_reverse" } else { "" };
    format!("{}{of}_l{}{reverse}", place.prefix, place.layer)
}

pub(super) fn layout(cell: Kind, sizes: Sizes, place: &Place) -> Layout {
    let Sizes { input, hidden, .. } = sizes;
    let shown = sizes.shown();
    let gates = gates(cell);
    let matrix = |of: &str, columns: usize| {
        let array = Array::new(name(place, of), vec![gates.len() * hidden, columns]);
        Blocks::stacked(array, 0, hidden, columns)
    };
    let bias = |of: &str| {
        let array = Array::new(name(place, of), vec![gates.len() * hidden]);
        Blocks::stacked(array, 0, hidden, 1).optional()
    };
    let projection = || {
        let array = Array::new(name(place, "weight_hr"), vec![shown, hidden]);
        Blocks::stacked(array, 0, shown, hidden)
    };
    Layout {
        gates,
        kernel: matrix("weight_ih", input),
        recurrent: matrix("weight_hh", shown),
        biases: vec![bias("bias_ih"), bias("bias_hh")],
        peepholes: None,
        projection: (cell == Kind::LstmProjection).then(projection),
    }
}

/// The sizes, and whether there are two directions.
pub(super) fn sizes<T>(
    cell: Kind,
    place: &Place,
    arrays: &Tensors<T>,
) -> Result<(Sizes, bool), ConvertError> {
    let gates = gates(cell).len();
    let shape = |columns: &str| match gates {
        1 => format!("[H, {columns}]"),
        _ => format!("[{gates} H, {columns}]"),
    };
    let (kernel, recurrent) = (name(place, "weight_ih"), name(place, "weight_hh"));
    let [all, input] = extents(arrays, &kernel, &shape("I"))?;
    let hidden = per_gate(arrays, &kernel, &shape("I"), (all, gates))?;
    let projection = match cell {
        Kind::LstmProjection => {
            let [_, shown] = extents(arrays, &recurrent, &shape("P"))?;
            Some(shown)
        }
        _ => {
            let array = name(place, "weight_hr");
            if arrays.contains_key(&array) {
                return Err(ConvertError::Other { array, cell, other: Kind::LstmProjection });
            }
            None
        }
    };
    let other = name(&Place { reverse: true, ..place.clone() }, "weight_ih");
    Ok((Sizes { input, hidden, projection }, arrays.contains_key(&other)))
}
