//! The one layer: a tarball whose bytes depend on its files alone.

use std::collections::BTreeSet;
use std::io::Write as _;

use anyhow::Result;
use flate2::{Compression, GzBuilder};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use crate::root::{FOLDERS, Root};

/// A compressed layer.
#[derive(Debug)]
pub struct Layer {
    /// The bytes as they are stored.
    pub compressed: Vec<u8>,
    /// SHA-256 of the bytes before compression, in hex: the `diff_id` of the image specification.
    pub diff_id: String,
}

/// Packs the files and the folders around them. Everything belongs to root and nothing may be written, so that also a Pod without a
/// read-only file system cannot change what it runs.
///
/// # Errors
/// When a path is too long for a tarball.
pub fn pack(root: &Root) -> Result<Layer> {
    let mut builder = Builder::new(Vec::new());
    for folder in folders(root) {
        // Anybody may write to /tmp, and only whose file it is may remove one.
        let mode = if folder == "tmp" { 0o1777 } else { 0o755 };
        let mut header = header(EntryType::Directory, mode, 0);
        builder.append_data(&mut header, format!("{folder}/"), std::io::empty())?;
    }
    for (path, file) in root {
        let mode = if file.executable { 0o555 } else { 0o444 };
        let mut header = header(EntryType::Regular, mode, file.content.len().try_into()?);
        builder.append_data(&mut header, path, file.content.as_slice())?;
    }
    let plain = builder.into_inner()?;
    let diff_id = hex::encode(Sha256::digest(&plain));
    // Without the name and the time that gzip would note.
    let mut encoder = GzBuilder::new().write(Vec::new(), Compression::best());
    encoder.write_all(&plain)?;
    Ok(Layer { compressed: encoder.finish()?, diff_id })
}

/// Every folder on the way to a file, and the empty ones, parents first.
fn folders(root: &Root) -> BTreeSet<String> {
    let paths = root.keys().filter_map(|path| Some(path.rsplit_once('/')?.0)).chain(FOLDERS);
    let ancestors = |path: &str| {
        let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
        ends.map(|end| path[..end].to_owned()).collect::<Vec<_>>()
    };
    paths.flat_map(ancestors).collect()
}

fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Read as _;

    use super::*;
    use crate::root::File;

    fn root() -> Root {
        let file = |text: &str, executable| File { content: text.into(), executable };
        Root::from([("usr/bin/x".to_owned(), file("x", true)), ("etc/passwd".to_owned(), file("p", false))])
    }

    #[test]
    fn parents_come_first_and_nothing_tells_who_packed_it_when() {
        let layer = pack(&root()).unwrap();
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(layer.compressed.as_slice()).read_to_end(&mut plain).unwrap();
        assert_eq!(hex::encode(Sha256::digest(&plain)), layer.diff_id);
        let mut archive = tar::Archive::new(plain.as_slice());
        let entries: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let header = entry.header();
                assert_eq!((header.mtime().unwrap(), header.uid().unwrap(), header.gid().unwrap()), (0, 0, 0));
                (entry.path().unwrap().display().to_string(), header.mode().unwrap())
            })
            .collect();
        let expected = [
            ("dev/", 0o755),
            ("etc/", 0o755),
            ("proc/", 0o755),
            ("sys/", 0o755),
            ("tmp/", 0o1777),
            ("usr/", 0o755),
            ("usr/bin/", 0o755),
            ("var/", 0o755),
            ("var/lib/", 0o755),
            ("var/lib/jaas/", 0o755),
            ("etc/passwd", 0o444),
            ("usr/bin/x", 0o555),
        ];
        assert_eq!(entries, expected.map(|(path, mode)| (path.to_owned(), mode)));
        assert_eq!(layer.compressed[4..8], [0; 4], "gzip's time");
        assert_eq!(pack(&root()).unwrap().compressed, layer.compressed);
    }
}
