//! What is known of a source tree once it was fetched.

/// The attributes of a fetched tree, as `builtins.fetchTree` gives them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FlakeRefOutput {
    /// Its store path.
    pub out_path: String,
    /// SRI hash of its NAR.
    pub nar_hash: String,
    /// Seconds since 1970.
    pub last_modified: Option<u64>,
    /// The same as `YYYYMMDDhhmmss`, UTC.
    pub last_modified_date: Option<String>,
    /// How many commits led to it.
    pub rev_count: Option<u64>,
    /// Its commit.
    pub rev: Option<String>,
    /// The commit's first digits.
    pub short_rev: Option<String>,
    /// Whether git submodules are in it.
    pub submodules: Option<bool>,
}

impl FlakeRefOutput {
    /// The attributes that there are, by Nix's names.
    pub fn into_kv_tuples(self) -> Vec<(String, String)> {
        let named = [
            ("outPath", Some(self.out_path)),
            ("narHash", Some(self.nar_hash)),
            (
                "lastModified",
                self.last_modified.map(|seconds| seconds.to_string()),
            ),
            ("lastModifiedDate", self.last_modified_date),
            ("revCount", self.rev_count.map(|count| count.to_string())),
            ("rev", self.rev),
            ("shortRev", self.short_rev),
            ("submodules", self.submodules.map(|with| with.to_string())),
        ];
        named
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_only_what_there_is() {
        let output = FlakeRefOutput {
            out_path: "/nix/store/x6ki2m4gfm7a1nmqk76i22h82315s64w-source".to_owned(),
            nar_hash: "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=".to_owned(),
            last_modified: Some(12),
            submodules: Some(false),
            ..FlakeRefOutput::default()
        };
        let tuples = output.into_kv_tuples();
        let names: Vec<_> = tuples.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["outPath", "narHash", "lastModified", "submodules"]);
        assert_eq!((tuples[2].1.as_str(), tuples[3].1.as_str()), ("12", "false"));
    }
}
