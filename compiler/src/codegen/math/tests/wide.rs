//! Numbers of about twice the precision of `f64`, and the references that are made of them.

/// `x 2^exponent`, in steps that do not leave the range before the result does.
pub(super) fn scale(x: f64, exponent: i32) -> f64 {
    let step = exponent.clamp(-1000, 1000);
    let x = x * 2f64.powi(step);
    if step == exponent { x } else { scale(x, exponent - step) }
}

/// A value `(high + low) 2^exponent` of about twice the precision of `f64`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wide {
    pub(super) high: f64,
    pub(super) low: f64,
    pub(super) exponent: i32,
}

impl Wide {
    const LN_2: Self =
        Self { low: 2.319_046_813_846_299_6e-17, ..Self::of(std::f64::consts::LN_2) };

    pub(super) const fn of(high: f64) -> Self {
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

    fn times(self, other: Self) -> Self {
        let product = self.high * other.high;
        let error = self.high.mul_add(other.high, -product);
        Self::renormalized(product, error + self.high * other.low + self.low * other.high)
    }

    fn over(self, other: Self) -> Self {
        let first = self.high / other.high;
        let rest = self.plus(other.times(Self::of(-first)));
        let second = rest.high / other.high;
        let rest = rest.plus(other.times(Self::of(-second)));
        Self::renormalized(first, second).plus(Self::of(rest.high / other.high))
    }

    fn scaled(self, exponent: i32) -> Self {
        let factor = 2f64.powi(exponent);
        Self { high: self.high * factor, low: self.low * factor, exponent: self.exponent }
    }

    /// `x = n ln 2 + r` as `n` and `expm1(r)`.
    fn expm1_reduced(x: Self) -> (i32, Self) {
        let n = (x.high * std::f64::consts::LOG2_E).round();
        let r = x.plus(Self::LN_2.times(Self::of(-n)));
        let mut sum = Self::of(1.0);
        for k in (2..32).rev() {
            sum = sum.times(r).over(Self::of(f64::from(k))).plus(Self::of(1.0));
        }
        (n as i32, sum.times(r))
    }

    pub(super) fn exp(x: Self) -> Self {
        let (n, expm1) = Self::expm1_reduced(x);
        Self { exponent: n, ..expm1.plus(Self::of(1.0)) }
    }

    /// By Newton's method, for which the logarithm of `f64` is the first guess.
    pub(super) fn log(x: f64) -> Self {
        let guess = x.ln();
        let Self { exponent, .. } = Self::exp(Self::of(guess));
        let exp = Self { exponent: 0, ..Self::exp(Self::of(guess)) };
        let x = Self::of(scale(x, -exponent));
        let error = x.plus(exp.times(Self::of(-1.0))).over(exp);
        // log(1 + e) to the second order: e is an error of the last place of f64.
        let correction = error.plus(error.times(error).scaled(-1).times(Self::of(-1.0)));
        Self::of(guess).plus(correction)
    }

    pub(super) fn expm1(x: f64) -> Self {
        let (n, expm1) = Self::expm1_reduced(Self::of(x.clamp(-100.0, 800.0)));
        match n {
            0 => expm1,
            // One more or less is beyond the precision.
            200.. => Self::exp(Self::of(x.min(800.0))),
            _ => expm1.scaled(n).plus(Self::of(2f64.powi(n)).plus(Self::of(-1.0))),
        }
    }

    /// By Newton's method, as [`Wide::log`].
    pub(super) fn log1p(x: f64) -> Self {
        if x > 2f64.powi(80) {
            return Self::log(x);
        }
        let guess = x.ln_1p();
        let expm1 = Self::expm1(guess);
        let error = Self::of(x).plus(expm1.times(Self::of(-1.0)));
        let error = error.over(expm1.plus(Self::of(1.0)));
        let correction = error.plus(error.times(error).scaled(-1).times(Self::of(-1.0)));
        Self::of(guess).plus(correction)
    }

    /// The sine of an angle, some quarter turns further on, by Taylor's series.
    pub(super) fn sine(x: f64, quarters: i64) -> Self {
        const HALF_PI: [f64; 3] =
            [std::f64::consts::FRAC_PI_2, 6.123_233_995_736_766e-17, -1.497_384_904_859_169_8e-33];
        let n = (x * std::f64::consts::FRAC_2_PI).round();
        let reduce = |r: Self, part| r.plus(Self::of(part).times(Self::of(-n)));
        let r = HALF_PI.into_iter().fold(Self::of(x), reduce);
        let quarter = (n as i64 + quarters).rem_euclid(4);
        let first = if quarter % 2 == 0 { r } else { Self::of(1.0) };
        let z = r.times(r).times(Self::of(-1.0));
        let odd = f64::from(u8::from(quarter % 2 == 0));
        let (mut sum, mut term) = (first, first);
        for k in 1..16 {
            let even = 2.0 * f64::from(k) + odd;
            term = term.times(z).over(Self::of(even * (even - 1.0)));
            sum = sum.plus(term);
        }
        sum.times(Self::of(if quarter < 2 { 1.0 } else { -1.0 }))
    }

    /// By the series of `e^(x^2) erf(x)`, whose terms are positive.
    pub(super) fn erf(x: f64) -> Self {
        const FACTOR: Wide = Wide {
            high: std::f64::consts::FRAC_2_SQRT_PI,
            low: 1.533_545_961_316_588e-17,
            exponent: 0,
        };
        if x.abs() > 6.5 {
            return Self::of(x.signum());
        }
        let square = Self::of(x).times(Self::of(x));
        let exp = Self::exp(square.times(Self::of(-1.0)));
        let bell = Self { exponent: 0, ..exp }.scaled(exp.exponent);
        let bell = Self { exponent: 0, ..bell };
        let (mut sum, mut term) = (Self::of(x), Self::of(x));
        for k in 1..250 {
            term = term.times(square.scaled(1)).over(Self::of(f64::from(2 * k + 1)));
            sum = sum.plus(term);
            if term.high.abs() < sum.high.abs() * 1e-34 {
                break;
            }
        }
        sum.times(bell).times(FACTOR)
    }

    pub(super) fn pow(x: f64, exponent: f64) -> Self {
        let sign = if x < 0.0 && exponent % 2.0 != 0.0 { -1.0 } else { 1.0 };
        let power = Self::log(x.abs()).times(Self::of(exponent));
        // Further out it rounds to 0 or infinity.
        let power =
            if power.high.abs() > 800.0 { Self::of(800f64.copysign(power.high)) } else { power };
        let exp = Self::exp(power);
        Self { high: exp.high * sign, low: exp.low * sign, ..exp }
    }

    pub(super) fn sigmoid(x: f64) -> Self {
        // Further out it rounds to 0 or 1.
        let exp = Self::exp(Self::of(-x.abs().min(800.0)));
        let whole = Self { exponent: 0, ..exp }.scaled(exp.exponent.max(-600));
        let sum = whole.plus(Self::of(1.0));
        if x < 0.0 {
            Self { exponent: exp.exponent, ..Self { exponent: 0, ..exp }.over(sum) }
        } else {
            Self::of(1.0).over(sum)
        }
    }

    pub(super) fn tanh(x: f64) -> Self {
        // Further out it rounds to 1, and 2^n would be too large.
        let (n, expm1) = Self::expm1_reduced(Self::of((2.0 * x.abs()).min(100.0)));
        let power = 2f64.powi(n);
        let expm1 = expm1.scaled(n).plus(Self::of(power).plus(Self::of(-1.0)));
        expm1.over(expm1.plus(Self::of(2.0))).times(Self::of(x.signum()))
    }
}
