//! `cellc bench`

use std::num::NonZero;
use std::process::ExitCode;
use std::time::Instant;

use cellc_compiler::check::{Bindings, check_unit};
use cellc_runtime::kernels::{Wide, peak_flops};
use cellc_runtime::measure::{Sampling, Workload, matmul_params, median, time_step};
use cellc_runtime::program::{Engine, Program};
use cellc_runtime::sequence::Extent;
use serde_json::{Value, json};

use super::run::Dtype;
use crate::describe::dims_json;
use crate::dims::{Dims, written};
use crate::failure::Failure;
use crate::hypers::Hypers;
use crate::load::{Loaded, Missing, drawn, load};
use crate::output::{print, print_json};
use crate::table::{Align, columns};

/// The sizes of `I` and `H` where they are not given.
const DEFAULT_DIMS: &[(&str, usize)] = &[("I", 256), ("H", 256)];
/// Samples of a median, at the least.
const SAMPLES: usize = 7;
/// How often a cell is compiled.
const COMPILATIONS: usize = 5;

/// Measure how fast a cell compiles, runs and trains
///
/// Times are medians. A training step is draws of the cell's masks, forward with the tape, the mean of the squares of all
/// outputs as the loss, backward to all params and inputs, and an update by gradient descent.
///
/// A GFLOP/s counts 2 operations for each element of each param's matrix in a product, step and
/// example (6 in training: backward multiplies twice), and nothing else of a cell. The peak is what
/// as many cores as there are threads do of multiply-and-add alone, measured in the same run.
#[derive(clap::Args)]
#[command(
    allow_negative_numbers = true,
    after_help = "\
Examples:
  cellc bench --cell lstm
  cellc bench --cell my.cell --batch 20 --seq 35 --input 650 --hidden 650 --threads 2
  cellc bench --cell gru --hidden 128 --step --json | jq .step_us"
)]
pub(crate) struct Args {
    /// A name of the catalogue, or the path of a `.cell` file
    #[arg(long, value_name = "CELL", default_value = "lstm")]
    cell: String,
    /// How many examples run side by side
    #[arg(long, value_name = "B", default_value_t = const { NonZero::new(32).unwrap() })]
    batch: NonZero<usize>,
    /// How many time steps
    #[arg(long, value_name = "T", default_value_t = const { NonZero::new(64).unwrap() })]
    seq: NonZero<usize>,
    /// The size of the cell's dimension `I`; 256 if left out
    #[arg(long, value_name = "I")]
    input: Option<NonZero<usize>>,
    /// The size of the cell's dimension `H`; 256 if left out
    #[arg(long, value_name = "H")]
    hidden: Option<NonZero<usize>>,
    /// The sizes of the cell's other dimensions
    #[arg(long, value_name = "K=3,N=4")]
    dims: Option<Dims>,
    /// The values of the cell's hyper-parameters; as the cell says if left out
    #[arg(long, value_name = "NAME=0.1")]
    set: Option<Hypers>,
    /// How many threads
    #[arg(long, value_name = "N", default_value_t = NonZero::<usize>::MIN)]
    threads: NonZero<usize>,
    /// The precision to run in
    #[arg(long, value_enum, default_value_t = Dtype::F32)]
    dtype: Dtype,
    /// Measure a single step of a single example too, on one thread
    #[arg(long)]
    step: bool,
    /// How long each thing is measured, at the least
    #[arg(long, value_name = "S", default_value_t = 0.5, value_parser = seconds)]
    seconds: f64,
    /// Print one JSON object: `compile_ms`, `forward_ms`, `train_ms`, `step_us` (with --step),
    /// `forward_gflops`, `train_gflops`, `peak_gflops`, `tape_bytes`, and what was run
    #[arg(long)]
    json: bool,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if (0.0..=3600.0).contains(&number) => Ok(number),
        _ => Err("expected a number of seconds from 0 to 3600, such as 0.5".to_owned()),
    }
}

/// What was measured: times in seconds, throughputs in operations per second.
struct Figures {
    compile: f64,
    forward: f64,
    train: f64,
    step: Option<f64>,
    peak: f64,
    /// Operations of one forward pass.
    work: f64,
    tape_bytes: usize,
}

impl Figures {
    fn forward_flops(&self) -> f64 {
        self.work / self.forward
    }

