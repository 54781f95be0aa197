//! The text form of graphs: `parse(&graph.to_string()) == Ok(graph)`.
//!
//! ```text
//! graph decay
//! %0 = param rate : [4]
//! %1 = state h : [4]
//! %2 = mul %0, %1 : [4]
//! %3 = slice %2 start=1 : [2]
//! %4 = mask m0 p=0.5 : [2]
//! %5 = mul %3, %4 : [2]
//! next h = %2
//! output tail = %5
//! ```
//!
//! One operation a line: its number, name, operands, attributes and type. Whatever the type
//! already says (the length of a slice, the shape of a broadcast) is no attribute. Blank lines and
//! lines that start with `//` are passed over.

use std::fmt;

use thiserror::Error;

use super::graph::{Graph, Operands, OutputRole, ValueId};
use super::op::{Binary, Op, Reduction, Role, Scalar, Shape, Type, Unary};

impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "graph {}", self.name())?;
        for id in self.ids() {
            let node = self.node(id);
            write!(f, "{id} = {}", node.op.name())?;
            for (i, operand) in node.operands.iter().enumerate() {
                write!(f, "{}{operand}", if i == 0 { " " } else { ", " })?;
            }
            match &node.op {
                Op::Argument { role: Role::Mask(p), name } => write!(f, " {name} p={p:?}")?,
                Op::Argument { name, .. } => write!(f, " {name}")?,
                Op::Constant(value) => write!(f, " {value:?}")?,
                Op::Concat { axis } => write_axis(f, *axis)?,
                Op::Slice { axis, start, .. } => {
                    write_axis(f, *axis)?;
                    write!(f, " start={start}")?;
                }
                Op::Pad { axis, before, after } => {
                    write_axis(f, *axis)?;
                    write!(f, " before={before} after={after}")?;
                }
                Op::Reduce { axis: Some(axis), .. } => write!(f, " axis={axis}")?,
                _ => {}
            }
            writeln!(f, " : {}", node.ty)?;
        }
        for output in self.outputs() {
            writeln!(f, "{} {} = {}", output.role.name(), output.name, output.value)?;
        }
        Ok(())
    }
}

/// A line of graph text that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}: {fault}")]
pub struct ParseError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub fault: String,
}

/// The axis of an operation, unless it is the leading one.
fn write_axis(f: &mut fmt::Formatter<'_>, axis: usize) -> fmt::Result {
    if axis == 0 { Ok(()) } else { write!(f, " axis={axis}") }
}

