//! The figures of a run, for people and for programs.

mod goals;
mod table;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::json;

use self::goals::{ASPIRATIONS, GOALS, Goal};
use self::table::Table;
use super::Options;
use super::phase::PHASES;
use super::results::{Cell, Figure, Results, Spread};
use super::target::{DIRECT, GATEWAY, UNIT};

const BEGIN: &str = "<!-- figures -->";
const END: &str = "<!-- end of figures -->";

/// A row of a table: a figure of a phase, for all targets.
struct Row {
    title: &'static str,
    phase: &'static str,
    figure: Figure,
    beside: Beside,
    decimals: usize,
}

/// What stands beside the value.
#[derive(Clone, Copy)]
enum Beside {
    /// Nothing.
    Nothing,
    /// Its multiple of the unit's.
    TimesUnit,
    /// What it adds to the direct way's.
    OverDirect,
}

const CPU: &[Row] = &[
    row("chat, 1 KB, 64 at once: for a request", "c64", Figure::CpuPerRequestUs, Beside::TimesUnit, 1),
    row("chat, 64 KB prompt, 16 at once: for a request", "long-prompt", Figure::CpuPerRequestUs, Beside::TimesUnit, 1),
    row("chat, 1 MB prompt, 4 at once: for a request", "huge-prompt", Figure::CpuPerRequestUs, Beside::TimesUnit, 1),
    row("embeddings, 64 at once: for a request", "embeddings", Figure::CpuPerRequestUs, Beside::TimesUnit, 1),
    row("128 streams, 10 ms pauses: for a chunk", "streams", Figure::CpuPerChunkUs, Beside::TimesUnit, 2),
    row("128 streams, no pauses: for a chunk", "dense-streams", Figure::CpuPerChunkUs, Beside::TimesUnit, 2),
];
const LATENCY: &[Row] = &[
    row("200 requests a second, p50", "latency", Figure::LatencyP50Us, Beside::OverDirect, 0),
    row("200 requests a second, p99", "latency", Figure::LatencyP99Us, Beside::OverDirect, 0),
    row("first token, 50 streams a second, p50", "first-token", Figure::FirstByteP50Us, Beside::OverDirect, 0),
    row("first token, 50 streams a second, p99", "first-token", Figure::FirstByteP99Us, Beside::OverDirect, 0),
];
const THROUGHPUT: &[Row] = &[
    row("1 at a time", "c1", Figure::RequestsPerSecond, Beside::Nothing, 0),
    row("16 at once", "c16", Figure::RequestsPerSecond, Beside::Nothing, 0),
    row("64 at once", "c64", Figure::RequestsPerSecond, Beside::Nothing, 0),
    row("256 at once", "c256", Figure::RequestsPerSecond, Beside::Nothing, 0),
];
const MEMORY: &[Row] = &[
    row("start to the first answer, ms", "start", Figure::StartMs, Beside::Nothing, 1),
    row("memory at rest, MB", "memory", Figure::RestMb, Beside::Nothing, 1),
    row("for each of 500 open streams, KB", "memory", Figure::StreamOf500Kb, Beside::Nothing, 1),
    row("for each of 2,000 open streams, KB", "memory", Figure::StreamOf2000Kb, Beside::Nothing, 1),
    row("after a burst, MB", "memory", Figure::AfterBurstMb, Beside::Nothing, 1),
    row("after a burst, multiple of rest", "memory", Figure::AfterBurstRatio, Beside::Nothing, 2),
];

const fn row(title: &'static str, phase: &'static str, figure: Figure, beside: Beside, decimals: usize) -> Row {
    Row { title, phase, figure, beside, decimals }
}

