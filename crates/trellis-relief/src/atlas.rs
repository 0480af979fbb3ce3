//! Where front and back lie in the texture.
//!
//! The front is the picture and has three quarters; the back has no detail and needs no more than one. They lie
//! side by side or one above the other, whichever leaves the front nearer to its proportions.

/// The front's share of the texture.
const FRONT: f32 = 0.75;

/// A rectangle of the texture, from 0 to 1 on both axes, and the whole window of the picture in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chart {
    /// Left side.
    pub left: f32,
    /// Upper side.
    pub top: f32,
    /// Width, above 0.
    pub width: f32,
    /// Height, above 0.
    pub height: f32,
}

impl Chart {
    /// The texture coordinates of a place in the window, from 0 to 1 on both axes.
    pub(crate) fn place(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        [self.left + x * self.width, self.top + y * self.height]
    }

    /// Whether texture coordinates are those of a place in this chart.
    pub fn holds(&self, [u, v]: [f32; 2]) -> bool {
        (self.left..=self.left + self.width).contains(&u) && (self.top..=self.top + self.height).contains(&v)
    }

    /// The first texel and the number of texels on each axis, in a texture of `size` texels a side.
    pub(crate) fn texels(&self, size: usize) -> [[usize; 2]; 2] {
        let texel = |along: f32| (along * size as f32).round() as usize;
        [
            [texel(self.left), texel(self.top)],
            [texel(self.width), texel(self.height)],
        ]
    }
}

/// The charts of a solid.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Atlas {
    /// What is seen in the picture.
    pub front: Chart,
    /// What is not, soles included; not mirrored, as if seen through the object.
    pub back: Chart,
}

impl Atlas {
    /// The atlas for a window of `columns × rows`.
    pub(crate) fn of(columns: usize, rows: usize) -> Self {
        let whole = Chart {
            left: 0.0,
            top: 0.0,
            width: 1.0,
            height: 1.0,
        };
        if rows > columns {
            return Self {
                front: Chart {
                    width: FRONT,
                    ..whole
                },
                back: Chart {
                    left: FRONT,
                    width: 1.0 - FRONT,
                    ..whole
                },
            };
        }
        Self {
            front: Chart {
                height: FRONT,
                ..whole
            },
            back: Chart {
                top: FRONT,
                height: 1.0 - FRONT,
                ..whole
            },
        }
    }
}
