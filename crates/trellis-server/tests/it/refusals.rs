//! Submissions that are refused, each with its reason and its fix.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::kit::{Kit, form, png, png_uri, submission};

/// What is refused: a name for the case, the status, the kind, the request.
type Case<T> = (&'static str, u16, &'static str, T);

/// A part of a form, by its name.
type Part<'a> = (&'a str, &'a [u8]);

#[tokio::test]
async fn json_that_cannot_be_used() {
    let (one, none) = (png_uri(), json!(null));
    let with_params = |params: Value| json!({"images": [png_uri()], "params": params});
    let cases: Vec<Case<Value>> = vec![
        ("no picture", 422, "no_picture", json!({"images": []})),
        (
            "too many",
            422,
            "too_many_pictures",
            json!({"images": [one, one, one, one]}),
        ),
        (
            "web address",
            422,
            "invalid_data_uri",
            json!({"images": ["https://example.org/a.png"]}),
        ),
        (
            "no picture inside",
            422,
            "picture_format",
            json!({"images": ["data:image/png;base64,aGk="]}),
        ),
        (
            "cut short",
            422,
            "picture_damaged",
            json!({"images": ["data:image/png;base64,iVBORw0KGgo="]}),
        ),
        (
            "range",
            422,
            "invalid_parameter",
            with_params(json!({"ss_sampling_steps": 51})),
        ),
        ("parameter", 422, "invalid_json", with_params(json!({"steps": 3}))),
        (
            "format",
            422,
            "unsupported",
            with_params(json!({"formats": ["turntable"]})),
        ),
        (
            "no such format",
            422,
            "unknown_format",
            with_params(json!({"formats": ["glb", "fbx"]})),
        ),
        (
            "text for a number",
            422,
            "invalid_json",
            with_params(json!({"seed": "abc"})),
        ),
        ("no field", 422, "invalid_json", json!({"params": {}})),
        ("a text for a list", 422, "invalid_json", json!({"images": one})),
        (
            "no such algorithm",
            422,
            "invalid_json",
            with_params(json!({"multiimage_algo": "mean"})),
        ),
        (
            "parameters as a list",
            422,
            "invalid_json",
            with_params(json!([])),
        ),
        ("field", 422, "invalid_json", json!({"images": [one], "extra": 1})),
        (
            "backend",
            422,
            "invalid_json",
            json!({"images": [one], "backend": "paper"}),
        ),
        (
            "a parameter beside `params`",
            422,
            "invalid_json",
            json!({"images": [one], "seed": 7}),
        ),
        (
            "too much",
            413,
            "json_too_long",
            with_params(json!({"formats": vec!["glb"; 12_000]})),
        ),
        ("body as a list", 422, "invalid_json", json!([[one], none, none])),
        ("a number", 422, "invalid_json", json!(1)),
    ];
    insta::assert_json_snapshot!(refused(cases, |body| submission(&body)).await);
}

