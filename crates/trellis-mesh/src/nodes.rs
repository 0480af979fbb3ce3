//! The nodes of a glTF scene, each with its transform, and what a transform does to places and directions.
//!
//! Source: glTF 2.0 specification, section 3.5.

/// A transform: four columns, as glTF has them.
pub type Matrix = [[f32; 4]; 4];

/// Leaves everything where it is.
pub const IDENTITY: Matrix = [
    [1.0, 0.0, 0.0, 0.0],
    [0.0, 1.0, 0.0, 0.0],
    [0.0, 0.0, 1.0, 0.0],
    [0.0, 0.0, 0.0, 1.0],
];

/// The nodes of the scene that is shown, each with the product of all transforms above it and its own.
#[derive(Debug)]
pub struct Shown<'a> {
    open: Vec<(gltf::Node<'a>, Matrix)>,
    /// A node is nobody's child twice; more would be a circle.
    left: usize,
}

/// Nodes that are children of each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotATree;

impl<'a> Shown<'a> {
    /// Those of the default scene; of the first where none is named.
    pub fn of(document: &'a gltf::Document) -> Self {
        let scene = document.default_scene().or_else(|| document.scenes().next());
        let roots = scene.iter().flat_map(gltf::Scene::nodes);
        Self {
            open: roots.map(|root| (root, IDENTITY)).collect(),
            left: document.nodes().len(),
        }
    }
}

impl<'a> Iterator for Shown<'a> {
    type Item = Result<(gltf::Node<'a>, Matrix), NotATree>;

    fn next(&mut self) -> Option<Self::Item> {
        let (node, above) = self.open.pop()?;
        let Some(left) = self.left.checked_sub(1) else {
            self.open.clear();
            return Some(Err(NotATree));
        };
        self.left = left;
        let by = product(above, node.transform().matrix());
        self.open.extend(node.children().map(|child| (child, by)));
        Some(Ok((node, by)))
    }
}

fn product(a: Matrix, b: Matrix) -> Matrix {
    b.map(|column| [0, 1, 2, 3].map(|row| (0..4).map(|k| a[k][row] * column[k]).sum()))
}

/// A place, to the bit where nothing moves it.
pub fn place(by: Matrix, [x, y, z]: [f32; 3]) -> [f32; 3] {
    if by == IDENTITY {
        return [x, y, z];
    }
    [0, 1, 2].map(|row| by[0][row] * x + by[1][row] * y + by[2][row] * z + by[3][row])
}

/// A normal, which stays upright on its surface also where the scale differs by axis.
pub fn normal(by: Matrix, normal: [f32; 3]) -> [f32; 3] {
    if by == IDENTITY {
        return normal;
    }
    let [x, y, z] = normal;
    let cofactors = cofactors(by);
    let sign = if mirrors(by) { -1.0 } else { 1.0 };
    let turned =
        [0, 1, 2].map(|row| sign * (cofactors[0][row] * x + cofactors[1][row] * y + cofactors[2][row] * z));
    let length = turned.iter().map(|value| value * value).sum::<f32>().sqrt();
    if length > 0.0 && length.is_finite() {
        turned.map(|value| value / length)
    } else {
        normal
    }
}

/// Whether it turns triangles inside out.
pub fn mirrors(by: Matrix) -> bool {
    let cofactors = cofactors(by);
    let determinant: f32 = (0..3).map(|row| by[0][row] * cofactors[0][row]).sum();
    determinant < 0.0
}

/// Turns triangles over, so that they face outwards again after a mirror.
pub fn turn(triangles: &mut [[u32; 3]]) {
    for [_, second, third] in triangles {
        std::mem::swap(second, third);
    }
}

fn cofactors(by: Matrix) -> [[f32; 3]; 3] {
    let column = |index: usize| [by[index][0], by[index][1], by[index][2]];
    let cross = |u: [f32; 3], v: [f32; 3]| {
        [
            u[1] * v[2] - u[2] * v[1],
            u[2] * v[0] - u[0] * v[2],
            u[0] * v[1] - u[1] * v[0],
        ]
    };
    [
        cross(column(1), column(2)),
        cross(column(2), column(0)),
        cross(column(0), column(1)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normals_stay_upright_under_a_scale_that_differs_by_axis() {
        let mut flat = IDENTITY;
        flat[1][1] = 0.5;
        // The surface y = x, flattened to y = x / 2.
        let turned = normal(flat, [-0.5_f32.sqrt(), 0.5_f32.sqrt(), 0.0]);
        let along = place(flat, [1.0, 1.0, 0.0]);
        let across: f32 = turned.iter().zip(along).map(|(a, b)| a * b).sum();
        assert!(across.abs() < 1e-6 && turned[1] > 0.0, "{turned:?}");
        assert!(!mirrors(flat));
        flat[0][0] = -1.0;
        assert!(mirrors(flat));
        assert!(normal(flat, [0.0, 1.0, 0.0])[1] > 0.999);
    }
}
