//! OBJs.

use trellis_core::MeshFormat;
use trellis_mesh::{Limits, MeshError, read};

const SQUARE: &str = "# an exporter\nmtllib chair.mtl\no chair\nv 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\n\
    vt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\nvn 0 0 1\nusemtl wood\nf 1/1/1 2/2/1 3/3/1 4/4/1\n";

#[test]
fn polygons_become_triangles_with_their_places_in_the_texture() {
    let (format, mesh) = read(SQUARE.as_bytes(), Limits::default()).unwrap();
    assert_eq!(format, MeshFormat::Obj);
    assert_eq!((mesh.vertices.len(), mesh.triangles.len()), (4, 2));
    assert_eq!(mesh.uvs[2], [1.0, 1.0]);
    assert_eq!(mesh.normals, [[0.0, 0.0, 1.0]; 4]);
}

#[test]
fn indices_may_count_from_the_end_and_lines_may_end_as_on_windows() {
    let obj = "v 0 0 0\r\nv 1 0 0\r\nv 0 1 0\r\nf -3 -2 -1\r\n";
    let (_, mesh) = read(obj.as_bytes(), Limits::default()).unwrap();
    assert_eq!(mesh.triangles, [[0, 1, 2]]);
    assert!(mesh.uvs.is_empty() && mesh.normals.is_empty());
}

#[test]
fn several_objects_are_one_mesh() {
    let obj = "o a\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\no b\nv 0 0 1\nv 1 0 1\nv 0 1 1\nf 4 5 6\n";
    let (_, mesh) = read(obj.as_bytes(), Limits::default()).unwrap();
    assert_eq!((mesh.vertices.len(), mesh.triangles.len()), (6, 2));
    assert_eq!(mesh.triangles[1], [3, 4, 5]);
}

#[test]
fn too_many_faces_are_refused_before_they_are_read() {
    let limits = Limits { triangles: 10 };
    for faces in ["f 1 2 3\n".repeat(11), format!("f{}\n", " 1".repeat(13))] {
        let error = read(format!("v 0 0 0\nv 1 0 0\nv 0 1 0\n{faces}").as_bytes(), limits).unwrap_err();
        assert_eq!(error.to_string(), "the mesh has more than 10 triangles");
    }
    let vertices = "v 0 0 0\n".repeat(31 * 3);
    let error = read(format!("{vertices}f 1 2 3\n").as_bytes(), limits).unwrap_err();
    assert_eq!(error.to_string(), "the mesh has more than 30 vertices");
}

#[test]
fn what_is_wrong_is_said() {
    for (obj, why) in [
        ("v 0 0\nf 1 1 1\n", "a vertex is not three numbers"),
        ("v 0 0 0\nv 1 0 0\nf 1 2 9\n", "does not exist"),
        ("v 0 0 0\nf a b c\n", "a face is not a list of vertices"),
    ] {
        let error = read(obj.as_bytes(), Limits::default()).unwrap_err();
        assert!(matches!(error, MeshError::Damaged { .. }), "{error:?}");
        assert!(error.to_string().contains(why), "{error}");
    }
    let points = read(b"v 0 0 0\nv 1 0 0\n", Limits::default()).unwrap_err();
    assert_eq!(points.to_string(), "the mesh has no triangles");
}
