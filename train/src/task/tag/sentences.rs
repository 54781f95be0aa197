//! Tagged sentences of files.

use std::path::Path;

use crate::data::DataError;
use crate::data::table::{self, Ask, Format};
use crate::data::text::Pieces;
use crate::task::files::Header;

/// Where sentences are.
pub(super) struct Source<'a> {
    pub(super) path: &'a Path,
    pub(super) token_column: &'a str,
    pub(super) tag_column: &'a str,
    pub(super) header: Header,
    /// Whether tags are read; if not, sentences have none.
    pub(super) tagged: bool,
}

/// A sentence: tokens, their tags, and the rows of the file that each is of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sentence {
    pub(super) tokens: Vec<String>,
    pub(super) tags: Vec<String>,
    pub(super) rows: Vec<u64>,
}

/// What is wrong with a sentence: a row, or something else than the file.
pub(super) enum Fault {
    Row(u64, String),
    Other(DataError),
}

impl Fault {
    pub(super) fn of(row: u64, fault: impl Into<String>) -> Self {
        Self::Row(row, fault.into())
    }
}

impl From<DataError> for Fault {
    fn from(error: DataError) -> Self {
        Self::Other(error)
    }
}

impl Source<'_> {
    /// Calls `take` with each sentence.
    pub(super) fn each(
        &self,
        take: impl FnMut(&Sentence) -> Result<(), Fault>,
    ) -> Result<(), DataError> {
        self.each_or(take, Err)
    }

    /// Calls `take` with each sentence, and `bad` with what is wrong with one that cannot be read: it is
    /// passed over, if `bad` lets that pass.
    pub(super) fn each_or(
        &self,
        take: impl FnMut(&Sentence) -> Result<(), Fault>,
        bad: impl FnMut(DataError) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        match Format::of(self.path) {
            // Of fields between tabs, a line is a token.
            None | Some(Format::Tsv) => self.each_of_lines(take, bad),
            Some(Format::Csv | Format::Jsonl | Format::Parquet | Format::Npy | Format::Npz) => {
                self.each_of_table(take, bad)
            }
        }
    }

    fn each_of_table(
        &self,
        mut take: impl FnMut(&Sentence) -> Result<(), Fault>,
        mut bad: impl FnMut(DataError) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let or = |given: &str, usual: &str| {
            let column = if given.is_empty() { usual } else { given };
            Ask::new(column, table::Kind::Texts)
        };
        let table = self.header.open(self.path)?;
        let asked = [or(self.token_column, "tokens"), or(self.tag_column, "tags")];
        let asked = &asked[..if self.tagged { 2 } else { 1 }];
        for (ask, option) in asked.iter().zip([&["token_column"], &["tag_column"]]) {
            table.column(&ask.column).map_err(|error| error.named_by(option))?;
        }
        let mut rows = table.rows(asked)?;
        while let Some(row) = rows.next_mended()? {
            if let Some(fault) = row.faults.into_iter().next() {
                bad(fault)?;
                continue;
            }
            let mut lists = row.values.unwrap_or_default().into_iter().map(|value| match value {
                table::Value::Texts(texts) => texts,
                _ => Vec::new(),
            });
            let tokens = lists.next().unwrap_or_default();
            let tags = lists.next().unwrap_or_default();
            let (n, m) = (tokens.len(), tags.len());
            if self.tagged && n != m {
                let fault = format!("there are {n} tokens and {m} tags; give one tag for each");
                bad(rows.fault(row.number, fault))?;
                continue;
            }
            let sentence = Sentence { rows: vec![row.number; n], tokens, tags };
            match take(&sentence) {
                Ok(()) => {}
                Err(Fault::Row(row, fault)) => return Err(rows.fault(row, fault)),
                Err(Fault::Other(error)) => return Err(error),
            }
        }
        Ok(())
    }

    fn each_of_lines(
        &self,
        mut take: impl FnMut(&Sentence) -> Result<(), Fault>,
        mut bad: impl FnMut(DataError) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let columns = Columns::of(self)?;
        let mut sentence = Sentence::default();
        // Whether a line of the sentence cannot be read.
        let mut broken = false;
        let mut any = false;
        let mut end = |sentence: &mut Sentence, broken: &mut bool| -> Result<(), Fault> {
            if !sentence.tokens.is_empty() || *broken {
                any = true;
                let sentence = std::mem::take(sentence);
                if !std::mem::take(broken) {
                    take(&sentence)?;
                }
            }
            Ok(())
        };
        lines(self.path, |row, line| {
            if line.trim().is_empty() {
                return end(&mut sentence, &mut broken);
            }
            match columns.read(line) {
                Ok(Some((token, tag))) => {
                    sentence.tokens.push(token.to_owned());
                    sentence.tags.extend(tag.map(ToOwned::to_owned));
                    sentence.rows.push(row);
                }
                Ok(None) => {}
                // What is wrong with the rest of the sentence may follow from that.
                Err(_) if broken => {}
                Err(fault) => {
                    bad(self.fault(Fault::of(row, fault)))?;
                    broken = true;
                }
            }
            Ok(())
        })?;
        end(&mut sentence, &mut broken).map_err(|fault| self.fault(fault))?;
        if !any {
            return Err(DataError::too_little(self.path, "there is no sentence"));
        }
        Ok(())
    }

    fn fault(&self, fault: Fault) -> DataError {
        match fault {
            Fault::Row(row, fault) => DataError::Row { path: self.path.to_owned(), row, fault },
            Fault::Other(error) => error,
        }
    }
}

