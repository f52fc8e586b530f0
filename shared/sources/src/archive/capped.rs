//! A reader that ends with an error, and knows it, once it gave more than it may.

use std::io::{self, Read};

/// See the module.
pub(super) struct Capped<R> {
    inner: R,
    left: u64,
    exceeded: bool,
}

impl<R: Read> Capped<R> {
    pub(super) fn new(inner: R, limit: u64) -> Self {
        Self { inner, left: limit, exceeded: false }
    }

    /// Whether there was more than may be read.
    pub(super) fn is_exceeded(&self) -> bool {
        self.exceeded
    }
}

impl<R: Read> Read for Capped<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && !buffer.is_empty() {
            // Exactly the limit is allowed, so one more byte decides.
            if self.inner.read(&mut [0])? == 0 {
                return Ok(0);
            }
            self.exceeded = true;
            return Err(io::Error::other("more bytes than the limit"));
        }
        let room = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let Some(part) = buffer.get_mut(..room) else { return Ok(0) };
        let read = self.inner.read(part)?;
        self.left -= read as u64;
        Ok(read)
    }
}
