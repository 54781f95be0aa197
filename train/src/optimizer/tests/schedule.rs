use super::super::*;

#[test]
fn the_cosine_schedule_rises_then_falls_to_a_hundredth() {
    let factor = |step| Schedule::COSINE.factor(step, 1000);
    assert!(factor(0) < 0.1 && (factor(20) - 1.0).abs() < 1e-3);
    assert!((factor(510) - 0.505).abs() < 1e-2 && factor(999) < 0.011);
    assert!((1..1000).all(|step| factor(step) <= 1.0 && factor(step) > 0.0));
    assert_eq!(Schedule::CONSTANT.factor(5, 10), 1.0);
}

#[test]
fn the_usual_cosine_has_these_bits() {
    // Models that were trained before have these rates in their numbers.
    let by_hand = |step: u64, total: u64| {
        let (step, total) = (step as f64, total.max(1) as f64);
        let warm = (total / 50.0).ceil();
        if step < warm {
            return (step + 1.0) / (warm + 1.0);
        }
        let progress = ((step - warm) / (total - warm).max(1.0)).min(1.0);
        0.01 + 0.99 * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos())
    };
    for total in (0..400).chain([1000, 1350, 4097, 100_000]) {
        for step in (0..total + 5).step_by(1 + (total / 200) as usize) {
            let found = Schedule::COSINE.factor(step, total);
            assert_eq!(found.to_bits(), by_hand(step, total).to_bits(), "{step} of {total}");
        }
    }
}

#[test]
fn each_schedule_is_what_its_formula_says() {
    let check = |schedule: Schedule, total, expected: &[(u64, f64)]| {
        for &(step, factor) in expected {
            let found = schedule.factor(step, total);
            assert!((found - factor).abs() < 1e-12, "{schedule:?} at {step}: {found}");
        }
    };
    let warmup = Span::Steps(0);
    check(Schedule::LINEAR, 4, &[(0, 1.0), (1, 0.75), (3, 0.25), (4, 0.0), (9, 0.0)]);
    let end = 0.2;
    check(Schedule::Linear { end, warmup }, 10, &[(0, 1.0), (5, 0.6), (10, 0.2), (99, 0.2)]);
    check(Schedule::EXPONENTIAL, 10, &[(0, 1.0), (5, 0.1), (10, 0.01), (11, 0.01)]);
    check(Schedule::STEP, 10, &[(2, 1.0), (3, 0.1), (5, 0.1), (6, 0.01), (9, 0.001)]);
    let step = Schedule::Step { every: Span::Steps(4), factor: 0.5, warmup };
    check(step, 10, &[(3, 1.0), (4, 0.5), (8, 0.25), (400, 0.5_f64.powi(100))]);
    let root = Schedule::InverseSqrt { warmup: Span::Steps(3) };
    check(root, 100, &[(0, 0.25), (2, 0.75), (3, 1.0), (15, 0.5), (63, 0.25), (399, 0.1)]);
    check(Schedule::ONE_CYCLE, 10, &[(0, 0.04), (2, 1.0), (9, 4e-6), (100, 4e-6)]);
}

#[test]
fn a_warm_up_comes_before_the_rest() {
    for schedule in Schedule::ALL {
        let warm = schedule.with_warmup(Span::Steps(4));
        let cold = schedule.with_warmup(Span::Steps(0));
        assert_eq!(warm.warmup(), Span::Steps(4));
        let scale = match schedule {
            Schedule::OneCycle { start, .. } => start,
            _ => 1.0,
        };
        for step in 0..4_u32 {
            let risen = scale * f64::from(step + 1) / 5.0;
            assert!((warm.factor(step.into(), 24) - risen).abs() < 1e-15, "{schedule:?}");
        }
        if let Schedule::InverseSqrt { .. } = schedule {
            continue; // Its fall is that of the whole.
        }
        for step in 0..25 {
            assert_eq!(warm.factor(step + 4, 24), cold.factor(step, 20), "{schedule:?}");
        }
    }
}

#[test]
fn factors_are_from_0_to_1_wherever_they_are_asked_for() {
    let spans = [Span::Steps(0), Span::Steps(1), Span::Steps(50), Span::Steps(u64::MAX)];
    let spans = spans.into_iter().chain([Span::Share(0.0), Span::Share(0.5), Span::Share(0.999)]);
    let mut schedules: Vec<_> = Schedule::ALL.to_vec();
    for span in spans {
        schedules.extend(Schedule::ALL.map(|schedule| schedule.with_warmup(span)));
        let warmup = Span::Steps(0);
        schedules.push(Schedule::Step { every: span, factor: 0.0, warmup });
        for rise in [1e-9, 0.1, 0.5, 1.0 - 1e-9] {
            schedules.push(Schedule::OneCycle { rise, start: 0.0, end: 1.0, warmup: span });
        }
    }
    for schedule in schedules {
        for total in [0, 1, 2, 3, 7, 50, 1000, u64::MAX] {
            for step in [0, 1, 2, 5, total / 2, total.saturating_sub(1), total, u64::MAX - 1] {
                let factor = schedule.factor(step, total);
                assert!((0.0..=1.0).contains(&factor), "{schedule:?}, {step} of {total}: {factor}");
            }
        }
    }
}
