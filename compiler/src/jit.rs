//! From a plan to machine code in this process.
//!
//! This file owns executable memory and is where its addresses become functions: one of the few
//! with `unsafe` code.

#![allow(unsafe_code, reason = "this file calls machine code")]

use std::collections::BTreeMap;
use std::fmt;

use cranelift_codegen::Context;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::Function;
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{Module, default_libcall_names};
use thiserror::Error;

use crate::codegen::{Target, TargetError, emit};
use crate::ir::eval::Precision;
use crate::phases::Phase;
use crate::plan::{Plan, Task};

/// Why there is no machine code.
#[derive(Debug, Error)]
pub enum JitError {
    /// There is no code generator for this machine.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// Cranelift refused a function: a bug in code generation.
    #[error("internal error in `codegen`, task `{task}`: {reason}")]
    Codegen {
        /// The task that the function is for.
        task: String,
        /// What Cranelift says.
        reason: String,
    },
}

/// The signature of all compiled code: the table of base addresses, `first`, `last`, `rows`.
type Entry = unsafe extern "C" fn(*const *mut u8, usize, usize, usize);

/// A compiled plan: the functions of its tasks, and the memory in which they are.
pub struct Code {
    plan: Plan,
    precision: Precision,
    phases: BTreeMap<Phase, Vec<Entry>>,
    sums: Vec<Entry>,
    /// Frees the memory when dropped; the functions above are called only through `self`.
    _module: Memory,
}

/// The module that owns the code, freed with it.
struct Memory(Option<JITModule>);

impl Drop for Memory {
    fn drop(&mut self) {
        if let Some(module) = self.0.take() {
            // SAFETY: the functions are private to `Code`, which owns this and lends them only for
            // calls that borrow it, so none is running or can be called again.
            unsafe { module.free_memory() }
        }
    }
}

// SAFETY: finished code is never written again, so any thread may call it and any may free it;
// the module itself is not touched between construction and drop.
unsafe impl Send for Memory {}
// SAFETY: as above; `&Memory` gives access to nothing.
unsafe impl Sync for Memory {}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Code").field("plan", &self.plan.graph().name()).finish_non_exhaustive()
    }
}

impl Code {
    /// Compiles a plan for this machine.
    ///
    /// # Errors
    /// If there is no code generator for this machine; anything else is a bug.
    pub fn compile(plan: Plan, precision: Precision) -> Result<Self, JitError> {
        let target = Target::host()?;
        let builder = JITBuilder::with_isa(target.isa.clone(), default_libcall_names());
        let mut module = Memory(Some(JITModule::new(builder)));
        let inner = module.0.as_mut().expect("just made");
        let mut context = inner.make_context();
        let mut define = |task: &Task| {
            let fault = |error: &dyn fmt::Display| JitError::Codegen {
                task: plan.describe(task),
                reason: error.to_string(),
            };
            context.func = emit(&plan, task, precision, &target);
            let id = (inner.declare_anonymous_function(&context.func.signature))
                .map_err(|error| fault(&error))?;
            inner.define_function(id, &mut context).map_err(|error| fault(&error))?;
            inner.clear_context(&mut context);
            Ok(id)
        };
        let mut phases = BTreeMap::new();
        for phase in Phase::ALL {
            let ids: Result<Vec<_>, JitError> = plan.tasks(phase).iter().map(&mut define).collect();
            phases.insert(phase, ids?);
        }
        let sums: Result<Vec<_>, JitError> = plan.sums().iter().map(&mut define).collect();
        let sums = sums?;
        inner
            .finalize_definitions()
            .map_err(|error| JitError::Codegen { task: "all".into(), reason: error.to_string() })?;
        let entry = |id| {
            let address = inner.get_finalized_function(id);
            // SAFETY: the address is of a function that was emitted with exactly this signature,
            // in memory that lives as long as `Code`, which keeps the module.
            unsafe { std::mem::transmute::<*const u8, Entry>(address) }
        };
        let phases =
            phases.into_iter().map(|(phase, ids)| (phase, ids.into_iter().map(entry).collect()));
        let phases = phases.collect();
        let sums = sums.into_iter().map(entry).collect();
        Ok(Self { plan, precision, phases, sums, _module: module })
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The precision of real numbers.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Runs the tasks of a phase over the rows `first..last`.
    ///
    /// # Safety
    /// `table` must hold, for each binding of the plan, the address of memory of that binding's
    /// element type and size for the rows `first..last` (for one row if all rows share it), valid
    /// for reads and, unless it is an argument, for writes. While this runs, nothing else may write
    /// what it reads, nor read or write what it writes. Every index must be within its bound. All
    /// earlier phases must have run.
    pub unsafe fn run(&self, phase: Phase, table: &[*mut u8], first: usize, last: usize) {
        debug_assert_eq!(table.len(), self.plan.bindings().len());
        for entry in &self.phases[&phase] {
            // SAFETY: handed on to the caller.
            unsafe { entry(table.as_ptr(), first, last, 0) }
        }
    }

    /// Adds sum number `sum` over the rows `0..rows` to the part `first..last` of the leading axis
    /// of its result.
    ///
    /// # Safety
    /// As for [`Code::run`], for the rows `0..rows`; all phases must have run. Nothing else may
    /// touch that part of the result.
    pub unsafe fn sum(&self, sum: usize, table: &[*mut u8], part: [usize; 2], rows: usize) {
        debug_assert_eq!(table.len(), self.plan.bindings().len());
        // SAFETY: handed on to the caller.
        unsafe { self.sums[sum](table.as_ptr(), part[0], part[1], rows) }
    }
}

/// What the functions of a plan look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// Cranelift's IR as it is emitted.
    Clif,
    /// The machine's instructions.
    Assembly,
}

/// The functions of a plan as text, each under the task that it is for.
///
/// # Errors
/// Only by a bug in code generation.
pub fn list(
    plan: &Plan,
    precision: Precision,
    target: &Target,
    listing: Listing,
) -> Result<String, JitError> {
    let mut text = String::new();
    let phases = Phase::ALL
        .into_iter()
        .flat_map(|phase| plan.tasks(phase).iter().map(move |task| (phase.name(), task)));
    for (phase, task) in phases.chain(plan.sums().iter().map(|task| ("sum", task))) {
        let function = emit(plan, task, precision, target);
        text += &format!("; {phase}: {}\n", plan.describe(task));
        text += &match listing {
            Listing::Clif => function.display().to_string(),
            Listing::Assembly => assembly(function, target)
                .map_err(|reason| JitError::Codegen { task: plan.describe(task), reason })?,
        };
        text.push('\n');
    }
    Ok(text)
}

fn assembly(function: Function, target: &Target) -> Result<String, String> {
    let mut context = Context::for_function(function);
    context.set_disasm(true);
    let compiled = context
        .compile(&*target.isa, &mut ControlPlane::default())
        .map_err(|error| error.inner.to_string())?;
    Ok(compiled.vcode.clone().unwrap_or_default())
}
