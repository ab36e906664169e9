//! Whose listener it is that accepted our connection: the worker's, or that of a program that was there before it.

use std::collections::HashSet;
use std::net::SocketAddr;

use super::proc::{self, Listener};

/// One start, by everything by which its processes are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kin {
    pub(super) leader: u32,
    /// As in [`proc::Process`].
    pub(super) started: u64,
    pub(super) tag: String,
}

/// Another program has the port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stranger {
    pub(super) port: u16,
    /// Its name and its pid, where we may look.
    pub(super) program: Option<String>,
}

/// Who listens at this address, if it is nobody of this start. What cannot be seen counts as the worker's own.
pub(super) fn stranger_at(address: SocketAddr, kin: &Kin) -> Option<Stranger> {
    let sockets = serving(proc::listeners(), address);
    if sockets.is_empty() {
        return None;
    }
    let mut near = proc::descendants(kin.leader);
    near.push(kin.leader);
    // The tags are in the environments of all processes; most workers need no look into them.
    let far = || proc::left_behind(&kin.tag, kin.leader, kin.started).into_iter().map(|process| process.pid);
    let mut hidden = false;
    for pid in near.into_iter().chain(std::iter::once_with(far).flatten()) {
        match proc::sockets_of(pid) {
            Some(open) if open.iter().any(|inode| sockets.contains(inode)) => return None,
            Some(_) => {}
            // A worker that runs as somebody else; one that has just gone is told by its exit.
            None => hidden |= proc::process(pid).is_some_and(|process| !process.zombie),
        }
    }
    let holds = |pid: &u32| {
        proc::sockets_of(*pid).is_some_and(|open| open.iter().any(|inode| sockets.contains(inode)))
    };
    let holder = proc::processes().into_iter().map(|process| process.pid).find(holds);
    if holder.is_none() && hidden {
        return None;
    }
    let program = holder.and_then(|pid| Some(format!("{} (pid {pid})", proc::program(pid)?)));
    Some(Stranger { port: address.port(), program })
}

/// The listeners that get the connections to an address: the most particular ones.
fn serving(listeners: Vec<Listener>, address: SocketAddr) -> HashSet<u64> {
    let any = ["00000000", "00000000000000000000000000000000"];
    let ranked =
        listeners.into_iter().filter(|listener| listener.port == address.port()).filter_map(|listener| {
            let particular = !any.contains(&&*listener.address);
            let is_v4 = listener.address.len() == 8;
            let rank = match (particular, address.is_ipv4() == is_v4) {
                (true, _) if is_loopback(&listener.address, address.is_ipv4()) => 0,
                (true, _) => return None,
                (false, true) => 1,
                // A listener for all of IPv6 takes IPv4, too, unless it said otherwise.
                (false, false) if address.is_ipv4() => 2,
                (false, false) => return None,
            };
            Some((rank, listener.inode))
        });
    let ranked = ranked.collect::<Vec<_>>();
    let best = ranked.iter().map(|(rank, _)| *rank).min();
    ranked.into_iter().filter(|(rank, _)| Some(*rank) == best).map(|(_, inode)| inode).collect()
}

fn is_loopback(address: &str, v4: bool) -> bool {
    let word = |bytes: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(bytes));
    let (loopback, one) = (word([127, 0, 0, 1]), word([0, 0, 0, 1]));
    if v4 {
        address == loopback || address == format!("0000000000000000{}{loopback}", word([0, 0, 255, 255]))
    } else {
        address == format!("000000000000000000000000{one}")
    }
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, TcpListener};

    use super::super::proc::{self, Listener};
    use super::{Kin, serving, stranger_at};

    #[test]
    fn the_listener_that_gets_a_connection_is_the_most_particular_one() {
        let (any, any6) = ("00000000", "00000000000000000000000000000000");
        let (local, local6) = ("0100007F", "00000000000000000000000001000000");
        let mapped = "0000000000000000FFFF00000100007F";
        let other = "0101007F";
        let (v4, v6): (SocketAddr, SocketAddr) =
            ("127.0.0.1:80".parse().unwrap(), "[::1]:80".parse().unwrap());
        for (listening, address, who) in [
            (&[any, local, any6] as &[&str], v4, Some(1)),
            (&[any6, any], v4, Some(1)),
            (&[any6], v4, Some(0)),
            (&[local6, mapped], v4, Some(1)),
            (&[local6, other], v4, None),
            (&[any6, local6, local], v6, Some(1)),
            (&[any, local], v6, None),
        ] {
            let listeners = listening.iter().zip(0..).map(|(&address, inode)| Listener {
                inode,
                address: address.into(),
                port: 80,
            });
            let others = [Listener { inode: 99, address: local.into(), port: 81 }];
            let found = serving(listeners.chain(others).collect(), address);
            assert_eq!(found.into_iter().collect::<Vec<_>>(), Vec::from_iter(who), "{listening:?} {address}");
        }
    }

    #[test]
    fn a_stranger_is_named_and_oneself_is_none() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let own = std::process::id();
        let kin = |leader, tag: &str| Kin { leader, started: u64::MAX, tag: tag.to_owned() };
        assert_eq!(stranger_at(address, &kin(own, "no such tag")), None);
        // Nobody has this pid: pids end at 2^22.
        let stranger = stranger_at(address, &kin(u32::MAX, "no such tag")).unwrap();
        assert_eq!(stranger.port, address.port());
        let name = proc::program(own).unwrap();
        assert_eq!(stranger.program, Some(format!("{name} (pid {own})")));
    }
}
