//! A mesh that is to be textured, as a part of a form and as JSON.

use base64::Engine as _;
use serde_json::{Value, json};
use trellis_backend::Readiness;

use crate::kit::{Kit, Wishes, form, png, png_uri, submission};

const OBJ: &[u8] = b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n";

fn kit() -> Kit {
    Kit::with(Wishes {
        trellis: Some(|| Readiness::Ready),
        ..Wishes::default()
    })
}

fn uri(content: &[u8]) -> String {
    let content = base64::engine::general_purpose::STANDARD.encode(content);
    format!("data:model/obj;base64,{content}")
}

#[tokio::test]
async fn a_form_and_json_submit_the_same_mesh() {
    let kit = kit();
    let before = form(&[("mesh", OBJ), ("image", &png())]);
    let after = form(&[("image", &png()), ("mesh", OBJ)]);
    let as_json = submission(&json!({"mesh": uri(OBJ), "images": [png_uri()], "backend": "trellis"}));
    for request in [before, after, as_json] {
        let answer = kit.send(request).await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        let job = answer.json();
        assert_eq!(
            (&job["backend"], &job["params"]["model"]),
            (&json!("trellis"), &json!("trellis2-4b"))
        );
        let inputs = job["inputs"].as_array().unwrap();
        assert_eq!(inputs.len(), 2);
        assert_eq!(inputs[0]["format"], "png");
        let mesh = &inputs[1];
        assert_eq!(
            (&mesh["format"], &mesh["vertices"], &mesh["triangles"]),
            (&json!("obj"), &json!(3), &json!(1))
        );
        assert_eq!(mesh["size_bytes"], OBJ.len());
        let path = format!("/v1/jobs/{}/input/1", job["id"].as_str().unwrap());
        let file = kit.get(&path).await;
        assert_eq!(
            (file.status.as_u16(), file.header("content-type")),
            (200, "model/obj")
        );
        assert!(file.header("content-disposition").starts_with("attachment"));
        assert_eq!(file.text().as_bytes(), OBJ);
    }
}

#[tokio::test]
async fn what_cannot_be_used_is_refused_with_the_reason() {
    let kit = kit();
    let with = |mesh: Value| json!({"images": [png_uri()], "mesh": mesh});
    for (body, kind, said) in [
        (
            with(json!("chair.glb")),
            "invalid_data_uri",
            "`mesh` is not a data URI",
        ),
        (with(json!(7)), "invalid_json", "`mesh`"),
        (with(json!(uri(b"solid"))), "mesh_format", "this is an STL file"),
        (
            with(json!(uri(b"v 0 0 0\nf 1 1 9\n"))),
            "mesh_damaged",
            "the OBJ is damaged",
        ),
        (
            json!({"images": [], "mesh": uri(OBJ)}),
            "no_picture",
            "there is no picture",
        ),
        (
            json!({"images": [png_uri()], "mesh": uri(OBJ), "params": {"resolution": 1536}}),
            "invalid_parameter",
            "a mesh is textured at 512 or 1024",
        ),
        (
            json!({"images": [png_uri()], "mesh": uri(OBJ), "backend": "relief"}),
            "unsupported",
            "`relief` does not texture meshes",
        ),
    ] {
        let problem = kit.send(submission(&body)).await.assert_problem(422, kind);
        assert!(problem["detail"].as_str().unwrap().contains(said), "{problem}");
    }
    let null = kit.send(submission(&with(Value::Null))).await;
    assert_eq!(null.json()["inputs"].as_array().unwrap().len(), 1);
    let named = kit.send(form(&[("image", &png()), ("mesh", b"chair.glb")])).await;
    let problem = named.assert_problem(422, "invalid_part");
    assert!(
        problem["detail"].as_str().unwrap().contains("-F mesh=@chair.glb"),
        "{problem}"
    );
    let twice = kit.send(form(&[("mesh", OBJ), ("mesh", OBJ)])).await;
    twice.assert_problem(422, "too_many_meshes");
}

#[tokio::test]
async fn the_version_says_who_textures_and_what_can_be_asked_then() {
    let version = kit().get("/v1/version").await.json();
    let backends = version["backends"].as_array().unwrap();
    let [texturing] = &backends
        .iter()
        .filter_map(|backend| backend.get("texturing"))
        .collect::<Vec<_>>()[..]
    else {
        panic!("one of them textures: {version}")
    };
    assert_eq!(texturing["meshes"], json!(["glb", "obj", "ply"]));
    assert_eq!(texturing["formats"], json!(["glb", "obj", "voxels"]));
    assert_eq!(texturing["max_resolution"], 1024);
    let names = texturing["parameters"].as_array().unwrap();
    assert!(names.contains(&json!("texture_size")) && !names.contains(&json!("remesh")));
}

#[tokio::test]
async fn a_server_that_makes_previews_alone_textures_nothing() {
    let kit = Kit::new();
    let version = kit.get("/v1/version").await.json();
    assert!(!version.to_string().contains("texturing"), "{version}");
    let answer = kit.send(form(&[("image", &png()), ("mesh", OBJ)])).await;
    answer.assert_problem(422, "unsupported");
}
