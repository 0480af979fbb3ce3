//! `docs/parameters.md` is made from the tables of the parameters; `TRELLIS_WRITE_DOCS=1` writes it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use trellis_core::{Format, Kind, Model, Parameter, Params};

fn rows(parameters: &[Parameter]) -> String {
    let mut rows = "| name | what it is | values | default |\n|---|---|---|---|\n".to_owned();
    for parameter in parameters {
        let values = match parameter.kind {
            Kind::Choice { names, .. } => format!("`{}`", names.join("`, `")),
            Kind::Flag { .. } => "`true`, `false`".to_owned(),
            Kind::Interval { .. } => "two of 0 to 1".to_owned(),
            Kind::Formats => format!("a list of `{}`", Format::ALL.map(Format::name).join("`, `")),
            kind => kind.range().expect("numbers have a range"),
        };
        let default = match parameter.kind.default() {
            _ if parameter.name == "model" => "the server's".to_owned(),
            Some(default) => format!("`{default}`"),
            None => kind_words(parameter).to_owned(),
        };
        writeln!(
            rows,
            "| `{}` | {} | {values} | {default} |",
            parameter.name, parameter.about
        )
        .unwrap();
    }
    rows
}

fn kind_words(parameter: &Parameter) -> &'static str {
    let words = parameter.kind.without_default();
    words.expect("what has no default says what is taken")
}

fn page() -> String {
    let mut page = "# Parameters\n\n<!-- Made from `crates/trellis-core/src/params`; `TRELLIS_WRITE_DOCS=1 cargo test \
        -p trellis-core` writes it again. -->\n\n\
        What can be asked of a generation: over HTTP in `params`, on the command line as a flag (`--texture-size 512`). \
        Whatever is\nleft out takes its default. A finished job shows all of them.\n\n\
        ## For every model\n\n"
        .to_owned();
    page.push_str(&rows(Params::PARAMETERS));
    page.push_str(
        "\nThe preview (`relief`) uses these, and of a model's own the size of the texture and `mesh_simplify`; it ignores\n\
         the others.\n",
    );
    for model in Model::ALL {
        write!(page, "\n## For `{model}`\n\n{}", rows(model.parameters())).unwrap();
    }
    page
}

#[test]
fn the_page_of_parameters_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/parameters.md");
    if std::env::var_os("TRELLIS_WRITE_DOCS").is_some() {
        fs::write(&path, page()).unwrap();
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == page(),
        "run `TRELLIS_WRITE_DOCS=1 cargo test -p trellis-core`"
    );
}
