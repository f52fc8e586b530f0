//! The two engines.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use jaas_tests::jsonnet::{Engine, Octets};
use jaas_tests::programs;

/// Far more than any program here takes on a busy machine, and short enough for one without an end.
const DEADLINE: Duration = Duration::from_secs(60);

/// The renderer of this workspace.
pub(crate) fn ours() -> Engine {
    Engine::new(Path::new(env!("CARGO_BIN_EXE_jsonnet")), DEADLINE)
}

/// go-jsonnet.
pub(crate) fn theirs() -> Engine {
    Engine::new(&programs::go_jsonnet().unwrap(), DEADLINE)
}

/// The files of a folder and of those in it, by their paths from it.
pub(crate) fn files(folder: &Path) -> BTreeMap<String, Octets> {
    let mut found = BTreeMap::new();
    collect(folder, "", &mut found);
    found
}

fn collect(folder: &Path, prefix: &str, found: &mut BTreeMap<String, Octets>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let entry = entry.unwrap();
        let name = format!("{prefix}{}", entry.file_name().into_string().unwrap());
        if entry.file_type().unwrap().is_dir() {
            collect(&entry.path(), &format!("{name}/"), found);
        } else {
            found.insert(name, Octets(fs::read(entry.path()).unwrap()));
        }
    }
}

/// Bytes for a person.
pub(crate) fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
