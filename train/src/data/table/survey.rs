//! What columns hold, for whoever chooses those that hold numbers.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::value::{Cell, Raw, cell};
use super::{DataError, Table};

/// What the cells of a column are, if they are read as numbers.
#[derive(Debug, Default)]
pub struct Survey {
    /// How many are numbers, or meant to be: `inf` and `1,5` are no numbers that can be learnt from, but
    /// no labels either.
    pub numbers: u64,
    /// How many are something else, such as a label or a date.
    pub others: u64,
    /// How many of these differ from each other.
    pub different: u64,
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
        // Hashes are enough to count texts, and are smaller.
        let mut known = vec![HashSet::new(); surveys.len()];
        while let Some((row, cells)) = source.next_row()? {
            let columns = self.columns.iter().zip(&mut known);
            for ((survey, (column, known)), raw) in surveys.iter_mut().zip(columns).zip(cells) {
                let mut hash = DefaultHasher::new();
                if let Raw::Text(text) = &raw {
                    text.hash(&mut hash);
                }
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
                        known.insert(hash.finish());
                        fault
                    }
                };
                if survey.first.is_none() {
                    survey.first = Some(self.fault(row, format!("`{}` {fault}", column.name)));
                }
            }
        }
        for (survey, known) in surveys.iter_mut().zip(known) {
            survey.different = known.len() as u64;
        }
        Ok(surveys)
    }
}
