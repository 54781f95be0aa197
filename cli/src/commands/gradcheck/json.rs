//! Reports of gradient checks for machines: what `cellc gradcheck --help` describes.

use cellc_runtime::gradcheck::{Identity, Kink, Place, Report, Row, Singularity, Worst};
use serde_json::{Value, json};

use super::singular::span;
use super::{Args, declared, engine};
use crate::describe::dims_json;
use crate::load::Loaded;

/// Of several cells.
pub(super) fn all(reports: &[(Loaded, Report)], args: &Args) -> Value {
    json!({
        "passed": reports.iter().all(|(_, report)| report.passed()),
        "cells": reports.iter().map(|(loaded, report)| cell(loaded, args, report)).collect::<Value>(),
    })
}

/// Of one cell.
pub(super) fn cell(loaded: &Loaded, args: &Args, report: &Report) -> Value {
    let rows = |rows: &[Row]| -> Value { rows.iter().map(|r| row(loaded, r)).collect() };
    let mut value = json!({
        "cell": loaded.tree.name.text,
        "dims": dims_json(&loaded.cell.dims),
        "order": args.order,
        "engine": engine(args),
        "cases": report.cases,
        "seed": args.seed,
        "tolerance": report.tolerance,
        "passed": report.passed(),
        "max_relative_error": report.max_relative_error,
        "compared": report.compared(),
        "kinks": report.kinks(),
        "unresolved": report.unresolved(),
        "arguments": rows(&report.rows),
    });
    if args.order == 2 {
        value["results"] = rows(&report.results);
        value["identities"] = report.identities.iter().map(identity).collect();
    }
    value
}

fn row(loaded: &Loaded, row: &Row) -> Value {
    let compared = row.compared > 0;
    let declared = declared(loaded, row).map(
        |(line, column)| json!({ "file": loaded.source().name, "line": line, "column": column }),
    );
    json!({
        "role": row.subject.name(),
        "name": row.name,
        "shape": row.ty.shape.as_slice(),
        "declared": declared,
        "compared": row.compared,
        "kinks": row.kinks,
        "unresolved": row.unresolved,
        "max_relative_error": compared.then_some(row.worst.relative_error),
        "worst": compared.then(|| worst(&row.worst)),
        "kink": row.kink.as_ref().map(kink),
        "singular": row.singular.iter().map(|s| singular(loaded, s)).collect::<Value>(),
    })
}

fn worst(worst: &Worst) -> Value {
    json!({
        "entry": entry(worst),
        "analytic": worst.analytic,
        "numeric": worst.numeric,
        "case": worst.case,
        "steps": worst.extent.steps,
        "batch": worst.extent.batch,
    })
}

fn kink(kink: &Kink) -> Value {
    json!({
        "operation": kink.operation,
        "entry": entry(&kink.at),
        "case": kink.at.case,
        "steps": kink.at.extent.steps,
        "batch": kink.at.extent.batch,
    })
}

fn singular(loaded: &Loaded, singularity: &Singularity) -> Value {
    let span = span(loaded, singularity);
    let source = &loaded.unit.sources[span.file];
    let (line, column) = source.position(span.start);
    json!({
        "file": source.name,
        "line": line,
        "column": column,
        "expression": &source.text[span.start..span.end],
        "derivative": singularity.derivative,
        "number": if singularity.number.is_nan() { "NaN" } else { "infinite" },
        "step": singularity.step,
        "example": singularity.example,
    })
}

fn entry(worst: &Worst) -> Value {
    match &worst.place {
        Place::Entry(at) => json!(at),
        Place::Direction => Value::Null,
    }
}

fn identity(identity: &Identity) -> Value {
    json!({
        "name": identity.name,
        "compared": identity.compared,
        "max_relative_error": identity.max_relative_error,
        "tolerance": identity.tolerance,
        "passed": identity.passed(),
    })
}
