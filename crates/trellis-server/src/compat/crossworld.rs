//! The dialect of the client in k0sti/crossworld (`crates/tools/trellis`), whose setup notes this project answers:
//! `GET /health` and `POST /generate`, a picture in, bare lists of vertices with colours out.
//!
//! Source: its `types.rs` and `client.rs`. Its parameters are TRELLIS.2's; those that the model here does not have are
//! taken, and named in a header of the answer.

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use trellis_backend::{Backend, Route};
use trellis_core::{BackendChoice, Demand, Format, Job, Model, ParamsPatch};
use trellis_jobs::Asked;

use super::detail::Refusal;
use super::made::made;
use super::result;
use crate::AppState;
use crate::extract::{Caller, QueryOf};
use crate::submit::json::{Rest, Shape};

/// Names the parameters that were taken and have no effect.
const IGNORED: HeaderName = HeaderName::from_static("trellis-ignored");

const SHAPE: Shape = Shape {
    pictures: "image",
    mesh: None,
    single: true,
    bare: true,
    names: None,
};

/// Whether the server can work, in its client's words.
#[derive(Debug, Serialize)]
pub(crate) struct Health {
    /// `ready`, `loading` or `error`.
    status: &'static str,
    trellis_available: bool,
    gpu_available: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    gpu_name: Option<String>,
    model_loaded: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// `GET /health`. The client takes only `ready` with a loaded model for an answer, so a preview says so too, and what it
/// is stands in the GPU's name.
pub(crate) async fn health(State(state): State<AppState>) -> Json<Health> {
    let (status, backend, error) = match route(&state) {
        Route::Now(backend) => ("ready", Some(backend), None),
        Route::Wait(backend) => ("loading", Some(backend), None),
        Route::Never(failure) => (
            "error",
            None,
            Some(format!("{}; {}", failure.message, failure.fix)),
        ),
    };
    let real = backend.filter(|backend| !backend.capabilities().preview);
    let gpu = real.as_ref().and_then(|backend| gpu_name(backend.as_ref()));
    Json(Health {
        status,
        trellis_available: real.is_some(),
        gpu_available: gpu.is_some(),
        gpu_name: match (status, &real) {
            ("ready", None) => Some("none: outline preview".to_owned()),
            _ => gpu,
        },
        model_loaded: status == "ready",
        error,
    })
}

fn gpu_name(backend: &dyn Backend) -> Option<String> {
    backend.workers().into_iter().find_map(|worker| worker.gpu_name)
}

fn route(state: &AppState) -> Route {
    let usual = Demand::new(BackendChoice::Auto, state.registry.default_model());
    state.registry.route(usual, &[Format::Glb])
}

/// What `?` may ask for.
#[derive(Debug, Deserialize)]
pub(crate) struct Wishes {
    /// The GLB's bytes as a list of numbers, three times as long as they are.
    #[serde(default)]
    glb_data: Option<String>,
}

/// A mesh in the client's form.
#[derive(Debug, Serialize)]
struct MeshResult {
    vertices: Vec<[f32; 3]>,
    faces: Vec<[u32; 3]>,
    vertex_colors: Vec<[f32; 3]>,
    vertex_normals: Vec<[f32; 3]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    glb_data: Option<Vec<u8>>,
    /// Where the GLB can be fetched.
    glb_url: String,
}

/// `POST /generate`: makes a job, waits for it and answers with its mesh.
pub(crate) async fn generate(
    State(state): State<AppState>,
    Caller(owner): Caller,
    QueryOf(wishes): QueryOf<Wishes>,
    request: Request,
) -> Result<Response, Refusal> {
    // The client sends the request again where the answer says so.
    if let Route::Wait(_) = route(&state) {
        let said = "the model is still loading; send the request again soon".to_owned();
        return Err(Refusal::Sentence(StatusCode::SERVICE_UNAVAILABLE, said));
    }
    let model = state.registry.default_model();
    let read = |rest: &Rest| read(rest, model);
    let (job, ignored) = made(&state, &owner, request, SHAPE, read).await?;
    let glb = result::file(&state.jobs, &owner, &job, Format::Glb).await?;
    let with_glb = wishes.glb_data.is_some_and(|wish| wish != "0");
    let body = tokio::task::spawn_blocking(move || body(&job, glb, with_glb)).await;
    let body = body.map_err(|_| Refusal::internal("the result cannot be read"))?;
    let json = HeaderValue::from_static("application/json");
    let mut answer = ([(header::CONTENT_TYPE, json)], Body::from(body?)).into_response();
    if let Ok(names) = HeaderValue::try_from(ignored.join(", "))
        && !names.is_empty()
    {
        answer.headers_mut().insert(IGNORED, names);
    }
    Ok(answer)
}

fn body(job: &Job, glb: Vec<u8>, with_glb: bool) -> Result<Vec<u8>, Refusal> {
    let mesh = trellis_convert::mesh(&glb).map_err(|error| Refusal::internal(&error.to_string()))?;
    let name = job
        .artifacts
        .iter()
        .find(|artifact| artifact.format == Format::Glb);
    let name = name.map_or("model.glb", |artifact| artifact.name.as_str());
    let result = MeshResult {
        vertices: mesh.vertices,
        faces: mesh.triangles,
        vertex_colors: mesh.colours,
        vertex_normals: mesh.normals,
        glb_data: with_glb.then_some(glb),
        glb_url: format!("/v1/jobs/{}/artifacts/{name}", job.id),
    };
    serde_json::to_vec(&result).map_err(|error| Refusal::internal(&error.to_string()))
}

/// Fields that are whole numbers, and what TRELLIS-image-large calls them: its one latent is their shape.
const WHOLE: [(&str, Option<&str>); 5] = [
    ("seed", Some("seed")),
    ("resolution", None),
    ("ss_sampling_steps", Some("ss_sampling_steps")),
    ("shape_slat_sampling_steps", Some("slat_sampling_steps")),
    ("tex_slat_sampling_steps", None),
];
/// The same of numbers.
const REAL: [(&str, Option<&str>); 3] = [
    ("ss_guidance_strength", Some("ss_guidance_strength")),
    ("shape_slat_guidance_strength", Some("slat_guidance_strength")),
    ("tex_slat_guidance_strength", None),
];

/// What the fields ask of a model, and which of them it does not have. They are TRELLIS.2's own.
fn read(rest: &Rest, model: Model) -> Result<(Asked, Vec<&'static str>), Refusal> {
    if rest.pictures.is_none() {
        return Err(unprocessable(
            "`image` is missing: send a picture in base64 or as a data URI".to_owned(),
        ));
    }
    let mut patch = ParamsPatch::default()
        .or_model(model)
        .with("formats", vec![Format::Glb]);
    let mut ignored = Vec::new();
    let mut asked = |(field, first): (&'static str, Option<&'static str>)| {
        let value = given(&rest.fields, field)?;
        let parameter = match model {
            Model::Trellis2 => Some(field),
            Model::TrellisImageLarge => first,
        };
        if parameter.is_none() {
            ignored.push(field);
        }
        Some((field, parameter?, value))
    };
    for (field, parameter, value) in WHOLE.into_iter().filter_map(&mut asked) {
        // Its resolution is a text.
        let number = value.as_i64().or_else(|| value.as_str()?.parse().ok());
        let number = number.ok_or_else(|| unprocessable(format!("`{field}` is not a whole number")))?;
        patch = patch.with(parameter, number);
    }
    for (field, parameter, value) in REAL.into_iter().filter_map(&mut asked) {
        let number = value
            .as_f64()
            .ok_or_else(|| unprocessable(format!("`{field}` is not a number")))?;
        patch = patch.with(parameter, number);
    }
    let asked = Asked {
        params: patch,
        ..Asked::default()
    };
    Ok((asked, ignored))
}

fn given<'a>(fields: &'a Map<String, Value>, field: &str) -> Option<&'a Value> {
    fields.get(field).filter(|value| !value.is_null())
}

