//! A way to the database that breaks when it is told to.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};

/// As it stands in a client's message.
const COMMIT: &[u8] = b"COMMIT\0";

/// The proxy, on a port of this machine.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    armed: AtomicBool,
    /// Whether it lets nobody through any more once it broke.
    closes: AtomicBool,
    broken: AtomicU32,
}

impl Proxy {
    /// Leads to the server whose socket that is.
    pub(crate) async fn start(socket: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State::default());
        let ours = state.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if ours.closes.load(Ordering::SeqCst) && ours.broken.load(Ordering::SeqCst) > 0 {
                    continue;
                }
                let server = UnixStream::connect(&socket).await.unwrap();
                tokio::spawn(carry(client, server, ours.clone()));
            }
        });
        Self { port, state }
    }

    /// The next commit arrives, and its answer does not.
    pub(crate) fn break_after_next_commit(&self) {
        self.state.armed.store(true, Ordering::SeqCst);
    }

    /// The same, and nobody reaches the database this way any more.
    pub(crate) fn close_after_next_commit(&self) {
        self.state.closes.store(true, Ordering::SeqCst);
        self.break_after_next_commit();
    }

    /// How many connections were broken so.
    pub(crate) fn broken(&self) -> u32 {
        self.state.broken.load(Ordering::SeqCst)
    }
}

async fn carry(mut client: TcpStream, mut server: UnixStream, state: Arc<State>) {
    let (mut from_client, mut from_server) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        tokio::select! {
            read = client.read(&mut from_client) => {
                let Ok(count @ 1..) = read else { return };
                let message = &from_client[..count];
                let commits = message.windows(COMMIT.len()).any(|part| part == COMMIT);
                server.write_all(message).await.unwrap();
                if commits && state.armed.swap(false, Ordering::SeqCst) {
                    // Its answer says that it is done, and goes nowhere.
                    let _ = server.read(&mut from_server).await;
                    state.broken.fetch_add(1, Ordering::SeqCst);
                    return;
                }
            }
            read = server.read(&mut from_server) => {
                let Ok(count @ 1..) = read else { return };
                if client.write_all(&from_server[..count]).await.is_err() {
                    return;
                }
            }
        }
    }
}
