//! Puts the layers on one another: flags, environment, file, defaults; remembers where each value is from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::Value;

use super::mistyped::{self, Mistyped};
use super::origin::{Origin, Sourced};
use super::settings::{self, REMOVED, Removed, SETTINGS, Setting};
use super::{Config, ConfigProblem, Log, Problems, SettingFlags, file};
use crate::env::{self, Environment};

/// The settings in force.
#[derive(Debug, Clone)]
pub(crate) struct Effective {
    /// Each setting's value with its origin, in the table's order.
    pub(crate) values: Vec<(&'static Setting, Sourced)>,
    /// The same values, typed.
    pub(crate) config: Config,
    /// The settings file that was read, if any.
    pub(crate) file: Option<PathBuf>,
    /// Variables that mean nothing here, each with the one that it looks like.
    pub(crate) mistyped: Vec<Mistyped>,
}

impl Effective {
    /// Whether somebody chose the data folder, by a flag, a variable of ours or the settings file.
    pub(crate) fn names_data_dir(&self) -> bool {
        let found = self
            .values
            .iter()
            .find(|(setting, _)| setting.key == settings::DATA_DIR);
        found.is_some_and(|(setting, sourced)| match &sourced.origin {
            Origin::Flag { .. } | Origin::File { .. } => true,
            // A service manager's or the user's place is a default.
            Origin::Environment { variable } => *variable == setting.variable,
            Origin::Default => false,
        })
    }

    /// The flag, variable or key by which somebody set the setting `key`; none: it has its default.
    pub(crate) fn named_by(&self, key: &str) -> Option<String> {
        let (setting, sourced) = self.values.iter().find(|(setting, _)| setting.key == key)?;
        match &sourced.origin {
            Origin::Flag { flag } => Some(format!("--{flag}")),
            Origin::Environment { variable } => Some((*variable).to_owned()),
            Origin::File { .. } => Some(setting.key.to_owned()),
            Origin::Default => None,
        }
    }

