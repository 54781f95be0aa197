use super::super::*;

#[test]
fn the_norm_is_of_all_gradients_and_clipping_brings_it_to_the_limit() {
    let gradients: [&[f32]; 2] = [&[3.0], &[0.0, 4.0]];
    assert_eq!(global_norm(&gradients), 5.0);
    let many: Vec<f64> = (1..=100).map(f64::from).collect();
    assert_eq!(global_norm(&[&many[..37], &many[37..]]), 338_350.0_f64.sqrt());
    assert_eq!(clip_scale(5.0, 1.0), 0.2);
    assert_eq!(clip_scale(0.5, 1.0), 1.0);
    assert_eq!(clip_scale(5.0, 0.0), 1.0, "no limit");
}

#[test]
fn elements_are_clipped_before_the_norm() {
    let gradients: [&[f32]; 2] = [&[-30.0], &[0.0, 4.0]];
    let clipped = |norm, value| Clip { norm, value }.of(&gradients);
    let (norm, longest) = (916.0_f64.sqrt(), Some((0, 30.0)));
    assert_eq!(clipped(0.0, 0.0), Clipped { norm, longest, scale: 1.0.into() });
    assert_eq!(clipped(1.0, 0.0), Clipped { norm, longest, scale: (1.0 / norm).into() });
    let scale = Scale { limit: 3.0, factor: 1.0 };
    assert_eq!(clipped(0.0, 3.0), Clipped { norm, longest, scale });
    // -3 and 3, whose norm is the root of 18.
    let scale = Scale { limit: 3.0, factor: 1.0 / 18.0_f64.sqrt() };
    assert_eq!(clipped(1.0, 3.0), Clipped { norm, longest, scale });
}

#[test]
fn clipping_does_not_hide_what_is_not_finite() {
    let clip = Clip { norm: 1.0, value: 2.0 };
    let nan = clip.of::<f32>(&[&[f32::NAN, 3.0]]);
    assert!(nan.norm.is_nan() && nan.scale == Scale { limit: 2.0, factor: 1.0 });
    let infinite = clip.of::<f32>(&[&[f32::INFINITY, 0.0]]);
    assert_eq!(infinite.norm, f64::INFINITY);
    assert_eq!(infinite.scale, Scale { limit: 2.0, factor: 0.5 });
    let unlimited = Clip { norm: 1.0, value: 0.0 }.of::<f32>(&[&[f32::INFINITY, 0.0]]);
    assert_eq!(unlimited.scale, 0.0.into());
}
