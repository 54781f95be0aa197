//! From the tensors of a file to the arrays of a cell: everything that can be wrong is found here.

use std::collections::BTreeMap;

use cellc_compiler::ir::eval::{Precision, Real};
use cellc_compiler::ir::op::{Element, Type};
use cellc_compiler::suggest::closest;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::fault::{Axis, Fault, Pattern};
use super::file::{ArrayFile, dtype_of, precision_of};
use crate::convert::{Tensor, Tensors};
use crate::sequence::{Extent, InputArray, Interface, Port};

/// What a cell is applied to, each list in the order of its [`Interface`].
#[derive(Clone, Debug, PartialEq)]
pub struct Arrays<T> {
    /// The numbers of steps and examples.
    pub extent: Extent,
    /// The parameters, each in its own shape.
    pub params: Vec<Vec<T>>,
    /// The inputs, `[T, B, ..]`.
    pub inputs: Vec<InputArray<T>>,
    /// The states before the first step, `[B, ..]`; `None` of one that begins where the cell says.
    pub initial: Vec<Option<Vec<T>>>,
    /// How many steps each example has, `[B]`, if not all of them.
    pub lengths: Option<Vec<usize>>,
    /// The cotangents of the results, if gradients are wanted.
    pub cotangents: Option<Cotangents<T>>,
}

/// The cotangents of a run's results, each list in the order of the cell's [`Interface`].
#[derive(Clone, Debug, PartialEq)]
pub struct Cotangents<T> {
    /// Of the outputs, `[T, B, ..]`.
    pub outputs: Vec<Vec<T>>,
    /// Of the states after the last step, `[B, ..]`.
    pub finals: Vec<Vec<T>>,
}

/// What a tensor of the file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Param,
    Input,
    Initial,
    OutputCotangent,
    FinalCotangent,
    Lengths,
}

/// What the lengths of the examples are called.
const LENGTHS: &str = "lengths";

/// A place for a tensor.
struct Slot<'i> {
    tensor: String,
    role: Use,
    port: &'i Port,
}

impl Slot<'_> {
    fn lead(&self) -> &'static [Axis] {
        match self.role {
            Use::Param => &[],
            Use::Input | Use::OutputCotangent => &[Axis::Steps, Axis::Batch],
            Use::Initial | Use::FinalCotangent | Use::Lengths => &[Axis::Batch],
        }
    }

    fn pattern(&self) -> Pattern {
        Pattern { lead: self.lead(), shape: self.port.ty.shape.clone() }
    }

    /// The role of a tensor that cannot be left out.
    fn needed(&self) -> Option<&'static str> {
        match self.role {
            Use::Param => Some("param"),
            Use::Input => Some("input"),
            Use::Initial | Use::OutputCotangent | Use::FinalCotangent | Use::Lengths => None,
        }
    }
}

/// Every place for a tensor, in the order in which extents and dtypes are taken from them.
fn slots(interface: &Interface) -> Vec<Slot<'_>> {
    let of = |ports: &'_ [Port], role: Use, prefix: &str| -> Vec<(String, Use, usize)> {
        let named = |(i, port): (usize, &Port)| (format!("{prefix}{}", port.name), role, i);
        ports.iter().enumerate().map(named).collect()
    };
    let Interface { params, inputs, states, outputs, .. } = interface;
    [
        (params, Use::Param, ""),
        (inputs, Use::Input, ""),
        (outputs, Use::OutputCotangent, "cotangent.out."),
        (states, Use::Initial, ""),
        (states, Use::FinalCotangent, "cotangent.final."),
    ]
    .into_iter()
    .flat_map(|(ports, role, prefix)| {
        let slot = |(tensor, role, i): (String, Use, usize)| Slot { tensor, role, port: &ports[i] };
        of(ports, role, prefix).into_iter().map(slot).collect::<Vec<_>>()
    })
    .collect()
}

