//! The wide numeric kernels: products with packed matrices, sums of outer products, sums of
//! columns, and elementary functions, at the full width of the machine's vectors.
//!
//! The compiler emits vectors of 128 bits, since Cranelift knows no wider ones on x86-64. That is
//! half or a quarter of what a processor with AVX2 or AVX-512 can do per cycle. So what a recurrent
//! cell spends its time in is here, written by intrinsics; this is the one place with such code.
//!
//! | file | what |
//! |---|---|
//! | `simd.rs`, `x86.rs` | vectors: one set of operations for each width and precision |
//! | `pack.rs` | matrices, rearranged into the order in which [`product`] reads them |
//! | `product.rs`, `few.rs` | rows times a packed matrix: many, or up to three |
//! | `outer.rs` | sums of outer products |
//! | `column.rs` | sums of rows |
//! | `math.rs` | `exp`, `log`, `sigmoid`, `tanh`, `softplus` over rows |
//! | `prefetch.rs` | hints to bring memory into the caches |
//! | `peak.rs` | what the machine can do at most |
//!
//! The matrix kernels follow Goto and van de Geijn ("Anatomy of High-Performance Matrix
//! Multiplication", 2008) in the form of BLIS (Van Zee and van de Geijn 2015): a micro-kernel holds
//! a tile of the result in registers and adds to it, for each `k`, the outer product of a column of
//! one operand and a row of the other; panels of both operands are laid out so that it reads them
//! in order; and loops around it keep what is used again in the caches. A recurrent cell multiplies
//! few rows by the same matrix at every step, so that its panels are packed once, by [`pack()`], and
//! not in each product.
//!
//! # Determinism
//!
//! An element's result depends on its operands alone. It is the same, to the last bit, whichever
//! rows, panels, columns or threads it was computed with, for all kernels: each says in which order
//! it adds. It may differ between widths.
//!
//! # Alignment
//!
//! Nothing must be aligned beyond its own type. But packed matrices are read twice as fast from the
//! caches if they begin at a multiple of 64 bytes.

mod column;
mod few;
mod math;
#[cfg(test)]
mod math_tests;
mod outer;
mod pack;
mod peak;
mod prefetch;
mod product;
mod simd;
#[cfg(test)]
mod tests;
mod width;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use column::column_sum;
pub use math::map;
pub use outer::{outer_scratch, outer_sum};
pub use pack::{Block, pack, packed_len};
pub use peak::peak_flops;
pub use prefetch::prefetch;
pub use product::product;
pub use simd::Wide;
pub use width::Width;

/// Rows of a value in memory: element `(row, i)` is at `data[row * stride + i]`, for `len` elements
/// to a row. With a stride of 0 all rows are the same one.
#[derive(Clone, Copy, Debug)]
pub struct Rows<T> {
    /// The first element of the first row.
    pub data: *mut T,
    /// Elements from one row to the next.
    pub stride: usize,
    /// Elements of a row.
    pub len: usize,
}

impl<T: Copy> Rows<T> {
    /// The first element of a row.
    fn row(self, row: usize) -> *mut T {
        self.data.wrapping_add(row * self.stride)
    }

    /// What is right of a column and below a row.
    fn at(self, row: usize, column: usize) -> Self {
        let data = self.row(row).wrapping_add(column);
        Self { data, stride: self.stride, len: self.len - column }
    }
}
