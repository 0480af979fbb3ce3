//! Random masks: whatever the outline, the mesh is closed.

use proptest::prelude::*;
use trellis_core::Params;
use trellis_picture::Picture;
use trellis_relief::Model;

use crate::kit::{made, params, simplified};

/// A mask of random discs and bars, hard or soft, some of them cut out again.
fn picture(size: (u32, u32), strokes: &[(f64, f64, f64, bool)], soft: bool) -> Picture {
    let mut pixels = Vec::with_capacity(4 * (size.0 * size.1) as usize);
    for y in 0..size.1 {
        for x in 0..size.0 {
            let (across, down) = (f64::from(x) / f64::from(size.0), f64::from(y) / f64::from(size.1));
            let mut depth = -1.0_f64;
            for (left, top, radius, cut) in strokes {
                let inside = radius - (across - left).hypot(down - top);
                depth = if *cut {
                    depth.min(-inside)
                } else {
                    depth.max(inside)
                };
            }
            let alpha = if soft {
                depth * f64::from(size.0) + 0.5
            } else {
                f64::from(u8::from(depth > 0.0))
            };
            pixels.extend([180, 140, 90, (alpha.clamp(0.0, 1.0) * 255.0) as u8]);
        }
    }
    // One transparent corner keeps the alpha channel meant.
    pixels[3] = 0;
    Picture::from_rgba8(size.0, size.1, pixels).expect("there are as many bytes as pixels")
}

/// Closed, within the unit cube, and sound in every vertex.
fn check(model: &Model) -> Result<(), TestCaseError> {
    let solid = &model.solid;
    prop_assert!(solid.topology().is_ok_and(|found| found.volume > 0.0));
    for (position, normal) in solid.positions.iter().zip(&solid.normals) {
        prop_assert!(position.iter().all(|value| value.abs() < 0.501), "{position:?}");
        let length = normal.iter().map(|value| value * value).sum::<f32>();
        prop_assert!((length - 1.0).abs() < 1e-3, "{normal:?}");
    }
    for uv in &solid.uvs {
        prop_assert!(
            model.atlas.front.holds(*uv) || model.atlas.back.holds(*uv),
            "{uv:?}"
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn discs_and_holes_give_a_closed_solid(
        size in (2_u32..140, 2_u32..140),
        strokes in prop::collection::vec((0.0..1.0, 0.0..1.0, 0.01..0.4, any::<bool>()), 1..9),
        soft in any::<bool>(),
        mesh_simplify in 0.0..0.98,
    ) {
        let picture = picture(size, &strokes, soft);
        let params = Params { model: simplified(mesh_simplify), ..params() };
        match made(&picture, &params) {
            Ok(model) => check(&model)?,
            Err(error) => prop_assert!(matches!(error.kind(), "no_object" | "no_clear_object")),
        }
    }

    #[test]
    fn noise_gives_a_closed_solid(
        size in (1_usize..24, 1_usize..24),
        alphas in prop::collection::vec(any::<u8>(), 24 * 24),
        mesh_simplify in 0.0..0.98,
    ) {
        let pixels = (0..size.0 * size.1).flat_map(|index| [90, 90, 200, alphas[index]]).collect();
        let picture = Picture::from_rgba8(size.0 as u32, size.1 as u32, pixels).unwrap();
        let params = Params { model: simplified(mesh_simplify), ..params() };
        match made(&picture, &params) {
            Ok(model) => check(&model)?,
            Err(error) => prop_assert!(matches!(error.kind(), "no_object" | "no_clear_object")),
        }
    }
}
