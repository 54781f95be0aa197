//! What a cell of the catalogue is, by its text and by what the compiler makes of it.

use cellc_cells::{Entry, Kind, Paper};
use cellc_compiler::diagnostic::{Source, render};
use cellc_compiler::fuse::Machine;
use cellc_compiler::ir::graph::Graph;
use cellc_compiler::ir::op::{Class, Op};
use cellc_compiler::opt::{PassError, ready, simplify};
use cellc_compiler::phases::{Phase, phases};
use cellc_compiler::syntax::ast::{self, Declaration, Initializer, Item, Place, TypeKind};
use cellc_compiler::unit::Faults;
use cellc_runtime::sequence::Interface;

use crate::describe::{param_elements, written_type};
use crate::dims::Dims;
use crate::failure::Failure;
use crate::formula::param_count;
use crate::load::{Loaded, Missing, compile};

/// A cell of the catalogue and what there is to say of it.
pub(crate) struct Facts {
    pub(crate) entry: &'static Entry,
    pub(crate) tree: ast::Cell,
    pub(crate) paper: Option<Paper>,
    /// The libraries of the catalogue that it imports from.
    pub(crate) libraries: Vec<String>,
    /// The number of parameters as a formula of the dimensions.
    pub(crate) formula: Option<String>,
    /// The number of parameters, if every dimension has a size.
    pub(crate) elements: Option<usize>,
    /// How many products with a matrix there are in each phase of the forward pass.
    pub(crate) products: [(Phase, usize); 4],
}

impl Facts {
    /// The facts of an entry; its parameters are counted for those sizes that are of its dimensions.
    pub(crate) fn of(entry: &'static Entry, dims: &Dims) -> Result<Self, Failure> {
        let compiled = |dims: Option<&Dims>, missing| -> Result<Loaded, Failure> {
            let source = Source::new(format!("{}.cell", entry.name), entry.source);
            compile(source, dims, None, missing).map_err(|Faults { diagnostics, sources }| {
                Failure::Diagnostics(render(&diagnostics, &sources, false))
            })
        };
        let loaded = compiled(None, Missing::Any)?;
        let products = products(&loaded.cell.graph)
            .map_err(|error| Failure::new(format!("internal error: {error}")))?;
        let uses = loaded.unit.root().uses.iter();
        let libraries = uses.filter_map(|import| match &import.place {
            Place::Catalogue(name) => Some(name.clone()),
            Place::File(_) => None,
        });
        let libraries = libraries.collect();
        let tree = loaded.tree;
        let mut own = dims.clone();
        own.0.retain(|(name, _)| tree.dims.iter().any(|dim| dim.name.text == *name));
        let has_size = |dim: &ast::Dim| {
            dim.default.is_some() || own.0.iter().any(|(name, _)| *name == dim.name.text)
        };
        let elements = if tree.dims.iter().all(has_size) {
            let sized = compiled(Some(&own), Missing::Report)?;
            Some(param_elements(&Interface::of(&sized.cell.graph)))
        } else {
            None
        };
        let (paper, formula) = (entry.paper(), param_count(&tree));
        Ok(Self { entry, tree, paper, libraries, formula, elements, products })
    }

