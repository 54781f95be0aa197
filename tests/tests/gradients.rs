//! The gradients of random graphs and cells agree with central differences, in f64.
//!
//! Random numbers are the same in every run: of a graph with comparisons, one choice of arguments
//! in many thousands lies at a jump, where differences tell nothing.

mod genomes;

use cellc_compiler::ir::graph::Graph;
use cellc_runtime::gradcheck::{Companions, GradcheckError, Options, check_with_progress};
use cellc_runtime::program::{Engine, Program};
use genomes::genome;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

fn config(cases: u32) -> ProptestConfig {
    let rng_seed = RngSeed::Fixed(1);
    ProptestConfig { cases, max_shrink_iters: 2000, rng_seed, ..ProptestConfig::default() }
}

fn agree(graph: &Graph, options: &Options) -> Result<(), TestCaseError> {
    for engine in [Engine::Interpreter, Engine::Jit] {
        let program = Program::<f64>::new(graph, engine).expect("the graph is valid");
        let mut companions = Companions::new(graph, engine).expect("the graph is valid");
        let sequence = &mut *program.sequence(1);
        match check_with_progress(sequence, Some(&mut companions), options, |_| {}) {
            Ok(report) => {
                prop_assert!(report.passed(), "{:?}: {:#?}\n{}", engine, report.rows, graph);
            }
            Err(GradcheckError::NotFinite { .. }) => {
                return Err(TestCaseError::reject("not finite"));
            }
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(config(200))]

    #[test]
    fn of_random_graphs(genome in genome(20), seed: u64) {
        let options = Options {
            cases: 1,
            seed,
            tolerance: 1e-5,
            max_steps: 2,
            max_batch: 3,
            entries: 5,
            directions: 1,
        };
        agree(&genome.build(), &options)?;
    }
}

proptest! {
    #![proptest_config(config(60))]

    #[test]
    fn of_random_cells_over_random_sequences(genome in genome(14), seed: u64) {
        let options = Options {
            cases: 1,
            seed,
            tolerance: 1e-5,
            max_steps: 20,
            max_batch: 9,
            entries: 2,
            directions: 1,
        };
        agree(&genome.build_cell(), &options)?;
    }
}
