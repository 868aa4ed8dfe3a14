//! The gateway's program.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::Notify;

use super::{Answer, Client, beside, within};

/// How the program is started.
pub(crate) struct Launch {
    folder: TempDir,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
}

/// The running program. It is killed when dropped.
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    folder: TempDir,
    child: Child,
    out: Arc<Lines>,
    log: Arc<Lines>,
}

/// What a program left that has ended.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) log: String,
}

/// The lines that a program has written so far.
#[derive(Default)]
struct Lines {
    lines: Mutex<Vec<String>>,
    changed: Notify,
}

const CONFIG: &str = "ai-gateway-config.yaml";

impl Launch {
    /// In an empty folder, without configuration, arguments or environment.
    pub(crate) fn bare() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), arguments: Vec::new(), variables: Vec::new() }
    }

    /// With a configuration in the folder.
    pub(crate) fn with(config: &str) -> Self {
        Self::bare().file(CONFIG, config)
    }

    /// With a file in the folder.
    pub(crate) fn file(self, name: &str, content: &str) -> Self {
        std::fs::write(self.folder.path().join(name), content).unwrap();
        self
    }

    pub(crate) fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Where the program runs.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the program and waits until it serves.
    pub(crate) async fn start(self) -> Gateway {
        let mut child = self.command().spawn().unwrap();
        let out = Lines::of(child.stdout.take().unwrap());
        let log = Lines::of(child.stderr.take().unwrap());
        let banner = out.find(|line| line.contains("AI Gateway running on"));
        let banner = tokio::select! {
            banner = within("the banner", banner) => banner,
            status = child.wait() => panic!("the gateway ended at once: {status:?}\n{}", log.text()),
        };
        Gateway { address: address_in(&banner), folder: self.folder, child, out, log }
    }

    /// Runs the program to its end.
    pub(crate) async fn finish(self) -> Finished {
        let output = within("the end of the program", self.command().output()).await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Finished { code: output.status.code(), out: text(output.stdout), log: text(output.stderr) }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(binary());
        command
            .args(&self.arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }
}

fn binary() -> PathBuf {
    let built = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/debug/ai-gateway");
    let path = std::env::var_os("AI_GATEWAY_BINARY").map_or_else(|| PathBuf::from(built), PathBuf::from);
    assert!(
        path.is_file(),
        "{} is not there; run `cargo build --package gateway`, or set AI_GATEWAY_BINARY to the program",
        path.display()
    );
    path.canonicalize().unwrap()
}

/// The address in the banner, `http://localhost:8787`.
fn address_in(banner: &str) -> SocketAddr {
    let (_, address) = banner.split_once("://").unwrap();
    let address = address.trim().replace("localhost", "127.0.0.1");
    address.parse().unwrap_or_else(|_| panic!("no address in {banner:?}"))
}

