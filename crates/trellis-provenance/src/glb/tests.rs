use proptest::prelude::*;
use serde_json::{Value, json};
use trellis_core::{ParamsPatch, Pin, Schema, ServerBuild};

use super::*;

fn record(seed: u32) -> Provenance {
    Provenance {
        schema: Schema,
        inputs: vec![[0; 32].into()],
        source: None,
        name: None,
        params: ParamsPatch::default().resolve(seed).unwrap(),
        backend: "relief".to_owned(),
        variant: None,
        server: ServerBuild {
            version: "0.1.0".to_owned(),
            pin: Pin::Unpinned { sha256: None },
        },
        python_env: None,
        model_lock: None,
        tuning: None,
        gpu: None,
        non_commercial: Vec::new(),
    }
}

/// A GLB of a text and the bytes after it.
fn glb(text: &str, rest: &[u8]) -> Vec<u8> {
    let mut text = text.as_bytes().to_vec();
    text.resize(text.len().next_multiple_of(4), b' ');
    let mut out = b"glTF".to_vec();
    for number in [2, 20 + text.len() + rest.len(), text.len()] {
        out.extend_from_slice(&u32::try_from(number).unwrap().to_le_bytes());
    }
    out.extend_from_slice(b"JSON");
    out.extend(text);
    out.extend_from_slice(rest);
    out
}

fn stamped(file: &[u8]) -> Result<Vec<u8>, GlbError> {
    let mut out = Vec::new();
    let size = stamp(&mut &file[..], &mut out, &record(7))?;
    assert_eq!(size, out.len() as u64);
    Ok(out)
}

/// The text of a GLB, and the bytes after it.
fn parts(file: &[u8]) -> (&str, &[u8]) {
    let length = u32::from_le_bytes(file[12..16].try_into().unwrap()) as usize;
    assert_eq!(length % 4, 0);
    let total = u32::from_le_bytes(file[8..12].try_into().unwrap()) as usize;
    assert_eq!(total, file.len());
    (
        std::str::from_utf8(&file[20..20 + length]).unwrap(),
        &file[20 + length..],
    )
}

const BIN: &[u8] = b"\x04\0\0\0BIN\0\x01\x02\x03\x04";

#[test]
fn the_record_is_read_back_and_everything_else_stays_as_it_was_written() {
    // Numbers, escapes and the order of members as no library would write them.
    let text = r#"{"zeta":1.50e0,"asset":{"version":"2.0","extras":{"b":1,"a":"\u00e9"}},"alpha":[0.1000]}"#;
    let out = stamped(&glb(text, BIN)).unwrap();
    let (text, rest) = parts(&out);
    assert_eq!(rest, BIN);
    let start =
        r#"{"zeta":1.50e0,"asset":{"version":"2.0","extras":{"b":1,"a":"\u00e9","provenance":{"schema":1,"#;
    assert!(text.starts_with(start), "{text}");
    assert!(text.trim_end().ends_with(r#"}}},"alpha":[0.1000]}"#), "{text}");
    assert_eq!(read(&mut &out[..]).unwrap(), record(7));
}

#[test]
fn a_record_that_is_there_is_replaced() {
    let once = stamped(&glb(r#"{"asset":{"version":"2.0"}}"#, BIN)).unwrap();
    assert_eq!(stamped(&once).unwrap(), once);
}

#[test]
fn extras_of_another_kind_are_kept() {
    let out = stamped(&glb(r#"{"asset":{"version":"2.0","extras":[1,2]}}"#, b"")).unwrap();
    let document: Value = serde_json::from_str(parts(&out).0).unwrap();
    assert_eq!(document["asset"]["extras"]["extras"], json!([1, 2]));
    assert_eq!(document["asset"]["extras"]["provenance"]["schema"], 1);
}

#[test]
fn refuses_what_is_no_glb_or_lies_about_its_length() {
    let good = glb(r#"{"asset":{"version":"2.0"}}"#, BIN);
    let kind = |file: &[u8]| stamped(file).unwrap_err().to_string();
    let length = GlbError::Length.to_string();
    let no_glb = GlbError::NotGlb.to_string();
    for end in 0..good.len() {
        let expected = if end < 20 { &no_glb } else { &length };
        assert_eq!(kind(&good[..end]), *expected, "cut at {end}");
    }
    assert_eq!(kind(&[&good[..], b"x"].concat()), length);
    let mut other = good.clone();
    other[4] = 1;
    assert_eq!(kind(&other), no_glb);
    let mut long = good.clone();
    long[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(
        stamped(&long),
        Err(GlbError::TextTooLong { bytes: u32::MAX })
    ));
    let mut longer_than_all = good;
    longer_than_all[12..16].copy_from_slice(&1_000_u32.to_le_bytes());
    assert_eq!(kind(&longer_than_all), length);
    assert!(matches!(stamped(&glb("[]", b"")), Err(GlbError::Text { .. })));
}

#[test]
fn says_where_there_is_no_record() {
    for text in [
        "{}",
        r#"{"asset":{}}"#,
        r#"{"asset":{"extras":3}}"#,
        r#"{"asset":{"extras":{"a":1}}}"#,
    ] {
        let error = read(&mut &glb(text, b"")[..]).unwrap_err();
        assert!(matches!(error, GlbError::Absent), "{text}: {error:?}");
    }
    let other = r#"{"asset":{"extras":{"provenance":{"schema":9}}}}"#;
    assert!(matches!(
        read(&mut &glb(other, b"")[..]),
        Err(GlbError::Record { .. })
    ));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f32>().prop_map(|number| json!(number)),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_document_keeps_all_that_it_had(
        others in prop::collection::btree_map("[a-z]{1,9}", any_json(), 0..5),
        extras in any_json(),
        bin in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let mut document = Value::Object(others.into_iter().collect());
        document["asset"] = json!({ "version": "2.0", "extras": extras });
        let out = stamped(&glb(&document.to_string(), &bin)).unwrap();
        let (text, rest) = parts(&out);
        prop_assert_eq!(rest, &bin[..]);
        let mut found: Value = serde_json::from_str(text).unwrap();
        let kept = found["asset"]["extras"].as_object_mut().unwrap();
        let written = kept.remove("provenance").unwrap();
        prop_assert_eq!(written, serde_json::to_value(record(7)).unwrap());
        if !document["asset"]["extras"].is_object() {
            let other = kept.remove("extras").unwrap();
            found["asset"]["extras"] = other;
        }
        // Numbers compare as text: a float is the same only if its digits are.
        prop_assert_eq!(found.to_string(), document.to_string());
    }

    #[test]
    fn any_bytes_are_refused_or_read_within_bounds(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let with_start = [&b"glTF\x02\0\0\0"[..], &bytes].concat();
        for file in [&bytes[..], &with_start] {
            prop_assert!(read(&mut &file[..]).is_err());
            prop_assert!(stamped(file).is_err());
        }
    }
}
