//! What all settings share: bare names, ranges, and spans of a training.

use std::fmt::{self, Display};
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::number::Short;

/// A name that nothing has.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("there is no {kind} `{name}`; there are `{}`", names.join("`, `"))]
pub struct UnknownName {
    /// What was to be named, such as `optimiser`.
    pub kind: &'static str,
    /// The name.
    pub name: String,
    /// The names that there are.
    pub names: &'static [&'static str],
}

/// A number that a setting cannot have.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[error("`{setting}` is {}; it must be {range}", Short(*.value))]
pub struct OutOfRange {
    /// The setting.
    pub setting: &'static str,
    /// Its value.
    pub value: f64,
    /// What it may be.
    pub range: &'static str,
}

/// What a number may be.
#[derive(Clone, Copy)]
pub(super) enum Range {
    /// How much is kept of something at each step: not all.
    Kept,
    /// From nothing to all.
    Share,
    /// From nothing to all, but neither.
    Inner,
    /// From nothing to all, but not nothing.
    Positive,
    /// From nothing up.
    NotNegative,
    /// What keeps a divisor from 0, in f32 too.
    Epsilon,
}

impl Range {
    /// Checks a setting.
    pub(super) fn check(self, setting: &'static str, value: f64) -> Result<(), OutOfRange> {
        let (fits, range) = match self {
            Self::Kept => ((0.0..1.0).contains(&value), "from 0 up and below 1"),
            Self::Share => ((0.0..=1.0).contains(&value), "from 0 to 1"),
            Self::Inner => (value > 0.0 && value < 1.0, "between 0 and 1"),
            Self::Positive => (value > 0.0 && value <= 1.0, "above 0, and 1 at the most"),
            Self::NotNegative => (value >= 0.0 && value.is_finite(), "a number from 0 up"),
            Self::Epsilon => ((1e-30..=1.0).contains(&value), "from 1e-30 to 1"),
        };
        if fits { Ok(()) } else { Err(OutOfRange { setting, value, range }) }
    }
}

/// A setting of which there are kinds, each with a name.
pub(super) trait Named: Sized {
    /// What it is, for messages.
    const KIND: &'static str;
    /// The names of all kinds.
    const ALL: &'static [&'static str];
    /// The kind of a name.
    fn of(name: &str) -> Option<Self>;
    /// Reads a table with a `name`.
    fn table<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
}

/// Reads a bare name or a table.
struct NameOrTable<T>(PhantomData<T>);

impl<'de, T: Named> Visitor<'de> for NameOrTable<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the name of a kind of {}, or a table with a `name`", T::KIND)
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<T, E> {
        T::of(name).ok_or_else(|| E::unknown_variant(name, T::ALL))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::table(MapAccessDeserializer::new(map))
    }
}

/// Reads a setting that has kinds.
pub(super) fn named<'de, D: Deserializer<'de>, T: Named>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_any(NameOrTable(PhantomData))
}

/// Reads and writes a setting, with its `check` after reading. What serde derives for the type is
/// to be inherent: `#[serde(remote = "Self")]`.
macro_rules! checked {
    ($type:ident, $read:expr) => {
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let setting: Self = $read(d)?;
                setting.check().map_err(serde::de::Error::custom)?;
                Ok(setting)
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                $type::serialize(self, s)
            }
        }
    };
}

/// The same for a setting with kinds, which can be bare names and on a command line.
macro_rules! checked_kinds {
    ($type:ident, $kind:literal) => {
        $crate::optimizer::setting::checked!($type, $crate::optimizer::setting::named);

        impl $crate::optimizer::setting::Named for $type {
            const KIND: &'static str = $kind;
            const ALL: &'static [&'static str] = &$type::NAMES;

            fn of(name: &str) -> Option<Self> {
                Self::named(name)
            }

            fn table<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                $type::deserialize(d)
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::optimizer::setting::UnknownName;

            fn from_str(name: &str) -> Result<Self, Self::Err> {
                let unknown = || Self::Err { kind: $kind, name: name.into(), names: &Self::NAMES };
                Self::named(name).ok_or_else(unknown)
            }
        }
    };
}

pub(super) use {checked, checked_kinds};

/// A part of a training: so many steps, or a share of all.
///
/// As a setting and as text it is a number: a whole one is of steps (`100`), one below 1 is a share
/// (`0.02`). As text, `2%` is a share too.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Number", into = "Number")]
pub enum Span {
    /// So many steps.
    Steps(u64),
    /// A share of all steps, from 0 up and below 1.
    Share(f64),
}

impl Span {
    /// How many steps it is of so many in all, rounded up.
    pub fn steps(self, total: u64) -> u64 {
        match self {
            Self::Steps(steps) => steps,
            // 0.07 is no binary fraction, and 0.07 * 300 is above 21: what only rounding puts
            // above a whole number is not rounded up.
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "at most the total, and `as` saturates"
            )]
            Self::Share(share) => (total as f64 * share * (1.0 - 1e-12)).ceil() as u64,
        }
    }
}

impl Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Steps(steps) => write!(f, "{steps}"),
            Self::Share(share) => write!(f, "{share}"),
        }
    }
}

/// How a span is written.
#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a whole number of steps, or a share below 1 such as 0.02")]
enum Number {
    Steps(u64),
    Share(f64),
}

impl From<Span> for Number {
    fn from(span: Span) -> Self {
        match span {
            Span::Steps(steps) => Self::Steps(steps),
            Span::Share(share) => Self::Share(share),
        }
    }
}

impl TryFrom<Number> for Span {
    type Error = BadSpan;

    fn try_from(number: Number) -> Result<Self, BadSpan> {
        match number {
            Number::Steps(steps) => Ok(Self::Steps(steps)),
            Number::Share(share) if (0.0..1.0).contains(&share) => Ok(Self::Share(share)),
            Number::Share(_) => Err(BadSpan),
        }
    }
}

/// What is neither a number of steps nor a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("expected a whole number of steps, or a share below 1 such as 0.02")]
pub struct BadSpan;

impl FromStr for Span {
    type Err = BadSpan;

    fn from_str(text: &str) -> Result<Self, BadSpan> {
        if let Ok(steps) = text.parse() {
            return Ok(Self::Steps(steps));
        }
        let share = match text.strip_suffix('%') {
            Some(percent) => percent.parse::<f64>().map(|percent| percent / 100.0),
            None => text.parse(),
        };
        Number::Share(share.map_err(|_| BadSpan)?).try_into()
    }
}