    /// How to log where a command has a default level of its own.
    pub(crate) fn log_or(&self, level: &str) -> Log {
        let mut log = self.config.log.clone();
        let set = self.values.iter().any(|(setting, sourced)| {
            setting.key == settings::LOG_LEVEL && sourced.origin != Origin::Default
        });
        if !set {
            level.clone_into(&mut log.level);
        }
        log
    }
}

type Layer = BTreeMap<&'static str, Sourced>;

/// Reads all layers. Every problem found is reported, not only the first.
pub(crate) fn load(
    flags: &SettingFlags,
    environment: &Environment,
    named_file: Option<&Path>,
) -> Result<Effective, Problems> {
    let effective = load_without_data(flags, environment, named_file)?;
    effective.config.with_data()?;
    Ok(effective)
}

/// The same for commands that may keep nothing: where there is no place for data, `data_dir` is empty.
pub(crate) fn load_without_data(
    flags: &SettingFlags,
    environment: &Environment,
    named_file: Option<&Path>,
) -> Result<Effective, Problems> {
    let mut problems = Vec::new();
    let mut layer = Layer::new();
    let found = file::find(named_file, environment);
    if let Some(path) = &found {
        add_file(path, &mut layer, &mut problems);
    }
    for setting in SETTINGS {
        if let Some(text) = environment.get(setting.variable) {
            let origin = Origin::Environment {
                variable: setting.variable,
            };
            add_text(
                setting,
                &text.to_string_lossy(),
                origin,
                &mut layer,
                &mut problems,
            );
        }
    }
    for removed in REMOVED {
        if environment.get(removed.variable).is_some() {
            let variable = removed.variable;
            problems.push(no_longer(removed, Origin::Environment { variable }));
        }
    }
    for (setting, text) in &flags.0 {
        add_text(
            setting,
            text,
            Origin::Flag { flag: setting.flag },
            &mut layer,
            &mut problems,
        );
    }
    add_defaults(environment, &mut layer);
    if !problems.is_empty() {
        return Err(Problems(problems));
    }
    let values = SETTINGS
        .iter()
        .filter_map(|setting| Some((setting, layer.remove(setting.key)?)));
    let values: Vec<_> = values.collect();
    Ok(Effective {
        config: typed(&values),
        values,
        file: found,
        mistyped: mistyped::find(environment),
    })
}

/// Checks one file by itself and returns how many settings it sets.
pub(crate) fn check_file(path: &Path) -> Result<usize, Problems> {
    let mut problems = Vec::new();
    let mut layer = Layer::new();
    add_file(path, &mut layer, &mut problems);
    if problems.is_empty() {
        Ok(layer.len())
    } else {
        Err(Problems(problems))
    }
}

fn add_file(path: &Path, layer: &mut Layer, problems: &mut Vec<ConfigProblem>) {
    let entries = match file::read(path) {
        Ok(entries) => entries,
        Err(problem) => return problems.push(problem),
    };
    for entry in entries {
        let origin = Origin::File {
            file: path.to_owned(),
            line: entry.line,
        };
        if let Some(removed) = REMOVED.iter().find(|removed| removed.key == entry.key) {
            problems.push(no_longer(removed, origin));
            continue;
        }
        let Some(setting) = settings::by_key(&entry.key) else {
            let nearest = settings::nearest(&entry.key);
            problems.push(ConfigProblem::Unknown {
                key: entry.key,
                origin,
                nearest,
            });
            continue;
        };
        if setting.kind.allows(&entry.value) {
            layer.insert(
                setting.key,
                Sourced {
                    value: entry.value,
                    origin,
                },
            );
        } else {
            problems.push(invalid(setting, &entry.value.to_string(), origin));
        }
    }
}

fn add_text(
    setting: &'static Setting,
    text: &str,
    origin: Origin,
    layer: &mut Layer,
    problems: &mut Vec<ConfigProblem>,
) {
    match setting.kind.of_text(text) {
        Some(value) => {
            layer.insert(setting.key, Sourced { value, origin });
        }
        None => problems.push(invalid(setting, &format!("{text:?}"), origin)),
    }
}

fn no_longer(removed: &'static Removed, origin: Origin) -> ConfigProblem {
    let Removed { key, advice, .. } = removed;
    ConfigProblem::Removed { key, origin, advice }
}

fn invalid(setting: &'static Setting, value: &str, origin: Origin) -> ConfigProblem {
    ConfigProblem::Invalid {
        key: setting.key,
        value: value.chars().take(100).collect(),
        origin,
        allowed: setting.kind.allowed(),
    }
}

fn add_defaults(environment: &Environment, layer: &mut Layer) {
    if let Some(file) = handed_over_keys(environment) {
        layer.entry(settings::KEYS_FILE).or_insert(file);
    }
    for setting in SETTINGS
        .iter()
        .filter(|setting| setting.key != settings::DATA_DIR)
    {
        layer.entry(setting.key).or_insert_with(|| {
            let value = setting.kind.of_text(setting.default);
            Sourced {
                value: value.expect("defaults are checked by a test"),
                origin: Origin::Default,
            }
        });
    }
    layer.entry(settings::DATA_DIR).or_insert_with(|| {
        default_data_dir(environment).unwrap_or(Sourced {
            value: Value::String(String::new()),
            origin: Origin::Default,
        })
    });
}

/// The keys that a service manager hands over, where it does (systemd's `LoadCredential=api-keys:…`).
fn handed_over_keys(environment: &Environment) -> Option<Sourced> {
    let file = Path::new(environment.get(env::CREDENTIALS_DIRECTORY)?).join("api-keys");
    file.exists().then(|| Sourced {
        value: Value::String(file.to_string_lossy().into_owned()),
        origin: Origin::Environment {
            variable: env::CREDENTIALS_DIRECTORY,
        },
    })
}

/// `$STATE_DIRECTORY` (the first of its folders), else the XDG place.
fn default_data_dir(environment: &Environment) -> Option<Sourced> {
    let sourced = |path: PathBuf, origin| Sourced {
        value: Value::String(path.to_string_lossy().into_owned()),
        origin,
    };
    if let Some(folders) = environment.get(env::STATE_DIRECTORY) {
        let first = std::env::split_paths(folders).next()?;
        return Some(sourced(
            first,
            Origin::Environment {
                variable: env::STATE_DIRECTORY,
            },
        ));
    }
    let home = environment
        .get(env::HOME)
        .map(|home| Path::new(home).join(".local/share"));
    let base = environment.get(env::XDG_DATA_HOME).map(PathBuf::from).or(home)?;
    Some(sourced(base.join("trellis-server"), Origin::Default))
}

fn typed(values: &[(&'static Setting, Sourced)]) -> Config {
    let mut root = toml::Table::new();
    for (setting, sourced) in values {
        let (table, key) = setting.key.rsplit_once('.').unwrap_or(("", setting.key));
        let place = match table {
            "" => &mut root,
            table => {
                let inner = root
                    .entry(table)
                    .or_insert_with(|| Value::Table(toml::Table::new()));
                inner.as_table_mut().expect("this is a table, not a setting")
            }
        };
        place.insert(key.to_owned(), sourced.value.clone());
    }
    let checked = "every value was checked by its kind";
    let log = root.remove("log").and_then(|log| log.try_into().ok());
    Config {
        log: log.expect(checked),
        node: root.try_into().expect(checked),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: (&str, &str) = ("HOME", "/home/ada");

    fn origin_of<'a>(effective: &'a Effective, key: &str) -> &'a Origin {
        let found = effective.values.iter().find(|(setting, _)| setting.key == key);
        &found.unwrap().1.origin
    }

    fn flags(pairs: &[(&str, &str)]) -> SettingFlags {
        let given = pairs
            .iter()
            .map(|(key, text)| (settings::by_key(key).unwrap(), (*text).to_owned()));
        SettingFlags(given.collect())
    }

    #[test]
    fn every_setting_has_a_field_and_every_field_a_setting() {
        let effective = load(&SettingFlags::default(), &Environment::of(&[HOME]), None).unwrap();
        assert_eq!(effective.values.len(), SETTINGS.len());
        assert_eq!(
            effective.config.node.data_dir,
            Path::new("/home/ada/.local/share/trellis-server")
        );
        assert_eq!(effective.config.node.listen.port, 8000);
    }

    #[test]
    fn flags_beat_variables_beat_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.toml");
        std::fs::write(
            &path,
            "[listen]\nport = 1\nhost = \"::1\"\n[log]\nlevel = \"warn\"\n",
        )
        .unwrap();
        let environment = Environment::of(&[HOME, ("TRELLIS_LISTEN_PORT", "2"), ("TRELLIS_LOG", "debug")]);
        let effective = load(&flags(&[("listen.port", "3")]), &environment, Some(&path)).unwrap();
        assert_eq!(effective.config.node.listen.port, 3);
        assert_eq!(
            *origin_of(&effective, "listen.port"),
            Origin::Flag { flag: "port" }
        );
        assert_eq!(effective.config.log.level, "debug");
        assert_eq!(
            *origin_of(&effective, "listen.host"),
            Origin::File { file: path, line: 3 }
        );
        assert_eq!(*origin_of(&effective, "backend"), Origin::Default);
    }

    #[test]
    fn the_state_directory_beats_xdg() {
        let environment = Environment::of(&[
            HOME,
            ("STATE_DIRECTORY", "/var/lib/trellis:/x"),
            ("XDG_DATA_HOME", "/d"),
        ]);
        let effective = load(&SettingFlags::default(), &environment, None).unwrap();
        assert_eq!(effective.config.node.data_dir, Path::new("/var/lib/trellis"));
        assert_eq!(origin_of(&effective, "data_dir").to_string(), "$STATE_DIRECTORY");
    }

    #[test]
    fn handed_over_keys_are_taken_where_they_are_and_nothing_else_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let credentials = folder.path().to_str().unwrap();
        let environment = Environment::of(&[HOME, ("CREDENTIALS_DIRECTORY", credentials)]);
        let keys = |flags: &SettingFlags| {
            load(flags, &environment, None)
                .unwrap()
                .config
                .node
                .auth
                .keys_file
        };
        assert_eq!(keys(&SettingFlags::default()), Path::new(""));
        std::fs::write(folder.path().join("api-keys"), "ada one").unwrap();
        assert_eq!(keys(&SettingFlags::default()), folder.path().join("api-keys"));
        assert_eq!(
            keys(&flags(&[("auth.keys_file", "/etc/keys")])),
            Path::new("/etc/keys")
        );
    }

    #[test]
    fn a_place_for_data_is_only_needed_by_who_keeps_some() {
        let nothing = (SettingFlags::default(), Environment::of(&[]));
        assert!(load_without_data(&nothing.0, &nothing.1, None).is_ok());
        let problems = load(&nothing.0, &nothing.1, None).unwrap_err();
        assert!(matches!(problems.0.as_slice(), [ConfigProblem::NoDataDir]));
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let environment = Environment::of(&[HOME, ("TRELLIS_LISTEN_PORT", "http")]);
        let problems = load(&flags(&[("backend", "gpu")]), &environment, None).unwrap_err();
        insta::assert_snapshot!(problems);
    }
}
