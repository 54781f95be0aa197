//! Elementary functions of whole vectors.
//!
//! The methods and constants are those of the compiler's inline code (`codegen/math.rs`, which
//! tells where they come from): Cody and Waite's reduction `x = n ln 2 + r`, a minimax polynomial
//! for `expm1(r)`, one division for `sigmoid` and `tanh` each, Tang's series for `log`. The
//! compiler can emit vectors of 128 bits only; here are the same functions at the machine's width.
//!
//! An element's result is the same in every lane of every vector, also of one that is only partly
//! used: so it depends neither on where in a row the element stands nor on the row's length.
//!
//! The largest errors found, in ulp, results in the denormal range included (`f32`: every 997th
//! input; `f64`: 262144 random ones of every magnitude, most where the functions are not trivial):
//!
//! |       | exp  | log  | sigmoid | tanh | softplus |
//! |-------|------|------|---------|------|----------|
//! | `f32` | 0.84 | 0.79 | 1.56    | 1.70 | 1.66     |
//! | `f64` | 0.85 | 0.77 | 1.52    | 1.76 | 1.62     |

#![allow(unsafe_code, reason = "rows are given by address")]

use std::f64::consts::{FRAC_1_SQRT_2, LOG2_E, SQRT_2};
use std::ops::Range;

use cellc_compiler::ir::op::Unary;

use super::simd::{Elements, Kernel, Vector, Wide};
use super::{Rows, Width};

/// The parameters of one IEEE 754 precision. Those of `f32` are held as `f64`, exactly.
#[derive(Debug)]
pub struct Constants {
    /// Bits of the stored mantissa.
    mantissa: u8,
    /// Bias of the exponent.
    bias: u64,
    /// `ln 2` in two parts. The first has so few bits that its product with any `n` is exact.
    ln_2: [f64; 2],
    /// Below the first `exp` rounds to zero, above the second it overflows.
    exp_range: [f64; 2],
    /// From here on `sigmoid(x)` and `tanh(x / 2)` round to 1.
    saturation: f64,
    /// The square root of 1/2 as bits.
    sqrt_half: u64,
    /// `(expm1(r) - r) / r^2`, lowest power first.
    expm1: &'static [f64],
    /// `(2 atanh(s) - 2 s) / s^3` in powers of `s^2`, lowest first.
    atanh: &'static [f64],
}

pub(super) const F32: Constants = Constants {
    mantissa: 23,
    bias: 127,
    ln_2: [0.693_359_375, -0.000_212_194_441_701_285_54],
    exp_range: [-104.0, 89.0],
    saturation: 20.0,
    sqrt_half: (FRAC_1_SQRT_2 as f32).to_bits() as u64,
    expm1: &[
        0.499_999_970_197_677_6,
        0.166_665_464_639_663_7,
        0.041_667_435_318_231_58,
        0.008_366_258_814_930_916,
        0.001_387_065_974_995_493_9,
    ],
    atanh: &[0.666_667_759_418_487_5, 0.399_775_743_484_497_07, 0.298_712_342_977_523_8],
};

pub(super) const F64: Constants = Constants {
    mantissa: 52,
    bias: 1023,
    ln_2: [0.693_147_180_369_123_8, 1.908_214_929_270_587_7e-10],
    exp_range: [-746.0, 710.0],
    saturation: 40.0,
    sqrt_half: FRAC_1_SQRT_2.to_bits(),
    expm1: &[
        0.500_000_000_000_000_6,
        0.166_666_666_666_666_2,
        0.041_666_666_666_573_99,
        0.008_333_333_333_368_706,
        0.001_388_888_893_224_195,
        0.000_198_412_697_645_630_15,
        2.480_150_460_097_457_6e-05,
        2.755_736_657_960_972_5e-06,
        2.762_627_167_910_784e-07,
        2.506_681_143_280_013_5e-08,
    ],
    atanh: &[
        0.666_666_666_666_673_4,
        0.399_999_999_994_162_14,
        0.285_714_287_422_321_4,
        0.222_221_985_734_696_81,
        0.181_835_650_039_719_27,
        0.153_140_176_709_09,
        0.147_964_182_353_454_5,
    ],
};

