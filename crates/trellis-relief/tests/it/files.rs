//! The files: their kinds, their words, and that the same input gives the same bytes.

use std::collections::HashSet;
use std::ops::ControlFlow;

use trellis_core::{AssetName, Format, Params, Progress, Stage};
use trellis_picture::{Picture, decode};
use trellis_relief::{DESCRIPTION, File, Relief, ReliefError, Topology, Views, generate};

use crate::kit::{MAX_PIXELS, params, simplified};
use crate::pictures;

fn views(count: usize) -> Views {
    let bytes = pictures::encoded(
        pictures::cut_out(pictures::blob, 200, 180),
        image::ImageFormat::Png,
    );
    Views {
        first: decode(&bytes, MAX_PIXELS).expect("the picture is whole"),
        count,
        name: AssetName::of_file("red chair.png").expect("a name"),
    }
}

fn generated(views: &Views, params: &Params) -> Result<Relief, ReliefError> {
    generate(views, params, &mut |_| ControlFlow::Continue(()))
}

/// The JSON of a GLB, as far as it lies where the header says.
fn document(glb: &[u8]) -> serde_json::Value {
    let number = |at: usize| u32::from_le_bytes(glb[at..at + 4].try_into().expect("four bytes")) as usize;
    assert_eq!(&glb[..4], b"glTF");
    assert_eq!((number(4), number(8)), (2, glb.len()));
    serde_json::from_slice(&glb[20..20 + number(12)]).expect("the JSON is whole")
}

#[test]
fn each_format_asked_for_is_made_in_order() {
    let params = Params {
        formats: vec![Format::Ply, Format::Glb, Format::Stl],
        ..params()
    };
    let relief = generated(&views(1), &params).unwrap();
    let formats: Vec<Format> = relief.files.iter().map(|file| file.format).collect();
    assert_eq!(formats, params.formats);
    let starts = [
        &b"ply\nformat binary_little_endian"[..],
        b"glTF",
        b"relief: a preview",
    ];
    for (file, start) in relief.files.iter().zip(starts) {
        assert!(file.bytes.starts_with(start), "{}", file.format);
    }
    assert!(relief.notes.is_empty());
}

#[test]
fn a_glb_says_what_it_is() {
    let relief = generated(&views(1), &params()).unwrap();
    let asset = &document(&relief.files[0].bytes)["asset"];
    assert!(
        asset["generator"]
            .as_str()
            .unwrap()
            .starts_with("trellis-server relief ")
    );
    assert_eq!(asset["extras"], serde_json::json!({ "description": DESCRIPTION }));
}

#[test]
fn the_label_stands_wherever_a_format_has_room_for_it() {
    let params = Params {
        formats: vec![Format::Glb, Format::Stl, Format::Ply],
        ..params()
    };
    let files = generated(&views(1), &params).unwrap().files;
    let document = document(&files[0].bytes);
    for list in ["scenes", "nodes", "meshes", "materials"] {
        let object = &document[list][0];
        assert_eq!(object["name"], "red chair (preview, not TRELLIS)", "{list}");
        assert_eq!(object["extras"]["label"], "preview, not TRELLIS", "{list}");
    }
    let stl = String::from_utf8_lossy(&files[1].bytes[..80]);
    assert_eq!(
        stl.trim_end(),
        "relief: a preview from the outline, not TRELLIS; Z up, mm"
    );
    let ply = String::from_utf8_lossy(&files[2].bytes[..400]);
    assert!(
        ply.contains("\ncomment relief: a preview from the outline, not TRELLIS\n"),
        "{ply}"
    );
    assert!(
        ply.contains("\ncomment red chair (preview, not TRELLIS)\n"),
        "{ply}"
    );
}

/// Least and greatest of each axis, from the corners of an STL's triangles.
fn extent(stl: &[u8]) -> [(f32, f32); 3] {
    let mut extent = [(f32::MAX, f32::MIN); 3];
    for triangle in stl[84..].chunks_exact(50) {
        for (index, value) in triangle[12..48].chunks_exact(4).enumerate() {
            let value = f32::from_le_bytes(value.try_into().expect("four bytes"));
            let (low, high) = &mut extent[index % 3];
            (*low, *high) = (low.min(value), high.max(value));
        }
    }
    extent
}

struct Ply {
    positions: Vec<[f32; 3]>,
    colours: Vec<[u8; 3]>,
    triangles: Vec<[u32; 3]>,
}

/// Reads a PLY as this backend writes it.
fn read_ply(ply: &[u8]) -> Ply {
    let end = b"end_header\n";
    let start = ply
        .windows(end.len())
        .position(|text| text == end)
        .expect("a header")
        + end.len();
    let header = String::from_utf8_lossy(&ply[..start]);
    let count = |of: &str| {
        let line = header
            .lines()
            .find_map(|line| line.strip_prefix(of))
            .expect("an element");
        line.trim().parse::<usize>().expect("a number")
    };
    let (vertices, faces) = ply[start..].split_at(27 * count("element vertex"));
    assert_eq!(faces.len(), 13 * count("element face"));
    let word = |bytes: &[u8]| -> [u8; 4] { bytes.try_into().expect("four bytes") };
    let vertices = vertices.chunks_exact(27);
    let point = |vertex: &[u8]| [0, 4, 8].map(|at| f32::from_le_bytes(word(&vertex[at..at + 4])));
    let corners = |face: &[u8]| [1, 5, 9].map(|at| u32::from_le_bytes(word(&face[at..at + 4])));
    Ply {
        positions: vertices.clone().map(point).collect(),
        colours: vertices
            .map(|vertex| [vertex[24], vertex[25], vertex[26]])
            .collect(),
        triangles: faces.chunks_exact(13).map(corners).collect(),
    }
}

