//! `nix.conf`: which caches and keys a machine trusts, and how it builds.
//!
//! Grammar, line by line: `line = [name white "=" {white word}] ["#" comment]`. A later line wins; a line
//! `extra-<name>` adds to a list. Which names there are, with the older ones, is in `settings.txt`, made from
//! what Nix 2.26 prints. Not here: opening files, so `include` is an `InvalidLine`: put the included text in
//! its place first. Nix only warns of names that it does not know, as of a newer version's; here they are an
//! error, so hand over only the lines of interest if a file may hold such names.

use crate::narinfo::VerifyingKey;

/// The settings of one file that say whom the machine trusts; of the others only the names are checked.
///
/// What is `None` was not set there. An `extra_` list adds to the list, or to Nix's default if that was not
/// set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NixConfig<'a> {
    /// `experimental-features`: what is switched on by name.
    pub experimental_features: Option<Vec<&'a str>>,
    /// `extra-experimental-features`.
    pub extra_experimental_features: Option<Vec<&'a str>>,
    /// `require-sigs`: whether only signed paths are taken from caches.
    pub require_sigs: Option<bool>,
    /// `sandbox`: whether builds are cut off from the machine.
    pub sandbox: Option<SandboxSetting>,
    /// `substituters`: addresses of the caches.
    pub substituters: Option<Vec<&'a str>>,
    /// `extra-substituters`.
    pub extra_substituters: Option<Vec<&'a str>>,
    /// `trusted-public-keys`: whose signatures count.
    pub trusted_public_keys: Option<Vec<VerifyingKey>>,
    /// `extra-trusted-public-keys`.
    pub extra_trusted_public_keys: Option<Vec<VerifyingKey>>,
    /// `trusted-substituters`: caches that any user may add.
    pub trusted_substituters: Option<Vec<&'a str>>,
    /// `extra-trusted-substituters`.
    pub extra_trusted_substituters: Option<Vec<&'a str>>,
    /// `trusted-users`: users, and `@groups`, that may change any setting.
    pub trusted_users: Option<Vec<&'a str>>,
    /// `extra-trusted-users`.
    pub extra_trusted_users: Option<Vec<&'a str>>,
}

/// How builds are cut off from the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SandboxSetting {
    /// All are.
    True,
    /// None is.
    False,
    /// Those that do not ask otherwise are.
    Relaxed,
}

/// Why a text is no configuration of Nix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not `name = value`. An `include` is one too.
    #[error("`{0}` is not a line of the form `name = value`")]
    InvalidLine(String),
    /// No such setting.
    #[error("Nix has no setting called `{0}`")]
    UnrecognizedKey(String),
    /// The setting can't have that value.
    #[error("the setting `{0}` cannot be `{1}`")]
    InvalidValue(String, String),
}

impl<'a> NixConfig<'a> {
    /// Reads a whole file.
    pub fn parse(input: &'a str) -> Result<Self, Error> {
        let mut config = Self::default();
        for line in input.lines() {
            let line = line.split_once('#').map_or(line, |(before, _comment)| before);
            let mut words = words(line);
            match (words.next(), words.next()) {
                (None, _) => {}
                (Some(name), Some("=")) => config.set(&Setting::find(name)?, name, words.collect())?,
                _ => return Err(Error::InvalidLine(line.trim().to_owned())),
            }
        }
        Ok(config)
    }

    /// Takes over one setting, if it is one of those kept. `written` is what it was called.
    fn set(&mut self, setting: &Setting, written: &str, value: Vec<&'a str>) -> Result<(), Error> {
        let invalid = || Error::InvalidValue(written.to_owned(), value.join(" "));
        let (list, extra) = match setting.name {
            "require-sigs" => {
                self.require_sigs = Some(match value[..] {
                    ["true" | "yes" | "1"] => true,
                    ["false" | "no" | "0"] => false,
                    _ => return Err(invalid()),
                });
                return Ok(());
            }
            "sandbox" => {
                self.sandbox = Some(match value[..] {
                    ["true"] => SandboxSetting::True,
                    ["false"] => SandboxSetting::False,
                    ["relaxed"] => SandboxSetting::Relaxed,
                    _ => return Err(invalid()),
                });
                return Ok(());
            }
            "trusted-public-keys" => {
                let key = |word: &&str| {
                    VerifyingKey::parse(word)
                        .map_err(|_| Error::InvalidValue(written.to_owned(), (*word).to_owned()))
                };
                let keys = value.iter().map(key).collect::<Result<Vec<_>, _>>()?;
                let (list, extra) = (&mut self.trusted_public_keys, &mut self.extra_trusted_public_keys);
                setting.put(list, extra, keys);
                return Ok(());
            }
            "experimental-features" => (
                &mut self.experimental_features,
                &mut self.extra_experimental_features,
            ),
            "substituters" => (&mut self.substituters, &mut self.extra_substituters),
            "trusted-substituters" => (
                &mut self.trusted_substituters,
                &mut self.extra_trusted_substituters,
            ),
            "trusted-users" => (&mut self.trusted_users, &mut self.extra_trusted_users),
            _known_but_not_kept => return Ok(()),
        };
        setting.put(list, extra, value);
        Ok(())
    }
}

