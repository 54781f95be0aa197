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
use cranelift_module::{FuncId, Module, default_libcall_names};
use thiserror::Error;

use crate::codegen::{Job, Target, TargetError, emit};
use crate::ir::eval::Precision;
use crate::phases::Phase;
use crate::plan::Plan;

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
    functions: Vec<Entry>,
    /// By group and task; `None` for what the runtime has kernels for.
    phases: BTreeMap<Phase, Vec<Vec<Option<FunctionId>>>>,
    sums: Vec<Option<FunctionId>>,
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
        let mut ids: Vec<FuncId> = Vec::new();
        let mut define = |job: Job<'_>| {
            if !job.is_compiled(&plan) {
                return Ok(None);
            }
            let fault = |error: &dyn fmt::Display| JitError::Codegen {
                task: job.describe(&plan),
                reason: error.to_string(),
            };
            context.func = emit(&plan, job, precision, &target);
            let id = (inner.declare_anonymous_function(&context.func.signature))
                .map_err(|error| fault(&error))?;
            inner.define_function(id, &mut context).map_err(|error| fault(&error))?;
            inner.clear_context(&mut context);
            ids.push(id);
            Ok(Some(FunctionId(ids.len() - 1)))
        };
        let mut phases = BTreeMap::new();
        for phase in Phase::ALL {
            let mut groups = Vec::new();
            for group in plan.groups(phase) {
                let ids = group.tasks.iter().map(|task| define(Job::Task(task)));
                groups.push(ids.collect::<Result<Vec<_>, JitError>>()?);
            }
            phases.insert(phase, groups);
        }
        let sums = plan.sums().iter().map(|sum| define(Job::Sum(sum)));
        let sums = sums.collect::<Result<Vec<_>, JitError>>()?;
        inner
            .finalize_definitions()
            .map_err(|error| JitError::Codegen { task: "all".into(), reason: error.to_string() })?;
        let entry = |id: FuncId| {
            let address = inner.get_finalized_function(id);
            // SAFETY: the address is of a function that was emitted with exactly this signature,
            // in memory that lives as long as `Code`, which keeps the module.
            unsafe { std::mem::transmute::<*const u8, Entry>(address) }
        };
        let functions = ids.into_iter().map(entry).collect();
        Ok(Self { plan, precision, functions, phases, sums, _module: module })
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The precision of real numbers.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The function of a task, by its phase, its group and its place there: `None` if the runtime
    /// has a kernel for it.
    pub fn task(&self, phase: Phase, group: usize, task: usize) -> Option<FunctionId> {
        self.phases[&phase][group][task]
    }

    /// The function of a sum: `None` if the runtime has a kernel for it.
    pub fn sum(&self, sum: usize) -> Option<FunctionId> {
        self.sums[sum]
    }

    /// Runs a task over the rows `first..last`, or adds a sum over the rows `0..rows` to the part
    /// `first..last` of its extent.
    ///
    /// # Safety
    /// The function must be of this code. `table` must hold, for each binding of the plan, the
    /// address of memory of that binding's element type and size for the rows `first..last` (for
    /// one row if all rows share it, from `first` on if it is tiled), valid for reads and, unless
    /// it is an argument, for writes. While this runs, nothing else may write what it reads, nor
    /// read or write what it writes. Every index must be within its bound. All that the plan has
    /// before this must have run.
    pub unsafe fn call(
        &self,
        function: FunctionId,
        table: &[*mut u8],
        [first, last]: [usize; 2],
        rows: usize,
    ) {
        debug_assert_eq!(table.len(), self.plan.bindings().len());
        // SAFETY: handed on to the caller; the code lives as long as `self`.
        unsafe { self.functions[function.0](table.as_ptr(), first, last, rows) }
    }
}

/// A compiled function of a [`Code`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionId(usize);

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
    let tasks = Phase::ALL.into_iter().flat_map(|phase| {
        let tasks = plan.groups(phase).iter().flat_map(|group| &group.tasks);
        tasks.map(move |task| (phase.name(), Job::Task(task)))
    });
    for (phase, job) in tasks.chain(plan.sums().iter().map(|sum| ("sum", Job::Sum(sum)))) {
        text += &format!("; {phase}: {}\n", job.describe(plan));
        if !job.is_compiled(plan) {
            text += "; done by a kernel of the runtime\n\n";
            continue;
        }
        let function = emit(plan, job, precision, target);
        text += &match listing {
            Listing::Clif => function.display().to_string(),
            Listing::Assembly => assembly(function, target)
                .map_err(|reason| JitError::Codegen { task: job.describe(plan), reason })?,
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
