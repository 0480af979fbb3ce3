//! Bodies that are refused, or make room, before they are whole.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Method, Request, header};
use futures::{StreamExt as _, stream};
use tokio::sync::mpsc;
use trellis_jobs::HeavyWork;

use crate::kit::{Kit, Wishes, form, form_body, png, request};

/// A form that never ends: these parts, and then the beginning of another one called `last`.
fn unfinished(parts: &[(&str, &[u8])], last: &str) -> Request<Body> {
    let mut start = form_body(parts);
    start.truncate(start.len() - "--cut--\r\n".len());
    let head = format!("--cut\r\ncontent-disposition: form-data; name=\"{last}\"\r\n\r\nxx");
    start.extend_from_slice(head.as_bytes());
    sent(stream::iter([Bytes::from(start)]).chain(stream::pending()))
}

fn sent(parts: impl stream::Stream<Item = Bytes> + Send + 'static) -> Request<Body> {
    request(Method::POST, "/v1/jobs")
        .header(header::CONTENT_TYPE, "multipart/form-data; boundary=cut")
        .body(Body::from_stream(parts.map(Ok::<_, std::io::Error>)))
        .unwrap()
}

/// On the paused clock a body that is waited for ends with 408.
#[tokio::test(start_paused = true)]
async fn the_first_wrong_part_is_refused_before_it_is_sent() {
    let kit = Kit::new();
    let picture = png();
    let image: (&str, &[u8]) = ("image", &picture);
    for (request, kind) in [
        (unfinished(&[], "seed"), "invalid_part"),
        (unfinished(&[image; 3], "image"), "too_many_pictures"),
        (
            unfinished(&[("image", b"no picture \0")], "image"),
            "picture_format",
        ),
        (unfinished(&[("params", b"{")], "image"), "malformed_json"),
    ] {
        let answer = kit.send(request).await;
        assert!(answer.text().contains(kind), "{kind}: {}", answer.text());
    }
    assert_eq!(kit.state.jobs.staging.held_bytes(), 0);
}

#[tokio::test]
async fn a_backend_s_name_does_not_come_in_megabytes() {
    let kit = Kit::with(Wishes {
        limits: trellis_server::HttpLimits::default(),
        ..Wishes::default()
    });
    let answer = kit.send(form(&[("backend", &vec![b' '; 2 << 20])])).await;
    let problem = answer.assert_problem(422, "invalid_part");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("longer than"), "{detail}");
}

#[tokio::test]
async fn a_submission_that_takes_no_end_makes_room_for_others() {
    let picture = png();
    let kit = Kit::with(Wishes {
        staged_bytes: 2_000,
        ..Wishes::default()
    });
    let (more, parts) = mpsc::channel::<Bytes>(1);
    let parts = stream::unfold(parts, async |mut parts| Some((parts.recv().await?, parts)));
    let head = "--cut\r\ncontent-disposition: form-data; name=\"image\"; filename=\"a\"\r\n\r\n";
    let start = [head.as_bytes(), &[0; 1_990]].concat();
    more.send(start.into()).await.unwrap();
    let staging = kit.state.jobs.staging.clone();
    let others = async {
        while staging.held_bytes() < 1_900 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        kit.send(form(&[("image", &picture)])).await
    };
    let (slow, other) = tokio::join!(kit.send(sent(parts)), others);
    slow.assert_problem(503, "server_busy");
    assert_eq!(slow.header(header::RETRY_AFTER), "10");
    assert_eq!(other.status, 202, "{}", other.text());
    drop(more);
}

#[tokio::test(start_paused = true)]
async fn pictures_that_nobody_can_look_at_are_refused_in_time() {
    let kit = Kit::with(Wishes {
        heavy_work: HeavyWork::new(1 << 20, Duration::from_secs(20)),
        ..Wishes::default()
    });
    let _turn = kit.state.jobs.heavy_work.turn(u64::MAX).await.unwrap();
    let answer = kit.send(form(&[("image", &png())])).await;
    answer.assert_problem(503, "server_busy");
    assert_eq!(answer.header(header::RETRY_AFTER), "10");
}
