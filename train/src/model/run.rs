//! Runs of a model: forward over a batch, backward for its gradients.

use super::{Model, Readout};
use crate::batch::{Batch, IGNORED};
use cellc_runtime::kernels::Wide;
use cellc_runtime::masks::Masks;
use cellc_runtime::segmented::{Limit, Segmented, share};
use cellc_runtime::sequence::{Bytes, Extent, InputMut, RunError, Sequence};

/// What a model's answers to a batch are worth.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    /// The sum of the losses of all answers, in nats.
    pub loss: f64,
    /// How many answers were given.
    pub count: usize,
    /// How many answers had the right class as their likeliest.
    pub correct: usize,
}

impl Score {
    /// The mean loss of an answer, in nats.
    pub fn mean_loss(&self) -> f64 {
        self.loss / self.count as f64
    }

    /// The share of answers whose likeliest class was right, 0 to 1.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.count as f64
    }
}

impl std::ops::AddAssign for Score {
    fn add_assign(&mut self, other: Self) {
        self.loss += other.loss;
        self.count += other.count;
        self.correct += other.correct;
    }
}

/// The memory of runs of one model: one [`Sequence`] for each of its stages.
pub struct ModelRun<T> {
    sequences: Vec<Segmented<T>>,
    limit: Option<Limit>,
    masks: Masks,
    /// For each stage its states after the last run, `[B, ..]`; empty before the first.
    states: Vec<Vec<Vec<T>>>,
}

impl<T: Wide> ModelRun<T> {
    pub(super) fn new(sequences: Vec<Segmented<T>>, limit: Option<Limit>) -> Self {
        Self { sequences, limit, masks: Masks::Expected, states: Vec::new() }
    }

    /// Sets what the masks of its cells are in later runs: their probabilities, as at first, or draws,
    /// of which each stage has its own.
    pub fn set_masks(&mut self, masks: Masks) {
        self.masks = masks;
    }

    /// Gives back the memory of past runs, but for the states that the next batch may go on from.
    pub fn release(&mut self) {
        self.sequences.iter_mut().for_each(Sequence::release);
    }

    /// Answers a batch and scores the answers.
    ///
    /// # Errors
    /// If a symbol or an answer is out of its bound, or the run does not fit into its memory.
    ///
    /// # Panics
    /// If the run is of another model, or the batch's arrays do not fit its extent.
    pub fn forward(&mut self, model: &Model<T>, batch: &Batch) -> Result<Score, RunError> {
        self.forward_stages(model, batch, false)
    }

    /// Answers a batch, scores the answers, and finds the gradients of their mean loss.
    ///
    /// States carried over from the batch before are taken as given: gradients do not flow into
    /// that batch (truncated backpropagation through time).
    ///
    /// # Errors
    /// If a symbol or an answer is out of its bound, or the run does not fit into its memory.
    ///
    /// # Panics
    /// If the run is of another model, or the batch's arrays do not fit its extent.
    pub fn forward_backward(&mut self, model: &Model<T>, batch: &Batch) -> Result<Score, RunError> {
        let score = self.forward_stages(model, batch, true)?;
        let share = T::from_f64(1.0 / score.count.max(1) as f64);
        let last = self.sequences.len() - 1;
        let seeds = self.sequences[last].output_cotangent_mut(0);
        for (seed, &target) in seeds.iter_mut().zip(&batch.targets) {
            *seed = if target == IGNORED { T::default() } else { share };
        }
        for i in (0..self.sequences.len()).rev() {
            self.sequences[i].backward(&model.params[i])?;
            let (before, after) = self.sequences.split_at_mut(i);
            if let Some(before) = before.last_mut() {
                let cotangent = after[0].input_gradient(model.stages[i].input);
                let cotangent = cotangent.expect("every stage but the embedding is fed with reals");
                let target = before.output_cotangent_mut(0);
                // Of a layer that is read out at the end, only the last step's output is used.
                let (unused, used) = target.split_at_mut(target.len() - cotangent.len());
                unused.fill(T::default());
                used.copy_from_slice(cotangent);
            }
        }
        Ok(score)
    }

    fn forward_stages(
        &mut self,
        model: &Model<T>,
        batch: &Batch,
        keep_tape: bool,
    ) -> Result<Score, RunError> {
        let layers = 1..self.sequences.len() - 2;
        let answers = match model.readout {
            Readout::Each => batch.extent,
            Readout::Last => Extent { steps: batch.extent.steps.min(1), ..batch.extent },
        };
        assert_eq!(batch.targets.len(), answers.steps * answers.batch, "a target for each answer");
        let extent = |stage| if stage < layers.end { batch.extent } else { answers };
        self.share_memory(batch, extent)?;
        for (i, stage) in model.stages.iter().enumerate() {
            let (before, after) = self.sequences.split_at_mut(i);
            let sequence = &mut after[0];
            sequence.try_reshape(extent(i))?;
            sequence.set_masks(self.masks.of_stage(i as u64));
            match before.last() {
                None => fill_index(sequence, stage.input, &batch.symbols),
                Some(before) => {
                    let output = before.output(0);
                    let InputMut::Real(input) = sequence.input_mut(stage.input) else {
                        unreachable!("the fed input was checked to be real");
                    };
                    // Fewer answers than steps: those of the last step.
                    input.copy_from_slice(&output[output.len() - input.len()..]);
                }
            }
            match stage.second {
                Some(second) if layers.contains(&i) => fill_mask(sequence, second, batch),
                Some(second) => {
                    let answer = |&t: &u32| if t == IGNORED { 0 } else { t };
                    let answers: Vec<_> = batch.targets.iter().map(answer).collect();
                    fill_index(sequence, second, &answers);
                }
                None => {}
            }
            if layers.contains(&i) {
                let states = self.states.get(i).filter(|_| batch.continues);
                fill_states(sequence, states);
            }
            if keep_tape {
                sequence.forward_with_tape(&model.params[i])?;
            } else {
                sequence.forward(&model.params[i])?;
            }
        }
        self.keep_states();
        Ok(self.score(batch))
    }

