//! Makes docs/configuration.md from the table of settings and fails where it is not current.

use std::fmt::Write as _;

use super::settings::{SETTINGS, Setting};
use crate::docs;

const OPENING: &str = "\
# Settings

<!-- Made from `crates/trellis-cli/src/config/settings.rs`; `TRELLIS_WRITE_DOCS=1 cargo test -p trellis-cli --lib` regenerates it. -->

A value is taken from the first of these that has it: a flag, an environment variable, the settings file, the
default. The settings file is TOML. It is the one that `--config` names, else `$TRELLIS_CONFIG`, else the first
that is there of `$XDG_CONFIG_HOME/trellis-server/config.toml` (`~/.config/…`) and
`trellis-server/config.toml` in `$XDG_CONFIG_DIRS` (`/etc/xdg/…`). An unknown key is an error.

```console
$ trellis config show               # the values in force and where each comes from, itself a settings file
$ trellis config show --json        # the same for programs
$ trellis config check trellis.toml # checks a file and starts nothing
```
";

fn page() -> String {
    let mut text = OPENING.to_owned();
    let mut open_table = "";
    for setting in SETTINGS {
        let table = setting.key.rsplit_once('.').map_or("", |(table, _)| table);
        if table != open_table {
            let _ = write!(text, "\n## `[{table}]`\n");
            open_table = table;
        }
        text.push_str(&entry(setting));
    }
    text
}

fn entry(setting: &Setting) -> String {
    let default = match setting.default {
        "" => String::new(),
        default => format!(", default `{default}`"),
    };
    format!(
        "\n**`{key}`** — {about}.\\\n{allowed}{default}; flag `--{flag}`, variable `{variable}`\n",
        key = setting.key,
        about = setting.about,
        allowed = setting.kind.allowed(),
        flag = setting.flag,
        variable = setting.variable,
    )
}

#[test]
fn configuration_md_is_current() {
    docs::assert_current("configuration.md", &page());
}
