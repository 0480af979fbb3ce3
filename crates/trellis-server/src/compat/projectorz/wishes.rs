//! From that server's parameters to ours: its checks with its words, then what its ranges allow and ours do not.

use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;

use axum::http::StatusCode;
use serde_json::{Map, Value};
use trellis_core::{Model, ParamsPatch};

use super::super::detail::FieldProblem;
use super::failed::{Failed, of_field};

/// The fields of a form besides the pictures.
pub(super) const FIELDS: [&str; 11] = [
    "seed",
    "ss_guidance_strength",
    "ss_sampling_steps",
    "slat_guidance_strength",
    "slat_sampling_steps",
    "preview_resolution",
    "preview_frames",
    "preview_fps",
    "mesh_simplify_ratio",
    "texture_size",
    "output_format",
];
/// The video is always the same.
const WITHOUT_EFFECT: [&str; 3] = ["preview_resolution", "preview_frames", "preview_fps"];

/// The largest share of triangles that can be removed, and the sides that a texture may have.
const MOST_SIMPLIFIED: f64 = 0.98;
const TEXTURE: (i64, i64) = (512, 2048);

/// What was asked, with the defaults filled in.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Raw {
    seed: i64,
    ss_strength: f64,
    ss_steps: i64,
    slat_strength: f64,
    slat_steps: i64,
    frames: i64,
    simplify: f64,
    texture_size: i64,
    glb: bool,
    ignored: Vec<&'static str>,
}

/// What is asked of a job.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Wishes {
    pub(super) params: ParamsPatch,
    /// What was brought into range, as `name=value`.
    pub(super) adjusted: Vec<String>,
    /// What was given and has no effect.
    pub(super) ignored: Vec<&'static str>,
}

impl Raw {
    /// From a form. Every number that is none is told at once, as 422.
    pub(super) fn of_form(fields: &BTreeMap<&'static str, String>) -> Result<Self, Failed> {
        let mut reader = Reader {
            fields,
            problems: Vec::new(),
        };
        let raw = Self {
            seed: reader.whole("seed", 1),
            ss_strength: reader.number("ss_guidance_strength", 7.5),
            ss_steps: reader.whole("ss_sampling_steps", 12),
            slat_strength: reader.number("slat_guidance_strength", 3.0),
            slat_steps: reader.whole("slat_sampling_steps", 12),
            frames: reader.whole("preview_frames", 150),
            simplify: reader.number("mesh_simplify_ratio", 0.95),
            texture_size: reader.whole("texture_size", 1024),
            glb: fields
                .get("output_format")
                .is_none_or(|format| ["glb", "gltf"].contains(&format.as_str())),
            ignored: WITHOUT_EFFECT
                .into_iter()
                .filter(|name| fields.contains_key(name))
                .collect(),
        };
        reader.whole("preview_resolution", 512);
        reader.whole("preview_fps", 20);
        if reader.problems.is_empty() {
            Ok(raw)
        } else {
            Err(Failed::Fields(reader.problems))
        }
    }

    /// From the JSON of the panel. A number may also be a text, as Python's `int` takes it.
    pub(super) fn of_panel(fields: &Map<String, Value>) -> Result<Self, Failed> {
        let number = |name: &str, default: f64| match fields.get(name) {
            None => Ok(default),
            Some(value) => {
                let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
                let said = || Failed::new(StatusCode::BAD_REQUEST, format!("`{name}` is not a number"));
                number.filter(|number| number.is_finite()).ok_or_else(said)
            }
        };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "cut, as Python's `int` cuts; what is too large ends at the bounds"
        )]
        let whole = |name: &str, default: i32| number(name, default.into()).map(|number| number as i64);
        Ok(Self {
            seed: whole("seed", 1)?,
            ss_strength: number("ss_strength", 7.5)?,
            ss_steps: whole("ss_steps", 12)?,
            slat_strength: number("slat_strength", 3.0)?,
            slat_steps: whole("slat_steps", 12)?,
            frames: 150,
            simplify: number("mesh_simplify", 0.95)?,
            texture_size: whole("texture_size", 1024)?,
            glb: true,
            ignored: Vec::new(),
        })
    }

    /// Checks all, with the words that its clients know.
    pub(super) fn checked(self) -> Result<Wishes, Failed> {
        let strength = |value: f64| value > 0.0 && value <= 10.0;
        let steps = |value: i64| (1..=50).contains(&value);
        let checks = [
            (
                strength(self.ss_strength),
                "SS guidance strength must be above 0 and <= 10",
            ),
            (
                steps(self.ss_steps),
                "SS sampling steps must be above 0 and <= 50",
            ),
            (
                steps(self.slat_steps),
                "Slat sampling steps must be above 0 and <= 50",
            ),
            (
                strength(self.slat_strength),
                "Slat guidance strength must be above 0 and <= 10",
            ),
            (
                (16..=1000).contains(&self.frames),
                "Preview frames must be above 15 and <= 1000",
            ),
            (
                (0.0..=100.0).contains(&self.simplify),
                "mesh_simplify_ratio must be between 0 and 1, or between 0 and 100",
            ),
            (self.glb, "Unsupported output format"),
        ];
        if let Some((_, said)) = checks.into_iter().find(|(holds, _)| !holds) {
            return Err(Failed::new(StatusCode::BAD_REQUEST, said).nested());
        }
        let mut params = ParamsPatch::default()
            .with("ss_guidance_strength", self.ss_strength)
            .with("ss_sampling_steps", self.ss_steps)
            .with("slat_guidance_strength", self.slat_strength)
            .with("slat_sampling_steps", self.slat_steps);
        // -1 is a random one; the others are taken round the range of ours.
        if self.seed != -1 {
            params = params.with("seed", self.seed.rem_euclid(1 << 32));
        }
        let mut wishes = meshed(self.simplify, self.texture_size);
        for name in ["mesh_simplify", "texture_size"] {
            if let Some(value) = wishes.params.given(name) {
                params = params.with(name, value.clone());
            }
        }
        wishes.params = params;
        wishes.ignored = self.ignored;
        Ok(wishes)
    }
}