/// What the left side of a line means.
struct Setting {
    name: &'static str,
    /// Whether it adds to what is there.
    extra: bool,
}

impl Setting {
    /// Looks a name up, its older names included. A name that starts with `extra-` can be a setting's own.
    fn find(written: &str) -> Result<Self, Error> {
        let named = |wanted: &str| {
            settings().find(|(name, _, older)| *name == wanted || older.split(' ').any(|old| old == wanted))
        };
        if let Some((name, ..)) = named(written) {
            return Ok(Self { name, extra: false });
        }
        match written.strip_prefix("extra-").and_then(named) {
            Some((name, true, _)) => Ok(Self { name, extra: true }),
            _ => Err(Error::UnrecognizedKey(written.to_owned())),
        }
    }

    /// Sets a list, which forgets what was added before, or adds to it.
    fn put<T>(&self, list: &mut Option<Vec<T>>, extra: &mut Option<Vec<T>>, value: Vec<T>) {
        if self.extra {
            extra.get_or_insert_default().extend(value);
        } else {
            *list = Some(value);
            *extra = None;
        }
    }
}

/// All settings: name, whether it can be added to, older names.
fn settings() -> impl Iterator<Item = (&'static str, bool, &'static str)> {
    include_str!("settings.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (name, older) = line.split_once(' ').unwrap_or((line, ""));
            match name.strip_suffix('+') {
                Some(name) => (name, true, older),
                None => (name, false, older),
            }
        })
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split([' ', '\t', '\r']).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "cache.example.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=";

    #[test]
    fn reads_what_a_machine_trusts() {
        let text = format!(
            "# a comment\nsubstituters = https://a.example.org\t https://b.example.org # no more\r\n\
             require-sigs = yes\n\n\ttrusted-public-keys\t=\t{KEY}\ntrusted-users = root @wheel\nmax-jobs = auto\n\
             sandbox = relaxed\nbuild-cores = 3\nextra-platforms = i686-linux\nexperimental-features ="
        );
        let config = NixConfig::parse(&text).expect("a configuration");
        let expected = NixConfig {
            experimental_features: Some(vec![]),
            require_sigs: Some(true),
            sandbox: Some(SandboxSetting::Relaxed),
            substituters: Some(vec!["https://a.example.org", "https://b.example.org"]),
            trusted_public_keys: Some(vec![VerifyingKey::parse(KEY).expect("a key")]),
            trusted_users: Some(vec!["root", "@wheel"]),
            ..NixConfig::default()
        };
        assert_eq!(config, expected);
    }

    #[test]
    fn older_names_mean_the_same() {
        let config = NixConfig::parse("binary-caches = a\nextra-binary-caches = b").expect("a configuration");
        assert_eq!(
            (config.substituters, config.extra_substituters),
            (Some(vec!["a"]), Some(vec!["b"]))
        );
    }

    #[test]
    fn a_list_set_again_forgets_what_was_added() {
        let text = "extra-substituters = a\nsubstituters = b\nextra-substituters = c\nextra-substituters = d";
        let config = NixConfig::parse(text).expect("a configuration");
        assert_eq!(config.substituters, Some(vec!["b"]));
        assert_eq!(config.extra_substituters, Some(vec!["c", "d"]));
    }

    #[test]
    fn refuses_what_nix_refuses_or_does_not_know() {
        let line = |text: &str| Error::InvalidLine(text.to_owned());
        let key = |name: &str| Error::UnrecognizedKey(name.to_owned());
        let value = |name: &str, value: &str| Error::InvalidValue(name.to_owned(), value.to_owned());
        let cases = [
            ("sandbox=true", line("sandbox=true")),
            ("require-sigs", line("require-sigs")),
            ("= true", line("= true")),
            ("!include secrets.conf", line("!include secrets.conf")),
            ("foo-bar = x", key("foo-bar")),
            ("extra-require-sigs = true", key("extra-require-sigs")),
            ("extra-extra-platforms = x\nextra- = x", key("extra-")),
            ("+ = x", key("+")),
            ("require-sigs =", value("require-sigs", "")),
            ("require-sigs = True", value("require-sigs", "True")),
            ("require-sigs = true  false", value("require-sigs", "true false")),
            ("sandbox = yes", value("sandbox", "yes")),
            ("trusted-public-keys = a:b", value("trusted-public-keys", "a:b")),
        ];
        for (text, expected) in cases {
            assert_eq!(NixConfig::parse(text), Err(expected), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in r"([a-z-]{0,3}(extra-)?(substituters|sandbox|trusted-users|cores)?[ =#\t\r\n]{0,4}\PC{0,9}\n?){0,9}") {
            let _ = NixConfig::parse(&text);
        }

        #[test]
        fn lists_are_read_as_they_were_written(
            own in proptest::collection::vec("[!-\"$-~]{1,9}", 0..4),
            added in proptest::collection::vec("[!-\"$-~]{1,9}", 0..4),
        ) {
            let text = format!("trusted-users = {}\nextra-trusted-users =  {} # x", own.join(" "), added.join("\t"));
            let config = NixConfig::parse(&text).expect("a configuration");
            proptest::prop_assert_eq!(config.trusted_users.expect("set"), own);
            proptest::prop_assert_eq!(config.extra_trusted_users.expect("set"), added);
        }
    }
}
