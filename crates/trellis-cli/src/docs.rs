//! Pages of docs/ that are made from the code: compared by tests, written anew with `TRELLIS_WRITE_DOCS=1`.

use std::path::Path;

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
