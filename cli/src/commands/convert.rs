//! `cellc convert`

use std::path::PathBuf;
use std::process::ExitCode;

use cellc_compiler::ir::eval::{Precision, Real};
use cellc_runtime::arrays::{ArrayFile, file_reals};
use cellc_runtime::convert::{Conversion, Kind, Order, Place, Sizes, System, Tensor, Tensors};
use cellc_runtime::files::PendingFile;
use clap::ValueEnum;
use safetensors::tensor::{TensorView, serialize};
use safetensors::{Dtype, SafeTensors};

use crate::failure::Failure;
use crate::output::print;
use crate::table::{Align, columns};

/// Turn weights of PyTorch, Keras or ONNX into arrays for `cellc run`
///
/// FILE holds the weights of one or more layers under the system's own names: PyTorch's
/// `weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0` (`_reverse`, `weight_hr_l0`), Keras's
/// `kernel`, `recurrent_kernel`, `bias`, ONNX's `W`, `R`, `B`, `P`. OUT gets the params of one layer
/// in one direction under the names of the cell's text.
///
/// What the system feeds the layer with is taken too, if it is there: PyTorch's `input`, `h_0`, `c_0`
/// and `lengths`, Keras's `sequences`, `initial_state.0`, `initial_state.1` and `lengths`, ONNX's `X`,
/// `initial_h`, `initial_c` and `sequence_lens`; and so are tensors under the cell's own names, `x`,
/// `h`, `c` and cotangents. Gates are put in order, matrices transposed, and biases that are only
/// ever added are added.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  cellc convert lstm.safetensors --from pytorch --cell lstm --out in.safetensors
  cellc run lstm --dims I=3,H=4 --arrays in.safetensors --out out.safetensors")]
pub(crate) struct Args {
    /// A safetensors file of weights
    #[arg(value_name = "FILE.safetensors")]
    file: PathBuf,
    /// Where the weights come from
    #[arg(long, value_enum)]
    from: SystemArg,
    /// The cell of the catalogue: rnn, rnn_relu, lstm, lstm_peephole, lstm_projection, gru or gru_cho
    #[arg(long)]
    cell: String,
    /// Where the arrays go
    #[arg(long, value_name = "ARRAYS.safetensors")]
    out: PathBuf,
    /// What stands before the names of the weights, such as `encoder.` or `lstm/lstm_cell/`
    #[arg(long, default_value = "")]
    prefix: String,
    /// The layer, from 0, of PyTorch's
    #[arg(long, default_value_t = 0)]
    layer: usize,
    /// The direction from the end to the beginning, where there are two; run it by `run --reverse`
    #[arg(long)]
    reverse: bool,
    /// The input is [B, T, I]: PyTorch's `batch_first`, ONNX's `layout=1`; Keras's always is
    #[arg(long)]
    batch_first: bool,
}

/// `--from`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SystemArg {
    /// `nn.LSTM`, `nn.GRU`, `nn.RNN`
    Pytorch,
    /// Layers of Keras 3
    Keras,
    /// The operators LSTM, GRU, RNN
    Onnx,
}

impl From<SystemArg> for System {
    fn from(system: SystemArg) -> Self {
        match system {
            SystemArg::Pytorch => Self::Pytorch,
            SystemArg::Keras => Self::Keras,
            SystemArg::Onnx => Self::Onnx,
        }
    }
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let cell = Kind::find(&args.cell).ok_or_else(|| {
        let names: Vec<_> = Kind::ALL.iter().map(|cell| cell.name()).collect();
        let (cell, names) = (&args.cell, names.join(", "));
        Failure::new(format!("`{cell}` cannot be converted to; these can: {names}"))
    })?;
    let path = args.file.display();
    let bytes = std::fs::read(&args.file)
        .map_err(|error| Failure::new(format!("cannot read `{path}`: {error}")))?;
    let fault = |error: &dyn std::fmt::Display| Failure::new(format!("`{path}`: {error}"));
    ArrayFile::new(&bytes).map_err(|error| fault(&error))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| fault(&error))?;
    match precision(&file) {
        Some(Precision::F32) => convert::<f32>(args, cell, &file),
        Some(Precision::F64) => convert::<f64>(args, cell, &file),
        None => Err(fault(&"there is no tensor of F32 or F64 numbers")),
    }
}