fn files_of(shape: pictures::Shape) -> Vec<File> {
    let bytes = pictures::encoded(pictures::cut_out(shape, 200, 180), image::ImageFormat::Png);
    let views = Views {
        first: decode(&bytes, MAX_PIXELS).expect("the picture is whole"),
        ..views(1)
    };
    let params = Params {
        formats: vec![Format::Ply, Format::Stl],
        ..params()
    };
    generated(&views, &params).expect("there is an object").files
}

/// With soles (`bust`), with a hole, and with neither.
const SHAPES: [pictures::Shape; 3] = [pictures::bust, pictures::ring, pictures::blob];

#[test]
fn a_ply_is_closed_by_its_indices() {
    for shape in SHAPES {
        let Ply {
            positions, triangles, ..
        } = read_ply(&files_of(shape)[0].bytes);
        // The check of the topology joins what is in one place. Where no two are, it goes by the indices.
        let places: HashSet<_> = positions
            .iter()
            .map(|at| at.map(|value| (value + 0.0).to_bits()))
            .collect();
        assert_eq!(places.len(), positions.len());
        let used: HashSet<u32> = triangles.iter().flatten().copied().collect();
        assert_eq!(used.len(), positions.len());
        Topology::of(&positions, &triangles).unwrap();
    }
}

#[test]
fn an_stl_is_closed() {
    for shape in SHAPES {
        let stl = &files_of(shape)[1].bytes;
        let number = |bytes: &[u8]| f32::from_le_bytes(bytes.try_into().expect("four bytes"));
        let positions: Vec<[f32; 3]> = stl[84..]
            .chunks_exact(50)
            .flat_map(|triangle| triangle[12..48].chunks_exact(12))
            .map(|point| [0, 4, 8].map(|at| number(&point[at..at + 4])))
            .collect();
        let triangles: Vec<[u32; 3]> = (0..positions.len() as u32 / 3)
            .map(|n| [3 * n, 3 * n + 1, 3 * n + 2])
            .collect();
        Topology::of(&positions, &triangles).unwrap();
    }
}

#[test]
fn on_the_rim_a_ply_has_the_colour_of_the_front() {
    let bytes = pictures::encoded(
        pictures::cut_out(pictures::blob, 200, 180),
        image::ImageFormat::Png,
    );
    let picture = decode(&bytes, MAX_PIXELS).unwrap();
    let model = crate::kit::made(&picture, &params()).unwrap();
    let Ply {
        positions, colours, ..
    } = read_ply(&files_of(pictures::blob)[0].bytes);
    let texture = model.texture.as_ref().expect("a texture");
    let size = texture.size as f32;
    let mut seen = 0;
    for (position, colour) in positions
        .iter()
        .zip(&colours)
        .filter(|(position, _)| position[2] == 0.0)
    {
        let front = (0..model.solid.positions.len())
            .filter(|vertex| model.solid.positions[*vertex].map(f32::to_bits) == position.map(f32::to_bits))
            .find(|vertex| model.atlas.front.holds(model.solid.uvs[*vertex]))
            .expect("a vertex of the front");
        let [u, v] = model.solid.uvs[front].map(|along| (along * size) as usize);
        assert_eq!(colour[..], texture.texels[3 * (v * size as usize + u)..][..3]);
        seen += 1;
    }
    assert!(seen > 50, "{seen} vertices on the rim");
}

/// The stages of a job, and its files.
fn staged(params: &Params) -> (Vec<Stage>, Vec<File>) {
    let mut stages = Vec::new();
    let relief = generate(&views(1), params, &mut |progress: Progress| {
        stages.push(progress.stage);
        ControlFlow::Continue(())
    });
    stages.dedup();
    (stages, relief.expect("a result").files)
}