/// From the query of `/resume_from_preview`.
pub(super) fn of_resume(query: &HashMap<String, String>) -> Result<Wishes, Failed> {
    fn of<T: FromStr>(query: &HashMap<String, String>, name: &str, default: T) -> Result<T, Failed> {
        let Some(text) = query.get(name) else {
            return Ok(default);
        };
        text.trim()
            .parse()
            .map_err(|_| of_field("query", name, "Input should be a valid number"))
    }
    let simplify: f64 = of(query, "mesh_simplify_ratio", 0.95)?;
    if !(simplify > 0.0 && simplify <= 1.0) {
        let said = "Input should be greater than 0 and less than or equal to 1";
        return Err(of_field("query", "mesh_simplify_ratio", said));
    }
    let texture_size: i64 = of(query, "texture_size", 1024)?;
    if !(1..=4096).contains(&texture_size) {
        let said = "Input should be greater than 0 and less than or equal to 4096";
        return Err(of_field("query", "texture_size", said));
    }
    Ok(meshed(simplify, texture_size))
}

/// What both ways ask of the mesh. A ratio above 0.999 is one of 100, so that 1 is a hundredth.
fn meshed(simplify: f64, texture_size: i64) -> Wishes {
    let mut adjusted = Vec::new();
    let ratio = if simplify > 0.999 {
        simplify / 100.0
    } else {
        simplify
    };
    let simplified = ratio.min(MOST_SIMPLIFIED);
    if simplified < ratio {
        adjusted.push(format!("mesh_simplify={simplified}"));
    }
    let (least, most) = TEXTURE;
    let nearest = (texture_size.clamp(least, most) + least / 2) / least * least;
    if nearest != texture_size {
        adjusted.push(format!("texture_size={nearest}"));
    }
    Wishes {
        params: ParamsPatch::default()
            .or_model(Model::TrellisImageLarge)
            .with("mesh_simplify", simplified)
            .with("texture_size", nearest),
        adjusted,
        ignored: Vec::new(),
    }
}

/// Reads numbers and collects what is none.
struct Reader<'a> {
    fields: &'a BTreeMap<&'static str, String>,
    problems: Vec<FieldProblem>,
}

impl Reader<'_> {
    fn number(&mut self, name: &'static str, default: f64) -> f64 {
        let text = self.fields.get(name).filter(|text| !text.is_empty());
        let Some(text) = text else { return default };
        text.parse().unwrap_or_else(|_| {
            let said = "Input should be a valid number, unable to parse string as a number";
            self.problems.push(FieldProblem::new(name, "float_parsing", said));
            default
        })
    }

    /// `12.0` is a whole number, as pydantic sees it.
    fn whole(&mut self, name: &'static str, default: i64) -> i64 {
        let text = self.fields.get(name).filter(|text| !text.is_empty());
        let Some(text) = text else { return default };
        let whole = text
            .split_once('.')
            .filter(|(_, rest)| rest.bytes().all(|digit| digit == b'0'));
        whole
            .map_or(text.as_str(), |(whole, _)| whole)
            .parse()
            .unwrap_or_else(|_| {
                let said = "Input should be a valid integer, unable to parse string as an integer";
                self.problems.push(FieldProblem::new(name, "int_parsing", said));
                default
            })
    }
}
