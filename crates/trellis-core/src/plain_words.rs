//! What serde says of a value that does not fit, in the words of a person who wrote JSON.
//!
//! serde names Rust's types ("expected i64", "untagged enum") and `serde_json` its parser's states. Both are
//! stable texts; one that is not known here is passed on as it is.

/// The sentence about a value, a field or the syntax, without serde's words. A place in the text is kept where
/// the syntax is wrong; where a value does not fit, its field says more.
///
/// ```
/// let error = serde_json::from_str::<u32>("\"abc\"").unwrap_err();
/// let said = trellis_core::plain_words(&error.to_string());
/// assert_eq!(said, "a whole number from 0 is expected, not the text \"abc\"");
/// ```
pub fn plain_words(text: &str) -> String {
    let (what, place) = split_place(text);
    if let Some(said) = of_value(what) {
        return said;
    }
    match (of_syntax(what), place) {
        (Some(said), Some((line, column))) => format!("{said} (line {line}, column {column})"),
        (Some(said), None) => said.to_owned(),
        (None, _) => text.to_owned(),
    }
}

/// ` at line 1 column 9`, which ends most texts of `serde_json`.
fn split_place(text: &str) -> (&str, Option<(u32, u32)>) {
    let found = text.rsplit_once(" at line ").and_then(|(what, place)| {
        let (line, column) = place.split_once(" column ")?;
        Some((what, (line.parse().ok()?, column.parse().ok()?)))
    });
    match found {
        Some((what, place)) => (what, Some(place)),
        None => (text, None),
    }
}

fn of_value(what: &str) -> Option<String> {
    if let Some(rest) = what
        .strip_prefix("invalid type: ")
        .or_else(|| what.strip_prefix("invalid value: "))
    {
        let (given, wanted) = rest.rsplit_once(", expected ")?;
        return Some(format!("{} is expected, not {}", expected(wanted), found(given)));
    }
    if let Some(rest) = what.strip_prefix("invalid length ") {
        let (length, wanted) = rest.split_once(", expected ")?;
        let given = crate::counted(length.parse().ok()?, "value", "values");
        return Some(format!("{} is expected, not {given}", expected(wanted)));
    }
    for kind in ["field", "variant"] {
        if let Some(rest) = what
            .strip_prefix("unknown ")
            .and_then(|rest| rest.strip_prefix(kind))
        {
            return not_known(rest.trim_start());
        }
    }
    if let Some(name) = what.strip_prefix("missing field ") {
        return Some(format!("{name} is missing"));
    }
    if let Some(name) = what.strip_prefix("duplicate field ") {
        return Some(format!("{name} is given twice"));
    }
    if what.starts_with("data did not match any variant of untagged enum") {
        return Some("it has an unknown form".to_owned());
    }
    // The standard library's words for a number in a query or on the command line.
    Some(
        match what {
            "invalid digit found in string" | "cannot parse integer from empty string" => {
                "a whole number is expected"
            }
            "number too large to fit in target type" => "the number is too large",
            "number too small to fit in target type" => "the number is too small",
            "invalid float literal" | "cannot parse float from empty string" => "a number is expected",
            "provided string was not `true` or `false`" => "`true` or `false` is expected",
            _ => return None,
        }
        .to_owned(),
    )
}

/// `` `x`, expected one of `a`, `b` `` and the other forms that serde has for one name, two and none.
fn not_known(rest: &str) -> Option<String> {
    let Some((name, names)) = rest.rsplit_once(", expected ") else {
        let (name, _) = rest.rsplit_once(", there are no ")?;
        return Some(format!("{name} is unknown"));
    };
    let names = names.strip_prefix("one of ").unwrap_or(names);
    Some(if names.contains(' ') {
        format!("{name} is unknown; choose from {}", names.replace(" or ", ", "))
    } else {
        format!("{name} is unknown; only {names} is possible")
    })
}

fn found(given: &str) -> String {
    let quoted = |kind: &str| given.strip_prefix(kind);
    match given {
        "null" | "unit value" => "`null`".to_owned(),
        "sequence" => "a list".to_owned(),
        "map" => "an object".to_owned(),
        _ => {
            if let Some(text) = quoted("string ") {
                return format!("the text {text}");
            }
            ["integer ", "floating point ", "number "]
                .iter()
                .find_map(|kind| quoted(kind))
                .map(|number| number.trim_matches('`').to_owned())
                .or_else(|| quoted("boolean ").map(str::to_owned))
                .unwrap_or_else(|| given.to_owned())
        }
    }
}

fn expected(wanted: &str) -> String {
    if let Some(length) = wanted.strip_prefix("a tuple of size ") {
        return format!("a list of {length} values");
    }
    let words = match wanted {
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => "a whole number",
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => "a whole number from 0",
        "f32" | "f64" => "a number",
        "a boolean" => "`true` or `false`",
        "a string" | "a borrowed string" | "string" => "a text",
        "a sequence" => "a list",
        "a map" => "an object",
        "unit" => "`null`",
        "string or map" | "map with a single key" | "variant identifier" => "a name",
        _ if wanted.starts_with("struct ") => "an object",
        _ if wanted.contains("enum ") => "a name",
        _ => wanted,
    };
    words.to_owned()
}

