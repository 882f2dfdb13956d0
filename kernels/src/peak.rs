//! What this machine can do at most, measured just then: multiply-adds of its cores, and reads of its caches and memory. A layer's
//! speed is worth nothing without it, as clocks change and machines are shared.
//!
//! ```no_run
//! use std::time::Duration;
//! use dwsep::{Isa, peak};
//!
//! let time = Duration::from_millis(50);
//! println!("{:.1} GFLOP/s", peak::flops(Isa::best(), 1, time)? / 1e9);
//! println!("{:.1} GB/s", peak::read_bytes_per_second(128 << 20, 1, time)? / 1e9);
//! # Ok::<(), std::io::Error>(())
//! ```

use std::hint::black_box;
use std::io::{Error, ErrorKind, Result};
use std::sync::RwLock;
use std::thread;
use std::time::{Duration, Instant};

use crate::registry::PEAK_F32;
use crate::{Error as Refused, Isa};

/// Steps of each chain in a burst: some 50 microseconds, short enough to fit between two interruptions by other programs.
const STEPS: usize = 30_000;
/// The least that is read between two looks at the clock.
const PASS: usize = 1 << 20;
/// Sums that do not wait for each other, in as many vectors as a loop needs to be limited by its loads.
const LANES: usize = 32;

/// f32 operations a second that `threads` threads do at once in the arithmetic of `isa`'s kernels, an addition and a multiplication
/// counted as two: for each thread the best of all bursts within `time`. No thread counts as one.
///
/// # Errors
/// [`ErrorKind::Unsupported`] where this CPU or this build lacks `isa`; what the operating system says where it gives no thread.
pub fn flops(isa: Isa, threads: usize, time: Duration) -> Result<f64> {
    // An ISA that brings kernels for integers alone has the f32 kernels of the one below it.
    let row = PEAK_F32
        .iter()
        .find(|row| row.isa <= isa && row.isa.is_available() && isa.is_available())
        .ok_or_else(|| Error::new(ErrorKind::Unsupported, Refused::IsaUnavailable { isa }))?;
    on_threads(threads, |_| {
        best(time, || {
            // SAFETY: the CPU has been asked for the features of the row's ISA.
            unsafe { (row.run)(black_box(STEPS)) };
            STEPS * row.flops
        })
    })
}

/// Bytes a second that `threads` threads read of a buffer of `bytes` bytes again and again, each of its own part: for each thread
/// the best of all passes within `time`. No thread counts as one. A few MiB show a shared cache, a hundred show the memory.
///
/// # Errors
/// What the operating system says where it gives no thread or no memory.
pub fn read_bytes_per_second(bytes: usize, threads: usize, time: Duration) -> Result<f64> {
    let elements = (bytes / threads.max(1) / size_of::<u64>()).next_multiple_of(LANES);
    let parts: Vec<Vec<u64>> = (0..threads.max(1))
        .map(|_| ones(elements.max(LANES)))
        .collect::<Result<_>>()?;
    on_threads(threads, |thread| {
        let data = &parts[thread][..];
        let sweeps = (PASS / size_of_val(data)).max(1);
        best(time, || {
            for _ in 0..sweeps {
                black_box(sums(black_box(data)));
            }
            sweeps * size_of_val(data)
        })
    })
}

/// A function of its own, whose sums stay in registers: inside of a loop over sweeps they did not, at two thirds of the speed.
#[inline(never)]
fn sums(data: &[u64]) -> [u64; LANES] {
    let mut sums = [0_u64; LANES];
    for chunk in data.as_chunks::<LANES>().0 {
        for (sum, x) in sums.iter_mut().zip(chunk) {
            *sum = sum.wrapping_add(*x);
        }
    }
    sums
}

/// The best rate, in units a second, of all calls of `work` within `time`, and of two calls at least. `work` says how many units it
/// has done.
fn best(time: Duration, mut work: impl FnMut() -> usize) -> f64 {
    let (begin, mut best, mut calls) = (Instant::now(), 0.0_f64, 0);
    while calls < 2 || begin.elapsed() < time {
        let start = Instant::now();
        let units = work() as f64;
        // A clock too coarse to see any time pass has seen no rate either.
        let rate = units / start.elapsed().as_secs_f64();
        if rate.is_finite() {
            best = best.max(rate);
        }
        calls += 1;
    }
    best
}

/// The sum of what `core` returns on each of `threads` threads, which begin together.
fn on_threads(threads: usize, core: impl Fn(usize) -> f64 + Sync) -> Result<f64> {
    let (core, gate) = (&core, &RwLock::new(()));
    thread::scope(|scope| {
        let closed = gate.write();
        let others = (1..threads).map(|thread| {
            thread::Builder::new().spawn_scoped(scope, move || {
                drop(gate.read());
                core(thread)
            })
        });
        let others: Result<Vec<_>> = others.collect();
        drop(closed);
        let (others, own) = (others?, core(0));
        Ok(others
            .into_iter()
            .filter_map(|thread| thread.join().ok())
            .fold(own, |sum, x| sum + x))
    })
}

/// Memory that has been touched: what has not may be one page of zeros for all of it.
fn ones(len: usize) -> Result<Vec<u64>> {
    let mut data = Vec::new();
    data.try_reserve_exact(len)?;
    data.resize(len, 1);
    Ok(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_isa_has_a_peak_on_any_number_of_threads() {
        for &isa in Isa::ALL {
            for threads in [0, 1, 3] {
                match flops(isa, threads, Duration::ZERO) {
                    Ok(rate) => assert!(isa.is_available() && rate > 0.0, "{isa}: {rate}"),
                    Err(error) => {
                        assert!(!isa.is_available(), "{isa}: {error}");
                        assert_eq!(error.kind(), ErrorKind::Unsupported);
                    }
                }
            }
        }
    }

    #[test]
    fn buffers_of_any_size_are_read() {
        for bytes in [0, 1, 1000, 1 << 16] {
            for threads in [0, 1, 3] {
                let rate = read_bytes_per_second(bytes, threads, Duration::ZERO).unwrap();
                assert!(rate > 0.0, "{bytes} bytes on {threads} threads: {rate}");
            }
        }
        let error = read_bytes_per_second(usize::MAX / 8, 1, Duration::ZERO).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutOfMemory);
    }
}
