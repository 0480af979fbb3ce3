//! Pages of docs/ that are made from the code: compared by tests, regenerated with `TRELLIS_WRITE_DOCS=1`.

use std::fmt::Write as _;
use std::path::Path;

use clap::CommandFactory as _;

/// Fails where `docs/NAME` is not `text`.
pub(crate) fn assert_current(name: &str, text: &str) {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs")).join(name);
    if std::env::var_os("TRELLIS_WRITE_DOCS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == text,
        "docs/{name} is not current: run `TRELLIS_WRITE_DOCS=1 cargo test -p trellis-cli --lib`"
    );
}

/// The help of a command and of those below it, as Markdown.
fn help(command: &mut clap::Command, path: &str, page: &mut String) {
    let text = command.render_long_help().to_string();
    let lines: Vec<_> = text.lines().map(str::trim_end).collect();
    let _ = write!(
        page,
        "\n## `{path}`\n\n```text\n{}\n```\n",
        lines.join("\n").trim_end()
    );
    for below in command
        .get_subcommands_mut()
        .filter(|below| below.get_name() != "help")
    {
        let path = format!("{path} {}", below.get_name());
        help(below, &path, page);
    }
}

#[test]
fn cli_md_is_current() {
    let mut page = "# The command line\n\n<!-- What `--help` prints; `TRELLIS_WRITE_DOCS=1 cargo test -p \
                    trellis-cli --lib` regenerates it. -->\n"
        .to_owned();
    let mut command = crate::Cli::command().term_width(100);
    command.build();
    help(&mut command, "trellis", &mut page);
    assert_current("cli.md", &page);
}
