//! How much memory is left for more workers: of the machine, and of the control groups this process is in.
//!
//! What is not told is no limit.

use std::fs;
use std::path::Path;

use super::proc::kibibytes;

/// Where control groups of version 2 are.
const GROUPS: &str = "/sys/fs/cgroup";
/// Of all memory this part stays free, for everybody else and for what workers still take.
const RESERVED_PART: u64 = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Memory {
    total: u64,
    available: u64,
}

impl Memory {
    /// Of the machine or the control group that has the least to spare; none if nobody tells.
    pub(super) fn now() -> Option<Memory> {
        let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| parse_machine(&text));
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let own = own.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or_default();
        let groups = Path::new(GROUPS).join(own.trim_start_matches('/'));
        // A group's limit holds for all below it.
        let limited = groups.ancestors().take_while(|folder| folder.starts_with(GROUPS)).filter_map(of_group);
        machine.into_iter().chain(limited).min_by_key(Memory::spare)
    }

    /// What may still be used.
    pub(super) fn spare(&self) -> u64 {
        self.available.saturating_sub(self.total / RESERVED_PART)
    }
}

fn parse_machine(text: &str) -> Option<Memory> {
    Some(Memory { total: kibibytes(text, "MemTotal:")?, available: kibibytes(text, "MemAvailable:")? })
}

fn of_group(folder: &Path) -> Option<Memory> {
    let read = |name: &str| fs::read_to_string(folder.join(name)).ok();
    parse_group(&read("memory.max")?, &read("memory.current")?, &read("memory.stat").unwrap_or_default())
}

/// None if the group has no limit.
fn parse_group(most: &str, used: &str, stat: &str) -> Option<Memory> {
    let total = most.trim().parse::<u64>().ok()?;
    let used = used.trim().parse::<u64>().ok()?;
    // What was read from files and not for long counts as used, and is given up for whoever needs memory.
    let cached =
        stat.lines().find_map(|line| line.strip_prefix("inactive_file ")?.trim().parse::<u64>().ok());
    Some(Memory { total, available: total.saturating_sub(used.saturating_sub(cached.unwrap_or(0))) })
}

#[cfg(test)]
mod tests {
    use super::{Memory, parse_group, parse_machine};

    #[test]
    fn the_machine_says_what_is_available() {
        let text = "MemTotal:       1000 kB\nMemFree:          10 kB\nMemAvailable:    400 kB\n";
        let memory = parse_machine(text).unwrap();
        assert_eq!(memory, Memory { total: 1000 * 1024, available: 400 * 1024 });
        assert_eq!(memory.spare(), 300 * 1024);
        assert_eq!(parse_machine("MemTotal: 1000 kB\n"), None, "an old kernel");
    }

    #[test]
    fn a_group_has_what_its_limit_leaves_and_what_is_only_cached() {
        for (most, used, stat, available) in [
            ("1000\n", "600\n", "anon 300\ninactive_file 250\nactive_file 50\n", Some(650)),
            ("1000", "600", "", Some(400)),
            ("1000", "1200", "inactive_file 100", Some(0)),
            ("max\n", "600\n", "", None),
        ] {
            let memory = parse_group(most, used, stat);
            assert_eq!(memory, available.map(|available| Memory { total: 1000, available }), "{most} {used}");
        }
    }

    #[test]
    fn nothing_is_to_spare_below_the_reserve() {
        assert_eq!(Memory { total: 1000, available: 99 }.spare(), 0);
        assert!(Memory::now().is_some_and(|memory| memory.spare() < memory.total));
    }
}
