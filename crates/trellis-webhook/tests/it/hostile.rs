//! Receivers and addresses that mean the server ill.

use std::sync::OnceLock;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use trellis_core::WebhookState;

use crate::kit::{Place, Receiver, status};

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn an_address_inside_is_not_connected_to_whatever_the_job_says() {
    let receiver = Receiver::new(|_| status("200 OK")).await;
    let port = receiver.address.port();
    let place = Place::new();
    let _delivering = place.deliver(&[], LONG);
    // As kept by a server whose rules were others.
    for (host, problem) in [
        ("127.0.0.1", "not a public address"),
        ("2130706433", "not a public address"),
        ("[::ffff:127.0.0.1]", "not a public address"),
        ("localhost", "not a public address"),
    ] {
        let job = place.ended(&format!("https://{host}:{port}/"), host).await;
        let shown = place.tried(job).await;
        assert_eq!(shown.state, Some(WebhookState::Pending));
        assert!(shown.problem.as_deref().unwrap().contains(problem), "{shown:?}");
    }
    assert!(receiver.requests().is_empty());
}

/// For an answer, which is a plain function.
static PORT: OnceLock<u16> = OnceLock::new();

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let inside = Receiver::new(|_| status("200 OK")).await;
    PORT.set(inside.address.port()).unwrap();
    let receiver = Receiver::new(|_| {
        let port = PORT.get().unwrap();
        format!("HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:{port}/\r\nContent-Length: 0\r\n\r\n")
    })
    .await;
    let place = Place::new();
    let _delivering = place.deliver(&["127.0.0.1"], LONG);
    let job = place
        .ended(&format!("http://{}/", receiver.address), "127.0.0.1")
        .await;
    let shown = place.tried(job).await;
    let problem = "it answered 307, and redirects are not followed";
    assert_eq!(shown.problem.as_deref(), Some(problem));
    assert!(inside.requests().is_empty());
}

#[tokio::test]
async fn a_receiver_that_speaks_no_tls_is_told_nothing() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut heard = vec![0; 4096];
        let length = stream.read(&mut heard).await.unwrap();
        stream.write_all(status("200 OK").as_bytes()).await.unwrap();
        heard.truncate(length);
        // To its end.
        let _ = stream.read_to_end(&mut heard).await;
        heard
    });
    let place = Place::new();
    let _delivering = place.deliver(&["127.0.0.1"], LONG);
    let job = place
        .ended(&format!("https://127.0.0.1:{port}/"), "127.0.0.1")
        .await;
    let shown = place.tried(job).await;
    let problem = "no TLS connection to it could be made, which may be for its certificate";
    assert_eq!(shown.problem.as_deref(), Some(problem));
    let heard = heard.await.unwrap();
    assert!(!String::from_utf8_lossy(&heard).contains("webhook-id"));
}

#[tokio::test]
async fn a_receiver_that_never_answers_is_left_after_a_while() {
    let receiver = Receiver::new(|_| String::new()).await;
    let place = Place::new();
    let _delivering = place.deliver(&["127.0.0.1"], Duration::from_secs(1));
    let job = place
        .ended(&format!("http://{}/", receiver.address), "127.0.0.1")
        .await;
    let shown = place.tried(job).await;
    let problem = "it did not answer within 1 s";
    assert_eq!(shown.problem.as_deref(), Some(problem));
}

#[tokio::test]
async fn the_body_of_an_answer_is_not_waited_for() {
    // Announces more than anybody would send, and keeps the connection open.
    let receiver =
        Receiver::new(|_| "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nand so on".to_owned()).await;
    let place = Place::new();
    let _delivering = place.deliver(&["127.0.0.1"], LONG);
    let job = place
        .ended(&format!("http://{}/", receiver.address), "127.0.0.1")
        .await;
    assert_eq!(place.tried(job).await.state, Some(WebhookState::Delivered));
}

#[tokio::test]
async fn a_host_that_hangs_leaves_room_for_others() {
    let hanging = Receiver::new(|_| String::new()).await;
    let other = Receiver::new(|_| status("200 OK")).await;
    let place = Place::new();
    let hung = format!("http://{}/", hanging.address);
    for _ in 0..20 {
        place.ended(&hung, "127.0.0.1").await;
    }
    let last = place
        .ended(
            &format!("http://localhost:{}/", other.address.port()),
            "localhost",
        )
        .await;
    let _delivering = place.deliver(&["127.0.0.1", "localhost"], LONG);
    assert_eq!(place.tried(last).await.state, Some(WebhookState::Delivered));
    assert!(hanging.requests().len() <= 2, "two connections to one host");
}
