//! `cellc run`

use cellc_runtime::kernels::Wide;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use cellc_compiler::cell::Cell;
use cellc_compiler::ir::eval::Precision;
use cellc_runtime::arrays::{ArrayFile, Arrays, Fault, Results, file_precision};
use cellc_runtime::files::PendingFile;
use cellc_runtime::masks::{Draw, Masks};
use cellc_runtime::program::{Engine, Program, ProgramError, Settings};
use cellc_runtime::ragged::Ragged;
use cellc_runtime::sequence::{Extent, Interface, Sequence};
use clap::ValueEnum;

use crate::dims::{Dims, written};
use crate::failure::Failure;
use crate::hypers::Hypers;
use crate::load::{Loaded, Missing, in_words, load};
use crate::memory::memory;
use crate::output::print;
use crate::table::{Align, columns};

/// Apply a cell to the arrays of a safetensors file
///
/// IN holds tensors under the cell's own names: each param, each input as [T, B, ..], each initial
/// state as [B, ..] (where the cell says if absent), where T is the number of time steps, B the number of
/// examples, and `..` the cell's own shape. Index inputs are whole numbers, [T, B]. For gradients
/// it also holds `cotangent.out.NAME`, [T, B, ..], of outputs and `cotangent.final.NAME`, [B, ..],
/// of states after the last step; those absent are zero. `lengths`, whole numbers, `[B]`, says how
/// many steps each example has: its states stand still after them, and its outputs are zero. Beyond its
/// end the cell is still computed, on the example's last step once more (an example of length 0 borrows
/// a step of another), and not used: a derivative that is infinite there makes its gradient NaN.
///
/// OUT gets `out.NAME` of each output, `final.NAME` of each state after the last step and, if there
/// were cotangents, `grad.NAME` of every param, real input and initial state.
#[derive(clap::Args)]
#[command(
    allow_negative_numbers = true,
    after_help = "\
Example:
  cellc run lstm --dims I=3,H=4 --arrays in.safetensors --out out.safetensors

Weights of PyTorch, Keras and ONNX become such arrays by `cellc convert`."
)]
pub(crate) struct Args {
    /// A name of the catalogue, or the path of a `.cell` file
    cell: String,
    /// The sizes of the cell's dimensions; those with a default may be left out
    #[arg(long, value_name = "I=3,H=4")]
    dims: Option<Dims>,
    /// The values of the cell's hyper-parameters; as the cell says if left out
    #[arg(long, value_name = "NAME=0.1")]
    set: Option<Hypers>,
    /// The arrays to apply the cell to
    #[arg(long, value_name = "IN.safetensors")]
    arrays: PathBuf,
    /// Where the results go
    #[arg(long, value_name = "OUT.safetensors")]
    out: PathBuf,
    /// Go from the last step of each example to its first; outputs stay at the steps of their inputs
    #[arg(long)]
    reverse: bool,
    /// Draw the masks of the cell (`bernoulli`) from this seed; if left out they are their
    /// probabilities, as in evaluation
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// The precision to run in; that of the arrays if left out. Arrays of another precision are an
    /// error: they are never converted
    #[arg(long, value_enum)]
    dtype: Option<Dtype>,
    /// What runs the cell
    #[arg(long, value_enum, default_value_t = EngineArg::Jit)]
    engine: EngineArg,
    /// How many threads; as many as there are cores if left out
    #[arg(long, value_name = "N")]
    threads: Option<NonZero<usize>>,
    /// The most memory that the run may take, beside the arrays of the two files; it is run in
    /// segments if it would take more
    #[arg(long, value_name = "200MB", value_parser = memory)]
    memory: Option<usize>,
}

/// `--dtype`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Dtype {
    F32,
    F64,
}

impl From<Dtype> for Precision {
    fn from(dtype: Dtype) -> Self {
        match dtype {
            Dtype::F32 => Self::F32,
            Dtype::F64 => Self::F64,
        }
    }
}

/// `--engine`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EngineArg {
    /// Native code for this machine
    Jit,
    /// The reference interpreter: slow, and the meaning of the language
    Interpreter,
}

