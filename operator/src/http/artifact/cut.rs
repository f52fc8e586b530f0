//! A part of an artifact that comes as a stream.
//!
//! Whether a large artifact is right is known only when it was read to its end. So the last piece of a part is held back until then,
//! though that means to read what nobody asked for: a part is complete only if the whole artifact is right.

use std::io;
use std::ops::RangeInclusive;

use bytes::Bytes;
use futures::{Stream, StreamExt};

/// The positions `part` of the bytes that `whole` brings. It ends with an error, before its last piece, where `whole` does or is
/// too short.
pub(super) fn cut<S>(
    whole: S,
    part: RangeInclusive<u64>,
) -> impl Stream<Item = io::Result<Bytes>> + Send + Sync + 'static
where
    S: Stream<Item = io::Result<Bytes>> + Send + Sync + Unpin + 'static,
{
    futures::stream::unfold(Some((whole, Cut::new(part))), |state| async {
        let (mut whole, mut cut) = state?;
        loop {
            match whole.next().await {
                Some(Ok(chunk)) => {
                    if let Some(piece) = cut.take(chunk) {
                        return Some((Ok(piece), Some((whole, cut))));
                    }
                }
                Some(Err(error)) => return Some((Err(error), None)),
                None => return Some((cut.end(), None)),
            }
        }
    })
}

struct Cut {
    /// Bytes before the part that are still to come.
    before: u64,
    /// Bytes of the part that are still to come.
    within: u64,
    held: Option<Bytes>,
}

impl Cut {
    fn new(part: RangeInclusive<u64>) -> Self {
        let (first, last) = part.into_inner();
        Self { before: first, within: (last - first).saturating_add(1), held: None }
    }

    /// Takes the next bytes of the whole, and gives what may be handed out.
    fn take(&mut self, mut chunk: Bytes) -> Option<Bytes> {
        take(&mut chunk, &mut self.before);
        let piece = take(&mut chunk, &mut self.within);
        if piece.is_empty() { None } else { self.held.replace(piece) }
    }

    /// The rest, once the whole has come.
    fn end(self) -> io::Result<Bytes> {
        match self.held {
            Some(last) if self.within == 0 => Ok(last),
            _ => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the artifact is shorter than announced")),
        }
    }
}

/// Splits off the beginning of `chunk`, at most `due` bytes, which it counts down.
fn take(chunk: &mut Bytes, due: &mut u64) -> Bytes {
    let length = usize::try_from(*due).unwrap_or(usize::MAX).min(chunk.len());
    *due -= length as u64;
    chunk.split_to(length)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use futures::FutureExt;
    use proptest::prelude::*;

    use super::*;

    /// Reads all of a part of `chunks`: the bytes up to the end or the first error.
    fn read(chunks: Vec<io::Result<Bytes>>, part: RangeInclusive<u64>) -> (Vec<u8>, io::Result<()>) {
        let whole = futures::stream::iter(chunks);
        let reading = async {
            let mut pieces = std::pin::pin!(cut(whole, part));
            let mut bytes = Vec::new();
            while let Some(piece) = pieces.next().await {
                match piece {
                    Ok(piece) => bytes.extend_from_slice(&piece),
                    Err(error) => {
                        assert!(pieces.next().await.is_none(), "an error is the end");
                        return (bytes, Err(error));
                    }
                }
            }
            (bytes, Ok(()))
        };
        reading.now_or_never().unwrap()
    }

    /// Chunks of any sizes, empty ones included, and a part of them.
    fn chunks_and_part() -> impl Strategy<Value = (Vec<Vec<u8>>, RangeInclusive<usize>)> {
        let chunks = proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..6), 1..6);
        let some = chunks.prop_filter("no bytes", |chunks| chunks.iter().any(|chunk| !chunk.is_empty()));
        some.prop_flat_map(|chunks| {
            let size = chunks.iter().map(Vec::len).sum::<usize>();
            (Just(chunks), 0..size, 0..size).prop_map(|(chunks, a, b)| (chunks, a.min(b)..=a.max(b)))
        })
    }

    fn positions(part: &RangeInclusive<usize>) -> RangeInclusive<u64> {
        *part.start() as u64..=*part.end() as u64
    }

    proptest! {
        #[test]
        fn a_part_is_that_slice_of_the_whole((chunks, part) in chunks_and_part()) {
            let whole = chunks.concat();
            let coming = chunks.into_iter().map(|chunk| Ok(Bytes::from(chunk))).collect();
            let (bytes, ended) = read(coming, positions(&part));
            ended.unwrap();
            prop_assert_eq!(bytes, &whole[part]);
        }

        #[test]
        fn a_part_is_never_complete_unless_the_whole_is_right((chunks, part) in chunks_and_part(), broken in 0_usize..8) {
            let slice = chunks.concat()[part.clone()].to_vec();
            let mut coming: Vec<_> = chunks.into_iter().map(|chunk| Ok(Bytes::from(chunk))).collect();
            coming.insert(broken.min(coming.len()), Err(io::Error::other("damaged")));
            let (bytes, ended) = read(coming, positions(&part));
            prop_assert_eq!(ended.unwrap_err().to_string(), "damaged");
            prop_assert!(bytes.len() < slice.len() && slice.starts_with(&bytes));
        }

        #[test]
        fn a_whole_that_is_too_short_is_an_error((chunks, part) in chunks_and_part(), more in 1_u64..9) {
            let size = chunks.concat().len() as u64;
            let coming = chunks.into_iter().map(|chunk| Ok(Bytes::from(chunk))).collect();
            let (_, ended) = read(coming, *part.start() as u64..=size - 1 + more);
            prop_assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        }
    }
}
