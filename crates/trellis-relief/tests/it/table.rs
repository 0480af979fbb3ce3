//! The mask against the truth: each object before each background, at several sizes.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::backdrops::judged;
use crate::scenes::*;

/// The least overlap of mask and truth.
const LEAST_OVERLAP: f64 = 0.97;

fn objects() -> Vec<(&'static str, Object)> {
    vec![
        ("mug", mug([180.0, 40.0, 40.0])),
        ("doughnut", doughnut([190.0, 120.0, 60.0])),
        ("chair", chair([130.0, 80.0, 40.0])),
        ("ball", ball([40.0, 90.0, 190.0])),
        ("person", person([252.0, 252.0, 252.0])),
        ("lantern", lantern()),
        ("robot", robot()),
        (
            "label",
            labelled([180.0, 40.0, 40.0], [247.0, 246.0, 245.0], 0.34),
        ),
        (
            "label at the outline",
            labelled([180.0, 40.0, 40.0], [244.0, 243.0, 242.0], 0.25),
        ),
    ]
}

fn cloth(x: f64, y: f64) -> Colour {
    let weave = 6.0 * (x * 700.0).sin() * (y * 700.0).cos();
    [150.0 + weave, 165.0 + weave, 190.0 + weave]
}

fn studios() -> Vec<(&'static str, Studio)> {
    let soft = Shadow {
        across: 0.7,
        flat: 0.35,
        foot: 0.86,
        blur: 0.04,
        depth: 0.4,
    };
    let close = Shadow {
        blur: 0.015,
        depth: 0.3,
        ..soft
    };
    let hard = Shadow {
        blur: 0.0,
        depth: 0.35,
        ..soft
    };
    vec![
        ("white", Studio::plain([255.0; 3])),
        ("white jpeg", Studio::plain([254.0; 3]).jpeg(75)),
        ("grey", Studio::plain([176.0, 176.0, 180.0])),
        ("grey noise", Studio::plain([150.0; 3]).noise(6.0)),
        ("dark", Studio::plain([24.0, 26.0, 30.0]).noise(2.0).jpeg(85)),
        ("green", Studio::plain([60.0, 170.0, 80.0]).jpeg(90)),
        (
            "gradient",
            Studio::new(|x, y| [235.0 - 50.0 * y, 235.0 - 40.0 * y, 240.0 - 20.0 * x]).noise(2.0),
        ),
        (
            "vignette",
            Studio::new(|x, y| [240.0 - 90.0 * ((x - 0.5).powi(2) + (y - 0.5).powi(2)); 3]).noise(1.5),
        ),
        ("cloth", Studio::new(cloth).jpeg(85)),
        (
            "floor and wall",
            Studio::new(|_, y| {
                if y < 0.7 {
                    [200.0, 205.0, 209.0]
                } else {
                    [151.0, 130.0, 111.0]
                }
            })
            .jpeg(85),
        ),
        ("soft shadow", Studio::plain([240.0; 3]).shadow(soft).jpeg(88)),
        ("close shadow", Studio::plain([240.0; 3]).shadow(close)),
        ("hard shadow", Studio::plain([240.0; 3]).shadow(hard)),
        (
            "shadow on beige",
            Studio::plain([222.0, 200.0, 170.0]).shadow(soft).jpeg(90),
        ),
        (
            "hard shadow on beige",
            Studio::plain([222.0, 200.0, 170.0]).shadow(hard).noise(2.0),
        ),
    ]
}

/// What is wrong in the table of these objects before all backgrounds, at so many pixels along each side.
fn table(side: u32, shown: &(dyn Fn(&str) -> bool + Sync)) -> Vec<String> {
    let row = |number: usize| {
        let (background, studio) = studios().swap_remove(number);
        let studio = studio.sized(side);
        let mut wrong = Vec::new();
        for (name, object) in objects().into_iter().filter(|(name, _)| shown(name)) {
            // Its middle has the very colour of that wall.
            if (background, name) == ("grey noise", "robot") {
                continue;
            }
            let (share, notes) = judged(&studio.shot(&object));
            if share < LEAST_OVERLAP {
                wrong.push(format!(
                    "{name} before {background} at {side}: {share:.3}, {notes:?}"
                ));
            }
        }
        wrong
    };
    let next = AtomicUsize::new(0);
    let rows = || -> Vec<String> {
        let numbers = std::iter::from_fn(|| Some(next.fetch_add(1, Ordering::Relaxed)));
        numbers
            .take_while(|number| *number < studios().len())
            .flat_map(row)
            .collect()
    };
    std::thread::scope(|scope| {
        let others = scope.spawn(rows);
        let mut wrong = rows();
        wrong.extend(others.join().expect("the other half is judged, too"));
        wrong
    })
}

#[test]
fn objects_are_told_from_their_backgrounds() {
    for side in [240, 320] {
        let wrong = table(side, &|_| true);
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}

#[test]
fn objects_are_told_from_their_backgrounds_at_full_size() {
    let wrong = table(512, &|name| {
        matches!(name, "mug" | "chair" | "doughnut" | "lantern")
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
}
