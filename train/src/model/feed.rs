//! How a cell's ports fit its place in a model.

use cellc_compiler::ir::op::Element;

use cellc_runtime::sequence::Port;

/// What feeds a stage.
#[derive(Clone, Copy)]
pub(super) enum Feed {
    Symbol,
    Layer { width: usize, masked: bool },
    Head { width: usize },
    Loss { width: usize },
}

impl Feed {
    pub(super) fn place(self) -> &'static str {
        match self {
            Self::Symbol => "the embedding",
            Self::Layer { .. } => "a layer",
            Self::Head { .. } => "the head",
            Self::Loss { .. } => "the loss",
        }
    }

    /// Finds the fed input, the second input and the width of the first output among ports.
    pub(super) fn fit(
        self,
        inputs: &[Port],
        outputs: &[Port],
    ) -> Result<(usize, Option<usize>, usize), String> {
        let is_index = |port: &Port| !port.ty.is_real();
        let index = |needed: &str| {
            inputs.iter().position(is_index).ok_or_else(|| format!("it has no input of {needed}"))
        };
        let vector = |width: usize, others: usize| {
            let needed = format!("one input `x: [{width}]`");
            let list = |ports: &[Port]| -> String {
                let port = |port: &Port| format!("`{}: {}`", port.name, port.ty);
                ports.iter().map(port).collect::<Vec<_>>().join(", ")
            };
            let own = &inputs[..inputs.len() - others.min(inputs.len())];
            let real: Vec<_> = own.iter().filter(|port| !is_index(port)).collect();
            match real[..] {
                [port] if port.ty.shape.as_slice() == [width] => {
                    Ok(inputs.iter().position(|other| other == port).unwrap_or(0))
                }
                _ if own.is_empty() => Err(format!("it needs {needed}, and has no input")),
                _ => Err(format!("it needs {needed}, found {}", list(own))),
            }
        };
        let output = |rank: usize, needed: &str| match outputs.first() {
            Some(port) if port.ty.rank() == rank => Ok(port.ty.size()),
            Some(port) => {
                Err(format!("its first output `{}` is {}, not {needed}", port.name, port.ty))
            }
            None => Err(format!("it has no output, and needs {needed}")),
        };
        let alone = |found: (usize, Option<usize>, usize), expected: usize| {
            if inputs.len() == expected {
                return Ok(found);
            }
            let extra = inputs.iter().enumerate();
            let extra = extra.filter(|(i, _)| *i != found.0 && Some(*i) != found.1);
            let names: Vec<_> = extra.map(|(_, port)| format!("`{}`", port.name)).collect();
            Err(format!("nothing feeds its input {}", names.join(", ")))
        };
        match self {
            Self::Symbol => alone((index("symbols")?, None, output(1, "a vector")?), 1),
            Self::Layer { width, masked: true } => {
                let input = vector(width, 1)?;
                alone((input, Some(inputs.len() - 1), output(1, "a vector")?), 2)
            }
            Self::Layer { width, masked: false } | Self::Head { width } => {
                alone((vector(width, 0)?, None, output(1, "a vector")?), 1)
            }
            Self::Loss { width } => {
                let answer = index("answers")?;
                if inputs[answer].ty.element != (Element::Index { bound: width }) {
                    let found = &inputs[answer].ty;
                    return Err(format!("there are {width} classes, and its answers are {found}"));
                }
                alone((vector(width, 0)?, Some(answer), output(0, "a scalar")?), 2)
            }
        }
    }
}
