//! Long sequences in little memory: a run in segments, replayed one by one on the way back.
//!
//! A tape grows with the number of steps. Here a sequence is cut into segments. On the way forward
//! only the states at the borders of segments are kept; on the way back each segment, from the last
//! to the first, is run again from its border, now with a tape, which is thrown away for that of the
//! segment before (Chen et al., Training deep nets with sublinear memory cost, 2016). What this
//! takes for `T` steps in segments of `k` is a tape of `k` steps and `T / k` states: of the order of
//! `√T` at best. It costs one more run forward, however many segments there are; to replay more
//! than once (Griewank & Walther, Revolve, 2000) would save more memory and cost more time.
//!
//! The arrays of the interface, `[T, B, ..]`, are there as a whole in any case.

mod begin;
mod whole;

use std::num::NonZero;

use cellc_compiler::cell::Initial;

use crate::kernels::Wide;

use self::begin::Beginning;
pub(crate) use self::begin::fill;
use self::whole::Whole;
use crate::sequence::{Extent, InputMut, Interface, RunError, Sequence, check_params};

/// How a sequence is cut into segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segments {
    /// Into as few as fit into so many bytes: into one, if the whole run does.
    Within(usize),
    /// Into segments of so many steps, of which the first takes what is left over.
    Of(NonZero<usize>),
}

/// A limit of memory that several things share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The most bytes.
    pub bytes: usize,
    /// How many of them something else takes.
    pub taken: usize,
}

/// What memory a run needs, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// In one segment.
    pub whole: usize,
    /// In the segments that take least.
    pub least: usize,
}

/// A sequence that is run in segments, if it has to be, and whose states begin where the cell says,
/// on any engine.
///
/// Results are those of the sequence that it wraps. Gradients of params are sums over steps, which
/// are added up segment by segment: they differ by rounding.
pub struct Segmented<T> {
    inner: Box<dyn Sequence<T>>,
    interface: Interface,
    segments: Segments,
    extent: Extent,
    /// Up to which extent `inner` may have memory.
    kept: Extent,
    /// The arrays of the whole run, if it has several segments.
    whole: Option<Whole<T>>,
    beginning: Beginning<T>,
}

impl<T: Wide> Segmented<T> {
    /// Wraps a sequence whose states begin at 0.
    pub fn new(inner: Box<dyn Sequence<T>>, segments: Segments) -> Self {
        let initial = vec![Initial::ZERO; inner.interface().states.len()];
        Self::beginning(inner, segments, initial)
    }

    /// Wraps a sequence, each of whose states begins where it is said here.
    pub(crate) fn beginning(
        mut inner: Box<dyn Sequence<T>>,
        segments: Segments,
        initial: Vec<Initial>,
    ) -> Self {
        inner.release();
        Self {
            interface: inner.interface().clone(),
            beginning: Beginning::new(inner.interface(), initial),
            inner,
            segments,
            extent: Extent::default(),
            kept: Extent::default(),
            whole: None,
        }
    }

    /// How many steps there are between two borders; all of them, if the run is not cut.
    pub fn segment_steps(&self) -> usize {
        self.whole.as_ref().map_or(self.extent.steps, |whole| whole.steps)
    }

    /// Sets the limit of later runs. If more than that is kept of past runs, it is given back.
    pub fn set_limit(&mut self, limit: usize) {
        self.segments = Segments::Within(limit);
        let whole = self.whole.as_ref();
        let whole = whole.map_or(0, |w| Whole::<T>::bytes(&self.interface, self.extent, w.steps));
        if self.inner.bytes(self.kept).saturating_add(whole) > limit {
            self.release();
        }
    }

    /// What memory a run needs.
    pub fn needs(&self, extent: Extent) -> Needs {
        let whole = self.inner.bytes(extent);
        let cut = lengths(extent.steps).map(|steps| self.cut_bytes(extent, steps));
        Needs { whole, least: cut.fold(whole, usize::min) }
    }

    /// What a run in segments of so many steps takes.
    fn cut_bytes(&self, extent: Extent, steps: usize) -> usize {
        let segment = self.inner.bytes(Extent { steps, ..extent });
        segment.saturating_add(Whole::<T>::bytes(&self.interface, extent, steps))
    }

    /// The array of a state before the first step, given or not.
    fn first_states(&mut self, state: usize) -> &mut [T] {
        match &mut self.whole {
            Some(whole) => whole.initial_mut(state),
            None => self.inner.initial_mut(state),
        }
    }