/// The precision of the file's real tensors, with the name of the tensor it is taken from: the
/// first, in the order of the cell's interface, that is F32 or F64. `None` if there is no such
/// tensor.
pub fn file_precision(file: &ArrayFile<'_>, interface: &Interface) -> Option<(Precision, String)> {
    slots(interface).into_iter().filter(|slot| slot.port.ty.is_real()).find_map(|slot| {
        let precision = precision_of(file.tensor(&slot.tensor)?.dtype())?;
        Some((precision, slot.tensor))
    })
}

/// All real tensors of a precision in a file, by their names.
pub fn file_reals<T: Real>(file: &SafeTensors<'_>) -> Tensors<T> {
    let needed = dtype_of(T::PRECISION);
    let tensors = file.iter().filter(|(_, tensor)| tensor.dtype() == needed);
    let tensor =
        |tensor: TensorView<'_>| Tensor { shape: tensor.shape().to_vec(), data: reals(&tensor) };
    tensors.map(|(name, view)| (name.to_owned(), tensor(view))).collect()
}

impl<T: Real> Arrays<T> {
    /// Takes the arrays of a cell from a file.
    ///
    /// `like` names the tensor that the precision was taken from, for messages.
    ///
    /// # Errors
    /// Everything that is wrong with the file's tensors, in the order of the cell's interface.
    pub fn bind(
        file: &ArrayFile<'_>,
        interface: &Interface,
        like: Option<&str>,
    ) -> Result<Self, Vec<Fault>> {
        let mut faults = clashes(interface);
        if !faults.is_empty() {
            return Err(faults);
        }
        let mut slots = slots(interface);
        // A cell may have something of this name itself: then it has no lengths.
        let lengths = Port { name: LENGTHS.to_owned(), ty: Type::index(usize::MAX) };
        if slots.iter().all(|slot| slot.tensor != LENGTHS) {
            let (tensor, role) = (LENGTHS.to_owned(), Use::Lengths);
            slots.push(Slot { tensor, role, port: &lengths });
        }
        let mut extents = Extents::default();
        let mut tensors: Vec<Option<TensorView<'_>>> = Vec::new();
        for slot in &slots {
            let tensor = file.tensor(&slot.tensor);
            match (&tensor, slot.needed()) {
                (Some(tensor), _) => {
                    faults.extend(dtype_fault::<T>(slot, tensor, like));
                    faults.extend(extents.take(slot, tensor.shape()));
                }
                (None, Some(role)) => faults.push(Fault::Missing {
                    tensor: slot.tensor.clone(),
                    role,
                    expected: slot.pattern(),
                }),
                (None, None) => {}
            }
            tensors.push(tensor);
        }
        faults.extend(extras(file, &slots));
        if !faults.is_empty() {
            return Err(faults);
        }
        let extent = extents.extent(interface).map_err(|fault| vec![fault])?;
        decode(&slots, &tensors, extent)
    }
}

/// Names that stand for two leaves at once.
fn clashes(interface: &Interface) -> Vec<Fault> {
    let mut seen: BTreeMap<&str, &'static str> = BTreeMap::new();
    let named = |ports: &'_ [Port], role| ports.iter().map(|p| (p.name.clone(), role)).collect();
    let leaves: [Vec<(String, &'static str)>; 3] = [
        named(&interface.params, "param"),
        named(&interface.inputs, "input"),
        named(&interface.states, "state"),
    ];
    let mut faults = Vec::new();
    for (name, second) in leaves.iter().flatten() {
        if let Some(first) = seen.insert(name, second) {
            faults.push(Fault::Clash { name: name.clone(), first, second });
        }
    }
    faults
}

fn dtype_fault<T: Real>(
    slot: &Slot<'_>,
    tensor: &TensorView<'_>,
    like: Option<&str>,
) -> Option<Fault> {
    let found = tensor.dtype();
    let needed = dtype_of(T::PRECISION);
    let (fits, expected, like) = if slot.port.ty.is_real() {
        (found == needed, needed.to_string(), like)
    } else {
        let fits = matches!(found, Dtype::I64 | Dtype::I32 | Dtype::U32 | Dtype::U8);
        (fits, "I64, I32, U32 or U8 (whole numbers)".to_owned(), None)
    };
    let like = like.map(str::to_owned);
    (!fits).then(|| Fault::Dtype { tensor: slot.tensor.clone(), expected, found, like })
}

/// Tensors that have no place.
fn extras(file: &ArrayFile<'_>, slots: &[Slot<'_>]) -> Vec<Fault> {
    let known = |name: &str| slots.iter().any(|slot| slot.tensor == name);
    let absent = || {
        let names = slots.iter().map(|slot| slot.tensor.as_str());
        names.filter(|name| file.tensor(name).is_none())
    };
    let extra = |name: &str| Fault::Extra {
        tensor: name.to_owned(),
        found: file.tensor(name).map(|tensor| tensor.shape().to_vec()).unwrap_or_default(),
        suggestion: closest(name, absent()).map(str::to_owned),
    };
    file.names().into_iter().filter(|name| !known(name)).map(extra).collect()
}