    /// What the cell is for, in a word.
    pub(crate) fn kind(&self) -> &'static str {
        match self.entry.kind {
            Kind::Recurrent => "recurrent",
            Kind::Layer => "layer",
            Kind::Loss => "loss",
        }
    }

    /// Its family in the index, by its structure alone.
    pub(crate) fn family(&self) -> Family {
        let states = self.states();
        let is_matrix = |ty: &TypeKind| matches!(ty, TypeKind::Real(extents) if extents.len() == 2);
        match self.entry.kind {
            Kind::Layer => Family::Layer,
            Kind::Loss => Family::Loss,
            Kind::Recurrent if states.iter().any(|(_, ty)| is_matrix(&ty.kind)) => Family::Matrix,
            Kind::Recurrent if self.products_in(Phase::Body) == 0 => Family::Elementwise,
            Kind::Recurrent if states.len() == 1 => Family::OneState,
            Kind::Recurrent => Family::SeveralStates,
        }
    }

    /// How many products with a matrix there are in a phase.
    pub(crate) fn products_in(&self, phase: Phase) -> usize {
        self.products.iter().filter(|(other, _)| *other == phase).map(|(_, count)| count).sum()
    }

    /// The year of its paper.
    pub(crate) fn year(&self) -> String {
        self.paper.as_ref().map(|paper| paper.year.to_string()).unwrap_or_default()
    }

    /// The cell as its text declares it, such as `lstm(I, H)`.
    pub(crate) fn signature(&self) -> String {
        let dims = self.tree.dims.iter().map(|dim| match &dim.default {
            Some(default) => format!("{} = {default}", dim.name.text),
            None => dim.name.text.clone(),
        });
        format!("{}({})", self.entry.name, dims.collect::<Vec<_>>().join(", "))
    }

    /// Its declarations, in order.
    pub(crate) fn declarations(&self) -> impl Iterator<Item = &Declaration> {
        self.tree.items.iter().filter_map(|item| match item {
            Item::Declaration(declaration) => Some(declaration),
            _ => None,
        })
    }

    /// Its states, each with its type.
    fn states(&self) -> Vec<(&str, &ast::TypeExpr)> {
        let states = self.declarations().filter(|d| d.kind == ast::Kind::State);
        states.flat_map(|d| d.names.iter().map(|name| (name.text.as_str(), &d.ty))).collect()
    }

    /// Its states with their shapes: `h [H], c [H]`.
    pub(crate) fn written_states(&self) -> String {
        let states = self.states().into_iter();
        let states: Vec<_> =
            states.map(|(name, ty)| format!("{name} {}", written_type(ty))).collect();
        states.join(", ")
    }
}

/// What kind of loop a cell is, from what can be computed for many steps at once to what cannot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    OneState,
    SeveralStates,
    Matrix,
    Elementwise,
    Layer,
    Loss,
}

impl Family {
    pub(crate) const ALL: [Self; 6] = [
        Self::OneState,
        Self::SeveralStates,
        Self::Matrix,
        Self::Elementwise,
        Self::Layer,
        Self::Loss,
    ];

    /// Its heading.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::OneState => "One state",
            Self::SeveralStates => "Several states",
            Self::Matrix => "A matrix as state",
            Self::Elementwise => "No product in the loop",
            Self::Layer => "Layers",
            Self::Loss => "Losses",
        }
    }

    /// What its cells have in common.
    pub(crate) fn says(self) -> &'static str {
        match self {
            Self::OneState => "One vector is carried from step to step, through a matrix.",
            Self::SeveralStates => {
                "What is remembered is apart from what is shown, or stands in several vectors."
            }
            Self::Matrix => "A memory that each step writes to and reads from.",
            Self::Elementwise => {
                "All matrices act before or after the loop, for all steps at once; what is left of \
                 it is elementwise."
            }
            Self::Layer => "What stands before and after recurrent cells in a model.",
            Self::Loss => "What training makes small.",
        }
    }
}

/// How a declaration's names begin, as the language writes it: also where the text says nothing.
pub(crate) fn written_initializer(declaration: &Declaration) -> String {
    match (&declaration.initializer, &declaration.ty.kind) {
        (Some(Initializer::Constant(value)), _) => format!("= {value}"),
        (Some(Initializer::Draw { name, arguments }), _) if arguments.is_empty() => {
            format!("~ {}", name.text)
        }
        (Some(Initializer::Draw { name, arguments }), _) => {
            let arguments: Vec<_> = arguments.iter().map(ToString::to_string).collect();
            format!("~ {}({})", name.text, arguments.join(", "))
        }
        (None, _) if declaration.kind == ast::Kind::Input => String::new(),
        (None, TypeKind::Real(extents)) if declaration.kind == ast::Kind::Param => {
            match extents.as_slice() {
                [_, fan_in] => format!("~ uniform(1 / sqrt({fan_in}))"),
                _ => "= 0".to_owned(),
            }
        }
        (None, _) => "= 0".to_owned(),
    }
}

/// How many products with a matrix the passes leave in each phase of the forward pass, on machines
/// for which the runtime has kernels.
fn products(graph: &Graph) -> Result<[(Phase, usize); 4], PassError> {
    let enabled = |pass: &str| Machine { wide: true }.has_use_of(pass);
    let graph = ready(&simplify(graph, enabled)?, enabled)?;
    let looped = phases(&graph);
    // An outer product has no matrix to multiply by, and costs no more than what it is added to.
    let is_product = |op: &Op| op.class() == Class::Product && *op != Op::Outer;
    Ok(Phase::ALL.map(|phase| {
        let products = graph.ids().filter(|&id| is_product(graph.op(id)));
        (phase, products.filter(|&id| looped.phase(id) == phase).count())
    }))
}
