//! Device code in libraries, wherever it lies.

use trellis_doctor::{Level, LibraryCode, Verdict};

use crate::kit::{Env, Lib, Piece, fatbin, ptx, sass};

fn library_with(section: &str, content: Vec<u8>) -> LibraryCode {
    let env = Env::new();
    let section = Some((section, content));
    env.library(
        "x/_C.so",
        Lib {
            section,
            ..Lib::default()
        },
    );
    let mut libraries = env.report().libraries;
    assert_eq!(libraries.len(), 1, "one library with device code");
    libraries.remove(0)
}

fn verdict(pieces: &[Piece]) -> Verdict {
    library_with(".nv_fatbin", fatbin(pieces)).verdict
}

#[test]
fn lists_code_with_letters_and_counts() {
    let pieces = [
        sass(75),
        sass(90).exact(),
        sass(100).family(),
        ptx(80),
        ptx(120).exact(),
    ];
    let mut two = fatbin(&pieces);
    two.extend(fatbin(&[sass(75)]));
    let library = library_with(".nv_fatbin", two);
    assert_eq!(library.sass(), ["sm_75", "sm_90a", "sm_100f"]);
    assert_eq!(library.ptx(), ["compute_80", "compute_120a"]);
    assert_eq!(library.images, 6);
    assert_eq!(library.linked.sass[0].count, 2);
    assert_eq!((library.units.driver_compiles, library.units.none), (1, 1));
    let from = vec!["compute_120a".to_owned()];
    assert_eq!(library.verdict, Verdict::DriverCompiles { from });
}

#[test]
fn a_letter_in_the_codes_own_header_counts() {
    let piece = Piece {
        payload: 64,
        ..sass(60)
    };
    let mut content = fatbin(&[piece, sass(60)]);
    let code = 16 + 64;
    content[code..code + 8].copy_from_slice(b"\x7fELF\x02\x01\x01\x33");
    content[code + 48..code + 52].copy_from_slice(&0x3C_0D3C_u32.to_le_bytes());
    let library = library_with(".nv_fatbin", content);
    assert_eq!(library.sass(), ["sm_60", "sm_60a"]);
}

#[test]
fn verdicts() {
    assert_eq!(verdict(&[sass(90), sass(120)]), Verdict::Native);
    assert_eq!(verdict(&[sass(120).exact()]), Verdict::Native);
    assert_eq!(verdict(&[sass(90), ptx(90).exact()]), Verdict::None);
    assert_eq!(verdict(&[sass(100).family()]), Verdict::None);
    let from = vec!["compute_90".to_owned()];
    assert_eq!(
        verdict(&[sass(90), ptx(52), ptx(90)]),
        Verdict::DriverCompiles { from }
    );
}

#[test]
fn the_device_linkers_input_counts_but_is_not_linked() {
    let mut padded = fatbin(&[sass(90)]);
    padded.extend([0; 40]);
    padded.extend(fatbin(&[ptx(90)]));
    let library = library_with("__nv_relfatbin", padded);
    assert_eq!(library.linked.sass, [], "cuobjdump does not list it");
    assert_eq!((library.images, library.sass()), (2, vec!["sm_90"]));
    let from = vec!["compute_90".to_owned()];
    assert_eq!(library.verdict, Verdict::DriverCompiles { from });
}

