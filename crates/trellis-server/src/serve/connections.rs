//! How many connections there are, and which one goes when another comes.
//!
//! At the limit the longest idle connection makes room, of the address that has most of them first: a client
//! that opens a thousand silent connections loses its own. One that has a request in work is never ended.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use crate::peers::Peer;

/// Of all connections one address may have at most so many quarters at work.
const QUARTERS_OF_ONE_ADDRESS: usize = 3;

/// All connections of a server.
pub(super) struct Connections {
    limit: usize,
    table: Arc<Mutex<Table>>,
}

#[derive(Default)]
struct Table {
    next: u64,
    open: HashMap<u64, Entry>,
}

struct Entry {
    address: IpAddr,
    /// Requests whose answer is not whole yet.
    at_work: u32,
    /// When the last one was answered, or the connection came.
    idle_since: Instant,
    evicted: CancellationToken,
}

impl Connections {
    /// None yet, and never more than `limit`, at least 4.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit: limit.max(4),
            table: Arc::default(),
        }
    }

    /// Takes a connection in, in the place of an idle one where there are enough. `None` where all are at work.
    pub(super) fn admit(&self, peer: Peer) -> Option<Connection> {
        let mut table = lock(&self.table);
        let address = peer.site();
        let of_address = table
            .open
            .values()
            .filter(|entry| entry.address == address)
            .count();
        if of_address >= self.limit * QUARTERS_OF_ONE_ADDRESS / 4 {
            table.evict(|entry| entry.address == address).then_some(())?;
        } else if table.open.len() >= self.limit {
            let most = table.most_idle_address()?;
            table.evict(|entry| entry.address == most).then_some(())?;
        }
        let id = table.next;
        table.next += 1;
        let evicted = CancellationToken::new();
        table.open.insert(
            id,
            Entry {
                address,
                at_work: 0,
                idle_since: Instant::now(),
                evicted: evicted.clone(),
            },
        );
        Some(Connection {
            id,
            peer,
            evicted,
            table: Arc::clone(&self.table),
        })
    }

    /// Ends the longest idle connection, if there is one.
    pub(super) fn evict_idle(&self) {
        lock(&self.table).evict(|_| true);
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        lock(&self.table).open.len()
    }
}

impl Table {
    /// Ends the longest idle one of those; whether there was one.
    fn evict(&mut self, among: impl Fn(&Entry) -> bool) -> bool {
        let idle = self
            .open
            .iter()
            .filter(|(_, entry)| entry.at_work == 0 && among(entry));
        let Some(id) = idle.min_by_key(|(_, entry)| entry.idle_since).map(|(id, _)| *id) else {
            return false;
        };
        // Its task drops its half later; the place is free from now on.
        if let Some(entry) = self.open.remove(&id) {
            entry.evicted.cancel();
        }
        true
    }

    /// The address with the most idle connections.
    fn most_idle_address(&self) -> Option<IpAddr> {
        let mut idle: HashMap<IpAddr, usize> = HashMap::new();
        for entry in self.open.values().filter(|entry| entry.at_work == 0) {
            *idle.entry(entry.address).or_default() += 1;
        }
        idle.into_iter()
            .max_by_key(|(_, count)| *count)
            .map(|(address, _)| address)
    }
}

/// One connection; it leaves the table when this is dropped.
pub(super) struct Connection {
    id: u64,
    peer: Peer,
    evicted: CancellationToken,
    table: Arc<Mutex<Table>>,
}

impl Connection {
    /// Where it comes from.
    pub(super) fn peer(&self) -> Peer {
        self.peer
    }

    /// Resolves when another connection takes its place.
    pub(super) fn evicted(&self) -> CancellationToken {
        self.evicted.clone()
    }

    /// Marks it as at work until the guard is dropped.
    pub(super) fn at_work(&self) -> AtWork {
        if let Some(entry) = lock(&self.table).open.get_mut(&self.id) {
            entry.at_work += 1;
        }
        AtWork {
            id: self.id,
            table: Arc::clone(&self.table),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        lock(&self.table).open.remove(&self.id);
    }
}

/// A request whose answer is not whole yet.
pub(super) struct AtWork {
    id: u64,
    table: Arc<Mutex<Table>>,
}

impl Drop for AtWork {
    fn drop(&mut self) {
        if let Some(entry) = lock(&self.table).open.get_mut(&self.id) {
            entry.at_work -= 1;
            entry.idle_since = Instant::now();
        }
    }
}

/// Nothing panics while the table is locked, so it is whole.
fn lock(table: &Mutex<Table>) -> MutexGuard<'_, Table> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(address: &str) -> Peer {
        Peer {
            address: Some(format!("{address}:9").parse().unwrap()),
            encrypted: false,
        }
    }

    #[test]
    fn the_longest_idle_connection_of_the_greediest_address_makes_room() {
        let all = Connections::new(8);
        let other = all.admit(from("10.0.0.1")).unwrap();
        let greedy: Vec<_> = (0..6).map(|_| all.admit(from("10.0.0.2")).unwrap()).collect();
        let working = greedy[0].at_work();
        let seventh = all.admit(from("10.0.0.2")).unwrap();
        assert!(!greedy[0].evicted().is_cancelled() && greedy[1].evicted().is_cancelled());
        let _eighth = all.admit(from("10.0.0.3")).unwrap();
        let _ninth = all.admit(from("10.0.0.4")).unwrap();
        assert!(greedy[2].evicted().is_cancelled(), "not {:?}", other.peer());
        assert!(!other.evicted().is_cancelled() && !seventh.evicted().is_cancelled());
        drop((working, seventh));
    }

    #[test]
    fn nobody_at_work_is_ended_and_one_address_leaves_room_for_others() {
        let all = Connections::new(8);
        let six: Vec<_> = (0..6).map(|_| all.admit(from("10.0.0.2")).unwrap()).collect();
        let work: Vec<_> = six.iter().map(Connection::at_work).collect();
        assert!(all.admit(from("10.0.0.2")).is_none());
        let seventh = all.admit(from("10.0.0.1")).unwrap();
        drop(work);
        assert!(all.admit(from("10.0.0.2")).is_some());
        drop((six, seventh));
        assert_eq!(all.count(), 0);
    }

    #[test]
    fn an_evicted_connection_frees_its_place_once() {
        let all = Connections::new(4);
        let first = all.admit(from("10.0.0.1")).unwrap();
        all.evict_idle();
        assert_eq!(all.count(), 0);
        let work = first.at_work();
        drop(work);
        drop(first);
        assert_eq!(all.count(), 0);
    }
}
