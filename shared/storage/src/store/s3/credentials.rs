//! Keys from files, read again when they change, so that a rotation needs no restart.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};

/// Names of the files in a directory, which are those of the environment variables.
const FILES: [&str; 3] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
/// A swap of the files between two readings is read again this often.
const ATTEMPTS: usize = 4;

/// Keys of a credentials file or of a directory.
#[derive(Debug)]
pub(super) struct FileCredentials {
    path: PathBuf,
    last: Mutex<Option<(Stamp, Credentials)>>,
}

/// What tells one state of the files from another. Links are followed, as a kubelet changes a Secret by swapping one.
type Stamp = Vec<Option<(u64, u64, u64, i64, i64, i64, i64)>>;

/// The two keys, and the token of temporary ones.
#[derive(Debug, PartialEq, Eq)]
struct Keys {
    access: String,
    secret: String,
    token: Option<String>,
}

impl FileCredentials {
    /// Nothing is read yet.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, last: Mutex::new(None) }
    }

    fn current(&self) -> io::Result<Credentials> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..ATTEMPTS {
            let before = stamp(&self.path);
            if let Some((known, credentials)) = &*last
                && *known == before
            {
                return Ok(credentials.clone());
            }
            let keys = read(&self.path);
            // Keys of one state with the secret of another would be refused, and the refusal remembered.
            if stamp(&self.path) != before {
                continue;
            }
            match (keys, &*last) {
                (Ok(Keys { access, secret, token }), _) => {
                    let credentials = Credentials::new(access, secret, token, None, "s3-credentials-file");
                    *last = Some((before, credentials.clone()));
                    return Ok(credentials);
                }
                // The service decides how long old keys live, not a file that is gone.
                (Err(error), Some((_, credentials))) => {
                    tracing::warn!(path = %self.path.display(), %error, "keeping the last S3 credentials");
                    return Ok(credentials.clone());
                }
                (Err(error), None) => return Err(error),
            }
        }
        Err(io::Error::other("the files change faster than they can be read"))
    }
}

impl ProvideCredentials for FileCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let shown = self.path.display();
        let found = self.current().map_err(|error| CredentialsError::not_loaded(format!("reading {shown}: {error}")));
        future::ProvideCredentials::ready(found)
    }
}

fn stamp(path: &Path) -> Stamp {
    let of = |path: &Path| {
        let meta = fs::metadata(path).ok()?;
        let (modified, changed) = ((meta.mtime(), meta.mtime_nsec()), (meta.ctime(), meta.ctime_nsec()));
        Some((meta.dev(), meta.ino(), meta.size(), modified.0, modified.1, changed.0, changed.1))
    };
    let within = FILES.iter().map(|name| of(&path.join(name)));
    std::iter::once(of(path)).chain(within).collect()
}

fn read(path: &Path) -> io::Result<Keys> {
    let keys = if path.is_dir() { read_directory(path)? } else { read_profile(&fs::read_to_string(path)?)? };
    if keys.access.is_empty() || keys.secret.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a key is empty"));
    }
    Ok(keys)
}

fn read_directory(path: &Path) -> io::Result<Keys> {
    let read = |name: &str| fs::read_to_string(path.join(name)).map(|text| text.trim().to_owned());
    let [access, secret, token] = FILES;
    let token = match read(token) {
        Ok(token) => Some(token).filter(|token| !token.is_empty()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    Ok(Keys { access: read(access)?, secret: read(secret)?, token })
}

/// The profile `default`, or the only one.
fn read_profile(text: &str) -> io::Result<Keys> {
    let mut profiles: Vec<(&str, [Option<&str>; 3])> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';'])) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            profiles.push((name.trim(), [None; 3]));
        } else if let (Some((name, value)), Some((_, keys))) = (line.split_once('='), profiles.last_mut()) {
            let slot = FILES.iter().position(|file| file.eq_ignore_ascii_case(name.trim()));
            if let Some(slot) = slot.and_then(|slot| keys.get_mut(slot)) {
                *slot = Some(value.trim());
            }
        }
    }
    let only = (profiles.len() == 1).then(|| profiles.first()).flatten();
    let chosen = profiles.iter().find(|(name, _)| *name == "default").or(only);
    match chosen {
        Some((_, [Some(access), Some(secret), token])) => Ok(Keys {
            access: (*access).to_owned(),
            secret: (*secret).to_owned(),
            token: token.filter(|token| !token.is_empty()).map(ToOwned::to_owned),
        }),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "there is no profile `default` with both keys")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(credentials: &Credentials) -> (&str, &str, Option<&str>) {
        (credentials.access_key_id(), credentials.secret_access_key(), credentials.session_token())
    }

    #[test]
    fn a_profile_is_read_as_aws_writes_it() {
        let text =
            "# keys\n[other]\naws_access_key_id=x\n[default]\naws_access_key_id = a\naws_secret_access_key= b=c \n";
        let keys = read_profile(text).unwrap();
        assert_eq!(keys, Keys { access: "a".to_owned(), secret: "b=c".to_owned(), token: None });
        assert!(read_profile("aws_access_key_id = a\naws_secret_access_key = b").is_err());
        assert!(read_profile("[default]\naws_access_key_id = a").is_err());
    }

    #[test]
    fn a_changed_file_is_read_again() {
        let directory = tempfile::TempDir::new().unwrap();
        let file = directory.path().join("credentials");
        let source = FileCredentials::new(file.clone());
        assert!(source.current().is_err());
        let write = |access: &str| {
            fs::write(&file, format!("[default]\naws_access_key_id={access}\naws_secret_access_key=s\n")).unwrap();
        };
        write("first");
        assert_eq!(of(&source.current().unwrap()), ("first", "s", None));
        write("second");
        assert_eq!(of(&source.current().unwrap()), ("second", "s", None));
        fs::write(&file, "").unwrap();
        assert_eq!(of(&source.current().unwrap()), ("second", "s", None));
    }

    #[test]
    fn a_swapped_link_is_noticed_as_a_kubelet_swaps_it() {
        let directory = tempfile::TempDir::new().unwrap();
        let root = directory.path();
        for (state, access) in [("one", "first"), ("two", "second")] {
            fs::create_dir(root.join(state)).unwrap();
            for (file, text) in
                [("AWS_ACCESS_KEY_ID", access), ("AWS_SECRET_ACCESS_KEY", "s\n"), ("AWS_SESSION_TOKEN", "t")]
            {
                fs::write(root.join(state).join(file), text).unwrap();
            }
        }
        let swap = |state: &str| {
            std::os::unix::fs::symlink(state, root.join("..data_tmp")).unwrap();
            fs::rename(root.join("..data_tmp"), root.join("..data")).unwrap();
        };
        swap("one");
        for file in FILES {
            std::os::unix::fs::symlink(format!("..data/{file}"), root.join(file)).unwrap();
        }
        let source = FileCredentials::new(root.to_owned());
        assert_eq!(of(&source.current().unwrap()), ("first", "s", Some("t")));
        swap("two");
        assert_eq!(of(&source.current().unwrap()), ("second", "s", Some("t")));
    }
}
