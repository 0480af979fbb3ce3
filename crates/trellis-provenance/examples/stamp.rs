//! Writes a record into GLB files: for each `NAME.glb` a `NAME.stamped.glb`, to be looked at by a validator.

use std::error::Error;
use std::fs::File;
use std::io::{BufReader, BufWriter, Write as _};
use std::path::PathBuf;

use trellis_core::{GpuUsed, ParamsPatch, Pin, Provenance, PythonEnv, Schema, ServerBuild};
use trellis_provenance::glb;

fn main() -> Result<(), Box<dyn Error>> {
    let record = record()?;
    for path in std::env::args_os().skip(1).map(PathBuf::from) {
        let mut source = BufReader::new(File::open(&path)?);
        let mut sink = BufWriter::new(File::create(path.with_extension("stamped.glb"))?);
        glb::stamp(&mut source, &mut sink, &record)?;
        sink.flush()?;
    }
    Ok(())
}

/// A record in which everything is there.
fn record() -> Result<Provenance, Box<dyn Error>> {
    let pin = Pin::Nix {
        store_path: "/nix/store/0c6kzph7l0dcbfmjap64f0czdafn3b7x-trellis-0.1.0".to_owned(),
        nar_hash: Some("sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=".to_owned()),
    };
    Ok(Provenance {
        schema: Schema,
        inputs: vec![[0; 32].into(), [0x11; 32].into()],
        source: None,
        name: None,
        params: ParamsPatch::default().resolve(7)?,
        backend: "trellis".to_owned(),
        variant: Some("ATTN_BACKEND=xformers".to_owned()),
        server: ServerBuild {
            version: "0.1.0".to_owned(),
            pin: pin.clone(),
        },
        python_env: Some(PythonEnv {
            versions: [("torch".to_owned(), "2.9.1+cu128".to_owned())].into(),
            pin,
        }),
        model_lock: Some([0x22; 32].into()),
        tuning: None,
        gpu: Some(GpuUsed {
            name: "NVIDIA GeForce RTX 5090 Laptop GPU".to_owned(),
            capability: "12.0".to_owned(),
            driver: Some("570.86.15".to_owned()),
        }),
        non_commercial: Vec::new(),
    })
}
