//! CPU time and memory of processes, from /proc.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, bail};

/// Linux counts in ticks of 10 ms towards programs, whatever it uses inside.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU seconds (user and system, all threads, children that were waited for) of these processes together.
pub(crate) fn cpu_seconds(processes: &[u32]) -> Result<f64> {
    let mut ticks = 0;
    for process in processes {
        let fields = stat(*process)?;
        ticks += (11..=14).filter_map(|at| fields.get(at)?.parse::<u64>().ok()).sum::<u64>();
    }
    Ok(ticks as f64 / TICKS_PER_SECOND)
}

/// CPU seconds that the whole machine has worked, for whomever; what a hypervisor took away counts too.
pub(crate) fn machine_seconds() -> Result<f64> {
    let text = fs::read_to_string("/proc/stat").context("cannot read /proc/stat")?;
    let first = text.lines().next().unwrap_or_default();
    let fields: Vec<u64> = first.split_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect();
    let [user, nice, system, _idle, _wait, interrupts, soft_interrupts, stolen, ..] = fields[..] else {
        bail!("/proc/stat has an unknown form");
    };
    Ok((user + nice + system + interrupts + soft_interrupts + stolen) as f64 / TICKS_PER_SECOND)
}

/// Resident memory of these processes together, in KiB. Pages that they share are counted in each.
pub(crate) fn resident_kib(processes: &[u32]) -> Result<u64> {
    let mut sum = 0;
    for process in processes {
        let path = format!("/proc/{process}/status");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}; did the program end?"))?;
        let resident = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS in the status")?;
        sum += resident.trim().trim_end_matches("kB").trim().parse::<u64>().context("VmRSS is not a number")?;
    }
    Ok(sum)
}

/// A process and everything that descends from it.
pub(crate) fn family(root: u32) -> Result<Vec<u32>> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for entry in fs::read_dir("/proc").context("cannot read /proc")?.flatten() {
        let Some(process) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // A process may end while the folder is read.
        let Ok(fields) = stat(process) else { continue };
        if let Some(parent) = fields.get(1).and_then(|field| field.parse().ok()) {
            children.entry(parent).or_default().push(process);
        }
    }
    let mut family = vec![root];
    let mut at = 0;
    while let Some(process) = family.get(at) {
        family.extend(children.remove(process).unwrap_or_default());
        at += 1;
    }
    Ok(family)
}

/// The fields of /proc/PID/stat after the program's name, which may itself contain spaces.
fn stat(process: u32) -> Result<Vec<String>> {
    let path = format!("/proc/{process}/stat");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}; did the program end?"))?;
    let (_, fields) = text.rsplit_once(") ").with_context(|| format!("{path} has an unknown form"))?;
    Ok(fields.split_whitespace().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;
    use std::process;

    use super::*;

    #[test]
    fn work_that_was_done_shows_as_cpu_time_of_this_process_and_of_the_machine() {
        let me = [process::id()];
        let (mine, machine) = (cpu_seconds(&me).unwrap(), machine_seconds().unwrap());
        while cpu_seconds(&me).unwrap() - mine < 0.05 {
            black_box((0..100_000_u64).map(black_box).sum::<u64>());
        }
        assert!(machine_seconds().unwrap() > machine);
    }

    #[test]
    fn memory_that_is_held_shows() {
        let me = [process::id()];
        let before = resident_kib(&me).unwrap();
        let held = vec![1_u8; 64 << 20];
        assert!(resident_kib(&me).unwrap() >= before + (60 << 10));
        drop(black_box(held));
    }

    #[test]
    fn a_family_has_its_children() {
        let mut child = process::Command::new("sleep").arg("30").spawn().unwrap();
        let found = family(process::id()).unwrap().contains(&child.id());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found);
    }
}
