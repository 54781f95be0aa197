//! What columns hold, for whoever chooses those that hold numbers.

use super::value::{Cell, cell};
use super::{DataError, Table};

/// What the cells of a column are, if they are read as numbers.
#[derive(Debug, Default)]
pub struct Survey {
    /// How many are numbers, or meant to be: `inf` and `1,5` are no numbers that can be learnt from, but
    /// no labels either.
    pub numbers: u64,
    /// How many are something else, such as a label or a date.
    pub others: u64,
    /// The first cell that neither is missing nor can be read as a number.
    pub first: Option<DataError>,
}

impl Table {
    /// Reads every row once, and tells of each column what its cells are.
    ///
    /// # Errors
    /// If the file cannot be read, or a row is broken.
    pub fn survey(&self) -> Result<Vec<Survey>, DataError> {
        let mut surveys: Vec<Survey> = self.columns.iter().map(|_| Survey::default()).collect();
        let places: Vec<usize> = (0..surveys.len()).collect();
        let mut source = self.source(&places, true)?;
        while let Some((row, cells)) = source.next_row()? {
            for ((survey, column), raw) in surveys.iter_mut().zip(&self.columns).zip(cells) {
                let fault = match cell(raw) {
                    Cell::Missing => continue,
                    Cell::Number => {
                        survey.numbers += 1;
                        continue;
                    }
                    Cell::Almost(fault) => {
                        survey.numbers += 1;
                        fault
                    }
                    Cell::Other(fault) => {
                        survey.others += 1;
                        fault
                    }
                };
                if survey.first.is_none() {
                    survey.first = Some(self.fault(row, format!("`{}` {fault}", column.name)));
                }
            }
        }
        Ok(surveys)
    }
}
