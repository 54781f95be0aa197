//! `cellc show`

use std::error::Error;
use std::process::ExitCode;

use cellc_compiler::autodiff::{Gradient, differentiate};
use cellc_compiler::codegen::Target;
use cellc_compiler::draw::Drawing;
use cellc_compiler::fuse::{Machine, fuse};
use cellc_compiler::ir::graph::Graph;
use cellc_compiler::jit::{Listing, list};
use cellc_compiler::phases::phases;
use cellc_compiler::pipeline::{Graphs, Plans};
use cellc_compiler::plan::Options;
use cellc_runtime::kernels::Width;
use clap::ValueEnum;

use super::run::Dtype;
use crate::dims::Dims;
use crate::failure::Failure;
use crate::hypers::Hypers;
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
    /// The values of the cell's hyper-parameters; as the cell says if left out
    #[arg(long, value_name = "NAME=0.1")]
    set: Option<Hypers>,
    /// The precision of clif and asm
    #[arg(long, value_enum, default_value_t = Dtype::F32)]
    dtype: Dtype,
    /// Another machine by its target triple, such as aarch64-unknown-linux-gnu: everything is
    /// compiled for it, without the kernels that the runtime has for this one
    #[arg(long, value_name = "TRIPLE")]
    target: Option<String>,
    /// How to print the graph
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
    /// A picture of the cell in Graphviz's language: its operations under the names of its text
    Dot,
    /// The same picture in Mermaid's language, which is drawn in Markdown
    Mermaid,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    if args.format != Format::Text && args.stage != Stage::Graph {
        return Err(Failure::new("`--format dot` and `mermaid` draw a cell: add `--stage graph`"));
    }
    let text = if args.stage == Stage::Source {
        let mut text = source(&args.cell)?.text;
        if !text.ends_with('\n') {
            text.push('\n');
        }
        text
    } else {
        // A picture has no sizes.
        let missing = if args.format == Format::Text { Missing::Choose } else { Missing::Any };
        let loaded = load(&args.cell, args.dims.as_ref(), args.set.as_ref(), missing)?;
        match args.format {
            Format::Text => {
                let shown = stage(args, &loaded.cell.graph);
                shown.map_err(|error| Failure::new(error.to_string()))?
            }
            Format::Dot => Drawing::of(&loaded.tree).to_dot(),
            Format::Mermaid => Drawing::of(&loaded.tree).to_mermaid(),
        }
    };
    print(text)?;
    Ok(ExitCode::SUCCESS)
}

fn stage(args: &Args, graph: &Graph) -> Result<String, Box<dyn Error>> {
    match args.stage {
        Stage::Source | Stage::Graph => return Ok(graph.to_string()),
        Stage::Gradient => {
            let Gradient { forward, backward } = differentiate(graph)?;
            return Ok(format!("{forward}\n{backward}"));
        }
        Stage::Loop | Stage::Kernels | Stage::Plan | Stage::Clif | Stage::Asm => {}
    }
    let (target, wide) = match &args.target {
        Some(triple) => (Target::named(triple)?, false),
        None => (Target::host()?, Width::detect().is_some()),
    };
    let machine = Machine { wide };
    let graphs = Graphs::new(graph, |pass| machine.has_use_of(pass))?;
    let plans = Plans::new(&graphs, Options { machine, reuse: true });
    let parts = [
        ("forward", &graphs.forward, &plans.forward),
        ("forward, keeping the tape", &graphs.taped, &plans.taped),
        ("backward", &graphs.backward, &plans.backward),
    ];
    let mut text = String::new();
    for (title, graph, plan) in parts {
        let part = match args.stage {
            Stage::Source | Stage::Graph | Stage::Gradient => graph.to_string(),
            Stage::Loop => phases(graph).to_string(),
            Stage::Kernels => fuse(&phases(graph), machine).to_string(),
            Stage::Plan => plan.to_string(),
            Stage::Clif => list(plan, args.dtype.into(), &target, Listing::Clif)?,
            Stage::Asm => list(plan, args.dtype.into(), &target, Listing::Assembly)?,
        };
        text.push_str(&format!("// {title}\n{}\n\n", part.trim_end()));
    }
    Ok(text)
}
