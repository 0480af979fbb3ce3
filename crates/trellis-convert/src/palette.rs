//! Few colours for many: median cut.
//!
//! Source: P. Heckbert, "Color Image Quantization for Frame Buffer Display", 1982. The box with the largest product of
//! its longest side, squared, and the number of its voxels is cut at the median of that side, until there are 255 boxes
//! or each holds one colour; each stands for the mean of what is in it. Squared, so that a few voxels of two colours that
//! are far apart do not share their mean.

use std::collections::BTreeMap;

/// Red, green and blue, sRGB.
pub(crate) type Rgb = [u8; 3];

/// As many as a `.vox` file can name; its colour 0 is "nothing".
const MOST: usize = 255;

/// The colours, and which stands for which.
pub(crate) struct Palette {
    pub(crate) colours: Vec<Rgb>,
    /// From 1.
    numbers: BTreeMap<Rgb, u8>,
}

impl Palette {
    /// For these, each as often as it is in use.
    pub(crate) fn of(used: &[Rgb]) -> Self {
        let mut counts: BTreeMap<Rgb, usize> = BTreeMap::new();
        for colour in used {
            *counts.entry(*colour).or_default() += 1;
        }
        let mut boxes = vec![Cut::new(counts.into_iter().collect())];
        while boxes.len() < MOST {
            let widest = (0..boxes.len()).max_by_key(|index| boxes[*index].weight());
            match widest.map(|index| (index, boxes[index].weight())) {
                Some((index, 1..)) => {
                    let (lower, upper) = boxes.swap_remove(index).halves();
                    boxes.extend([lower, upper]);
                }
                _ => break,
            }
        }
        let mut palette = Self {
            colours: Vec::new(),
            numbers: BTreeMap::new(),
        };
        for (number, cut) in (1..=u8::MAX).zip(boxes) {
            palette.colours.push(cut.mean());
            let members = cut.members.into_iter().map(|(colour, _)| (colour, number));
            palette.numbers.extend(members);
        }
        palette
    }

    /// The number of what stands for one of the colours that this was made for, from 1.
    pub(crate) fn number(&self, colour: Rgb) -> u8 {
        self.numbers.get(&colour).copied().unwrap_or(1)
    }
}

/// A box of colours with their counts.
struct Cut {
    members: Vec<(Rgb, usize)>,
    count: usize,
    /// The channel in which they differ most, and by how much.
    longest: (usize, usize),
}

impl Cut {
    fn new(members: Vec<(Rgb, usize)>) -> Self {
        let side = |channel: usize| {
            let values = members.iter().map(|(colour, _)| usize::from(colour[channel]));
            let (least, most) = values.fold((255, 0), |(least, most), value| {
                (value.min(least), value.max(most))
            });
            (channel, most.saturating_sub(least))
        };
        Self {
            longest: [0, 1, 2]
                .map(side)
                .into_iter()
                .max_by_key(|side| side.1)
                .unwrap_or_default(),
            count: members.iter().map(|(_, count)| count).sum(),
            members,
        }
    }

    /// 0 where there is nothing to cut.
    fn weight(&self) -> usize {
        self.longest.1 * self.longest.1 * self.count
    }

    fn halves(mut self) -> (Self, Self) {
        let channel = self.longest.0;
        self.members.sort_by_key(|(colour, _)| (colour[channel], *colour));
        let mut below = 0;
        let median = self.members.iter().position(|(_, count)| {
            below += count;
            below * 2 >= self.count
        });
        // Both halves hold something.
        let at = (median.unwrap_or_default() + 1).min(self.members.len() - 1);
        let upper = self.members.split_off(at);
        (Self::new(self.members), Self::new(upper))
    }

    fn mean(&self) -> Rgb {
        let sum = |channel: usize| {
            let values = self
                .members
                .iter()
                .map(|(colour, count)| usize::from(colour[channel]) * count);
            values.sum::<usize>()
        };
        let half = self.count / 2;
        [0, 1, 2].map(|channel| u8::try_from((sum(channel) + half) / self.count.max(1)).unwrap_or(u8::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_colours_stay_as_they_are() {
        let used: Vec<Rgb> = (0..=254).map(|value| [value, 255 - value, 7]).collect();
        let palette = Palette::of(&used);
        assert_eq!(palette.colours.len(), 255);
        for colour in used {
            assert_eq!(palette.colours[usize::from(palette.number(colour)) - 1], colour);
        }
    }

    #[test]
    fn many_colours_become_255_that_are_near() {
        let used: Vec<Rgb> = (0..32_u8)
            .flat_map(|red| {
                (0..32).flat_map(move |green| (0..8).map(move |blue| [red * 8, green * 8, blue * 32]))
            })
            .collect();
        let palette = Palette::of(&used);
        assert_eq!(palette.colours.len(), 255);
        for colour in used {
            let near = palette.colours[usize::from(palette.number(colour)) - 1];
            let apart = (0..3)
                .map(|channel| near[channel].abs_diff(colour[channel]))
                .max();
            assert!(apart < Some(40), "{colour:?} became {near:?}");
        }
    }

    #[test]
    fn a_colour_that_is_rare_does_not_lose_to_one_that_is_everywhere() {
        let mut used = vec![[10, 10, 10]; 100_000];
        used.extend((0..=255_u8).map(|value| [200, value, 90]));
        let palette = Palette::of(&used);
        let near = palette.colours[usize::from(palette.number([200, 255, 90])) - 1];
        assert!(near[0] == 200 && near[1] > 250, "{near:?}");
    }
}
