//! Records of packages against each other and the files: mixtures of versions, records that cannot be read, extras.

use trellis_doctor::{Finding, Level};

use crate::kit::Env;

/// Two records of easydict, 1.12 and 1.13, with files of these lengths, and what is there.
fn two_records(lengths: [[usize; 2]; 2], there: [usize; 2]) -> Env {
    let env = Env::whole();
    for (version, of) in ["1.12", "1.13"].into_iter().zip(lengths) {
        env.package("easydict", version, &[]);
        let lines = ["easydict.py", "easydict_more.py"].into_iter().zip(of);
        let lines: Vec<String> = lines
            .map(|(file, length)| format!("{file},sha256={version},{length}\n"))
            .collect();
        env.file(&format!("easydict-{version}.dist-info/RECORD"), lines.concat());
    }
    env.file("easydict.py", "\n".repeat(there[0]));
    env.file("easydict_more.py", "\n".repeat(there[1]));
    env
}

fn told(finding: &Finding) -> (Level, &str) {
    (finding.level, finding.message.as_str())
}

#[test]
fn files_of_two_versions_are_an_error_whichever_record_comes_first() {
    for (lengths, file) in [
        ([[10, 20], [11, 21]], "easydict.py"),
        ([[11, 21], [10, 20]], "easydict_more.py"),
    ] {
        let env = two_records(lengths, [11, 20]);
        let finding = env.finding("two_records");
        assert_eq!(
            told(&finding),
            (Level::Error, "has 2 records, and its files are a mixture of them")
        );
        assert_eq!(
            finding.advice,
            "remove all its records and folders, and install it again"
        );
        assert_eq!(finding.evidence, [file]);
    }
}

#[test]
fn files_that_are_not_all_of_the_real_record_are_an_error() {
    let env = two_records([[10, 20], [11, 21]], [11, 22]);
    let finding = env.finding("two_records");
    assert_eq!(
        told(&finding),
        (
            Level::Error,
            "has 2 records; the files are those of 1.13, and some of them are not"
        )
    );
}

#[test]
fn files_of_one_version_beside_a_stale_record_are_a_warning() {
    for (there, real, stale) in [([10, 20], "1.12", "1.13"), ([11, 21], "1.13", "1.12")] {
        let finding = two_records([[10, 20], [11, 21]], there).finding("two_records");
        assert_eq!(
            told(&finding),
            (
                Level::Warn,
                format!("has 2 records; the files are those of {real}").as_str()
            )
        );
        assert_eq!(
            finding.advice,
            format!("remove the folder `easydict-{stale}.dist-info`")
        );
    }
    let unclear = two_records([[10, 20], [10, 20]], [10, 20]).finding("two_records");
    assert_eq!(
        told(&unclear),
        (Level::Warn, "has 2 records, and no file tells which is real")
    );
}

#[test]
fn records_of_one_version_agree() {
    let env = Env::whole();
    env.file(
        "plyfile-1.1.3.egg-info/PKG-INFO",
        "Name: plyfile\nVersion: 1.1.3\n",
    );
    assert!(!env.kinds().contains(&"two_records"));
}

/// onnxruntime and onnxruntime-gpu record other lengths for two files.
fn shared(there: [usize; 2]) -> Finding {
    let env = Env::whole();
    for (name, length) in [("onnxruntime", 5), ("onnxruntime-gpu", 6)] {
        env.package(name, "1.23.2", &[]);
        let lines = ["a", "b"]
            .map(|file| format!("onnxruntime/capi/{file}.py,sha256={length},{length}\n"))
            .concat();
        env.file(
            &format!("{}-1.23.2.dist-info/RECORD", name.replace('-', "_")),
            lines,
        );
    }
    env.file("onnxruntime/capi/a.py", "\n".repeat(there[0]));
    env.file("onnxruntime/capi/b.py", "\n".repeat(there[1]));
    env.finding("shared_files")
}

#[test]
fn shared_files_say_whose_they_are() {
    let begins = "shares 2 files with onnxruntime-gpu that differ between them; here they are ";
    for (there, level, owner) in [
        ([5, 5], Level::Warn, "from onnxruntime 1.23.2"),
        ([6, 6], Level::Warn, "from onnxruntime-gpu 1.23.2"),
        ([7, 7], Level::Warn, "neither's, by the length"),
        ([5, 6], Level::Error, "a mixture of both"),
        ([6, 5], Level::Error, "a mixture of both"),
    ] {
        let finding = shared(there);
        assert_eq!(
            told(&finding),
            (level, format!("{begins}{owner}").as_str()),
            "{there:?}"
        );
        assert!(finding.advice.starts_with("uninstall both"), "{}", finding.advice);
    }
}

#[test]
fn a_record_without_metadata_is_told() {
    for damage in ["", "\0\0\0\0", "Metadata-Version: 2.1\n"] {
        let env = Env::whole();
        env.file("torch-2.9.1.dist-info/METADATA", damage);
        assert_eq!(env.finding("record_unreadable").subject, "torch", "{damage:?}");
    }
    let env = Env::whole();
    env.remove("plyfile-1.1.3.dist-info/METADATA");
    assert_eq!(env.finding("record_unreadable").subject, "plyfile");
    env.file(
        "plyfile-1.1.3.dist-info/METADATA",
        "name: plyfile\r\nversion: 1.1.3\r\n\r\n",
    );
    assert!(!env.kinds().contains(&"record_unreadable"));
}

#[test]
fn extras_that_a_package_asks_for_are_required_too() {
    let env = Env::whole();
    env.package(
        "fsspec",
        "2025.1",
        &["aiohttp; extra == 'http'", "s3fs; extra == 's3'"],
    );
    assert!(!env.kinds().contains(&"requirement_missing"));
    env.package("rembg", "2.0.69", &["fsspec[http]"]);
    let finding = env.finding("requirement_missing");
    assert_eq!(
        (finding.subject.as_str(), finding.message.as_str()),
        ("fsspec", "requires aiohttp, which is not installed")
    );
}

#[test]
fn what_an_interrupted_pip_left_is_not_looked_into() {
    let env = Env::whole();
    env.file("~orch/_C.so", "no library");
    assert_eq!(env.finding("leftover").subject, "~orch");
    assert!(!env.kinds().contains(&"unreadable_library"));
}
