//! Where to listen: at an address, at a Unix socket, or where a service manager listens already.

use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::net::TcpListener;
use trellis_server::Entrance;

use crate::service_manager::{Inherited, inherited_listener};
use crate::unix_socket::{SocketFile, listen_at};
use crate::{Listen, NodeError, SocketError};

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// At an address.
    Network {
        /// The address.
        address: SocketAddr,
        /// Whether it speaks TLS there.
        tls: bool,
    },
    /// At a Unix socket; the path is empty where a service manager's has none.
    Unix(PathBuf),
}

/// A listener and what is known of it.
pub(crate) struct Door {
    pub(crate) entrance: Entrance,
    pub(crate) bound: Bound,
    /// The socket's file, where it was made here.
    pub(crate) file: Option<SocketFile>,
}

/// Where to listen.
pub(crate) enum Place {
    HandedOver(Door),
    Settings(Bound),
}

impl Place {
    /// What the service manager handed over, else what is in the settings.
    pub(crate) fn find(listen: &Listen, tls: bool) -> Result<Self, NodeError> {
        let address = SocketAddr::new(listen.host, listen.port);
        let handed_over = inherited_listener().map_err(|source| NodeError::Listen { address, source })?;
        let place = match handed_over {
            Some(Inherited::Network(listener)) => {
                let address = listener
                    .local_addr()
                    .map_err(|source| NodeError::Listen { address, source })?;
                Self::HandedOver(Door {
                    entrance: listener.into(),
                    bound: Bound::Network { address, tls },
                    file: None,
                })
            }
            Some(Inherited::Unix(listener)) => {
                let address = listener.local_addr().ok();
                let path = address.and_then(|address| Some(address.as_pathname()?.to_owned()));
                Self::HandedOver(Door {
                    entrance: listener.into(),
                    bound: Bound::Unix(path.unwrap_or_default()),
                    file: None,
                })
            }
            None if listen.socket.as_os_str().is_empty() => Self::Settings(Bound::Network { address, tls }),
            None => Self::Settings(Bound::Unix(listen.socket.clone())),
        };
        match place.bound() {
            Bound::Unix(_) if tls => Err(SocketError::WithTls.into()),
            _ => Ok(place),
        }
    }

    fn bound(&self) -> &Bound {
        match self {
            Self::HandedOver(door) => &door.bound,
            Self::Settings(bound) => bound,
        }
    }

    /// The address; a Unix socket has none, and nobody reaches it from another machine.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        match self.bound() {
            Bound::Network { address, .. } => Some(*address),
            Bound::Unix(_) => None,
        }
    }

    /// Listens there.
    pub(crate) async fn bind(self) -> Result<Door, NodeError> {
        match self {
            Self::HandedOver(door) => Ok(door),
            Self::Settings(Bound::Unix(path)) => {
                let (listener, file) = listen_at(&path)?;
                Ok(Door {
                    entrance: listener.into(),
                    bound: Bound::Unix(path),
                    file: Some(file),
                })
            }
            Self::Settings(Bound::Network { address, tls }) => {
                let bound = async {
                    let listener = TcpListener::bind(address).await?;
                    let address = listener.local_addr()?;
                    Ok(Door {
                        entrance: listener.into(),
                        bound: Bound::Network { address, tls },
                        file: None,
                    })
                };
                bound
                    .await
                    .map_err(|source| NodeError::Listen { address, source })
            }
        }
    }
}
