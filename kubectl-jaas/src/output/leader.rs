//! The screen of `leader`. Pure.

use jiff::Timestamp;

use super::screen::Screen;
use crate::age::age;
use crate::view::LeaderView;

/// Everything that is known of the leader.
pub(super) fn facts(leader: &LeaderView, now: Timestamp) -> Screen {
    let mut screen = Screen::default();
    let pod = match (leader.pod.as_str(), leader.pod_ready) {
        ("", _) => String::new(),
        (pod, Some(true)) => format!("{pod}, ready{}", on(leader)),
        (pod, Some(false)) => format!("{pod}, not there or not ready{}", on(leader)),
        (pod, None) => format!("{pod}, not looked at"),
    };
    let renewed = age(leader.renewed_at, now);
    let life = if leader.alive { "" } else { ": too long ago" };
    screen.facts([
        ("lease", leader.lease.clone()),
        ("holder", if leader.holder.is_empty() { "nobody".to_owned() } else { leader.holder.clone() }),
        ("pod", pod),
        ("since", age(leader.since, now)),
        ("renewed", format!("{renewed} ago, others wait {}s{life}", leader.lease_seconds)),
        ("transitions", leader.transitions.to_string()),
        ("standbys", leader.standbys.map(|count| count.to_string()).unwrap_or_default()),
        ("asked", leader.step_down.as_ref().map(|token| format!("to step down, by {token}")).unwrap_or_default()),
    ]);
    screen
}

/// The leader in one line.
pub(super) fn sentence(leader: &LeaderView, now: Timestamp) -> String {
    if leader.holder.is_empty() {
        return format!("nobody holds {}", leader.lease);
    }
    let standbys = match leader.standbys {
        Some(1) => "   1 standby".to_owned(),
        Some(count) => format!("   {count} standbys"),
        None => String::new(),
    };
    let renewed = age(leader.renewed_at, now);
    let life = if leader.alive { "" } else { ": too long ago" };
    format!("{}   since {}   renewed {renewed} ago{life}{standbys}", leader.pod, age(leader.since, now))
}

fn on(leader: &LeaderView) -> String {
    leader.node.as_deref().map(|node| format!(" on {node}")).unwrap_or_default()
}
