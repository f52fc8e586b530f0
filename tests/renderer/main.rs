//! The HTTP renderer as clients see it: the real program, asked over the network.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test reports by panicking")]

mod beside;
mod life;
mod limits;
mod peer;
mod raw;
mod requests;

use std::fs;
use std::path::Path;

use jaas_tests::environment;
use jaas_tests::renderer::Renderer;
use jaas_tests::supervisor::Launcher;

/// Code that runs until it is killed.
const ENDLESS: &str = "local f(n) = if n < 0 then 0 else f(n - 1) + f(n - 1); f(60)";

/// A renderer of these files, in whose folder `snippets` are snippets.
async fn renderer(files: &[(&str, &str)], args: &[&str], env: &[(&str, &str)]) -> Renderer {
    let launcher = Launcher::from_env().unwrap();
    let program = environment::path(environment::OPERATOR).unwrap();
    // Time enough for a machine that is busy; what is given later counts.
    let args = [&["--snippet-directory=snippets", "--shutdown-delay=0s", "--evaluation-timeout=1m"], args].concat();
    let prepare = |folder: &Path| files.iter().try_for_each(|(path, text)| write(folder, path, text));
    let renderer = Renderer::start(&launcher, &program, &args, env, prepare).await.unwrap();
    renderer.wait_ready().await.unwrap();
    renderer
}

fn write(folder: &Path, path: &str, text: &str) -> std::io::Result<()> {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap())?;
    fs::write(path, text)
}
