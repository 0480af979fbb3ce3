//! Whether a mesh is a closed, oriented 2-manifold, and what follows from it.
//!
//! Vertices at the same position count as one, whatever their indices.

use std::fmt;

/// What is wrong with a mesh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// A triangle with two corners at one position, by its number.
    Degenerate(usize),
    /// An edge that is not in exactly two triangles, one in each direction; its corners' positions.
    Edge([[u32; 3]; 2]),
    /// A position where two sheets touch in a point.
    Pinch([u32; 3]),
    /// It encloses no volume, or is inside out.
    Volume,
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let point = |bits: &[u32; 3]| bits.map(f32::from_bits);
        match self {
            Self::Degenerate(triangle) => write!(f, "triangle {triangle} has no area"),
            Self::Edge([a, b]) => write!(
                f,
                "the edge from {:?} to {:?} is not in exactly two triangles",
                point(a),
                point(b)
            ),
            Self::Pinch(at) => write!(f, "two sheets touch at {:?}", point(at)),
            Self::Volume => f.write_str("it encloses no volume"),
        }
    }
}

impl std::error::Error for Defect {}

/// The shape of a closed mesh.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Topology {
    /// Separate parts.
    pub parts: usize,
    /// Handles over all parts: a ring has one.
    pub handles: usize,
    /// Enclosed volume, above 0.
    pub volume: f64,
}

impl Topology {
    /// Checks a mesh of triangles, counter-clockwise as seen from outside.
    pub fn of(positions: &[[f32; 3]], triangles: &[[u32; 3]]) -> Result<Self, Defect> {
        let (welded, places) = weld(positions);
        let corners: Vec<[u32; 3]> = triangles
            .iter()
            .map(|corners| corners.map(|c| welded[c as usize]))
            .collect();
        if let Some(number) = corners.iter().position(|[a, b, c]| a == b || b == c || c == a) {
            return Err(Defect::Degenerate(number));
        }
        let edges = edges(&corners);
        for edge in edges.chunk_by(|one, other| one >> 1 == other >> 1) {
            if edge.len() != 2 || edge[0] == edge[1] {
                return Err(Defect::Edge(direction(edge[0]).map(|end| places[end as usize])));
            }
        }
        pinches(&corners, places.len()).map_or(Ok(()), |at| Err(Defect::Pinch(places[at])))?;
        let volume = volume(positions, triangles);
        if volume <= 0.0 {
            return Err(Defect::Volume);
        }
        let used = used(&corners, places.len());
        let parts = parts(&corners, places.len(), &used);
        let euler =
            used.iter().filter(|used| **used).count() as i64 - edges.len() as i64 / 2 + corners.len() as i64;
        Ok(Self {
            parts,
            handles: usize::try_from(parts as i64 - euler / 2).unwrap_or(0),
            volume,
        })
    }
}

/// For each vertex the number of its position, and the positions' bits.
pub(crate) fn weld(positions: &[[f32; 3]]) -> (Vec<u32>, Vec<[u32; 3]>) {
    // Adding 0.0 turns −0.0 into 0.0, which is the same place.
    let bits = |vertex: usize| positions[vertex].map(|value| (value + 0.0).to_bits());
    let mut order: Vec<usize> = (0..positions.len()).collect();
    order.sort_unstable_by_key(|vertex| (bits(*vertex), *vertex));
    let mut welded = vec![0; positions.len()];
    let mut places: Vec<[u32; 3]> = Vec::new();
    for vertex in order {
        if places.last() != Some(&bits(vertex)) {
            places.push(bits(vertex));
        }
        welded[vertex] = places.len() as u32 - 1;
    }
    (welded, places)
}

/// The three edges of each triangle, in order: the same ones side by side, whatever their direction.
pub(crate) fn edges(triangles: &[[u32; 3]]) -> Vec<u64> {
    let of = |[a, b, c]: &[u32; 3]| [directed(*a, *b), directed(*b, *c), directed(*c, *a)];
    let mut edges: Vec<u64> = triangles.iter().flat_map(of).collect();
    edges.sort_unstable();
    edges
}

/// The triangles' edges that belong to one only.
pub(crate) fn outer_edges(triangles: &[[u32; 3]]) -> Vec<u64> {
    let edges = edges(triangles);
    let edges = edges.chunk_by(|one, other| one >> 1 == other >> 1);
    edges.filter(|edge| edge.len() == 1).map(|edge| edge[0]).collect()
}

/// An edge as one number: its ends in order, the last bit says the direction.
fn directed(from: u32, to: u32) -> u64 {
    let (low, high) = (from.min(to), from.max(to));
    (u64::from(low) << 32 | u64::from(high)) << 1 | u64::from(from > to)
}

