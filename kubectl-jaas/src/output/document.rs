//! Documents for programs: JSON, YAML, and one line a document.

use std::io::{self, Write};

use serde::Serialize;

/// Writes one indented JSON document.
pub(super) fn json(out: &mut impl Write, document: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, document)?;
    out.write_all(b"\n")?;
    out.flush()
}

/// Writes one JSON document on one line.
pub(super) fn line(out: &mut impl Write, document: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, document)?;
    out.write_all(b"\n")?;
    out.flush()
}

/// Writes one YAML document.
pub(super) fn yaml(out: &mut impl Write, document: &impl Serialize) -> io::Result<()> {
    let text = serde_saphyr::to_string(document).map_err(io::Error::other)?;
    out.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    out.flush()
}
