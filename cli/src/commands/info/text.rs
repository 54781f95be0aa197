//! What is known of a run, to be read.

use std::fmt::Write;
use std::time::Duration;

use bytesize::ByteSize;
use cellc_train::data_files::DataFile;
use cellc_train::run_folder::{EXPERIMENT, MODEL, TRAINING};

use super::Info;
use crate::commands::train::report::{going_on, lower_rate};
use crate::number::number;
use crate::output::colors_of_output;
use crate::progress::clock;
use crate::table::{Align, columns};

/// Columns of a chart.
const WIDTH: usize = 78;

impl Info {
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let task = self.kept.as_ref().map_or("an unknown task", |kept| kept.task.as_str());
        // Writing to a string cannot fail.
        let state = self.state();
        let over = self.ended().filter(|_| ["finished", "failed"].contains(&state));
        let over = over.map_or_else(String::new, |over| format!(": {over}"));
        let _ = writeln!(text, "{}: {task}, {state}{over}", self.path.display());
        for fault in &self.faults {
            let _ = writeln!(text, "  damaged or missing: {fault}");
        }
        self.data(&mut text);
        self.model(&mut text);
        self.settings(&mut text);
        self.course(&mut text);
        self.files(&mut text);
        self.next(&mut text);
        text
    }

    fn data(&self, text: &mut String) {
        if self.data.is_empty() {
            return;
        }
        let row = |(file, fault): &(DataFile, Option<String>)| {
            let size = ByteSize(file.bytes).display().si().to_string();
            let state = if fault.is_some() { "changed or gone since" } else { "as it was" };
            vec![file.path.display().to_string(), size, state.to_owned()]
        };
        let rows: Vec<_> = self.data.iter().map(row).collect();
        let align = [Align::Left, Align::Right, Align::Left];
        let _ = write!(text, "\ndata\n{}", columns(2, &align, &rows));
    }

    fn model(&self, text: &mut String) {
        if self.parts.is_empty() {
            return;
        }
        let row = |part: &super::Part| {
            let dims = part.dims.iter().map(|(name, size)| format!("{name}={size}"));
            let dims = dims.collect::<Vec<_>>().join(" ");
            vec![part.stage.clone(), part.cell.clone(), dims, part.parameters.to_string()]
        };
        let mut rows = vec![["stage", "cell", "dimensions", "parameters"].map(String::from).into()];
        rows.extend(self.parts.iter().map(row));
        let all: usize = self.parts.iter().map(|part| part.parameters).sum();
        rows.push(vec!["all".to_owned(), String::new(), String::new(), all.to_string()]);
        let align = [Align::Left, Align::Left, Align::Left, Align::Right];
        let _ = write!(text, "\nmodel\n{}", columns(2, &align, &rows));
    }

    fn settings(&self, text: &mut String) {
        if self.settings.is_empty() {
            return;
        }
        let row = |setting: &super::Setting| {
            let default = setting.default.as_ref().filter(|default| *default != "\"\"");
            let default = default.map_or_else(String::new, |was| format!("default {was}"));
            vec![setting.key.clone(), setting.value.clone(), default]
        };
        let rows: Vec<_> = self.settings.iter().map(row).collect();
        let heading = "settings that are not the task's defaults";
        let _ = write!(text, "\n{heading}\n{}", columns(2, &[Align::Left; 3], &rows));
    }

    fn course(&self, text: &mut String) {
        let _ = writeln!(text, "\ntraining");
        let planned = self.experiment.as_ref().map(|experiment| experiment.training.steps);
        let of = planned.map_or_else(String::new, |planned| format!(" of {planned}"));
        let steps = self.steps().map_or_else(|| "no".to_owned(), |steps| steps.to_string());
        let time = self.seconds().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let time = time.map_or_else(String::new, |time| format!(", in {}", clock(time)));
        let _ = writeln!(text, "  {steps}{of} steps{time}");
        if let Some(best) = &self.best {
            let _ = writeln!(text, "  the model that is kept is that of step {}", best.step);
        }
        // Where no model is whole, there is only what was noted last.
        let scores = if self.best.is_some() { &self.course.kept } else { &self.course.last };
        let scores = scores
            .iter()
            .filter(|(name, _)| name.starts_with("validation/") || name.starts_with("heldout/"));
        let scores = scores.filter(|(name, _)| !name.ends_with("seconds"));
        let row = |(name, x): (&String, &f64)| {
            let digits = if name.ends_with("step") { 0 } else { 4 };
            vec![name.clone(), number(*x, digits)]
        };
        let rows: Vec<_> = scores.map(row).collect();
        *text += &columns(2, &[Align::Left, Align::Right], &rows);
        let chart = self.course.chart(WIDTH, colors_of_output());
        if !chart.is_empty() {
            let _ = write!(text, "\n{chart}");
        }
    }

    fn files(&self, text: &mut String) {
        let row = |(name, size): &(String, u64)| {
            vec![name.clone(), ByteSize(*size).display().si().to_string()]
        };
        let rows: Vec<_> = self.files.iter().map(row).collect();
        let _ = write!(text, "\nfiles\n{}", columns(2, &[Align::Left, Align::Right], &rows));
    }

    fn next(&self, text: &mut String) {
        let path = self.path.display();
        let mut commands = Vec::new();
        if self.state() == "interrupted" || self.state() == "nothing kept" {
            commands.push(format!("cellc train --resume {path}"));
        }
        if let Some(experiment) = &self.experiment {
            let settings = &experiment.training;
            let on = match self.state() {
                "finished" => self.end().and_then(|end| going_on(end, &self.path, settings)),
                "failed" => Some(lower_rate(&self.path, settings)),
                _ => None,
            };
            commands.extend(on);
        }
        if self.best.is_some() && self.kept.is_some() && self.experiment.is_some() {
            commands.push(format!("cellc eval {path}"));
            commands.push(format!("cellc predict {path} FILE"));
            if self.codec.as_ref().is_some_and(|codec| codec.continues()) {
                commands.push(format!("cellc sample {path}"));
            }
        }
        if self.experiment.is_some() {
            commands.push(format!("cellc train --config {path}/{EXPERIMENT} training.seed=2"));
        }
        let _ = writeln!(text, "\nnext");
        if self.best.is_none() {
            let _ = writeln!(text, "  there is no whole {MODEL}: the run cannot be used yet");
        }
        if self.last.is_none() && self.best.is_some() {
            let _ = writeln!(text, "  there is no whole {TRAINING}: the training cannot go on");
        }
        commands.iter().for_each(|command| *text += &format!("  {command}\n"));
    }
}
