//! The parameters in the HTTP contract, made from the tables.

use serde_json::{Value, json};
use utoipa::openapi::schema::{
    AdditionalProperties, ArrayBuilder, KnownFormat, ObjectBuilder, OneOfBuilder, SchemaFormat, SchemaType,
    Type,
};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::parameter::{Given, Kind, Parameter};
use super::quality::Quality;
use super::{MultiImageAlgorithm, Params, ParamsPatch};
use crate::Format;

impl PartialSchema for Params {
    fn schema() -> RefOr<Schema> {
        let object =
            ObjectBuilder::new().description(Some("Checked parameters of one job, nothing left open."));
        let shared = |parameter: &Parameter| Params::PARAMETERS.contains(parameter);
        let all = Self::of_all_models();
        let object = all.fold(object, |object, parameter| {
            let object = object.property(parameter.name, property(parameter, false));
            // What only some models have is absent for the others.
            if shared(parameter) || super::Model::ALL.len() == 1 {
                return object.required(parameter.name);
            }
            object
        });
        object.into()
    }
}

impl ToSchema for Params {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        named(schemas);
    }
}

impl PartialSchema for ParamsPatch {
    fn schema() -> RefOr<Schema> {
        let about = "Parameters as somebody asks for them; what is absent takes its default.";
        let object = ObjectBuilder::new()
            .description(Some(about))
            .additional_properties(Some(AdditionalProperties::FreeForm(false)));
        let all = Params::of_all_models();
        let object = all.fold(object, |object, parameter| {
            object.property(parameter.name, property(parameter, true))
        });
        object.into()
    }
}

impl ToSchema for ParamsPatch {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        named(schemas);
    }
}

/// The schemas that properties refer to.
fn named(schemas: &mut Vec<(String, RefOr<Schema>)>) {
    schemas.push((<Format as ToSchema>::name().into_owned(), Format::schema()));
    schemas.push((
        <MultiImageAlgorithm as ToSchema>::name().into_owned(),
        MultiImageAlgorithm::schema(),
    ));
    schemas.push((<Quality as ToSchema>::name().into_owned(), Quality::schema()));
}

/// A parameter as a property; one that is asked for may be left out or `null`.
fn property(parameter: &Parameter, asked: bool) -> RefOr<Schema> {
    let typed = |one: Type| {
        if asked {
            [one, Type::Null].into_iter().collect()
        } else {
            SchemaType::new(one)
        }
    };
    let default = parameter.kind.default().filter(|_| asked).map(json);
    let about = Some(described(parameter, asked));
    let object = ObjectBuilder::new();
    match parameter.kind {
        Kind::Whole {
            least, most, step, ..
        } => object
            .schema_type(typed(Type::Integer))
            .format(Some(SchemaFormat::KnownFormat(if asked {
                KnownFormat::Int64
            } else {
                KnownFormat::Int32
            })))
            .minimum(Some(least))
            .maximum(Some(most))
            .multiple_of((step > 1).then_some(step)),
        Kind::Real { least, most, .. } => object
            .schema_type(typed(Type::Number))
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Double)))
            .minimum(Some(least))
            .maximum(Some(most)),
        Kind::Flag { .. } => object.schema_type(typed(Type::Boolean)),
        Kind::Formats => {
            let formats = ArrayBuilder::new()
                .schema_type(typed(Type::Array))
                .items(Ref::from_schema_name(<Format as ToSchema>::name()))
                .min_items(Some(1));
            return formats.description(about).default(default).into();
        }
        Kind::Choice {
            schema: Some(schema), ..
        } => {
            let names = Ref::builder()
                .ref_location_from_schema_name(schema)
                .description(about);
            if !asked {
                return names.into();
            }
            let null = ObjectBuilder::new().schema_type(Type::Null);
            let either = OneOfBuilder::new().item(names.build()).item(null);
            return either.default(default).into();
        }
        Kind::Choice { names, .. } => {
            let null = asked.then_some(Value::Null);
            let names = names.iter().map(|name| json!(name)).chain(null);
            object.schema_type(typed(Type::String)).enum_values(Some(names))
        }
    }
    .description(about)
    .default(default)
    .into()
}

fn described(parameter: &Parameter, asked: bool) -> String {
    match parameter.kind.default().filter(|_| asked) {
        Some(default @ (Given::Name(_) | Given::Formats(_))) => {
            format!("{} (`{default}`).", parameter.sentence())
        }
        Some(default) => format!("{} ({default}).", parameter.sentence()),
        None => match parameter.kind.without_default().filter(|_| asked) {
            Some(words) => format!(
                "{}; absent: {words}, which the job then shows.",
                parameter.sentence()
            ),
            None => format!("{}.", parameter.sentence()),
        },
    }
}

fn json(given: Given) -> Value {
    match given {
        Given::Whole(value) => json!(value),
        Given::Real(value) => json!(value),
        Given::Flag(value) => json!(value),
        Given::Name(value) => json!(value),
        Given::Formats(value) => json!(value),
    }
}
