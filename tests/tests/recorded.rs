//! What PyTorch, Keras, ONNX's reference evaluator and JAX computed, against what the same weights
//! give here once they are converted: outputs, final states and all gradients.
//!
//! `recorded/README.md` says how the files are made; their metadata say by what.

use std::path::{Path, PathBuf};

use cellc_compiler::ir::eval::{Precision, Real};
use cellc_runtime::convert::{Conversion, Kind, Place, System, Tensor, Tensors};
use cellc_runtime::kernels::{Wide, Width};
use cellc_runtime::program::{Engine, Settings};
use cellc_runtime::ragged::Ragged;
use cellc_runtime::sequence::{Extent, Sequence};
use cellc_runtime::stack::Stack;
use cellc_tests::cells::catalogue;
use cellc_tests::compare::widths;
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

/// A recorded case.
struct Recorded {
    name: String,
    system: System,
    cell: Kind,
    layers: usize,
    directions: usize,
    /// Whether the only direction is in reverse.
    reverse: bool,
    prefixes: Vec<String>,
    precision: Precision,
    lengths: Option<Vec<usize>>,
    tensors: Tensors<f64>,
}

impl Recorded {
    fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).expect("the file is there");
        let (_, header) = SafeTensors::read_metadata(&bytes).expect("a safetensors file");
        let header = header.metadata().clone().expect("it has metadata");
        let word = |key: &str| header.get(key).map(String::as_str).unwrap_or_default();
        let number = |key: &str| word(key).parse().expect("a number");
        let file = SafeTensors::deserialize(&bytes).expect("a safetensors file");
        let (mut tensors, mut lengths, mut precision) = (Tensors::new(), None, Precision::F64);
        for (name, view) in file.tensors() {
            let data = view.data();
            let data = match view.dtype() {
                Dtype::F64 => data.as_chunks().0.iter().map(|&b| f64::from_le_bytes(b)).collect(),
                Dtype::F32 => {
                    precision = Precision::F32;
                    data.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b).into()).collect()
                }
                _ => {
                    let numbers = data.as_chunks().0.iter().map(|&b| i64::from_le_bytes(b));
                    lengths =
                        Some(numbers.map(|n| usize::try_from(n).expect("a length")).collect());
                    continue;
                }
            };
            tensors.insert(name, Tensor { shape: view.shape().to_vec(), data });
        }
        assert!(!word("made_by").is_empty(), "{path:?}");
        Self {
            name: path.file_stem().expect("a name").to_string_lossy().into_owned(),
            system: match word("system") {
                "pytorch" => System::Pytorch,
                "keras" => System::Keras,
                "onnx" => System::Onnx,
                other => panic!("{path:?} is of `{other}`"),
            },
            cell: Kind::find(word("cell")).expect("a cell of the catalogue"),
            layers: number("layers"),
            directions: number("directions"),
            reverse: word("reverse") == "true",
            prefixes: word("prefixes").split(',').map(str::to_owned).collect(),
            precision,
            lengths,
            tensors,
        }
    }

    fn place(&self, layer: usize, direction: usize) -> Place {
        Place {
            system: self.system,
            prefix: self.prefixes.get(direction).cloned().unwrap_or_default(),
            layer,
            reverse: self.reverse || direction == 1,
            bidirectional: self.directions == 2,
        }
    }

    /// The tensors of a prefix, without it.
    fn of<T: Real>(&self, prefix: &str) -> Tensors<T> {
        let under = |(name, tensor): (&String, &Tensor<f64>)| {
            let data = tensor.data.iter().map(|&x| T::from_f64(x)).collect();
            let name = name.strip_prefix(prefix)?.to_owned();
            Some((name, Tensor { shape: tensor.shape.clone(), data }))
        };
        self.tensors.iter().filter_map(under).collect()
    }

    fn numbers<T: Real>(&self, name: &str) -> Vec<T> {
        self.tensors[name].data.iter().map(|&x| T::from_f64(x)).collect()
    }

    /// Runs the case here, and holds all that was recorded against it.
    fn check<T: Wide>(&self, engine: Engine, width: Option<Width>, threads: usize, tolerance: f64) {
        let what = format!("{}, {engine:?}, {width:?}, {threads} threads", self.name);
        let weights = self.of::<T>("weight.");
        let settings = Settings { width, ..Settings::default() };
        let (mut layers, mut params, mut conversions) = (Vec::new(), Vec::new(), Vec::new());
        for layer in 0..self.layers {
            let (mut runs, mut of_layer) = (Vec::new(), Vec::new());
            for direction in 0..self.directions {
                let place = self.place(layer, direction);
                let conversion = Conversion::of_arrays(self.cell, &place, &weights);
                let conversion = conversion.unwrap_or_else(|error| panic!("{what}: {error}"));
                let sizes = conversion.sizes();
                let mut dims = vec![("I", sizes.input), ("H", sizes.hidden)];
                dims.extend(sizes.projection.map(|size| ("P", size)));
                let graph = catalogue(self.cell.name(), &dims);
                let mut run = Ragged::<T>::new(&graph, engine, &settings, threads, None)
                    .expect("the graph is valid");
                run.set_reverse(place.reverse);
                let converted = conversion.to_cell(&weights).expect("the weights fit");
                let ports = run.interface().params.iter();
                of_layer.push(ports.map(|port| converted[&port.name].data.clone()).collect());
                runs.push(run);
                conversions.push((layer, direction, conversion));
            }
            layers.push(runs);
            params.push(of_layer);
        }
        let mut stack = Stack::new(layers).expect("the layers fit each other");
        let extent =
            Extent { steps: self.tensors["x"].shape[0], batch: self.tensors["x"].shape[1] };
        stack.try_reshape(extent).expect("there is no limit");
        stack.set_lengths(self.lengths.as_deref());
        stack.input_mut().copy_from_slice(&self.numbers::<T>("x"));
        // The part of a state's array that is of one run.
        let part = |name: &str, nth: usize| -> Vec<T> {
            let size: usize = self.tensors[name].shape[1..].iter().product();
            self.numbers(name)[nth * size..][..size].to_vec()
        };
        let nth = |layer: usize, direction: usize| layer * self.directions + direction;
        for (layer, direction, _) in &conversions {
            let run = stack.run_mut(*layer, *direction);
            for (i, state) in self.cell.states().iter().enumerate() {
                let initial = part(&format!("{state}0"), nth(*layer, *direction));
                run.initial_mut(i).copy_from_slice(&initial);
            }
        }
        stack.forward(&params, true).expect("it runs");
        let close = |found: &[T], expected: &[f64], of: &str| {
            assert_eq!(found.len(), expected.len(), "{what}: {of}");
            let largest = expected.iter().fold(1.0, |largest: f64, x| largest.max(x.abs()));
            for (i, (a, b)) in found.iter().zip(expected).enumerate() {
                let near = (a.to_f64() - b).abs() <= tolerance * largest;
                assert!(near, "{what}: {of}[{i}] is {a}, not {b}; largest {largest}");
            }
        };
        close(stack.output(), &self.tensors["y"].data, "y");
        for (layer, direction, _) in &conversions {
            let run = stack.run_mut(*layer, *direction);
            for (i, state) in self.cell.states().iter().enumerate() {
                let of_run = |name: &str| -> Vec<f64> {
                    part(name, nth(*layer, *direction)).iter().map(|x| x.to_f64()).collect()
                };
                close(run.final_state(i), &of_run(state), state);
                let cotangent = part(&format!("cotangent.{state}"), nth(*layer, *direction));
                run.final_cotangent_mut(i).copy_from_slice(&cotangent);
            }
        }
        stack.output_cotangent_mut().copy_from_slice(&self.numbers::<T>("cotangent.y"));
        stack.backward(&params).expect("there is a tape");
        close(stack.input_gradient(), &self.tensors["grad.x"].data, "grad.x");
        let mut gradients = Tensors::new();
        for (layer, direction, conversion) in &conversions {
            let run = stack.run(*layer, *direction);
            for (i, state) in self.cell.states().iter().enumerate() {
                let name = format!("grad.{state}0");
                let expected = part(&name, nth(*layer, *direction));
                let expected: Vec<f64> = expected.iter().map(|x| x.to_f64()).collect();
                close(run.initial_gradient(i), &expected, &name);
            }
            let params = run.interface().params.iter().enumerate();
            let ours = params.map(|(i, port)| {
                let (shape, data) = (port.ty.shape.to_vec(), run.param_gradient(i).to_vec());
                (port.name.clone(), Tensor { shape, data })
            });
            conversion.gradients(&ours.collect(), &mut gradients).expect("they fit");
        }
        let expected = self.of::<f64>("grad.weight.");
        for (name, expected) in &expected {
            assert_eq!(gradients[name].shape, expected.shape, "{what}: {name}");
            close(&gradients[name].data, &expected.data, name);
        }
        assert_eq!(expected.len(), weights.len(), "{what}: a gradient of each array");
    }
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("recorded");
    let files = std::fs::read_dir(folder).expect("the folder is there");
    let files = files.map(|file| file.expect("it can be read").path());
    let mut files: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|e| e == "safetensors")).collect();
    files.sort();
    files
}

