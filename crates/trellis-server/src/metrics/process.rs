//! The figures of this process that Prometheus's client libraries have in common, from `/proc/self` (proc(5)).

use std::fs;

use prometheus::IntGauge;

use super::make::Make;

/// Clock ticks a second, as the kernel tells them to programs on every architecture that we run on.
const TICKS: f64 = 100.0;

pub(super) struct Process {
    cpu_seconds: prometheus::Counter,
    resident: IntGauge,
    virtual_memory: IntGauge,
    open_files: IntGauge,
    most_files: IntGauge,
    threads: IntGauge,
}

impl Process {
    pub(super) fn new(make: &Make) -> Self {
        let start = make.real_gauge(
            "process_start_time_seconds",
            "When it started, in seconds since 1970",
        );
        start.set(started().unwrap_or_default());
        Self {
            cpu_seconds: make.real_counter("process_cpu_seconds_total", "Processor time of user and system"),
            resident: make.gauge("process_resident_memory_bytes", "Resident memory"),
            virtual_memory: make.gauge("process_virtual_memory_bytes", "Virtual memory"),
            open_files: make.gauge("process_open_fds", "Open files"),
            most_files: make.gauge("process_max_fds", "How many files may be open"),
            threads: make.gauge("process_threads", "Threads"),
        }
    }

    /// What cannot be read keeps its last value.
    pub(super) fn look(&self) {
        if let Some(stat) = fs::read_to_string("/proc/self/stat")
            .ok()
            .as_deref()
            .and_then(stat)
        {
            self.cpu_seconds
                .inc_by((stat.cpu_seconds - self.cpu_seconds.get()).max(0.0));
            self.threads.set(stat.threads);
            self.virtual_memory.set(stat.virtual_bytes);
        }
        let kilobytes = number_after("/proc/self/status", "VmRSS:");
        if let Some(kilobytes) = kilobytes {
            self.resident.set(kilobytes * 1024);
        }
        if let Ok(files) = fs::read_dir("/proc/self/fd") {
            self.open_files
                .set(i64::try_from(files.count()).unwrap_or(i64::MAX));
        }
        if let Some(most) = number_after("/proc/self/limits", "Max open files") {
            self.most_files.set(most);
        }
    }
}

struct Stat {
    cpu_seconds: f64,
    threads: i64,
    started_seconds: f64,
    virtual_bytes: i64,
}

/// Fields are counted from 1 in proc(5); the second is a name in brackets that may hold anything.
fn stat(text: &str) -> Option<Stat> {
    let rest = text.rsplit_once(')')?.1;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3).copied();
    let ticks = |number: usize| field(number)?.parse::<f64>().ok();
    let whole = |number: usize| field(number)?.parse::<i64>().ok();
    Some(Stat {
        cpu_seconds: (ticks(14)? + ticks(15)?) / TICKS,
        threads: whole(20)?,
        started_seconds: ticks(22)? / TICKS,
        virtual_bytes: whole(23)?,
    })
}

/// When this process started, by the clock that everybody goes by; the kernel counts from when the machine started.
fn started() -> Option<f64> {
    let stat = stat(&fs::read_to_string("/proc/self/stat").ok()?)?;
    let uptime = fs::read_to_string("/proc/uptime").ok()?;
    let uptime: f64 = uptime.split_whitespace().next()?.parse().ok()?;
    let now = jiff::Timestamp::now().as_duration().as_secs_f64();
    Some((now - (uptime - stat.started_seconds)).round())
}

/// The first number after a word at the start of a line.
fn number_after(file: &str, word: &str) -> Option<i64> {
    let text = fs::read_to_string(file).ok()?;
    let rest = text.lines().find_map(|line| line.strip_prefix(word))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_blanks_does_not_shift_the_fields() {
        let text = "7 (a) b) S 1 7 7 0 -1 4194560 900 0 0 0 150 50 0 0 20 0 9 0 12345 123456789 400 1 0";
        let stat = stat(text).unwrap();
        assert_eq!((stat.cpu_seconds, stat.threads), (2.0, 9));
        assert_eq!((stat.started_seconds, stat.virtual_bytes), (123.45, 123_456_789));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_is_read() {
        let process = Process::new(&Make::default());
        process.look();
        assert!(process.resident.get() > 1_000_000 && process.open_files.get() > 2);
        assert!(process.threads.get() > 0 && process.most_files.get() > 2);
        let ago = jiff::Timestamp::now().as_duration().as_secs_f64() - started().unwrap();
        assert!((-1.0..86_400.0).contains(&ago), "{ago}");
    }
}
