//! Plans: where the values of small graphs live.

use std::collections::BTreeMap;

use cellc_compiler::fuse::{Machine, fuse, map_operands, resolve, view};
use cellc_compiler::ir::graph::{Graph, ValueId};
use cellc_compiler::ir::op::Op;
use cellc_compiler::phases::{Phase, phases};
use cellc_compiler::pipeline::Graphs;
use cellc_compiler::plan::{Binding, Local, Options, Plan, Span, Task, plan};
use cellc_tests::random_cell::random_cell;
use cellc_tests::random_graph::Genome;
use cellc_tests::texts::graph;

const ARGUMENTS: &str = "graph g
    %0 = input x : [4]
    %1 = state h : [4]
    %2 = state c : [4]
    %3 = param W : [4, 4]
    %4 = param V : [8, 4]\n";

fn plan_of(graph: &Graph, wide: bool, reuse: bool) -> Plan {
    let machine = Machine { wide };
    plan(&fuse(&phases(graph), machine), Options { machine, reuse }, &[])
}

/// The homes of values, by their numbers: as the plan prints them, or nothing.
fn homes(plan: &Plan, values: &[usize]) -> Vec<String> {
    let ids: Vec<_> = plan.graph().ids().collect();
    let home = |&value: &usize| match plan.home(ids[value]) {
        None => "-".to_owned(),
        Some(home) => {
            let offset = if home.offset == 0 { String::new() } else { format!("+{}", home.offset) };
            match plan.binding(home.binding) {
                Binding::Local(i) => {
                    let Local { size, span } = plan.locals()[i];
                    assert_eq!(home.tiled, span == Span::Tile);
                    format!("{i}{offset}: {size} {span:?}")
                }
                binding => format!("{binding:?}{offset}"),
            }
        }
    };
    values.iter().map(home).collect()
}

fn check(lines: &str, wide: bool, expected: &[(usize, &str)]) {
    let graph = graph(&format!("{ARGUMENTS}{lines}"));
    let plan = plan_of(&graph, wide, true);
    let (values, homes_expected): (Vec<_>, Vec<_>) = expected.iter().copied().unzip();
    assert_eq!(homes(&plan, &values), homes_expected, "{plan}");
}

#[test]
fn next_states_are_computed_where_they_are_kept() {
    check(
        "%5 = add %0, %1 : [4]
        %6 = mul %0, %5 : [4]
        next h = %6
        next c = %5
        output y = %6",
        false,
        &[(1, "Before(0)"), (2, "Before(1)"), (5, "After(1)"), (6, "After(0)")],
    );
}

/// One value has one home: the other state gets a copy, and so does one that is only a part.
#[test]
fn states_that_share_a_value() {
    let graph = graph(&format!(
        "{ARGUMENTS}
        %5 = add %0, %1 : [4]
        next h = %5
        next c = %5
        output y = %5"
    ));
    let plan = plan_of(&graph, true, true);
    assert_eq!(homes(&plan, &[5]), ["After(0)"]);
    assert!(plan.to_string().contains("copy %5 to After(1)"), "{plan}");
}

#[test]
fn next_states_that_are_parts_are_copied() {
    let graph = graph(&format!(
        "{ARGUMENTS}
        %5 = matvec %4, %1 : [8]
        %6 = slice %5 start=4 : [4]
        %7 = slice %5 start=0 : [4]
        next h = %6
        next c = %7
        output y = %6"
    ));
    let plan = plan_of(&graph, true, true);
    // What the copies read is the memory of all steps, since the output is there too.
    assert_eq!(homes(&plan, &[5, 6]), ["0: 8 Sequence", "0+4: 8 Sequence"], "{plan}");
    for copy in ["copy %6 to After(0)", "copy %7 to After(1)", "copy %6 to Local(1)"] {
        assert!(plan.to_string().contains(copy), "{copy}: {plan}");
    }
}

