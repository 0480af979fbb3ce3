//! docs/webhooks.md: its receivers take what is sent and refuse what is forged.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::Command;
use trellis_core::WebhookState;

use crate::kit::{Place, Receiver, SECRET, status};

const DOCS: &str = include_str!("../../../../docs/webhooks.md");
const LONG: Duration = Duration::from_secs(60);

fn block(language: &str) -> String {
    let (_, rest) = DOCS.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

#[tokio::test]
async fn the_receiver_in_python_prints_what_is_genuine_and_refuses_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
    // On a free port, which it says.
    let serve = r#"HTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()"#;
    let script = block("python");
    assert!(script.contains(serve), "{script}");
    let told = r#"server = HTTPServer(("127.0.0.1", 0), Receiver)
print(server.server_port, flush=True)
server.serve_forever()"#;
    let mut python = Command::new("python3")
        .args(["-c", &script.replace(serve, told), "0"])
        .arg(&secret)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(python.stdout.take().unwrap()).lines();
    let port = lines.next_line().await.unwrap().unwrap();

    let mut forged = tokio::net::TcpStream::connect(format!("127.0.0.1:{port}"))
        .await
        .unwrap();
    let now = jiff::Timestamp::now().as_second();
    let head =
        format!("POST / HTTP/1.0\r\nContent-Length: 2\r\nwebhook-id: evt_1\r\nwebhook-timestamp: {now}\r\n");
    let signature = "webhook-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=\r\n\r\n{}";
    forged.write_all((head + signature).as_bytes()).await.unwrap();
    let mut answer = String::new();
    forged.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains(" 400 "), "{answer}");

    let place = Place::new();
    let _delivering = place.deliver(&["127.0.0.1"], LONG);
    let job = place
        .ended(&format!("http://127.0.0.1:{port}/"), "127.0.0.1")
        .await;
    assert_eq!(place.tried(job).await.state, Some(WebhookState::Delivered));
    let line = lines.next_line().await.unwrap().unwrap();
    assert_eq!(line, format!("job.succeeded {job}"));
}

#[tokio::test]
async fn the_shell_tells_genuine_from_forged() {
    let receiver = Receiver::new(|_| status("200 OK")).await;
    let place = Place::new();
    let _delivering = place.deliver(&["127.0.0.1"], LONG);
    let job = place
        .ended(&format!("http://{}/", receiver.address), "127.0.0.1")
        .await;
    place.tried(job).await;
    let request = receiver.requests().remove(0);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("webhook-secret"), format!("{SECRET}\n")).unwrap();
    for (body, genuine) in [
        (request.raw.clone(), true),
        ([&request.raw[..], b" "].concat(), false),
    ] {
        std::fs::write(folder.path().join("body.json"), body).unwrap();
        let said = Command::new("sh")
            .args(["-euc", &block("sh")])
            .current_dir(folder.path())
            .env("ID", &request.headers["webhook-id"])
            .env("TIMESTAMP", &request.headers["webhook-timestamp"])
            .env("SIGNATURE", &request.headers["webhook-signature"])
            .output()
            .await
            .unwrap();
        let text = String::from_utf8_lossy(&said.stdout);
        let expected = if genuine { "genuine" } else { "forged" };
        assert_eq!(
            (said.status.success(), text.trim()),
            (genuine, expected),
            "{said:?}"
        );
    }
}
