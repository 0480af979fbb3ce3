//! `trellis top`: a live view of a running server in the terminal.
//!
//! `watch.rs` asks the server, `app.rs` keeps what is shown and follows the keys, `picture.rs` makes lines of it, and
//! `screen.rs` owns the terminal. Not here: figures for a monitoring system (`/metrics`).

mod app;
mod picture;
mod screen;
mod sections;
mod table;
mod watch;

use std::io::IsTerminal as _;
use std::time::Duration;

use crossterm::event::{Event, EventStream};
use futures::StreamExt as _;
use jiff::Timestamp;
use tokio::sync::mpsc::{self, Receiver};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use trellis_client::{Client, address};

use self::app::{App, Wish};
use self::screen::Screen;
use self::watch::Message;
use super::Context;
use super::reach::ReachArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::{block_on, output};

/// The width of the one picture where standard output is no terminal.
const WIDTH: u16 = 80;
/// How often times on the screen move on without news.
const TICK: Duration = Duration::from_secs(1);
/// Messages that may wait to be drawn.
const WAITING: usize = 256;

/// Watch a running server: jobs, workers, GPUs
///
/// Arrow keys choose a job, `c` cancels it after asking, `?` lists the keys, `q` quits.
#[derive(Debug, clap::Args)]
pub(crate) struct TopArgs {
    /// Print one snapshot as plain text and exit
    #[arg(long)]
    once: bool,

    #[command(flatten)]
    reach: ReachArgs,
}

pub(crate) fn run(args: TopArgs, context: &Context<'_>) -> Result<Exit, CliError> {
    let client = args.reach.client(context)?;
    let mut app = App::new(&address::shown(client.address()));
    if args.once {
        return block_on(async {
            app.take(
                Message::Seen(Box::new(watch::look(&client).await?)),
                Timestamp::now(),
            );
            let width = crossterm::terminal::size().map_or(WIDTH, |(width, _)| width);
            let width = if std::io::stdout().is_terminal() {
                width
            } else {
                WIDTH
            };
            super::print(&picture::as_text(&app, width.into(), Timestamp::now()))
        });
    }
    if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        return Err(CliError::usage("standard input or output is not a terminal")
            .hint("`--once` prints one snapshot"));
    }
    block_on(async {
        // Before the screen is taken: who gave a wrong address or key reads it as with every other command.
        app.take(
            Message::Seen(Box::new(watch::look(&client).await?)),
            Timestamp::now(),
        );
        show(app, client).await
    })
}

/// Draws until somebody ends it.
async fn show(mut app: App, client: Client) -> Result<Exit, CliError> {
    let (send, mut news) = mpsc::channel(WAITING);
    // Ends the tasks however this function ends.
    let ending = CancellationToken::new();
    let _ends = ending.clone().drop_guard();
    tokio::spawn(
        ending
            .clone()
            .run_until_cancelled_owned(watch::watch(client.clone(), send.clone())),
    );
    let mut stop = crate::signals::asked_to_end()?;
    let mut keys = EventStream::new();
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut screen = Screen::open(output::colours_on(&std::io::stdout())).map_err(not_drawn)?;
    loop {
        screen.draw(&app, Timestamp::now()).map_err(not_drawn)?;
        tokio::select! {
            message = news.recv() => {
                for message in message.into_iter().chain(waiting(&mut news)) {
                    app.take(message, Timestamp::now());
                }
            }
            key = keys.next() => match key {
                Some(Ok(Event::Key(key))) => match app.press(key) {
                    Some(Wish::End) => return Ok(Exit::Done),
                    Some(Wish::Cancel(job)) => {
                        let cancelling = watch::cancel(client.clone(), job, send.clone());
                        tokio::spawn(ending.clone().run_until_cancelled_owned(cancelling));
                    }
                    None => {}
                },
                // Another size: drawn above.
                Some(Ok(_)) => {}
                // The terminal is gone.
                Some(Err(_)) | None => return Ok(Exit::Done),
            },
            () = stop.next() => return Ok(Exit::Done),
            _ = tick.tick() => {}
        }
    }
}

/// What came meanwhile, so that many messages cost one drawing.
fn waiting(news: &mut Receiver<Message>) -> impl Iterator<Item = Message> {
    std::iter::from_fn(|| news.try_recv().ok())
}

fn not_drawn(error: std::io::Error) -> CliError {
    CliError::failed(error)
        .context("cannot draw on the terminal")
        .hint("`--once` prints one snapshot as plain text")
}
