//! One message on a pipe: its length as four bytes, lowest first, then the message.

use std::io::{self, Read};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::confine::Isolation;
use crate::request::{Failure, Request};

/// The bytes of the length.
pub(super) const HEADER: usize = 4;

/// What a worker says once, before the first request.
#[derive(Serialize, Deserialize)]
pub(super) struct Hello {
    /// What the kernel enforces on it.
    pub(super) isolation: Isolation,
    /// The address space that it takes while idle, in bytes.
    pub(super) baseline: u64,
}

/// What a worker is asked.
#[derive(Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) request: Request,
    /// The most bytes that may be written; zero is no limit.
    pub(super) max_output_bytes: u64,
}

/// As [`Order`], without a copy of the request.
#[derive(Serialize)]
pub(super) struct OrderOf<'a> {
    pub(super) request: &'a Request,
    pub(super) max_output_bytes: u64,
}

/// What a worker says of the text that it rendered, which is on its [pad](super::pad).
#[derive(Serialize, Deserialize)]
pub(super) struct Told {
    /// Length in bytes.
    pub(super) length: u64,
    /// As in [`Rendered`](crate::request::Rendered).
    pub(super) objects: Option<u32>,
}

/// Why a worker has no rendered text.
#[derive(Serialize, Deserialize)]
pub(super) enum Refused {
    /// Evaluation answered so.
    Failure(Failure),
    /// The text grew beyond its limit.
    OutputTooLarge,
}

/// What a worker says to one request.
#[derive(Serialize, Deserialize)]
pub(super) struct Answer {
    pub(super) outcome: Result<Told, Refused>,
}

/// What a worker says once it has freed what the request took, unless it ends.
#[derive(Serialize, Deserialize)]
pub(super) struct Tidied;

/// The whole frame of a message.
///
/// # Errors
/// For a message of 4 GiB or more.
pub(super) fn encode(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut frame = postcard::to_extend(message, vec![0; HEADER]).map_err(io::Error::other)?;
    let length = u32::try_from(frame.len() - HEADER).map_err(io::Error::other)?;
    frame[..HEADER].copy_from_slice(&length.to_le_bytes());
    Ok(frame)
}

/// The length of the message behind a header.
pub(super) fn length(header: [u8; HEADER]) -> u64 {
    u64::from(u32::from_le_bytes(header))
}

/// The message of a frame without its header.
pub(super) fn decode<T: DeserializeOwned>(message: &[u8]) -> io::Result<T> {
    postcard::from_bytes(message).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Waits for the next message; `None` when there is no further one.
pub(super) fn read<T: DeserializeOwned>(input: &mut impl Read) -> io::Result<Option<T>> {
    let mut header = [0; HEADER];
    match input.read_exact(&mut header) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let mut message = Vec::new();
    input.take(length(header)).read_to_end(&mut message)?;
    decode(&message).map(Some)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::evaluate::tests::request;

    #[test]
    fn a_message_is_read_as_it_was_written() {
        let mut asked = request("1");
        asked.libraries.insert("lib".to_owned(), [("main.libsonnet".to_owned(), vec![0, 255])].into());
        let frame = encode(&asked).unwrap();
        assert_eq!(read::<Request>(&mut frame.as_slice()).unwrap(), Some(asked));
    }

    #[test]
    fn the_end_of_input_is_no_message() {
        assert_eq!(read::<Request>(&mut [].as_slice()).unwrap(), None);
    }

    #[test]
    fn a_message_cut_short_is_an_error() {
        let frame = encode(&request("1")).unwrap();
        assert!(read::<Request>(&mut &frame[..frame.len() - 1]).is_err());
    }
}
