//! Genomes of random graphs, drawn by proptest.

use cellc_tests::random_graph::{EXTENTS, Genome};
use proptest::prelude::*;

/// Genomes of up to `genes` genes.
pub(crate) fn genome(genes: usize) -> impl Strategy<Value = Genome> {
    let extent = || prop::sample::select(&EXTENTS[..]);
    let extents = [extent(), extent(), extent()];
    let genes = prop::collection::vec(any::<[u16; 4]>(), 1..=genes);
    (extents, genes, 0..3_usize).prop_map(|(extents, genes, states)| Genome {
        extents,
        genes,
        states,
    })
}
