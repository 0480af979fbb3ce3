//! NVIDIA's NIM for TRELLIS: `POST /v1/infer` and what its clients ask beside it.
//!
//! Source: NVIDIA's API reference `microsoft-trellis-infer`; where its container is known to differ, the wider is
//! taken. One request, one answer: the job is waited for, and cancelled where the client hangs up.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Map, Value, json};
use trellis_core::{Format, Model, MultiImageAlgorithm, ParamsPatch};
use trellis_jobs::Asked;
use utoipa::openapi::schema::Schema;

use super::detail::{Detail, FieldProblem, Refusal};
use super::made::made;
use super::result;
use crate::AppState;
use crate::contract::AccessProblems;
use crate::extract::Caller;
use crate::problem::ProblemBody;
use crate::submit::json::{Rest, Shape};

/// As the reference has them.
const STEPS: (i64, i64, i64) = (10, 50, 25);

/// What is asked of `/v1/infer`.
pub(crate) struct Object3DRequest;

/// Written by hand: clients of NIM look for the allowed values inside `anyOf`, as pydantic writes optional fields.
impl utoipa::PartialSchema for Object3DRequest {
    fn schema() -> utoipa::openapi::RefOr<Schema> {
        let optional = |value: Value| json!({ "anyOf": [value, { "type": "null" }] });
        let guidance = |default: f64| json!({ "type": "number", "exclusiveMinimum": 1, "maximum": 10, "default": default });
        let (fewest, most, usual) = STEPS;
        let steps = json!({ "type": "integer", "minimum": fewest, "maximum": most, "default": usual });
        let picture = json!({ "type": "string", "format": "picture-data-uri" });
        let algorithms = MultiImageAlgorithm::ALL.map(MultiImageAlgorithm::name);
        let schema = json!({
            "type": "object",
            "description": "A request of NVIDIA's NIM for TRELLIS",
            "properties": {
                "mode": optional(json!({ "type": "string", "enum": ["image"] })),
                "prompt": optional(json!({ "type": "string", "description": "Not supported: pictures only" })),
                "image": {
                    "description": "A picture as a data URI; several are views of one object",
                    "anyOf": [picture, { "type": "array", "items": picture, "minItems": 1 }, { "type": "null" }],
                },
                "multiimage_algo": optional(json!({ "type": "string", "enum": algorithms })),
                "ss_cfg_scale": guidance(7.5),
                "slat_cfg_scale": guidance(3.0),
                "ss_sampling_steps": steps,
                "slat_sampling_steps": steps,
                "samples": { "type": "integer", "minimum": 1, "maximum": 1, "default": 1 },
                "seed": { "type": "integer", "minimum": 0, "maximum": u32::MAX, "default": 0, "description": "0: a random one" },
                "no_texture": { "type": "boolean", "default": false },
                "output_format": optional(json!({ "type": "string", "enum": ["glb", "stl"], "default": "glb" })),
            },
            "additionalProperties": false,
        });
        serde_json::from_value(schema).expect("a schema: a test reads it")
    }
}

impl utoipa::ToSchema for Object3DRequest {}

/// The answer of `/v1/infer`.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Object3DResponse {
    /// Exactly one.
    artifacts: [Object3DArtifact; 1],
}

/// A result.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Object3DArtifact {
    /// The file in base64.
    base64: String,
    /// `SUCCESS`.
    #[serde(rename = "finishReason")]
    finish_reason: &'static str,
    /// The seed that was used.
    seed: u32,
}

/// Where its pictures are.
const SHAPE: Shape = Shape {
    pictures: "image",
    mesh: None,
    single: true,
    bare: false,
    names: None,
};

/// Make an asset, for clients of NVIDIA's NIM
///
/// Answers once it is made. A client that hangs up before has it cancelled.
#[utoipa::path(
    post,
    path = "/infer",
    tag = "nim",
    operation_id = "nim_infer",
    request_body(content = Object3DRequest),
    responses(
        (status = 200, description = "The asset", body = Object3DResponse),
        (status = "4XX", description = "What is wrong with the request or its picture", content(
            (Detail = "application/json"),
            (ProblemBody = "application/problem+json"),
        )),
        AccessProblems,
        (status = "5XX", description = "Why the asset could not be made", content(
            (Detail = "application/json"),
            (ProblemBody = "application/problem+json"),
        )),
    ),
)]
pub(crate) async fn infer(
    State(state): State<AppState>,
    Caller(owner): Caller,
    request: Request,
) -> Result<Json<Object3DResponse>, Refusal> {
    let read = |rest: &Rest| read(&rest.fields, rest.pictures.unwrap_or(0));
    let (job, format) = made(&state, &owner, request, SHAPE, read).await?;
    let file = result::file(&state.jobs, &owner, &job, format).await?;
    let encoded = tokio::task::spawn_blocking(move || STANDARD.encode(file)).await;
    let artifact = Object3DArtifact {
        base64: encoded.map_err(|_| Refusal::internal("the result cannot be read"))?,
        finish_reason: "SUCCESS",
        seed: job.params.seed,
    };
    Ok(Json(Object3DResponse {
        artifacts: [artifact],
    }))
}