fn check_all(system: &str, least: usize) {
    let mut checked = 0;
    for path in files() {
        let recorded = Recorded::read(&path);
        if !recorded.name.starts_with(system) {
            continue;
        }
        let double = recorded.precision == Precision::F64;
        if double {
            recorded.check::<f64>(Engine::Interpreter, None, 1, 1e-10);
        }
        for width in widths() {
            for threads in [1, 2] {
                if double {
                    recorded.check::<f64>(Engine::Jit, width, threads, 1e-10);
                }
                // Weights that are no f32 are rounded, as the other system's results would be.
                recorded.check::<f32>(Engine::Jit, width, threads, 1e-5);
            }
        }
        checked += 1;
    }
    assert!(checked >= least, "{checked} files of {system}");
}

#[test]
fn pytorch_agrees() {
    check_all("pytorch", 13);
}

#[test]
fn keras_agrees() {
    check_all("keras", 9);
}

#[test]
fn onnx_and_jax_agree() {
    check_all("onnx", 12);
}

/// The files are small, and each says what made it.
#[test]
fn files_are_small() {
    let sizes = files().iter().map(|path| path.metadata().expect("it is there").len()).sum::<u64>();
    assert!(sizes < 1_000_000, "{sizes} bytes");
    let names: Vec<Value> = files().iter().map(|path| path.to_string_lossy().into()).collect();
    assert!(names.len() >= 34, "{names:?}");
}