/// `to[r, i] = function(from[r, i])` for the rows `first..last`.
///
/// # Safety
/// The machine has `width`. The rows of `from` are readable and those of `to` writable. They are
/// the same memory or do not overlap, and no other thread touches those of `to`.
pub unsafe fn map<T: Wide>(
    width: Width,
    function: Unary,
    mut from: Rows<T>,
    mut to: Rows<T>,
    first: usize,
    last: usize,
) {
    let mut rows = first..last;
    if from.stride == from.len && to.stride == to.len {
        // They follow each other, as one long row.
        let len = rows.len() * from.len;
        from = Rows { data: from.data.wrapping_add(first * from.len), stride: 0, len };
        to = Rows { data: to.data.wrapping_add(first * to.len), stride: 0, len };
        rows = 0..1;
    }
    let map = Map { from, to, rows };
    // SAFETY: the caller answers for the machine and for the rows.
    unsafe {
        match function {
            Unary::Neg => width.run(By(Neg, map)),
            Unary::Exp => width.run(By(Exp, map)),
            Unary::Log => width.run(By(Log, map)),
            Unary::Sqrt => width.run(By(Sqrt, map)),
            Unary::Abs => width.run(By(Abs, map)),
            Unary::Sigmoid => width.run(By(Sigmoid, map)),
            Unary::Tanh => width.run(By(Tanh, map)),
            Unary::Relu => width.run(By(Relu, map)),
            Unary::Softplus => width.run(By(Softplus, map)),
            Unary::Expm1 | Unary::Log1p | Unary::Sin | Unary::Cos | Unary::Erf | Unary::Floor => {
                unreachable!("compiled code computes `{}` itself", function.name())
            }
        }
    }
}

/// Rows to go through, and where to.
struct Map<T> {
    from: Rows<T>,
    to: Rows<T>,
    rows: Range<usize>,
}

/// An elementwise function over rows.
struct By<F, T>(F, Map<T>);

/// An elementwise function. A type for each, and not a value, so that it becomes part of its loop.
trait Function {
    fn of<V: Vector>(x: V) -> V;
}

macro_rules! functions {
    ($($name:ident: $x:ident => $y:expr),* $(,)?) => {$(
        struct $name;
        impl Function for $name {
            #[inline(always)]
            fn of<V: Vector>($x: V) -> V {
                $y
            }
        }
    )*};
}

functions! {
    Neg: x => x.xor(x.constant(-0.0)),
    Exp: x => exp(x),
    Log: x => log(x),
    Sqrt: x => x.sqrt(),
    Abs: x => abs(x),
    Sigmoid: x => sigmoid(x),
    Tanh: x => tanh(x),
    Relu: x => relu(x),
    Softplus: x => softplus(x),
}

impl<F: Function, T: Wide> Kernel<T> for By<F, T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        let Self(_, Map { from, to, rows }) = self;
        let len = to.len;
        let whole = len - len % V::LANES;
        for row in rows {
            // SAFETY: the caller of `map` answers for the machine, and for the rows of `len`.
            unsafe {
                let (from, to) = (from.row(row), to.row(row));
                let mut i = 0;
                while i < whole {
                    F::of(V::load(from.add(i))).store(to.add(i));
                    i += V::LANES;
                }
                if whole < len {
                    let mask = V::mask(len - whole);
                    let x = V::load_masked(from.add(whole), mask);
                    F::of(x).store_masked(to.add(whole), mask);
                }
            }
        }
    }
}

/// `e^x`. Overflows to infinity, underflows gradually.
#[inline(always)]
fn exp<V: Vector>(x: V) -> V {
    let [lowest, highest] = V::Scalar::CONSTANTS.exp_range;
    let x = x.constant(highest).min(x.constant(lowest).max(x));
    let Reduced { n, r, .. } = reduce(x, 0);
    exp_reduced(r).scale(n)
}

/// `1 / (1 + e^-x)`, with full relative accuracy in the tail towards 0.
#[inline(always)]
fn sigmoid<V: Vector>(x: V) -> V {
    let p = V::Scalar::CONSTANTS;
    // This is e / (1 + e) for e = e^x. The factor 2^k lifts e into the normal numbers. It can be
    // the same everywhere since e matters little beyond the saturation.
    let k = p.bias / 2;
    let x = x.constant(p.saturation).min(x.constant(p.exp_range[0]).max(x));
    let Reduced { power, r, .. } = reduce(x, k);
    let e = exp_reduced(r).add_bits(power);
    let (lesser, quotient) = saturate(e, x.constant(exp2(k)));
    let lesser = lesser * x.constant(exp2(k).recip());
    lesser.neg_mul_add(quotient, lesser)
}

