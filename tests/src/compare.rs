//! Runs of one graph on several engines, compared result by result.

use cellc_compiler::ir::eval::Real;
use cellc_compiler::ir::graph::Graph;
use cellc_compiler::ir::op::Element;
use cellc_compiler::opt::{LOOP_PASSES, PASSES};
use cellc_compiler::pipeline::GRADIENT_PASSES;
use cellc_runtime::kernels::{Wide, Width};
use cellc_runtime::masks::{Draw, Masks};
use cellc_runtime::program::{Engine, Program, Settings};
use cellc_runtime::sequence::{Extent, InputMut, Sequence};

/// Pseudo-random numbers between -1 and 1: the same on every machine.
#[derive(Clone, Debug)]
pub struct Numbers(pub u64);

impl Numbers {
    /// The next 64 random bits.
    pub fn next_bits(&mut self) -> u64 {
        // SplitMix64 (Steele, Lea & Flood 2014).
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The next number.
    pub fn next_real(&mut self) -> f64 {
        (self.next_bits() >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }

    fn fill<T: Wide>(&mut self, data: &mut [T]) {
        data.iter_mut().for_each(|x| *x = T::from_f64(self.next_real()));
    }
}

/// A named array of a run.
pub type Array<T> = (String, Vec<T>);

/// Everything that a run of a graph gives: outputs, final states, and all gradients, once from
/// `forward` and once from `forward_with_tape` and `backward`.
pub fn results<T: Wide>(
    sequence: &mut dyn Sequence<T>,
    extent: Extent,
    seed: u64,
) -> Vec<Array<T>> {
    let mut numbers = Numbers(seed);
    let interface = sequence.interface().clone();
    let params: Vec<Vec<T>> = (interface.params.iter())
        .map(|port| {
            let mut data = vec![T::default(); port.ty.size()];
            numbers.fill(&mut data);
            data
        })
        .collect();
    sequence.reshape(extent);
    for (i, port) in interface.inputs.iter().enumerate() {
        match (sequence.input_mut(i), port.ty.element) {
            (InputMut::Index(data), Element::Index { bound }) => {
                data.iter_mut()
                    .for_each(|index| *index = (numbers.next_bits() % bound as u64) as u32);
            }
            (InputMut::Real(data), _) => numbers.fill(data),
            (InputMut::Index(_), Element::Real) => panic!("an index that is real"),
        }
    }
    for i in 0..interface.states.len() {
        numbers.fill(sequence.initial_mut(i));
        numbers.fill(sequence.final_cotangent_mut(i));
    }
    for i in 0..interface.outputs.len() {
        numbers.fill(sequence.output_cotangent_mut(i));
    }
    let mut all = Vec::new();
    let add = |all: &mut Vec<Array<T>>, kind: &str, name: &str, data: &[T]| {
        all.push((format!("{kind} {name}"), data.to_vec()));
    };
    for taped in [false, true] {
        let run =
            if taped { sequence.forward_with_tape(&params) } else { sequence.forward(&params) };
        run.expect("the run is well-formed");
        for (i, port) in interface.outputs.iter().enumerate() {
            add(&mut all, "output", &port.name, sequence.output(i));
        }
        for (i, port) in interface.states.iter().enumerate() {
            add(&mut all, "final", &port.name, sequence.final_state(i));
        }
    }
    sequence.backward(&params).expect("there is a tape");
    for (i, port) in interface.params.iter().enumerate() {
        add(&mut all, "gradient of param", &port.name, sequence.param_gradient(i));
    }
    for (i, port) in interface.inputs.iter().enumerate() {
        if let Some(gradient) = sequence.input_gradient(i) {
            add(&mut all, "gradient of input", &port.name, gradient);
        }
    }
    for (i, port) in interface.states.iter().enumerate() {
        add(&mut all, "gradient of state", &port.name, sequence.initial_gradient(i));
    }
    all
}

/// The same of a run whose masks are drawn by the seed too.
pub fn drawn_results<T: Wide>(
    sequence: &mut dyn Sequence<T>,
    extent: Extent,
    seed: u64,
) -> Vec<Array<T>> {
    sequence.reshape(extent);
    sequence.set_masks(Masks::Drawn(Draw { seed, ..Draw::default() }));
    results(sequence, extent, seed)
}

/// The results of a graph on an engine, with some passes, and with masks that are drawn.
pub fn run<T: Wide>(
    graph: &Graph,
    engine: Engine,
    enabled: impl Fn(&str) -> bool,
    threads: usize,
    extent: Extent,
    seed: u64,
) -> Vec<Array<T>> {
    let settings = Settings { enabled: &enabled, ..Settings::default() };
    run_as(graph, engine, &settings, threads, extent, seed)
}

/// The results of a graph on an engine, made in one way.
pub fn run_as<T: Wide>(
    graph: &Graph,
    engine: Engine,
    settings: &Settings<'_>,
    threads: usize,
    extent: Extent,
    seed: u64,
) -> Vec<Array<T>> {
    let program = Program::<T>::with_settings(graph, engine, settings).expect("the graph is valid");
    drawn_results(&mut *program.sequence(threads), extent, seed)
}

/// Every way to do the runtime's part: by no kernels, and by those of each width.
pub fn widths() -> impl Iterator<Item = Option<Width>> {
    [None].into_iter().chain(Width::available().map(Some))
}

/// The names of all passes that can be switched off.
pub fn passes() -> Vec<&'static str> {
    let graphs = PASSES.iter().chain(&LOOP_PASSES).map(|pass| pass.name);
    let gradients = GRADIENT_PASSES.iter().map(|pass| pass.name);
    let mut names: Vec<_> = graphs.chain(gradients).chain(["reuse"]).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The first difference between two runs that is larger than `tolerance` times the size of the
/// array's largest number; `None` if there is none.
pub fn difference<A: Real, B: Real>(
    ours: &[Array<A>],
    theirs: &[Array<B>],
    tolerance: f64,
) -> Option<String> {
    assert_eq!(ours.len(), theirs.len(), "as many results");
    for ((name, a), (other, b)) in ours.iter().zip(theirs) {
        assert_eq!((name, a.len()), (other, b.len()), "the same results");
        let largest =
            b.iter().map(|x| x.to_f64().abs()).filter(|x| x.is_finite()).fold(1.0, f64::max);
        for (i, (a, b)) in a.iter().zip(b).enumerate() {
            let (a, b) = (a.to_f64(), b.to_f64());
            let same = a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance * largest;
            if !same {
                return Some(format!("{name}[{i}] is {a:e}, not {b:e}; largest {largest:e}"));
            }
        }
    }
    None
}
