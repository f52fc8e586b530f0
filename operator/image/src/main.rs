//! `cargo image`: compiles the operator and writes its image.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use clap::Parser;
use jaas_image::layout::Labels;
use jaas_image::libraries::Pins;
use jaas_image::{compile, layer, layout, libraries, root};

/// Writes the operator's image as an OCI image layout, without a container engine.
#[derive(Parser)]
#[command(name = "cargo image")]
struct Args {
    /// Folder of the layout; it must be empty or missing.
    #[arg(long, default_value = "target/image/layout", value_name = "DIR")]
    out: PathBuf,
    /// A compiled operator; compiled for this purpose otherwise.
    #[arg(long, value_name = "FILE")]
    operator: Option<PathBuf>,
    /// Makes the libraries of this machine those that the image is made of.
    #[arg(long)]
    pin: bool,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<()> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let workspace = here.ancestors().nth(2).context("finding the workspace")?;
    let operator = match &args.operator {
        Some(path) => path.clone(),
        None => compile::operator(workspace, &workspace.join("target/image/build"))?,
    };
    let linked = libraries::of(&operator)?;
    let lock = here.join("libraries.lock");
    if args.pin {
        std::fs::write(&lock, libraries::pins(&linked)).with_context(|| format!("writing {}", lock.display()))?;
        eprintln!("pinned {} libraries in {}", linked.len(), lock.display());
    }
    let pins = std::fs::read_to_string(&lock).with_context(|| format!("reading {}", lock.display()))?;
    Pins::parse(&pins)?.check(&linked)?;
    let root = root::gather(&operator, &linked)?;
    for (path, file) in &root {
        eprintln!("{:>10}  /{path}", file.content.len());
    }
    let labels = Labels { version: env!("CARGO_PKG_VERSION").to_owned(), revision: revision(workspace) };
    let digest = layout::write(&args.out, &layer::pack(&root)?, &labels)?;
    eprintln!(
        "written to {}; to push it: skopeo copy oci:{} docker://REGISTRY/NAME:TAG",
        args.out.display(),
        args.out.display()
    );
    println!("{digest}");
    Ok(())
}

/// The commit, unless something differs from it.
fn revision(workspace: &Path) -> Option<String> {
    let git = |args: &[&str]| {
        let output = Command::new("git").args(args).current_dir(workspace).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let is_clean = git(&["status", "--porcelain"])?.is_empty();
    git(&["rev-parse", "HEAD"]).filter(|_| is_clean)
}
