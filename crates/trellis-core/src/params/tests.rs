use std::collections::BTreeSet;
use std::mem;

use proptest::prelude::*;

use super::*;

fn of_json(text: &str) -> ParamsPatch {
    serde_json::from_str(text).unwrap()
}

#[test]
fn defaults_are_trellis_own() {
    let params = Model::ALL.map(|model| ParamsPatch::default().or_model(model).resolve(7).unwrap());
    insta::assert_json_snapshot!(params);
}

#[test]
fn an_error_names_field_value_and_range() {
    let texts: Vec<String> = [
        r#"{"seed": -1}"#,
        r#"{"seed": 4294967296}"#,
        r#"{"ss_sampling_steps": 0}"#,
        r#"{"slat_sampling_steps": 51}"#,
        r#"{"ss_guidance_strength": 10.5}"#,
        r#"{"slat_guidance_strength": -0.1}"#,
        r#"{"stl_size_mm": 0}"#,
        r#"{"stl_size_mm": 10000.5}"#,
        r#"{"mesh_simplify": 0.99}"#,
        r#"{"texture_size": 1000}"#,
        r#"{"formats": []}"#,
        r#"{"model": "trellis2-4b", "resolution": 640}"#,
        r#"{"model": "trellis2-4b", "texture_size": 512}"#,
        r#"{"model": "trellis2-4b", "tex_slat_guidance_interval": [0.9, 0.6]}"#,
        r#"{"model": "trellis2-4b", "mesh_simplify": 0.5}"#,
        r#"{"resolution": 512}"#,
    ]
    .iter()
    .map(|text| of_json(text).resolve(0).unwrap_err().to_string())
    .collect();
    insta::assert_json_snapshot!(texts);
}

/// A value at each end of a range and one beyond it.
fn ends(kind: Kind) -> Vec<(Given, bool)> {
    match kind {
        Kind::Whole {
            least, most, step, ..
        } => [
            (least, true),
            (most, true),
            (least - 1, false),
            (most + step, false),
        ]
        .map(|(value, allowed)| (Given::Whole(value), allowed))
        .to_vec(),
        Kind::Real { least, most, .. } => [
            (least, true),
            (most, true),
            (least - 0.01, false),
            (most + 0.01, false),
            (f64::NAN, false),
        ]
        .map(|(value, allowed)| (Given::Real(value), allowed))
        .to_vec(),
        Kind::Flag { .. } => vec![(Given::Flag(true), true), (Given::Flag(false), true)],
        Kind::Choice { names, .. } => {
            let all = names.iter().map(|name| (Given::Name(name), true));
            all.chain([(Given::Name("other"), false)]).collect()
        }
        Kind::Interval { .. } => [
            ([0.0, 1.0], true),
            ([0.5, 0.5], true),
            ([0.6, 0.5], false),
            ([-0.1, 1.0], false),
            ([0.0, 1.1], false),
            ([f64::NAN, 1.0], false),
        ]
        .map(|(value, allowed)| (Given::Interval(value), allowed))
        .to_vec(),
        Kind::Formats => vec![
            (Given::Formats(Format::ALL.to_vec()), true),
            (Given::Formats(vec![]), false),
        ],
    }
}

/// Those of a model with those of all.
fn table(model: Model) -> impl Iterator<Item = &'static Parameter> {
    Params::PARAMETERS.iter().chain(model.parameters())
}

#[test]
fn each_parameter_is_held_to_its_table() {
    for model in Model::ALL {
        for parameter in table(model) {
            let wrong_type = match parameter.kind {
                Kind::Choice { .. } => Given::Whole(1),
                _ => Given::Name("x"),
            };
            for (value, allowed) in ends(parameter.kind).into_iter().chain([(wrong_type, false)]) {
                let asked = ParamsPatch::default()
                    .with(parameter.name, value.clone())
                    .or_model(model);
                match asked.resolve(0) {
                    Ok(_) => assert!(allowed, "{}: {value}", parameter.name),
                    Err(error) => {
                        assert!(!allowed, "{error}");
                        assert_eq!(error.field, parameter.name);
                        let range = parameter.kind.range().unwrap_or_default();
                        assert!(error.allowed.contains(&range), "{error}");
                    }
                }
            }
        }
    }
}

