//! Makes a picture of what is known: on the screen, or as plain text.

use jiff::Timestamp;
use ratatui_core::buffer::Buffer;
use ratatui_core::style::{Color, Modifier, Style};
use ratatui_core::text::Line;

use super::app::{App, Mode};
use super::sections::{self, Section};
use super::table::cut;

const KEYS: &str = "↑ ↓ choose a job   c cancel it   ? keys   q quit";
const HELP: [&str; 9] = [
    "KEYS",
    "",
    "↑ ↓  or k j     choose a running or waiting job",
    "c               cancel it, after asking",
    "?               this list",
    "q, Esc, Ctrl-C  quit; the server goes on",
    "",
    "Jobs are those of your API key; counts are everyone's.",
    "Press any key to go back.",
];

/// Draws the whole screen.
pub(super) fn draw(app: &App, now: Timestamp, colours: bool, buffer: &mut Buffer) {
    let area = buffer.area;
    let width = usize::from(area.width);
    let rows = usize::from(area.height);
    let room = rows.saturating_sub(1);
    let mut lines = if app.mode == Mode::Help {
        HELP.map(Line::from).to_vec()
    } else {
        lines(app, width, Some(room), now)
    };
    lines.resize(room, Line::default());
    lines.push(footer(app, width, now));
    for (y, line) in (area.top()..area.bottom()).zip(&lines) {
        buffer.set_line(area.x, y, line, area.width);
    }
    if !colours {
        for cell in &mut buffer.content {
            cell.set_fg(Color::Reset).set_bg(Color::Reset);
        }
    }
}

/// The whole picture as plain text, as high as it needs to be.
pub(super) fn as_text(app: &App, width: usize, now: Timestamp) -> String {
    let lines = lines(app, width, None, now);
    let lines = lines
        .iter()
        .map(|line| format!("{}\n", line.to_string().trim_end()));
    lines.collect()
}

/// The picture without its last line, in at most so many lines.
fn lines(app: &App, width: usize, room: Option<usize>, now: Timestamp) -> Vec<Line<'static>> {
    let mut lines = sections::head(app, width, now);
    let Some(seen) = &app.seen else {
        return lines;
    };
    let sections = [
        sections::gpus(&seen.status, width),
        sections::workers(&seen.status, width),
        sections::jobs(app, seen, width, now),
        sections::ended(seen, width, now),
    ];
    let sections: Vec<Section> = sections.into_iter().flatten().collect();
    let left = room.map_or(usize::MAX, |room| room.saturating_sub(lines.len()));
    for (section, rows) in sections.iter().zip(shares(&sections, left)) {
        if rows > 0 {
            lines.push(Line::default());
            lines.push(section.heading.clone());
            lines.extend(section.window(rows));
        }
    }
    lines
}

/// How many rows each section has: each in turn one more, until the room is used or all is shown. A section's first row
/// costs two more, its heading and the line above.
fn shares(sections: &[Section], room: usize) -> Vec<usize> {
    let mut shares = vec![0; sections.len()];
    let mut left = room;
    loop {
        let before = left;
        for (section, share) in sections.iter().zip(&mut shares) {
            let cost = if *share == 0 { 3 } else { 1 };
            if *share < section.rows.len() && cost <= left {
                *share += 1;
                left -= cost;
            }
        }
        if left == before {
            return shares;
        }
    }
}

/// The last line: a question, something that happened, or the keys.
fn footer(app: &App, width: usize, now: Timestamp) -> Line<'static> {
    let loud = Style::new().add_modifier(Modifier::REVERSED);
    match app.mode {
        Mode::Confirm(id) => Line::styled(cut(&format!("cancel {id}? y yes, n no"), width), loud),
        _ => match app.notice(now) {
            Some(notice) => Line::styled(cut(notice, width), loud),
            None => Line::styled(cut(KEYS, width), Style::new().add_modifier(Modifier::DIM)),
        },
    }
}

#[cfg(test)]
#[path = "picture_tests.rs"]
mod tests;
