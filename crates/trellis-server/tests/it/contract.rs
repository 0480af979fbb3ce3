//! The contract as a golden file: a change of it shows in review.

use std::collections::BTreeSet;

use serde_json::json;
use trellis_core::{Given, Kind, MeshFormat, Model, Params, PictureFormat};
use trellis_jobs::JobLimits;

use crate::kit::{Kit, Wishes};

fn kit_taking(max_images: usize) -> Kit {
    let jobs = JobLimits {
        max_images,
        ..Wishes::default().jobs
    };
    Kit::with(Wishes {
        jobs,
        ..Wishes::default()
    })
}

#[tokio::test]
async fn what_is_served_says_how_many_pictures_are_taken() {
    for max_images in [1, 32] {
        let served = kit_taking(max_images).get("/openapi.json").await.json();
        let schemas = &served["components"]["schemas"];
        for (schema, field) in [("SubmissionForm", "image"), ("SubmissionJson", "images")] {
            let field = &schemas[schema]["properties"][field];
            assert_eq!(
                (&field["minItems"], &field["maxItems"]),
                (&json!(1), &json!(max_images)),
                "{schema}"
            );
        }
    }
}

#[tokio::test]
async fn what_is_served_is_the_golden_contract() {
    // The limit that `limits.images_per_job` has unless it is set.
    let served = kit_taking(16).get("/openapi.json").await;
    assert_eq!(served.header("content-type"), "application/json");
    insta::assert_snapshot!("openapi.json", served.text());
}

#[test]
fn every_operation_has_a_summary_and_lists_its_problems() {
    let contract = serde_json::to_value(trellis_server::openapi(16)).unwrap();
    for (path, item) in contract["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(
                operation["summary"].as_str().is_some_and(|text| !text.is_empty()),
                "{method} {path}"
            );
            for (status, answer) in operation["responses"].as_object().unwrap() {
                if status.as_str() >= "400" && path != "/v1/health/ready" {
                    let shape = &answer["content"]["application/problem+json"]["schema"]["$ref"];
                    assert_eq!(shape, "#/components/schemas/Problem", "{method} {path} {status}");
                }
            }
        }
    }
}

/// In what is asked of each model.
#[test]
fn parameters_have_the_ranges_and_defaults_that_they_are_checked_by() {
    let contract = serde_json::to_value(trellis_server::openapi(16)).unwrap();
    let schemas = &contract["components"]["schemas"];
    for model in Model::ALL {
        let of_model = |schema: &&serde_json::Value| {
            schema["properties"]["model"]["enum"] == serde_json::json!([model.name()])
        };
        let properties = &schemas.as_object().unwrap().values().find(of_model).unwrap()["properties"];
        let all: Vec<_> = Params::PARAMETERS.iter().chain(model.parameters()).collect();
        assert_eq!(properties.as_object().unwrap().len(), all.len());
        for parameter in all.into_iter().filter(|parameter| parameter.name != "model") {
            let property = &properties[parameter.name];
            match parameter.kind {
                Kind::Whole {
                    least, most, step, ..
                } => {
                    assert_eq!(
                        (&property["minimum"], &property["maximum"]),
                        (&least.into(), &most.into())
                    );
                    let multiple = property
                        .get("multipleOf")
                        .map_or(Some(1), serde_json::Value::as_i64);
                    assert_eq!(multiple, Some(step), "{}", parameter.name);
                }
                Kind::Real { least, most, .. } => {
                    let range = (property["minimum"].as_f64(), property["maximum"].as_f64());
                    assert_eq!(range, (Some(least), Some(most)), "{}", parameter.name);
                }
                Kind::Flag { .. } | Kind::Choice { .. } | Kind::Interval { .. } | Kind::Formats => {}
            }
            let default = parameter.kind.default().map(|default| match default {
                Given::Whole(value) => value.into(),
                Given::Real(value) => value.into(),
                Given::Flag(value) => value.into(),
                Given::Name(value) => value.into(),
                Given::Interval(value) => serde_json::to_value(value).unwrap(),
                Given::Formats(value) => serde_json::to_value(value).unwrap(),
            });
            assert_eq!(property.get("default"), default.as_ref(), "{}", parameter.name);
        }
    }
}

/// Requests and jobs of all models have one form, in which nothing is refused that a model takes.
#[test]
fn a_request_of_any_model_fits_the_contract() {
    let contract = serde_json::to_value(trellis_server::openapi(16)).unwrap();
    for schema in ["Params", "ParamsPatch"] {
        let schema = &contract["components"]["schemas"][schema];
        let properties = schema["properties"].as_object().unwrap();
        let names: BTreeSet<&str> = Params::names().iter().map(|parameter| parameter.name).collect();
        assert_eq!(
            properties.keys().map(String::as_str).collect::<BTreeSet<_>>(),
            names
        );
        for parameter in Model::ALL.iter().flat_map(|model| model.parameters()) {
            let property = &properties[parameter.name];
            if let Kind::Whole {
                least, most, step, ..
            } = parameter.kind
            {
                assert!(property["minimum"].as_i64() <= Some(least), "{}", parameter.name);
                assert!(property["maximum"].as_i64() >= Some(most), "{}", parameter.name);
                let multiple = property["multipleOf"].as_i64().unwrap_or(1);
                assert_eq!((step % multiple, least % multiple), (0, 0), "{}", parameter.name);
            }
        }
        let required = schema["required"].as_array().into_iter().flatten();
        for name in required.filter_map(serde_json::Value::as_str) {
            for model in Model::ALL {
                let mut own = Params::PARAMETERS.iter().chain(model.parameters());
                assert!(own.any(|parameter| parameter.name == name), "{name}");
            }
        }
    }
}

/// Whatever is read can be sent, and is given back as what it is.
#[test]
fn the_contract_lists_every_picture_format() {
    let contract = serde_json::to_value(trellis_server::openapi(16)).unwrap();
    let answers = &contract["paths"]["/v1/jobs/{id}/input/{index}"]["get"]["responses"];
    for status in ["200", "206"] {
        let listed: Vec<&str> = answers[status]["content"]
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        // The object's names come sorted.
        let pictures = PictureFormat::ALL.map(PictureFormat::media_type);
        let meshes = MeshFormat::ALL.map(MeshFormat::media_type);
        let mut read = [&pictures[..], &meshes[..]].concat();
        read.sort_unstable();
        assert_eq!(listed, read, "{status}");
    }
    let schemas = &contract["components"]["schemas"];
    for (schema, field) in [("SubmissionForm", "image"), ("SubmissionJson", "images")] {
        let text = schemas[schema]["properties"][field]["description"]
            .as_str()
            .unwrap();
        assert!(text.contains(PictureFormat::LISTED), "{schema}: {text}");
        let mesh = schemas[schema]["properties"]["mesh"].to_string();
        assert!(mesh.contains(MeshFormat::LISTED), "{schema}: {mesh}");
    }
}
