//! What a model is made of.

use cellc_compiler::ir::op::Role;
use cellc_train::blueprint::{Blueprint, BlueprintError};
use cellc_train::model::{Interface, Parameter, Stage};

/// A stage of a model.
pub(super) struct Part {
    pub(super) stage: String,
    pub(super) cell: String,
    /// Its dimensions, each with its size.
    pub(super) dims: Vec<(String, usize)>,
    /// The names and shapes of its parameters, without one that is another stage's.
    pub(super) shapes: Vec<(String, Vec<usize>)>,
    /// The numbers in them.
    pub(super) parameters: usize,
}

/// The stages of a model.
pub(super) fn parts(
    blueprint: &Blueprint,
    interface: Interface,
) -> Result<Vec<Part>, BlueprintError> {
    let architecture = blueprint.architecture(interface)?;
    Ok(architecture.stages.into_iter().map(part).collect())
}

/// The parameters of all stages.
pub(super) fn parameters(parts: &[Part]) -> Vec<Parameter> {
    let of_part = |part: &Part| {
        let stage = part.stage.clone();
        let named = move |(name, shape): (String, Vec<usize>)| Parameter {
            name: format!("{stage}.{name}"),
            shape,
        };
        part.shapes.clone().into_iter().map(named).collect::<Vec<_>>()
    };
    parts.iter().flat_map(of_part).collect()
}

fn part(stage: Stage) -> Part {
    let graph = &stage.cell.graph;
    let shared = stage.shared.map(|(own, ..)| own);
    let params = graph.arguments_of(Role::Param).enumerate();
    let own = params.filter(|(i, _)| shared != Some(*i));
    let shapes: Vec<(String, Vec<usize>)> =
        own.map(|(_, (id, name))| (name.to_owned(), graph.ty(id).shape.to_vec())).collect();
    let parameters = shapes.iter().map(|(_, shape)| shape.iter().product::<usize>()).sum();
    let (cell, dims) = (graph.name().to_owned(), stage.cell.dims.clone());
    Part { stage: stage.name, cell, dims, shapes, parameters }
}
