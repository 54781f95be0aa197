//! The elementary functions against references of higher precision.

#![allow(unsafe_code, reason = "these are the tests of an unsafe function")]

use cellc_compiler::ir::op::Unary;

use super::simd::Wide;
use super::{Rows, Width, map};

const FUNCTIONS: [Unary; 5] =
    [Unary::Exp, Unary::Log, Unary::Sigmoid, Unary::Tanh, Unary::Softplus];
/// The bound on every error, in units in the last place of the exact result.
const BOUND: f64 = 2.0;

fn apply<T: Wide>(width: Width, function: Unary, xs: &[T]) -> Vec<T> {
    let mut ys = vec![T::default(); xs.len()];
    let rows = |data| Rows { data, stride: xs.len(), len: xs.len() };
    // SAFETY: one row each, of as many elements.
    unsafe {
        map(width, function, rows(xs.as_ptr().cast_mut()), rows(ys.as_mut_ptr()), 0, 1);
    }
    ys
}

/// `x 2^exponent`, in steps that do not leave the range before the result does.
fn scale(x: f64, exponent: i32) -> f64 {
    let step = exponent.clamp(-1000, 1000);
    let x = x * 2f64.powi(step);
    if step == exponent { x } else { scale(x, exponent - step) }
}

/// A value `(high + low) 2^exponent` of about twice the precision of `f64`.
#[derive(Clone, Copy, Debug)]
struct Double {
    high: f64,
    low: f64,
    exponent: i32,
}

impl Double {
    const LN_2: Self =
        Self { low: 2.319_046_813_846_299_6e-17, ..Self::of(std::f64::consts::LN_2) };

    const fn of(high: f64) -> Self {
        Self { high, low: 0.0, exponent: 0 }
    }

    fn renormalized(high: f64, low: f64) -> Self {
        let sum = high + low;
        Self { high: sum, low: low - (sum - high), exponent: 0 }
    }

    fn plus(self, other: Self) -> Self {
        let sum = self.high + other.high;
        let part = sum - self.high;
        let error = (self.high - (sum - part)) + (other.high - part);
        Self::renormalized(sum, error + self.low + other.low)
    }

    fn minus(self, other: Self) -> Self {
        self.plus(Self { high: -other.high, low: -other.low, ..other })
    }

    fn times(self, other: Self) -> Self {
        let product = self.high * other.high;
        let error = self.high.mul_add(other.high, -product);
        Self::renormalized(product, error + self.high * other.low + self.low * other.high)
    }

    fn over(self, other: Self) -> Self {
        let first = self.high / other.high;
        let rest = self.minus(other.times(Self::of(first)));
        let second = rest.high / other.high;
        let rest = rest.minus(other.times(Self::of(second)));
        Self::renormalized(first, second).plus(Self::of(rest.high / other.high))
    }

    fn scaled(self, exponent: i32) -> Self {
        let factor = 2f64.powi(exponent);
        Self { high: self.high * factor, low: self.low * factor, exponent: self.exponent }
    }

    /// With the exponent in the numbers themselves, as far as they go.
    fn whole(self) -> Self {
        Self { exponent: 0, ..self }.scaled(self.exponent.max(-600))
    }

    /// `x = n ln 2 + r` as `n` and `expm1(r)`.
    fn expm1_reduced(x: Self) -> (i32, Self) {
        let n = (x.high * std::f64::consts::LOG2_E).round();
        let r = x.minus(Self::LN_2.times(Self::of(n)));
        let mut sum = Self::of(1.0);
        for k in (2..32).rev() {
            sum = sum.times(r).over(Self::of(f64::from(k))).plus(Self::of(1.0));
        }
        (n as i32, sum.times(r))
    }

    fn exp(x: f64) -> Self {
        let (n, expm1) = Self::expm1_reduced(Self::of(x));
        Self { exponent: n, ..expm1.plus(Self::of(1.0)) }
    }

    /// By Newton's method, for which the logarithm of `f64` is the first guess.
    fn log(x: f64) -> Self {
        let guess = x.ln();
        let Self { exponent, .. } = Self::exp(guess);
        let exp = Self { exponent: 0, ..Self::exp(guess) };
        let error = Self::of(scale(x, -exponent)).minus(exp).over(exp);
        Self::of(guess).plus(Self::second_order(error))
    }

    /// `log(1 + x)`, likewise.
    fn log_1p(x: Self) -> Self {
        let guess = x.high.ln_1p();
        let (n, expm1) = Self::expm1_reduced(Self::of(guess));
        let expm1 = expm1.scaled(n).plus(Self::of(2f64.powi(n) - 1.0));
        let error = x.minus(expm1).over(expm1.plus(Self::of(1.0)));
        Self::of(guess).plus(Self::second_order(error))
    }

    /// `log(1 + e)` for an `e` of the last place of `f64`.
    fn second_order(e: Self) -> Self {
        e.minus(e.times(e).scaled(-1))
    }

