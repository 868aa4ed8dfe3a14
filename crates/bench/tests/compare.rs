//! The comparer as it is run: whole, killed, and beside a program that does not do its work.
#![cfg(test)]

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{self, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// A folder that is removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = env::temp_dir().join(format!("bench-compare-{name}-{}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn compare(folder: &Folder, secs: &str, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench"));
    command.args(["compare", "--rounds", "1", "--secs", secs, "--folder"]).arg(&folder.0).args(more);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn cells(folder: &Folder, output: &Output) -> Vec<Value> {
    let Ok(text) = fs::read_to_string(folder.0.join("compare.json")) else {
        panic!("no figures: {}", String::from_utf8_lossy(&output.stderr));
    };
    let all: Value = serde_json::from_str(&text).unwrap();
    all["cells"].as_array().unwrap().clone()
}

#[test]
fn a_run_gives_figures_of_every_phase_and_the_tables_go_into_the_document() {
    let folder = Folder::new("whole");
    let document = folder.0.join("document.md");
    fs::write(&document, "before\n<!-- figures -->\nold\n<!-- end of figures -->\nafter\n").unwrap();
    let output = compare(&folder, "0.3", &["--only", "pass-through", "--phases", "c16,streams,latency,start"])
        .arg("--markdown")
        .arg(&document)
        .output()
        .unwrap();
    let cells = cells(&folder, &output);
    assert!(cells.iter().all(|cell| cell["thrown_away"].is_null()), "{cells:#?}");
    // The direct way takes no part in `start`.
    assert_eq!(cells.len(), 7);
    let streams = cells.iter().find(|cell| cell["phase"] == "streams" && cell["target"] == "pass-through").unwrap();
    assert!(streams["figures"]["cpu_per_chunk_us"].as_f64().unwrap() > 0.0);
    assert!(output.status.success());
    let document = fs::read_to_string(document).unwrap();
    assert!(document.starts_with("before\n") && document.ends_with("\nafter\n") && !document.contains("old"));
    assert!(document.contains("| 128 streams, 10 ms pauses: for a chunk |"), "{document}");
}

#[test]
fn a_comparer_that_is_killed_leaves_nothing_behind() {
    let folder = Folder::new("killed");
    let mut comparer = compare(&folder, "30", &["--only", "pass-through", "--phases", "c1"]).spawn().unwrap();
    let id = comparer.id();
    let children = wait_for(|| Some(children(id)).filter(|children| children.len() == 3));
    comparer.kill().unwrap();
    comparer.wait().unwrap();
    // Their parent is now another, and a process that has ended may wait to be collected by it.
    wait_for(|| children.iter().all(|child| !is_running(*child)).then_some(()));
}

#[test]
fn a_program_that_answers_without_asking_the_upstream_gets_no_figures() {
    let folder = Folder::new("cache");
    let cache = answer_always("ask me about the Latin Quarter");
    let target = format!("cache=http://{cache}/v1");
    let output = compare(&folder, "0.3", &["--target", &target, "--only", "cache", "--phases", "c1"]).output().unwrap();
    let cells = cells(&folder, &output);
    let cell = cells.iter().find(|cell| cell["target"] == "cache").unwrap();
    assert!(cell["thrown_away"].as_str().unwrap().ends_with("but 0 arrived upstream"), "{cell}");
    assert_eq!(cell["figures"].as_object().unwrap().len(), 0);
    assert!(!output.status.success());
}

fn wait_for<T>(mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..200 {
        if let Some(found) = look() {
            return found;
        }
        thread::sleep(Duration::from_millis(50));
    }
    panic!("it did not happen in time");
}

fn children(parent: u32) -> Vec<u32> {
    let list = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
    list.split_whitespace().map(|child| child.parse().unwrap()).collect()
}

fn is_running(process: u32) -> bool {
    let status = fs::read_to_string(Path::new("/proc").join(process.to_string()).join("status")).unwrap_or_default();
    !status.is_empty() && !status.contains("State:\tZ")
}

/// A server that gives the same answer to everybody.
fn answer_always(text: &'static str) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            thread::spawn(move || answer_all(stream, text));
        }
    });
    address
}

/// Answers until the client leaves.
fn answer_all(mut stream: TcpStream, text: &str) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().ok()?;
            }
            if line == "\r\n" {
                break;
            }
        }
        reader.read_exact(&mut vec![0; length]).ok()?;
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len()).ok()?;
    }
}
