//! The field `iisnode-debug` of responses (iisnode 6.5): figures about host, worker and request, for who looks into a
//! single answer. Off unless a site asks for it, as it tells strangers much and reads files of `/proc`.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::pool::{Pool, Worker};

/// What the original puts in front of the figures; clients look for it.
const PREFIX: &str = "http://bit.ly/NsU2nd#";
/// Stands for the version of iisnode we do as.
const IISNODE_VERSION: &str = "0.2.27";
const KEPT: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/').remove(b':');

/// Requests with a debug field since the host began.
static REQUESTS: AtomicU64 = AtomicU64::new(0);

/// The whole line. `begun` is when the head was sent.
pub(crate) fn line(command: &str, worker: &Worker, pool: &Pool, retries: usize, begun: Instant) -> String {
    let host = std::process::id();
    let (host_resident, host_committed) = memory_kb(host);
    let (worker_resident, worker_committed) = worker.pid().map_or((0, 0), memory_kb);
    let total = REQUESTS.fetch_add(1, Ordering::Relaxed) + 1;
    let mut line = format!("iisnode-debug: {PREFIX}iisnode_ver={IISNODE_VERSION}");
    let numbers: [(&str, u64); 12] = [
        ("worker_pid", host.into()),
        ("node_pid", worker.pid().unwrap_or(0).into()),
        ("worker_mem_ws", host_resident),
        ("worker_mem_pagefile", host_committed),
        ("node_mem_ws", worker_resident),
        ("node_mem_pagefile", worker_committed),
        ("app_processes", pool.settings().slots as u64),
        ("process_active_req", worker.in_flight().into()),
        ("app_active_req", pool.in_flight()),
        ("worker_total_req", total),
        ("np_retry", retries as u64),
        ("req_time", u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)),
    ];
    let texts = [("node", command.to_owned()), ("dns", host_name())];
    for (key, value) in texts {
        // Writing to a String cannot fail.
        let _ = write!(line, "&{key}={}", utf8_percent_encode(&value, KEPT));
    }
    for (key, value) in numbers {
        let _ = write!(line, "&{key}={value}");
    }
    line.push_str("&hresult=0\r\n");
    line
}

/// Resident and committed memory of a process; nothing of one that is gone.
fn memory_kb(pid: u32) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let figure = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    (figure("VmRSS:").unwrap_or(0), figure("VmData:").unwrap_or(0))
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
