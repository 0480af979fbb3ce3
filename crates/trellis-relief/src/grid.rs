//! A rectangle of values, row by row.

/// Coverage from which a cell is inside.
pub(crate) const INSIDE: f32 = 0.5;

/// The steps from a cell to its neighbours.
pub(crate) const SIDES: [(isize, isize); 4] = [(1, 0), (-1, 0), (0, 1), (0, -1)];

/// `width × height` values; the value at column `x` of row `y` is at `y * width + x`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Grid<T> {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) values: Vec<T>,
}

impl<T: Copy> Grid<T> {
    pub(crate) fn filled(width: usize, height: usize, value: T) -> Self {
        Self {
            width,
            height,
            values: vec![value; width * height],
        }
    }

    pub(crate) fn at(&self, x: usize, y: usize) -> T {
        self.values[y * self.width + x]
    }

    pub(crate) fn set(&mut self, x: usize, y: usize, value: T) {
        self.values[y * self.width + x] = value;
    }

    /// The value there, or `outside` beyond the rectangle.
    pub(crate) fn get_or(&self, x: isize, y: isize, outside: T) -> T {
        if x < 0 || y < 0 || x as usize >= self.width || y as usize >= self.height {
            return outside;
        }
        self.at(x as usize, y as usize)
    }

    /// Another grid of the same size, value by value.
    pub(crate) fn map<U>(&self, make: impl FnMut(T) -> U) -> Grid<U> {
        Grid {
            width: self.width,
            height: self.height,
            values: self.values.iter().copied().map(make).collect(),
        }
    }

    /// Whether a cell lies at the rectangle's border.
    pub(crate) fn on_border(&self, index: usize) -> bool {
        let (x, y) = (index % self.width, index / self.width);
        x == 0 || y == 0 || x + 1 == self.width || y + 1 == self.height
    }

    /// The cell so many steps away from cell `index`, if it lies in the rectangle.
    pub(crate) fn along(&self, index: usize, (across, down): (isize, isize), steps: isize) -> Option<usize> {
        let x = (index % self.width).checked_add_signed(across * steps)?;
        let y = (index / self.width).checked_add_signed(down * steps)?;
        (x < self.width && y < self.height).then(|| y * self.width + x)
    }

    /// The indices of the up to four neighbours of cell `index`: left, right, above, below.
    pub(crate) fn neighbours(&self, index: usize) -> impl Iterator<Item = usize> {
        let (x, y) = (index % self.width, index / self.width);
        let (width, height) = (self.width, self.height);
        [
            (x > 0).then(|| index - 1),
            (x + 1 < width).then(|| index + 1),
            (y > 0).then(|| index - width),
            (y + 1 < height).then(|| index + width),
        ]
        .into_iter()
        .flatten()
    }
}

impl Grid<bool> {
    /// Rows in which `#` is inside.
    #[cfg(test)]
    pub(crate) fn drawn(rows: &[&str]) -> Self {
        Self {
            width: rows[0].len(),
            height: rows.len(),
            values: rows
                .iter()
                .flat_map(|row| row.bytes().map(|byte| byte == b'#'))
                .collect(),
        }
    }

    /// The cells inside that have a neighbour outside.
    pub(crate) fn rim(&self) -> impl Iterator<Item = usize> {
        let is_rim =
            |cell: &usize| self.values[*cell] && self.neighbours(*cell).any(|next| !self.values[next]);
        (0..self.values.len()).filter(is_rim)
    }
}

impl Grid<f32> {
    /// The value at a point between cell centres (cell 0 has its centre at 0.0), linear, edges repeated.
    pub(crate) fn linear(&self, x: f32, y: f32) -> f32 {
        let x = x.clamp(0.0, (self.width - 1) as f32);
        let y = y.clamp(0.0, (self.height - 1) as f32);
        let (left, top) = (x as usize, y as usize);
        let right = (left + 1).min(self.width - 1);
        let bottom = (top + 1).min(self.height - 1);
        let (s, t) = (x - left as f32, y - top as f32);
        let above = self.at(left, top) * (1.0 - s) + self.at(right, top) * s;
        let below = self.at(left, bottom) * (1.0 - s) + self.at(right, bottom) * s;
        above * (1.0 - t) + below * t
    }
}