fn of_syntax(what: &str) -> Option<&'static str> {
    Some(match what {
        "EOF while parsing a list" => "it ends in the middle of a list",
        "EOF while parsing an object" => "it ends in the middle of an object",
        "EOF while parsing a string" => "it ends in the middle of a text",
        "EOF while parsing a value" => "it ends where a value is expected",
        "expected value" => "a value is expected",
        "expected ident" => "`true`, `false` or `null` is expected",
        "expected `:`" => "a `:` is expected",
        "expected `,` or `]`" => "a `,` or the end of the list is expected",
        "expected `,` or `}`" => "a `,` or the end of the object is expected",
        "key must be a string" => "a name in double quotes is expected",
        "trailing comma" => "there is a comma too many",
        "trailing characters" => "something follows after its end",
        "invalid escape" => "there is an unknown escape after `\\`",
        "invalid number" => "this is not a number",
        "number out of range" => "the number is too large",
        "recursion limit exceeded" => "it is nested too deep",
        "invalid unicode code point" => "it is not UTF-8",
        "control character (\\u0000-\\u001F) found while parsing a string" => {
            "a text has a line break or another control character in it"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::ParamsPatch;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its errors matter")]
    struct Form {
        size: u32,
        names: Vec<String>,
        #[serde(default)]
        either: Option<Either>,
        #[serde(default)]
        one: Option<One>,
        #[serde(default)]
        pair: Option<(u8, u8)>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(untagged)]
    #[expect(dead_code, reason = "only its errors matter")]
    enum Either {
        Number(f32),
        Flag(bool),
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum One {
        Only,
    }

    fn said<T: for<'a> Deserialize<'a>>(text: &str) -> Option<String> {
        let error = serde_json::from_str::<T>(text).err()?;
        Some(plain_words(&error.to_string()))
    }

    #[test]
    fn each_kind_of_misfit_has_its_sentence() {
        let texts = [
            r#"{"size": "3", "names": []}"#,
            r#"{"size": -3, "names": []}"#,
            r#"{"size": 1.5, "names": []}"#,
            r#"{"size": null, "names": []}"#,
            r#"{"size": 3, "names": "a"}"#,
            r#"{"size": 3, "names": {}}"#,
            r#"{"size": 3, "names": [1]}"#,
            r#"{"size": 3}"#,
            r#"{"size": 3, "size": 4}"#,
            r#"{"sise": 3}"#,
            r#"{"size": 3, "names": [], "either": "x"}"#,
            r#"{"size": 3, "names": [], "one": "two"}"#,
            r#"{"size": 3, "names": [], "one": 2}"#,
            r#"{"size": 3, "names": [], "pair": [1]}"#,
            "[3]",
            "true",
            "",
            r#"{"size"#,
            r#"{"size" 3}"#,
            "{size: 3}",
            r#"{"size": 3,}"#,
            r#"{"size": 3} x"#,
            r#"{"size": three}"#,
            r#"{"size": tree}"#,
            "{\"size\": \"a\nb\"}",
        ];
        let all: Vec<String> = texts
            .iter()
            .map(|text| format!("{text}: {}", said::<Form>(text).expect("it is refused")))
            .collect();
        insta::assert_snapshot!(all.join("\n"));
    }

    /// Every parameter with a value of every type: whatever serde says in a later version, nothing of it
    /// gets through.
    #[test]
    fn no_parameter_is_refused_in_the_words_of_serde() {
        let names = serde_json::to_value(ParamsPatch::default().resolve(0).unwrap()).unwrap();
        let mut refused = 0;
        for name in names.as_object().unwrap().keys() {
            for value in [
                "\"x\"", "-1.5", "1", "true", "[]", "[1]", "[\"x\"]", "{}", "1e300",
            ] {
                // As the server reads them: first as JSON, then by their names.
                let value: serde_json::Value = serde_json::from_str(value).unwrap();
                let given = serde_json::json!({ name.as_str(): value });
                let Err(error) = serde_json::from_value::<ParamsPatch>(given) else {
                    continue;
                };
                let said = plain_words(&error.to_string());
                refused += 1;
                for word in [
                    "invalid", "i64", "u32", "f64", "sequence", "map", "string", "boolean", "struct", "enum",
                    "variant", "line ",
                ] {
                    assert!(!said.contains(word), "{name}: {value}: {said}");
                }
            }
        }
        assert!(refused > 50, "{refused}");
    }

    #[test]
    fn what_is_not_known_is_passed_on() {
        assert_eq!(plain_words("the disk is full"), "the disk is full");
        let text = plain_words("invalid type: string \"a, expected b at line 1 column 2\", expected i64");
        assert_eq!(
            text,
            "a whole number is expected, not the text \"a, expected b at line 1 column 2\""
        );
    }
}
