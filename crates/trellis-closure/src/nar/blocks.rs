//! Bytes in blocks, consumed while the next ones are read.
//!
//! A short archive never leaves its first block and is consumed by the thread that made it. With the first
//! full block a second thread starts to consume, so that reading and hashing overlap; at most [`BLOCKS`]
//! blocks exist, whatever the size of the archive.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

/// Large enough that handing a block over costs nothing beside hashing it, small enough for the
/// second-level cache.
const BLOCK_BYTES: usize = 256 << 10;
/// One is filled, one is consumed, one waits on either side.
const BLOCKS: usize = 4;

/// What is done with each block, in order.
pub(super) trait Consume: Send {
    fn consume(&mut self, bytes: &[u8]);
}

/// The consuming thread, and the ways to and from it.
struct Consumer<'scope, C> {
    full: SyncSender<Vec<u8>>,
    empty: Receiver<Vec<u8>>,
    thread: ScopedJoinHandle<'scope, C>,
}

/// A writer into blocks.
pub(super) struct Blocks<'scope, 'env, C: Consume> {
    scope: &'scope Scope<'scope, 'env>,
    block: Vec<u8>,
    made: usize,
    /// Here until the thread starts.
    consume: Option<C>,
    consumer: Option<Consumer<'scope, C>>,
}

impl<'scope, 'env, C: Consume + 'scope> Blocks<'scope, 'env, C> {
    pub(super) fn new(scope: &'scope Scope<'scope, 'env>, consume: C) -> Self {
        Self {
            scope,
            block: Vec::with_capacity(BLOCK_BYTES),
            made: 1,
            consume: Some(consume),
            consumer: None,
        }
    }

    /// Appends bytes by one call of `read`, which gets a block with room left and says how many it added.
    pub(super) fn fill(&mut self, read: impl FnOnce(&mut Vec<u8>) -> io::Result<usize>) -> io::Result<usize> {
        self.make_room();
        read(&mut self.block)
    }

    /// Hands the last block over, waits until all is consumed and gives the consumer back.
    pub(super) fn finish(mut self) -> C {
        let last = std::mem::take(&mut self.block);
        match (self.consumer, self.consume) {
            (Some(consumer), _) => {
                let _ = consumer.full.send(last);
                drop(consumer.full);
                joined(consumer.thread)
            }
            (None, Some(mut consume)) => {
                consume.consume(&last);
                consume
            }
            (None, None) => unreachable!("the consumer is here or in its thread"),
        }
    }

    fn make_room(&mut self) {
        if self.block.len() < BLOCK_BYTES {
            return;
        }
        let full = std::mem::take(&mut self.block);
        if let Some(consume) = self.consume.take() {
            self.consumer = Some(start(self.scope, consume));
        }
        let Some(consumer) = &self.consumer else { return };
        // A consumer that is gone has panicked; `finish` passes that on.
        let _ = consumer.full.send(full);
        self.block = if self.made < BLOCKS {
            self.made += 1;
            Vec::with_capacity(BLOCK_BYTES)
        } else {
            consumer.empty.recv().unwrap_or_default()
        };
    }
}

fn start<'scope, C: Consume + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    mut consume: C,
) -> Consumer<'scope, C> {
    let (full, filled) = sync_channel::<Vec<u8>>(BLOCKS);
    let (emptied, empty) = sync_channel(BLOCKS);
    let thread = scope.spawn(move || {
        for mut block in filled {
            consume.consume(&block);
            block.clear();
            // The reader ends before the last blocks come back.
            let _ = emptied.send(block);
        }
        consume
    });
    Consumer { full, empty, thread }
}

fn joined<C>(thread: ScopedJoinHandle<'_, C>) -> C {
    thread
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

impl<'scope, C: Consume + 'scope> Write for Blocks<'scope, '_, C> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.make_room();
        let taken = bytes.len().min(BLOCK_BYTES - self.block.len());
        self.block.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Kept(Vec<u8>, usize);

    impl Consume for Kept {
        fn consume(&mut self, bytes: &[u8]) {
            self.0.extend_from_slice(bytes);
            self.1 += 1;
        }
    }

    #[test]
    fn every_byte_arrives_in_order() {
        for length in [
            0,
            1,
            BLOCK_BYTES - 1,
            BLOCK_BYTES,
            BLOCK_BYTES + 1,
            9 * BLOCK_BYTES + 5,
        ] {
            let sent: Vec<u8> = (0..length).map(|at| (at % 251).to_le_bytes()[0]).collect();
            let kept = std::thread::scope(|scope| {
                let mut blocks = Blocks::new(scope, Kept(Vec::new(), 0));
                for part in sent.chunks(1000) {
                    blocks.write_all(part).unwrap();
                }
                blocks.finish()
            });
            assert!(kept.0 == sent, "{length} bytes");
            assert_eq!(kept.1, length.div_ceil(BLOCK_BYTES).max(1));
        }
    }

    #[test]
    fn a_panic_of_the_consumer_is_passed_on() {
        struct Broken;
        impl Consume for Broken {
            fn consume(&mut self, _: &[u8]) {
                panic!("broken");
            }
        }
        let outcome = std::panic::catch_unwind(|| {
            std::thread::scope(|scope| {
                let mut blocks = Blocks::new(scope, Broken);
                blocks.write_all(&vec![0; 20 * BLOCK_BYTES]).unwrap();
                blocks.finish();
            });
        });
        assert!(outcome.is_err());
    }
}