/// What only a transcendental function reads is computed where that one's result goes.
#[test]
fn transcendental_functions_work_in_place() {
    check(
        "%5 = add %0, %1 : [4]
        %6 = tanh %5 : [4]
        %7 = add %6, %2 : [4]
        next h = %7
        next c = %2
        output y = %7",
        true,
        &[(5, "0: 4 Tile"), (6, "0: 4 Tile"), (7, "After(0)")],
    );
    // Right into a state.
    check(
        "%5 = add %0, %1 : [4]
        %6 = tanh %5 : [4]
        next h = %6
        next c = %2
        output y = %6",
        true,
        &[(5, "After(0)"), (6, "After(0)")],
    );
    // Not if something else reads it: a map, an output, another function, or a part of it.
    for (line, output) in [
        ("%7 = add %5, %6 : [4]", "%7"),
        ("%7 = neg %6 : [4]", "%5"),
        ("%7 = sigmoid %5 : [4]", "%7"),
        ("%7 = slice %5 start=1 : [2]", "%7"),
    ] {
        let graph = graph(&format!(
            "{ARGUMENTS}
            %5 = add %0, %1 : [4]
            %6 = tanh %5 : [4]
            {line}
            next h = %6
            next c = %2
            output y = {output}"
        ));
        let plan = plan_of(&graph, true, true);
        let [of, result] = &homes(&plan, &[5, 6])[..] else { panic!("two homes") };
        assert_ne!(of, result, "{plan}");
    }
    // Nor if a product computed it: no map writes its rows tile by tile.
    check(
        "%5 = matvec %3, %1 : [4]
        %6 = tanh %5 : [4]
        next h = %6
        next c = %2
        output y = %6",
        true,
        &[(5, "0: 4 Step"), (6, "After(0)")],
    );
}

#[test]
fn spans_are_as_short_as_their_readers_allow() {
    check(
        "%5 = matvec %3, %0 : [4]
        %6 = add %5, %1 : [4]
        %7 = tanh %6 : [4]
        %8 = neg %7 : [4]
        %9 = matvec %3, %8 : [4]
        %10 = mul %9, %7 : [4]
        %11 = matvec %3, %10 : [4]
        %12 = abs %3 : [4, 4]
        %13 = matvec %12, %1 : [4]
        %14 = mul %13, %8 : [4]
        next h = %14
        next c = %2
        output y = %11",
        true,
        &[
            // Computed before the loop, read in it.
            (5, "1: 4 Chunk"),
            // Computed and read in one group of tasks, where a value goes on that is read later.
            (6, "2: 4 Chunk"),
            // Read after the loop as well.
            (7, "2: 4 Chunk"),
            (8, "4: 4 Chunk"),
            (10, "6: 4 Chunk"),
            // Computed once.
            (12, "0: 16 Once"),
            // Read in the body alone.
            (13, "3: 4 Step"),
        ],
    );
}

/// A chain of products: each is read by the next alone.
const CHAIN: &str = "%5 = matvec %3, %1 : [4]
    %6 = matvec %3, %5 : [4]
    %7 = matvec %3, %6 : [4]
    %8 = matvec %3, %7 : [4]
    %9 = mul %8, %2 : [4]
    next h = %9
    next c = %2
    output y = %9";

#[test]
fn memory_is_used_again_once_nobody_reads_it() {
    let graph = graph(&format!("{ARGUMENTS}{CHAIN}"));
    let values = [5, 6, 7, 8];
    // Never what the same task reads.
    let plan = plan_of(&graph, true, true);
    let expected = ["0: 4 Step", "1: 4 Step", "0: 4 Step", "1: 4 Step"];
    assert_eq!(homes(&plan, &values), expected, "{plan}");
    assert_eq!(plan.locals().len(), 2, "{plan}");
    let plan = plan_of(&graph, true, false);
    let expected = ["0: 4 Step", "1: 4 Step", "2: 4 Step", "3: 4 Step"];
    assert_eq!(homes(&plan, &values), expected, "{plan}");
}

