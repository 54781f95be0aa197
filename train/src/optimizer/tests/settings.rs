use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{from_str, to_string};

use super::super::*;

fn check_kinds<T>(names: &[&str], all: &[T], named: fn(&str) -> Option<T>)
where
    T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug + Copy + std::str::FromStr,
{
    assert_eq!(names.len(), all.len());
    for (name, &kind) in names.iter().zip(all) {
        assert_eq!(named(name), Some(kind));
        assert_eq!(name.parse().ok(), Some(kind));
        assert_eq!(from_str::<T>(&format!("\"{name}\"")).unwrap(), kind, "as a bare name");
        assert_eq!(from_str::<T>(&format!("{{\"name\": \"{name}\"}}")).unwrap(), kind, "defaults");
        assert_eq!(from_str::<T>(&to_string(&kind).unwrap()).unwrap(), kind, "written and read");
        let text = format!("{{\"name\": \"{name}\", \"betta\": 1}}");
        let error = from_str::<T>(&text).unwrap_err().to_string();
        assert!(error.starts_with("unknown field `betta`"), "{error}");
    }
    assert_eq!(named("no such thing"), None);
    let error = from_str::<T>("\"adm\"").unwrap_err().to_string();
    assert!(error.starts_with("unknown variant `adm`, expected"), "{error}");
}

#[test]
fn settings_are_read_from_names_and_from_tables() {
    check_kinds(&Method::NAMES, &Method::ALL, Method::named);
    check_kinds(&Schedule::NAMES, &Schedule::ALL, Schedule::named);
    check_kinds(&Averaging::NAMES, &Averaging::ALL, Averaging::named);
    let adam = from_str(r#"{"name": "adam", "beta1": 0.95}"#).unwrap();
    assert_eq!(Method::Adam { beta1: 0.95, beta2: 0.999, epsilon: 1e-8 }, adam);
    let cosine = from_str(r#"{"name": "cosine", "warmup": 100, "end": 0}"#).unwrap();
    assert_eq!(Schedule::Cosine { end: 0.0, warmup: Span::Steps(100) }, cosine);
    assert_eq!(Clip { norm: 1.0, value: 0.0 }, from_str(r#"{"norm": 1}"#).unwrap());
    assert_eq!(PlateauSettings::default(), from_str("{}").unwrap());
    let clip = Clip { norm: 0.1, value: 3.0 };
    assert_eq!(clip, from_str(&to_string(&clip).unwrap()).unwrap());
    let kind = "adm".parse::<Method>().unwrap_err().to_string();
    assert_eq!(
        kind,
        "there is no optimiser `adm`; there are `sgd`, `momentum`, `nesterov`, `rmsprop`, \
         `adagrad`, `adam`, `adamw`, `lion`, `muon`"
    );
}

fn error<T: DeserializeOwned + std::fmt::Debug>(text: &str) -> String {
    let error = from_str::<T>(text).unwrap_err().to_string();
    error.split(" at line").next().unwrap_or_default().to_owned()
}

#[test]
fn numbers_out_of_their_range_are_named() {
    let check = |found: String, expected: &str| assert_eq!(found, expected);
    check(
        error::<Method>(r#"{"name": "adam", "beta1": 1.5}"#),
        "`beta1` is 1.5; it must be from 0 up and below 1",
    );
    check(
        error::<Method>(r#"{"name": "adagrad", "epsilon": 0}"#),
        "`epsilon` is 0; it must be from 1e-30 to 1",
    );
    check(
        error::<Schedule>(r#"{"name": "exponential", "end": 0}"#),
        "`end` is 0; it must be above 0, and 1 at the most",
    );
    check(
        error::<Schedule>(r#"{"name": "onecycle", "rise": 1}"#),
        "`rise` is 1; it must be between 0 and 1",
    );
    check(error::<Clip>(r#"{"value": -1}"#), "`value` is -1; it must be a number from 0 up");
    check(error::<PlateauSettings>(r#"{"minimum": 2}"#), "`minimum` is 2; it must be from 0 to 1");
    check(
        error::<Averaging>(r#"{"name": "ema", "decay": 1}"#),
        "`decay` is 1; it must be from 0 up and below 1",
    );
    let span = "expected a whole number of steps, or a share below 1 such as 0.02";
    check(error::<Schedule>(r#"{"name": "linear", "warmup": 1.5}"#), span);
    check(error::<Schedule>(r#"{"name": "linear", "warmup": "x"}"#), span);
    let bad = Schedule::LINEAR.with_warmup(Span::Share(2.0)).check().unwrap_err();
    assert_eq!(bad.to_string(), "`warmup` is 2; it must be from 0 up and below 1");
}

#[test]
fn spans_are_steps_or_shares() {
    let read = |text: &str| text.parse::<Span>().ok();
    assert_eq!(read("100"), Some(Span::Steps(100)));
    assert_eq!(read("0.5"), Some(Span::Share(0.5)));
    assert_eq!(read("2%"), Some(Span::Share(0.02)));
    for bad in ["", "x", "-1", "1.5", "100%", "NaN", "%"] {
        assert_eq!(read(bad), None, "{bad}");
    }
    for span in [Span::Steps(0), Span::Steps(7), Span::Share(0.0), Span::Share(0.02)] {
        assert_eq!(from_str::<Span>(&to_string(&span).unwrap()).unwrap(), span);
        assert_eq!(Span::steps(span, 0), if span == Span::Steps(7) { 7 } else { 0 });
    }
    for percent in 0..100_u64 {
        let share: Span = format!("{percent}%").parse().unwrap();
        for total in (0..2000).chain([1_000_000, 123_456_789]) {
            let exact = (total * percent).div_ceil(100);
            assert_eq!(share.steps(total), exact, "{percent} % of {total}");
        }
    }
}