impl Gateway {
    /// Starts the program with a configuration.
    pub(crate) async fn start(config: &str) -> Self {
        Launch::with(config).start().await
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.address).await
    }

    /// Sends one request on a connection of its own.
    pub(crate) async fn post(&self, path: &str, body: impl AsRef<[u8]>) -> Answer {
        self.post_with(path, &[], body).await
    }

    pub(crate) async fn post_with(&self, path: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Answer {
        let mut client = self.client().await;
        client.post(path, headers, body).await;
        client.answer().await
    }

    /// Sends a chat request on a connection of its own.
    pub(crate) async fn chat(&self, body: impl AsRef<[u8]>) -> Answer {
        self.post("/v1/chat/completions", body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[]).await
    }

    pub(crate) async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut client = self.client().await;
        client.get(path, headers).await;
        client.answer().await
    }

    /// A line of `/metrics`, by the beginning of it; its value.
    pub(crate) async fn metric(&self, series: &str) -> Option<f64> {
        let page = self.get("/metrics").await;
        let line =
            page.text().lines().find(|line| line.starts_with(series) && line[series.len()..].starts_with(' '))?;
        line[series.len()..].trim().parse().ok()
    }

    /// The log's line about a request.
    pub(crate) async fn record(&self, request_id: &str) -> Value {
        let is_record =
            |line: &Value| line["event"] == "request" && line["request_id"] == request_id && line["shadow"].is_null();
        within("the request's line in the log", self.log.find_json(is_record)).await
    }

    /// Waits for a line of the log that fits.
    pub(crate) async fn line(&self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        within(what, self.log.find_json(fits)).await
    }

    /// Waits for a line of the log.
    pub(crate) async fn log_line(&self, text: &str) -> String {
        within(text, self.log.find(|line| line.contains(text))).await
    }

    /// Waits until a configuration of this number is in force.
    pub(crate) async fn generation(&self, generation: u64) {
        let reloaded =
            |line: &Value| line.to_string().contains("configuration reloaded") && number_in(line) == Some(generation);
        within("the reload", self.log.find_json(reloaded)).await;
    }

    /// Everything that was written, to search it for secrets.
    pub(crate) fn everything_written(&self) -> String {
        self.out.text() + &self.log.text()
    }

    /// Writes the configuration anew.
    pub(crate) fn rewrite(&self, config: &str) {
        self.write(CONFIG, config);
    }

    /// Writes the configuration anew, and waits until a model that it has and the old one had not is served.
    pub(crate) async fn reload(&self, config: &str, new_model: &str) {
        self.rewrite(config);
        self.signal("HUP");
        let served = async { while self.get(&format!("/v1/models/{new_model}")).await.status != 200 {} };
        within("the reload", served).await;
    }

    /// Replaces a file in the folder in one step.
    pub(crate) fn write(&self, name: &str, content: &str) {
        let new = self.folder.path().join("new");
        std::fs::write(&new, content).unwrap();
        std::fs::rename(new, self.folder.path().join(name)).unwrap();
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Sends a signal, by its name without `SIG`.
    pub(crate) fn signal(&self, name: &str) {
        let process = self.child.id().expect("the gateway still runs");
        let status =
            std::process::Command::new("sh").args(["-c", &format!("kill -{name} {process}")]).status().unwrap();
        assert!(status.success());
    }

    /// Waits for the end of the program, and returns its exit code.
    pub(crate) async fn exit_code(&mut self) -> Option<i32> {
        within("the end of the gateway", self.child.wait()).await.unwrap().code()
    }

    /// The most memory that the program ever had, in bytes.
    pub(crate) fn peak_memory_bytes(&self) -> u64 {
        self.memory_bytes("VmHWM:")
    }

    /// The memory that the program has, in bytes.
    pub(crate) fn resident_memory_bytes(&self) -> u64 {
        self.memory_bytes("VmRSS:")
    }

    fn memory_bytes(&self, line: &str) -> u64 {
        let process = self.child.id().expect("the gateway still runs");
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let line = status.lines().find_map(|text| text.strip_prefix(line)).unwrap();
        line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() << 10
    }
}

fn number_in(line: &Value) -> Option<u64> {
    line.get("generation").or_else(|| line.pointer("/fields/generation")).and_then(Value::as_u64)
}

impl Lines {
    fn of(source: impl AsyncRead + Send + Unpin + 'static) -> Arc<Self> {
        let lines = Arc::new(Self::default());
        let written = Arc::clone(&lines);
        beside(async move {
            let mut source = BufReader::new(source).lines();
            while let Ok(Some(line)) = source.next_line().await {
                written.lines.lock().push(line);
                written.changed.notify_waiters();
            }
        });
        lines
    }

    /// The first line that fits, as soon as it is written.
    async fn find(&self, fits: impl Fn(&str) -> bool) -> String {
        loop {
            let changed = self.changed.notified();
            if let Some(line) = self.lines.lock().iter().find(|line| fits(line)) {
                return line.clone();
            }
            changed.await;
        }
    }

    async fn find_json(&self, fits: impl Fn(&Value) -> bool) -> Value {
        let parsed = |line: &str| serde_json::from_str::<Value>(line).ok();
        let line = self.find(|line| parsed(line).is_some_and(|line| fits(&line))).await;
        parsed(&line).unwrap()
    }

    fn text(&self) -> String {
        self.lines.lock().join("\n")
    }
}
