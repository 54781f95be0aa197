//! One pass of compiled code over a sequence: who does what, in which order, on which memory.
//!
//! The steps are gone through in chunks: before the body of its steps, what can run for all of them
//! at once, then the body step by step, then what can wait until after it, and the sums. What a
//! phase leaves to the next is then still in the caches. Where chunks begin depends on the batch
//! alone, and so does the order of additions.
//!
//! Each thread owns some examples of the batch through all steps and phases, without waiting for the
//! others. If there are too few for that, threads share the rows before and after the body, and
//! wait for each other. Matrices are packed and sums are added by parts of their results, not of
//! the rows, so that the order of additions is the same for any number of threads.
//! Sums that add to the same elements, as where a param is used twice, have parts of their own each:
//! one waits for the other.

use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::Arc;

use cellc_compiler::jit::Code;
use cellc_compiler::phases::Phase;
use cellc_compiler::plan::{Binding, Plan, Span};

use super::gate::{Gate, Watch};
use super::memory::{Aligned, Slots, chunk, rows};
use super::script::{Action, Pack, Script, Spot, Stage, SumAction};
use super::{NativeCode, crew};
use crate::kernels::{self, Block, Rows, Wide, Width};
use crate::sequence::Extent;

/// Compiled code with what its run does.
#[derive(Debug)]
pub(crate) struct Routine {
    pub(super) code: Code,
    pub(super) script: Script,
    pub(super) width: Option<Width>,
}

impl Routine {
    pub(crate) fn new<T>(code: Code, width: Option<Width>) -> Self {
        let script = Script::new(&code, size_of::<T>());
        Self { code, script, width }
    }

    pub(super) fn plan(&self) -> &Plan {
        self.code.plan()
    }

    /// The elements of a packed matrix.
    pub(super) fn packed_len<T>(&self, matrix: usize) -> usize {
        let matrix = &self.plan().matrices()[matrix];
        match self.width {
            Some(width) => kernels::packed_len(width, size_of::<T>(), matrix.inner, matrix.outer),
            None => matrix.inner * matrix.outer,
        }
    }
}

/// What a thread needs of its own.
#[derive(Debug)]
pub(super) struct Worker<T> {
    table: Vec<*mut u8>,
    /// The memory of tiled locals, by their number.
    tiles: Vec<Aligned<T>>,
    parts: Vec<Rows<T>>,
    scratch: Vec<T>,
}

// SAFETY: what the table and the parts point to is read only after they were filled anew: that is
// the first thing that a job does on its thread. In a step, they point into memory of the same
// object, which moves with it and is not resized.
unsafe impl<T: Send> Send for Worker<T> {}

impl<T: Wide> Worker<T> {
    pub(super) fn new() -> Self {
        Self { table: Vec::new(), tiles: Vec::new(), parts: Vec::new(), scratch: Vec::new() }
    }

    /// Makes room for a routine.
    pub(super) fn make_room(&mut self, routine: &Routine) {
        let locals = routine.plan().locals();
        for i in self.tiles.len()..locals.len() {
            self.tiles.push(Aligned::new(i));
        }
        for (tile, local) in self.tiles.iter_mut().zip(locals) {
            if local.span == Span::Tile {
                tile.make_room(routine.script.tile_rows * local.size);
            }
        }
        self.table.reserve(routine.plan().bindings().len());
        self.parts.reserve(routine.script.parts);
    }

    /// Fills the table with the addresses at a step, in a chunk that begins at step `begin`.
    pub(super) fn go_to(&mut self, routine: &Routine, slots: &Slots, step: usize, begin: usize) {
        self.table.clear();
        self.table.extend(slots.at(step, begin));
        for (address, binding) in self.table.iter_mut().zip(routine.plan().bindings()) {
            if let Binding::Local(local) = *binding
                && routine.plan().locals()[local].span == Span::Tile
            {
                *address = self.tiles[local].pointer(0).cast();
            }
        }
    }

    /// The addresses of the bindings.
    pub(super) fn table(&self) -> &[*mut u8] {
        &self.table
    }

    /// Where a value's rows are, from row `first` of the tile or of all.
    pub(super) fn rows(&self, spot: Spot, first: usize) -> Rows<T> {
        let skipped = spot.offset + if spot.tiled { 0 } else { first * spot.stride };
        let data = self.table[spot.binding].cast::<T>().wrapping_add(skipped);
        Rows { data, stride: spot.stride, len: spot.len }
    }

