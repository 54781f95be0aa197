//! Examples in memory up to a limit, and beyond it in temporary files.

use crate::batch::{Data, Example, Targets};
use crate::data::DataError;
use crate::data::store::Store;

/// Examples of one kind, numbered from 0.
#[derive(Debug)]
pub struct Pool {
    limit: usize,
    data: Column,
    targets: Column,
}

/// What examples have in common: symbols or numbers.
#[derive(Debug)]
enum Column {
    Symbols(Store<u32>),
    Reals(Store<f32>),
}

impl Column {
    fn length(&self, example: usize) -> usize {
        match self {
            Self::Symbols(store) => store.length(example),
            Self::Reals(store) => store.length(example),
        }
    }
}

impl Pool {
    /// No examples yet; at most about `limit` bytes of them will be in memory.
    pub fn new(limit: usize) -> Self {
        let column = || Column::Symbols(Store::new(0));
        Self { limit, data: column(), targets: column() }
    }

    /// How many examples there are.
    pub fn len(&self) -> usize {
        match &self.data {
            Column::Symbols(store) => store.len(),
            Column::Reals(store) => store.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes are not in memory.
    pub fn spilled(&self) -> u64 {
        let spilled = |column: &Column| match column {
            Column::Symbols(store) => store.spilled(),
            Column::Reals(store) => store.spilled(),
        };
        spilled(&self.data) + spilled(&self.targets)
    }

    /// Adds an example.
    ///
    /// # Errors
    /// If it is beyond the limit, and the temporary file cannot be written.
    ///
    /// # Panics
    /// If it is of another kind than those before.
    pub fn push(&mut self, example: &Example) -> Result<(), DataError> {
        if self.is_empty() {
            // Answers are seldom longer than what is read.
            let half = self.limit / 2;
            self.data = match &example.data {
                Data::Symbols(_) => Column::Symbols(Store::new(half)),
                Data::Reals(_) => Column::Reals(Store::new(half)),
            };
            self.targets = match &example.targets {
                Targets::Classes(_) => Column::Symbols(Store::new(half)),
                Targets::Reals(_) => Column::Reals(Store::new(half)),
            };
        }
        match (&mut self.data, &example.data) {
            (Column::Symbols(store), Data::Symbols(own)) => store.push(own)?,
            (Column::Reals(store), Data::Reals(own)) => store.push(own)?,
            _ => panic!("examples of one pool are of one kind"),
        }
        match (&mut self.targets, &example.targets) {
            (Column::Symbols(store), Targets::Classes(own)) => store.push(own),
            (Column::Reals(store), Targets::Reals(own)) => store.push(own),
            _ => panic!("examples of one pool are answered in one way"),
        }
    }

    /// How many numbers or symbols an example has to be read.
    ///
    /// # Panics
    /// If there is no such example.
    pub fn length(&self, example: usize) -> usize {
        self.data.length(example)
    }

    /// An example.
    ///
    /// # Errors
    /// If the temporary file cannot be read.
    ///
    /// # Panics
    /// If there is no such example.
    pub fn get(&self, example: usize) -> Result<Example, DataError> {
        let data = match &self.data {
            Column::Symbols(store) => Data::Symbols(read(store, example)?),
            Column::Reals(store) => Data::Reals(read(store, example)?),
        };
        let targets = match &self.targets {
            Column::Symbols(store) => Targets::Classes(read(store, example)?),
            Column::Reals(store) => Targets::Reals(read(store, example)?),
        };
        Ok(Example { data, targets })
    }
}

fn read<T: crate::data::store::Element>(
    store: &Store<T>,
    example: usize,
) -> Result<Vec<T>, DataError> {
    let mut all = Vec::new();
    store.read(example, &mut all)?;
    Ok(all)
}

/// Examples that are all in memory.
impl From<Vec<Example>> for Pool {
    fn from(examples: Vec<Example>) -> Self {
        let mut pool = Self::new(usize::MAX);
        for example in &examples {
            // Without a limit there is no file that could not be written.
            let pushed = pool.push(example);
            debug_assert!(pushed.is_ok(), "nothing is beyond memory");
        }
        pool
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_the_same_wherever_they_are() {
        let symbols = |i: u32| Example {
            data: Data::Symbols((0..i % 9).collect()),
            targets: Targets::Classes(vec![i]),
        };
        let reals = |i: u32| Example {
            data: Data::Reals(vec![i as f32; (i % 5) as usize]),
            targets: Targets::Reals(vec![f32::INFINITY, i as f32]),
        };
        for make in [&symbols as &dyn Fn(u32) -> Example, &reals] {
            let all: Vec<_> = (0..500).map(make).collect();
            let mut small = Pool::new(100);
            all.iter().for_each(|example| small.push(example).unwrap());
            let whole = Pool::from(all.clone());
            assert_eq!((small.len(), whole.len()), (500, 500));
            for (i, example) in all.iter().enumerate() {
                assert_eq!(&small.get(i).unwrap(), example);
                assert_eq!(&whole.get(i).unwrap(), example);
                assert_eq!(small.length(i), whole.length(i));
            }
        }
        assert!(Pool::from(Vec::new()).is_empty());
    }
}
