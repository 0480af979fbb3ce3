//! Writes a PNG without compressing it.
//!
//! Each `IDAT` holds one stored block of the one zlib stream, so that a picture costs a copy and two checksums:
//! ```text
//! length "IDAT" [78 01, the first] last? size ~size bytes [Adler-32, the last] CRC-32
//! ```
//! Source: PNG (third edition), sections 5 and 11; RFC 1950; RFC 1951, section 3.2.4. The encoders that there are look
//! for repetitions in what they only store.

use std::io::{self, Write};

use simd_adler32::Adler32;

/// The longest stored block.
const BLOCK_BYTES: usize = 0xFFFF;
/// What stands before a block's bytes, the zlib header included.
const HEAD_BYTES: usize = 4 + 4 + 2 + 5;

/// A picture's pixels, row after row.
#[derive(Clone, Copy)]
pub(crate) enum Rows<'a> {
    /// Three bytes a pixel.
    Rgb(&'a [u8]),
    /// Four bytes a pixel, and whether the fourth is written.
    Rgba(&'a [u8], bool),
}

/// Writes a picture of `width × height` pixels, as many as there are.
pub(crate) fn write(mut sink: impl Write, (width, height): (u32, u32), rows: Rows<'_>) -> io::Result<()> {
    let (pixels, from, to) = match rows {
        Rows::Rgb(pixels) => (pixels, 3, 3),
        Rows::Rgba(pixels, false) => (pixels, 4, 3),
        Rows::Rgba(pixels, true) => (pixels, 4, 4),
    };
    let mut head = Vec::with_capacity(13);
    head.extend_from_slice(&width.to_be_bytes());
    head.extend_from_slice(&height.to_be_bytes());
    // 8 bits, RGB or RGBA, deflated, filtered row by row, not interlaced.
    head.extend_from_slice(&[8, if to == 3 { 2 } else { 6 }, 0, 0, 0]);
    sink.write_all(b"\x89PNG\r\n\x1a\n")?;
    sink.write_all(&chunk(*b"IHDR", &head))?;

    let mut stored = Stored {
        sink: &mut sink,
        chunk: Vec::with_capacity(HEAD_BYTES + BLOCK_BYTES + 8),
        filled: 0,
        left: (width as usize * to + 1) * height as usize,
        sum: Adler32::new(),
    };
    stored.begin(&[0x78, 0x01]);
    let mut narrowed = vec![0; if from == to { 0 } else { width as usize * to }];
    for row in pixels.chunks_exact((width as usize * from).max(1)) {
        stored.add(&[0])?;
        if from == to {
            stored.add(row)?;
        } else {
            for (narrow, pixel) in narrowed.chunks_exact_mut(3).zip(row.chunks_exact(4)) {
                narrow.copy_from_slice(&pixel[..3]);
            }
            stored.add(&narrowed)?;
        }
    }
    sink.write_all(&chunk(*b"IEND", &[]))?;
    sink.flush()
}

fn chunk(kind: [u8; 4], body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("it is short");
    let mut chunk = length.to_be_bytes().to_vec();
    chunk.extend_from_slice(&kind);
    chunk.extend_from_slice(body);
    let sum = crc32fast::hash(&chunk[4..]);
    chunk.extend_from_slice(&sum.to_be_bytes());
    chunk
}

/// The zlib stream, of which one `IDAT` is in memory.
struct Stored<W> {
    sink: W,
    /// From the length on; what is not known yet is left out.
    chunk: Vec<u8>,
    /// The block's bytes in it.
    filled: usize,
    /// How much is still to be added.
    left: usize,
    sum: Adler32,
}

impl<W: Write> Stored<W> {
    /// Begins the next chunk, with what stands before its block.
    fn begin(&mut self, before: &[u8]) {
        self.chunk.clear();
        self.chunk.extend_from_slice(b"\0\0\0\0IDAT");
        self.chunk.extend_from_slice(before);
        self.chunk.extend_from_slice(&[0; 5]);
        self.filled = 0;
    }

    fn add(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(BLOCK_BYTES - self.filled));
            self.chunk.extend_from_slice(now);
            self.filled += now.len();
            self.left = self.left.saturating_sub(now.len());
            bytes = later;
            if self.filled == BLOCK_BYTES || self.left == 0 {
                self.end()?;
            }
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        let is_last = self.left == 0;
        let at = self.chunk.len() - self.filled;
        let size = u16::try_from(self.filled).expect("a block is no longer");
        self.chunk[at - 5] = is_last.into();
        self.chunk[at - 4..at - 2].copy_from_slice(&size.to_le_bytes());
        self.chunk[at - 2..at].copy_from_slice(&(!size).to_le_bytes());
        self.sum.write(&self.chunk[at..]);
        if is_last {
            self.chunk.extend_from_slice(&self.sum.finish().to_be_bytes());
        }
        let length = u32::try_from(self.chunk.len() - 8).expect("a block is no longer");
        self.chunk[..4].copy_from_slice(&length.to_be_bytes());
        let sum = crc32fast::hash(&self.chunk[4..]);
        self.chunk.extend_from_slice(&sum.to_be_bytes());
        self.sink.write_all(&self.chunk)?;
        self.begin(&[]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pixels(count: usize, channels: usize) -> Vec<u8> {
        (0..=250).cycle().take(count * channels).collect()
    }

    /// By the decoder of `png`, which compares all checksums.
    fn read(file: &[u8]) -> (png::ColorType, Vec<u8>) {
        let mut reader = png::Decoder::new(io::Cursor::new(file)).read_info().unwrap();
        let mut read = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut read).unwrap();
        reader.finish().unwrap();
        (info.color_type, read)
    }

    #[test]
    fn decoders_read_what_was_written() {
        // One row is a block, a byte less and more; many rows; the smallest.
        for (width, height) in [
            (21_845, 1),
            (21_844, 1),
            (21_846, 3),
            (1, 1),
            (591, 591),
            (5, 13_107),
        ] {
            let size = width as usize * height as usize;
            let rgb = pixels(size, 3);
            let mut file = Vec::new();
            write(&mut file, (width, height), Rows::Rgb(&rgb)).unwrap();
            let (colour, read_rgb) = read(&file);
            assert!(
                colour == png::ColorType::Rgb && read_rgb == rgb,
                "{width} × {height}"
            );

            let rgba = pixels(size, 4);
            let mut file = Vec::new();
            write(&mut file, (width, height), Rows::Rgba(&rgba, true)).unwrap();
            let (colour, read_rgba) = read(&file);
            assert!(
                colour == png::ColorType::Rgba && read_rgba == rgba,
                "{width} × {height}"
            );

            let mut file = Vec::new();
            write(&mut file, (width, height), Rows::Rgba(&rgba, false)).unwrap();
            let opaque: Vec<u8> = rgba
                .chunks_exact(4)
                .flat_map(|pixel| pixel[..3].to_vec())
                .collect();
            assert!(read(&file) == (png::ColorType::Rgb, opaque), "{width} × {height}");
        }
    }

    /// Counts how often it is written to.
    #[derive(Default)]
    struct Counted(Vec<u8>, usize);

    impl Write for Counted {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1 += 1;
            self.0.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_picture_of_a_mebibyte_is_written_in_a_few_large_pieces() {
        let rgb = pixels(591 * 591, 3);
        let mut file = Counted::default();
        write(&mut file, (591, 591), Rows::Rgb(&rgb)).unwrap();
        assert!(file.1 <= 20, "{}", file.1);
        assert!(file.0.len() < rgb.len() + 591 + 20 * 20, "{}", file.0.len());
    }
}
