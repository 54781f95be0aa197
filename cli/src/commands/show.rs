//! `cellc show`

use std::error::Error;
use std::process::ExitCode;

use cellc_compiler::autodiff::{Gradient, differentiate};
use cellc_compiler::codegen::Target;
use cellc_compiler::fuse::fuse;
use cellc_compiler::ir::graph::Graph;
use cellc_compiler::jit::{Listing, list};
use cellc_compiler::phases::phases;
use cellc_compiler::pipeline::{Graphs, plan};
use clap::ValueEnum;

use super::run::Dtype;
use crate::dims::Dims;
use crate::failure::Failure;
use crate::load::{Missing, load, source};
use crate::output::print;

/// Print what a stage of the compiler makes of a cell
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cellc show lstm
  cellc show lstm --stage graph --dims I=3,H=4
  cellc show lstm --stage asm --dims I=3,H=4 --dtype f64
  cellc show my.cell --stage graph --format dot | dot -Tsvg > graph.svg")]
pub(crate) struct Args {
    /// A name of the catalogue, or the path of a `.cell` file
    cell: String,
    /// The stage to print
    #[arg(long, value_enum, default_value_t = Stage::Source)]
    stage: Stage,
    /// The sizes of the cell's dimensions
    #[arg(long, value_name = "I=3,H=4")]
    dims: Option<Dims>,
    /// The precision of clif and asm
    #[arg(long, value_enum, default_value_t = Dtype::F32)]
    dtype: Dtype,
    /// The machine of clif and asm by its target triple, such as aarch64-unknown-linux-gnu; this
    /// one if left out
    #[arg(long, value_name = "TRIPLE")]
    target: Option<String>,
    /// How to print graphs
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Stage {
    /// The cell's text
    Source,
    /// The dataflow graph of one time step
    Graph,
    /// The forward graph with its residuals, and the backward graph
    Gradient,
    /// What runs before, in and after the loop over time
    Loop,
    /// The loop's operations fused to kernels
    Kernels,
    /// The kernels in order, and where their values are kept
    Plan,
    /// Cranelift's IR of each function
    Clif,
    /// The machine's instructions of each function
    Asm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The text form of graphs
    Text,
    /// Graphviz's language, for drawing
    Dot,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let drawn = matches!(args.stage, Stage::Graph | Stage::Gradient);
    if args.format == Format::Dot && !drawn {
        return Err(Failure::new(
            "`--format dot` draws graphs: add `--stage graph` or `--stage gradient`",
        ));
    }
    let text = if args.stage == Stage::Source {
        let mut text = source(&args.cell)?.text;
        if !text.ends_with('\n') {
            text.push('\n');
        }
        text
    } else {
        let loaded = load(&args.cell, args.dims.as_ref(), Missing::Choose)?;
        stage(args, &loaded.cell.graph).map_err(|error| Failure::new(error.to_string()))?
    };
    print(text)?;
    Ok(ExitCode::SUCCESS)
}

fn stage(args: &Args, graph: &Graph) -> Result<String, Box<dyn Error>> {
    let shown = |graph: &Graph| match args.format {
        Format::Text => graph.to_string(),
        Format::Dot => graph.to_dot(),
    };
    let after = |graph: &Graph| -> Result<String, Box<dyn Error>> {
        let listing = match args.stage {
            Stage::Source | Stage::Graph | Stage::Gradient => return Ok(shown(graph)),
            Stage::Loop => return Ok(phases(graph).to_string()),
            Stage::Kernels => return Ok(fuse(&phases(graph)).to_string()),
            Stage::Plan => return Ok(plan(graph).to_string()),
            Stage::Clif => Listing::Clif,
            Stage::Asm => Listing::Assembly,
        };
        let target = match &args.target {
            Some(triple) => Target::named(triple)?,
            None => Target::host()?,
        };
        Ok(list(&plan(graph), args.dtype.into(), &target, listing)?)
    };
    match args.stage {
        Stage::Source | Stage::Graph => Ok(shown(graph)),
        Stage::Gradient => {
            let Gradient { forward, backward } = differentiate(graph)?;
            Ok(format!("{}\n{}", shown(&forward), shown(&backward)))
        }
        Stage::Loop | Stage::Kernels | Stage::Plan | Stage::Clif | Stage::Asm => {
            let Graphs { forward, taped, backward } = Graphs::new(graph, |_| true)?;
            let mut text = String::new();
            for (title, graph) in
                [("forward", forward), ("forward, keeping the tape", taped), ("backward", backward)]
            {
                text.push_str(&format!("// {title}\n{}\n\n", after(&graph)?.trim_end()));
            }
            Ok(text)
        }
    }
}
