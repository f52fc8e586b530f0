//! The process itself, under the names that every Prometheus client has.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// Reads `/proc/self` at each scrape. What cannot be read is left out.
#[derive(Debug)]
pub(super) struct Process;

/// What the kernel says.
#[derive(Debug, Default, PartialEq)]
struct Facts {
    cpu_seconds: f64,
    resident_bytes: u64,
    virtual_bytes: u64,
    start_seconds: f64,
}

/// The facts of `/proc/self/stat`, with the time at which the machine was booted, ticks in a second, and bytes in a page.
#[expect(clippy::cast_precision_loss, reason = "ticks since the boot are far below 2^52")]
fn facts(stat: &str, booted: f64, ticks: u64, page: u64) -> Option<Facts> {
    // The name of the program, in parentheses, may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    // `man proc_pid_stat` counts from 1 and starts with two fields that were cut off.
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    let seconds = |count: u64| count as f64 / ticks as f64;
    Some(Facts {
        cpu_seconds: seconds(number(14)? + number(15)?),
        start_seconds: booted + seconds(number(22)?),
        virtual_bytes: number(23)?,
        resident_bytes: number(24)? * page,
    })
}

fn read() -> Option<Facts> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let machine = std::fs::read_to_string("/proc/stat").ok()?;
    let booted = machine.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    facts(&stat, booted, rustix::param::clock_ticks_per_second(), rustix::param::page_size() as u64)
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        if let Some(facts) = read() {
            let cpu = ConstCounter::new(facts.cpu_seconds);
            let help = "Processor time that the operator used, without its workers that still run";
            cpu.encode(encoder.encode_descriptor("process_cpu_seconds", help, None, cpu.metric_type())?)?;
            let start = ConstGauge::new(facts.start_seconds);
            let help = "When the process started, in seconds since 1970";
            start.encode(encoder.encode_descriptor(
                "process_start_time_seconds",
                help,
                None,
                start.metric_type(),
            )?)?;
            for (name, help, value) in [
                ("process_resident_memory_bytes", "Memory of the operator, without its workers", facts.resident_bytes),
                ("process_virtual_memory_bytes", "Address space of the operator", facts.virtual_bytes),
            ] {
                let gauge = ConstGauge::new(value);
                gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
            }
        }
        if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
            let gauge = ConstGauge::new(open.count() as u64);
            let help = "Open file descriptors";
            gauge.encode(encoder.encode_descriptor("process_open_fds", help, None, gauge.metric_type())?)?;
        }
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        if let Some(limit) = limit {
            let gauge = ConstGauge::new(limit);
            let help = "File descriptors that may be open";
            gauge.encode(encoder.encode_descriptor("process_max_fds", help, None, gauge.metric_type())?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn fields_are_counted_behind_whatever_the_program_is_called() {
        let mut stat = "7 (a) b) S".to_owned();
        for field in 4..=30 {
            stat += &format!(" {field}");
        }
        let found = facts(&stat, 1000.0, 10, 100).unwrap();
        let expected = Facts { cpu_seconds: 2.9, start_seconds: 1002.2, virtual_bytes: 23, resident_bytes: 2400 };
        assert_eq!(found, expected);
    }

    #[test]
    fn the_kernel_is_understood() {
        assert!(read().is_some_and(|facts| facts.resident_bytes > 0 && facts.start_seconds > 1e9));
    }
}
