//! How a cell's ports fit its place in a model.

use cellc_compiler::ir::op::Element;
use cellc_runtime::sequence::{Interface as Ports, Port};

use super::{Answers, Feed, Interface, Reads, Ready, Stage};

/// Checks that the inputs of a stage are what feeds them, and that it gives something.
pub(super) fn check<T>(
    stage: &Stage,
    before: &[Ready<T>],
    interface: &Interface,
) -> Result<(), String>
where
    T: cellc_runtime::kernels::Wide,
{
    let ports = Ports::of(&stage.cell.graph);
    for (i, feed) in stage.feeds.iter().enumerate() {
        let need = Need::of(feed, before, interface);
        let needed = need.to_string();
        match ports.inputs.get(i) {
            None if ports.inputs.is_empty() => {
                return Err(format!("it needs {needed}, and has no input"));
            }
            None => return Err(format!("it needs {needed} as input {}, and has none", i + 1)),
            Some(port) if !need.fits(port) => {
                let found = format!("`{}: {}`", port.name, port.ty);
                return Err(format!("it needs {needed}, found {found}"));
            }
            Some(_) => {}
        }
    }
    if let Some(port) = ports.inputs.get(stage.feeds.len()) {
        return Err(format!("nothing feeds its input `{}`", port.name));
    }
    let is_loss = stage.feeds.contains(&Feed::Targets);
    let (rank, needed) = if is_loss { (0, "a scalar") } else { (1, "a vector") };
    match ports.outputs.first() {
        Some(port) if port.ty.rank() == rank => Ok(()),
        Some(port) => Err(format!("its first output `{}` is {}, not {needed}", port.name, port.ty)),
        None => Err(format!("it has no output, and needs {needed}")),
    }
}

/// What an input must be.
enum Need {
    Index(usize),
    Vector(usize),
}

impl Need {
    fn of<T: cellc_runtime::kernels::Wide>(
        feed: &Feed,
        before: &[Ready<T>],
        interface: &Interface,
    ) -> Self {
        match feed {
            Feed::Data => match interface.reads {
                Reads::Symbols(n) => Self::Index(n),
                Reads::Reals(n) => Self::Vector(n),
            },
            Feed::Stages(stages) => {
                let width = |&stage: &usize| before[stage].program.interface().outputs[0].ty.size();
                Self::Vector(stages.iter().map(width).sum())
            }
            Feed::Targets => match interface.answers {
                Answers::Classes(n) => Self::Index(n),
                Answers::Reals(n) => Self::Vector(n),
            },
        }
    }

    fn fits(&self, port: &Port) -> bool {
        match *self {
            Self::Index(bound) => port.ty.element == Element::Index { bound },
            Self::Vector(width) => port.ty.is_real() && port.ty.shape.as_slice() == [width],
        }
    }
}

impl std::fmt::Display for Need {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Index(n) => write!(f, "one input `x: index({n})`"),
            Self::Vector(n) => write!(f, "one input `x: [{n}]`"),
        }
    }
}
