//! What processes use, as Linux counts it.

use std::fs;

/// Ticks of `/proc` in a second: 100 on every Linux.
const TICKS: f64 = 100.0;

/// CPU seconds that this process has used.
pub(crate) fn cpu() -> f64 {
    cpu_of("self", false)
}

/// CPU seconds of a process and its children, also those that have ended.
pub(crate) fn family_cpu(parent: i32) -> f64 {
    let mut sum = cpu_of(&parent.to_string(), true);
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if fields(&name).get(1).and_then(|f| f.parse().ok()) == Some(parent) {
            sum += cpu_of(&name, false);
        }
    }
    sum
}

pub(crate) fn parent_of(pid: i32) -> Option<i32> {
    fields(&pid.to_string()).get(1)?.parse().ok()
}

fn cpu_of(process: &str, with_ended_children: bool) -> f64 {
    let fields = fields(process);
    let count = if with_ended_children { 4 } else { 2 };
    let ticks = fields.iter().skip(11).take(count);
    ticks
        .filter_map(|field| field.parse::<f64>().ok())
        .sum::<f64>()
        / TICKS
}

/// The fields of `/proc/<process>/stat` after the name: state, parent, ...
fn fields(process: &str) -> Vec<String> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let after_name = stat.rsplit(") ").next().unwrap_or_default();
    after_name.split_whitespace().map(str::to_owned).collect()
}

/// Resident memory of this process in bytes.
pub(crate) fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kibibytes.unwrap_or_default() * 1024
}

/// How busy the machine is, for the reader: the load averages.
pub(crate) fn load() -> String {
    fs::read_to_string("/proc/loadavg")
        .unwrap_or_default()
        .trim()
        .to_owned()
}
