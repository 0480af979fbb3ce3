//! Voxels, read back by `dot_vox`.

use trellis_convert::voxels;

use crate::glbs::{LABEL, cube, mesh_glb};

#[test]
fn a_closed_surface_becomes_a_solid_of_voxels_in_its_colours() {
    for resolution in [16, 50] {
        let file = voxels(&cube(), resolution, LABEL).unwrap();
        let read = dot_vox::load_bytes(&file).expect("another reader reads it");
        let [model] = read.models.as_slice() else {
            panic!("one model")
        };
        assert_eq!(
            (model.size.x, model.size.y, model.size.z),
            (resolution, resolution, resolution)
        );
        assert_eq!(
            model.voxels.len(),
            (resolution as usize).pow(3),
            "nothing is hollow"
        );
        let colour_at = |x: u32, y: u32, z: u32| {
            let found = model
                .voxels
                .iter()
                .find(|voxel| (u32::from(voxel.x), u32::from(voxel.y), u32::from(voxel.z)) == (x, y, z));
            read.palette[usize::from(found.expect("a voxel").i)]
        };
        let middle = resolution / 2;
        let left = colour_at(0, middle, middle);
        let right = colour_at(resolution - 1, middle, middle);
        assert!(left.r == 250 && left.b == 10 && left.a == 255, "{left:?}");
        assert!(right.r == 10 && right.b == 250, "{right:?}");
        // Inside, what is nearest counts.
        assert_eq!(colour_at(2, middle, middle).r, 250);
        assert_eq!(colour_at(resolution - 3, middle, middle).b, 250);
        let name = read.scenes.iter().find_map(|node| match node {
            dot_vox::SceneNode::Transform { attributes, .. } => attributes.get("_name"),
            _ => None,
        });
        assert_eq!(name.map(String::as_str), Some(LABEL.name));
    }
}

#[test]
fn voxels_stand_as_the_object_does() {
    // Up is y in a GLB and z there; what is nearest to the viewer, at the largest z, has the least y there.
    let positions = [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 0.5]];
    let file = voxels(
        &mesh_glb(&positions, &[[0.25, 0.5]; 4], &[0, 1, 2, 0, 3, 1]),
        16,
        LABEL,
    )
    .unwrap();
    let read = dot_vox::load_bytes(&file).unwrap();
    let model = &read.models[0];
    assert_eq!((model.size.x, model.size.y, model.size.z), (8, 4, 16));
    let has = |x: u8, y: u8, z: u8| {
        model
            .voxels
            .iter()
            .any(|voxel| (voxel.x, voxel.y, voxel.z) == (x, y, z))
    };
    assert!(has(0, 3, 15), "the top is far away and up");
    assert!(has(0, 0, 0), "the nearest is at the front and down");
    assert!(!has(7, 3, 15) && !has(0, 0, 15));
}
