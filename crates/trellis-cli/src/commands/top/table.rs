//! Rows of cells as lines of one width: columns that find no room are left out, and what is too long is cut with `…`.
//!
//! Widths are those of the terminal: 椅 has two columns.

use ratatui_core::style::Style;
use ratatui_core::text::{Line, Span};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// A column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    /// What stands above it.
    pub(super) title: &'static str,
    /// Its width; 0: all that the others leave. One column has it.
    pub(super) width: usize,
    /// The smallest width of the table in which it is shown.
    pub(super) from: usize,
    /// Whether its cells end at its right side.
    pub(super) right: bool,
}

/// A column of text.
pub(super) const fn text(title: &'static str, width: usize, from: usize) -> Column {
    Column {
        title,
        width,
        from,
        right: false,
    }
}

/// A column of figures.
pub(super) const fn figure(title: &'static str, width: usize, from: usize) -> Column {
    Column {
        title,
        width,
        from,
        right: true,
    }
}

/// A cell: its words and how they look.
pub(super) type Cell = (String, Style);

/// The titles as a line.
pub(super) fn heading(columns: &[Column], width: usize, style: Style) -> Line<'static> {
    let titles = columns.iter().map(|column| (column.title.to_owned(), style));
    row(columns, width, titles.collect())
}

/// A row as a line: one cell a column.
pub(super) fn row(columns: &[Column], width: usize, cells: Vec<Cell>) -> Line<'static> {
    let shown = || columns.iter().filter(|column| width >= column.from);
    let taken: usize = shown().map(|column| column.width + 1).sum();
    let rest = (width + 1).saturating_sub(taken);
    let mut spans = Vec::new();
    for (column, (words, style)) in columns.iter().zip(cells) {
        if width < column.from {
            continue;
        }
        if !spans.is_empty() {
            spans.push(Span::raw(" "));
        }
        let space = if column.width == 0 { rest } else { column.width };
        spans.push(Span::styled(fit(&words, space, column.right), style));
    }
    Line::from(spans)
}

/// The words in exactly so many columns.
pub(super) fn fit(words: &str, space: usize, right: bool) -> String {
    let mut words = cut(words, space);
    let blanks = " ".repeat(space.saturating_sub(words.width()));
    if right {
        return blanks + &words;
    }
    words.push_str(&blanks);
    words
}

/// The words in at most so many columns.
pub(super) fn cut(words: &str, space: usize) -> String {
    if words.width() <= space {
        return words.to_owned();
    }
    let mut left = space.saturating_sub(1);
    let mut kept: String = words
        .chars()
        .take_while(|letter| {
            let needs = letter.width().unwrap_or(0);
            let fits = needs <= left;
            left = left.saturating_sub(needs);
            fits
        })
        .collect();
    if space > 0 {
        kept.push('…');
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_fill_their_columns_and_no_more() {
        for (words, space, filled) in [
            ("chair", 7, "chair  "),
            ("chair", 5, "chair"),
            ("chair", 4, "cha…"),
            ("椅子と机", 8, "椅子と机"),
            ("椅子と机", 6, "椅子… "),
            ("a", 0, ""),
        ] {
            assert_eq!(fit(words, space, false), filled);
            assert_eq!(fit(words, space, false).width(), space);
        }
        assert_eq!(fit("7", 3, true), "  7");
    }

    #[test]
    fn a_column_without_room_is_left_out() {
        let columns = [text("NAME", 0, 0), figure("LOST", 4, 20)];
        let line = |width| heading(&columns, width, Style::new()).to_string();
        assert_eq!(line(20), "NAME            LOST");
        assert_eq!(line(19), "NAME               ");
    }
}