    /// Has the states begin that are given nothing.
    fn begin_states(&mut self, params: &[Vec<T>]) -> Result<(), RunError> {
        check_params(&self.interface, params)?;
        for (state, begin) in self.beginning.fresh() {
            fill(self.first_states(state), begin, params);
        }
        Ok(())
    }

    /// The steps of the segments of a run; `None` for one segment.
    fn choose(&self, extent: Extent) -> Result<Option<usize>, RunError> {
        let limit = match self.segments {
            Segments::Of(steps) => {
                return Ok(Some(steps.get()).filter(|&steps| steps < extent.steps));
            }
            Segments::Within(limit) => limit,
        };
        if self.inner.bytes(extent) <= limit {
            return Ok(None);
        }
        let steps = lengths(extent.steps).find(|&steps| self.cut_bytes(extent, steps) <= limit);
        let too_little = || RunError::Memory { extent, needed: self.needs(extent).least, limit };
        steps.map(Some).ok_or_else(too_little)
    }
}

/// Shares memory among runs, which must get what they need at the least. What is left makes as many
/// as it can whole, and is shared evenly by the others.
pub fn share(bytes: usize, needs: &[Needs]) -> Vec<usize> {
    let mut rest = bytes - needs.iter().map(|needs| needs.least).sum::<usize>();
    let mut shares: Vec<usize> = needs.iter().map(|needs| needs.least).collect();
    let more = |i: usize| needs[i].whole - needs[i].least;
    let mut order: Vec<usize> = (0..needs.len()).collect();
    order.sort_by_key(|&i| more(i));
    for (before, &i) in order.iter().enumerate() {
        // Those after it need more: if this one cannot be made whole, none of them can.
        let given = if more(i) <= rest { more(i) } else { rest / (needs.len() - before) };
        shares[i] += given;
        rest -= given;
    }
    shares
}

/// The lengths of segments that are worth a thought, longest first: for each number of segments from
/// 2 up, the shortest that give so many. There are about `2 √T`.
fn lengths(steps: usize) -> impl Iterator<Item = usize> {
    let longest = if steps > 1 { Some(steps.div_ceil(2)) } else { None };
    std::iter::successors(longest, move |&length| match length {
        1 => None,
        _ => Some(steps.div_ceil(steps.div_ceil(length - 1))),
    })
}

impl<T: Wide> Sequence<T> for Segmented<T> {
    fn interface(&self) -> &Interface {
        &self.interface
    }

    fn extent(&self) -> Extent {
        self.extent
    }

    /// # Panics
    /// Also if the run does not fit into the limit; [`try_reshape`](Sequence::try_reshape) says so.
    fn reshape(&mut self, extent: Extent) {
        if let Err(error) = self.try_reshape(extent) {
            panic!("{error}");
        }
    }

    fn try_reshape(&mut self, extent: Extent) -> Result<(), RunError> {
        if self.extent == extent {
            return Ok(());
        }
        let steps = self.choose(extent)?;
        // Nothing is taken before what is not needed any more is given back.
        self.whole = None;
        let inner = Extent { steps: steps.unwrap_or(extent.steps), ..extent };
        let kept = Extent {
            steps: self.kept.steps.max(inner.steps),
            batch: self.kept.batch.max(inner.batch),
        };
        self.kept = kept;
        if let Segments::Within(limit) = self.segments {
            let whole = steps.map_or(0, |s| Whole::<T>::bytes(&self.interface, extent, s));
            if self.inner.bytes(kept).saturating_add(whole) > limit {
                self.inner.release();
                self.kept = inner;
            }
        }
        match steps {
            Some(steps) => self.whole = Some(Whole::new(&self.interface, extent, steps)),
            None => {
                // It may have this extent as that of a segment, which is not filled with zeros.
                self.inner.reshape(Extent::default());
                self.inner.reshape(extent);
            }
        }
        self.extent = extent;
        self.beginning.reset();
        Ok(())
    }

    fn bytes(&self, extent: Extent) -> usize {
        match self.choose(extent) {
            Ok(None) => self.inner.bytes(extent),
            Ok(Some(steps)) => self.cut_bytes(extent, steps),
            Err(_) => self.needs(extent).least,
        }
    }

    fn release(&mut self) {
        self.whole = None;
        self.beginning.reset();
        self.inner.release();
        (self.extent, self.kept) = (Extent::default(), Extent::default());
    }