    /// Runs the phases before, in and after the loop over all steps, and adds to the sums, chunk by
    /// chunk: a thread's share of it.
    ///
    /// # Safety
    /// As for [`run`].
    unsafe fn steps(
        &mut self,
        routine: &Routine,
        slots: &Slots,
        Extent { steps, batch }: Extent,
        reverse: bool,
        share: impl Fn(usize) -> Range<usize>,
        gate: &Gate,
    ) {
        let mine = share(batch);
        let together = batch < WORTH_OWNING * gate.members() && gate.members() > 1;
        let chunk = chunk(batch);
        let chunks = steps.div_ceil(chunk);
        for i in 0..chunks {
            let begin = chunk * if reverse { chunks - 1 - i } else { i };
            let end = steps.min(begin + chunk);
            let rows = (end - begin) * batch;
            let all_steps = |worker: &mut Self, phase: Phase| {
                worker.go_to(routine, slots, begin, begin);
                if together {
                    // SAFETY: the rows of all steps of a chunk follow each other; this thread
                    // alone touches its share of what the phase writes.
                    unsafe { worker.phase(routine, phase, share(rows)) }
                    gate.wait();
                } else if mine.len() == batch {
                    // SAFETY: as above; there is no other thread.
                    unsafe { worker.phase(routine, phase, 0..rows) }
                } else {
                    for step in begin..end {
                        worker.go_to(routine, slots, step, begin);
                        // SAFETY: an example's rows are touched by the one thread that owns it.
                        unsafe { worker.phase(routine, phase, mine.clone()) }
                    }
                }
            };
            all_steps(self, Phase::Before);
            for i in begin..end {
                let step = if reverse { begin + end - 1 - i } else { i };
                self.go_to(routine, slots, step, begin);
                // SAFETY: an example's rows are touched by the one thread that owns it, at this
                // and, as states, at the neighbouring steps.
                unsafe { self.phase(routine, Phase::Body, mine.clone()) }
            }
            if together {
                gate.wait();
            }
            all_steps(self, Phase::After);
            self.go_to(routine, slots, begin, begin);
            for round in &routine.script.sums {
                gate.wait();
                // SAFETY: every phase and round before is done. Sums of a round add to different
                // elements, and this thread alone to its part of each.
                unsafe { self.sum(routine, round, rows, &share) }
            }
            if !routine.script.sums.is_empty() {
                // The next chunk writes where the sums read.
                gate.wait();
            }
        }
    }

    /// Runs a phase over the rows `first..last`.
    ///
    /// # Safety
    /// The table must be as [`Code::call`] wants it.
    pub(super) unsafe fn phase(
        &mut self,
        routine: &Routine,
        phase: Phase,
        Range { start, end }: Range<usize>,
    ) {
        if start == end {
            return;
        }
        for stage in routine.script.phase(phase) {
            let tile = stage.tile.unwrap_or(end - start);
            let mut first = start;
            while first < end {
                let last = (first + tile).min(end);
                self.prefetch(stage, last, (last + tile).min(end));
                for action in &stage.actions {
                    // SAFETY: handed on to the caller; a tile's rows are some of the range's.
                    unsafe { self.act(routine, action, first, last) }
                }
                first = last;
            }
        }
    }

    /// Calls what a stage touches in some rows into the cache. The sizes of cells are too small, and
    /// the arrays too many, for the processor to foresee it.
    fn prefetch(&self, stage: &Stage, first: usize, last: usize) {
        if first == last {
            return;
        }
        for (spots, write) in [(&stage.reads, false), (&stage.writes, true)] {
            for spot in spots {
                kernels::prefetch(self.rows(*spot, 0), first, last, write);
            }
        }
    }

