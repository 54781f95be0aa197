use super::super::*;

fn averaged(averaging: Averaging, params: &[f64]) -> f64 {
    let mut average = Average::new(averaging, &[1]);
    params.iter().for_each(|&p| average.update(&[&[p]]));
    average.averaged().unwrap()[0][0]
}

#[test]
fn the_moving_average_weighs_by_age_and_its_weights_sum_to_one() {
    let ema = Averaging::Ema { decay: 0.5 };
    assert_eq!(averaged(ema, &[3.0]), 3.0);
    let found = averaged(ema, &[1.0, 2.0, 4.0]);
    assert!((found - (4.0 + 2.0 * 0.5 + 0.25) / 1.75).abs() < 1e-15, "{found}");
    assert!((averaged(Averaging::EMA, &[0.3; 50]) - 0.3).abs() < 1e-15);
    assert_eq!(averaged(Averaging::Ema { decay: 0.0 }, &[1.0, 7.0]), 7.0, "the last");
}

#[test]
fn the_tail_is_averaged_plainly() {
    let found = averaged(Averaging::TAIL, &[1.0, 2.0, 6.0, 3.0]);
    assert!((found - 3.0).abs() < 1e-15, "{found}");
    let of = |averaging: Averaging, total: u64| -> Vec<u64> {
        (0..total).filter(|&step| averaging.includes(step, total)).collect()
    };
    assert_eq!(of(Averaging::TAIL, 8), [6, 7]);
    assert_eq!(of(Averaging::Tail { last: Span::Steps(3) }, 8), [5, 6, 7]);
    assert_eq!(of(Averaging::Tail { last: Span::Steps(9) }, 2), [0, 1]);
    assert_eq!(of(Averaging::Tail { last: Span::Steps(0) }, 2), [1], "the last at least");
    assert_eq!(of(Averaging::EMA, 3), [0, 1, 2]);
}

#[test]
fn nothing_was_averaged_before_the_first_update_and_a_restored_average_goes_on() {
    for averaging in Averaging::ALL {
        let mut whole = Average::<f32>::new(averaging, &[2]);
        assert_eq!(whole.averaged(), None);
        whole.update(&[&[1.0, 1.0 / 3.0]]);
        whole.update(&[&[2.0, 0.1]]);
        let mut restored = Average::new(averaging, &[2]);
        restored.restore(whole.updates(), whole.averaged().unwrap().to_vec()).unwrap();
        whole.update(&[&[0.7, 0.9]]);
        restored.update(&[&[0.7, 0.9]]);
        assert_eq!(whole, restored);
        let error = restored.restore(1, vec![vec![1.0]]).unwrap_err();
        assert_eq!(error.to_string(), "the state has 1 numbers for parameter 0, which has 2");
        assert_eq!(whole, restored);
    }
}
