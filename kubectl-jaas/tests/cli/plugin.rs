//! Runs the binary with a kubeconfig of its own.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::NamedTempFile;

/// A kubeconfig that leads to one server.
pub(crate) struct Plugin {
    kubeconfig: NamedTempFile,
}

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// The one document on stdout.
    pub(crate) fn document(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Plugin {
    /// A plugin whose current context `here` leads to `server`, namespace `team-a`.
    pub(crate) fn new(server: &str) -> Self {
        let mut kubeconfig = NamedTempFile::new().unwrap();
        write!(
            kubeconfig,
            "apiVersion: v1\nkind: Config\ncurrent-context: here\n\
             contexts:\n- {{name: here, context: {{cluster: one, user: ann, namespace: team-a}}}}\n\
             clusters:\n- {{name: one, cluster: {{server: \"{server}\"}}}}\n\
             users:\n- {{name: ann, user: {{token: s3cret}}}}\n"
        )
        .unwrap();
        Self { kubeconfig }
    }

    /// A plugin whose server cannot be reached: nobody listens on a port that was just given back.
    pub(crate) fn without_server() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        Self::new(&format!("http://{}", listener.local_addr().unwrap()))
    }

    /// Runs a command line to its end.
    pub(crate) fn run(&self, line: &str) -> Ran {
        finish(self.start(line))
    }

    /// Runs these words to their end, some of which may hold spaces.
    pub(crate) fn run_words(&self, words: &[&str]) -> Ran {
        finish(self.start_words(words.iter().copied()))
    }

    /// Starts a command line.
    pub(crate) fn start(&self, line: &str) -> Child {
        self.start_words(line.split_whitespace())
    }

    fn start_words<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Child {
        Command::new(env!("CARGO_BIN_EXE_kubectl-jaas"))
            .args(words)
            .env_remove("AWS_PROFILE")
            .env_remove("AWS_ACCESS_KEY_ID")
            .env("KUBECONFIG", self.kubeconfig.path())
            .env("NO_COLOR", "1")
            .env_remove("JAAS_OPERATOR_NAMESPACE")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }
}

/// Waits for a run to end.
pub(crate) fn finish(child: Child) -> Ran {
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}