    fn train_flops(&self) -> f64 {
        3.0 * self.work / self.train
    }
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let extent = Extent { steps: args.seq.get(), batch: args.batch.get() };
    if !extent.is_allowed() {
        return Err(Failure::new(format!(
            "{} steps of {} examples are too many: a run has at most 2^29 rows",
            extent.steps, extent.batch
        )));
    }
    let dims = dims(args)?;
    let missing = Missing::Take(DEFAULT_DIMS);
    let loaded = load(&args.cell, Some(&dims), args.set.as_ref(), missing)?;
    let figures = match args.dtype {
        Dtype::F32 => measure::<f32>(args, &loaded, extent)?,
        Dtype::F64 => measure::<f64>(args, &loaded, extent)?,
    };
    if args.json {
        print_json(&json(args, &loaded, &figures))?;
    } else {
        print(text(args, &loaded, &figures))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The sizes of dimensions that the user gave.
fn dims(args: &Args) -> Result<Dims, Failure> {
    let mut dims = args.dims.clone().unwrap_or_default();
    for (name, option, size) in [("I", "--input", args.input), ("H", "--hidden", args.hidden)] {
        let Some(size) = size else { continue };
        if dims.0.iter().any(|(other, _)| other == name) {
            return Err(Failure::new(format!(
                "`{name}` is given twice: by `{option}` and by `--dims`"
            )));
        }
        dims.0.push((name.to_owned(), size.get()));
    }
    Ok(dims)
}

fn measure<T: Wide>(args: &Args, loaded: &Loaded, extent: Extent) -> Result<Figures, Failure> {
    let Loaded { cell, .. } = loaded;
    let failed = |error: &dyn std::fmt::Display| Failure::new(error.to_string());
    let program = Program::<T>::of(cell, Engine::Jit).map_err(|error| failed(&error))?;
    let compile = time_compilation::<T>(loaded)?;
    let sampling = Sampling { samples: SAMPLES, seconds: args.seconds };
    let threads = args.threads.get();
    // Before and after, since the machine may slow down in between: the larger is the peak.
    let peak = peak_flops::<T>(threads);
    let mut workload = Workload::new(&program, cell, extent, threads);
    let forward = sampling.median(|| workload.forward()).map_err(|error| failed(&error))?;
    // Another, so that its memory is that of training alone.
    workload = Workload::new(&program, cell, extent, threads);
    let train = sampling.median(|| workload.training_step().map(drop));
    let train = train.map_err(|error| failed(&error))?;
    let step = args.step.then(|| time_step(&program, cell, sampling)).transpose();
    Ok(Figures {
        compile,
        forward,
        train,
        step: step.map_err(|error| failed(&error))?,
        peak: peak.max(peak_flops::<T>(threads)),
        work: 2.0 * matmul_params(&cell.graph) as f64 * (extent.steps * extent.batch) as f64,
        tape_bytes: workload.tape_bytes(),
    })
}

/// The median time from text to machine code, forward and backward.
fn time_compilation<T: Wide>(loaded: &Loaded) -> Result<f64, Failure> {
    let Loaded { cell, unit, .. } = loaded;
    let bindings = Bindings { dims: cell.dims.clone(), hypers: cell.hypers.clone() };
    let mut times = Vec::new();
    for _ in 0..COMPILATIONS {
        let start = Instant::now();
        // The texts as they were read just now: reading them is not measured.
        let checked = unit.parsed_again().and_then(|unit| check_unit(&unit, &bindings));
        let program = checked.map(|checked| Program::<T>::of(&checked.cell, Engine::Jit));
        let time = start.elapsed().as_secs_f64();
        match program {
            Ok(Ok(_)) => times.push(time),
            Ok(Err(error)) => return Err(Failure::new(error.to_string())),
            Err(faults) => return Err(Failure::Diagnostics(drawn(&faults, &unit.sources))),
        }
    }
    Ok(median(times))
}

fn json(args: &Args, loaded: &Loaded, figures: &Figures) -> Value {
    let giga = |flops: f64| flops / 1e9;
    let mut value = json!({
        "cell": loaded.tree.name.text,
        "dims": dims_json(&loaded.cell.dims),
        "batch": args.batch,
        "seq": args.seq,
        "threads": args.threads,
        "dtype": dtype(args),
        "matmul_params": matmul_params(&loaded.cell.graph),
        "compile_ms": 1e3 * figures.compile,
        "forward_ms": 1e3 * figures.forward,
        "train_ms": 1e3 * figures.train,
        "forward_gflops": giga(figures.forward_flops()),
        "train_gflops": giga(figures.train_flops()),
        "peak_gflops": giga(figures.peak),
        "tape_bytes": figures.tape_bytes,
    });
    if let Some(step) = figures.step {
        value["step_us"] = json!(1e6 * step);
    }
    value
}

fn dtype(args: &Args) -> &'static str {
    cellc_compiler::ir::eval::Precision::from(args.dtype).name()
}

fn text(args: &Args, loaded: &Loaded, figures: &Figures) -> String {
    let row = |cells: [&str; 4]| cells.map(str::to_owned).to_vec();
    let throughput = |name: &str, time: f64, flops: f64| {
        let giga = format!("{:.1}", flops / 1e9);
        row([name, &written_time(time), &giga, &format!("{:.0} %", 100.0 * flops / figures.peak)])
    };
    let mut rows = vec![
        row(["", "time", "GFLOP/s", "of the peak"]),
        row(["compile", &written_time(figures.compile), "", ""]),
        throughput("forward", figures.forward, figures.forward_flops()),
        throughput("training step", figures.train, figures.train_flops()),
    ];
    if let Some(step) = figures.step {
        rows.push(row(["one step of one example", &written_time(step), "", ""]));
    }
    let threads = match args.threads.get() {
        1 => "1 thread".to_owned(),
        threads => format!("{threads} threads"),
    };
    rows.push(row([&format!("peak of {threads}"), "", &format!("{:.1}", figures.peak / 1e9), ""]));
    use Align::{Left, Right};
    let table = columns(2, &[Left, Right, Right, Right], &rows);
    let with = match written(&loaded.cell.dims) {
        dims if dims.is_empty() => String::new(),
        dims => format!(" with {dims}"),
    };
    format!(
        "{}{with}: T = {}, B = {}, {}, {threads}\n\n{table}\ntraining holds {:.1} MB\n",
        loaded.tree.name.text,
        args.seq,
        args.batch,
        dtype(args),
        figures.tape_bytes as f64 / 1e6,
    )
}

/// A time in the unit that suits it.
fn written_time(seconds: f64) -> String {
    match seconds {
        s if s < 1e-3 => format!("{:.2} us", 1e6 * s),
        s if s < 1.0 => format!("{:.2} ms", 1e3 * s),
        s => format!("{s:.2} s"),
    }
}
