//! Reports of gradient checks for people.

use std::fmt::Write;

use cellc_compiler::diagnostic::render;
use cellc_runtime::gradcheck::{Identity, Options, Place, Report, Row, Worst};

use super::{Args, declared, engine, singular};
use crate::dims::written;
use crate::load::Loaded;
use crate::table::{Align, columns};

/// Of one cell: a table of its arguments, what was found beside, and the verdict.
pub(super) fn cell(loaded: &Loaded, args: &Args, report: &Report) -> String {
    let name = &loaded.tree.name.text;
    let with = match written(&loaded.cell.dims) {
        dims if dims.is_empty() => String::new(),
        dims => format!(" with {dims}"),
    };
    let what = match args.order {
        1 => "backpropagation through time against central differences",
        _ => "products with the Hessian against central differences of the gradient",
    };
    let mut text = format!(
        "{name}{with}: {what}\n{} cases, seed {}, f64; declarations are in {}\n\n{}",
        report.cases,
        args.seed,
        loaded.source().name,
        table(loaded, &report.rows)
    );
    // Writing to a string cannot fail.
    if args.order == 2 {
        let results = table(loaded, &report.results);
        let _ = write!(text, "\nforward mode against central differences of the run\n\n{results}");
        text.push_str("\nwhat holds but for rounding\n\n");
        for identity in &report.identities {
            let verdict = if identity.passed() { "within" } else { "OVER" };
            let _ = writeln!(
                text,
                "  {}: {:.1e}, {verdict} {:e}",
                identity.name, identity.max_relative_error, identity.tolerance
            );
        }
    }
    text.push_str(&kinks(report));
    if report.unresolved() > 0 {
        let _ = writeln!(
            text,
            "\n{} of {} differences are less exact than the tolerance, and were taken for what they are",
            report.unresolved(),
            report.compared()
        );
    }
    let derivatives = if args.order == 1 { "gradients" } else { "derivatives" };
    let (verdict, comparison) = match report.max_relative_error <= report.tolerance {
        true => ("agree", "within"),
        false => ("DISAGREE", "over"),
    };
    // Errors may be within the tolerance, and what should hold but for rounding may not.
    let broken = report.identities.iter().any(|identity| !identity.passed());
    let (verdict, broken) = match broken {
        true => ("DISAGREE", ", but an identity above does not hold"),
        false => (verdict, ""),
    };
    let _ = writeln!(
        text,
        "\nthe {derivatives} {verdict}: the worst relative error is {:.1e}, {comparison} the \
         tolerance of {:e}{broken}",
        report.max_relative_error, report.tolerance,
    );
    if !report.passed() {
        text.push_str(&advice(loaded, args, report));
    }
    text
}

