//! `cellc convert`

use std::path::PathBuf;
use std::process::ExitCode;

use cellc_compiler::ir::eval::{Precision, Real};
use cellc_runtime::arrays::{ArrayFile, file_reals};
use cellc_runtime::convert::{
    Conversion, ConvertError, Kind, Order, Place, Sizes, System, Tensor, Tensors,
};
use cellc_runtime::files::PendingFile;
use clap::ValueEnum;
use safetensors::tensor::{TensorView, serialize};
use safetensors::{Dtype, SafeTensors};

use crate::failure::Failure;
use crate::load::in_words;
use crate::output::print;
use crate::table::{Align, columns};

/// Turn weights of PyTorch, Keras or ONNX into arrays for `cellc run`, and params into such weights
///
/// With `--from`, FILE holds the weights of one or more layers under the system's own names: PyTorch's
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
///
/// With `--to` it is the other way round: FILE holds the params of a cell under the names of its text,
/// of a trained model those of one layer, `--params layer0.`; OUT gets the weights under the system's
/// names. Of two biases that are only ever added, the first gets all and the other is 0.
#[derive(clap::Args)]
#[command(
    allow_negative_numbers = true,
    after_help = "\
Example:
  cellc convert lstm.safetensors --from pytorch --cell lstm --out in.safetensors
  cellc run lstm --dims I=3,H=4 --arrays in.safetensors --out out.safetensors
  cellc convert runs/chars-1/model.safetensors --params layer0. --to pytorch --cell lstm --out w.safetensors"
)]
pub(crate) struct Args {
    /// A safetensors file of weights
    #[arg(value_name = "FILE.safetensors")]
    file: PathBuf,
    /// Where the weights come from
    #[arg(long, value_enum, required_unless_present = "to")]
    from: Option<SystemArg>,
    /// Where the cell's params go
    #[arg(long, value_enum, conflicts_with = "from")]
    to: Option<SystemArg>,
    /// The cell of the catalogue: rnn, rnn_relu, lstm, lstm_peephole, lstm_projection, gru or gru_cho
    #[arg(long)]
    cell: String,
    /// Where the arrays go
    #[arg(long, value_name = "ARRAYS.safetensors")]
    out: PathBuf,
    /// What stands before the names of the weights, such as `encoder.` or `lstm/lstm_cell/`
    #[arg(long, default_value = "")]
    prefix: String,
    /// What stands before the names of the params in FILE, such as `layer0.` of a trained model
    #[arg(long, value_name = "PREFIX", default_value = "", requires = "to")]
    params: String,
    /// The layer, from 0; of PyTorch's only, as the others tell layers apart by the prefix
    #[arg(long, default_value_t = 0)]
    layer: usize,
    /// The direction from the end to the beginning, where there are two; run it by `run --reverse`
    #[arg(long)]
    reverse: bool,
    /// The input is [B, T, I]: PyTorch's `batch_first`, ONNX's `layout=1`; Keras's always is
    #[arg(long, conflicts_with = "to")]
    batch_first: bool,
}

impl Args {
    /// The system on the other side, and whether the weights go there.
    fn system(&self) -> (System, bool) {
        match (self.from, self.to) {
            (_, Some(to)) => (to.into(), true),
            (Some(from), None) => (from.into(), false),
            (None, None) => unreachable!("one of the two is required"),
        }
    }
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
    let (system, back) = args.system();
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
    if back {
        let shapes = own(args, shapes);
        let conversion = Conversion::of_params(cell, &place, &shapes);
        let conversion = conversion.map_err(|error| fault(&in_file(args, error)))?;
        let is_param = |name: &str| {
            name.strip_prefix(&args.params).is_some_and(|name| conversion.is_param(name))
        };
        return match precision(is_param, &file).map_err(|error| fault(&error))? {
            Precision::F32 => convert_back::<f32>(args, &conversion, &file),
            Precision::F64 => convert_back::<f64>(args, &conversion, &file),
        };
    }
    let conversion = Conversion::of_arrays(cell, &place, &shapes).map_err(|error| fault(&error))?;
    let taken = |name: &str| {
        let theirs = conversion.takes(name) || conversion.takes_sequence(name);
        theirs || is_own(conversion.cell(), name)
    };
    match precision(taken, &file).map_err(|error| fault(&error))? {
        Precision::F32 => convert::<f32>(args, &conversion, &file),
        Precision::F64 => convert::<f64>(args, &conversion, &file),
    }
}