/// The same name in two models is of the same type, because a request is read before its model is known.
#[test]
fn no_name_has_two_meanings() {
    let choices = |kind: Kind| match kind {
        Kind::Choice { names, .. } => Some(names),
        _ => None,
    };
    for model in Model::ALL {
        let mut seen = BTreeSet::new();
        for parameter in table(model) {
            assert!(seen.insert(parameter.name), "`{}` is there twice", parameter.name);
            let name = Params::names().iter().find(|name| name.name == parameter.name);
            let kind = name.unwrap().kind();
            assert_eq!(mem::discriminant(&kind), mem::discriminant(&parameter.kind));
            assert_eq!(choices(kind), choices(parameter.kind), "{}", parameter.name);
        }
        let params = ParamsPatch::default().or_model(model).resolve(0).unwrap();
        let json = serde_json::to_value(&params).unwrap();
        let fields: BTreeSet<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(fields, seen);
        assert_eq!(serde_json::from_value::<Params>(json.clone()).unwrap(), params);
        assert_eq!(
            serde_json::from_value::<ParamsPatch>(json)
                .unwrap()
                .resolve(0)
                .unwrap(),
            params
        );
    }
}

#[test]
fn a_name_of_several_models_says_what_each_of_them_takes() {
    let said = |name: &str| {
        let name = Params::names().iter().find(|one| one.name == name).unwrap();
        (name.sentence(), name.default_in_words())
    };
    let (sentence, default) = said("texture_size");
    assert_eq!(
        sentence,
        "Side of the texture in pixels: 512, 1024, 1536 or 2048; for `trellis2-4b` 1024, 2048, 3072 or 4096"
    );
    assert_eq!(default.unwrap(), "1024; for `trellis2-4b` 2048");
    assert_eq!(
        said("slat_sampling_steps").0,
        "Sampler steps for the structured latent, 1 to 50 (`trellis-image-large` alone)"
    );
    let steps = (
        "Sampler steps for the sparse structure, 1 to 50".to_owned(),
        Some("12".to_owned()),
    );
    assert_eq!(said("ss_sampling_steps"), steps);
}

