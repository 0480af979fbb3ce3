//! Pictures as they are drawn, for servers that stand in different ways.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::{SignedDuration, Timestamp};
use ratatui_core::backend::TestBackend;
use ratatui_core::terminal::Terminal;
use serde_json::{Value, json};
use trellis_client::ClientError;
use trellis_core::{Job, ParamsPatch, Progress, Stage};

use super::super::app::{App, Wish};
use super::super::watch::{Message, Snapshot};
use super::{as_text, draw};

fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn ago(seconds: i64) -> Timestamp {
    now() - SignedDuration::from_secs(seconds)
}

fn job(last: u32, state: &str, more: &Value) -> Job {
    let mut job = json!({
        "id": format!("01932f5e-7a4c-7d3e-8b21-{last:012x}"), "state": state, "backend": "auto", "inputs": [],
        "artifacts": [], "notes": [], "attempt": 1, "created_at": ago(200), "updated_at": ago(30),
        "params": ParamsPatch::default().resolve(7).unwrap(),
        "history": [{ "state": "running", "at": ago(90), "attempt": 1 }],
    });
    for (key, value) in more.as_object().unwrap() {
        job[key] = value.clone();
    }
    serde_json::from_value(job).unwrap()
}

fn worker(state: &str, more: &Value) -> Value {
    let mut worker = json!({
        "name": "trellis-0", "state": state, "reason": "waiting for a job", "low_vram": false, "versions": [],
        "counters": {
            "starts": 3, "losses": 1, "recycles": 1, "restarts": { "jobs": 1, "crash": 1 }, "jobs_done": 38, "jobs_failed": 2, "lines_dropped": 0,
            "rss_bytes": 4_509_715_661_u64, "vram_bytes": 9_771_050_598_u64, "peak_vram_bytes": 9_771_050_598_u64,
        },
    });
    for (key, value) in more.as_object().unwrap() {
        worker[key] = value.clone();
    }
    worker
}

fn empty() -> Snapshot {
    let status = json!({
        "version": "0.1.0", "started_at": ago(7380), "queue_limit": 1000,
        "jobs": { "queued": 0, "running": 0, "succeeded": 0, "failed": 0, "cancelled": 0 },
        "since_start": { "accepted": 0, "cached": 0, "succeeded": 0, "failed": 0, "cancelled": 0 },
        "backends": [{ "name": "relief", "status": "ready", "preview": true }], "workers": [], "gpus": [],
    });
    Snapshot {
        status: serde_json::from_value(status).unwrap(),
        running: vec![],
        waiting: vec![],
        ended: vec![],
    }
}

fn busy() -> Snapshot {
    let mut seen = empty();
    let status = &mut seen.status;
    status.workers = vec![serde_json::from_value(worker("busy", &json!({}))).unwrap()];
    status.gpus = serde_json::from_value(json!([
        { "uuid": "GPU-1", "name": "NVIDIA GeForce RTX 5090", "memory_bytes": 34_190_917_632_u64,
          "memory_used_bytes": 9_663_676_416_u64, "utilisation_percent": 97, "temperature_celsius": 71,
          "power_watts": 412.5 },
        { "uuid": "MIG-2", "name": "NVIDIA H200 MIG 1g.18gb", "memory_bytes": 17_179_869_184_u64,
          "memory_used_bytes": 0 },
    ]))
    .unwrap();
    status.backends = serde_json::from_value(json!([
        { "name": "trellis", "status": "ready", "preview": false },
        { "name": "relief", "status": "ready", "preview": true },
    ]))
    .unwrap();
    status.jobs = serde_json::from_value(
        json!({ "queued": 45, "running": 2, "succeeded": 40, "failed": 2, "cancelled": 1 }),
    )
    .unwrap();
    status.since_start = serde_json::from_value(
        json!({ "accepted": 90, "cached": 5, "succeeded": 40, "failed": 2, "cancelled": 1 }),
    )
    .unwrap();
    let progress = json!({ "stage": "structured_latent", "step": 12, "total": 25 });
    let begun = json!([{ "state": "running", "at": ago(48), "attempt": 1 }]);
    seen.running = vec![
        job(
            1,
            "running",
            &json!({ "name": "chair", "progress": progress, "history": begun }),
        ),
        job(2, "running", &json!({ "backend": "relief" })),
    ];
    seen.waiting = (3..15)
        .map(|last| job(last, "queued", &json!({ "history": [] })))
        .collect();
    let out_of_memory =
        json!({ "kind": "gpu_out_of_memory", "message": "the GPU has too little memory", "fix": "-" });
    seen.ended = vec![
        job(
            20,
            "succeeded",
            &json!({ "name": "sofa", "made_by": "trellis", "updated_at": ago(12) }),
        ),
        job(
            21,
            "failed",
            &json!({ "name": "lamp", "made_by": "trellis", "failure": out_of_memory }),
        ),
        job(
            22,
            "succeeded",
            &json!({ "made_by": "relief", "cached": true, "updated_at": ago(4000) }),
        ),
        job(
            23,
            "cancelled",
            &json!({ "updated_at": ago(100_000), "history": [] }),
        ),
    ];
    seen
}

