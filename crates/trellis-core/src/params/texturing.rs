//! What can be asked of a job that textures a given mesh: its shape is given, so only the texture is sampled.

use serde::Serialize;

use super::parameter::{Given, ParamError};
use super::{Model, Params, ParamsPatch};
use crate::{Format, MeshFormat};

/// What such a job is made as: the mesh with its texture, and what is converted from that.
const FORMATS: [Format; 3] = [Format::Glb, Format::Obj, Format::Voxels];
/// Beginnings of the names of what is about the shape.
const OF_THE_SHAPE: [&str; 6] = [
    "ss_",
    "shape_slat_",
    "max_num_tokens",
    "decimation_target",
    "remesh",
    "stl_size_mm",
];
/// The finest grid that a mesh is textured in.
const FINEST: i64 = 1024;

/// What can be asked of a job that textures a given mesh.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Texturing {
    /// The formats of a mesh that are read.
    meshes: &'static [MeshFormat],
    /// The formats that the textured mesh is made as.
    formats: &'static [Format],
    /// The names of the parameters that apply; others may only have their defaults.
    parameters: Vec<&'static str>,
    /// The largest `resolution`.
    max_resolution: i64,
}

impl Texturing {
    /// What holds for every job of the model that textures meshes.
    pub fn of_a_mesh() -> Self {
        let all = Params::PARAMETERS
            .iter()
            .chain(Model::Trellis2.parameters())
            .map(|parameter| parameter.name);
        Self {
            meshes: &MeshFormat::ALL,
            formats: &FORMATS,
            parameters: all
                .filter(|name| *name != "texture" && !is_about_the_shape(name))
                .collect(),
            max_resolution: FINEST,
        }
    }
}

fn is_about_the_shape(field: &str) -> bool {
    OF_THE_SHAPE.iter().any(|beginning| field.starts_with(beginning))
}

impl ParamsPatch {
    /// Asks for texturing a given mesh: of the model that does so, where none is named. Fails where something is asked for
    /// that such a job has not; a default is as good as absent, so that all parameters of a job may be sent again.
    pub fn for_a_mesh(&self) -> Result<Self, ParamError> {
        let usual = Self::default().or_model(Model::Trellis2);
        let is_usual = |field: &&'static str, value: &Given| {
            let with_it = usual.clone().with(field, value.clone());
            with_it.resolve(0).ok() == usual.resolve(0).ok()
        };
        let refused = self.given.iter().find_map(|(field, value)| {
            let allowed = refusal(field, value).filter(|_| !is_usual(field, value))?;
            Some(ParamError {
                field,
                value: value.to_string(),
                allowed,
            })
        });
        match refused {
            Some(error) => Err(error),
            None => Ok(self.clone().or_model(Model::Trellis2)),
        }
    }
}

/// Why a parameter cannot be asked for together with a mesh.
fn refusal(field: &str, value: &Given) -> Option<String> {
    match (field, value) {
        ("model", Given::Name(name)) if *name != Model::Trellis2.name() => {
            Some(format!("only `{}` textures a mesh", Model::Trellis2.name()))
        }
        ("texture", Given::Flag(false)) => Some("a mesh is sent to be textured".to_owned()),
        ("resolution", Given::Whole(side)) if *side > FINEST => {
            Some(format!("a mesh is textured at 512 or {FINEST}"))
        }
        ("formats", Given::Formats(formats)) if formats.iter().any(|format| !FORMATS.contains(format)) => {
            let listed = FORMATS.map(|format| format!("`{format}`")).join(", ");
            Some(format!("a textured mesh is made as {listed}"))
        }
        _ => is_about_the_shape(field).then(|| "it changes the shape, and the mesh keeps its own".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_about_the_shape_is_refused() {
        let asked = ParamsPatch::default;
        for (patch, said) in [
            (
                asked().with("model", "trellis-image-large"),
                "`model` is trellis-image-large: only `trellis2-4b` textures a mesh",
            ),
            (
                asked().with("resolution", 1536),
                "`resolution` is 1536: a mesh is textured at 512 or 1024",
            ),
            (
                asked().with("formats", vec![Format::Glb, Format::Ply]),
                "`formats` is glb, ply: a textured mesh is made as `glb`, `obj`, `voxels`",
            ),
            (
                asked().with("texture", false),
                "`texture` is false: a mesh is sent to be textured",
            ),
            (
                asked().with("remesh", false),
                "`remesh` is false: it changes the shape, and the mesh keeps its own",
            ),
        ] {
            assert_eq!(patch.for_a_mesh().unwrap_err().to_string(), said);
        }
        let every = Model::Trellis2
            .parameters()
            .iter()
            .map(|parameter| parameter.name);
        let shape: Vec<&str> = every.filter(|name| is_about_the_shape(name)).collect();
        assert_eq!(shape.len(), 13, "{shape:?}");
        assert_eq!(
            Texturing::of_a_mesh().parameters,
            [
                "seed",
                "model",
                "voxel_resolution",
                "formats",
                "remove_background",
                "resolution",
                "tex_slat_sampling_steps",
                "tex_slat_guidance_strength",
                "tex_slat_guidance_rescale",
                "tex_slat_guidance_interval",
                "tex_slat_rescale_t",
                "multiimage_algo",
                "quality",
                "texture_size",
                "texture_format"
            ]
        );
    }

    #[test]
    fn all_parameters_of_a_job_may_be_sent_again() {
        let first = ParamsPatch::default()
            .with("texture_size", 4096)
            .for_a_mesh()
            .unwrap();
        let params = first.resolve(3).unwrap();
        let again = serde_json::to_value(&params).unwrap();
        let again: ParamsPatch = serde_json::from_value(again).unwrap();
        assert_eq!(again.for_a_mesh().unwrap().resolve(0), Ok(params));
    }

    #[test]
    fn the_model_is_the_one_that_textures() {
        let params = ParamsPatch::default().with("tex_slat_sampling_steps", 20);
        let params = params.for_a_mesh().unwrap().resolve(1).unwrap();
        assert_eq!(params.model.model(), Model::Trellis2);
    }
}
