//! What a job needs of the server that works on it besides its backend, and whether a server has it.
//!
//! A store keeps the needs of a waiting job as their text. There are few different texts however many jobs wait, so that
//! whoever claims looks which of them it can meet, and then for a job among those.

use serde::{Deserialize, Serialize};
use trellis_core::{Format, Sha256};

/// What a job needs. Nothing: any server will do that works on its backend.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Needs {
    /// What must be made.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub formats: Vec<Format>,
    /// So much memory a GPU must have, bytes.
    #[serde(skip_serializing_if = "is_zero")]
    pub vram_bytes: u64,
    /// The closure that must make it: the path or the hash of its Python environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closure: Option<String>,
    /// What must decode what was sampled for an earlier job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decoder: Option<Sha256>,
    /// Whether a given mesh is textured.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub mesh: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What a server can do for the jobs that it claims. `None`: whatever is needed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Ability {
    /// What it makes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub formats: Option<Vec<Format>>,
    /// The memory of its largest GPU, bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vram_bytes: Option<u64>,
    /// By what its Python environment is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closures: Option<Vec<String>>,
    /// Whose samples it decodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decoders: Option<Vec<Sha256>>,
    /// Whether it textures given meshes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meshes: Option<bool>,
}

impl Needs {
    /// The same text for the same needs.
    ///
    /// # Panics
    ///
    /// Never: they are texts and numbers, which JSON has.
    pub fn to_text(&self) -> String {
        let mut needs = self.clone();
        needs.formats.sort_by_key(|format| format.name());
        needs.formats.dedup();
        serde_json::to_string(&needs).expect("texts and numbers are JSON")
    }

    /// The needs that a text says; `None`: a newer version wrote it.
    pub fn from_text(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// Whether a server with that ability can do what a text says. What a newer version needs this one cannot judge, and leaves
    /// the job to others.
    pub fn text_is_met_by(text: &str, ability: &Ability) -> bool {
        Self::from_text(text).is_some_and(|needs| ability.meets(&needs))
    }
}

impl Ability {
    /// Whether it can do that.
    pub fn meets(&self, needs: &Needs) -> bool {
        let makes = |format: &Format| self.formats.as_ref().is_none_or(|all| all.contains(format));
        let is = |closure: &String| self.closures.as_ref().is_none_or(|all| all.contains(closure));
        let decodes = |decoder: &Sha256| self.decoders.as_ref().is_none_or(|all| all.contains(decoder));
        needs.formats.iter().all(makes)
            && self.vram_bytes.is_none_or(|vram| vram >= needs.vram_bytes)
            && needs.closure.as_ref().is_none_or(is)
            && needs.decoder.as_ref().is_none_or(decodes)
            && (!needs.mesh || self.meshes != Some(false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(change: impl Fn(&mut Needs)) -> Needs {
        let mut needs = Needs::default();
        change(&mut needs);
        needs
    }

    #[test]
    fn a_server_meets_needs_where_it_has_all_of_them() {
        let ability = Ability {
            formats: Some(vec![Format::Glb, Format::Stl]),
            vram_bytes: Some(10 << 30),
            closures: Some(vec!["/nix/store/a".to_owned(), "sha256-a".to_owned()]),
            decoders: Some(vec![Sha256::of("a")]),
            meshes: Some(false),
        };
        for (needs, met) in [
            (needs(|_| {}), true),
            (needs(|needs| needs.formats = vec![Format::Glb]), true),
            (
                needs(|needs| needs.formats = vec![Format::Glb, Format::Ply]),
                false,
            ),
            (needs(|needs| needs.vram_bytes = 10 << 30), true),
            (needs(|needs| needs.vram_bytes = (10 << 30) + 1), false),
            (needs(|needs| needs.closure = Some("sha256-a".to_owned())), true),
            (needs(|needs| needs.closure = Some("sha256-b".to_owned())), false),
            (needs(|needs| needs.decoder = Some(Sha256::of("a"))), true),
            (needs(|needs| needs.decoder = Some(Sha256::of("b"))), false),
            (needs(|needs| needs.mesh = true), false),
        ] {
            assert_eq!(ability.meets(&needs), met, "{needs:?}");
            assert_eq!(
                Needs::text_is_met_by(&needs.to_text(), &ability),
                met,
                "{needs:?}"
            );
            assert!(Ability::default().meets(&needs), "{needs:?}");
        }
    }

    #[test]
    fn the_same_needs_are_one_text_and_none_are_the_default_of_the_tables() {
        let one = needs(|needs| needs.formats = vec![Format::Stl, Format::Glb]);
        let other = needs(|needs| needs.formats = vec![Format::Glb, Format::Stl, Format::Glb]);
        assert_eq!(one.to_text(), other.to_text());
        assert_eq!(Needs::default().to_text(), "{}");
    }

    #[test]
    fn what_a_newer_version_needs_is_left_to_others() {
        for text in ["{\"moon\":\"full\"}", "{\"formats\":[\"hologram\"]}", ""] {
            assert!(!Needs::text_is_met_by(text, &Ability::default()), "{text}");
        }
    }
}
