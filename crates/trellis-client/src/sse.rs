//! Reads server-sent events: the `data` of each, whatever way the bytes are cut into chunks.
//!
//! Format: the WHATWG HTML standard, "Server-sent events"; `event` and `id` lines and comments are passed
//! over, because the data holds all that they say.

/// The largest event taken; the server's are far below 64 KiB.
const MAX_EVENT_BYTES: usize = 1 << 20;

/// The state between two chunks.
#[derive(Debug, Default)]
pub(crate) struct EventStream {
    line: Vec<u8>,
    data: Vec<String>,
    data_bytes: usize,
    after_return: bool,
}

impl EventStream {
    /// Takes bytes and returns the data of each event that they complete.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut events = Vec::new();
        for byte in bytes {
            // `\r\n` is one end of line.
            let ends = *byte == b'\r' || (*byte == b'\n' && !self.after_return);
            let second_half = *byte == b'\n' && self.after_return;
            self.after_return = *byte == b'\r';
            if ends {
                events.extend(self.end_line());
            } else if !second_half && self.line.len() < MAX_EVENT_BYTES {
                self.line.push(*byte);
            }
        }
        events
    }

    fn end_line(&mut self) -> Option<String> {
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
        if line.is_empty() {
            self.data_bytes = 0;
            let data = std::mem::take(&mut self.data);
            return (!data.is_empty()).then(|| data.join("\n"));
        }
        if let Some(data) = line.strip_prefix("data:")
            && self.data_bytes + data.len() <= MAX_EVENT_BYTES
        {
            // An empty line of data takes memory, too.
            self.data_bytes += data.len() + 16;
            self.data.push(data.strip_prefix(' ').unwrap_or(data).to_owned());
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        ": hello\n\nevent: state\r\nid: 3\r\ndata: {\"a\":\r\ndata: 1}\r\n\r\ndata:two\n\ndata: cut";

    #[test]
    fn data_lines_of_one_event_are_joined() {
        assert_eq!(
            EventStream::default().feed(TEXT.as_bytes()),
            ["{\"a\":\n1}", "two"]
        );
    }

    #[test]
    fn chunks_may_end_anywhere() {
        let whole = EventStream::default().feed(TEXT.as_bytes());
        for size in 1..TEXT.len() {
            let mut stream = EventStream::default();
            let parts: Vec<_> = TEXT
                .as_bytes()
                .chunks(size)
                .flat_map(|chunk| stream.feed(chunk))
                .collect();
            assert_eq!(parts, whole, "chunks of {size} bytes");
        }
    }

    #[test]
    fn an_endless_line_does_not_fill_the_memory() {
        let mut stream = EventStream::default();
        stream.feed(&vec![b'x'; 3 * MAX_EVENT_BYTES]);
        assert_eq!(stream.line.len(), MAX_EVENT_BYTES);
        let mut stream = EventStream::default();
        stream.feed("data:\n".repeat(200_000).as_bytes());
        assert!(stream.data.len() < 100_000, "{}", stream.data.len());
    }
}