    /// # Safety
    /// As for [`Worker::phase`].
    unsafe fn act(&mut self, routine: &Routine, action: &Action, first: usize, last: usize) {
        let count = last - first;
        match (action, routine.width) {
            (Action::Call(function), _) => {
                // SAFETY: handed on to the caller.
                unsafe { routine.code.call(*function, &self.table, [first, last], 0) }
            }
            (Action::Wide { function, from, to }, Some(width)) => {
                let (from, to) = (self.rows(*from, first), self.rows(*to, first));
                // SAFETY: the plan gave both as many rows and elements.
                unsafe { kernels::map(width, *function, from, to, 0, count) }
            }
            (Action::Product { start, parts, packed, to }, Some(width)) => {
                let mut rows = std::mem::take(&mut self.parts);
                rows.clear();
                rows.extend(start.iter().chain(parts).map(|part| self.rows(*part, first)));
                let (start, parts) = rows.split_at(start.len());
                let packed = self.table[*packed].cast::<T>();
                let to = self.rows(*to, first);
                // SAFETY: as above; the matrix was packed for these parts before the phase.
                unsafe { kernels::product(width, parts, packed, start, to, 0, count) }
                self.parts = rows;
            }
            (Action::Wide { .. } | Action::Product { .. }, None) => {
                unreachable!("without wide kernels, all tasks are compiled")
            }
        }
    }

    /// Packs a share of each matrix.
    ///
    /// # Safety
    /// As for [`Worker::phase`], for the phase `once`.
    pub(super) unsafe fn pack(&mut self, routine: &Routine, share: impl Fn(usize) -> Range<usize>) {
        for Pack { binding, inner, outer, blocks } in &routine.script.packs {
            let to = self.table[*binding].cast::<T>();
            let blocks: Vec<Block<T>> = (blocks.iter())
                .map(|block| Block {
                    data: self.rows(block.from, 0).data,
                    stride: block.from.stride,
                    transposed: block.inner_is_contiguous,
                    k: block.inner,
                    n: block.outer,
                })
                .collect();
            match routine.width {
                Some(width) => {
                    let panels = outer.div_ceil(width.panel(size_of::<T>()));
                    // SAFETY: the blocks tile the matrix, and each thread packs panels of its own.
                    unsafe { kernels::pack(width, &blocks, *inner, *outer, share(panels), to) }
                }
                // SAFETY: as above, with rows of the one panel.
                None => unsafe { pack_plainly(&blocks, *outer, share(*inner), to) },
            }
        }
    }

    /// Adds a share of each sum of a round over the rows `0..rows`.
    ///
    /// # Safety
    /// As for [`Worker::phase`]; all phases must have run, and all threads be done with the rounds
    /// before.
    pub(super) unsafe fn sum(
        &mut self,
        routine: &Routine,
        round: &[(SumAction, usize)],
        rows: usize,
        share: impl Fn(usize) -> Range<usize>,
    ) {
        for (sum, extent) in round {
            let part = share(*extent);
            if part.is_empty() {
                continue;
            }
            match (sum, routine.width) {
                (SumAction::Call(function), _) => {
                    // SAFETY: each thread adds to a part of its own.
                    unsafe {
                        routine.code.call(*function, &self.table, [part.start, part.end], rows);
                    }
                }
                (SumAction::Outer { u, v, to }, Some(width)) => {
                    let u: Vec<_> = u.iter().map(|&u| self.rows(u, 0)).collect();
                    let v: Vec<_> = v.iter().map(|&v| self.rows(v, 0)).collect();
                    let to: Vec<_> =
                        to.iter().map(|&to| (self.rows(to, 0).data, to.stride)).collect();
                    // SAFETY: as above.
                    unsafe {
                        kernels::outer_sum(width, rows, &u, &v, &to, part, &mut self.scratch);
                    }
                }
                (SumAction::Columns { from, to }, Some(width)) => {
                    let (from, to) = (self.rows(*from, 0), self.rows(*to, 0));
                    // SAFETY: as above.
                    unsafe { kernels::column_sum(width, rows, from, to.data, part) }
                }
                (SumAction::Outer { .. } | SumAction::Columns { .. }, None) => {
                    unreachable!("without wide kernels, all sums are compiled")
                }
            }
        }
    }
}

/// The most elements of a worker's memory for a routine.
pub(super) fn elements<T>(routine: &Routine, extent: Extent) -> usize {
    let tiled = routine.plan().locals().iter().filter(|local| local.span == Span::Tile);
    let tiles: usize = tiled.map(|local| routine.script.tile_rows * local.size).sum();
    let rows = rows(Span::Chunk, extent);
    let scratch = routine.script.sums.iter().flatten().filter_map(|(sum, part)| match sum {
        SumAction::Outer { v, .. } => {
            let columns = v.iter().map(|v| v.len).sum();
            Some(kernels::outer_scratch::<T>(routine.width?, rows, *part, columns))
        }
        SumAction::Call(_) | SumAction::Columns { .. } => None,
    });
    tiles + scratch.max().unwrap_or(0)
}

