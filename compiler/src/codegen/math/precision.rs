//! The constants of the functions, for each precision.

/// The parameters of one IEEE 754 precision. Those of `f32` are held as `f64`, exactly.
pub(super) struct Precision {
    /// Bits of the stored mantissa.
    pub(super) mantissa: u8,
    /// Bias of the exponent.
    pub(super) bias: u64,
    /// `ln 2` in two parts. The first has so few bits that its product with any `n` is exact.
    pub(super) ln_2: [f64; 2],
    /// Below the first `exp` rounds to zero, above the second it overflows.
    pub(super) exp_range: [f64; 2],
    /// From here on `sigmoid(x)` and `tanh(x / 2)` round to 1.
    pub(super) saturation: f64,
    /// `(expm1(r) - r) / r^2`, lowest power first.
    pub(super) expm1: &'static [f64],
    /// `(2 atanh(s) - 2 s) / s^3` in powers of `s^2`, lowest first.
    pub(super) atanh: &'static [f64],
    /// `(sin(r) - r) / r^3` in powers of `r^2`, lowest first.
    pub(super) sin: &'static [f64],
    /// `(cos(r) - 1 + r^2 / 2) / r^4` in powers of `r^2`, lowest first.
    pub(super) cos: &'static [f64],
    /// `erf(x) / x - 1` in powers of `x^2`, lowest first, for `|x| < 1`.
    pub(super) erf: &'static [f64],
    /// `log(erfc(1 + t))`, lowest power first.
    pub(super) log_erfc: &'static [f64],
    /// From here on `erf(x)` rounds to 1.
    pub(super) erf_saturation: f64,
}

// The polynomials are minimax fits of the relative error (Lawson's weighted least squares), over
// |r| <= ln 2 / 2 or over s between -+(sqrt 2 - 1) / (sqrt 2 + 1). Each coefficient was rounded to
// the precision in turn, and the remaining ones fitted anew.

pub(super) static F32: Precision = Precision {
    mantissa: 23,
    bias: 127,
    ln_2: [0.693_359_375, -0.000_212_194_441_701_285_54],
    exp_range: [-104.0, 89.0],
    saturation: 20.0,
    // Error 1.4e-8 relative to expm1.
    expm1: &[
        0.499_999_970_197_677_6,
        0.166_665_464_639_663_7,
        0.041_667_435_318_231_58,
        0.008_366_258_814_930_916,
        0.001_387_065_974_995_493_9,
    ],
    // Error 8.1e-10 relative to log.
    atanh: &[0.666_667_759_418_487_5, 0.399_775_743_484_497_07, 0.298_712_342_977_523_8],
    // Errors 4.0e-9 relative to sin and 1.2e-10 relative to cos.
    sin: &[-0.166_666_552_424_430_85, 0.008_332_190_103_828_907, -0.000_195_184_533_367_864_8],
    cos: &[0.041_666_645_556_688_31, -0.001_388_731_063_343_584_5, 2.443_256_562_401_075e-5],
    // Errors 1.5e-9 and 9.4e-9 relative to erf.
    erf: &[
        0.128_379_166_126_251_22,
        -0.376_126_259_565_353_4,
        0.112_835_794_687_271_12,
        -0.026_853_451_505_303_383,
        0.005_187_524_016_946_554,
        -0.000_800_253_765_191_882_8,
        7.827_387_889_847_16e-5,
    ],
    log_erfc: &[
        -1.849_605_560_302_734_4,
        -2.638_961_315_155_029_3,
        -0.843_223_929_405_212_4,
        -0.040_778_502_821_922_3,
        0.007_606_518_920_511_007,
        0.001_890_770_392_492_413_5,
        -0.003_001_680_364_832_282,
        0.001_358_799_869_194_626_8,
        -0.000_225_397_059_693_932_53,
    ],
    erf_saturation: 4.0,
};

pub(super) static F64: Precision = Precision {
    mantissa: 52,
    bias: 1023,
    ln_2: [0.693_147_180_369_123_8, 1.908_214_929_270_587_7e-10],
    exp_range: [-746.0, 710.0],
    saturation: 40.0,
    // Error 1.9e-17 relative to expm1.
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
    // Error 1.3e-18 relative to log.
    atanh: &[
        0.666_666_666_666_673_4,
        0.399_999_999_994_162_14,
        0.285_714_287_422_321_4,
        0.222_221_985_734_696_81,
        0.181_835_650_039_719_27,
        0.153_140_176_709_09,
        0.147_964_182_353_454_5,
    ],
    // Errors 3.8e-18 relative to sin and 6.0e-20 relative to cos.
    sin: &[
        -0.166_666_666_666_666_3,
        0.008_333_333_333_321_931,
        -0.000_198_412_698_294_734_56,
        2.755_731_358_854_949_5e-6,
        -2.505_074_340_912_693e-8,
        1.589_601_050_895_944_8e-10,
    ],
    cos: &[
        0.041_666_666_666_666_595,
        -0.001_388_888_888_887_341_1,
        2.480_158_728_907_022e-5,
        -2.755_731_424_099_157_6e-7,
        2.087_570_900_235_278e-9,
        -1.135_894_681_984_713_5e-11,
    ],
    // Errors 1.4e-17 and 1.7e-19 relative to erf.
    erf: &[
        0.128_379_167_095_512_56,
        -0.376_126_389_031_833_65,
        0.112_837_916_709_382_79,
        -0.026_866_170_642_218_09,
        0.005_223_977_599_141_221,
        -0.000_854_832_560_975_225,
        0.000_120_552_844_135_727_39,
        -1.492_454_298_859_614_3e-5,
        1.644_511_662_149_355_7e-6,
        -1.619_139_385_969_265_8e-7,
        1.364_845_138_086_774_3e-8,
        -7.666_167_934_906_443e-10,
    ],
    log_erfc: &[
        -1.849_605_509_933_248_2,
        -2.638_967_514_234_791,
        -0.843_107_256_358_512_7,
        -0.041_561_098_045_811_3,
        0.010_033_825_424_725_322,
        -0.001_977_902_944_580_831,
        0.000_237_324_311_538_740_4,
        2.627_177_314_964_562_3e-5,
        -2.714_461_179_614_282_3e-5,
        9.583_695_064_453_555e-6,
        -2.027_162_179_475_051_6e-6,
        1.111_418_862_363_411e-7,
        1.208_770_481_586_583_2e-7,
        -6.497_287_222_471_193e-8,
        2.027_287_610_398_295_5e-8,
        -4.495_665_791_360_024e-9,
        7.213_254_411_498_349e-10,
        -8.014_059_888_242_57e-11,
        5.524_268_592_461_013e-12,
        -1.777_794_820_117_169_8e-13,
    ],
    erf_saturation: 6.0,
};

impl Precision {
    /// The bits of a number rounded to this precision.
    pub(super) fn encode(&self, value: f64) -> u64 {
        match self.mantissa {
            23 => (value as f32).to_bits().into(),
            _ => value.to_bits(),
        }
    }
}

pub(super) fn exp2(exponent: u64) -> f64 {
    2f64.powi(exponent as i32)
}
