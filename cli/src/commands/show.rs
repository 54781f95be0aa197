//! `cellc show`

use std::process::ExitCode;

use cellc_compiler::autodiff::{Gradient, differentiate};
use cellc_compiler::ir::graph::Graph;
use clap::ValueEnum;

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
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The text form of graphs
    Text,
    /// Graphviz's language, for drawing
    Dot,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let graph = |graph: &Graph| match args.format {
        Format::Text => graph.to_string(),
        Format::Dot => graph.to_dot(),
    };
    let text = match args.stage {
        Stage::Source if args.format == Format::Dot => {
            return Err(Failure::new(
                "`--format dot` draws graphs: add `--stage graph` or `--stage gradient`",
            ));
        }
        Stage::Source => {
            let mut text = source(&args.cell)?.text;
            if !text.ends_with('\n') {
                text.push('\n');
            }
            text
        }
        Stage::Graph => graph(&load(&args.cell, args.dims.as_ref(), Missing::Choose)?.cell.graph),
        Stage::Gradient => {
            let loaded = load(&args.cell, args.dims.as_ref(), Missing::Choose)?;
            let Gradient { forward, backward } = differentiate(&loaded.cell.graph)
                .map_err(|error| Failure::new(format!("internal error: {error}")))?;
            format!("{}\n{}", graph(&forward), graph(&backward))
        }
    };
    print(text)?;
    Ok(ExitCode::SUCCESS)
}
