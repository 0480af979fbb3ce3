//! Places and directions under a node's transform. Columns, as glTF has them.

pub(crate) type Matrix = [[f32; 4]; 4];

pub(crate) const IDENTITY: Matrix = [
    [1.0, 0.0, 0.0, 0.0],
    [0.0, 1.0, 0.0, 0.0],
    [0.0, 0.0, 1.0, 0.0],
    [0.0, 0.0, 0.0, 1.0],
];

pub(crate) fn product(a: Matrix, b: Matrix) -> Matrix {
    b.map(|column| [0, 1, 2, 3].map(|row| (0..4).map(|k| a[k][row] * column[k]).sum()))
}

/// A place, to the bit where nothing moves it.
pub(crate) fn place(by: Matrix, [x, y, z]: [f32; 3]) -> [f32; 3] {
    if by == IDENTITY {
        return [x, y, z];
    }
    [0, 1, 2].map(|row| by[0][row] * x + by[1][row] * y + by[2][row] * z + by[3][row])
}

/// A normal, which stays upright on its surface also where the scale differs by axis.
pub(crate) fn normal(by: Matrix, normal: [f32; 3]) -> [f32; 3] {
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
pub(crate) fn mirrors(by: Matrix) -> bool {
    let cofactors = cofactors(by);
    let determinant: f32 = (0..3).map(|row| by[0][row] * cofactors[0][row]).sum();
    determinant < 0.0
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