impl From<EngineArg> for Engine {
    fn from(engine: EngineArg) -> Self {
        match engine {
            EngineArg::Jit => Self::Jit,
            EngineArg::Interpreter => Self::Interpreter,
        }
    }
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let loaded = load(&args.cell, args.dims.as_ref(), args.set.as_ref(), Missing::Report)?;
    let bytes = std::fs::read(&args.arrays).map_err(|error| {
        Failure::new(format!("cannot read `{}`: {}", args.arrays.display(), in_words(&error)))
    })?;
    // Files that cannot be resolved are different, or reported when they are opened.
    let resolved = [&args.arrays, &args.out].map(|path| path.canonicalize().ok());
    if resolved[0].is_some() && resolved[0] == resolved[1] {
        return Err(Failure::new(format!(
            "`{}` would be overwritten with the results; give `--out` another file",
            args.arrays.display()
        )));
    }
    let file = ArrayFile::new(&bytes)
        .map_err(|error| Failure::new(format!("`{}`: {error}", args.arrays.display())))?;
    let interface = Interface::of(&loaded.cell.graph);
    let found = file_precision(&file, &interface);
    let (precision, like) = match (args.dtype, found) {
        (Some(dtype), _) => (dtype.into(), None),
        (None, Some((precision, like))) => (precision, Some(like)),
        // No real array at all: a cell of index inputs, without params.
        (None, None) => (Precision::F32, None),
    };
    match precision {
        Precision::F32 => apply::<f32>(args, &loaded, &file, like.as_deref()),
        Precision::F64 => apply::<f64>(args, &loaded, &file, like.as_deref()),
    }
}

fn apply<T: Wide>(
    args: &Args,
    loaded: &Loaded,
    file: &ArrayFile<'_>,
    like: Option<&str>,
) -> Result<ExitCode, Failure> {
    let interface = Interface::of(&loaded.cell.graph);
    let arrays = Arrays::<T>::bind(file, &interface, like)
        .map_err(|faults| misfit(&args.arrays, loaded, args.dtype, &faults))?;
    let unwritable =
        |error| Failure::new(format!("cannot write `{}`: {error}", args.out.display()));
    let out = PendingFile::create(&args.out).map_err(unwritable)?;
    let results = results(args, &loaded.cell, &arrays)?;
    let bytes = results.to_bytes().map_err(|error| Failure::new(error.to_string()))?;
    out.commit(&bytes).map_err(unwritable)?;
    print(summary(args, loaded, arrays.extent, &results))?;
    Ok(ExitCode::SUCCESS)
}

fn results<T: Wide>(args: &Args, cell: &Cell, arrays: &Arrays<T>) -> Result<Results<T>, Failure> {
    let internal = |error: ProgramError| Failure::new(error.to_string());
    let threads = args.threads.or_else(|| std::thread::available_parallelism().ok());
    let threads = threads.map_or(1, NonZero::get);
    let engine = args.engine.into();
    if arrays.lengths.is_some() || args.reverse {
        let settings = Settings::default();
        let sequence = Ragged::of(cell, engine, &settings, threads, args.memory);
        let mut sequence = sequence.map_err(internal)?;
        sequence.set_reverse(args.reverse);
        set_masks(args, arrays, &mut sequence)?;
        return Ok(arrays.run_ragged(&mut sequence)?);
    }
    let program = Program::<T>::of(cell, engine).map_err(internal)?;
    let mut sequence = program.sequence_within(threads, args.memory);
    set_masks(args, arrays, &mut *sequence)?;
    Ok(arrays.run(&mut *sequence)?)
}

/// Draws masks, if they are to be drawn.
fn set_masks<T: Wide>(
    args: &Args,
    arrays: &Arrays<T>,
    sequence: &mut dyn Sequence<T>,
) -> Result<(), Failure> {
    if let Some(seed) = args.seed {
        sequence.try_reshape(arrays.extent)?;
        sequence.set_masks(Masks::Drawn(Draw { seed, ..Draw::default() }));
    }
    Ok(())
}

/// The faults of a file's tensors, one a line.
fn misfit(path: &Path, loaded: &Loaded, dtype: Option<Dtype>, faults: &[Fault]) -> Failure {
    let name = &loaded.tree.name.text;
    let with = match written(&loaded.cell.dims) {
        dims if dims.is_empty() => String::new(),
        dims => format!(" with {dims}"),
    };
    let mut text = format!("`{}` does not fit `{name}`{with}:", path.display());
    for fault in faults {
        text.push_str(&format!("\n  {fault}"));
    }
    if faults.iter().any(|fault| matches!(fault, Fault::Dtype { like: Some(_), .. })) {
        text.push_str("\nAll arrays of a run must be of one dtype; convert some.");
    } else if let (Some(_), Some(Fault::Dtype { found, .. })) =
        (dtype, faults.iter().find(|fault| matches!(fault, Fault::Dtype { .. })))
    {
        text.push_str(&format!(
            "\nArrays are never converted: convert these {found} arrays, or choose another --dtype."
        ));
    }
    Failure::new(text)
}

fn summary<T: Wide>(
    args: &Args,
    loaded: &Loaded,
    Extent { steps, batch }: Extent,
    results: &Results<T>,
) -> String {
    let row =
        |(name, shape, _): &(String, Vec<usize>, Vec<T>)| vec![name.clone(), format!("{shape:?}")];
    let rows: Vec<_> = results.tensors.iter().map(row).collect();
    format!(
        "{}: T = {steps}, B = {batch}, {}; wrote {}\n{}",
        loaded.tree.name.text,
        T::PRECISION.name(),
        args.out.display(),
        columns(2, &[Align::Left, Align::Left], &rows),
    )
}
