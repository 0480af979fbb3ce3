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
use super::{Model, MultiImageAlgorithm, ParameterName, Params, ParamsPatch, TextureFormat};
use crate::Format;

impl PartialSchema for Params {
    fn schema() -> RefOr<Schema> {
        let object =
            ObjectBuilder::new().description(Some("Checked parameters of one job, nothing left open."));
        let object = Self::names().iter().fold(object, |object, parameter| {
            let object = object.property(parameter.name, property(&parameter.into(), false));
            // What only some models have is absent for the others.
            match parameter.models() {
                None => object.required(parameter.name),
                Some(_) => object,
            }
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
        let object = Params::names().iter().fold(object, |object, parameter| {
            object.property(parameter.name, property(&parameter.into(), true))
        });
        object.into()
    }
}

impl ToSchema for ParamsPatch {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        named(schemas);
    }
}

/// The schemas that properties refer to, and for each model one of what it takes.
fn named(schemas: &mut Vec<(String, RefOr<Schema>)>) {
    schemas.push((<Format as ToSchema>::name().into_owned(), Format::schema()));
    schemas.push((
        <MultiImageAlgorithm as ToSchema>::name().into_owned(),
        MultiImageAlgorithm::schema(),
    ));
    schemas.push((<Quality as ToSchema>::name().into_owned(), Quality::schema()));
    schemas.push((
        <TextureFormat as ToSchema>::name().into_owned(),
        TextureFormat::schema(),
    ));
    for model in Model::ALL {
        schemas.push((model.schema_name().to_owned(), of_model(model)));
    }
}

/// What jobs for this model may ask: `ParamsPatch` with the ranges and defaults of one model.
fn of_model(model: Model) -> RefOr<Schema> {
    let about = format!("What jobs for the model `{}` may ask.", model.name());
    let object = ObjectBuilder::new()
        .description(Some(about))
        .additional_properties(Some(AdditionalProperties::FreeForm(false)));
    let own = model.parameters();
    let all = Params::names().iter().filter_map(|name| {
        let mut table = own.iter().chain(Params::PARAMETERS);
        table.find(|parameter| parameter.name == name.name)
    });
    let object = all.fold(object, |object, parameter| {
        let property = match parameter.name {
            "model" => ObjectBuilder::new()
                .schema_type(SchemaType::new(Type::String))
                .enum_values(Some([model.name()]))
                .into(),
            _ => property(&Described::from(parameter), true),
        };
        object.property(parameter.name, property)
    });
    object.into()
}

/// A parameter, of one model or of all.
struct Described {
    kind: Kind,
    /// What is taken where none is given, if that is one value.
    default: Option<Given>,
    /// The same in words.
    defaults: Option<String>,
    sentence: String,
}

impl From<&ParameterName> for Described {
    fn from(parameter: &ParameterName) -> Self {
        Self {
            kind: parameter.kind(),
            default: parameter.default(),
            defaults: parameter.default_in_words(),
            sentence: parameter.sentence(),
        }
    }
}

impl From<&Parameter> for Described {
    fn from(parameter: &Parameter) -> Self {
        let default = parameter.kind.default();
        Self {
            kind: parameter.kind,
            defaults: default.as_ref().map(ToString::to_string),
            default,
            sentence: parameter.sentence(),
        }
    }
}

/// A parameter as a property; one that is asked for may be left out or `null`.
fn property(parameter: &Described, asked: bool) -> RefOr<Schema> {
    let typed = |one: Type| {
        if asked {
            [one, Type::Null].into_iter().collect()
        } else {
            SchemaType::new(one)
        }
    };
    let default = parameter.default.clone().filter(|_| asked).map(json);
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
        Kind::Interval { .. } => {
            let number = ObjectBuilder::new()
                .schema_type(SchemaType::new(Type::Number))
                .minimum(Some(0.0))
                .maximum(Some(1.0));
            let two = ArrayBuilder::new()
                .schema_type(typed(Type::Array))
                .items(number)
                .min_items(Some(2))
                .max_items(Some(2));
            return two.description(about).default(default).into();
        }
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

fn described(parameter: &Described, asked: bool) -> String {
    let sentence = &parameter.sentence;
    if !asked {
        return format!("{sentence}.");
    }
    match (&parameter.default, &parameter.defaults) {
        (Some(default @ (Given::Name(_) | Given::Formats(_))), _) => format!("{sentence} (`{default}`)."),
        (Some(default), _) => format!("{sentence} ({default})."),
        (None, Some(defaults)) => format!("{sentence}; absent: {defaults}."),
        (None, None) => {
            let without = parameter.kind.without_default().unwrap_or_default();
            format!("{sentence}; absent: {without}, which the job then shows.")
        }
    }
}

fn json(given: Given) -> Value {
    match given {
        Given::Whole(value) => json!(value),
        Given::Real(value) => json!(value),
        Given::Flag(value) => json!(value),
        Given::Name(value) => json!(value),
        Given::Interval(value) => json!(value),
        Given::Formats(value) => json!(value),
    }
}