/// The extents found so far, each with the tensor it was first found in and that tensor's shape.
#[derive(Default)]
struct Extents {
    steps: Option<(usize, String, Vec<usize>)>,
    batch: Option<(usize, String, Vec<usize>)>,
}

impl Extents {
    /// Checks a tensor's shape, and takes the run-time extents from it.
    fn take(&mut self, slot: &Slot<'_>, found: &[usize]) -> Vec<Fault> {
        let tensor = || slot.tensor.clone();
        let (lead, own) = (slot.lead(), &slot.port.ty.shape);
        if found.len() != lead.len() + own.len() || found[lead.len()..] != own[..] {
            let (expected, found) = (slot.pattern(), found.to_vec());
            return vec![Fault::Shape { tensor: tensor(), expected, found }];
        }
        let mut faults = Vec::new();
        for (&axis, &extent) in lead.iter().zip(found) {
            if extent == 0 {
                let (expected, found) = (slot.pattern(), found.to_vec());
                faults.push(Fault::NoExtent { tensor: tensor(), expected, axis, found });
                continue;
            }
            let known = match axis {
                Axis::Steps => &mut self.steps,
                Axis::Batch => &mut self.batch,
            };
            match known {
                None => *known = Some((extent, tensor(), found.to_vec())),
                Some((other_extent, ..)) if *other_extent == extent => {}
                Some((other_extent, other, other_found)) => faults.push(Fault::Disagree {
                    tensor: tensor(),
                    found: found.to_vec(),
                    axis,
                    extent,
                    other: other.clone(),
                    other_found: other_found.clone(),
                    other_extent: *other_extent,
                }),
            }
        }
        faults
    }

    /// The extent of the run.
    fn extent(self, interface: &Interface) -> Result<Extent, Fault> {
        // A cell with inputs has both from them: each input is there, or was reported missing.
        let tell = |ports: &[Port], prefix: &str, shape: &str| {
            let names: Vec<_> =
                ports.iter().map(|port| format!("`{prefix}{}`", port.name)).collect();
            (!names.is_empty()).then(|| format!("{} {shape}", names.join(" or ")))
        };
        let steps = self.steps.ok_or_else(|| Fault::UnknownExtent {
            axis: Axis::Steps,
            hint: tell(&interface.outputs, "cotangent.out.", "[T, B, ..]").map_or_else(
                || "the cell has neither inputs nor outputs".to_owned(),
                |names| format!("the cell has no inputs, so give {names} (zeros will do)"),
            ),
        })?;
        let batch = self.batch.expect("a tensor that tells T tells B");
        Ok(Extent { steps: steps.0, batch: batch.0 })
    }
}