/// Reads the fields but for the pictures, of which `pictures` came, and which format the answer holds.
fn read(fields: &Map<String, Value>, pictures: usize) -> Result<(Asked, Format), Refusal> {
    let mut reader = Reader {
        fields,
        problems: Vec::new(),
    };
    let prompt = fields.get("prompt").is_some_and(|value| !value.is_null());
    let text = reader.name("mode", &["image", "text"]) == Some("text");
    match (pictures > 0, prompt) {
        (true, true) => return Err(unprocessable("Multiple prompt fields are detected")),
        (false, false) if !text => return Err(unprocessable("Input needs to be either image or prompt")),
        _ if text || prompt => {
            return Err(unprocessable(
                "the model that runs here makes assets from pictures, not from text: send `image`",
            ));
        }
        _ => {}
    }
    let (fewest, most, usual) = STEPS;
    let mut patch = ParamsPatch::default()
        .or_model(Model::TrellisImageLarge)
        .with("ss_guidance_strength", reader.guidance("ss_cfg_scale", 7.5))
        .with("slat_guidance_strength", reader.guidance("slat_cfg_scale", 3.0))
        .with(
            "ss_sampling_steps",
            reader.whole("ss_sampling_steps", fewest, most).unwrap_or(usual),
        )
        .with(
            "slat_sampling_steps",
            reader.whole("slat_sampling_steps", fewest, most).unwrap_or(usual),
        );
    if let Some(algorithm) = reader.name(
        "multiimage_algo",
        &MultiImageAlgorithm::ALL.map(MultiImageAlgorithm::name),
    ) {
        patch = patch.with("multiimage_algo", algorithm);
    }
    reader.whole("samples", 1, 1);
    // 0 is a random one.
    if let Some(seed) = reader.whole("seed", 0, u32::MAX.into()).filter(|seed| *seed > 0) {
        patch = patch.with("seed", seed);
    }
    if let Some(without) = reader.flag("no_texture") {
        patch = patch.with("texture", !without);
    }
    let format = match reader.name("output_format", &["glb", "stl"]) {
        Some("stl") => Format::Stl,
        _ => Format::Glb,
    };
    reader.refuse_others();
    if !reader.problems.is_empty() {
        return Err(Refusal::Fields(reader.problems));
    }
    let asked = Asked {
        params: patch.with("formats", vec![format]),
        ..Asked::default()
    };
    Ok((asked, format))
}

fn unprocessable(said: &str) -> Refusal {
    Refusal::Sentence(StatusCode::UNPROCESSABLE_ENTITY, said.to_owned())
}

/// Reads fields and collects what is wrong with them. `null` is as good as absent.
struct Reader<'a> {
    fields: &'a Map<String, Value>,
    problems: Vec<FieldProblem>,
}

