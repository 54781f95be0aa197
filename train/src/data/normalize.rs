//! Channels of numbers brought to one scale.

use serde::{Deserialize, Serialize};

/// To which scale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// To mean 0 and standard deviation 1, of the population.
    #[default]
    Standard,
    /// To 0 at the least value and 1 at the greatest.
    MinMax,
    /// As it is.
    None,
}

/// Mean, variance and range of channels, in one pass by the method of Welford (Note on a method for
/// calculating corrected sums of squares and products, 1962), in f64.
#[derive(Clone, Debug)]
pub struct Statistics {
    channels: Vec<Channel>,
}

#[derive(Clone, Copy, Debug)]
struct Channel {
    count: u64,
    mean: f64,
    /// The sum of squared deviations from the mean.
    squares: f64,
    min: f64,
    max: f64,
}

impl Statistics {
    /// Of so many channels, before any value.
    pub fn new(channels: usize) -> Self {
        let (min, max) = (f64::INFINITY, f64::NEG_INFINITY);
        let channel = Channel { count: 0, mean: 0.0, squares: 0.0, min, max };
        Self { channels: vec![channel; channels] }
    }

    /// Takes in values `[.., C]`, the channels of each step one after the other. A NaN is a missing
    /// value, which counts for nothing.
    pub fn add<F: Copy + Into<f64>>(&mut self, values: &[F]) {
        for step in values.chunks(self.channels.len().max(1)) {
            for (channel, value) in self.channels.iter_mut().zip(step) {
                channel.add((*value).into());
            }
        }
    }

    /// What brings these values to a scale.
    pub fn normalizer(&self, scale: Scale) -> Normalizer {
        let (shift, scales) = self.channels.iter().map(|channel| channel.affine(scale)).unzip();
        Normalizer { shift, scale: scales }
    }
}

impl Channel {
    fn add(&mut self, value: f64) {
        if value.is_nan() {
            return;
        }
        self.count += 1;
        let before = value - self.mean;
        self.mean += before / self.count as f64;
        self.squares += before * (value - self.mean);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    /// What is taken off, and what the rest is then divided by.
    fn affine(&self, scale: Scale) -> (f64, f64) {
        // A channel that is the same everywhere has no scale: it becomes 0, and is found again. The
        // mean of equal values may differ from them by rounding, so it is their range that says so.
        let constant = self.min >= self.max;
        let (shift, scale) = match scale {
            _ if self.count == 0 => return (0.0, 1.0),
            Scale::None => return (0.0, 1.0),
            Scale::Standard | Scale::MinMax if constant => return (self.min, 1.0),
            Scale::Standard => (self.mean, (self.squares / self.count as f64).sqrt()),
            Scale::MinMax => (self.min, self.max - self.min),
        };
        (shift, if scale > 0.0 { scale } else { 1.0 })
    }
}

/// Brings each channel to its scale, `(x - shift) / scale`, and back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalizer {
    /// What is taken off each channel.
    pub shift: Vec<f64>,
    /// What the rest is divided by, never 0.
    pub scale: Vec<f64>,
}

impl Normalizer {
    /// A number of a channel on its scale. A NaN stays one.
    pub fn apply(&self, channel: usize, x: f64) -> f64 {
        (x - self.shift[channel]) / self.scale[channel]
    }

    /// A number of a channel back from its scale. A NaN stays one.
    pub fn invert(&self, channel: usize, x: f64) -> f64 {
        x * self.scale[channel] + self.shift[channel]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normalizer(values: &[f64], channels: usize, scale: Scale) -> Normalizer {
        let mut statistics = Statistics::new(channels);
        statistics.add(values);
        statistics.normalizer(scale)
    }

    #[test]
    fn channels_get_mean_0_and_deviation_1_and_are_found_again() {
        let values = [1.0, 10.0, 2.0, 20.0, 3.0, 60.0];
        let standard = normalizer(&values, 2, Scale::Standard);
        assert_eq!(standard.shift, [2.0, 30.0]);
        let deviations = [(2.0_f64 / 3.0).sqrt(), (1400.0_f64 / 3.0).sqrt()];
        for (found, expected) in standard.scale.iter().zip(deviations) {
            assert!((found - expected).abs() < 1e-12);
        }
        assert!((standard.apply(0, values[4]) - 1.224_744_9).abs() < 1e-6);
        for (i, x) in values.into_iter().enumerate() {
            assert!((standard.invert(i % 2, standard.apply(i % 2, x)) - x).abs() < 1e-12);
        }
    }

    #[test]
    fn ranges_and_values_as_they_are() {
        let min_max = normalizer(&[2.0, 4.0, 10.0], 1, Scale::MinMax);
        assert_eq!([2.0, 4.0, 10.0].map(|x| min_max.apply(0, x)), [0.0, 0.25, 1.0]);
        let none = normalizer(&[2.0, 4.0], 1, Scale::None);
        assert_eq!(none, Normalizer { shift: vec![0.0], scale: vec![1.0] });
    }

    #[test]
    fn constant_channels_become_0_and_are_found_again() {
        for scale in [Scale::Standard, Scale::MinMax] {
            let constant = normalizer(&[0.1; 1000], 1, scale);
            assert_eq!((constant.apply(0, 0.1), constant.invert(0, 0.0)), (0.0, 0.1));
        }
    }

    #[test]
    fn missing_values_count_for_nothing() {
        let values = [1.0, f64::NAN, f64::NAN, f64::NAN, 3.0, f64::NAN];
        let found = normalizer(&values, 2, Scale::Standard);
        assert_eq!(found, Normalizer { shift: vec![2.0, 0.0], scale: vec![1.0, 1.0] });
        assert!(found.apply(0, f64::NAN).is_nan() && found.apply(1, 5.0) == 5.0);
    }

    #[test]
    fn small_deviations_from_a_large_mean_are_not_lost() {
        let values: Vec<f64> = (0..10_000).map(|i| 1e9 + f64::from(i % 2)).collect();
        assert!((normalizer(&values, 1, Scale::Standard).scale[0] - 0.5).abs() < 1e-9);
    }

    #[test]
    fn it_is_kept_with_a_model() {
        let found = normalizer(&[0.1, 0.7, 0.2], 1, Scale::Standard);
        let text = serde_json::to_string(&found).unwrap();
        assert_eq!(serde_json::from_str::<Normalizer>(&text).unwrap(), found);
        assert_eq!(serde_json::to_string(&Scale::MinMax).unwrap(), r#""minmax""#);
    }
}