/// Packs rows of a matrix as one panel, as compiled products want it.
///
/// # Safety
/// The blocks must tile the matrix, and lie in memory; `to` must have room for it.
unsafe fn pack_plainly<T: Copy>(blocks: &[Block<T>], outer: usize, rows: Range<usize>, to: *mut T) {
    for block in blocks {
        for k in block.k[0].max(rows.start)..block.k[1].min(rows.end) {
            for n in block.n[0]..block.n[1] {
                let (k_from, n_from) = (k - block.k[0], n - block.n[0]);
                let at = match block.transposed {
                    true => n_from * block.stride + k_from,
                    false => k_from * block.stride + n_from,
                };
                // SAFETY: `at` lies in the block, and `(k, n)` in the matrix.
                unsafe { *to.wrapping_add(k * outer + n) = *block.data.wrapping_add(at) }
            }
        }
    }
}

/// From so many examples to a thread on, each keeps to its own in all phases.
const WORTH_OWNING: usize = 4;

/// Which of the routines of a cell is run.
pub(super) type Routing = fn(&NativeCode) -> &Routine;

/// What a thread of a run does.
struct Job<T> {
    code: Arc<NativeCode>,
    routing: Routing,
    slots: Arc<Slots>,
    extent: Extent,
    reverse: bool,
    gate: Arc<Gate>,
    /// The number of the thread.
    thread: usize,
    worker: Worker<T>,
}

impl<T: Wide> Job<T> {
    /// The part of a run that this thread has.
    ///
    /// # Safety
    /// As for [`run`]: all of its jobs are done at the same time, before it returns.
    unsafe fn work(&mut self) {
        let Self { code, routing, slots, extent, reverse, gate, thread, worker } = self;
        let routine = routing(code);
        let _watch = Watch(gate);
        let (thread, threads) = (*thread, gate.members());
        let share = |extent: usize| extent * thread / threads..extent * (thread + 1) / threads;
        worker.go_to(routine, slots, 0, 0);
        // SAFETY: the phase `once` is done.
        unsafe { worker.pack(routine, share) }
        gate.wait();
        // SAFETY: all matrices are packed.
        unsafe { worker.steps(routine, slots, *extent, *reverse, share, gate) }
    }
}

/// Runs all phases of a routine over all steps, in reverse for backward code, on `threads` threads:
/// this one, and others of its crew, which must have been hired. Each has one of the workers.
///
/// # Safety
/// Each slot must point to memory of its binding's element type for the whole extent, and all
/// written memory must be this call's alone. Indices must have been checked against their bounds.
pub(super) unsafe fn run<T: Wide>(
    code: &Arc<NativeCode>,
    routing: Routing,
    slots: Slots,
    extent: Extent,
    workers: &mut Vec<Worker<T>>,
    threads: usize,
    reverse: bool,
) {
    let routine = routing(code);
    workers[0].go_to(routine, &slots, 0, 0);
    // SAFETY: nothing else runs yet; a value of the phase `once` has one row.
    unsafe { workers[0].phase(routine, Phase::Once, 0..1) }
    let (slots, gate) = (Arc::new(slots), Arc::new(Gate::new(threads)));
    let idle = workers.split_off(threads);
    let mut jobs = workers.drain(..).enumerate().map(|(thread, worker)| Job {
        code: Arc::clone(code),
        routing,
        slots: Arc::clone(&slots),
        extent,
        reverse,
        gate: Arc::clone(&gate),
        thread,
        worker,
    });
    let mut own = jobs.next().expect("there is a worker for each thread");
    // SAFETY: all jobs are those of this run, and are done when `together` returns.
    let work = |job: &mut Job<T>| unsafe { job.work() };
    let (others, result) = crew::together(jobs, work, || work(&mut own));
    workers.extend([own].into_iter().chain(others).map(|job| job.worker).chain(idle));
    if let Err(panic) = result {
        resume_unwind(panic);
    }
}
