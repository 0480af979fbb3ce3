//! The terminal: taken as a whole, and given back as it was however the program ends.

use std::io::{self, Stdout, stdout};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::cursor::Show;
use crossterm::execute;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use jiff::Timestamp;
use ratatui_core::terminal::Terminal;
use ratatui_crossterm::CrosstermBackend;

use super::app::App;
use super::picture;

/// Whether the terminal is taken.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The terminal, taken until this is dropped or the program panics.
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    colours: bool,
}

impl Screen {
    /// Takes the terminal.
    pub(super) fn open(colours: bool) -> io::Result<Self> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let told = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                // First, or the message would go with the screen that it is written to.
                give_back();
                told(panic);
            }));
        });
        enable_raw_mode()?;
        TAKEN.store(true, Ordering::SeqCst);
        let opened = || {
            execute!(stdout(), EnterAlternateScreen)?;
            Terminal::new(CrosstermBackend::new(stdout()))
        };
        match opened() {
            Ok(terminal) => Ok(Self { terminal, colours }),
            Err(error) => {
                give_back();
                Err(error)
            }
        }
    }

    /// Draws the whole picture; only what changed is sent.
    pub(super) fn draw(&mut self, app: &App, now: Timestamp) -> io::Result<()> {
        let colours = self.colours;
        self.terminal
            .draw(|frame| picture::draw(app, now, colours, frame.buffer_mut()))?;
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Gives the terminal back, once. Where that fails, there is nobody to tell.
fn give_back() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let _ = execute!(stdout(), LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
    }
}

#[cfg(test)]
#[path = "../../../tests/kit/terminal.rs"]
mod terminal;

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::commands::top::screen::terminal::in_terminal;

    /// The test below runs it in a terminal of its own.
    #[test]
    #[ignore = "takes the terminal and panics"]
    fn panics_with_the_terminal_taken() {
        let mut screen = Screen::open(false).unwrap();
        screen
            .draw(&App::new("http://127.0.0.1:8000"), Timestamp::now())
            .unwrap();
        panic!("a panic while the screen is drawn");
    }

    #[test]
    fn a_panic_gives_the_terminal_back_before_it_is_told() {
        let mut this = Command::new(std::env::current_exe().unwrap());
        let name = "commands::top::screen::tests::panics_with_the_terminal_taken";
        this.args([name, "--exact", "--ignored", "--nocapture"]);
        let ended = in_terminal(&this, &serde_json::json!([{ "wait": "a panic while" }]));
        ended.is_clean();
        let place = |text: &str| ended.output.find(text).unwrap();
        assert!(
            place("\x1b[?1049l") < place("a panic while the screen"),
            "{}",
            ended.output
        );
        assert_eq!(ended.code, 101);
    }
}
