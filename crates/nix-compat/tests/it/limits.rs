//! What reader and writer of archives refuse, in every build.

use std::io::{BufRead, ErrorKind, Read};

use nix_compat::nar::{self, reader, writer};

use crate::kit::Tree;

fn string(bytes: &[u8]) -> Vec<u8> {
    let mut encoded = (bytes.len() as u64).to_le_bytes().to_vec();
    encoded.extend_from_slice(bytes);
    encoded.resize(encoded.len().next_multiple_of(8), 0);
    encoded
}

/// An archive of these words.
fn archive(words: &[&[u8]]) -> Vec<u8> {
    let all = [b"nix-archive-1".as_slice()]
        .into_iter()
        .chain(words.iter().copied());
    all.flat_map(string).collect()
}

/// Why an archive is refused, by both ways of reading it.
fn refused(nar: &[u8]) -> String {
    let error = nar::copy(&mut &*nar, &mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
    assert_eq!(
        Tree::from_nar(nar, 64).unwrap_err().to_string(),
        error.to_string()
    );
    error.to_string()
}

#[test]
fn an_archive_of_another_form_is_refused() {
    let [open, close, kind, node]: [&[u8]; 4] = [b"(", b")", b"type", b"node"];
    let link = |target| archive(&[open, kind, b"symlink", b"target", target, close]);
    assert!(Tree::from_nar(&link(b"x"), 64).is_ok());
    assert!(refused(&link(b"")).contains("target of 0 bytes"));
    assert!(refused(&link(b"a\0b")).contains("NUL"));
    assert!(refused(&link(&[b'x'; 4096])).contains("target of 4096 bytes"));
    assert!(refused(&archive(&[open, kind, b"device"])).contains("`device`"));
    assert!(refused(&archive(&[open, kind, b"regular", close])).contains("`contents`"));
    assert!(refused(&archive(&[open, kind, b"regular", b"executable", b"x"])).contains("`x`"));
    assert!(refused(&string(b"nix-archive-2")).contains("`nix-archive-1`"));
    assert!(refused(&string(b"a word too long")).contains("word of 15 bytes"));

    let names = |names: &[&[u8]]| {
        let mut words: Vec<&[u8]> = vec![open, kind, b"directory"];
        for name in names {
            let leaf = [open, kind, b"symlink", b"target", b"x", close];
            words.extend([b"entry", open, b"name", name, node]);
            words.extend(leaf);
            words.push(close);
        }
        words.push(close);
        archive(&words)
    };
    assert!(Tree::from_nar(&names(&[b"a", b"b"]), 64).is_ok());
    assert!(refused(&names(&[b"b", b"a"])).contains("`a` must not come after `b`"));
    assert!(refused(&names(&[b"a", b"a"])).contains("must not come after"));
    assert!(refused(&names(&[b""])).contains("name of 0 bytes"));
    assert!(refused(&names(&[&[b'n'; 256]])).contains("name of 256 bytes"));
    for name in [b".".as_slice(), b"..", b"a/b", b"/", b"a\0"] {
        assert!(refused(&names(&[name])).contains("can't be the name"), "{name:?}");
    }
}

#[test]
fn a_length_is_believed_only_as_far_as_there_are_bytes() {
    let mut huge = archive(&[b"(", b"type", b"symlink", b"target"]);
    huge.extend_from_slice(&u64::MAX.to_le_bytes());
    assert!(refused(&huge).contains("18446744073709551615"));
    let mut huge = archive(&[b"(", b"type", b"regular", b"contents"]);
    huge.extend_from_slice(&u64::MAX.to_le_bytes());
    huge.extend_from_slice(b"few bytes");
    let mut written = Vec::new();
    let error = nar::copy(&mut huge.as_slice(), &mut written).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    assert_eq!(written, huge);
}

#[test]
fn directories_in_directories_end_somewhere() {
    let nested = |depth: usize| {
        let directory = archive(&[b"(", b"type", b"directory"]).split_off(24);
        let entry = archive(&[b"entry", b"(", b"name", b"d", b"node"]).split_off(24);
        let mut nar = [string(b"nix-archive-1"), directory.clone()].concat();
        for _ in 1..depth {
            nar.extend_from_slice(&entry);
            nar.extend_from_slice(&directory);
        }
        nar.extend(string(b")").repeat(2 * depth - 1));
        nar
    };
    let deepest = nested(2048);
    let mut copied = Vec::new();
    nar::copy(&mut deepest.as_slice(), &mut copied).unwrap();
    assert_eq!(copied, deepest);
    let error = nar::copy(&mut nested(100_000).as_slice(), &mut std::io::sink()).unwrap_err();
    assert!(
        error.to_string().contains("more than 2048 directories"),
        "{error}"
    );
}

#[test]
fn an_entry_left_half_read_is_an_error() {
    let file = |contents: &[u8]| Tree::File {
        executable: false,
        contents: contents.into(),
    };
    let inner = Tree::Directory([(b"x".to_vec(), file(b""))].into());
    let nar = Tree::Directory([(b"a".to_vec(), file(b"12345")), (b"b".to_vec(), inner)].into()).to_nar();

    let mut input = nar.as_slice();
    let reader::Node::Directory(mut root) = reader::open(&mut input).unwrap() else {
        panic!()
    };
    let reader::Node::File {
        mut reader,
        executable: false,
    } = root.next().unwrap().unwrap().node
    else {
        panic!()
    };
    assert_eq!((reader.len(), reader.is_empty()), (5, false));
    reader.read_exact(&mut [0; 3]).unwrap();
    assert_eq!(reader.fill_buf().unwrap(), b"45");
    assert_eq!(reader.consume(3).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!((reader.len(), reader.is_empty()), (2, false));
    for _ in 0..2 {
        assert_eq!(root.next().err().unwrap().kind(), ErrorKind::InvalidInput);
    }

    let mut input = nar.as_slice();
    let reader::Node::Directory(mut root) = reader::open(&mut input).unwrap() else {
        panic!()
    };
    let reader::Node::File { mut reader, .. } = root.next().unwrap().unwrap().node else {
        panic!()
    };
    reader.consume(5).unwrap();
    assert_eq!(reader.fill_buf().unwrap(), b"");
    let reader::Node::Directory(mut inner) = root.next().unwrap().unwrap().node else {
        panic!()
    };
    assert_eq!(inner.next().unwrap().unwrap().name, b"x"); // has no contents: done at once
    assert!(root.next().is_err(), "the directory inside is not at its end");
}

#[test]
fn the_writer_refuses_what_no_archive_can_hold() {
    let mut sink = Vec::new();
    let mut refused = |write: &dyn Fn(writer::Node<'_, Vec<u8>>) -> std::io::Result<()>| {
        let error = write(writer::open(&mut sink).unwrap()).unwrap_err();
        (error.kind(), error.to_string())
    };
    let (kind, text) = refused(&|node| node.symlink(b""));
    assert_eq!(
        (kind, text.contains("target of 0 bytes")),
        (ErrorKind::InvalidInput, true)
    );
    assert_eq!(
        refused(&|node| node.symlink(&[b'x'; 4096])).0,
        ErrorKind::InvalidInput
    );
    assert_eq!(refused(&|node| node.symlink(b"\0")).0, ErrorKind::InvalidInput);
    assert_eq!(
        refused(&|node| node.file(true, 3, &mut b"12".as_slice())).0,
        ErrorKind::UnexpectedEof
    );
    assert_eq!(
        refused(&|node| node.file(true, 1, &mut b"12".as_slice())).0,
        ErrorKind::InvalidInput
    );
    assert_eq!(
        refused(&|node| node.file(true, 0, &mut b"1".as_slice())).0,
        ErrorKind::InvalidInput
    );
    for name in [
        b"".as_slice(),
        b".",
        b"..",
        b"a/b",
        b"\0",
        &[b'n'; 256],
        b"m",
        b"a",
    ] {
        let (kind, _) = refused(&|node| {
            let mut directory = node.directory()?;
            directory.entry(b"m")?.symlink(b"x")?;
            directory.entry(name)?.symlink(b"x")?;
            directory.close()
        });
        assert_eq!(kind, ErrorKind::InvalidInput, "{name:?}");
    }
    let begun = |node: writer::Node<'_, Vec<u8>>, close: bool| {
        let mut directory = node.directory()?;
        drop(directory.entry(b"a")?);
        if close {
            directory.close()
        } else {
            directory.entry(b"b")?.symlink(b"x")
        }
    };
    for close in [true, false] {
        assert_eq!(refused(&|node| begun(node, close)).0, ErrorKind::InvalidInput);
    }
    let nothing_left_open = refused(&|node| {
        let mut directory = node.directory()?;
        drop(directory.entry(b"a")?.directory()?);
        directory.close()
    });
    assert_eq!(nothing_left_open.0, ErrorKind::InvalidInput);
}

#[test]
fn contents_written_by_hand_make_the_same_archive() {
    let contents = b"123456789".to_vec();
    let tree = Tree::Directory(
        [(
            b"a".to_vec(),
            Tree::File {
                executable: true,
                contents: contents.clone(),
            },
        )]
        .into(),
    );
    let mut nar = Vec::new();
    let mut directory = writer::open(&mut nar).unwrap().directory().unwrap();
    let (sink, file) = directory.entry(b"a").unwrap().file_manual_write(true, 9).unwrap();
    sink.extend_from_slice(&contents);
    file.close(sink).unwrap();
    directory.close().unwrap();
    assert_eq!(nar, tree.to_nar());
    let mut rest = nar.as_slice();
    nar::copy(&mut rest, &mut std::io::sink()).unwrap();
    assert!(rest.fill_buf().unwrap().is_empty());
}