/// Where an edge comes from and goes to; vertex numbers are below 2^31.
pub(crate) fn direction(edge: u64) -> [u32; 2] {
    let (low, high) = ((edge >> 33) as u32, (edge >> 1) as u32);
    if edge & 1 == 0 { [low, high] } else { [high, low] }
}

/// A vertex whose triangles do not form one fan.
fn pinches(corners: &[[u32; 3]], count: usize) -> Option<usize> {
    // Each corner of a triangle sees an edge opposite to it; around a vertex these must form one ring.
    let mut around: Vec<(u32, u32, u32)> = corners
        .iter()
        .flat_map(|[a, b, c]| [(*a, *b, *c), (*b, *c, *a), (*c, *a, *b)])
        .collect();
    around.sort_unstable();
    let mut start = 0;
    for vertex in 0..count as u32 {
        let end = start
            + around[start..]
                .iter()
                .take_while(|entry| entry.0 == vertex)
                .count();
        let ring = &around[start..end];
        start = end;
        if ring.is_empty() {
            continue;
        }
        let mut steps = 1;
        let mut at = ring[0].2;
        while at != ring[0].1 && steps <= ring.len() {
            let Ok(next) = ring.binary_search_by_key(&at, |entry| entry.1) else {
                return Some(vertex as usize);
            };
            at = ring[next].2;
            steps += 1;
        }
        if steps != ring.len() {
            return Some(vertex as usize);
        }
    }
    None
}

fn volume(positions: &[[f32; 3]], triangles: &[[u32; 3]]) -> f64 {
    let point = |vertex: u32| positions[vertex as usize].map(f64::from);
    let six: f64 = triangles
        .iter()
        .map(|[a, b, c]| {
            let (a, b, c) = (point(*a), point(*b), point(*c));
            a[0] * (b[1] * c[2] - b[2] * c[1])
                + a[1] * (b[2] * c[0] - b[0] * c[2])
                + a[2] * (b[0] * c[1] - b[1] * c[0])
        })
        .sum();
    six / 6.0
}

fn used(corners: &[[u32; 3]], count: usize) -> Vec<bool> {
    let mut used = vec![false; count];
    corners
        .iter()
        .flatten()
        .for_each(|vertex| used[*vertex as usize] = true);
    used
}

fn parts(corners: &[[u32; 3]], count: usize, used: &[bool]) -> usize {
    fn root(parents: &mut [u32], mut vertex: u32) -> u32 {
        while parents[vertex as usize] != vertex {
            parents[vertex as usize] = parents[parents[vertex as usize] as usize];
            vertex = parents[vertex as usize];
        }
        vertex
    }
    let mut parents: Vec<u32> = (0..count as u32).collect();
    for [a, b, c] in corners {
        let first = root(&mut parents, *a);
        for other in [b, c] {
            let other = root(&mut parents, *other);
            parents[other as usize] = first;
        }
    }
    (0..count)
        .filter(|vertex| used[*vertex] && parents[*vertex] == *vertex as u32)
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CORNERS: [[f32; 3]; 4] = [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    const FACES: [[u32; 3]; 4] = [[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]];

    #[test]
    fn a_tetrahedron_is_closed() {
        let found = Topology::of(&CORNERS, &FACES).unwrap();
        assert_eq!((found.parts, found.handles), (1, 0));
        assert!((found.volume - 1.0 / 6.0).abs() < 1e-9);
    }

    #[test]
    fn defects_are_found() {
        assert!(matches!(
            Topology::of(&CORNERS, &FACES[..3]),
            Err(Defect::Edge(_))
        ));
        let turned = FACES.map(|[a, b, c]| [a, c, b]);
        assert_eq!(Topology::of(&CORNERS, &turned), Err(Defect::Volume));
        let mut one_turned = FACES;
        one_turned[1] = [1, 0, 3];
        assert!(matches!(
            Topology::of(&CORNERS, &one_turned),
            Err(Defect::Edge(_))
        ));
        let twice: Vec<[u32; 3]> = FACES.into_iter().chain(FACES).collect();
        assert!(matches!(Topology::of(&CORNERS, &twice), Err(Defect::Edge(_))));
        let mut flat = FACES;
        flat[0] = [0, 2, 2];
        assert_eq!(Topology::of(&CORNERS, &flat), Err(Defect::Degenerate(0)));
    }

    #[test]
    fn two_solids_that_touch_in_a_point_are_a_pinch() {
        let mut positions = CORNERS.to_vec();
        positions.extend(CORNERS.map(|point| point.map(|value| -value)));
        let other = FACES.map(|[a, b, c]| [a + 4, c + 4, b + 4]);
        let faces: Vec<[u32; 3]> = FACES.into_iter().chain(other).collect();
        assert!(matches!(Topology::of(&positions, &faces), Err(Defect::Pinch(_))));
    }
}