/// The hyperbolic tangent, with full relative accuracy towards 0. Odd to the last bit.
#[inline(always)]
fn tanh<V: Vector>(x: V) -> V {
    let p = V::Scalar::CONSTANTS;
    // This is g / (1 + g) for g = expm1(2 |x|) / 2 = 2^(n-1) expm1(r) + (2^(n-1) - 1/2). For small
    // x the reduction finds n = 0 and leaves 2 |x| alone, so that g is accurate.
    let magnitude = abs(x);
    let y = x.constant(p.saturation).min(magnitude + magnitude);
    let Reduced { n, power, high, .. } = reduce(y, p.bias - 1);
    // Just above ln 2 / 4, g is a small difference of larger terms: what the rounding of r lost
    // would cost half an ulp there.
    let low = n * x.constant(p.ln_2[1]);
    let r = high - low;
    let lost = (high - r) - low;
    let expm1_r = r + polynomial(r, p.expm1).mul_add(r * r, lost);
    let g = expm1_r.mul_add(power, power - x.constant(0.5));
    let (lesser, quotient) = saturate(g, x.constant(1.0));
    lesser.neg_mul_add(quotient, lesser).or(x.xor(magnitude))
}

/// The natural logarithm: minus infinity at zero, NaN below.
#[inline(always)]
fn log<V: Vector>(x: V) -> V {
    let (k, f) = decompose(x);
    let y = log_1p_reduced(k, f);
    let [zero, infinity] = [x.constant(0.0), x.constant(f64::INFINITY)];
    let y = y.select(x.less(infinity), x);
    let outside = x.constant(f64::NEG_INFINITY).select(x.equal(zero), x.constant(f64::NAN));
    y.select(zero.less(x), outside)
}

/// `max(x, 0) + log(1 + e)` with `e = e^-|x|`, NaN for NaN.
///
/// As `0 < e <= 1`, `1 + e` need not be rounded and taken apart again: it is `2^0 (1 + e)` or
/// `2^1 (1 + (e - 1) / 2)`, whose fractions are exact.
#[inline(always)]
fn softplus<V: Vector>(x: V) -> V {
    let one = x.constant(1.0);
    let e = exp(abs(x).xor(x.constant(-0.0)));
    let small = e.less(x.constant(SQRT_2 - 1.0));
    let f = e.select(small, (e - one) * x.constant(0.5));
    let k = x.constant(0.0).select(small, one);
    relu(x) + log_1p_reduced(k, f)
}

/// `max(x, 0)`, NaN for NaN.
#[inline(always)]
fn relu<V: Vector>(x: V) -> V {
    // The second operand passes if it is NaN. For -0 it passes too, and the sum makes it 0.
    x.constant(0.0).max(x) + x.constant(0.0)
}

#[inline(always)]
fn abs<V: Vector>(x: V) -> V {
    x.xor(x.and(x.constant(-0.0)))
}

/// `log(2^k (1 + f))`, with `1 + f` between the square roots of 1/2 and 2.
///
/// `log(1 + f) = 2 atanh(s)` with `s = f / (2 + f)`, written as `f - (h - s (h + R))` where
/// `h = f^2 / 2` and `2 s + s R` is the series, so that the large term `f` is exact.
#[inline(always)]
fn log_1p_reduced<V: Vector>(k: V, f: V) -> V {
    let p = V::Scalar::CONSTANTS;
    let s = f / (f + f.constant(2.0));
    let z = s * s;
    let h = f * f * f.constant(0.5);
    let inner = polynomial(z, p.atanh).mul_add(z, h);
    let tail = h - inner.mul_add(s, k * f.constant(p.ln_2[1]));
    k.mul_add(f.constant(p.ln_2[0]), f - tail)
}

