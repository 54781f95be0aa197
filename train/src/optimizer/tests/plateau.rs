use super::super::*;

fn plateau(patience: u32, cooldown: u32, minimum: f64) -> Plateau {
    let settings = PlateauSettings { factor: 0.5, patience, threshold: 0.1, cooldown, minimum };
    Plateau::new(settings)
}

fn factors(plateau: &mut Plateau, losses: &[f64]) -> Vec<f64> {
    losses.iter().map(|&loss| plateau.observe(loss)).collect()
}

#[test]
fn the_factor_falls_when_patience_ends_and_not_below_its_minimum() {
    // A loss that is less than a tenth better is none.
    let found = factors(&mut plateau(1, 0, 0.3), &[1.0, 0.95, 0.91, 0.91, 0.89, 2.0, 2.0, 2.0]);
    assert_eq!(found, [1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.3, 0.3]);
    assert_eq!(factors(&mut plateau(0, 2, 0.0), &[1.0; 6]), [1.0, 0.5, 0.5, 0.5, 0.25, 0.25]);
}

#[test]
fn nan_and_infinity_are_no_improvement_and_negative_losses_can_be() {
    let losses = [f64::NAN, f64::INFINITY, 1.0, f64::NAN];
    assert_eq!(factors(&mut plateau(0, 0, 0.0), &losses), [0.5, 0.25, 0.25, 0.125]);
    assert_eq!(factors(&mut plateau(0, 0, 0.0), &[-1.0, -1.05, -1.2]), [1.0, 0.5, 0.5]);
}

#[test]
fn a_plateau_that_was_kept_goes_on_as_it_was() {
    let losses: Vec<f64> = (0..40).map(|i| 1.0 / 3.0 + f64::from(i).sin()).collect();
    let mut whole = plateau(2, 1, 0.01);
    factors(&mut whole, &losses[..17]);
    let kept = serde_json::to_string(&whole).unwrap();
    let mut restored: Plateau = serde_json::from_str(&kept).unwrap();
    assert_eq!(factors(&mut whole, &losses[17..]), factors(&mut restored, &losses[17..]));
    assert_eq!(whole, restored);
    let fresh = plateau(2, 1, 0.01);
    let kept = serde_json::to_string(&fresh).unwrap();
    assert_eq!(serde_json::from_str::<Plateau>(&kept).unwrap(), fresh);
}
