//! Documents as they come, whole and broken.

use std::io;

use proptest::prelude::*;

use super::super::SUBMISSION;
use super::*;

#[derive(Default)]
struct Taken(Vec<Vec<u8>>);

impl Pictures for Taken {
    fn begin(&mut self) -> io::Result<()> {
        if self.0.len() == 3 {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.0.push(Vec::new());
        Ok(())
    }

    fn begin_mesh(&mut self) -> io::Result<()> {
        self.0.push(b"mesh:".to_vec());
        Ok(())
    }

    fn write(&mut self, bytes: Vec<u8>) -> io::Result<()> {
        self.0.last_mut().unwrap().extend(bytes);
        Ok(())
    }
}

fn said(text: impl AsRef<[u8]>) -> String {
    match read(text.as_ref(), SUBMISSION, &mut Taken::default()) {
        Ok(_) => "read".to_owned(),
        Err(ReadError::Refused(error)) => format!("{}: {error}", error.kind()),
        Err(ReadError::Io(error)) => format!("{:?}", error.kind()),
    }
}

/// Counts how much of it was read.
struct Endless<'a> {
    beginning: &'a [u8],
    again: &'a [u8],
    given: usize,
}

impl Read for &mut Endless<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let from = if self.beginning.is_empty() {
            self.again
        } else {
            std::mem::take(&mut self.beginning)
        };
        let length = from.len().min(into.len());
        into[..length].copy_from_slice(&from[..length]);
        self.given += length;
        assert!(self.given < 4 << 20, "it is read on and on");
        Ok(length)
    }
}