    fn input_mut(&mut self, input: usize) -> InputMut<'_, T> {
        match &mut self.whole {
            Some(whole) => {
                whole.tape = false;
                whole.inputs[input].as_mut()
            }
            None => self.inner.input_mut(input),
        }
    }

    fn mask_mut(&mut self, mask: usize) -> &mut [T] {
        match &mut self.whole {
            Some(whole) => {
                whole.tape = false;
                &mut whole.masks[mask]
            }
            None => self.inner.mask_mut(mask),
        }
    }

    fn initial_mut(&mut self, state: usize) -> &mut [T] {
        let given = self.beginning.give(state, true);
        let states = self.first_states(state);
        if !given {
            states.fill(T::default());
        }
        states
    }

    fn begin(&mut self, state: usize) {
        self.beginning.give(state, false);
        // The tape is void from here on.
        self.first_states(state);
    }

    fn initial(&self, state: usize) -> Initial {
        self.beginning.initial(state)
    }

    fn forward(&mut self, params: &[Vec<T>]) -> Result<(), RunError> {
        self.begin_states(params)?;
        match &mut self.whole {
            Some(whole) => whole.forward(&mut *self.inner, params, false),
            None => self.inner.forward(params),
        }
    }

    fn forward_with_tape(&mut self, params: &[Vec<T>]) -> Result<(), RunError> {
        self.begin_states(params)?;
        match &mut self.whole {
            Some(whole) => whole.forward(&mut *self.inner, params, true),
            None => self.inner.forward_with_tape(params),
        }
    }

    fn output(&self, output: usize) -> &[T] {
        match &self.whole {
            Some(whole) => &whole.outputs[output],
            None => self.inner.output(output),
        }
    }

    fn final_state(&self, state: usize) -> &[T] {
        match &self.whole {
            Some(whole) => whole.final_state(state),
            None => self.inner.final_state(state),
        }
    }

    fn output_cotangent_mut(&mut self, output: usize) -> &mut [T] {
        match &mut self.whole {
            Some(whole) => &mut whole.output_cotangents[output],
            None => self.inner.output_cotangent_mut(output),
        }
    }

    fn fill_output_cotangent(&mut self, output: usize, fill: &mut dyn FnMut(&[T], &mut [T])) {
        match &mut self.whole {
            Some(whole) => fill(&whole.outputs[output], &mut whole.output_cotangents[output]),
            None => self.inner.fill_output_cotangent(output, fill),
        }
    }

    fn final_cotangent_mut(&mut self, state: usize) -> &mut [T] {
        match &mut self.whole {
            Some(whole) => &mut whole.final_cotangents[state],
            None => self.inner.final_cotangent_mut(state),
        }
    }

    fn backward(&mut self, params: &[Vec<T>]) -> Result<(), RunError> {
        match &mut self.whole {
            Some(whole) => whole.backward(&mut *self.inner, params)?,
            None => self.inner.backward(params)?,
        }
        let Self { inner, whole, beginning, .. } = self;
        match whole {
            Some(whole) => {
                beginning.set_gradients(|i| &whole.param_gradients[i], |i| &whole.carried[i]);
            }
            None => {
                beginning.set_gradients(|i| inner.param_gradient(i), |i| inner.initial_gradient(i));
            }
        }
        Ok(())
    }

    fn param_gradient(&self, param: usize) -> &[T] {
        if let Some(gradient) = self.beginning.gradient(param) {
            return gradient;
        }
        match &self.whole {
            Some(whole) => &whole.param_gradients[param],
            None => self.inner.param_gradient(param),
        }
    }

    fn input_gradient(&self, input: usize) -> Option<&[T]> {
        match &self.whole {
            Some(whole) => whole.input_gradients[input].as_deref(),
            None => self.inner.input_gradient(input),
        }
    }

    fn initial_gradient(&self, state: usize) -> &[T] {
        match &self.whole {
            Some(whole) => &whole.carried[state],
            None => self.inner.initial_gradient(state),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_give_every_number_of_segments_once() {
        for steps in 0..200_usize {
            let found: Vec<usize> = lengths(steps).collect();
            let mut all: Vec<usize> = (2..=steps).map(|count| steps.div_ceil(count)).collect();
            all.dedup();
            assert_eq!(found, all, "{steps} steps");
        }
    }

    #[test]
    fn what_is_left_makes_runs_whole() {
        let needs = [(100, 10), (20, 15), (500, 30), (8, 8)];
        let needs = needs.map(|(whole, least)| Needs { whole, least });
        assert_eq!(share(63, &needs), [10, 15, 30, 8]);
        assert_eq!(share(64, &needs), [10, 15, 31, 8]);
        assert_eq!(share(88, &needs), [20, 20, 40, 8]);
        assert_eq!(share(158, &needs), [100, 20, 30, 8]);
        assert_eq!(share(1000, &needs), [100, 20, 500, 8]);
    }
}