/// `x = 2^k (1 + f)` as `k` and `f`, with `1 + f` between the square roots of 1/2 and 2.
#[inline(always)]
fn decompose<V: Vector>(x: V) -> (V, V) {
    let p = V::Scalar::CONSTANTS;
    // An integer below 2^mantissa becomes a float in the mantissa of 2^mantissa.
    let integers = exp2(p.mantissa.into());
    let bias = integers + p.bias as f64;

    // Denormal numbers are scaled to normal ones, and the bias makes up for it.
    let up = x.constant(integers);
    let denormal = x.less(x.constant(exp2(p.bias - 1).recip()));
    let bias_up = x.constant(bias + f64::from(p.mantissa));
    let bias = bias_up.select(denormal, x.constant(bias));
    let x = (x * up).select(denormal, x);

    // The exponent steps at powers of two. Adding to the bits what is between sqrt(1/2) and 1
    // moves the step to sqrt(1/2).
    let bits = x.add_bits(x.bits((p.bias << p.mantissa) - p.sqrt_half));
    let k = bits.shift_right(p.mantissa).or(up) - bias;
    let m = bits.and(x.bits((1 << p.mantissa) - 1)).add_bits(x.bits(p.sqrt_half));
    (k, m - x.constant(1.0))
}

/// For `g / (1 + g)`, which is `c - c c / (1 + g)` for the lesser `c` of `g` and 1: that `c`, and
/// `c / (1 + g)`.
///
/// The plain quotient adds up three roundings to as much as 2.5 ulp. In this form those of the sum
/// and of the quotient only enter a correction, small where the result is small or near 1. If `g`
/// is scaled, `one` is the scale, and so `c` is scaled too.
#[inline(always)]
fn saturate<V: Vector>(g: V, one: V) -> (V, V) {
    let lesser = one.min(g);
    (lesser, lesser / (g + one))
}

/// `x = n ln 2 + r`.
struct Reduced<V> {
    n: V,
    /// The bits of `2^(n + k)` less those of `2^(k - bias)`: added to the bits of a number, they
    /// multiply it by `2^(n + k)`. For a `k` of the bias, those of `2^n`.
    power: V,
    /// `x` less `n` times the high part of ln 2, exactly.
    high: V,
    r: V,
}

#[inline(always)]
fn reduce<V: Vector>(x: V, k: u64) -> Reduced<V> {
    let p = V::Scalar::CONSTANTS;
    // The spacing of floats from 2^mantissa on is 1, so that adding so large a number rounds to an
    // integer, and leaves it in the lowest bits. Half as much more keeps the sum in that binade
    // for negative n.
    let magic = x.constant(1.5 * exp2(p.mantissa.into()) + k as f64);
    let rounded = x.mul_add(x.constant(LOG2_E), magic);
    let n = rounded - magic;
    let high = n.neg_mul_add(x.constant(p.ln_2[0]), x);
    let r = n.neg_mul_add(x.constant(p.ln_2[1]), high);
    Reduced { n, power: rounded.shift_left(p.mantissa), high, r }
}

/// `e^r` for a reduced `r`.
#[inline(always)]
fn exp_reduced<V: Vector>(r: V) -> V {
    let one = r.constant(1.0);
    polynomial(r, V::Scalar::CONSTANTS.expm1).mul_add(r, one).mul_add(r, one)
}

/// `x 2^n` for vectors without an instruction for it.
///
/// From e^-104 to e^89 in f32, 2^n spans more exponents than a float has. It is applied as two
/// factors with half of n each, so that only the last multiplication rounds, and `n` is biased
/// twice, once for each factor.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) fn scale_by_halves<V: Vector>(x: V, n: V) -> V {
    let p = V::Scalar::CONSTANTS;
    let bits = n + x.constant(1.5 * exp2(p.mantissa.into()) + 2.0 * p.bias as f64);
    let both = bits.shift_left(p.mantissa);
    let half = bits.shift_left(p.mantissa - 1).and(x.bits(!0 << p.mantissa));
    x * half * both.sub_bits(half)
}

/// A polynomial by Horner's rule. A processor overlaps the chains of several elements, and so the
/// rule with the fewest operations is faster than shorter chains with more of them.
#[inline(always)]
fn polynomial<V: Vector>(x: V, coefficients: &[f64]) -> V {
    let mut sum = x.constant(coefficients[coefficients.len() - 1]);
    for &coefficient in coefficients[..coefficients.len() - 1].iter().rev() {
        sum = sum.mul_add(x, x.constant(coefficient));
    }
    sum
}

/// `2^exponent`, for less than 1024.
#[inline(always)]
const fn exp2(exponent: u64) -> f64 {
    f64::from_bits((1023 + exponent) << 52)
}
