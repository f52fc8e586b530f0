//! `jaas-operator storage …`: looks at the store from inside the Pod, whose image has no shell. Changes nothing.
//!
//! Its settings are the operator's own flags. Where none are given, those of the operator that runs in the same Pod are taken, so
//! that on call nobody has to know them.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use jaas_storage::store::{Item, ItemKind, Usage};
use jaas_storage::{Presence, Store};
use serde_json::{Value, json};

use crate::config::{Args, Backend, Config, Look, LookAt, LookFormat};

/// A look that found damage or loss, as the plugin's table of exit codes has it.
pub const FOUND: u8 = 4;
/// Where a container's own process tells what it was started with.
const FIRST_PROCESS: &str = "/proc/1";

/// Looks, prints, and answers the exit code: 0, or [`FOUND`].
///
/// # Errors
/// When the settings are wrong, or the store cannot be read.
pub async fn look(look: &Look, environment: impl IntoIterator<Item = (String, String)>) -> Result<u8> {
    let config = settings(&look.flags, Path::new(FIRST_PROCESS), environment)?;
    if let Backend::Local { path, .. } = &config.storage.backend {
        // Opening makes a missing folder; a look must not.
        ensure!(path.is_dir(), "there is no folder {}; check --storage-path and what is mounted there", path.display());
    }
    let store = crate::app::open_backend(&config.storage).await?;
    let mut out = std::io::stdout().lock();
    match look.at {
        LookAt::Ls => {
            for item in store.list().await? {
                line(&mut out, look.output, &listed(&item), |value| row(value, &["size", "written", "kind", "path"]))?;
            }
            Ok(0)
        }
        LookAt::Df => {
            line(&mut out, look.output, &used(&store.usage().await?), columns)?;
            Ok(0)
        }
        LookAt::Verify => verify(store.as_ref(), look.output, &mut out).await,
    }
}

async fn verify(store: &dyn Store, output: LookFormat, out: &mut impl std::io::Write) -> Result<u8> {
    let (mut intact, mut wrong) = (0_u64, 0_u64);
    for item in store.list().await? {
        let (Some(key), ItemKind::Revision(revision)) = (&item.key, &item.kind) else { continue };
        let (verdict, cause) = match store.verify(key, revision).await? {
            Presence::Intact { .. } => ("intact", String::new()),
            // Somebody removed it since it was listed, as the operator may at any time.
            Presence::Missing => ("gone", String::new()),
            Presence::Damaged { cause } => ("damaged", cause),
        };
        intact += u64::from(verdict == "intact");
        wrong += u64::from(verdict == "damaged");
        let told = json!({"path": item.path, "verdict": verdict, "cause": cause});
        line(out, output, &told, |value| row(value, &["verdict", "path", "cause"]))?;
    }
    line(out, output, &json!({"intact": intact, "damaged": wrong}), columns)?;
    Ok(if wrong > 0 { FOUND } else { 0 })
}

/// The settings that the flags mean, or those of the process that `first` describes.
fn settings(flags: &[String], first: &Path, environment: impl IntoIterator<Item = (String, String)>) -> Result<Config> {
    let flags = if flags.is_empty() { flags_of(first)? } else { flags.to_vec() };
    let args = Args::try_parse_from([env!("CARGO_PKG_NAME").to_owned()].into_iter().chain(flags))?;
    let mut run = args.run;
    // What a running operator cannot be without; no look depends on it.
    run.enable_flux_integration = true;
    if run.storage_base_url.is_empty() {
        run.storage_base_url = "http://localhost".to_owned();
    }
    Ok(Config::new(run, environment)?)
}

fn flags_of(process: &Path) -> Result<Vec<String>> {
    let hint = "name the store after `--`, for example: jaas-operator storage ls -- --storage-path=/data";
    let line = std::fs::read(process.join("cmdline")).with_context(|| format!("no settings are given; {hint}"))?;
    let words: Vec<_> = line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect();
    match words.split_first() {
        Some((program, flags)) if program.ends_with("jaas-operator") => {
            Ok(flags.iter().filter(|flag| !flag.is_empty()).cloned().collect())
        }
        _ => bail!("process 1 is no operator whose settings could be taken; {hint}"),
    }
}

fn listed(item: &Item) -> Value {
    let kind = match item.kind {
        ItemKind::Revision(_) => "revision",
        ItemKind::Temporary => "tmp",
        ItemKind::Trash => "trash",
        ItemKind::OwnerMark => "owner-mark",
        ItemKind::Foreign => "foreign",
    };
    let written = item.written.and_then(|time| jiff::Timestamp::try_from(time).ok()).map(|time| time.to_string());
    json!({"path": item.path, "kind": kind, "size": item.size, "written": written})
}

fn used(usage: &Usage) -> Value {
    json!({
        "bytes": usage.bytes,
        "files": usage.files,
        "freeBytes": usage.free_bytes,
        "totalBytes": usage.total_bytes,
        "freeInodes": usage.free_inodes,
        "quota": usage.quota,
    })
}

fn line(
    out: &mut impl std::io::Write,
    output: LookFormat,
    value: &Value,
    text: impl Fn(&Value) -> String,
) -> Result<()> {
    match output {
        LookFormat::Text => writeln!(out, "{}", text(value))?,
        LookFormat::Ndjson => writeln!(out, "{value}")?,
    }
    Ok(())
}

/// The values of these names in one line.
fn row(value: &Value, names: &[&str]) -> String {
    names.iter().map(|name| word(&value[name])).collect::<Vec<_>>().join("\t").trim_end().to_owned()
}

/// Every name with its value.
fn columns(value: &Value) -> String {
    let mut text = String::new();
    for (name, value) in value.as_object().into_iter().flatten() {
        let _ = writeln!(text, "{name}\t{}", word(value));
    }
    text.trim_end().to_owned()
}

fn word(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn process(words: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("cmdline"), words.join("\0") + "\0").unwrap();
        folder
    }

    #[test]
    fn the_settings_are_those_of_the_operator_beside_it() {
        let running = process(&[
            "/usr/bin/jaas-operator",
            "--enable-flux-integration",
            "--storage-path=/data",
            "--storage-base-url=http://jaas",
        ]);
        let config = settings(&[], running.path(), []).unwrap();
        assert!(matches!(config.storage.backend, Backend::Local { path, .. } if path == Path::new("/data")));
        let named = ["--storage-path=/other".to_owned()];
        let config = settings(&named, running.path(), []).unwrap();
        assert!(matches!(config.storage.backend, Backend::Local { path, .. } if path == Path::new("/other")));
    }

    #[test]
    fn without_an_operator_beside_it_the_settings_have_to_be_given() {
        for running in [process(&["/bin/sh", "-c", "x"]), tempfile::tempdir().unwrap()] {
            let error = format!("{:#}", settings(&[], running.path(), []).unwrap_err());
            assert!(error.contains("-- --storage-path=/data"), "{error}");
        }
    }
}