/// The precision of the file's numbers: F64 if any are.
fn precision(file: &SafeTensors<'_>) -> Option<Precision> {
    let is = |dtype| file.iter().any(|(_, tensor)| tensor.dtype() == dtype);
    match (is(Dtype::F64), is(Dtype::F32)) {
        (true, _) => Some(Precision::F64),
        (false, true) => Some(Precision::F32),
        (false, false) => None,
    }
}

/// A tensor to be written: its name, dtype, shape and bytes.
type Raw = (String, Dtype, Vec<usize>, Vec<u8>);

fn convert<T: Real>(args: &Args, cell: Kind, file: &SafeTensors<'_>) -> Result<ExitCode, Failure> {
    let fault =
        |error: &dyn std::fmt::Display| Failure::new(format!("`{}`: {error}", args.file.display()));
    let arrays: Tensors<T> = file_reals(file);
    let place = Place {
        system: args.from.into(),
        prefix: args.prefix.clone(),
        layer: args.layer,
        reverse: args.reverse,
        bidirectional: false,
    };
    let conversion = Conversion::of_arrays(cell, &place, &arrays).map_err(|e| fault(&e))?;
    let order = if args.batch_first { Order::BatchMajor } else { Order::TimeMajor };
    let mut found = conversion.to_cell(&arrays).map_err(|error| fault(&error))?;
    found.extend(conversion.sequence(&arrays, order).map_err(|error| fault(&error))?);
    let own =
        |name: &str| name == "x" || cell.states().contains(&name) || name.starts_with("cotangent.");
    for (name, tensor) in arrays {
        // A name of the cell's own wins over none, and never over what was converted.
        if own(&name) {
            found.entry(name).or_insert(tensor);
        }
    }
    let mut raw: Vec<Raw> = found.iter().map(encoded).collect();
    let lengths = [System::from(args.from).lengths(), "lengths"];
    if let Some(lengths) = lengths.iter().find_map(|name| file.tensor(name).ok()) {
        let (dtype, shape) = (lengths.dtype(), lengths.shape().to_vec());
        raw.push(("lengths".to_owned(), dtype, shape, lengths.data().to_vec()));
    }
    raw.sort_by(|a, b| a.0.cmp(&b.0));
    let views = raw.iter().map(|(name, dtype, shape, bytes)| {
        Ok((name.as_str(), TensorView::new(*dtype, shape.clone(), bytes)?))
    });
    let views: Result<Vec<_>, safetensors::SafeTensorError> = views.collect();
    let bytes = views.and_then(|views| serialize(views, None));
    let bytes = bytes.map_err(|error| Failure::new(error.to_string()))?;
    let unwritable =
        |error| Failure::new(format!("cannot write `{}`: {error}", args.out.display()));
    PendingFile::create(&args.out).and_then(|out| out.commit(&bytes)).map_err(unwritable)?;
    print(summary(args, &conversion, &raw))?;
    Ok(ExitCode::SUCCESS)
}

fn encoded<T: Real>((name, Tensor { shape, data }): (&String, &Tensor<T>)) -> Raw {
    #[allow(clippy::cast_possible_truncation, reason = "an f32 that was widened")]
    let (dtype, bytes) = match T::PRECISION {
        Precision::F32 => {
            let numbers = data.iter().flat_map(|x| (x.to_f64() as f32).to_le_bytes());
            (Dtype::F32, numbers.collect())
        }
        Precision::F64 => {
            (Dtype::F64, data.iter().flat_map(|x| x.to_f64().to_le_bytes()).collect())
        }
    };
    (name.clone(), dtype, shape.clone(), bytes)
}

fn summary(args: &Args, conversion: &Conversion, tensors: &[Raw]) -> String {
    let Sizes { input, hidden, projection } = conversion.sizes();
    let (cell, system) = (conversion.cell().name(), System::from(args.from).name());
    let out = args.out.display();
    let row = |(name, _, shape, _): &Raw| vec![name.clone(), format!("{shape:?}")];
    let rows: Vec<_> = tensors.iter().map(row).collect();
    let projection = projection.map_or(String::new(), |size| format!(",P={size}"));
    let reverse = if args.reverse { " --reverse" } else { "" };
    format!(
        "{cell} of {system}; wrote {out}\n{}\nrun it: cellc run {cell} --dims \
         I={input},H={hidden}{projection} --arrays {out}{reverse} --out OUT.safetensors",
        columns(2, &[Align::Left, Align::Left], &rows),
    )
}