#[tokio::test]
async fn forms_that_cannot_be_used() {
    let picture = png();
    let image: Part = ("image", &picture);
    let long = format!("{{\"formats\": [{}\"glb\"]}}", "\"glb\",".repeat(12_000)).into_bytes();
    let cases: Vec<Case<Vec<Part>>> = vec![
        ("no part", 422, "no_picture", vec![]),
        ("too many parts", 422, "too_many_pictures", vec![image; 4]),
        ("unknown part", 422, "invalid_part", vec![("photo", &picture)]),
        (
            "a parameter as a part",
            422,
            "invalid_part",
            vec![image, ("seed", b"7")],
        ),
        (
            "a parameter as a flag",
            422,
            "invalid_part",
            vec![image, ("stl-size-mm", b"50")],
        ),
        ("one format", 422, "invalid_part", vec![image, ("format", b"obj")]),
        (
            "no format",
            422,
            "invalid_parameter",
            vec![image, ("params", br#"{"formats": []}"#)],
        ),
        (
            "params empty",
            400,
            "malformed_json",
            vec![image, ("params", b"\n")],
        ),
        (
            "params compressed",
            400,
            "malformed_json",
            vec![image, ("params", b"\x1f\x8b\x08\0")],
        ),
        (
            "params in UTF-16",
            400,
            "malformed_json",
            vec![image, ("params", b"\xff\xfe{\0}\0")],
        ),
        (
            "params twice",
            422,
            "invalid_part",
            vec![("params", b"{}"), ("params", b"{}")],
        ),
        (
            "a name for the file",
            422,
            "picture_is_text",
            vec![("image", b"photo.png")],
        ),
        (
            "a path for the file",
            422,
            "picture_is_text",
            vec![("image", "./Bilder/Stühle 1.JPG\n".as_bytes())],
        ),
        (
            "no such format",
            422,
            "unknown_format",
            vec![image, ("params", br#"{"formats": ["obj2"]}"#)],
        ),
        (
            "a parameter twice",
            422,
            "invalid_json",
            vec![image, ("params", br#"{"seed": 1, "seed": 2}"#)],
        ),
        (
            "params too long",
            413,
            "json_too_long",
            vec![image, ("params", &long)],
        ),
        ("params broken", 400, "malformed_json", vec![("params", b"{")]),
        (
            "params unknown",
            422,
            "invalid_json",
            vec![image, ("params", br#"{"x": 1}"#)],
        ),
        (
            "backend unknown",
            422,
            "invalid_backend",
            vec![image, ("backend", b"paper")],
        ),
    ];
    insta::assert_json_snapshot!(refused(cases, |parts| form(&parts)).await);
}

/// Names come twice only in a text: `json!` keeps the last one.
#[tokio::test]
async fn a_field_of_json_is_given_once() {
    let kit = Kit::new();
    for (body, name) in [
        (r#"{"images": [PICTURE], "images": [PICTURE]}"#, "images"),
        (
            r#"{"images": [PICTURE], "params": {"seed": 1, "seed": 1}}"#,
            "seed",
        ),
        (r#"{"params": {}, "images": [PICTURE], "params": {}}"#, "params"),
    ] {
        let body = body.replace("PICTURE", &json!(png_uri()).to_string());
        let request = Request::post("/v1/jobs")
            .header("host", "localhost")
            .header("content-type", "application/json");
        let answer = kit.send(request.body(Body::from(body)).unwrap()).await;
        let problem = answer.assert_problem(422, "invalid_json");
        let said = format!("the body does not have the expected form: `{name}` is given twice");
        assert_eq!(problem["detail"], said);
    }
    assert_eq!(kit.state.jobs.store.stats().await.unwrap().queued, 0);
}

/// Some programs on Windows begin each text with a byte order mark.
#[tokio::test]
async fn a_byte_order_mark_is_passed_over() {
    let kit = Kit::new();
    let picture = png();
    let request = form(&[
        ("image", picture.as_ref()),
        ("params", b"\xef\xbb\xbf{\"seed\": 7}"),
    ]);
    let answer = kit.send(request).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    assert_eq!(answer.json()["params"]["seed"], 7);
}

/// Sends each case, checks its kind, and returns what was said. Nothing may be left of it.
async fn refused<T>(cases: Vec<Case<T>>, request: impl Fn(T) -> Request<Body>) -> Vec<String> {
    let kit = Kit::new();
    let mut said = Vec::new();
    for (case, status, kind, content) in cases {
        let problem = kit.send(request(content)).await.assert_problem(status, kind);
        let text = |field: &str| problem[field].as_str().unwrap();
        said.push(format!("{case}: {} | {}", text("detail"), text("fix")));
    }
    assert_eq!(kit.state.jobs.store.stats().await.unwrap().queued, 0);
    assert!(kit.state.jobs.blobs.jobs().await.unwrap().is_empty());
    said
}

/// A picture in the wrong place must not come back, nor fill the log.
#[tokio::test]
async fn a_reason_names_the_field_and_repeats_no_picture() {
    let kit = Kit::new();
    let long = "A".repeat(40_000);
    for (body, names) in [
        (json!({"images": long}), "`images`"),
        (json!({"images": [], long.as_str(): 1}), "is unknown; choose from"),
        (
            json!({"images": [png_uri()], "params": {"seed": long}}),
            "`params.seed`",
        ),
        (
            json!({"images": [png_uri()], "params": {"mesh_simplify": "0.5"}}),
            "`params.mesh_simplify`",
        ),
    ] {
        let problem = kit
            .send(submission(&body))
            .await
            .assert_problem(422, "invalid_json");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(names) && detail.len() < 1000, "{detail}");
    }
}
