//! Runs of a model: forward over a batch, backward for its gradients.

use cellc_runtime::kernels::Wide;
use cellc_runtime::masks::Masks;
use cellc_runtime::segmented::{Limit, Segmented, share};
use cellc_runtime::sequence::{Bytes, Extent, InputMut, RunError, Sequence};

use super::fill::{Rows, fill_data, fill_flags, fill_states, fill_targets};
use super::{Feed, Model, Readout, Ready, Score};
use crate::batch::{Batch, Targets};
use crate::machine;

/// For each stage its states after a run, `[B, ..]`.
pub type States<T> = Vec<Vec<Vec<T>>>;

/// The memory of runs of one model: one [`Sequence`] for each of its stages.
pub struct ModelRun<T> {
    sequences: Vec<Segmented<T>>,
    limit: Option<Limit>,
    masks: Masks,
    /// After the last run; empty before the first.
    states: States<T>,
    /// The stages and numbers of the model's parameters, in their order.
    owned: Vec<(usize, usize)>,
    /// Gradients of parameters that stages share, summed over these.
    shared: Vec<((usize, usize), Vec<T>)>,
}

impl<T: Wide> ModelRun<T> {
    pub(super) fn new(sequences: Vec<Segmented<T>>, limit: Option<Limit>) -> Self {
        let (states, owned, shared) = (Vec::new(), Vec::new(), Vec::new());
        Self { sequences, limit, masks: Masks::Expected, states, owned, shared }
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

    /// The states that a batch that continues this run's goes on from.
    pub fn states(&self) -> &States<T> {
        &self.states
    }

    /// Takes up the states of another run of the same model.
    pub fn set_states(&mut self, states: States<T>) {
        self.states = states;
    }

    /// Answers a batch and scores the answers.
    ///
    /// # Errors
    /// If a symbol or an answer is out of its bound, or the run does not fit into its memory.
    ///
    /// # Panics
    /// If the run is of another model, or the batch's arrays do not fit its extent or the model.
    pub fn forward(&mut self, model: &Model<T>, batch: &Batch) -> Result<Score, RunError> {
        self.forward_stages(model, batch, false)
    }

    /// Answers a batch, scores the answers but for how many are right, and finds the gradients of the
    /// sum of their losses times `weight`; of their mean loss, if that is `None`.
    ///
    /// States carried over from the batch before are taken as given: gradients do not flow into
    /// that batch (truncated backpropagation through time).
    ///
    /// # Errors
    /// If a symbol or an answer is out of its bound, or the run does not fit into its memory.
    ///
    /// # Panics
    /// If the run is of another model, or the batch's arrays do not fit its extent or the model.
    pub fn forward_backward(
        &mut self,
        model: &Model<T>,
        batch: &Batch,
        weight: Option<f64>,
    ) -> Result<Score, RunError> {
        let score = self.forward_stages(model, batch, true)?;
        let last = self.sequences.len() - 1;
        let width = model.interface.answers.width();
        let share =
            T::from_f64(weight.unwrap_or_else(|| share_of_each(batch.targets.count(width))));
        let seeds = self.sequences[last].output_cotangent_mut(0);
        for (i, seed) in seeds.iter_mut().enumerate() {
            *seed = if batch.targets.is_answer(i, width) { share } else { T::default() };
        }
        let mut reached = vec![false; self.sequences.len()];
        for i in (0..self.sequences.len()).rev() {
            let stage = &model.stages[i];
            self.sequences[i].backward(&model.params[i])?;
            let (before, after) = self.sequences.split_at_mut(i);
            for (input, feed) in stage.feeds.iter().enumerate() {
                let Feed::Stages(sources) = feed else { continue };
                let Some(cotangent) = after[0].input_gradient(input) else { continue };
                let width: usize = sources.iter().map(|&s| output_width(&before[s])).sum();
                let mut offset = 0;
                for &source in sources {
                    let rows = Rows::between(model, source, i, batch);
                    let own = output_width(&before[source]);
                    let into = before[source].output_cotangent_mut(0);
                    let first = !std::mem::replace(&mut reached[source], true);
                    if first && rows.are_all(own, width) {
                        into.copy_from_slice(cotangent);
                        continue;
                    }
                    if first {
                        into.fill(T::default());
                    }
                    rows.each(|to, from| {
                        let cotangent = &cotangent[to * width + offset..][..own];
                        let into = &mut into[from * own..][..own];
                        into.iter_mut().zip(cotangent).for_each(|(sum, &c)| *sum = *sum + c);
                    });
                    offset += own;
                }
            }
        }
        self.sum_shared(model);
        Ok(score)
    }

    /// Adds the gradients of parameters that are those of others to these others'.
    fn sum_shared(&mut self, model: &Model<T>) {
        self.owned = model.owned();
        self.shared.clear();
        for (i, stage) in model.stages.iter().enumerate() {
            let Some((own, of, param)) = stage.shared else { continue };
            let ours = self.sequences[i].param_gradient(own);
            if let Some((_, sum)) = self.shared.iter_mut().find(|(at, _)| *at == (of, param)) {
                sum.iter_mut().zip(ours).for_each(|(sum, &g)| *sum = *sum + g);
                continue;
            }
            let theirs = self.sequences[of].param_gradient(param);
            let sum = theirs.iter().zip(ours).map(|(&a, &b)| a + b).collect();
            self.shared.push(((of, param), sum));
        }
    }

    fn forward_stages(
        &mut self,
        model: &Model<T>,
        batch: &Batch,
        keep_tape: bool,
    ) -> Result<Score, RunError> {
        let answers = answers_extent(model.interface.readout, batch.extent);
        let extent = |stage: &Ready<T>| if stage.answers { answers } else { batch.extent };
        let mut stages = model.stages.iter().zip(&self.sequences);
        if !stages.all(|(stage, sequence)| sequence.extent() == extent(stage)) {
            match self.limit {
                Some(limit) => self.share_memory(model, batch, &extent, limit)?,
                None if keep_tape => self.check_memory(model, batch.extent)?,
                None => {}
            }
        }
        for (i, stage) in model.stages.iter().enumerate() {
            let (before, after) = self.sequences.split_at_mut(i);
            let sequence = &mut after[0];
            sequence.try_reshape(extent(stage))?;
            sequence.set_masks(self.masks.of_stage(i as u64));
            for (input, feed) in stage.feeds.iter().enumerate() {
                match feed {
                    Feed::Data => fill_data(sequence, input, stage, batch),
                    Feed::Targets => {
                        // The loss is that of the head's answers, which is the stage before.
                        let answers = before.last().map_or(&[][..], |head| head.output(0));
                        fill_targets(sequence, input, batch, answers);
                    }
                    Feed::Stages(sources) => {
                        let InputMut::Real(into) = sequence.input_mut(input) else {
                            unreachable!("the fed input was checked to be real");
                        };
                        let width: usize = sources.iter().map(|&s| output_width(&before[s])).sum();
                        let mut offset = 0;
                        for &source in sources {
                            let own = output_width(&before[source]);
                            let output = before[source].output(0);
                            let rows = Rows::between(model, source, i, batch);
                            if rows.are_all(own, width) {
                                into.copy_from_slice(output);
                                continue;
                            }
                            rows.each(|to, from| {
                                into[to * width + offset..][..own]
                                    .copy_from_slice(&output[from * own..][..own]);
                            });
                            offset += own;
                        }
                    }
                }
            }
            if let Some(reset) = stage.reset {
                fill_flags(sequence, reset, &batch.resets, false);
            }
            if let Some(mask) = stage.mask {
                fill_flags(sequence, mask, &batch.mask, true);
            }
            let states = self.states.get(i).filter(|_| batch.continues);
            fill_states(sequence, states)?;
            if keep_tape {
                sequence.forward_with_tape(&model.params[i])?;
            } else {
                sequence.forward(&model.params[i])?;
            }
        }
        self.keep_states();
        Ok(self.score(model, batch, !keep_tape))
    }

    /// Whether the machine has the memory to learn from a batch of an extent: a failed allocation would
    /// be the end of the program.
    fn check_memory(&self, model: &Model<T>, extent: Extent) -> Result<(), RunError> {
        let (needed, limit) = (self.bytes(model, extent), machine::memory().unwrap_or(usize::MAX));
        if needed > limit { Err(RunError::Memory { extent, needed, limit }) } else { Ok(()) }
    }

    /// Gives each stage its share of the memory.
    fn share_memory(
        &mut self,
        model: &Model<T>,
        batch: &Batch,
        extent: &impl Fn(&Ready<T>) -> Extent,
        limit: Limit,
    ) -> Result<(), RunError> {
        let stages = model.stages.iter().zip(&self.sequences);
        let needs: Vec<_> = stages.map(|(stage, sequence)| sequence.needs(extent(stage))).collect();
        let states = self.sequences.iter().flat_map(|stage| &stage.interface().states);
        let mut taken = Bytes::default();
        // Kept from batch to batch: here, and in another run while this one is at work.
        states.for_each(|port| taken.add::<T>(2 * batch.extent.batch, port.ty.size()));
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

    /// The most bytes that its arrays take to learn from a batch of an extent, gradients included, if
    /// there is no limit.
    pub fn bytes(&self, model: &Model<T>, extent: Extent) -> usize {
        let answers = answers_extent(model.interface.readout, extent);
        let stages = model.stages.iter().zip(&self.sequences);
        let bytes = stages.map(|(stage, sequence)| {
            sequence.needs(if stage.answers { answers } else { extent }).whole
        });
        bytes.fold(0, usize::saturating_add)
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

    /// The score of the last run; how many answers are right only if it is asked for, as the likeliest of
    /// many classes takes time.
    fn score(&self, model: &Model<T>, batch: &Batch, count_correct: bool) -> Score {
        let loss = &self.sequences[self.sequences.len() - 1];
        // A loss may give a second one, to be judged by.
        let losses = loss.output(loss.interface().outputs.len() - 1);
        let mut score = Score::default();
        let width = model.interface.answers.width();
        for (i, (answer, loss)) in self.logits().chunks(width.max(1)).zip(losses).enumerate() {
            if !batch.targets.is_answer(i, width) {
                continue;
            }
            score.count += 1;
            match &batch.targets {
                Targets::Classes(classes) => {
                    score.loss += loss.to_f64();
                    if count_correct {
                        score.correct += usize::from(likeliest(answer) == classes[i] as usize);
                    }
                }
                Targets::Reals(reals) => {
                    // Losses of numbers are means over those of an answer.
                    score.loss += loss.to_f64() * width as f64;
                    let targets = &reals[i * width..];
                    for (answer, &target) in answer.iter().zip(targets).filter(|(_, x)| !x.is_nan())
                    {
                        let error = answer.to_f64() - f64::from(target);
                        score.numbers += 1;
                        score.absolute += error.abs();
                        score.squared += error * error;
                    }
                }
            }
        }
        score
    }

    /// The head's answers to the last batch, one row for each target: of classes, their logits.
    pub fn logits(&self) -> &[T] {
        self.sequences[self.sequences.len() - 2].output(0)
    }

    /// An output of a stage in the last run, `[T, B, ..]`.
    pub fn output(&self, stage: usize, output: usize) -> &[T] {
        self.sequences[stage].output(output)
    }

    /// The gradients found by the last [`forward_backward`](Self::forward_backward), in the order
    /// of the model's parameters.
    pub fn gradients(&self) -> Vec<&[T]> {
        let gradient = |&(stage, param): &(usize, usize)| {
            let shared = self.shared.iter().find(|(of, _)| *of == (stage, param));
            let own = || self.sequences[stage].param_gradient(param);
            shared.map_or_else(own, |(_, sum)| sum.as_slice())
        };
        self.owned.iter().map(gradient).collect()
    }
}

/// What the loss of each of so many answers adds to the mean.
pub(crate) fn share_of_each(answers: f64) -> f64 {
    if answers > 0.0 { 1.0 / answers } else { 0.0 }
}

/// The class with the largest logit, the first of equals.
pub(crate) fn likeliest<T: Wide>(logits: &[T]) -> usize {
    let mut best = 0;
    for (i, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = i;
        }
    }
    best
}

pub(super) fn answers_extent(readout: Readout, extent: Extent) -> Extent {
    match readout {
        Readout::Each => extent,
        Readout::Last => Extent { steps: extent.steps.min(1), ..extent },
    }
}

fn output_width<T: Wide>(sequence: &Segmented<T>) -> usize {
    sequence.interface().outputs[0].ty.size()
}
