//! The settings file: where it is, and what stands in it at which line. Syntax only.

use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::ConfigProblem;
use crate::env::{self, Environment};

/// Below an XDG settings folder.
const PLACE: &str = "trellis-server/config.toml";

/// One `key = value` of a file.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Its full key, `table.key`.
    pub(crate) key: String,
    /// Its value.
    pub(crate) value: toml::Value,
    /// Its line, from 1.
    pub(crate) line: usize,
}

/// The file to read: the one named, else `$TRELLIS_CONFIG`, else the first that is there in the XDG
/// folders, else none.
pub(crate) fn find(named: Option<&Path>, environment: &Environment) -> Option<PathBuf> {
    if let Some(named) = named {
        return Some(named.to_owned());
    }
    if let Some(named) = environment.get(env::CONFIG) {
        return Some(PathBuf::from(named));
    }
    let home = environment
        .get(env::HOME)
        .map(|home| Path::new(home).join(".config"));
    let own = environment.get(env::XDG_CONFIG_HOME).map(PathBuf::from).or(home);
    let system = environment
        .get(env::XDG_CONFIG_DIRS)
        .unwrap_or("/etc/xdg".as_ref());
    let folders = own.into_iter().chain(std::env::split_paths(system));
    folders
        .map(|folder| folder.join(PLACE))
        .find(|file| file.is_file())
}

/// Everything that stands in the file, in its order.
pub(crate) fn read(path: &Path) -> Result<Vec<Entry>, ConfigProblem> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigProblem::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    parse(&text).map_err(|error| ConfigProblem::Syntax {
        path: path.to_owned(),
        line: line_at(&text, error.span().map_or(0, |span| span.start)),
        message: error.message().to_owned(),
    })
}

fn parse(text: &str) -> Result<Vec<Entry>, toml::de::Error> {
    let places = DeTable::parse(text)?;
    let values: toml::Table = toml::from_str(text)?;
    let mut entries = Vec::new();
    collect(text, "", places.get_ref(), &values, &mut entries);
    entries.sort_by_key(|entry| entry.line);
    Ok(entries)
}

/// Walks both readings of one text: `places` knows the lines, `values` the values.
fn collect(text: &str, prefix: &str, places: &DeTable<'_>, values: &toml::Table, entries: &mut Vec<Entry>) {
    for (name, place) in places {
        let Some(value) = values.get(name.get_ref().as_ref()) else {
            continue;
        };
        let key = format!("{prefix}{}", name.get_ref());
        match (Spanned::get_ref(place), value) {
            (DeValue::Table(places), toml::Value::Table(values)) if !places.is_empty() => {
                collect(text, &format!("{key}."), places, values, entries);
            }
            // An empty table sets nothing.
            (DeValue::Table(_), _) => {}
            _ => entries.push(Entry {
                key,
                value: value.clone(),
                line: line_at(text, name.span().start),
            }),
        }
    }
}

fn line_at(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_know_their_lines() {
        let entries = parse("data_dir = \"/x\"\n\n[listen]\n# why\nport = 1\nhost = \"h\"\n[log]\n").unwrap();
        let seen: Vec<_> = entries
            .iter()
            .map(|entry| (entry.key.as_str(), entry.line))
            .collect();
        assert_eq!(seen, [("data_dir", 1), ("listen.port", 5), ("listen.host", 6)]);
    }

    #[test]
    fn a_named_file_wins_over_the_variable() {
        let environment = Environment::of(&[("TRELLIS_CONFIG", "/b.toml"), ("HOME", "/nowhere")]);
        assert_eq!(
            find(Some(Path::new("/a.toml")), &environment),
            Some("/a.toml".into())
        );
        assert_eq!(find(None, &environment), Some("/b.toml".into()));
        assert_eq!(
            find(None, &Environment::of(&[("XDG_CONFIG_DIRS", "/nowhere")])),
            None
        );
    }
}