/// Of several cells: a row for each.
pub(super) fn all(reports: &[(Loaded, Report)], args: &Args) -> String {
    let heads = ["cell", "dimensions", "arguments", "compared", "kinks", "worst error", "verdict"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    for (loaded, report) in reports {
        rows.push(vec![
            loaded.tree.name.text.clone(),
            written(&loaded.cell.dims),
            report.rows.len().to_string(),
            report.compared().to_string(),
            report.kinks().to_string(),
            format!("{:.1e}", report.max_relative_error),
            if report.passed() { "agrees" } else { "DISAGREES" }.to_owned(),
        ]);
    }
    use Align::{Left, Right};
    let table = columns(2, &[Left, Left, Right, Right, Right, Right, Left], &rows);
    let wrong = reports.iter().filter(|(_, report)| !report.passed());
    let wrong: Vec<_> = wrong.map(|(loaded, _)| loaded.tree.name.text.as_str()).collect();
    let verdict = match wrong.as_slice() {
        [] => format!("all {} cells agree, within {:e}", reports.len(), args.tolerance),
        wrong => format!(
            "{} of {} cells DISAGREE: {}; `cellc gradcheck CELL{}` says more",
            wrong.len(),
            reports.len(),
            wrong.join(", "),
            if args.order == 1 { "" } else { " --order 2" },
        ),
    };
    format!(
        "derivatives of order {} against central differences, {} cases each, seed {}, f64\n\n\
         {table}\n{verdict}\n",
        args.order, args.cases, args.seed
    )
}

fn table(loaded: &Loaded, rows: &[Row]) -> String {
    let heads =
        ["", "", "declared", "shape", "compared", "worst error", "analytic", "numeric", "at"];
    let mut table = vec![heads.map(str::to_owned).to_vec()];
    for row in rows {
        let worst = &row.worst;
        let declared = declared(loaded, row);
        let declared = declared.map(|(line, column)| format!("{line}:{column}"));
        let mut cells = vec![
            row.subject.name().to_owned(),
            row.name.clone(),
            declared.unwrap_or_default(),
            row.ty.to_string(),
            row.compared.to_string(),
        ];
        if row.compared > 0 {
            cells.extend([
                format!("{:.1e}", worst.relative_error),
                format!("{:.9e}", worst.analytic),
                format!("{:.9e}", worst.numeric),
                at(worst),
            ]);
        }
        table.push(cells);
    }
    use Align::{Left, Right};
    columns(2, &[Left, Left, Left, Left, Right, Right, Right, Right, Left], &table)
}

/// Where a derivative was taken.
fn at(worst: &Worst) -> String {
    let place = match &worst.place {
        Place::Entry(at) => format!("{at:?}"),
        Place::Direction => "a random direction".to_owned(),
    };
    format!("{place}, case {} (T = {}, B = {})", worst.case, worst.extent.steps, worst.extent.batch)
}

/// The derivatives that were at kinks, if there were any.
fn kinks(report: &Report) -> String {
    let mut text = String::new();
    for row in report.rows.iter().chain(&report.results) {
        if let Some(kink) = &row.kink {
            let times = if row.kinks == 1 { "once" } else { "first" };
            let _ = writeln!(
                text,
                "  {} {}: {} of {}, {times} at a kink of `{}`: {}",
                row.subject.name(),
                row.name,
                row.kinks,
                row.kinks + row.compared,
                kink.operation,
                at(&kink.at)
            );
        }
    }
    if text.is_empty() {
        return text;
    }
    format!(
        "\nkinks: there the cell has no derivative, so nothing was compared. That is no failure\n\n\
         {text}"
    )
}

/// What to do about derivatives that disagree.
fn advice(loaded: &Loaded, args: &Args, report: &Report) -> String {
    let resolved = Options::default().tolerance;
    let identities = report.identities.iter().all(Identity::passed);
    if report.max_relative_error <= resolved && identities {
        return format!(
            "\nDifferences do not resolve errors so small: up to {resolved:e} they prove no fault.\n"
        );
    }
    let wrong = |row: &&Row| row.worst.relative_error > report.tolerance && row.singular.is_empty();
    let rows = report.rows.iter().chain(&report.results).filter(wrong);
    let names: Vec<_> = rows.map(|row| format!("{} {}", row.subject.name(), row.name)).collect();
    let own = singular::diagnostics(loaded, report);
    if !own.is_empty() && names.is_empty() {
        return format!(
            "\nThe cell itself has no finite gradient there, by the interpreter too:\n\n{}",
            render(&own, &loaded.unit.sources, false)
        );
    }
    let names = if names.is_empty() { "the identities".to_owned() } else { names.join(", ") };
    let dims: Vec<_> = loaded.cell.dims.iter().map(|(dim, size)| format!("{dim}={size}")).collect();
    let dims = if dims.is_empty() { String::new() } else { format!(" --dims {}", dims.join(",")) };
    let cell = args.cell.as_deref().unwrap_or(&loaded.tree.name.text);
    let Args { order, cases, entries, seed, tolerance, .. } = args;
    let command = |engine: &str| {
        format!(
            "cellc gradcheck {cell}{dims} --order {order} --cases {cases} --entries {entries} \
             --seed {seed} --tolerance {tolerance:e} --engine {engine}"
        )
    };
    let other = match args.engine {
        super::EngineArg::Jit => format!(
            "If this agrees, native code is at fault, and else a derivative rule:\n    {}\n",
            command("interpreter")
        ),
        super::EngineArg::Interpreter => {
            "The interpreter runs no native code: a derivative rule is at fault.\n".to_owned()
        }
    };
    format!(
        "\nDerivatives are the compiler's work: a wrong one is a bug of cellc, not of the cell.\n\
         (Unless numbers become very large: differences then lose their digits. A smaller cell, or\n\
         other sizes, show whether it stays.) Please report\n\
         \x20 - the text of {}, which is wrong for: {names}\n\
         \x20 - the table above, and what printed it: cellc {} on {} with the engine {},\n\
         \x20   {}\n{other}",
        loaded.source().name,
        env!("CARGO_PKG_VERSION"),
        std::env::consts::ARCH,
        engine(args),
        command(&engine(args)),
    )
}

#[cfg(test)]
mod tests {
    use cellc_compiler::diagnostic::Source;
    use cellc_compiler::ir::op::Type;
    use cellc_runtime::gradcheck::Subject;
    use cellc_runtime::sequence::Extent;
    use clap::Parser;

    use super::*;
    use crate::load::{Missing, compile};

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        args: Args,
    }

    /// What is said of a cell whose gradient by `w` has some error.
    fn said(relative_error: f64, more: &[&str]) -> String {
        let text = "cell a(N) {\n    param w: [N]\n    output y = w * w\n}\n";
        let dims = "N=3".parse().expect("sizes");
        let loaded = compile(Source::new("a.cell", text), Some(&dims), None, Missing::Report);
        let worst = Worst {
            case: 4,
            extent: Extent { steps: 2, batch: 3 },
            place: Place::Entry(vec![1]),
            analytic: 2.0,
            numeric: 1.0,
            relative_error,
        };
        let row = Row {
            subject: Subject::Param,
            name: "w".into(),
            ty: Type::real([3].as_slice()),
            compared: 60,
            worst,
            unresolved: 0,
            kinks: 0,
            kink: None,
            singular: Vec::new(),
        };
        let report = Report {
            cases: 20,
            max_relative_error: relative_error,
            tolerance: 1e-6,
            rows: vec![row],
            results: Vec::new(),
            identities: Vec::new(),
        };
        let words = ["gradcheck", "a.cell", "--seed", "5"].iter().chain(more);
        let Command { args } = Command::parse_from(words);
        cell(&loaded.expect("a cell without faults"), &args, &report)
    }

    #[test]
    fn a_wrong_gradient_comes_with_what_to_report() {
        let text = said(0.5, &[]);
        for part in [
            "param  w  2:11",
            "5.0e-1  2.000000000e0  1.000000000e0  [1], case 4 (T = 2, B = 3)",
            "the gradients DISAGREE",
            "a bug of cellc, not of the cell",
            "the text of a.cell, which is wrong for: param w",
            "cellc gradcheck a.cell --dims N=3 --order 1 --cases 20 --entries 12 --seed 5 \
             --tolerance 1e-6 --engine jit",
            "--engine interpreter",
        ] {
            assert!(text.contains(part), "no `{part}` in\n{text}");
        }
        assert!(said(0.5, &["--engine", "interpreter"]).contains("a derivative rule is at fault"));
        assert!(!said(1e-8, &[]).contains("bug"));
    }
}