fn app(seen: Snapshot) -> App {
    let mut app = App::new("http://127.0.0.1:8000");
    app.take(Message::Seen(Box::new(seen)), now());
    app
}

fn press(app: &mut App, code: KeyCode) -> Option<Wish> {
    app.press(KeyEvent::new(code, KeyModifiers::NONE))
}

/// The screen as it is drawn, without blanks at the ends of lines.
fn screen(app: &App, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal
        .draw(|frame| draw(app, now(), false, frame.buffer_mut()))
        .unwrap();
    let buffer = terminal.backend().buffer();
    let rows = buffer.content.chunks(width.into());
    let rows = rows.map(|row| {
        let mut hidden = 0;
        let mut line = String::new();
        for cell in row {
            // The second column of a wide letter is a cell of its own.
            if hidden == 0 {
                line.push_str(cell.symbol());
            }
            let wide = unicode_width::UnicodeWidthStr::width(cell.symbol());
            hidden = if hidden > 0 {
                hidden - 1
            } else {
                wide.saturating_sub(1)
            };
        }
        format!("|{}\n", line.trim_end())
    });
    rows.collect()
}

#[test]
fn an_idle_server() {
    insta::assert_snapshot!(screen(&app(empty()), 80, 12));
}

#[test]
fn a_busy_server() {
    let mut app = app(busy());
    press(&mut app, KeyCode::Down);
    insta::assert_snapshot!("busy_80", screen(&app, 80, 24));
    insta::assert_snapshot!("busy_60", screen(&app, 60, 24));
    insta::assert_snapshot!("busy_120", screen(&app, 120, 40));
    insta::assert_snapshot!("busy_as_text", as_text(&app, 80, now()));
}

#[test]
fn a_failed_worker() {
    let mut seen = busy();
    let failure = json!({
        "kind": "gpu_out_of_memory", "message": "the GPU has too little memory", "fix": "set `low_vram = true`",
    });
    let failed = json!({ "reason": "exited with code 1; started again in 8 s", "failure": failure });
    seen.status.workers = vec![serde_json::from_value(worker("failed", &failed)).unwrap()];
    seen.status.backends[0].status = "unavailable".to_owned();
    seen.status.backends[0].reason = Some("no worker can work".to_owned());
    seen.status.backends[0].fix = Some("look at `trellis workers`".to_owned());
    insta::assert_snapshot!(screen(&app(seen), 80, 24));
}

#[test]
fn what_jobs_wait_for_is_told_once() {
    let mut seen = busy();
    let lack = json!({
        "kind": "no_server", "message": "no server of this job store runs `trellis2-4b` now",
        "fix": "start a server that has it: its jobs wait",
    });
    for last in [3, 4] {
        seen.waiting[last] = job(3, "queued", &json!({ "history": [], "waits_for": lack }));
    }
    let shown = screen(&app(seen), 80, 40);
    for (words, times) in [
        (
            "|jobs wait: no server of this job store runs `trellis2-4b` now\n",
            1,
        ),
        ("|  fix: start a server that has it: its jobs wait\n", 1),
        (" waits for a server ", 2),
    ] {
        assert_eq!(shown.matches(words).count(), times, "{words}\n{shown}");
    }
}

#[test]
fn long_and_wide_names_keep_their_columns() {
    let mut seen = busy();
    seen.running[0] = job(1, "running", &json!({ "name": &"椅子".repeat(20) }));
    seen.ended[0] = job(
        20,
        "succeeded",
        &json!({ "name": &"x".repeat(90), "made_by": "trellis" }),
    );
    seen.status.workers[0].name = "w".repeat(100);
    seen.status.gpus[0].name = "GPU ".repeat(25);
    insta::assert_snapshot!(screen(&app(seen), 80, 24));
}

