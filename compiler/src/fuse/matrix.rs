//! The matrices of products, as blocks of what is in memory.

use super::access::view;
use crate::ir::graph::{Graph, ValueId};
use crate::ir::op::Op;

/// The matrix of a product, to be packed: from a vector of `inner` elements to one of `outer`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Matrix {
    /// The number of elements of the vector that it is multiplied with.
    pub inner: usize,
    /// The number of elements of the product.
    pub outer: usize,
    /// The blocks that it is made of.
    pub blocks: Vec<Block>,
}

/// A part of a matrix, as it lies in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Block {
    /// The value in whose memory it is.
    pub source: ValueId,
    /// The number of elements of the source before the first of the block.
    pub offset: usize,
    /// The number of elements from one row of the source to the next.
    pub stride: usize,
    /// Whether a row of the source runs along the vector that is multiplied: else along the product.
    pub inner_is_contiguous: bool,
    /// The elements of the vector that it is multiplied with, from the first to the last.
    pub inner: [usize; 2],
    /// The elements of the product that it adds to, from the first to the last.
    pub outer: [usize; 2],
}

/// A part of a matrix value: some of its rows and columns.
#[derive(Clone, Copy)]
struct Part {
    rows: [usize; 2],
    columns: [usize; 2],
    /// Whether the value is to be read transposed.
    transposed: bool,
    /// Where the part goes: its first row and column, once transposed.
    to: [usize; 2],
}

impl Matrix {
    /// The matrix of `matrix @ vector`, or of its transpose.
    pub(super) fn new(graph: &Graph, matrix: ValueId, transposed: bool) -> Self {
        let shape = &graph.ty(matrix).shape;
        let (rows, columns) = (shape[0], shape[1]);
        let whole = Part { rows: [0, rows], columns: [0, columns], transposed, to: [0, 0] };
        let mut blocks = Vec::new();
        collect(graph, matrix, whole, &mut blocks);
        let (outer, inner) = if transposed { (columns, rows) } else { (rows, columns) };
        Self { inner, outer, blocks }
    }
}

/// Traces a part of a matrix to where it is in memory, through what only moves its elements.
fn collect(graph: &Graph, id: ValueId, part: Part, blocks: &mut Vec<Block>) {
    let Part { rows, columns, transposed, to } = part;
    let operands = graph.operands(id);
    match graph.op(id) {
        Op::Transpose => {
            let part = Part { rows: columns, columns: rows, transposed: !transposed, to };
            collect(graph, operands[0], part, blocks);
        }
        &Op::Slice { axis, start, .. } => {
            let shift = |[first, last]: [usize; 2]| [first + start, last + start];
            let part = match axis {
                0 => Part { rows: shift(rows), ..part },
                _ => Part { columns: shift(columns), ..part },
            };
            collect(graph, operands[0], part, blocks);
        }
        &Op::Concat { axis } => {
            let mut start = 0;
            for &operand in operands {
                let end = start + graph.ty(operand).shape[axis];
                let wanted = if axis == 0 { rows } else { columns };
                let [first, last] = [wanted[0].max(start), wanted[1].min(end)];
                if first < last {
                    let inside = [first - start, last - start];
                    // Rows of the value are columns of what is made of it, if it is transposed.
                    let mut to = to;
                    to[axis ^ usize::from(transposed)] += first - wanted[0];
                    let part = match axis {
                        0 => Part { rows: inside, to, ..part },
                        _ => Part { columns: inside, to, ..part },
                    };
                    collect(graph, operand, part, blocks);
                }
                start = end;
            }
        }
        _ => {
            let found = view(graph, id);
            let stride = graph.ty(id).shape[1];
            let [height, width] = [rows, columns].map(|[first, last]| last - first);
            let [height, width] = if transposed { [width, height] } else { [height, width] };
            blocks.push(Block {
                source: found.base,
                offset: found.offset + rows[0] * stride + columns[0],
                stride,
                inner_is_contiguous: !transposed,
                inner: [to[1], to[1] + width],
                outer: [to[0], to[0] + height],
            });
        }
    }
}
