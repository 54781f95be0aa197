//! Tests of optimisers; those of clipping, schedules and the rest are in folders of their own.

mod average;
mod clip;
mod methods;
mod plateau;
mod schedule;
mod settings;
