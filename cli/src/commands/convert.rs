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
use crate::load::in_words;
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
/// ever added are added. PyTorch's `input` is that of layer 0, and taken for no other. What is taken
/// must be all F32 or all F64.
#[derive(clap::Args)]
#[command(
    allow_negative_numbers = true,
    after_help = "\
Example:
  cellc convert lstm.safetensors --from pytorch --cell lstm --out in.safetensors
  cellc run lstm --dims I=3,H=4 --arrays in.safetensors --out out.safetensors"
)]
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
    /// The layer, from 0; of PyTorch's only, as the others tell layers apart by the prefix
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
    let system = System::from(args.from);
    if args.layer > 0 && system != System::Pytorch {
        let (layer, system) = (args.layer, system.name());
        return Err(Failure::new(format!(
            "`--layer {layer}` is for PyTorch: layers of {system} are told apart by `--prefix`"
        )));
    }
    let path = args.file.display();
    let bytes = std::fs::read(&args.file)
        .map_err(|error| Failure::new(format!("cannot read `{path}`: {}", in_words(&error))))?;
    let fault = |error: &dyn std::fmt::Display| Failure::new(format!("`{path}`: {error}"));
    ArrayFile::new(&bytes).map_err(|error| fault(&error))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| fault(&error))?;
    let place = Place {
        system,
        prefix: args.prefix.clone(),
        layer: args.layer,
        reverse: args.reverse,
        bidirectional: false,
    };
    // Shapes tell what is taken, whatever the dtypes, so that no dtype makes an array missing.
    let shape = |tensor: TensorView<'_>| Tensor { shape: tensor.shape().to_vec(), data: vec![] };
    let shapes: Tensors<()> = file.iter().map(|(name, t)| (name.to_owned(), shape(t))).collect();
    let conversion = Conversion::of_arrays(cell, &place, &shapes).map_err(|error| fault(&error))?;
    match precision(&conversion, &file).map_err(|error| fault(&error))? {
        Precision::F32 => convert::<f32>(args, &conversion, &file),
        Precision::F64 => convert::<f64>(args, &conversion, &file),
    }
}

/// Whether a name is one of the cell's own, beside its params.
fn is_own(cell: Kind, name: &str) -> bool {
    name == "x" || cell.states().contains(&name) || name.starts_with("cotangent.")
}

/// The precision of the tensors that are taken, which must be that of all of them.
fn precision(conversion: &Conversion, file: &SafeTensors<'_>) -> Result<Precision, String> {
    let taken = |name: &str| {
        let theirs = conversion.takes(name) || conversion.takes_sequence(name);
        theirs || is_own(conversion.cell(), name)
    };
    let mut names = file.names();
    names.sort_unstable();
    let mut first: Option<(&str, Dtype, Precision)> = None;
    for name in names.into_iter().filter(|name| taken(name)) {
        let Ok(tensor) = file.tensor(name) else { continue };
        let dtype = tensor.dtype();
        let precision = match dtype {
            Dtype::F32 => Precision::F32,
            Dtype::F64 => Precision::F64,
            _ => {
                return Err(format!(
                    "tensor `{name}` is {dtype}, which is not supported: it must be F32 or F64"
                ));
            }
        };
        match first {
            Some((other, other_dtype, _)) if other_dtype != dtype => {
                return Err(format!(
                    "tensor `{name}` is {dtype}, but `{other}` is {other_dtype}: all that is taken \
                     must be of one precision"
                ));
            }
            Some(_) => {}
            None => first = Some((name, dtype, precision)),
        }
    }
    first.map(|(.., precision)| precision).ok_or_else(|| "there is no weight".to_owned())
}

/// A tensor to be written: its name, dtype, shape and bytes.
type Raw = (String, Dtype, Vec<usize>, Vec<u8>);

fn convert<T: Real>(
    args: &Args,
    conversion: &Conversion,
    file: &SafeTensors<'_>,
) -> Result<ExitCode, Failure> {
    let fault =
        |error: &dyn std::fmt::Display| Failure::new(format!("`{}`: {error}", args.file.display()));
    let arrays: Tensors<T> = file_reals(file);
    let order = if args.batch_first { Order::BatchMajor } else { Order::TimeMajor };
    let mut found = conversion.to_cell(&arrays).map_err(|error| fault(&error))?;
    found.extend(conversion.sequence(&arrays, order).map_err(|error| fault(&error))?);
    for (name, tensor) in arrays {
        // A name of the cell's own wins over none, and never over what was converted.
        if is_own(conversion.cell(), &name) {
            found.entry(name).or_insert(tensor);
        }
    }
    let mut raw: Vec<Raw> = found.iter().map(encoded).collect();
    let lengths = [System::from(args.from).lengths(), "lengths"];
    let lengths = lengths.iter().find_map(|name| file.tensor(name).ok().map(|found| (name, found)));
    if let Some((name, lengths)) = lengths {
        if !matches!(lengths.dtype(), Dtype::I64 | Dtype::I32 | Dtype::U32 | Dtype::U8) {
            return Err(fault(&format_args!(
                "tensor `{name}` is {}: lengths must be I64, I32, U32 or U8 (whole numbers)",
                lengths.dtype()
            )));
        }
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
    print(summary(args, conversion, &raw))?;
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
         I={input},H={hidden}{projection} --arrays {out}{reverse} --out OUT.safetensors\n",
        columns(2, &[Align::Left, Align::Left], &rows),
    )
}
