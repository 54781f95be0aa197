//! Bounds of gradients.

use cellc_compiler::ir::eval::Real;
use serde::{Deserialize, Serialize};

use super::setting::{OutOfRange, Range, checked};

/// What gradients are clipped to: first each element, then the norm of all together.
///
/// NaN stays NaN: no clipping hides it. An infinite element is limited by `value`; without that,
/// the norm is infinite, the factor 0, and the element NaN. A norm that is not finite is a sign of
/// divergence, and to be looked at before a step is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
pub struct Clip {
    /// The largest norm (Pascanu et al. 2013); 0 for no clipping.
    pub norm: f64,
    /// The largest absolute value of an element (Mikolov 2012); 0 for no clipping.
    pub value: f64,
}

checked!(Clip, Clip::deserialize);

/// What clipping found and does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clipped {
    /// The norm of all gradients together, before clipping.
    pub norm: f64,
    /// Which of the gradients is the longest, and its norm; `None` if there is none.
    pub longest: Option<(usize, f64)>,
    /// How a step scales the gradients.
    pub scale: Scale,
}

/// How a step scales gradients: each element is brought to `-limit..=limit`, then multiplied.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// The largest absolute value, infinite for none.
    pub limit: f64,
    /// The factor.
    pub factor: f64,
}

impl From<f64> for Scale {
    fn from(factor: f64) -> Self {
        Self { limit: f64::INFINITY, factor }
    }
}

impl Clip {
    /// What clipping makes of gradients. They are only read: [`Optimizer::step`] scales them.
    ///
    /// [`Optimizer::step`]: super::Optimizer::step
    pub fn of<T: Real>(&self, gradients: &[&[T]]) -> Clipped {
        let (mut sum, mut longest) = (0.0, None);
        for (i, gradient) in gradients.iter().enumerate() {
            let own = squares(gradient, f64::INFINITY);
            sum += own;
            if longest.is_none_or(|(_, most)| own > most) {
                longest = Some((i, own));
            }
        }
        let norm = sum.sqrt();
        let longest = longest.map(|(i, squares)| (i, squares.sqrt()));
        if self.value > 0.0 {
            let limited = norm_within(gradients, self.value);
            let scale = Scale { limit: self.value, factor: clip_scale(limited, self.norm) };
            return Clipped { norm, longest, scale };
        }
        Clipped { norm, longest, scale: clip_scale(norm, self.norm).into() }
    }

    /// Checks that its numbers are within their ranges, as reading a setting does.
    ///
    /// # Errors
    /// If one is not.
    pub fn check(&self) -> Result<(), OutOfRange> {
        Range::NotNegative.check("norm", self.norm)?;
        Range::NotNegative.check("value", self.value)
    }
}

/// The Euclidean norm of all gradients together.
///
/// Summed in f64 and in an order of its own, so that it is the same on every run, on any number of
/// threads.
pub fn global_norm<T: Real>(gradients: &[&[T]]) -> f64 {
    norm_within(gradients, f64::INFINITY)
}

fn norm_within<T: Real>(gradients: &[&[T]], limit: f64) -> f64 {
    gradients.iter().map(|gradient| squares(gradient, limit)).sum::<f64>().sqrt()
}

/// The sum of the squares of numbers, as several sums of every so many: in one alone, each addition
/// would wait for the one before.
fn squares<T: Real>(numbers: &[T], limit: f64) -> f64 {
    const SUMS: usize = 16;
    let mut sums = [0.0; SUMS];
    let mut add = |several: &[T]| {
        for (sum, number) in sums.iter_mut().zip(several) {
            let number = limited(number.to_f64(), -limit, limit);
            *sum += number * number;
        }
    };
    let (all, rest) = numbers.as_chunks::<SUMS>();
    all.iter().for_each(|several| add(several));
    add(rest);
    sums.iter().sum()
}

/// Not `clamp`, which asks for more than an order, and not `min` and `max`, which hide NaN.
#[inline]
pub(super) fn limited<T: PartialOrd>(x: T, least: T, most: T) -> T {
    if x > most {
        most
    } else if x < least {
        least
    } else {
        x
    }
}

/// What gradients of a norm are to be multiplied by so that the norm is `limit` at the most
/// (Pascanu et al. 2013). A `limit` of 0 is none. For a norm that is NaN it is 1, for an infinite
/// one 0.
pub fn clip_scale(norm: f64, limit: f64) -> f64 {
    if limit > 0.0 && norm > limit { limit / norm } else { 1.0 }
}