/// Prints the tables and writes the files.
pub(super) fn write(results: &Results, options: &Options) -> Result<()> {
    let markdown = markdown(results, options)?;
    print(&markdown);
    let json_file = options.folder()?.join("compare.json");
    let all = json!({ "machine": machine(), "options": format!("{options:?}"), "cells": results.cells });
    fs::write(&json_file, serde_json::to_vec_pretty(&all)?)
        .with_context(|| format!("cannot write {}", json_file.display()))?;
    if let Some(file) = &options.markdown {
        fs::write(file, between_marks(file, &markdown)).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// One measurement in one line.
pub(super) fn line(cell: &Cell) -> String {
    let mut line = format!("round {} {} {}:", cell.round, cell.phase, cell.target);
    if let Some(reason) = &cell.thrown_away {
        line.push_str(" THROWN AWAY: ");
        line.push_str(reason);
    }
    for (figure, value) in &cell.figures {
        let name = json!(figure);
        // Writing to a string cannot fail.
        let _ = write!(line, " {} {value:.1}", name.as_str().unwrap_or_default());
    }
    line
}

fn markdown(results: &Results, options: &Options) -> Result<String> {
    let mut text = format!(
        "{}; {} rounds, windows of {} s{}.\n",
        machine(),
        options.rounds(),
        options.window_s(),
        if options.pin { ", rig and programs on processors of their own" } else { "" },
    );
    let targets = targets(results);
    section(&mut text, "Goals", &goals(results, GOALS))?;
    section(&mut text, "Aspirations", &goals(results, ASPIRATIONS))?;
    section(&mut text, "CPU time, µs (multiple of the pass-through)", &rows(results, &targets, CPU))?;
    section(&mut text, "Latency, µs (added to the direct way)", &rows(results, &targets, LATENCY))?;
    section(&mut text, "Requests a second", &rows(results, &targets, THROUGHPUT))?;
    section(&mut text, "Start and memory", &rows(results, &targets, MEMORY))?;
    section(&mut text, "The gateway over TLS and HTTP/2 (multiple of clear-text HTTP/1.1)", &variants(results))?;
    section(&mut text, "This build beside the baseline (multiple of the baseline)", &builds(results))?;
    section(&mut text, "CPU that others took, in percent of the machine", &noise(results))?;
    let mut thrown_away = Table::new(4, ["thrown away", "phase", "round", "why"]);
    for cell in results.thrown_away() {
        let reason = cell.thrown_away.clone().unwrap_or_default();
        thrown_away.row([cell.target.clone(), cell.phase.to_owned(), cell.round.to_string(), reason]);
    }
    section(&mut text, "Measurements with an error", &thrown_away)?;
    Ok(text)
}

fn section(text: &mut String, title: &str, table: &Table) -> Result<()> {
    if !table.is_empty() {
        write!(text, "\n### {title}\n\n{table}")?;
    }
    Ok(())
}

/// Names of all targets, in the order in which they were measured first.
fn targets(results: &Results) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for cell in &results.cells {
        if !names.contains(&cell.target.as_str()) {
            names.push(&cell.target);
        }
    }
    names
}

fn goals(results: &Results, goals: &[Goal]) -> Table {
    let mut table = Table::new(2, ["what", "target", "goal", "measured", "rounds", ""]);
    for goal in goals {
        let Some(measured) = goal.measured(results) else { continue };
        let Spread { least, median, most } = measured;
        let range = format!("{} to {}", goal.digits(least), goal.digits(most));
        table.row([
            goal.title,
            goal.target,
            &format!("≤ {}", goal.show(goal.limit)),
            &goal.show(median),
            &range,
            goal.verdict(measured),
        ]);
    }
    table
}

fn rows(results: &Results, targets: &[&str], rows: &[Row]) -> Table {
    let measured = |target: &&&str| rows.iter().any(|row| results.value(target, row.phase, row.figure).is_some());
    let targets: Vec<&str> = targets.iter().filter(measured).copied().collect();
    let mut table = Table::new(1, [""].into_iter().chain(targets.iter().copied()));
    for row in rows {
        let cells: Vec<_> = targets.iter().map(|target| show(results, target, row)).collect();
        if cells.iter().any(|cell| !cell.is_empty()) {
            table.row([row.title.to_owned()].into_iter().chain(cells));
        }
    }
    table
}

fn show(results: &Results, target: &str, row: &Row) -> String {
    let Some(Spread { median: value, .. }) = results.value(target, row.phase, row.figure) else { return String::new() };
    let decimals = row.decimals;
    let beside = match row.beside {
        Beside::Nothing => None,
        Beside::TimesUnit => {
            results.ratio(target, UNIT, row.phase, row.figure).map(|ratio| format!(" ({:.2})", ratio.median))
        }
        Beside::OverDirect => {
            results.added(target, DIRECT, row.phase, row.figure).map(|added| format!(" ({:+.0})", added.median))
        }
    };
    format!("{value:.decimals$}{}", beside.unwrap_or_default())
}

const VARIANT_ROWS: [&Row; 4] = [&CPU[0], &CPU[3], &LATENCY[0], &LATENCY[1]];

fn variants(results: &Results) -> Table {
    let names = ["gateway-http2", "gateway-tls", "gateway-tls-http2"];
    beside(results, &VARIANT_ROWS, &[GATEWAY, names[0], names[1], names[2]], |_| GATEWAY)
}

fn builds(results: &Results) -> Table {
    let rows: Vec<&Row> = CPU.iter().chain(LATENCY).chain(MEMORY).collect();
    beside(results, &rows, &[GATEWAY, "gateway-policies"], |name| match name {
        GATEWAY => "baseline",
        _ => "baseline-policies",
    })
}

/// Values with their multiple of a base's, for the targets of which both were measured.
fn beside(results: &Results, rows: &[&Row], names: &[&str], base: impl Fn(&str) -> &'static str) -> Table {
    let mut table = Table::new(1, [""].into_iter().chain(names.iter().copied()));
    for row in rows {
        let cells: Vec<Option<String>> = names
            .iter()
            .map(|name| {
                let ratio = results.ratio(name, base(name), row.phase, row.figure)?;
                let value = results.value(name, row.phase, row.figure)?;
                Some(format!("{:.decimals$} ({:.2})", value.median, ratio.median, decimals = row.decimals))
            })
            .collect();
        if cells.iter().skip(1).any(Option::is_some) {
            table.row([row.title.to_owned()].into_iter().chain(cells.into_iter().map(Option::unwrap_or_default)));
        }
    }
    table
}

fn noise(results: &Results) -> Table {
    let mut table = Table::new(1, ["phase", "least", "median", "most"]);
    for phase in PHASES {
        if let Some(Spread { least, median, most }) = results.over_all(phase.name, Figure::ForeignCpuPercent) {
            table.row([phase.name.to_owned(), format!("{least:.0}"), format!("{median:.0}"), format!("{most:.0}")]);
        }
    }
    table
}

/// The machine on which this runs.
fn machine() -> String {
    let information = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let fields: BTreeMap<&str, &str> = information
        .lines()
        .filter_map(|line| line.split_once(':').map(|(name, value)| (name.trim(), value.trim())))
        .collect();
    let processors = information.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let model = fields.get("model name").copied().unwrap_or("unknown processor");
    format!("{model}, {processors} processors, Linux {}", kernel.trim())
}

/// The file with the figures between its marks; only the figures if it has none.
fn between_marks(file: &Path, figures: &str) -> String {
    let old = fs::read_to_string(file).unwrap_or_default();
    match (old.split_once(BEGIN), old.split_once(END)) {
        (Some((before, _)), Some((_, after))) => format!("{before}{BEGIN}\n\n{figures}\n{END}{after}"),
        _ => figures.to_owned(),
    }
}

#[expect(clippy::print_stdout, reason = "the figures are what the tool is for")]
fn print(text: &str) {
    println!("{text}");
}