/// Reads the text form of a graph.
///
/// # Errors
/// If a line is not of the text form, or an operation does not fit its operands.
pub fn parse(text: &str) -> Result<Graph, ParseError> {
    let mut lines = (text.lines().enumerate())
        .map(|(i, line)| (i + 1, line.trim()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with("//"));
    let fault = |line, fault: String| ParseError { line, fault };
    let (number, header) = lines.next().ok_or_else(|| fault(1, "the text is empty".into()))?;
    let name = (header.strip_prefix("graph "))
        .ok_or_else(|| fault(number, "expected `graph NAME`".into()))?;
    let mut graph = Graph::new(name.trim());
    for (number, line) in lines {
        parse_line(&mut graph, line).map_err(|message| fault(number, message))?;
    }
    Ok(graph)
}

fn parse_line(graph: &mut Graph, line: &str) -> Result<(), String> {
    let (left, right) = line.split_once('=').ok_or("expected `=`")?;
    let (left, right) = (left.trim(), right.trim());
    if !left.starts_with('%') {
        let (role, name) = left.split_once(' ').ok_or("expected a role and a name")?;
        let role = (OutputRole::ALL.into_iter().find(|r| r.name() == role))
            .ok_or_else(|| format!("`{role}` is no role of an output"))?;
        let value = value_of(graph, right)?;
        graph.output(role, name.trim(), value);
        return Ok(());
    }
    if left != format!("%{}", graph.len()) {
        return Err(format!("expected `%{}` to be defined next, found `{left}`", graph.len()));
    }
    let (right, ty) = right.rsplit_once(':').ok_or("expected `: TYPE`")?;
    let ty = type_of(ty.trim())?;
    let mut words = right.split([' ', ',']).filter(|word| !word.is_empty());
    let word = words.next().ok_or("expected an operation")?;
    let mut operands = Operands::new();
    let mut rest = Vec::new();
    for word in words {
        if word.starts_with('%') {
            operands.push(value_of(graph, word)?);
        } else {
            rest.push(word);
        }
    }
    if let Some(role) = role_of(word, &mut rest)? {
        let [name] = rest[..] else { return Err("expected a name".into()) };
        graph.argument(role, name, ty);
        return Ok(());
    }
    let id = graph.push(op_of(word, &rest, &ty)?, &operands).map_err(|e| e.to_string())?;
    match graph.ty(id) {
        found if *found == ty => Ok(()),
        found => Err(format!("`{word}` is of type {found} here, not {ty}")),
    }
}

/// The role of a word, if it is that of a leaf; the probability of a mask is taken out of `rest`.
fn role_of(word: &str, rest: &mut Vec<&str>) -> Result<Option<Role>, String> {
    let roles = [Role::Param, Role::Input, Role::State, Role::Residual];
    if word != "mask" {
        return Ok(roles.into_iter().find(|role| role.name() == word));
    }
    let text = rest.pop().and_then(|word| word.strip_prefix("p=")).ok_or("expected `p=`")?;
    let probability = text.parse().map_err(|_| format!("`{text}` is no number"))?;
    Ok(Some(Role::Mask(Scalar(probability))))
}

fn value_of(graph: &Graph, word: &str) -> Result<ValueId, String> {
    let number: Option<usize> = word.strip_prefix('%').and_then(|digits| digits.parse().ok());
    number
        .and_then(|number| graph.ids().nth(number))
        .ok_or_else(|| format!("`{word}` is not a value defined above"))
}

fn type_of(text: &str) -> Result<Type, String> {
    let fault = || format!("`{text}` is no type");
    if let Some(bound) = text.strip_prefix("index(").and_then(|rest| rest.strip_suffix(')')) {
        return Ok(Type::index(bound.parse().map_err(|_| fault())?));
    }
    let inner =
        (text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'))).ok_or_else(fault)?;
    let extents = inner.split(',').map(str::trim).filter(|extent| !extent.is_empty());
    let shape: Result<Shape, _> = extents.map(str::parse).collect();
    Ok(Type::real(shape.map_err(|_| fault())?))
}

/// The operation of a word, its attributes, and the type of its result.
fn op_of(word: &str, rest: &[&str], ty: &Type) -> Result<Op, String> {
    let attribute = |key: &str| -> Result<Option<usize>, String> {
        let found = rest.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
        found.map(|text| text.parse().map_err(|_| format!("`{text}` is no number"))).transpose()
    };
    let needed = |key: &str| attribute(key)?.ok_or_else(|| format!("expected `{key}=`"));
    let axis = || attribute("axis").map(Option::unwrap_or_default);
    let extent = || ty.shape.first().copied().ok_or("expected a vector or matrix type");
    if let Some(op) = Unary::ALL.into_iter().find(|op| op.name() == word) {
        return Ok(Op::Unary(op));
    }
    if let Some(op) = Binary::ALL.into_iter().find(|op| op.name() == word) {
        return Ok(Op::Binary(op));
    }
    if let Some(kind) = Reduction::ALL.into_iter().find(|kind| kind.name() == word) {
        return Ok(Op::Reduce { kind, axis: attribute("axis")? });
    }
    Ok(match word {
        "constant" => {
            let text = rest.first().ok_or("expected a number")?;
            Op::constant(text.parse().map_err(|_| format!("`{text}` is no number"))?)
        }
        "select" => Op::Select,
        "stop" => Op::Stop,
        "range" => Op::Range { len: extent()? },
        "matvec" => Op::MatVec,
        "matvec_t" => Op::MatVecT,
        "outer" => Op::Outer,
        "matmul" => Op::MatMul,
        "concat" => Op::Concat { axis: axis()? },
        "slice" => {
            let axis = axis()?;
            let len = ty
                .shape
                .get(axis)
                .copied()
                .ok_or(format!("expected a type of rank {}, or more", axis + 1))?;
            Op::Slice { axis, start: needed("start")?, len }
        }
        "pad" => Op::Pad { axis: axis()?, before: needed("before")?, after: needed("after")? },
        "broadcast" => Op::Broadcast { shape: ty.shape.clone() },
        "reshape" => Op::Reshape { shape: ty.shape.clone() },
        "transpose" => Op::Transpose,
        "take" => Op::Take,
        "put" => Op::Put { len: extent()? },
        _ => return Err(format!("`{word}` is no operation")),
    })
}
