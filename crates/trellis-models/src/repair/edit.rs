//! Changes one checkpoint name in the text of `pipeline.json` and nothing else: key order, numbers and layout
//! stay as they were, so that the difference is the one line that it is.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use similar::TextDiff;

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    args: Arguments<'a>,
}

#[derive(Deserialize)]
struct Arguments<'a> {
    #[serde(borrow)]
    models: BTreeMap<String, &'a RawValue>,
}

/// The text with `role` naming `to`. An absent role leaves it unchanged.
pub(super) fn with_model(text: &str, role: &str, to: &str) -> Result<String, serde_json::Error> {
    let document: Document<'_> = serde_json::from_str(text)?;
    let Some(raw) = document.args.models.get(role) else {
        return Ok(text.to_owned());
    };
    // A borrowed raw value is a slice of `text`, so its address tells where it stands.
    let start = raw.get().as_ptr().addr() - text.as_ptr().addr();
    let end = start + raw.get().len();
    let value = serde_json::to_string(to)?;
    Ok(format!("{}{value}{}", &text[..start], &text[end..]))
}

/// The difference between two texts of `pipeline.json`, in unified form.
pub fn diff(before: &str, after: &str) -> String {
    let diff = TextDiff::from_lines(before, after);
    diff.unified_diff()
        .header("pipeline.json", "pipeline.json (repaired)")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_the_one_value_and_no_other_byte() {
        let text = "{ \"args\": {\r\n\t\"models\" : {\"a\":\"x\",\n \"b\" : \"\\u0078\" },\"n\":1e-5 }}";
        let changed = with_model(text, "b", "y\"z").unwrap();
        assert_eq!(
            changed,
            "{ \"args\": {\r\n\t\"models\" : {\"a\":\"x\",\n \"b\" : \"y\\\"z\" },\"n\":1e-5 }}"
        );
        assert_eq!(with_model(text, "c", "y").unwrap(), text);
    }
}
