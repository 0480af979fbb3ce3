//! The whole examination of a made environment, and the walk over a large section of fatbins.

use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use trellis_doctor::code::fatbin::walk;
use trellis_doctor::{Environment, Settings, examine};
use trellis_pins::Pins;

/// Extensions, and symbols that each needs from one library: as many as a whole environment has of both.
const EXTENSIONS: usize = 200;
const SYMBOLS: usize = 1000;
/// Containers of a large library.
const CONTAINERS: usize = 4000;

fn compile(source: &str, output: &Path, arguments: &[&str]) {
    let file = output.with_extension("c");
    fs::write(&file, source).expect("a file in the temporary folder");
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-nostdlib", "-O0", "-o"])
        .arg(output)
        .arg(&file)
        .args(arguments);
    assert!(cc.status().expect("a C compiler is there").success());
}

fn environment(root: &Path) {
    let packages = root.join("lib/python3.12/site-packages");
    let torch = packages.join("torch/lib");
    fs::create_dir_all(&torch).expect("a folder in the temporary one");
    let (mut defines, mut needs) = (String::new(), String::new());
    for number in 0..SYMBOLS {
        let _ = writeln!(
            defines,
            "void d{number}(void) __asm__(\"_ZN3c106f{number:06}Ev\"); void d{number}(void) {{}}"
        );
        let _ = writeln!(
            needs,
            "extern void d{number}(void) __asm__(\"_ZN3c106f{number:06}Ev\"); void *u{number} = d{number};"
        );
    }
    let library = torch.join("libc10.so");
    compile(&defines, &library, &["-Wl,-soname,libc10.so"]);
    let first = packages.join("x0/_C.so");
    fs::create_dir_all(packages.join("x0")).expect("a folder in the temporary one");
    compile(
        &needs,
        &first,
        &[library.to_str().expect("temporary folders are UTF-8")],
    );
    for number in 1..EXTENSIONS {
        let folder = packages.join(format!("x{number}"));
        fs::create_dir_all(&folder).expect("a folder in the temporary one");
        fs::copy(&first, folder.join("_C.so")).expect("a copy");
    }
}

/// One container with SASS for three GPUs, each piece of 1 KiB.
fn container() -> Vec<u8> {
    let mut entries = Vec::new();
    for arch in [80_u32, 90, 120] {
        let mut head = [0_u8; 64];
        head[0] = 2;
        head[4] = 64;
        head[8..16].copy_from_slice(&1024_u64.to_le_bytes());
        head[28..32].copy_from_slice(&arch.to_le_bytes());
        entries.extend(head);
        entries.resize(entries.len() + 1024, 0xAB);
    }
    let mut bytes = vec![0x50, 0xED, 0x55, 0xBA, 1, 0, 16, 0];
    bytes.extend((entries.len() as u64).to_le_bytes());
    bytes.extend(entries);
    bytes
}

fn benches(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    environment(folder.path());
    let settings = Settings {
        capability: "12.0".parse().expect("a capability"),
        library_folders: Vec::new(),
        pins: Pins::embedded(),
        model: None,
    };
    let mut group = criterion.benchmark_group("examine");
    group.sample_size(20);
    group.throughput(Throughput::Elements((EXTENSIONS * SYMBOLS) as u64));
    group.bench_function("200 extensions of 1000 symbols", |bencher| {
        bencher.iter(|| {
            let environment = Environment::discover(folder.path()).expect("it was made");
            black_box(examine(&environment, &settings))
        });
    });
    group.finish();

    let section = container().repeat(CONTAINERS);
    let mut group = criterion.benchmark_group("fatbin");
    group.throughput(Throughput::Bytes(section.len() as u64));
    group.bench_function("walk 4000 containers", |bencher| {
        bencher.iter(|| {
            let mut items = 0;
            walk(section.as_slice(), 0..section.len() as u64, &mut |_| items += 1).expect("it is sound");
            black_box(items)
        });
    });
    group.finish();
}

criterion_group!(all, benches);
criterion_main!(all);
