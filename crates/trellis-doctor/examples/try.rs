#![allow(missing_docs, clippy::all, clippy::pedantic, clippy::print_stdout, clippy::unwrap_used)]
use trellis_doctor::*;
fn main() {
    let t = std::time::Instant::now();
    let env = Environment::discover(std::path::Path::new(&std::env::args().nth(1).unwrap())).unwrap();
    let s = Settings { capability: "12.0".parse().unwrap(), library_folders: vec!["/lib/x86_64-linux-gnu".into(), "/usr/lib/x86_64-linux-gnu".into(), "/lib64".into()], telltales: vec![] };
    let r = examine(&env, &s);
    println!("{}", serde_json::to_string_pretty(&r).unwrap());
    eprintln!("{:?}", t.elapsed());
    for l in std::fs::read_to_string("/proc/self/status").unwrap().lines() { if l.starts_with("VmHWM") || l.starts_with("Rss") { eprintln!("{l}"); } }
}
