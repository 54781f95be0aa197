//! A routine with its memory: what is left to be done when nothing of that changes.
//!
//! A run finds where its operands are at each step anew. Where all steps are on the same memory, as
//! in [`super::step`], that is done once, and products that go on where another ends become one.

use std::ops::Range;

use cellc_compiler::ir::op::Unary;
use cellc_compiler::jit::FunctionId;
use cellc_compiler::phases::Phase;

use super::memory::Aligned;
use super::run::{Routine, Worker};
use super::script::Action;
use crate::kernels::{self, Rows, Wide, Width};

/// An action on some rows, with its operands.
#[derive(Debug)]
enum Call<T> {
    /// A compiled function, for the rows `first..last`.
    Compiled { function: FunctionId, rows: [usize; 2] },
    /// A transcendental function of each element of `count` rows.
    Wide { width: Width, function: Unary, from: Rows<T>, to: Rows<T>, count: usize },
    /// A product of `count` rows with a packed matrix.
    Product(Product<T>),
}

/// A product with its operands.
#[derive(Debug)]
struct Product<T> {
    width: Width,
    parts: Vec<Rows<T>>,
    packed: *const T,
    start: Vec<Rows<T>>,
    to: Rows<T>,
    count: usize,
}

impl<T: Wide> Product<T> {
    /// Whether it goes on where the call before it ends: it starts with the result of that one, and
    /// takes its place, so that nothing else can read it. (What a product multiplies is never where
    /// its result goes.)
    fn goes_on_from(&self, first: &Self) -> bool {
        let same = |a: Rows<T>, b: Rows<T>| (a.data, a.stride, a.len) == (b.data, b.stride, b.len);
        let starts_there = matches!(self.start[..], [start] if same(start, first.to));
        starts_there && same(self.to, first.to) && self.count == first.count
    }

    /// The rows of its matrix.
    fn depth(&self) -> usize {
        self.parts.iter().map(|part| part.len).sum()
    }
}

/// The calls of a routine's loop, on memory that must stay where it is.
#[derive(Debug)]
pub(super) struct Calls<T> {
    table: Vec<*mut u8>,
    calls: Vec<Call<T>>,
}

/// The matrices of products that became one, each by where the two are that it is made of.
#[derive(Debug, Default)]
pub(super) struct Joined<T>(Vec<([*const T; 2], Aligned<T>)>);

// SAFETY: the addresses of the two are compared, and not read after `Joined::of`.
unsafe impl<T: Send> Send for Joined<T> {}

impl<T: Wide> Joined<T> {
    /// The matrix that has the rows of the one and then those of the other product's.
    ///
    /// # Safety
    /// Both are packed, and have as many columns.
    unsafe fn of(&mut self, first: &Product<T>, second: &Product<T>) -> *const T {
        let key = [first.packed, second.packed];
        if let Some((_, joined)) = self.0.iter_mut().find(|(of, _)| *of == key) {
            return joined.pointer(0);
        }
        let panel = first.width.panel(size_of::<T>());
        let panels = first.to.len.div_ceil(panel);
        let lens = [first, second].map(|product| panel * product.depth());
        let mut joined = Aligned::new(self.0.len());
        joined.make_room(panels * (lens[0] + lens[1]));
        let mut to: *mut T = joined.pointer(0);
        for i in 0..panels {
            for (from, len) in key.into_iter().zip(lens) {
                // SAFETY: the caller answers for both matrices, and there is room for both.
                unsafe { to.copy_from_nonoverlapping(from.add(i * len), len) }
                to = to.wrapping_add(len);
            }
        }
        let data = joined.pointer(0);
        self.0.push((key, joined));
        data
    }
}

// SAFETY: what the table and the operands point to is touched by `run` alone, whose caller answers
// for it.
unsafe impl<T: Send> Send for Calls<T> {}

impl<T> Default for Calls<T> {
    fn default() -> Self {
        Self { table: Vec::new(), calls: Vec::new() }
    }
}

impl<T: Wide> Calls<T> {
    /// All that a routine does for one step, with the table of a worker. `joined` must be kept as
    /// long.
    ///
    /// # Safety
    /// The table must be as [`Code::call`](cellc_compiler::jit::Code::call) wants it, the phase
    /// `once` has run, and the matrices are packed.
    pub(super) unsafe fn new(
        routine: &Routine,
        worker: &Worker<T>,
        batch: usize,
        joined: &mut Joined<T>,
    ) -> Self {
        let mut calls = Self { table: worker.table().to_vec(), ..Self::default() };
        for phase in [Phase::Before, Phase::Body, Phase::After] {
            for stage in routine.script.phase(phase) {
                let tile = stage.tile.unwrap_or(batch).max(1);
                for first in (0..batch).step_by(tile) {
                    let rows = first..batch.min(first + tile);
                    for action in &stage.actions {
                        // SAFETY: handed on to the caller.
                        unsafe {
                            calls.push(bind(routine.width, worker, action, rows.clone()), joined);
                        }
                    }
                }
            }
        }
        calls
    }

    /// Adds a call, or makes one product of it and the last: each element of the result is one chain
    /// of multiply-adds in any case, so that changes no bit.
    ///
    /// # Safety
    /// The matrices of products are packed.
    unsafe fn push(&mut self, call: Call<T>, joined: &mut Joined<T>) {
        let Call::Product(second) = &call else { return self.calls.push(call) };
        match self.calls.last_mut() {
            Some(Call::Product(first)) if second.goes_on_from(first) => {
                // SAFETY: handed on to the caller; what is added up in one place is as long.
                first.packed = unsafe { joined.of(first, second) };
                first.parts.extend(&second.parts);
            }
            _ => self.calls.push(call),
        }
    }

    /// Does it.
    ///
    /// # Safety
    /// The routine must be that of [`Calls::new`], its memory where it was, and this call's alone.
    /// Every index must be within its bound.
    #[inline]
    pub(super) unsafe fn run(&self, routine: &Routine) {
        for call in &self.calls {
            // SAFETY: the plan gave all operands as many rows and elements; the rest is handed on to
            // the caller.
            unsafe {
                match call {
                    Call::Compiled { function, rows } => {
                        routine.code.call(*function, &self.table, *rows, 0);
                    }
                    &Call::Wide { width, function, from, to, count } => {
                        kernels::map(width, function, from, to, 0, count);
                    }
                    Call::Product(Product { width, parts, packed, start, to, count }) => {
                        kernels::product(*width, parts, *packed, start, *to, 0, *count);
                    }
                }
            }
        }
    }
}

/// An action with its operands.
fn bind<T: Wide>(
    width: Option<Width>,
    worker: &Worker<T>,
    action: &Action,
    Range { start: first, end: last }: Range<usize>,
) -> Call<T> {
    let count = last - first;
    match (action, width) {
        (&Action::Call(function), _) => Call::Compiled { function, rows: [first, last] },
        (Action::Wide { function, from, to }, Some(width)) => {
            let (from, to) = (worker.rows(*from, first), worker.rows(*to, first));
            Call::Wide { width, function: *function, from, to, count }
        }
        (Action::Product { start, parts, packed, to }, Some(width)) => Call::Product(Product {
            width,
            parts: parts.iter().map(|part| worker.rows(*part, first)).collect(),
            packed: worker.table()[*packed].cast(),
            start: start.iter().map(|part| worker.rows(*part, first)).collect(),
            to: worker.rows(*to, first),
            count,
        }),
        (Action::Wide { .. } | Action::Product { .. }, None) => {
            unreachable!("without wide kernels, all tasks are compiled")
        }
    }
}