    fn sigmoid(x: f64) -> Self {
        // Further out it rounds to 0 or 1.
        let exp = Self::exp(-x.abs().min(800.0));
        let sum = exp.whole().plus(Self::of(1.0));
        if x < 0.0 {
            Self { exponent: exp.exponent, ..Self { exponent: 0, ..exp }.over(sum) }
        } else {
            Self::of(1.0).over(sum)
        }
    }

    fn tanh(x: f64) -> Self {
        // Further out it rounds to 1, and 2^n would be too large.
        let (n, expm1) = Self::expm1_reduced(Self::of((2.0 * x.abs()).min(100.0)));
        let expm1 = expm1.scaled(n).plus(Self::of(2f64.powi(n)).plus(Self::of(-1.0)));
        expm1.over(expm1.plus(Self::of(2.0))).times(Self::of(x.signum()))
    }

    fn softplus(x: f64) -> Self {
        // Further out, it is e^x or x to more digits than matter.
        match x {
            _ if x < -60.0 => Self::exp(x.max(-800.0)),
            _ if x > 60.0 => Self::of(x),
            _ => Self::of(x.max(0.0)).plus(Self::log_1p(Self::exp(-x.abs()).whole())),
        }
    }
}

trait Float: Wide {
    /// Bits of the stored mantissa, and the least exponent of a normal number.
    const FORMAT: [i32; 2];

    fn reference(self, function: Unary) -> Double;

    /// The distance from the reference, in units in the last place of the reference.
    fn error(self, reference: Double) -> f64 {
        let [mantissa, least] = Self::FORMAT;
        let Double { high, low, exponent } = reference;
        let y = self.to_f64();
        if self == Self::from_f64(scale(high, exponent)) && (y == 0.0 || y.is_infinite()) {
            return 0.0;
        }
        if y.is_nan() {
            return f64::INFINITY;
        }
        let magnitude = (high.to_bits() >> 52 & 0x7ff) as i32 - 1023;
        let ulp = (magnitude + exponent).max(least) - mantissa - exponent;
        scale((scale(y, -exponent) - high) - low, -ulp).abs()
    }
}

impl Float for f32 {
    const FORMAT: [i32; 2] = [23, -126];

    fn reference(self, function: Unary) -> Double {
        let x = f64::from(self);
        Double::of(match function {
            Unary::Exp => x.exp(),
            Unary::Log => x.ln(),
            Unary::Sigmoid => 1.0 / (1.0 + (-x).exp()),
            Unary::Tanh => x.tanh(),
            _ => x.max(0.0) + (-x.abs()).exp().ln_1p(),
        })
    }
}

impl Float for f64 {
    const FORMAT: [i32; 2] = [52, -1022];

    fn reference(self, function: Unary) -> Double {
        match function {
            Unary::Exp => Double::exp(self),
            Unary::Log => Double::log(self),
            Unary::Sigmoid => Double::sigmoid(self),
            Unary::Tanh => Double::tanh(self),
            _ => Double::softplus(self),
        }
    }
}

/// Whether the function has a value of its own at `x`: the rest is for [`special_values`].
fn regular(function: Unary, x: f64) -> bool {
    match function {
        Unary::Exp => x.abs() < 800.0,
        Unary::Log => x > 0.0 && x < f64::INFINITY,
        _ => x.abs() < 1e300 && x.abs() > 0.0,
    }
}

/// Checks the bound for all functions and widths, where a function has few references to compute.
fn check<T: Float>(xs: &[T]) {
    for function in FUNCTIONS {
        let xs: Vec<T> = xs.iter().copied().filter(|x| regular(function, x.to_f64())).collect();
        let results: Vec<(Width, Vec<T>)> =
            Width::available().map(|width| (width, apply(width, function, &xs))).collect();
        let mut worst = vec![(0.0, T::default(), T::default()); results.len()];
        for (i, x) in xs.iter().enumerate() {
            let reference = x.reference(function);
            for (worst, (_, ys)) in worst.iter_mut().zip(&results) {
                let error = ys[i].error(reference);
                if error > worst.0 {
                    *worst = (error, *x, ys[i]);
                }
            }
        }
        for ((width, _), (error, x, y)) in results.iter().zip(worst) {
            assert!(
                error <= BOUND,
                "{function:?}({x:?}) = {y:?}: off by {error:.3} ulp, {width:?}"
            );
        }
    }
}

/// Pseudo-random integers: the output function of SplitMix64 (Steele et al. 2014).
fn random(count: u64) -> impl Iterator<Item = u64> {
    (1..=count).map(|i| {
        let z = i.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    })
}

/// Doubles of every magnitude, and more of them where the functions are not trivial.
fn doubles(count: u64) -> Vec<f64> {
    let uniform =
        |width: f64| random(count).map(move |z| (z as f64 * 2f64.powi(-64) - 0.5) * width);
    let patterns = random(count).map(f64::from_bits);
    patterns.chain(uniform(1500.0)).chain(uniform(40.0)).chain(uniform(4.0)).collect()
}

