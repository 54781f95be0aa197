use super::*;
use crate::fixtures::interface;
use crate::model::Model;
use cellc_runtime::program::Engine;

fn blueprint(text: &str) -> Blueprint {
    let cell = "my.cell".to_owned();
    let libraries = cellc_cells::libraries().iter().map(|library| Import {
        by: cell.clone(),
        from: library.name.into(),
        name: library.name.into(),
        text: library.source.into(),
    });
    let (imports, text) = (libraries.collect(), text.to_owned());
    let cells = vec![CellText { name: cell.clone(), file: cell.clone(), text, imports }];
    let model = ModelConfig { cell, layers: 2, hidden: 5, embedding: 3, ..ModelConfig::default() };
    Blueprint { model, loss: LossConfig::default(), cells }
}

#[test]
fn every_recurrent_cell_of_the_catalogue_makes_a_model() {
    for entry in cellc_cells::all() {
        // A layer has one input; a projection's size must be given.
        let is_layer = !["cfc", "lstm_projection"].contains(&entry.name);
        if entry.kind == cellc_cells::Kind::Recurrent && is_layer {
            for readout in [Readout::Last, Readout::Each] {
                let interface = Interface { resets: true, ..interface(7, 4, readout) };
                let made = blueprint(entry.source).architecture(interface).unwrap();
                Model::<f32>::new(&made, Engine::default(), 1).unwrap();
            }
        }
    }
}

#[test]
fn other_dimensions_are_refused() {
    let text = "cell odd(N) {\n    input x: [N]\n    state h: [N]\n    next h = x\n    output h\n}";
    let interface = interface(7, 4, Readout::Last);
    assert_eq!(
        blueprint(text).architecture(interface).unwrap_err().to_string(),
        "cell `odd` cannot be a layer of a model: its dimensions are `N`; a layer has `I` \
         for the size of its input and `H` for that of its output: `cell odd(I, H)`"
    );
}

#[test]
fn faults_of_the_text_are_handed_on() {
    let broken = blueprint("cell broken(I, H) {");
    let error = broken.architecture(interface(7, 4, Readout::Last)).unwrap_err();
    assert!(matches!(error, BlueprintError::Faults { .. }), "{error}");
}
