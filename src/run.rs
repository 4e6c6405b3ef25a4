//! What a run may use, and where its time goes: threads, bytes read, seconds per phase.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Threads and clocks of one run.
#[derive(Debug)]
pub struct Run {
    /// Worker threads, at least 1.
    pub threads: usize,
    bytes_read: AtomicU64,
    /// Bytes of the work at hand: done, and in all; 0 where that is not known.
    progress: (AtomicU64, AtomicU64),
    times: Mutex<Vec<(&'static str, Duration)>>,
}

impl Run {
    pub fn new(threads: usize) -> Self {
        Self {
            threads: threads.max(1),
            bytes_read: AtomicU64::new(0),
            progress: Default::default(),
            times: Mutex::default(),
        }
    }

    /// Counts uncompressed bytes as they are read.
    pub fn add_bytes(&self, bytes: u64) {
        self.bytes_read.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Uncompressed bytes read so far, over all passes.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }

    /// Begins work of `total` bytes, of which [`advance`](Self::advance) tells.
    pub fn begin(&self, total: u64) {
        self.progress.0.store(0, Ordering::Relaxed);
        self.progress.1.store(total, Ordering::Relaxed);
    }

    /// So many bytes of the work at hand are done.
    pub fn advance(&self, bytes: u64) {
        self.progress.0.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Bytes done and in all; in all is 0 where that is not known.
    pub fn progress(&self) -> (u64, u64) {
        (self.progress.0.load(Ordering::Relaxed), self.progress.1.load(Ordering::Relaxed))
    }

    /// Runs a phase and remembers how long it took.
    pub fn time<T>(&self, name: &'static str, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let outcome = work();
        self.times.lock().expect("no phase panicked").push((name, start.elapsed()));
        outcome
    }

    /// The phases so far, in order.
    pub fn times(&self) -> Vec<(&'static str, Duration)> {
        self.times.lock().expect("no phase panicked").clone()
    }
}