#[test]
fn the_chosen_job_stays_on_a_small_screen() {
    let mut app = app(busy());
    for _ in 0..50 {
        press(&mut app, KeyCode::Down);
    }
    let shown = screen(&app, 80, 16);
    let last = app.live().last().unwrap().id.to_string();
    assert!(shown.contains(&format!("> {}", &last[24..])), "{shown}");
    for (width, height) in [(80, 1), (1, 24), (3, 3), (20, 5)] {
        screen(&app, width, height);
    }
}

#[test]
fn a_job_is_cancelled_after_a_question_only() {
    let mut app = app(busy());
    assert_eq!(press(&mut app, KeyCode::Char('c')), None);
    assert_eq!(press(&mut app, KeyCode::Char('y')), None, "no job is chosen");
    press(&mut app, KeyCode::Down);
    press(&mut app, KeyCode::Down);
    let chosen = busy().running[1].id;
    assert_eq!(press(&mut app, KeyCode::Char('c')), None);
    let asked = screen(&app, 60, 24);
    assert!(
        asked.contains(&format!("cancel {chosen}? y yes, n no")),
        "{asked}"
    );
    assert_eq!(press(&mut app, KeyCode::Char('n')), None);
    press(&mut app, KeyCode::Char('c'));
    assert_eq!(press(&mut app, KeyCode::Char('y')), Some(Wish::Cancel(chosen)));
    // It ends while the question stands: a `y` typed now cancels nothing.
    press(&mut app, KeyCode::Char('c'));
    let mut seen = busy();
    seen.running.pop();
    app.take(Message::Seen(Box::new(seen)), now());
    assert_eq!(press(&mut app, KeyCode::Char('y')), None);
}

#[test]
fn a_server_that_goes_and_comes_back_is_told() {
    let mut app = app(busy());
    let reason = "Connection refused\x1b[2J".to_owned();
    app.take(
        Message::NoAnswer(ClientError::Unreachable { server: None, reason }),
        now(),
    );
    let shown = screen(&app, 80, 24);
    assert!(
        shown.contains("last answer 0 s ago, asking again: Connection refused�[2J"),
        "{shown}"
    );
    assert!(shown.contains("chair"), "what was known stays\n{shown}");
    let mut seen = busy();
    seen.status.started_at = ago(1);
    app.take(Message::Seen(Box::new(seen)), now());
    let shown = screen(&app, 80, 24);
    assert!(
        shown.contains("the server was restarted") && !shown.contains("asking again"),
        "{shown}"
    );
    assert_eq!(
        app.trouble(now() + SignedDuration::from_secs(9)).unwrap(),
        "last answer 9 s ago, asking again"
    );
}

#[test]
fn throughput_is_that_of_the_last_minute_and_progress_moves_on() {
    let mut app = App::new("http://127.0.0.1:8000");
    for second in 0..=100 {
        let mut seen = busy();
        seen.status.since_start.succeeded = u64::saturating_sub(second, 40);
        app.take(
            Message::Seen(Box::new(seen)),
            ago(100) + SignedDuration::from_secs(second.cast_signed()),
        );
    }
    assert_eq!(app.per_minute(), Some(60.0));
    let progress = Progress {
        stage: Stage::Export,
        step: 1,
        total: 2,
    };
    app.take(Message::Progress(busy().running[1].id, progress), now());
    let shown = screen(&app, 80, 24);
    assert!(shown.contains("export 1/2"), "{shown}");
}

#[test]
fn without_colours_nothing_is_coloured_and_with_them_the_words_stay() {
    let app = app(busy());
    let buffer = |colours| {
        let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
        terminal
            .draw(|frame| draw(&app, now(), colours, frame.buffer_mut()))
            .unwrap();
        terminal.backend().buffer().clone()
    };
    let coloured = |cell: &ratatui_core::buffer::Cell| cell.fg != ratatui_core::style::Color::Reset;
    let (plain, colours) = (buffer(false), buffer(true));
    assert!(!plain.content.iter().any(coloured) && colours.content.iter().any(coloured));
    let words = |buffer: ratatui_core::buffer::Buffer| -> String {
        buffer
            .content
            .iter()
            .map(ratatui_core::buffer::Cell::symbol)
            .collect()
    };
    assert_eq!(words(plain), words(colours));
}

#[test]
fn keys_are_listed() {
    let mut app = app(busy());
    press(&mut app, KeyCode::Char('?'));
    insta::assert_snapshot!(screen(&app, 80, 12));
    press(&mut app, KeyCode::Char('q'));
    assert_eq!(press(&mut app, KeyCode::Char('q')), Some(Wish::End));
}