#[test]
fn without_a_texture_none_is_made_and_the_mesh_is_the_same() {
    let textured = Params {
        formats: vec![Format::Glb, Format::Ply],
        ..params()
    };
    let plain = Params {
        texture: false,
        ..textured.clone()
    };
    let ((before, with_it), (stages, without)) = (staged(&textured), staged(&plain));
    assert!(before.contains(&Stage::Texture) && !stages.contains(&Stage::Texture));
    let (whole, bare) = (document(&with_it[0].bytes), document(&without[0].bytes));
    for name in ["images", "textures", "samplers"] {
        assert!(whole.get(name).is_some() && bare.get(name).is_none(), "{name}");
    }
    let attributes = &bare["meshes"][0]["primitives"][0]["attributes"];
    assert_eq!(*attributes, serde_json::json!({ "POSITION": 0, "NORMAL": 1 }));
    assert!(bare["materials"][0]["pbrMetallicRoughness"]["baseColorTexture"].is_null());
    // What both hold is the same, byte by byte.
    let buffer = |glb: &[u8], document: &serde_json::Value| {
        let length = document["buffers"][0]["byteLength"].as_u64().unwrap() as usize;
        glb[glb.len() - length..].to_vec()
    };
    let (long, short) = (
        buffer(&with_it[0].bytes, &whole),
        buffer(&without[0].bytes, &bare),
    );
    assert!(long.len() > short.len() && long.starts_with(&short));
    assert!(String::from_utf8_lossy(&with_it[1].bytes[..500]).contains("property uchar red"));
    assert!(!String::from_utf8_lossy(&without[1].bytes[..500]).contains("property uchar red"));
}

#[test]
fn an_stl_alone_needs_no_texture() {
    let (stages, files) = staged(&Params {
        formats: vec![Format::Stl],
        ..params()
    });
    assert!(!stages.contains(&Stage::Texture), "{stages:?}");
    assert_eq!(files.len(), 1);
}

#[test]
fn an_stl_stands_upright_in_millimetres() {
    for size in [100.0_f32, 37.5] {
        let params = Params {
            formats: vec![Format::Glb, Format::Stl],
            stl_size_mm: size.into(),
            ..params()
        };
        let files = generated(&views(1), &params).unwrap().files;
        let stl = extent(&files[1].bytes).map(|(low, high)| high - low);
        let longest = stl.iter().copied().fold(0.0, f32::max);
        assert!((longest - size).abs() < size * 1e-5, "{stl:?}");
        // The GLB's height is the STL's third axis, its depth the second.
        let bounds = &document(&files[0].bytes)["accessors"][0];
        let side =
            |axis: usize| bounds["max"][axis].as_f64().unwrap() - bounds["min"][axis].as_f64().unwrap();
        let scale = f64::from(size) / [0, 1, 2].map(side).into_iter().fold(0.0, f64::max);
        for (found, of) in stl.into_iter().zip([0, 2, 1]) {
            let expected = side(of) * scale;
            assert!((f64::from(found) - expected).abs() < 1e-3 * expected, "{stl:?}");
        }
    }
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let params = Params {
        formats: vec![Format::Glb, Format::Stl, Format::Ply],
        ..params()
    };
    let first = generated(&views(1), &params).unwrap();
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let params = params.clone();
            std::thread::spawn(move || generated(&views(1), &params).unwrap())
        })
        .collect();
    for thread in threads {
        let again = thread.join().unwrap();
        for (a, b) in first.files.iter().zip(&again.files) {
            assert!(a.bytes == b.bytes, "{} differs", a.format);
        }
    }
}

#[test]
fn the_other_views_are_named_in_a_note() {
    let relief = generated(&views(3), &params()).unwrap();
    assert_eq!(relief.notes, ["`relief` uses only the first of the 3 views"]);
}

#[test]
fn a_format_that_it_cannot_make_is_refused_before_any_work() {
    for format in [
        Format::Obj,
        Format::Voxels,
        Format::GaussianPly,
        Format::Turntable,
    ] {
        let params = Params {
            formats: vec![Format::Glb, format],
            ..params()
        };
        let error = generate(&views(1), &params, &mut |_| panic!("work was begun")).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("`relief` cannot make `{format}`: it makes `glb`, `stl` and `ply`")
        );
    }
}

#[test]
fn stages_come_in_order_and_breaking_stops_at_each() {
    let mut seen: Vec<Progress> = Vec::new();
    let params = params();
    let all = generate(&views(1), &params, &mut |progress| {
        seen.push(progress);
        ControlFlow::Continue(())
    });
    assert!(all.is_ok());
    let stages: Vec<Stage> = seen.iter().map(|progress| progress.stage).collect();
    assert!(stages.is_sorted());
    assert!(
        seen.iter()
            .all(|progress| progress.step <= progress.total && progress.total == 1)
    );
    for stop in 0..seen.len() {
        let mut reports = 0;
        let stopped = generate(&views(1), &params, &mut |_| {
            reports += 1;
            if reports > stop {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        assert_eq!(stopped.unwrap_err().kind(), "cancelled");
        assert_eq!(reports, stop + 1);
    }
}

#[test]
fn simplify_removes_the_share_it_says() {
    let bytes = pictures::encoded(
        pictures::cut_out(pictures::blob, 400, 400),
        image::ImageFormat::Png,
    );
    let picture: Picture = decode(&bytes, MAX_PIXELS).unwrap();
    let triangles = |mesh_simplify: f64| {
        let params = Params {
            model: simplified(mesh_simplify),
            ..params()
        };
        crate::kit::made(&picture, &params).unwrap().solid.triangles.len() as f64
    };
    let all = triangles(0.0);
    for share in [0.3, 0.5, 0.8, 0.95, 0.98] {
        let left = triangles(share) / all;
        assert!((left - (1.0 - share)).abs() < 0.02, "{share}: {left} are left");
    }
}
