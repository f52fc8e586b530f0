//! A file system whose power can be cut.
//!
//! It is mounted nowhere: the mount is taken off its place as soon as it is open, and lives for as long as something in it is open.
//! So it ends with this process, however that ends, and its loop device with it.

use std::fmt;
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rand::Rng;
use tempfile::TempDir;

/// Length of an image in bytes.
const LENGTH: u64 = 64 << 20;
/// The mode in which metadata do not wait for data, nor data for metadata.
const WRITEBACK: &str = "data=writeback";
/// How long a file system may take to end after the last file in it was closed.
const PATIENCE: Duration = Duration::from_secs(30);
/// Shuts the file system of its standard input down: `EXT4_IOC_SHUTDOWN`, without a flush of the journal.
const SHUT_DOWN: &str = r#"my $how = pack("L", 2); ioctl(STDIN, 0x8004587D, $how) or die "$!\n""#;

/// Choices that decide what reaches the disk when. Fast commits are not among them: after their replay `e2fsck` finds lost folders
/// and wrong counts, so what the store lost would prove nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Format {
    make: &'static [&'static str],
    mount: &'static str,
}

impl Format {
    const ALL: [Self; 6] = [
        Self { make: &["-b", "4096"], mount: "data=ordered" },
        Self { make: &["-b", "1024"], mount: "data=ordered" },
        Self { make: &["-b", "4096"], mount: "data=ordered,commit=1,noauto_da_alloc" },
        Self { make: &["-b", "4096"], mount: WRITEBACK },
        Self { make: &["-b", "1024"], mount: "nodelalloc" },
        Self { make: &["-b", "4096"], mount: "data=journal" },
    ];

    /// One of them.
    pub(super) fn draw(rng: &mut impl Rng) -> Self {
        Self::ALL[rng.random_range(0..Self::ALL.len())]
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mkfs {} and mount {}", self.make.join(" "), self.mount)
    }
}

/// A disk that survives the cuts.
#[derive(Debug)]
pub(super) struct Image {
    folder: TempDir,
    format: Format,
}

/// The file system on it, until the power fails.
#[derive(Debug)]
pub(super) struct Disk {
    root: File,
    format: Format,
}

/// Tells early, and in words, which right is missing.
pub(super) fn require_rights() -> Result<()> {
    ensure!(
        rustix::process::geteuid().is_root(),
        "power cuts need root on Linux (CAP_SYS_ADMIN), to mount an ext4 image on a loop device and to shut it down"
    );
    Ok(())
}

impl Image {
    /// A new and empty file system.
    pub(super) fn make(format: Format) -> Result<Self> {
        let folder =
            tempfile::Builder::new().prefix("jaas-power-").tempdir().context("making a folder for an image")?;
        let image = Self { folder, format };
        File::create(image.file()).and_then(|file| file.set_len(LENGTH)).context("making an image")?;
        fs::create_dir(image.place()).context("making a place for a mount")?;
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).args(format.make).arg(image.file()), "install e2fsprogs")?;
        Ok(image)
    }

    /// The file system, after its journal was replayed.
    pub(super) fn mount(&self) -> Result<Disk> {
        self.wait_until_free()?;
        let options = format!("loop,{}", self.format.mount);
        let mut mount = Command::new("mount");
        mount.args(["-t", "ext4", "-o", &options]).args([self.file(), self.place()]);
        run(&mut mount, "it takes CAP_SYS_ADMIN, a free loop device and ext4 in the kernel")?;
        let root = File::open(self.place());
        run(Command::new("umount").arg("--lazy").arg(self.place()), "it takes CAP_SYS_ADMIN")?;
        Ok(Disk { root: root.context("opening a mounted image")?, format: self.format })
    }

    /// Ends the image. Its file system must be flawless: a cut that broke it would be no power cut.
    pub(super) fn retire(self) -> Result<()> {
        self.wait_until_free()?;
        let mut check = Command::new("e2fsck");
        run(check.args(["-f", "-n"]).arg(self.file()), "the cuts broke the file system itself")
            .with_context(|| self.format.to_string())
    }

    /// The same image must not be mounted while it still is: that would bring the dead file system back.
    fn wait_until_free(&self) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        while is_attached(&self.file())? {
            ensure!(Instant::now() < end, "something keeps a file open on {}", self.file().display());
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    fn place(&self) -> PathBuf {
        self.folder.path().join("mount")
    }
}

impl Disk {
    /// Where this process finds it.
    pub(super) fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.root.as_raw_fd()))
    }

    /// Whether it writes to the blocks of a removed file before the removal is on the disk, so that the file may come back with
    /// the bytes of another. The other modes wait.
    pub(super) fn reuses_at_once(&self) -> bool {
        self.format.mount == WRITEBACK
    }

    /// Cuts the power. From now on every call fails, and nothing reaches the image any more. Whatever runs goes on meanwhile.
    pub(super) async fn cut(&self) -> Result<()> {
        let (root, late) = (self.root.try_clone().context("cutting the power")?, self.path().join("late"));
        let cut = tokio::task::spawn_blocking(move || {
            run(Command::new("perl").args(["-e", SHUT_DOWN]).stdin(root), "it takes CAP_SYS_ADMIN, Perl and ext4")?;
            ensure!(File::create(late).is_err(), "the power was cut, but the disk still takes writes");
            Ok(())
        });
        cut.await.context("cutting the power")?
    }
}

/// Whether a loop device has the file.
fn is_attached(file: &Path) -> Result<bool> {
    for device in fs::read_dir("/sys/block").context("looking for loop devices")? {
        // A device without the attribute, or one that goes meanwhile, has no file.
        let backing = fs::read_to_string(device?.path().join("loop/backing_file")).unwrap_or_default();
        if Path::new(backing.trim_end()) == file {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Runs a program to its end. `hint` says what it takes.
fn run(command: &mut Command, hint: &str) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = command.output().with_context(|| format!("running {name}: {hint}"))?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        bail!("{name} failed: {} ({hint})", String::from_utf8_lossy(&said).trim());
    }
    Ok(())
}