/// The numbers of tensors that are known to fit.
fn decode<T: Real>(
    slots: &[Slot<'_>],
    tensors: &[Option<TensorView<'_>>],
    extent: Extent,
) -> Result<Arrays<T>, Vec<Fault>> {
    let mut arrays = Arrays {
        extent,
        params: Vec::new(),
        inputs: Vec::new(),
        initial: Vec::new(),
        lengths: None,
        cotangents: None,
    };
    let mut cotangents = Cotangents { outputs: Vec::new(), finals: Vec::new() };
    let mut differentiate = false;
    let mut faults = Vec::new();
    for (slot, tensor) in slots.iter().zip(tensors) {
        if slot.role == Use::Lengths {
            match tensor.as_ref().map(|tensor| lengths(&indices(tensor), extent)).transpose() {
                Ok(lengths) => arrays.lengths = lengths,
                Err(fault) => faults.push(fault),
            }
            continue;
        }
        if let Element::Index { bound } = slot.port.ty.element {
            let indices = tensor.as_ref().map(indices).unwrap_or_default();
            match checked(slot, &indices, bound, extent) {
                Ok(indices) => arrays.inputs.push(InputArray::Index(indices)),
                Err(fault) => faults.push(fault),
            }
            continue;
        }
        let rows: usize = (slot.lead().iter())
            .map(|axis| match axis {
                Axis::Steps => extent.steps,
                Axis::Batch => extent.batch,
            })
            .product();
        if slot.role == Use::Initial {
            arrays.initial.push(tensor.as_ref().map(reals));
            continue;
        }
        let numbers = match tensor {
            Some(tensor) => reals(tensor),
            None => vec![T::default(); rows * slot.port.ty.size()],
        };
        match slot.role {
            Use::Param => arrays.params.push(numbers),
            Use::Input => arrays.inputs.push(InputArray::Real(numbers)),
            Use::Initial => unreachable!("they were put into their place above"),
            Use::OutputCotangent => cotangents.outputs.push(numbers),
            Use::FinalCotangent => cotangents.finals.push(numbers),
            Use::Lengths => unreachable!("lengths are not real"),
        }
        differentiate |=
            tensor.is_some() && matches!(slot.role, Use::OutputCotangent | Use::FinalCotangent);
    }
    arrays.cotangents = differentiate.then_some(cotangents);
    if faults.is_empty() { Ok(arrays) } else { Err(faults) }
}

/// The numbers of a real tensor. A tensor of another dtype has none: it was reported before.
fn reals<T: Real>(tensor: &TensorView<'_>) -> Vec<T> {
    let data = tensor.data();
    match tensor.dtype() {
        Dtype::F32 => {
            let numbers = data.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes));
            numbers.map(|number| T::from_f64(number.into())).collect()
        }
        Dtype::F64 => {
            let numbers = data.as_chunks().0.iter().map(|&bytes| f64::from_le_bytes(bytes));
            numbers.map(T::from_f64).collect()
        }
        _ => Vec::new(),
    }
}

/// The indices of a tensor. A tensor of another dtype has none: it was reported before.
fn indices(tensor: &TensorView<'_>) -> Vec<i64> {
    let data = tensor.data();
    match tensor.dtype() {
        Dtype::I64 => data.as_chunks().0.iter().map(|&b| i64::from_le_bytes(b)).collect(),
        Dtype::I32 => data.as_chunks().0.iter().map(|&b| i32::from_le_bytes(b).into()).collect(),
        Dtype::U32 => data.as_chunks().0.iter().map(|&b| u32::from_le_bytes(b).into()).collect(),
        Dtype::U8 => data.iter().map(|&byte| byte.into()).collect(),
        _ => Vec::new(),
    }
}

/// The lengths of the examples, each at most `T`.
fn lengths(found: &[i64], extent: Extent) -> Result<Vec<usize>, Fault> {
    let check = |(example, &length): (usize, &i64)| {
        let fits = usize::try_from(length).ok().filter(|&length| length <= extent.steps);
        fits.ok_or(Fault::Length { example, length, steps: extent.steps })
    };
    found.iter().enumerate().map(check).collect()
}

fn checked(
    slot: &Slot<'_>,
    indices: &[i64],
    bound: usize,
    extent: Extent,
) -> Result<Vec<u32>, Fault> {
    let check = |(position, &index): (usize, &i64)| {
        let below = usize::try_from(index).is_ok_and(|index| index < bound);
        u32::try_from(index).ok().filter(|_| below).ok_or_else(|| Fault::Index {
            tensor: slot.tensor.clone(),
            step: position / extent.batch,
            example: position % extent.batch,
            index,
            bound,
        })
    };
    indices.iter().enumerate().map(check).collect()
}