/// The tensors whose names begin as `--params` says, by the rest of their names.
fn own<T>(args: &Args, tensors: Tensors<T>) -> Tensors<T> {
    let own = |(name, tensor): (String, Tensor<T>)| {
        Some((name.strip_prefix(&args.params)?.to_owned(), tensor))
    };
    tensors.into_iter().filter_map(own).collect()
}

/// What is wrong with a param, under its name in the file.
fn in_file(args: &Args, error: ConvertError) -> ConvertError {
    let named = |array: String| format!("{}{array}", args.params);
    match error {
        ConvertError::Missing { array, expected } => {
            ConvertError::Missing { array: named(array), expected }
        }
        ConvertError::Shape { array, expected, found } => {
            ConvertError::Shape { array: named(array), expected, found }
        }
        other => other,
    }
}

/// Whether a name is one of the cell's own, beside its params.
fn is_own(cell: Kind, name: &str) -> bool {
    name == "x" || cell.states().contains(&name) || name.starts_with("cotangent.")
}

/// The precision of the tensors that are taken, which must be that of all of them.
fn precision(taken: impl Fn(&str) -> bool, file: &SafeTensors<'_>) -> Result<Precision, String> {
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

fn convert_back<T: Real>(
    args: &Args,
    conversion: &Conversion,
    file: &SafeTensors<'_>,
) -> Result<ExitCode, Failure> {
    let params: Tensors<T> = own(args, file_reals(file));
    let mut weights = Tensors::new();
    conversion.from_cell(&params, &mut weights).map_err(|error| {
        Failure::new(format!("`{}`: {}", args.file.display(), in_file(args, error)))
    })?;
    let raw: Vec<Raw> = weights.iter().map(encoded).collect();
    write(args, &raw)?;
    let (system, cell) = (conversion.place().system.name(), conversion.cell().name());
    let out = args.out.display();
    print(format!("{cell} as weights of {system}; wrote {out}\n{}", shapes(&raw)))?;
    Ok(ExitCode::SUCCESS)
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
    let lengths = [conversion.place().system.lengths(), "lengths"];
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
    write(args, &raw)?;
    print(summary(args, conversion, &raw))?;
    Ok(ExitCode::SUCCESS)
}

fn write(args: &Args, raw: &[Raw]) -> Result<(), Failure> {
    let views = raw.iter().map(|(name, dtype, shape, bytes)| {
        Ok((name.as_str(), TensorView::new(*dtype, shape.clone(), bytes)?))
    });
    let views: Result<Vec<_>, safetensors::SafeTensorError> = views.collect();
    let bytes = views.and_then(|views| serialize(views, None));
    let bytes = bytes.map_err(|error| Failure::new(error.to_string()))?;
    let unwritable =
        |error| Failure::new(format!("cannot write `{}`: {error}", args.out.display()));
    PendingFile::create(&args.out).and_then(|out| out.commit(&bytes)).map_err(unwritable)
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
    let (cell, system) = (conversion.cell().name(), conversion.place().system.name());
    let out = args.out.display();
    let projection = projection.map_or(String::new(), |size| format!(",P={size}"));
    let reverse = if args.reverse { " --reverse" } else { "" };
    format!(
        "{cell} of {system}; wrote {out}\n{}\nrun it: cellc run {cell} --dims \
         I={input},H={hidden}{projection} --arrays {out}{reverse} --out OUT.safetensors\n",
        shapes(tensors),
    )
}

/// The shapes of tensors by their names.
fn shapes(tensors: &[Raw]) -> String {
    let row = |(name, _, shape, _): &Raw| vec![name.clone(), format!("{shape:?}")];
    let rows: Vec<_> = tensors.iter().map(row).collect();
    columns(2, &[Align::Left, Align::Left], &rows)
}