#[test]
fn wrappers_lead_to_code_outside_the_section() {
    let env = Env::new();
    let code = "
        extern const char fatbin[] __attribute__((visibility(\"hidden\")));
        struct wrapper { int magic, version; const void *data; void *name; };
        __attribute__((section(\".nvFatBinSegment\"))) struct wrapper wrapper = { 0x466243B1, 1, fatbin, 0 };
        __asm__(\".section .constants,\\\"a\\\"\\n.balign 8\\n.globl fatbin\\n.hidden fatbin\\nfatbin:\\n.previous\");
    ";
    let section = Some((".constants", fatbin(&[sass(86), ptx(86)])));
    env.library(
        "x/_C.so",
        Lib {
            section,
            code,
            ..Lib::default()
        },
    );
    let libraries = env.report().libraries;
    assert_eq!(libraries[0].linked.sass[0].arch, "sm_86");
    assert_eq!(
        libraries[0].embedded.sass,
        [],
        "code that a wrapper names is not counted twice"
    );
}

#[test]
fn code_among_the_constants_counts_but_is_not_linked() {
    let mut constants = b"\x50\xed\x55\xba starts like a fatbin and is none".to_vec();
    constants.resize(40, b'.');
    constants.extend(fatbin(&[sass(120)]));
    let library = library_with(".rodata.tables", constants);
    assert_eq!(library.linked.sass, []);
    assert_eq!(library.embedded.sass[0].arch, "sm_120");
    assert_eq!(library.verdict, Verdict::Native);
}

#[test]
fn damage_is_told_and_what_was_read_is_kept() {
    let env = Env::new();
    let mut content = fatbin(&[sass(90)]);
    let mut cut = fatbin(&[sass(120)]);
    cut[8..16].copy_from_slice(&u64::MAX.to_le_bytes());
    content.extend(cut);
    let section = Some((".nv_fatbin", content));
    env.library(
        "x/_C.so",
        Lib {
            section,
            ..Lib::default()
        },
    );
    let finding = env.finding("damaged_device_code");
    assert_eq!(finding.level, Level::Warn);
    assert!(
        finding.message.contains("runs past the end"),
        "{}",
        finding.message
    );
    assert_eq!(env.report().libraries[0].sass(), ["sm_90"]);
}

#[test]
fn code_that_nothing_needs_is_no_error() {
    let env = Env::new();
    let section = Some((".nv_fatbin", fatbin(&[sass(52)])));
    env.library(
        "nvidia/cufft/lib/libcufftw.so.11",
        Lib {
            section,
            ..Lib::default()
        },
    );
    assert_eq!(env.finding("unneeded_without_code").level, Level::Ok);
}

#[test]
fn an_nvrtc_that_does_not_know_the_gpu() {
    let env = Env::new();
    let nvrtc = |content: &str| {
        let section = Some((".rodata", content.as_bytes().to_vec()));
        env.library(
            "nvidia/cuda_nvrtc/lib/libnvrtc.so.12",
            Lib {
                section,
                ..Lib::default()
            },
        );
    };
    nvrtc("compute_90\0compute_90a\0compute_1200\0");
    assert_eq!(
        env.finding("nvrtc_too_old").subject,
        "nvidia/cuda_nvrtc/lib/libnvrtc.so.12"
    );
    nvrtc("compute_90\0compute_120\0");
    assert!(!env.kinds().contains(&"nvrtc_too_old"));
}

#[test]
fn xformers_operators_for_fp32_stop_early() {
    let env = Env::new();
    let source = |types: &str, limit: &str| {
        format!(
            "class FwOp(AttentionFwOpBase):\n    SUPPORTED_DTYPES: Set[torch.dtype] = {types}\n    {limit}\n\n\
             class BwOp(AttentionBwOpBase):\n    SUPPORTED_DTYPES = {{torch.float}}\n"
        )
    };
    let limit = "CUDA_MAXIMUM_COMPUTE_CAPABILITY = (9, 0)";
    let all = "{torch.float, torch.half, torch.bfloat16}";
    env.file("xformers/ops/fmha/cutlass.py", source(all, limit));
    env.file(
        "xformers/ops/fmha/flash.py",
        source("{torch.half, torch.bfloat16}", "SUPPORTED_MAX_K = 256"),
    );
    let finding = env.finding("xformers_operator_limit");
    assert_eq!(
        finding.message,
        "the only attention operators for fp32 stop at capability 9.0; in fp16 and bf16 others are there"
    );
    assert!(
        finding.advice.starts_with("set `XFORMERS_DISABLED=1`"),
        "{}",
        finding.advice
    );
    let served = env.report_for("9.0");
    assert!(
        served
            .findings
            .iter()
            .all(|finding| finding.kind != "xformers_operator_limit")
    );
}