#[test]
fn a_mesh_comes_out_wherever_it_stands() {
    let (picture, mesh) = ("data:;base64,AQI=", "data:;base64,AwQ=");
    for text in [
        format!(r#"{{"images": ["{picture}"], "mesh": "{mesh}"}}"#),
        format!(r#"{{"mesh": "{mesh}", "images": ["{picture}"]}}"#),
    ] {
        let mut taken = Taken::default();
        let rest = read(text.as_bytes(), SUBMISSION, &mut taken).unwrap();
        assert!(rest.mesh && rest.pictures == Some(1) && rest.fields.is_empty());
        taken.0.sort();
        assert_eq!(taken.0, [b"\x01\x02".to_vec(), b"mesh:\x03\x04".to_vec()]);
    }
    let mut taken = Taken::default();
    let rest = read(
        br#"{"mesh": null, "images": []}"#.as_slice(),
        SUBMISSION,
        &mut taken,
    )
    .unwrap();
    assert!(!rest.mesh && taken.0.is_empty());
    let twice = format!(r#"{{"mesh": "{mesh}", "mesh": "{mesh}"}}"#);
    assert_eq!(
        said(twice),
        "invalid_json: the body does not have the expected form: `mesh` is given twice"
    );
}

#[test]
fn pictures_and_the_rest_come_out() {
    let mut taken = Taken::default();
    let text = "\u{feff} {\"backend\": \"auto\", \"images\": [\"data:;base64,aGk=\", \"data:;base64,\\u0061GkhaGkh\"], \
                \"params\": {\"seed\": 7, \"formats\": [\"glb\"], \"mesh_simplify\": 0.95}}\n";
    let rest = read(text.as_bytes(), SUBMISSION, &mut taken).unwrap();
    assert_eq!(taken.0, [b"hi".to_vec(), b"hi!hi!".to_vec()]);
    assert_eq!(rest.pictures, Some(2));
    let expected = serde_json::json!({
        "backend": "auto",
        "params": {"seed": 7, "formats": ["glb"], "mesh_simplify": 0.95},
    });
    assert_eq!(Value::Object(rest.fields), expected);
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let texts: [&[u8]; 36] = [
        b"",
        b" \n",
        b"\x1f\x8b\x08",
        b"\xff\xfe{\0",
        b"{",
        b"{\"images\": [",
        b"{\"images\": [\"data:;base64,aG",
        b"{\"images\": [\"data:;base64,aGk=\"]",
        b"{\"images\": [\"data:;base64,aGk=\"]}}",
        b"{\"images\": [\"data:;base64,aGk=\"],\n  }",
        b"{\"images\" [\"data:;base64,aGk=\"]}",
        b"{\"images\": [\"data:;base64,aGk=\" \"data:;base64,aGk=\"]}",
        b"{\"images\": [\"data:;base64,a\nGk=\"]}",
        b"{\"images\": [\"data:;base64,a\\xGk=\"]}",
        b"{\"images\": [\"data:;base64,a\xffGk=\"]}",
        b"{images: []}",
        b"{\"params\": {\"seed\": 01}}",
        b"{\"params\": tru}",
        b"{\"params\": {\"seed\": 7, \"seed\": 8}}",
        b"{\"params\": {}, \"images\": [], \"params\": {}}",
        b"{\"images\": [], \"images\": []}",
        b"{\"backend\": \"auto\", \"backend\": \"auto\"}",
        b"{\"pictures\": []}",
        b"{\"seed\": 7}",
        b"{\"stl-size-mm\": 7}",
        b"{\"images\": \"data:;base64,aGk=\"}",
        b"{\"images\": null}",
        b"{\"images\": {}}",
        b"{\"images\": [\"data:;base64,aGk=\", 5]}",
        b"{\"images\": [-5.5e3]}",
        b"{\"images\": [[]]}",
        b"{\"images\": [true]}",
        b"{\"images\": [\"data:;base64,aGk=\", \"https://example.org/a.png\"]}",
        b"{\"images\": [\"data:;base64,aGk\\u003d\", \"data:;base64,a*k=\"]}",
        b"[]",
        b"/* why */ {}",
    ];
    let said: Vec<String> = texts
        .iter()
        .map(|text| format!("{}  =>  {}", text.escape_ascii(), said(text)))
        .collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn what_is_nested_too_deep_is_refused() {
    let text = format!("{{\"params\": {}", "[".repeat(40));
    assert!(said(text).contains("it is nested too deep (line 1, column 43)"));
    let text = format!("{{\"params\": {}7{}}}", "[".repeat(20), "]".repeat(20));
    assert_eq!(said(text), "read");
}

#[test]
fn the_picture_too_many_ends_the_reading() {
    let mut many = Endless {
        beginning: b"{\"images\": [\"data:;base64,aGk=\"",
        again: b", \"data:;base64,aGk=\"",
        given: 0,
    };
    let ended = read(&mut many, SUBMISSION, &mut Taken::default());
    assert!(matches!(ended, Err(ReadError::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe));
    assert!(many.given <= PART_BYTES);
}

#[test]
fn whatever_has_no_end_is_read_to_a_limit() {
    let beginnings: [(&[u8], &[u8]); 7] = [
        (b"{\"params\": [0", b",0"),
        (b"{\"params\": {\"seed\": 1", b"1"),
        (b"{\"params\": {\"", b"a"),
        (b"{\"backend\": \"", b"a"),
        (b"{\"", b"a"),
        (b"{\"images\": [", b" "),
        (b"{}", b"\n"),
    ];
    for (beginning, again) in beginnings {
        let mut endless = Endless {
            beginning,
            again,
            given: 0,
        };
        let ended = read(&mut endless, SUBMISSION, &mut Taken::default());
        assert!(
            matches!(&ended, Err(ReadError::Refused(RequestError::JsonTooLong { .. }))),
            "{}: {ended:?}",
            beginning.escape_ascii()
        );
        assert!(
            endless.given <= MOST_JSON_BYTES + 2 * PART_BYTES,
            "{}",
            endless.given
        );
    }
    let mut fields = Endless {
        beginning: b"{\"a0\": 1",
        again: b", \"a\": 1",
        given: 0,
    };
    let ended = read(&mut fields, SUBMISSION, &mut Taken::default());
    assert!(matches!(
        ended,
        Err(ReadError::Refused(RequestError::InvalidJson { .. }))
    ));
    assert!(fields.given <= PART_BYTES, "the first unknown name ends it");
}

#[test]
fn a_body_that_cannot_be_read_is_not_the_client_s_fault() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::InvalidData.into())
        }
    }
    for beginning in [
        "{\"images\": [\"data:;base64,aGk",
        "{\"params\": [1, ",
        "{\"images\": 7",
    ] {
        let ended = read(
            beginning.as_bytes().chain(Broken),
            SUBMISSION,
            &mut Taken::default(),
        );
        assert!(matches!(ended, Err(ReadError::Io(_))), "{beginning}: {ended:?}");
    }
}

#[test]
fn a_picture_may_be_longer_than_all_else() {
    use base64::Engine as _;
    let content: Vec<u8> = (0..300_000_u32)
        .map(|index| ((index * 7) >> 3).to_le_bytes()[0])
        .collect();
    let uri = format!(
        "data:;base64,{}",
        base64::engine::general_purpose::STANDARD.encode(&content)
    );
    let text = serde_json::json!({"images": [uri, uri], "params": {}}).to_string();
    let mut taken = Taken::default();
    assert!(read(text.as_bytes(), SUBMISSION, &mut taken).is_ok());
    assert!(taken.0 == [content.clone(), content]);
}

proptest! {
    #[test]
    fn any_bytes_are_survived(text in prop::collection::vec(any::<u8>(), 0..200)) {
        said(text);
    }

    #[test]
    fn any_cut_and_change_is_survived(at in any::<prop::sample::Index>(), byte in any::<u8>(), keep in any::<prop::sample::Index>()) {
        let mut text = b"{\"images\": [\"data:;base64,aGkhaGkh\", \"data:;base64,aGk=\"], \"params\": {\"seed\": [1, -2.5, null, \"\\u00e4\"]}}".to_vec();
        let at = at.index(text.len());
        text[at] = byte;
        text.truncate(keep.index(text.len()) + 1);
        said(text);
    }

    /// What serde takes for an object is read to the same values.
    #[test]
    fn values_are_those_of_serde(seed in any::<i64>(), number in any::<f64>().prop_filter("JSON has no other", |number| number.is_finite()), text in ".*") {
        let params = serde_json::json!({"a": seed, "b": [number, null, true], "c": text});
        let whole = serde_json::json!({"params": params}).to_string();
        let rest = read(whole.as_bytes(), SUBMISSION, &mut Taken::default());
        prop_assert_eq!(&rest.unwrap().fields["params"], &params);
    }
}