/// Two values that are needed at once never share memory.
#[test]
fn what_is_alive_has_memory_of_its_own() {
    for (wide, reuse) in [(true, true), (false, true), (true, false)] {
        for seed in 0..200 {
            for graph in [random_cell(seed, 14), Genome::of_seed(seed, 24).build()] {
                let graphs = Graphs::new(&graph, |_| true).expect("it can be compiled");
                for graph in [&graphs.forward, &graphs.taped, &graphs.backward] {
                    check_alive(&plan_of(graph, wide, reuse));
                }
            }
        }
    }
}

/// Runs the tasks of a plan by name: each must find what it reads where it was put.
fn check_alive(plan: &Plan) {
    let graph = plan.graph();
    let mut memory: Vec<(Area, ValueId)> = Vec::new();
    let mut computed: BTreeMap<ValueId, (Phase, usize)> = BTreeMap::new();
    for phase in Phase::ALL {
        for (g, group) in plan.groups(phase).iter().enumerate() {
            let mut step = |reads: &[ValueId], writes: &[ValueId], in_place: bool| {
                let reads = reads.iter().map(|&id| view(graph, resolve(graph, id)).base);
                // A concatenation that no task computes is where its parts were put.
                let reads = reads.flat_map(|id| match graph.op(id) {
                    Op::Concat { .. } if !computed.contains_key(&id) => graph.operands(id).to_vec(),
                    _ => vec![id],
                });
                for read in reads.collect::<Vec<_>>() {
                    let Some(area) = area(plan, read) else { continue };
                    assert!(memory.contains(&(area, read)), "{read} is gone: {plan}");
                    match plan.locals()[area.local].span {
                        Span::Tile => assert_eq!(computed[&read], (phase, g), "{read}: {plan}"),
                        Span::Step => assert_eq!(phase, Phase::Body, "{read}: {plan}"),
                        Span::Once | Span::Chunk | Span::Sequence => {}
                    }
                    let overwritten = |id: &ValueId| {
                        stored(plan, *id).is_some_and(|written| written.overlaps(area))
                    };
                    let kept = in_place || !writes.iter().any(overwritten);
                    assert!(kept, "{read} is read and written at once: {plan}");
                }
                for &write in writes {
                    if let Some(area) = stored(plan, write) {
                        memory.retain(|(other, _)| !other.overlaps(area));
                        memory.push((area, write));
                    }
                    computed.insert(write, (phase, g));
                }
            };
            for task in &group.tasks {
                match task {
                    Task::Map(map) => {
                        let reads: Vec<ValueId> = map_operands(graph, map).collect();
                        step(&reads, &map.values, false);
                    }
                    Task::Wide(values) => {
                        for &id in values {
                            step(graph.operands(id), &[id], true);
                        }
                    }
                    Task::Product(product) => {
                        step(product.start.as_slice(), &[], true);
                        step(&product.parts, &[product.value], false);
                    }
                    Task::Single(id) => step(graph.operands(*id), &[*id], false),
                    Task::Copy { from, .. } => step(&[*from], &[], false),
                }
            }
        }
    }
}

/// Elements of the rows of a local.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Area {
    local: usize,
    start: usize,
    end: usize,
}

impl Area {
    fn overlaps(self, other: Self) -> bool {
        self.local == other.local && self.start < other.end && other.start < self.end
    }
}

/// Where a value is, if in memory of the program's own.
fn area(plan: &Plan, id: ValueId) -> Option<Area> {
    let home = plan.home(id)?;
    let Binding::Local(local) = plan.binding(home.binding) else { return None };
    let end = home.offset + plan.graph().ty(id).size();
    Some(Area { local, start: home.offset, end })
}

/// Where a computed value is stored.
fn stored(plan: &Plan, id: ValueId) -> Option<Area> {
    if plan.is_stored(id) { area(plan, id) } else { None }
}
