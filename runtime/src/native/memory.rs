//! The memory of a run.

use cellc_compiler::ir::eval::Real;
use cellc_compiler::plan::Span;

use super::run::Routine;
use crate::kernels::Wide;
use crate::sequence::{Extent, Port};

/// Memory that begins at a cache line: no vector of it lies in two.
#[derive(Debug)]
pub(super) struct Aligned<T> {
    data: Vec<T>,
    /// The first element, at the beginning of a line.
    start: usize,
    len: usize,
    number: usize,
}

/// The bytes of a cache line.
const LINE: usize = 64;

/// From so many bytes on, an allocator is likely to give an array pages of its own.
const LARGE: usize = 64 << 10;
/// The cache lines of a page, over which arrays are spread.
const SPREAD: usize = 64;

impl<T> Aligned<T> {
    /// No memory yet. Large arrays of different numbers begin at different places of a page.
    pub(super) fn new(number: usize) -> Self {
        Self { data: Vec::new(), start: 0, len: 0, number }
    }

    /// The elements that are left free before an array of so many: large ones have pages of their
    /// own and would all begin at the same place of one, so that their rows would compete for the
    /// same few lines of the cache.
    fn skew(number: usize, len: usize) -> usize {
        if len.saturating_mul(size_of::<T>()) < LARGE {
            return 0;
        }
        // 19 and 64 have no common divisor: as many places as there can be, neighbours far apart.
        19 * number % SPREAD * (LINE / size_of::<T>())
    }
}

/// So many arrays, or as many as there are.
fn arrays<T>(arrays: &mut Vec<Aligned<T>>, count: usize, first: usize) {
    for i in arrays.len()..count {
        arrays.push(Aligned::new(first + i));
    }
}

impl<T: Real> Aligned<T> {
    /// Makes it so long, in the memory it has if that suffices. What it holds is unspecified.
    pub(super) fn make_room(&mut self, len: usize) {
        if self.data.len() - self.start < len {
            // What was there is of no use: no copy of it.
            self.data = Vec::new();
            let line = LINE / size_of::<T>();
            let skew = Self::skew(self.number, len);
            self.data.resize(len + line + skew, T::default());
            // `align_offset` may refuse; then the memory is as good, only slower.
            let to_line = self.data.as_ptr().align_offset(LINE);
            self.start = if to_line < line { to_line + skew } else { 0 };
        }
        self.len = len;
    }

    /// Makes it zeros, so many.
    pub(super) fn zeros(&mut self, len: usize) {
        self.make_room(len);
        self.as_mut_slice().fill(T::default());
    }

    pub(super) fn as_slice(&self) -> &[T] {
        &self.data[self.start..self.start + self.len]
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [T] {
        &mut self.data[self.start..self.start + self.len]
    }

    /// The address of an element.
    pub(super) fn pointer(&mut self, offset: usize) -> *mut T {
        debug_assert!(offset <= self.len);
        // Of the vector, not of a slice: pointers that were taken before stay good.
        self.data.as_mut_ptr().wrapping_add(self.start + offset)
    }
}

/// The memory of one direction of a run.
#[derive(Debug)]
pub(super) struct Memory<T> {
    /// For each state, its values before the first and after each step, `[T + 1, B, ..]`.
    pub(super) histories: Vec<Aligned<T>>,
    /// The code's own memory.
    pub(super) locals: Vec<Aligned<T>>,
    /// The packed matrices.
    pub(super) packed: Vec<Aligned<T>>,
}

impl<T: Wide> Memory<T> {
    pub(super) fn new(states: usize) -> Self {
        let histories = (0..states).map(Aligned::new).collect();
        Self { histories, locals: Vec::new(), packed: Vec::new() }
    }

    /// Histories of zeros.
    pub(super) fn reshape(&mut self, states: &[Port], extent: Extent) {
        for (history, port) in self.histories.iter_mut().zip(states) {
            history.zeros((extent.steps + 1) * extent.batch * port.ty.size());
        }
    }

    /// Makes room for what a routine keeps. All of it is written before it is read.
    pub(super) fn make_room(&mut self, routine: &Routine, extent: Extent) {
        let plan = routine.plan();
        arrays(&mut self.locals, plan.locals().len(), self.histories.len());
        for (data, local) in self.locals.iter_mut().zip(plan.locals()) {
            data.make_room(local.size * rows(local.span, extent));
        }
        arrays(&mut self.packed, plan.matrices().len(), 0);
        for (i, data) in self.packed.iter_mut().enumerate().take(plan.matrices().len()) {
            data.make_room(routine.packed_len::<T>(i));
        }
    }

