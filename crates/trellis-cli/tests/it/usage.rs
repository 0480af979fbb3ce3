//! What the binary says of itself, and how it answers wrong usage.

use std::fs;

use tempfile::TempDir;

use crate::kit::{describe, filters, trellis};

fn home() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

#[track_caller]
fn snapshot(name: &str, home: &TempDir, arguments: &[&str]) {
    let text = describe(trellis(home.path()).args(arguments));
    filters(home.path()).bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn help_is_what_it_was() {
    let home = home();
    for command in [
        "",
        "serve",
        "generate",
        "doctor",
        "keys",
        "keys new",
        "config",
        "config show",
        "config check",
        "closure",
        "closure verify",
        "lock",
        "lock check",
        "completions",
        "man",
    ] {
        let mut arguments: Vec<_> = command.split_whitespace().collect();
        arguments.push("--help");
        snapshot(
            &format!("help {command}").trim().replace(' ', "_"),
            &home,
            &arguments,
        );
    }
}

#[test]
fn config_show_names_the_origin_of_each_value() {
    let home = home();
    fs::write(
        home.path().join("t.toml"),
        "drain_seconds = 5\n\n[limits]\npixels = 1000\n",
    )
    .unwrap();
    let mut show = trellis(home.path());
    show.env("TRELLIS_LOG", "debug")
        .args(["config", "show", "--config", "t.toml", "--port", "9000"]);
    let text = describe(&mut show);
    filters(home.path()).bind(|| insta::assert_snapshot!("config_show", text));
    let text = describe(show.arg("--json"));
    filters(home.path()).bind(|| insta::assert_snapshot!("config_show_json", text));
}

#[test]
fn what_config_show_prints_is_a_settings_file() {
    let home = home();
    let shown = trellis(home.path())
        .args(["config", "show", "--host", "::1"])
        .output()
        .unwrap();
    fs::write(home.path().join("shown.toml"), shown.stdout).unwrap();
    snapshot(
        "config_check_of_config_show",
        &home,
        &["config", "check", "shown.toml"],
    );
}

#[test]
fn config_check_tells_every_problem_with_its_line() {
    let home = home();
    let text = "data_dir = \"/x\"\ndrain_second = 5\n[limits]\npixels = \"many\"\njob_seconds = 0\n[colour]\nx = 1\n";
    fs::write(home.path().join("bad.toml"), text).unwrap();
    snapshot("config_check_bad", &home, &["config", "check", "bad.toml"]);
    fs::write(home.path().join("broken.toml"), "[limits]\npixels 3\n").unwrap();
    snapshot("config_check_broken", &home, &["config", "check", "broken.toml"]);
    snapshot(
        "config_check_missing",
        &home,
        &["config", "check", "missing.toml"],
    );
}

#[test]
fn wrong_usage_ends_with_2_and_says_what_to_do() {
    let home = home();
    fs::write(home.path().join("a.png"), "").unwrap();
    fs::write(home.path().join("b.png"), "").unwrap();
    fs::create_dir(home.path().join("empty")).unwrap();
    snapshot("usage_unknown_setting_value", &home, &["serve", "--port", "http"]);
    snapshot(
        "usage_seed_out_of_range",
        &home,
        &["generate", "a.png", "--seed", "-1"],
    );
    snapshot(
        "usage_one_file_for_many",
        &home,
        &["generate", "a.png", "b.png", "-o", "chair.glb"],
    );
    snapshot(
        "usage_unknown_format",
        &home,
        &["generate", "a.png", "--format", "fbx"],
    );
    snapshot(
        "usage_unknown_ending",
        &home,
        &["generate", "a.png", "-o", "chair.fbx"],
    );
    snapshot("usage_empty_folder", &home, &["generate", "empty"]);
    snapshot(
        "usage_server_address",
        &home,
        &["generate", "a.png", "--server", "ftp://localhost"],
    );
    snapshot(
        "usage_no_server",
        &home,
        &["generate", "a.png", "--server", "http://127.0.0.1:1"],
    );
    snapshot(
        "usage_backend_not_here",
        &home,
        &["generate", "a.png", "--backend", "trellis"],
    );
    snapshot("usage_no_command", &home, &["config"]);
    for (name, flag, value) in [
        ("usage_not_a_whole_number", "--seed", "abc"),
        ("usage_not_a_number", "--mesh-simplify", "much"),
        ("usage_not_a_size", "--stl-size-mm", "10cm"),
        (
            "usage_too_large_a_number",
            "--texture-size",
            "99999999999999999999",
        ),
    ] {
        snapshot(name, &home, &["generate", "a.png", flag, value]);
    }
}

/// Each path that a person names, mistyped: it is repeated, with what there is instead.
#[test]
fn a_mistyped_path_is_named_with_what_there_is() {
    let home = home();
    let at = |name: &str| home.path().join(name);
    for folder in ["photos", "state", "model"] {
        fs::create_dir(at(folder)).unwrap();
    }
    fs::write(at("photos/chair.png"), "").unwrap();
    fs::write(at("server.toml"), "").unwrap();
    fs::write(at("keys.txt"), "").unwrap();
    fs::write(at("localhost.toml"), "[listen]\nhost = \"localhost\"\n").unwrap();
    let cases: [(&str, &[&str], &str, &str); 11] = [
        (
            "settings",
            &["serve", "--config", "sever.toml"],
            "`sever.toml`",
            "`server.toml`",
        ),
        (
            "settings",
            &["config", "check", "server.tml"],
            "`server.tml`",
            "`server.toml`",
        ),
        (
            "data",
            &["serve", "--data-dir", "sttae/data"],
            "`sttae/data`",
            "`state`",
        ),
        (
            "data",
            &["serve", "--data-dir", "keys.txt/data"],
            "`keys.txt/data`",
            "`keys.txt` is a file",
        ),
        (
            "keys",
            &["serve", "--data-dir", "state/d", "--auth-keys-file", "key.txt"],
            "`key.txt`",
            "`keys.txt`",
        ),
        (
            "model",
            &["serve", "--data-dir", "state/d", "--model", "modle"],
            "`modle`",
            "`model`",
        ),
        (
            "model",
            &["generate", "photos", "--backend", "trellis"],
            "`modle`",
            "`model`",
        ),
        (
            "picture",
            &["generate", "photos/chiar.png"],
            "`photos/chiar.png`",
            "`photos/chair.png`",
        ),
        (
            "picture",
            &["generate", "photo/chair.png"],
            "`photo/chair.png`",
            "`photos/chair.png`",
        ),
        (
            "picture",
            &["generate", "photos/chair.jpg"],
            "`photos/chair.jpg`",
            "`photos/chair.png`",
        ),
        (
            "result",
            &["verify", "photos/chair.gbl"],
            "`photos/chair.gbl`",
            "`photos/chair.png`",
        ),
    ];
    for (what, arguments, given, meant) in cases {
        let mut call = trellis(home.path());
        if what == "model" && arguments[0] == "generate" {
            call.env("TRELLIS_MODEL_PATH", "modle");
        }
        let told = describe(call.args(arguments));
        assert!(!told.starts_with("exit code: 0"), "{told}");
        assert!(
            told.contains(given) && told.contains(meant),
            "{arguments:?}\n{told}"
        );
    }
    assert!(!at("sttae").exists(), "nothing is made for a mistyped path");
}

#[test]
fn typos_in_paths_of_lock_and_closure_are_named_too() {
    let home = home();
    let at = |name: &str| home.path().join(name);
    fs::create_dir(at("photos")).unwrap();
    fs::write(at("photos/flake.lock"), "{}").unwrap();
    fs::write(at("flake.lock"), "{}").unwrap();
    fs::write(at("keys.txt"), "").unwrap();
    fs::write(at("top.toml"), "host = \"localhost\"\n").unwrap();
    fs::create_dir_all(at("store/nix/store")).unwrap();
    let cases: [(&[&str], &str, &str); 6] = [
        (&["generate", "-"], "`-`", "`/dev/stdin`"),
        (&["lock", "show", "flake.lok"], "`flake.lok`", "`flake.lock`"),
        (
            &["lock", "check", "photo/flake.lock"],
            "`photo/flake.lock`",
            "`photos/flake.lock`",
        ),
        (
            &["closure", "show", "keys.text", "--store", "store"],
            "`keys.text`",
            "`keys.txt`",
        ),
        (
            &["closure", "list", "--store", "stroe"],
            "`stroe/nix/store`",
            "`store`",
        ),
        (
            &["config", "check", "top.toml"],
            "`host` is not a setting",
            "`listen.host`",
        ),
    ];
    for (arguments, given, meant) in cases {
        let told = describe(trellis(home.path()).args(arguments));
        assert!(!told.starts_with("exit code: 0"), "{told}");
        assert!(
            told.contains(given) && told.contains(meant),
            "{arguments:?}\n{told}"
        );
    }
}

#[test]
fn a_setting_of_an_earlier_version_says_what_to_do() {
    let home = home();
    fs::write(home.path().join("t.toml"), "[cache]\nmax_bytes = 0\n").unwrap();
    for told in [
        describe(trellis(home.path()).args(["config", "check", "t.toml"])),
        describe(
            trellis(home.path())
                .args(["config", "show"])
                .env("TRELLIS_CACHE_MAX_BYTES", "0"),
        ),
    ] {
        assert!(!told.starts_with("exit code: 0"), "{told}");
        assert!(
            told.contains("`cache.max_bytes` is no longer a setting"),
            "{told}"
        );
        assert!(told.contains("`retention.keep_jobs`"), "{told}");
    }
}

#[test]
fn localhost_is_an_address() {
    let home = home();
    fs::write(home.path().join("t.toml"), "[listen]\nhost = \"localhost\"\n").unwrap();
    snapshot("config_check_localhost", &home, &["config", "check", "t.toml"]);
    fs::write(home.path().join("t.toml"), "[listen]\nhost = \"studio\"\n").unwrap();
    snapshot("config_check_host_name", &home, &["config", "check", "t.toml"]);
}

#[test]
fn version_tells_details_and_completions_and_man_are_there() {
    let home = home();
    let version = trellis(home.path()).arg("--version").output().unwrap();
    let text = String::from_utf8(version.stdout).unwrap();
    assert!(
        text.starts_with(concat!("trellis ", env!("CARGO_PKG_VERSION"), "\n")),
        "{text}"
    );
    assert!(text.contains("platform:"), "{text}");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = trellis(home.path())
            .args(["completions", shell])
            .output()
            .unwrap();
        assert!(script.status.success());
        assert!(
            String::from_utf8(script.stdout).unwrap().contains("multiview"),
            "{shell}"
        );
    }
    assert!(
        trellis(home.path())
            .args(["man", "--out", "pages"])
            .status()
            .unwrap()
            .success()
    );
    let page = fs::read_to_string(home.path().join("pages/trellis-generate.1")).unwrap();
    assert!(page.contains(".TH"), "{page}");
}

/// A shell puts the names of others' files onto the command line.
#[test]
fn nobodys_control_characters_are_printed() {
    let home = home();
    for (argument, code) in [("--\u{202e}gpj.x", 2), ("\u{202e}gpj.x", 1)] {
        let output = trellis(home.path())
            .args(["generate", argument])
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(
            said.contains("\\u202egpj.x") && !said.contains('\u{202e}'),
            "{said}"
        );
    }
}
