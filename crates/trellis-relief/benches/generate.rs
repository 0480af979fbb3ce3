//! From a picture of 1024 × 1024 pixels to a GLB, decoding included; one thread.
//!
//! Stage by stage, and memory: `examples/profile.rs`.
use std::hint::black_box;
use std::ops::ControlFlow;

use criterion::{Criterion, criterion_group, criterion_main};
use image::ImageFormat;
use trellis_core::ParamsPatch;
use trellis_picture::decode;
use trellis_relief::{Views, generate};

#[path = "../tests/it/pictures.rs"]
#[expect(dead_code, reason = "only two of the tests' pictures are timed")]
mod pictures;

const SIDE: u32 = 1024;

fn generation(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("picture_to_glb");
    group.sample_size(20);
    for (name, picture, texture) in [
        ("cut_out", pictures::cut_out(pictures::blob, SIDE, SIDE), true),
        (
            "cut_out_without_texture",
            pictures::cut_out(pictures::blob, SIDE, SIDE),
            false,
        ),
        ("photo", pictures::photo(pictures::blob, SIDE, SIDE), true),
    ] {
        let asked = ParamsPatch::default().with("texture", texture);
        let params = asked.resolve(1).expect("it is allowed");
        let bytes = pictures::encoded(picture, ImageFormat::Png);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let views = Views {
                    first: decode(black_box(&bytes), 64_000_000).expect("the picture is whole"),
                    count: 1,
                    name: trellis_core::AssetName::default(),
                };
                generate(&views, &params, &mut |_| ControlFlow::Continue(())).expect("there is an object")
            });
        });
    }
    group.finish();
}

criterion_group!(benches, generation);
criterion_main!(benches);