    /// Where a local is.
    pub(super) fn local_slot(&mut self, routine: &Routine, local: usize, batch: usize) -> Slot {
        let layout = routine.plan().locals()[local];
        let step = match layout.span {
            Span::Chunk | Span::Sequence => batch * layout.size,
            Span::Once | Span::Tile | Span::Step => 0,
        };
        let of_chunk = layout.span == Span::Chunk;
        Slot { of_chunk, ..Slot::new(self.locals[local].pointer(0), step) }
    }
}

/// The rows of a chunk, at the most, unless a step has more. Few enough for what one phase leaves to
/// the next to stay in the caches, and enough for a product over all of them to be worth its matrix.
const CHUNK_ROWS: usize = 256;

/// The steps of a chunk.
pub(super) fn chunk(batch: usize) -> usize {
    (CHUNK_ROWS / batch.max(1)).max(1)
}

/// The rows of a local of a span. Tiles are the workers' own.
pub(super) fn rows(span: Span, extent: Extent) -> usize {
    match span {
        Span::Once => 1,
        Span::Tile => 0,
        Span::Step => extent.batch,
        Span::Chunk => chunk(extent.batch).min(extent.steps).saturating_mul(extent.batch),
        Span::Sequence => extent.steps.saturating_mul(extent.batch),
    }
}

/// The elements of each array of a [`Memory`] that has room for each of some routines.
pub(super) fn layout<T>(routines: &[&Routine], states: &[Port], extent: Extent) -> Vec<usize> {
    let steps = extent.steps.saturating_add(1).saturating_mul(extent.batch);
    let histories = states.iter().map(|port| steps.saturating_mul(port.ty.size()));
    let mut locals: Vec<usize> = Vec::new();
    let mut packed: Vec<usize> = Vec::new();
    let grow = |arrays: &mut Vec<usize>, i: usize, len: usize| {
        arrays.resize(arrays.len().max(i + 1), 0);
        arrays[i] = arrays[i].max(len);
    };
    for routine in routines {
        for (i, local) in routine.plan().locals().iter().enumerate() {
            // No less for a larger extent, which the rows of a chunk may be.
            let rows = match local.span {
                Span::Chunk => rows(Span::Sequence, extent).min(CHUNK_ROWS.max(extent.batch)),
                span => rows(span, extent),
            };
            grow(&mut locals, i, rows.saturating_mul(local.size));
        }
        for i in 0..routine.plan().matrices().len() {
            grow(&mut packed, i, routine.packed_len::<T>(i));
        }
    }
    let line = LINE / size_of::<T>();
    let spread =
        |(number, len): (usize, usize)| len.saturating_add(line + Aligned::<T>::skew(number, len));
    let arrays = histories.chain(locals).enumerate().map(spread);
    arrays.chain(packed.into_iter().enumerate().map(spread)).collect()
}

/// Where a binding is at step 0, and how far it is from one step to the next, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    base: *mut u8,
    step: usize,
    /// Whether step 0 is the first of the chunk, not of all.
    of_chunk: bool,
}

impl Slot {
    /// Memory from an address on, with `step` elements to a step.
    pub(super) fn new<E>(data: *mut E, step: usize) -> Self {
        Self { base: data.cast(), step: step * size_of::<E>(), of_chunk: false }
    }

    /// Memory that is only read.
    pub(super) fn shared<E>(data: &[E]) -> Self {
        Self::new(data.as_ptr().cast_mut(), 0)
    }
}

/// The table of a routine's bindings, lent to all threads of a run.
#[derive(Debug)]
pub(super) struct Slots(pub(super) Vec<Slot>);

// SAFETY: threads only read the table; what it points to they touch by the rules of `run`.
unsafe impl Sync for Slots {}
// SAFETY: as above; who owns the table owns what it points to, or is lent it.
unsafe impl Send for Slots {}

impl Slots {
    /// The base addresses at a step, in a chunk that begins at step `begin`.
    pub(super) fn at(&self, step: usize, begin: usize) -> impl Iterator<Item = *mut u8> {
        self.0.iter().map(move |slot| {
            let steps = if slot.of_chunk { step - begin } else { step };
            slot.base.wrapping_add(steps * slot.step)
        })
    }
}