#[test]
fn singles_are_within_the_bound() {
    check(&(0..=u32::MAX).step_by(997).map(f32::from_bits).collect::<Vec<f32>>());
}

#[test]
#[ignore = "every single there is: some minutes"]
fn all_singles_are_within_the_bound() {
    for top in 0..1 << 8 {
        check(&(0..1 << 24).map(|low| f32::from_bits(top << 24 | low)).collect::<Vec<f32>>());
    }
}

#[test]
fn doubles_are_within_the_bound() {
    check(&doubles(1 << 16));
}

/// The specials, the ends of the range of each function, and signed zeros. A NaN stands for any.
#[test]
fn special_values() {
    fn check<T: Float>(function: Unary, cases: &[(f64, f64)]) {
        for width in Width::available() {
            let xs: Vec<T> = cases.iter().map(|case| T::from_f64(case.0)).collect();
            for (result, (x, y)) in apply(width, function, &xs).into_iter().zip(cases) {
                let (result, y) = (result.to_f64(), T::from_f64(*y).to_f64());
                let same = result.to_bits() == y.to_bits() || result.is_nan() && y.is_nan();
                assert!(same, "{function:?}({x:?}) = {result:?}, not {y:?}, {width:?}");
            }
        }
    }
    const INF: f64 = f64::INFINITY;
    const NAN: f64 = f64::NAN;
    const TINY: f64 = f32::MIN_POSITIVE as f64 / 4096.0;
    let exp = [(0.0, 1.0), (-0.0, 1.0), (INF, INF), (-INF, 0.0), (NAN, NAN), (1e-30, 1.0)];
    let log = [(1.0, 0.0), (0.0, -INF), (-0.0, -INF), (-1.0, NAN), (-INF, NAN), (INF, INF)];
    let sigmoid = [(0.0, 0.5), (-0.0, 0.5), (INF, 1.0), (-INF, 0.0), (NAN, NAN), (50.0, 1.0)];
    let tanh = [(0.0, 0.0), (-0.0, -0.0), (INF, 1.0), (-INF, -1.0), (NAN, NAN), (TINY, TINY)];
    let softplus = [(INF, INF), (-INF, 0.0), (NAN, NAN), (50.0, 50.0), (1e30, 1e30)];
    let all: [&[(f64, f64)]; 5] = [&exp, &log, &sigmoid, &tanh, &softplus];
    for (function, cases) in FUNCTIONS.into_iter().zip(all) {
        check::<f32>(function, cases);
        check::<f64>(function, cases);
    }
    let root = (2f64.sqrt(), -2f64.sqrt());
    let others: [(Unary, &[(f64, f64)]); 4] = [
        (Unary::Neg, &[(0.0, -0.0), (-0.0, 0.0), (NAN, NAN), (INF, -INF), (1.5, -1.5)]),
        (Unary::Abs, &[(0.0, 0.0), (-0.0, 0.0), (NAN, NAN), (-INF, INF), (-1.5, 1.5)]),
        (
            Unary::Sqrt,
            &[(0.0, 0.0), (-0.0, -0.0), (NAN, NAN), (INF, INF), (root.1, NAN), (4.0, 2.0)],
        ),
        (
            Unary::Relu,
            &[(0.0, 0.0), (-0.0, 0.0), (NAN, NAN), (INF, INF), (-INF, 0.0), (root.0, root.0)],
        ),
    ];
    for (function, cases) in others {
        check::<f32>(function, cases);
        check::<f64>(function, cases);
    }
    check::<f32>(Unary::Log, &[(NAN, NAN), (2f64.powi(-149), -103.278_929_903_431_85)]);
    check::<f64>(Unary::Log, &[(NAN, NAN), (5e-324, -744.440_071_921_381_2)]);
    let denormal = (-100.0, 3.783_505_853_677_006e-44);
    let exp = [(88.8, INF), (1e38, INF), (-104.0, 0.0), (-1e38, 0.0), denormal];
    check::<f32>(Unary::Exp, &exp);
    check::<f32>(Unary::Sigmoid, &[(1e38, 1.0), (-1e38, 0.0), (-104.0, 0.0), denormal]);
    check::<f32>(Unary::Softplus, &[(1e38, 1e38), (-1e38, 0.0), (-104.0, 0.0), denormal]);
    check::<f64>(Unary::Exp, &[(709.8, INF), (1e308, INF), (-745.2, 0.0), (-745.0, 5e-324)]);
    check::<f64>(Unary::Sigmoid, &[(-745.2, 0.0), (-745.0, 5e-324), (-1e308, 0.0)]);
    check::<f64>(Unary::Softplus, &[(-745.2, 0.0), (-745.0, 5e-324), (-1e308, 0.0)]);
    check::<f32>(Unary::Tanh, &[(1e-30, 1e-30), (-1e-5, -1e-5), (9.1, 1.0), (-1e38, -1.0)]);
    check::<f64>(Unary::Tanh, &[(1e-30, 1e-30), (-5e-324, -5e-324), (19.1, 1.0), (-1e308, -1.0)]);
}
