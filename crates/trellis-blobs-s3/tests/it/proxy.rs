//! A way to the storage that does what it is told to: answers in the storage's place, breaks, is slow, leads nowhere.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const OVERLOADED: &[u8] =
    b"HTTP/1.1 503 Slow Down\r\ncontent-type: application/xml\r\ncontent-length: 46\r\n\
connection: close\r\n\r\n<Error><Code>SlowDown</Code><X></X></Error>   ";

/// What happens to connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// So many are answered with 503.
    Overloaded(u32),
    /// So many are broken once so many bytes of an answer have come.
    CutAnswer(u32, usize),
    /// So many are broken once so many bytes of a request have gone.
    CutRequest(u32, usize),
    /// What is sent waits so long for each piece.
    Slow(Duration),
    /// From so many bytes on nothing goes on.
    Stuck(usize),
}

/// The proxy, on a port of this machine.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    state: Arc<Mutex<(Fault, u32)>>,
}

impl Proxy {
    pub(crate) async fn start(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new((Fault::None, 0)));
        let ours = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, to, Arc::clone(&ours)));
            }
        });
        Self { port, state }
    }

    pub(crate) fn set(&self, fault: Fault) {
        self.state.lock().unwrap().0 = fault;
    }

    /// How often it did harm.
    pub(crate) fn harmed(&self) -> u32 {
        self.state.lock().unwrap().1
    }
}

/// Whether the fault strikes now; it is one fewer then.
fn strikes(state: &Mutex<(Fault, u32)>, such: impl Fn(Fault) -> Option<Fault>) -> bool {
    let mut state = state.lock().unwrap();
    let Some(next) = such(state.0) else { return false };
    *state = (next, state.1 + 1);
    true
}

async fn carry(mut client: TcpStream, to: u16, state: Arc<Mutex<(Fault, u32)>>) {
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", to)).await else {
        return;
    };
    let (mut from_client, mut from_server) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let (mut gone, mut come) = (0, 0);
    loop {
        tokio::select! {
            read = client.read(&mut from_client) => {
                let Ok(count @ 1..) = read else { return };
                gone += count;
                let overloaded = strikes(&state, |fault| match fault {
                    Fault::Overloaded(more @ 1..) => Some(Fault::Overloaded(more - 1)),
                    _ => None,
                });
                if overloaded {
                    let _ = client.write_all(OVERLOADED).await;
                    let _ = client.shutdown().await;
                    // So that the answer is not lost with what was not read.
                    while matches!(client.read(&mut from_client).await, Ok(1..)) {}
                    return;
                }
                let cut = strikes(&state, |fault| match fault {
                    Fault::CutRequest(more @ 1.., after) if gone > after => Some(Fault::CutRequest(more - 1, after)),
                    _ => None,
                });
                if cut {
                    return;
                }
                wait(&state, gone).await;
                if server.write_all(&from_client[..count]).await.is_err() {
                    return;
                }
            }
            read = server.read(&mut from_server) => {
                let Ok(count @ 1..) = read else { return };
                come += count;
                let cut = strikes(&state, |fault| match fault {
                    Fault::CutAnswer(more @ 1.., after) if come > after => Some(Fault::CutAnswer(more - 1, after)),
                    _ => None,
                });
                if cut || client.write_all(&from_server[..count]).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn wait(state: &Mutex<(Fault, u32)>, gone: usize) {
    let fault = state.lock().unwrap().0;
    match fault {
        Fault::Slow(piece) => tokio::time::sleep(piece).await,
        Fault::Stuck(after) if gone > after => {
            state.lock().unwrap().1 += 1;
            std::future::pending::<()>().await;
        }
        _ => {}
    }
}