impl Reader<'_> {
    fn given(&self, field: &str) -> Option<&Value> {
        self.fields.get(field).filter(|value| !value.is_null())
    }

    fn refuse<T>(&mut self, field: &str, kind: &'static str, said: String) -> Option<T> {
        self.problems.push(FieldProblem::new(field, kind, said));
        None
    }

    fn whole(&mut self, field: &str, least: i64, most: i64) -> Option<i64> {
        let value = self.given(field)?;
        // 25.0 is a whole number, as pydantic sees it.
        let number = value.as_i64().or_else(|| {
            let number = value.as_f64().filter(|number| number.fract() == 0.0)?;
            format!("{number}").parse().ok()
        });
        match number {
            Some(number) if (least..=most).contains(&number) => Some(number),
            Some(_) => self.refuse(
                field,
                "value_error",
                format!("Input should be from {least} to {most}"),
            ),
            None => self.refuse(field, "int_parsing", "Input should be a valid integer".to_owned()),
        }
    }

    fn guidance(&mut self, field: &str, usual: f64) -> f64 {
        let Some(value) = self.given(field) else {
            return usual;
        };
        match value.as_f64() {
            Some(number) if number > 1.0 && number <= 10.0 => number,
            Some(_) => {
                let said = "Input should be greater than 1 and at most 10".to_owned();
                self.refuse(field, "value_error", said).unwrap_or(usual)
            }
            None => {
                let said = "Input should be a valid number".to_owned();
                self.refuse(field, "float_parsing", said).unwrap_or(usual)
            }
        }
    }

    fn flag(&mut self, field: &str) -> Option<bool> {
        let value = self.given(field)?;
        match value.as_bool() {
            Some(flag) => Some(flag),
            None => self.refuse(
                field,
                "bool_parsing",
                "Input should be a valid boolean".to_owned(),
            ),
        }
    }

    fn name(&mut self, field: &str, names: &[&'static str]) -> Option<&'static str> {
        let value = self.given(field)?;
        let known = value
            .as_str()
            .and_then(|given| names.iter().copied().find(|name| *name == given));
        match known {
            Some(name) => Some(name),
            None => self.refuse(
                field,
                "literal_error",
                format!("Input should be '{}'", names.join("' or '")),
            ),
        }
    }

    fn refuse_others(&mut self) {
        const KNOWN: [&str; 12] = [
            "mode",
            "prompt",
            "image",
            "multiimage_algo",
            "ss_cfg_scale",
            "slat_cfg_scale",
            "ss_sampling_steps",
            "slat_sampling_steps",
            "samples",
            "seed",
            "no_texture",
            "output_format",
        ];
        for field in self
            .fields
            .keys()
            .filter(|field| !KNOWN.contains(&field.as_str()))
        {
            let field: String = field.chars().take(64).collect();
            let said = "Extra inputs are not permitted".to_owned();
            self.problems
                .push(FieldProblem::new(&field, "extra_forbidden", said));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fields: Value) -> Result<(Asked, Format), Refusal> {
        let Value::Object(fields) = fields else {
            panic!("an object")
        };
        read(&fields, 1)
    }

    #[test]
    fn what_is_absent_or_null_takes_the_defaults_of_the_reference() {
        for fields in [
            json!({}),
            json!({ "seed": null, "mode": null, "output_format": null, "prompt": null }),
        ] {
            let (asked, format) = of(fields).unwrap();
            let params = asked.params.resolve(5).unwrap();
            let trellis_core::ModelParams::TrellisImageLarge(own) = &params.model else {
                panic!("another model")
            };
            assert_eq!((own.ss_sampling_steps, own.slat_sampling_steps), (25, 25));
            assert_eq!((own.ss_guidance_strength, own.slat_guidance_strength), (7.5, 3.0));
            assert_eq!(params.seed, 5);
            assert_eq!((format, params.texture), (Format::Glb, true));
        }
    }

    #[test]
    fn without_a_texture_none_is_made() {
        let (asked, _) = of(json!({ "no_texture": true })).unwrap();
        assert!(!asked.params.resolve(0).unwrap().texture);
    }

    #[test]
    fn seed_0_is_a_random_one() {
        let (asked, _) = of(json!({ "seed": 0 })).unwrap();
        assert_eq!(asked.params.resolve(9).unwrap().seed, 9);
        let (asked, _) = of(json!({ "seed": 1 })).unwrap();
        assert_eq!(asked.params.resolve(9).unwrap().seed, 1);
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let fields = json!({ "seed": -1, "samples": 2, "ss_cfg_scale": 1, "no_texture": "x", "colour": 1, "mode": "x" });
        let Err(Refusal::Fields(problems)) = of(fields) else {
            panic!("refused")
        };
        let fields: Vec<&str> = problems.iter().map(|problem| problem.loc[1].as_str()).collect();
        assert_eq!(
            fields,
            ["mode", "ss_cfg_scale", "samples", "seed", "no_texture", "colour"]
        );
    }

    #[test]
    fn the_schema_is_one() {
        let schema = serde_json::to_value(<Object3DRequest as utoipa::PartialSchema>::schema()).unwrap();
        assert_eq!(schema["properties"]["samples"]["maximum"], 1);
        assert_eq!(schema["properties"]["mode"]["anyOf"][0]["enum"], json!(["image"]));
    }
}