#[test]
fn the_model_may_be_named_and_must_be_known() {
    let named = of_json(r#"{"model": "trellis-image-large", "seed": 3}"#)
        .resolve(0)
        .unwrap();
    assert_eq!(named, ParamsPatch::default().resolve(3).unwrap());
    assert_eq!(named.model.model(), Model::DEFAULT);
    let error = serde_json::from_str::<ParamsPatch>(r#"{"model": "trellis-9"}"#).unwrap_err();
    assert_eq!(
        crate::plain_words(&error.to_string()),
        "`trellis-9` is unknown; choose from `trellis-image-large`, `trellis2-4b`"
    );
}

/// As they stand in jobs and in records inside of GLBs that earlier versions wrote.
#[test]
fn parameters_of_before_the_model_and_the_size_of_an_stl_still_parse() {
    let old = r#"{"seed": 7, "ss_sampling_steps": 12, "ss_guidance_strength": 7.5, "slat_sampling_steps": 12,
        "slat_guidance_strength": 3.0, "multiimage_algo": "stochastic", "mesh_simplify": 0.95,
        "texture_size": 1024, "formats": ["glb"], "remove_background": true}"#;
    let usual = ParamsPatch::default()
        .with("quality", "exact")
        .resolve(7)
        .unwrap();
    assert_eq!(serde_json::from_str::<Params>(old).unwrap(), usual);
    // A request that is repeated gets what it would get now.
    assert_eq!(
        of_json(old).resolve(0).unwrap(),
        ParamsPatch::default().resolve(7).unwrap()
    );
    let later = serde_json::to_string(&usual).unwrap();
    assert_eq!(serde_json::from_str::<Params>(&later).unwrap(), usual);
    assert_eq!(of_json(&later).resolve(0).unwrap(), usual);
}

/// What an `Idempotency-Key` stands for is a digest of this text, also across an update of the server.
#[test]
fn a_request_is_written_as_it_always_was() {
    let text = concat!(
        r#"{"seed":1,"ss_sampling_steps":3,"ss_guidance_strength":7.0,"slat_sampling_steps":4,"#,
        r#""slat_guidance_strength":2.5,"multiimage_algo":"multidiffusion","mesh_simplify":0.5,"#,
        r#""texture_size":512,"stl_size_mm":30.0,"formats":["stl","glb"],"remove_background":false}"#
    );
    assert_eq!(serde_json::to_string(&of_json(text)).unwrap(), text);
    assert_eq!(serde_json::to_string(&ParamsPatch::default()).unwrap(), "{}");
    let whole = of_json(r#"{"ss_guidance_strength": 7, "seed": null}"#);
    assert_eq!(
        serde_json::to_string(&whole).unwrap(),
        r#"{"ss_guidance_strength":7.0}"#
    );
}

#[test]
fn a_warm_up_takes_the_defaults_but_for_its_size() {
    for model in Model::ALL {
        let quick = Params::warm_up(model, &Defaults::default());
        let usual = ParamsPatch::default()
            .with("model", model.name())
            .resolve(1)
            .unwrap();
        assert_eq!(quick.model.model(), model);
        let least = if model == Model::TrellisImageLarge {
            512
        } else {
            1024
        };
        assert_eq!(quick.texture_size(), least);
        let own = Params {
            model: quick.model.clone(),
            ..usual
        };
        assert_eq!(quick, own);
    }
    let defaults = Defaults {
        quality: Quality::Exact,
    };
    let ModelParams::TrellisImageLarge(own) = Params::warm_up(Model::TrellisImageLarge, &defaults).model
    else {
        panic!("another model")
    };
    assert_eq!((own.ss_sampling_steps, own.ss_guidance_strength), (4, 7.5));
    assert_eq!(own.quality, Quality::Exact);
    let ModelParams::Trellis2(own) = Params::warm_up(Model::Trellis2, &defaults).model else {
        panic!("another model")
    };
    assert_eq!((own.resolution, own.tex_slat_sampling_steps), (512, 4));
}

#[test]
fn what_a_server_decides_holds_where_nothing_is_asked_for() {
    let quality = |patch: ParamsPatch| {
        let ModelParams::TrellisImageLarge(own) = patch.resolve(0).unwrap().model else {
            panic!("another model")
        };
        own.quality
    };
    let exact = Defaults {
        quality: Quality::Exact,
    };
    assert_eq!(quality(ParamsPatch::default()), Quality::Balanced);
    assert_eq!(quality(ParamsPatch::default().or(&exact)), Quality::Exact);
    let draft = ParamsPatch::default().with("quality", Quality::Draft);
    assert_eq!(quality(draft.clone()), Quality::Draft);
    assert_eq!(quality(draft.or(&exact)), Quality::Draft);
    let error = serde_json::from_str::<ParamsPatch>(r#"{"quality": "best"}"#).unwrap_err();
    assert_eq!(
        crate::plain_words(&error.to_string()),
        "`best` is unknown; choose from `draft`, `balanced`, `exact`"
    );
    let second = |defaults: Defaults| {
        let asked = ParamsPatch::default().or_model(Model::Trellis2);
        let ModelParams::Trellis2(own) = asked.or(&defaults).resolve(0).unwrap().model else {
            panic!("another model")
        };
        own.quality
    };
    assert_eq!(second(exact), Quality::Exact);
    assert_eq!(second(Defaults::default()), Quality::Balanced);
}

#[test]
fn unknown_parameters_and_repeated_ones_are_refused() {
    for text in [r#"{"steps": 3}"#, r#"{"seed": 3, "seed": 4}"#, "[3]"] {
        assert!(serde_json::from_str::<ParamsPatch>(text).is_err(), "{text}");
    }
    let error = ParamsPatch::default().with("steps", 3).resolve(0).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`steps` is 3: `trellis-image-large` has no such parameter"
    );
}

#[test]
fn formats_are_asked_for_once_each() {
    let asked = ParamsPatch::default().with("formats", vec![Format::Stl, Format::Glb, Format::Stl]);
    assert_eq!(asked.resolve(0).unwrap().formats, [Format::Stl, Format::Glb]);
}

proptest! {
    #[test]
    fn whatever_passes_is_in_range(seed in any::<i64>(), steps in any::<i64>(), simplify in any::<f64>(), random in any::<u32>()) {
        let patch = ParamsPatch::default().with("seed", seed).with("ss_sampling_steps", steps).with("mesh_simplify", simplify);
        if let Ok(params) = patch.resolve(random) {
            let ModelParams::TrellisImageLarge(own) = params.model else { panic!("another model") };
            prop_assert_eq!(i64::from(params.seed), seed);
            prop_assert!((1..=50).contains(&own.ss_sampling_steps));
            prop_assert!((0.0..=0.98).contains(&own.mesh_simplify));
        }
        let drawn = ParamsPatch::default().resolve(random).unwrap();
        prop_assert!(drawn.seed <= 2_147_483_647);
    }
}