fn unprocessable(said: String) -> Refusal {
    Refusal::Sentence(StatusCode::UNPROCESSABLE_ENTITY, said)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(fields: Value) -> Result<(Asked, Vec<&'static str>), Refusal> {
        of_model(fields, Model::TrellisImageLarge)
    }

    fn of_model(fields: Value, model: Model) -> Result<(Asked, Vec<&'static str>), Refusal> {
        let Value::Object(fields) = fields else {
            panic!("an object")
        };
        let rest = Rest {
            fields,
            mesh: false,
            pictures: Some(1),
        };
        read(&rest, model)
    }

    #[test]
    fn a_server_of_trellis_2_takes_its_fields_as_they_are() {
        let fields = json!({
            "seed": 7, "resolution": "512", "ss_sampling_steps": 10, "shape_slat_sampling_steps": 20,
            "tex_slat_guidance_strength": 3.0,
        });
        let (asked, ignored) = of_model(fields, Model::Trellis2).unwrap();
        assert!(ignored.is_empty(), "{ignored:?}");
        let params = asked.params.resolve(0).unwrap();
        let trellis_core::ModelParams::Trellis2(own) = &params.model else {
            panic!("another model")
        };
        assert_eq!((params.seed, own.resolution, own.ss_sampling_steps), (7, 512, 10));
        assert_eq!(
            (own.shape_slat_sampling_steps, own.tex_slat_guidance_strength),
            (20, 3.0)
        );
    }

    #[test]
    fn its_shape_stage_is_our_structured_latent_and_the_rest_is_named() {
        let (asked, ignored) = of(json!({
            "seed": 7, "resolution": "1024", "ss_guidance_strength": 5.0, "ss_sampling_steps": 10,
            "shape_slat_guidance_strength": 2.5, "shape_slat_sampling_steps": 20,
            "tex_slat_guidance_strength": 3.0, "tex_slat_sampling_steps": 12,
        }))
        .unwrap();
        let params = asked.params.resolve(0).unwrap();
        let trellis_core::ModelParams::TrellisImageLarge(own) = &params.model else {
            panic!("another model")
        };
        assert_eq!(
            (params.seed, own.ss_sampling_steps, own.slat_sampling_steps),
            (7, 10, 20)
        );
        assert_eq!((own.ss_guidance_strength, own.slat_guidance_strength), (5.0, 2.5));
        assert_eq!(
            ignored,
            [
                "resolution",
                "tex_slat_sampling_steps",
                "tex_slat_guidance_strength"
            ]
        );
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for fields in [json!({ "seed": "x" }), json!({ "ss_guidance_strength": [] })] {
            assert!(of(fields).is_err());
        }
        assert!(of(json!({ "seed": null })).unwrap().1.is_empty());
    }
}