/// Calls `take` with each line of a text and its number, from 1.
fn lines(
    path: &Path,
    mut take: impl FnMut(u64, &str) -> Result<(), Fault>,
) -> Result<(), DataError> {
    let mut take = |row: u64, line: &str| {
        take(row, line).map_err(|fault| match fault {
            Fault::Row(row, fault) => DataError::Row { path: path.to_owned(), row, fault },
            Fault::Other(error) => error,
        })
    };
    let (mut row, mut rest) = (0, String::new());
    for piece in Pieces::open(path)? {
        rest.push_str(&piece?);
        let whole = rest.rfind('\n').map_or(0, |end| end + 1);
        for line in rest[..whole].lines() {
            row += 1;
            take(row, line)?;
        }
        rest.drain(..whole);
    }
    if rest.is_empty() { Ok(()) } else { take(row + 1, &rest) }
}

/// Which fields of a line are what, from 0.
struct Columns {
    token: usize,
    /// `None` for the last.
    tag: Option<usize>,
    /// Whether the file is of Universal Dependencies: with comments, and with lines that are no
    /// tokens, such as `1-2` and `3.1`.
    conllu: bool,
    tagged: bool,
}

impl Columns {
    fn of(source: &Source<'_>) -> Result<Self, DataError> {
        let name = source.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let name = name.to_ascii_lowercase();
        let conllu = name.trim_end_matches(".gz").ends_with(".conllu");
        let place = |column: &str| match column {
            "" => Ok(None),
            _ => match column.parse::<usize>().ok().and_then(|number| number.checked_sub(1)) {
                Some(place) => Ok(Some(place)),
                None => Err(DataError::broken(
                    source.path,
                    format!(
                        "the columns of such a file have no names: give the number of one, from 1 \
                         (task.token_column, task.tag_column), not `{column}`"
                    ),
                )),
            },
        };
        let (token, tag) = (place(source.token_column)?, place(source.tag_column)?);
        let token = token.unwrap_or(usize::from(conllu));
        Ok(Self { token, tag: tag.or(conllu.then_some(3)), conllu, tagged: source.tagged })
    }

    /// The token of a line, if it has one, and its tag, if tags are read.
    fn read<'l>(&self, line: &'l str) -> Result<Option<(&'l str, Option<&'l str>)>, String> {
        let fields: Vec<&str> = match line.contains('\t') {
            true => line.trim_end_matches('\r').split('\t').map(str::trim).collect(),
            false => line.split_whitespace().collect(),
        };
        let no_token = self.conllu && (line.starts_with('#') || fields[0].contains(['-', '.']));
        // What begins a document in the files of the CoNLL shared task of 2003.
        if no_token || fields[0] == "-DOCSTART-" {
            return Ok(None);
        }
        let last = fields.len() - 1;
        let needed = match self.tagged {
            true => self.tag.unwrap_or(self.token + 1).max(self.token),
            false => self.token,
        };
        if last < needed {
            let (n, what) = (fields.len(), if needed == self.token { "token" } else { "tag" });
            let columns = if n == 1 { "column" } else { "columns" };
            return Err(format!(
                "found {n} {columns}, but the {what} is column {}; columns stand between tabs, or \
                 else between spaces",
                needed + 1
            ));
        }
        let token = fields[self.token];
        let tag = self.tagged.then(|| fields[self.tag.unwrap_or(last)]);
        match (token.is_empty(), tag.is_some_and(str::is_empty)) {
            (true, _) => Err("the token is empty".to_owned()),
            (_, true) => Err("the tag is empty".to_owned()),
            (false, false) => Ok(Some((token, tag))),
        }
    }
}