    /// Gives each stage its share of the memory.
    fn share_memory(
        &mut self,
        batch: &Batch,
        extent: impl Fn(usize) -> Extent,
    ) -> Result<(), RunError> {
        let Some(limit) = self.limit else { return Ok(()) };
        let mut stages = self.sequences.iter().enumerate();
        if stages.all(|(i, stage)| stage.extent() == extent(i)) {
            return Ok(());
        }
        let stages = self.sequences.iter().enumerate();
        let needs: Vec<_> = stages.map(|(i, stage)| stage.needs(extent(i))).collect();
        let states = self.sequences.iter().flat_map(|stage| &stage.interface().states);
        let mut taken = Bytes::default();
        // Kept from batch to batch: here, and in another run while this one is at work.
        states.for_each(|port| taken.add::<T>(2 * batch.extent.batch, port.ty.size()));
        // A copy of the answers.
        taken.add::<u32>(batch.targets.len(), 1);
        let taken = taken.sum().saturating_add(limit.taken);
        let least = needs.iter().fold(taken, |sum, needs| sum.saturating_add(needs.least));
        if least > limit.bytes {
            let (extent, limit) = (batch.extent, limit.bytes);
            return Err(RunError::Memory { extent, needed: least, limit });
        }
        let shares = share(limit.bytes - taken, &needs);
        // All of them first: what one gives back, another may take.
        for (stage, share) in self.sequences.iter_mut().zip(shares) {
            stage.set_limit(share);
        }
        Ok(())
    }

    fn keep_states(&mut self) {
        self.states.resize_with(self.sequences.len(), Vec::new);
        for (kept, sequence) in self.states.iter_mut().zip(&self.sequences) {
            let states = sequence.interface().states.len();
            kept.resize_with(states, Vec::new);
            for (i, state) in kept.iter_mut().enumerate() {
                state.clear();
                state.extend_from_slice(sequence.final_state(i));
            }
        }
    }

    fn score(&self, batch: &Batch) -> Score {
        let losses = self.sequences[self.sequences.len() - 1].output(0);
        let classes = self.logits().len() / batch.targets.len().max(1);
        let rows = self.logits().chunks(classes.max(1)).zip(losses);
        let mut score = Score::default();
        for ((logits, loss), &target) in rows.zip(&batch.targets) {
            if target != IGNORED {
                score.loss += loss.to_f64();
                score.count += 1;
                score.correct += usize::from(likeliest(logits) == target as usize);
            }
        }
        score
    }

    /// The head's answers to the last batch, one row of logits for each target.
    pub fn logits(&self) -> &[T] {
        self.sequences[self.sequences.len() - 2].output(0)
    }

    /// The gradients found by the last [`forward_backward`](Self::forward_backward), in the order
    /// of the model's parameters.
    pub fn gradients(&self) -> Vec<&[T]> {
        let stages = self.sequences.iter();
        let of_stage = |sequence| -> Vec<&[T]> {
            let sequence: &dyn Sequence<T> = sequence;
            (0..sequence.interface().params.len()).map(|i| sequence.param_gradient(i)).collect()
        };
        stages.flat_map(|sequence| of_stage(sequence)).collect()
    }
}

/// The class with the largest logit, the first of equals.
fn likeliest<T: Wide>(logits: &[T]) -> usize {
    let mut best = 0;
    for (i, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = i;
        }
    }
    best
}

fn fill_index<T: Wide>(sequence: &mut dyn Sequence<T>, input: usize, indices: &[u32]) {
    let InputMut::Index(array) = sequence.input_mut(input) else {
        unreachable!("the input was checked to be an index");
    };
    array.copy_from_slice(indices);
}

fn fill_mask<T: Wide>(sequence: &mut dyn Sequence<T>, input: usize, batch: &Batch) {
    let InputMut::Real(array) = sequence.input_mut(input) else {
        unreachable!("masks are real");
    };
    if batch.mask.is_empty() {
        array.fill(T::from_f64(1.0));
        return;
    }
    for (mask, &begun) in array.iter_mut().zip(&batch.mask) {
        *mask = T::from_f64(if begun { 1.0 } else { 0.0 });
    }
}

fn fill_states<T: Wide>(sequence: &mut dyn Sequence<T>, states: Option<&Vec<Vec<T>>>) {
    for i in 0..sequence.interface().states.len() {
        match states {
            Some(states) => sequence.initial_mut(i).copy_from_slice(&states[i]),
            None => sequence.begin(i),
        }
    }
}
