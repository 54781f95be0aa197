//! The cells of the catalogue that other systems have too, and where their gates' weights are.

use super::layout::{Array, View, extents};
use super::{ConvertError, Tensors};

/// A cell of the catalogue that other systems have too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `rnn`
    Rnn,
    /// `rnn_relu`
    RnnRelu,
    /// `lstm`
    Lstm,
    /// `lstm_peephole`
    LstmPeephole,
    /// `lstm_projection`
    LstmProjection,
    /// `gru`: the reset gate acts after the product.
    Gru,
    /// `gru_cho`: the reset gate acts before the product.
    GruCho,
}

/// The sizes of a cell's dimensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// `I`
    pub input: usize,
    /// `H`
    pub hidden: usize,
    /// `P`, of a cell that projects what it shows.
    pub projection: Option<usize>,
}

impl Sizes {
    /// The number of elements of the state `h`.
    pub fn shown(self) -> usize {
        self.projection.unwrap_or(self.hidden)
    }
}

/// A gate of a cell, or its candidate, and the params that are its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gate {
    /// What the layouts of other systems call it.
    pub(super) letter: char,
    /// What the input is multiplied by.
    pub(super) kernel: &'static str,
    /// What the state is multiplied by. If it is the kernel, the product is with `concat(h, x)`.
    pub(super) recurrent: &'static str,
    pub(super) bias: &'static str,
    /// A bias of the state's product that cannot be added to the other.
    pub(super) recurrent_bias: Option<&'static str>,
    pub(super) peephole: Option<&'static str>,
}

const fn gate(letter: char, [kernel, recurrent, bias]: [&'static str; 3]) -> Gate {
    Gate { letter, kernel, recurrent, bias, recurrent_bias: None, peephole: None }
}

const fn with_peephole(gate: Gate, peephole: &'static str) -> Gate {
    Gate { peephole: Some(peephole), ..gate }
}

const F: Gate = gate('f', ["W_f", "W_f", "b_f"]);
const I: Gate = gate('i', ["W_i", "W_i", "b_i"]);
const G: Gate = gate('g', ["W_g", "W_g", "b_g"]);
const O: Gate = gate('o', ["W_o", "W_o", "b_o"]);
const R: Gate = gate('r', ["W_r", "U_r", "b_r"]);
const Z: Gate = gate('z', ["W_z", "U_z", "b_z"]);
const N: Gate = gate('n', ["W_n", "U_n", "b_n"]);

const LSTM: [Gate; 4] = [F, I, G, O];
const PEEPHOLE: [Gate; 4] =
    [with_peephole(F, "p_f"), with_peephole(I, "p_i"), G, with_peephole(O, "p_o")];
const GRU: [Gate; 3] = [R, Z, Gate { recurrent_bias: Some("c_n"), ..N }];
const GRU_CHO: [Gate; 3] = [R, Z, N];
const RNN: [Gate; 1] = [gate('n', ["W", "W", "b"])];
const RNN_RELU: [Gate; 1] = [gate('n', ["W", "U", "b"])];

impl Kind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Rnn,
        Self::RnnRelu,
        Self::Lstm,
        Self::LstmPeephole,
        Self::LstmProjection,
        Self::Gru,
        Self::GruCho,
    ];

    /// Its name in the catalogue.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rnn => "rnn",
            Self::RnnRelu => "rnn_relu",
            Self::Lstm => "lstm",
            Self::LstmPeephole => "lstm_peephole",
            Self::LstmProjection => "lstm_projection",
            Self::Gru => "gru",
            Self::GruCho => "gru_cho",
        }
    }

    /// The cell of a name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cell| cell.name() == name)
    }

    /// Its states, in the order of its text.
    pub fn states(self) -> &'static [&'static str] {
        match self {
            Self::Lstm | Self::LstmPeephole | Self::LstmProjection => &["h", "c"],
            Self::Rnn | Self::RnnRelu | Self::Gru | Self::GruCho => &["h"],
        }
    }

    pub(super) fn gates(self) -> &'static [Gate] {
        match self {
            Self::Rnn => &RNN,
            Self::RnnRelu => &RNN_RELU,
            Self::Lstm | Self::LstmProjection => &LSTM,
            Self::LstmPeephole => &PEEPHOLE,
            Self::Gru => &GRU,
            Self::GruCho => &GRU_CHO,
        }
    }

    /// The sizes that params have.
    pub(super) fn sizes<T>(self, params: &Tensors<T>) -> Result<Sizes, ConvertError> {
        let projection = match self {
            Self::LstmProjection => Some(extents(params, "R", "[P, H]").map(|[shown, _]| shown)?),
            _ => None,
        };
        let gate = &self.gates()[0];
        if gate.kernel != gate.recurrent {
            let [hidden, input] = extents(params, gate.kernel, "[H, I]")?;
            return Ok(Sizes { input, hidden, projection });
        }
        let shown = if projection.is_some() { "P" } else { "H" };
        let expected = format!("[H, {shown} + I]");
        let [hidden, both] = extents(params, gate.kernel, &expected)?;
        match both.checked_sub(projection.unwrap_or(hidden)) {
            Some(input) if input > 0 => Ok(Sizes { input, hidden, projection }),
            _ => {
                let array = gate.kernel.to_owned();
                Err(ConvertError::Shape { array, expected, found: vec![hidden, both] })
            }
        }
    }

    /// What a gate multiplies the input and the state by.
    pub(super) fn matrices(self, gate: &Gate, sizes: Sizes) -> (View, View) {
        let Sizes { input, hidden, .. } = sizes;
        let shown = sizes.shown();
        if gate.kernel == gate.recurrent {
            let both = View::matrix(gate.kernel, hidden, shown + input);
            (both.clone().columns(shown, input), both.columns(0, shown))
        } else {
            let recurrent = View::matrix(gate.recurrent, hidden, shown);
            (View::matrix(gate.kernel, hidden, input), recurrent)
        }
    }

    /// Its params.
    pub(super) fn params(self, sizes: Sizes) -> Vec<Array> {
        let Sizes { input, hidden, .. } = sizes;
        let shown = sizes.shown();
        let mut params = Vec::new();
        for gate in self.gates() {
            if gate.kernel == gate.recurrent {
                params.push(Array::new(gate.kernel, vec![hidden, shown + input]));
            } else {
                params.push(Array::new(gate.kernel, vec![hidden, input]));
                params.push(Array::new(gate.recurrent, vec![hidden, shown]));
            }
            let vectors = [Some(gate.bias), gate.recurrent_bias, gate.peephole];
            params.extend(vectors.into_iter().flatten().map(|name| Array::new(name, vec![hidden])));
        }
        if self == Self::LstmProjection {
            params.push(Array::new("R", vec![shown, hidden]));
        }
        params
    }
}
