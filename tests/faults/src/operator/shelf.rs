//! The store as it is, looked at past the operator.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use jaas_tests::http;
use jaas_tests::s3::BUCKET;

/// Where artifacts lie.
#[derive(Clone, Debug)]
pub(super) enum Shelf {
    /// A directory.
    Folder(PathBuf),
    /// Host and port of an S3 service that asks for no signature.
    Bucket(String),
}

impl Shelf {
    /// The bytes at a path below the root.
    pub(super) async fn read(&self, path: &str) -> Result<Option<Vec<u8>>> {
        match self {
            Self::Folder(root) => match fs::read(root.join(path)) {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error).with_context(|| format!("reading {path}")),
            },
            Self::Bucket(endpoint) => {
                let answer = http::get(&format!("http://{endpoint}/{BUCKET}/{path}")).await?;
                match answer.status.as_u16() {
                    200 => Ok(Some(answer.body.to_vec())),
                    404 => Ok(None),
                    other => bail!("{path} answers {other}"),
                }
            }
        }
    }

    /// Everything in the folder of a namespace, in order: files, and folders with a slash at their end.
    pub(super) async fn list(&self, namespace: &str) -> Result<Vec<String>> {
        let mut found = Vec::new();
        match self {
            Self::Folder(root) => walk(root, &root.join(namespace), &mut found)?,
            Self::Bucket(endpoint) => {
                let query = format!("list-type=2&prefix={namespace}%2F");
                let answer = http::get(&format!("http://{endpoint}/{BUCKET}?{query}")).await?;
                ensure!(answer.status.is_success(), "the listing answers {}", answer.status);
                let text = answer.text();
                ensure!(text.contains("<IsTruncated>false<"), "the listing is cut: {text}");
                let keys = text.split("<Key>").skip(1).filter_map(|rest| rest.split("</Key>").next());
                found.extend(keys.map(ToOwned::to_owned));
            }
        }
        found.sort();
        Ok(found)
    }
}

fn walk(root: &Path, folder: &Path, found: &mut Vec<String>) -> Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("reading {}", folder.display())),
    };
    for entry in entries {
        let path = entry.context("reading a folder")?.path();
        let shown = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        if path.is_dir() {
            found.push(format!("{shown}/"));
            walk(root, &path, found)?;
        } else {
            found.push(shown);
        }
    }
    Ok(())
}
