//! What of a picture is the object, shown before anything is submitted.

use std::io::Cursor;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, header};
use image::{Rgba, RgbaImage};
use trellis_jobs::{HeavyWork, StoreStats};

use crate::kit::{Kit, Wishes, form_body, png, request};

fn form(parts: &[(&str, &[u8])]) -> Request<Body> {
    let request = request(Method::POST, "/v1/preprocess")
        .header(header::CONTENT_TYPE, "multipart/form-data; boundary=cut");
    request.body(Body::from(form_body(parts))).unwrap()
}

/// A dark square in the middle of light ground, with an alpha of its own or none.
fn picture(width: u32, height: u32, own_alpha: bool) -> Vec<u8> {
    let square = RgbaImage::from_fn(width, height, |x, y| {
        let inside = |at: u32, length: u32| (length / 4..3 * length / 4).contains(&at);
        let object = inside(x, width) && inside(y, height);
        let grey = if object { 40 } else { 240 };
        Rgba([grey, grey, grey, if own_alpha && !object { 0 } else { 255 }])
    });
    let mut bytes = Vec::new();
    square
        .write_to(&mut Cursor::new(&mut bytes), image::ImageFormat::Png)
        .unwrap();
    bytes
}

#[tokio::test]
async fn a_picture_comes_back_at_its_own_size_with_the_preview_s_mask() {
    let kit = Kit::new();
    for (own_alpha, mask) in [(false, "computed"), (true, "submitted")] {
        // Wider than the raster on which backgrounds are found.
        let (width, height) = (700, 300);
        let answer = kit
            .send(form(&[("image", &picture(width, height, own_alpha))]))
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("trellis-mask"), mask);
        assert_eq!(answer.header(header::CONTENT_TYPE), "image/png");
        assert_eq!(answer.header(header::CACHE_CONTROL), "no-store");
        let cut = image::load_from_memory(&answer.body).unwrap().into_rgba8();
        assert_eq!(cut.dimensions(), (width, height));
        assert_eq!(cut.get_pixel(350, 150), &Rgba([40, 40, 40, 255]), "{mask}");
        assert_eq!(
            cut.get_pixel(5, 290),
            &Rgba([240, 240, 240, 0]),
            "{mask}: its colour stays"
        );
        let seen = cut.pixels().filter(|pixel| pixel[3] > 127).count();
        let object = 700 * 300 / 4;
        assert!(
            (object - 2500..object + 2500).contains(&seen),
            "{mask}: {seen} of {object}"
        );
    }
    assert_eq!(
        kit.state.jobs.stats().await.unwrap(),
        StoreStats::default(),
        "no job"
    );
    assert_eq!(kit.state.jobs.staging.held_bytes(), 0, "and nothing kept");
}

#[tokio::test]
async fn what_has_no_mask_is_refused_with_the_reason() {
    let kit = Kit::new();
    let good = picture(64, 64, false);
    for (parts, status, kind) in [
        (vec![], 422, "no_picture"),
        (vec![("image", &png()[..])], 422, "no_object"),
        (
            vec![("image", b"%PDF-1.7 and more of it that is no picture".as_slice())],
            422,
            "picture_is_text",
        ),
        (vec![("image", &good[..good.len() / 2])], 422, "picture_damaged"),
        (vec![("image", &good), ("image", &good)], 422, "invalid_part"),
        (vec![("image", &good), ("params", b"{}")], 422, "invalid_part"),
    ] {
        kit.send(form(&parts)).await.assert_problem(status, kind);
    }
    let json = request(Method::POST, "/v1/preprocess").header(header::CONTENT_TYPE, "application/json");
    let json = kit.send(json.body(Body::from("{}")).unwrap()).await;
    json.assert_problem(415, "unsupported_media_type");
    let large = kit.send(form(&[("image", &vec![7; 300_000])])).await;
    large.assert_problem(413, "body_too_large");
    let limited = Kit::with(Wishes {
        jobs: trellis_jobs::JobLimits {
            max_pixels: 1_000,
            ..Wishes::default().jobs
        },
        ..Wishes::default()
    });
    limited
        .send(form(&[("image", &good)]))
        .await
        .assert_problem(422, "picture_too_large");
    assert_eq!(kit.state.jobs.staging.held_bytes(), 0);
}

#[tokio::test]
async fn while_others_are_looked_at_a_client_is_told_to_come_again_and_submissions_go_on() {
    let preprocessing = HeavyWork::new(1 << 20, Duration::from_millis(50));
    let kit = Kit::with(Wishes {
        preprocessing: preprocessing.clone(),
        ..Wishes::default()
    });
    let turn = preprocessing.turn(1 << 20).await.unwrap();
    let busy = kit.send(form(&[("image", &picture(64, 64, false))])).await;
    busy.assert_problem(503, "server_busy");
    assert!(busy.header(header::RETRY_AFTER).parse::<u16>().is_ok());
    kit.submit().await;
    drop(turn);
    let now = kit.send(form(&[("image", &picture(64, 64, false))])).await;
    assert_eq!(now.status, 200);
}
