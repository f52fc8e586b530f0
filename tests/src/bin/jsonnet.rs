//! Evaluates with the renderer of this workspace what `jaas_tests::jsonnet` asks for.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, Write};
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use jaas_render::worker::{self, Limits, Pool};
use jaas_render::{Output, Request, Variable, evaluate};
use jaas_storage::Content;
use jaas_tests::jsonnet::{Measure, Octets, Reply, Task};
use jaas_tests::runner;
use rustix::process::{Resource, Rlimit, setrlimit};

/// What a worker gives an evaluation.
const STACK: usize = 64 << 20;
/// More than any program here needs; one without an end must not take the machine.
const MEMORY: u64 = 2 << 30;

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|argument| argument == worker::ARGUMENT) {
        return worker::run();
    }
    runner::finish(limited().map(|()| ExitCode::SUCCESS))
}

fn limited() -> Result<()> {
    setrlimit(Resource::As, Rlimit { current: Some(MEMORY), maximum: Some(MEMORY) }).context("limiting memory")?;
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).context("limiting dumps")?;
    let evaluating = thread::Builder::new().stack_size(STACK).spawn(serve).context("starting a thread")?;
    evaluating.join().map_err(|_| anyhow!("the engine panicked"))?
}

fn serve() -> Result<()> {
    let mut output = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let task: Task = serde_json::from_str(&line?).context("reading a task")?;
        let reply = answer(task).unwrap_or_else(|error| Reply { error: format!("{error:#}"), ..Reply::default() });
        serde_json::to_writer(&mut output, &reply)?;
        output.write_all(b"\n")?;
        output.flush()?;
    }
    Ok(())
}

fn answer(task: Task) -> Result<Reply> {
    if let Some(measure) = &task.measure {
        return Ok(Reply { times: Some(timed(&task.entry, measure)?), ..Reply::default() });
    }
    let files = task.files.into_iter().map(|(path, bytes)| (path, bytes.0)).collect();
    let mut request = request(task.entry, files);
    let text = task.text.into_iter().map(|(name, text)| (name, Variable::Text(text)));
    let code = task.code.into_iter().map(|(name, code)| (name, Variable::Code(code)));
    request.external_variables = text.chain(code).collect();
    request.max_stack = task.stack;
    let rendered = evaluate(&request)?;
    Ok(Reply { output: Some(Octets(rendered.bytes)), ..Reply::default() })
}

fn request(entry: String, files: BTreeMap<String, Vec<u8>>) -> Request {
    Request {
        label: entry.clone(),
        entry,
        files,
        libraries: BTreeMap::new(),
        external_variables: BTreeMap::new(),
        top_level_arguments: BTreeMap::new(),
        output: Output::Json,
        max_stack: 0,
    }
}

/// As the operator does it: the program runs in a warm worker.
fn timed(entry: &str, measure: &Measure) -> Result<Vec<u64>> {
    let runtime = tokio::runtime::Runtime::new().context("starting the runtime")?;
    runtime.block_on(async {
        let limits = Limits {
            timeout: Duration::from_secs(60),
            memory_bytes: 512 << 20,
            output_bytes: 0,
            max_workers: 1,
            spare_workers: 0,
        };
        let pool = Pool::new("/proc/self/exe".into(), limits);
        let mut times = Vec::new();
        for _ in 0..measure.rounds {
            let begun = Instant::now();
            let mut files = BTreeMap::new();
            read(&measure.folder, "", &mut files)?;
            let rendered = pool.evaluate("figures", &request(entry.to_owned(), files), 0).await?;
            let packed = Content::document("rendered.json", rendered.bytes).packed()?;
            fs::write(&measure.tarball, packed)?;
            times.push(u64::try_from(begun.elapsed().as_nanos())?);
        }
        Ok(times)
    })
}

fn read(folder: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            read(&entry.path(), &format!("{name}/"), files)?;
        } else {
            files.insert(name, fs::read(entry.path())?);
        }
    }
    Ok(())
}
