//! What this machine can do at most, measured just then: multiply-adds of a core, and reads of its caches and memory.
//!
//! The peak is that of a loop which does nothing but the arithmetic of an ISA's kernels, in as many independent chains as hide
//! its latency:
//!
//! | ISA | step | chains x lanes | why so many |
//! |---|---|---|---|
//! | `avx2_fma` | one FMA | 12 x 8 | two a cycle of 4 to 5 cycles: at least 10; 16 registers |
//! | `neon` | one FMA | 24 x 4 | up to four a cycle of 4 cycles: at least 16; 32 registers |
//! | `scalar`, `portable` | multiplication, addition | 14 x 4 | two of each a cycle of 3 to 4 cycles; SSE2's 16 registers |
//!
//! As in a GEMM, a chain of FMAs goes through the addend. `scalar` has the peak of `portable`: the compiler makes vectors of its
//! loops. It uses nothing but `std` and `Isa`, so that other programs can include this file.

// Each bench uses a part of this.
#![allow(dead_code)]

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use mobilenet::dwsep::Isa;

/// Floating-point operations of a multiply-add.
pub const FLOPS_PER_MAC: f64 = 2.0;

/// Steps of each chain in a burst: some 50 microseconds, short enough to fit between two interruptions by other programs.
const STEPS: usize = 30_000;

/// What a peak of an ISA is made of.
pub fn arithmetic(isa: Isa) -> &'static str {
    if isa.fuses() { "FMA" } else { "multiply + add" }
}

/// Operations a second that `threads` cores do at once for `isa`, an addition and a multiplication counted as two: the best of all
/// bursts within `time`.
///
/// # Panics
/// Where this CPU lacks `isa`.
pub fn flops(isa: Isa, threads: usize, time: Duration) -> f64 {
    assert!(isa.is_available(), "this CPU lacks {isa}");
    let start = Barrier::new(threads);
    let core = || {
        start.wait();
        let (begin, mut best) = (Instant::now(), 0.0_f64);
        while begin.elapsed() < time {
            let burst = Instant::now();
            let flops = black_box(self::burst(isa, black_box(STEPS))).0;
            best = best.max(flops as f64 / burst.elapsed().as_secs_f64());
        }
        best
    };
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(core)).collect();
        let own = core();
        others
            .into_iter()
            .filter_map(|thread| thread.join().ok())
            .fold(own, |sum, x| sum + x)
    })
}

/// Number of operations, and a result that depends on all of them.
fn burst(isa: Isa, steps: usize) -> (usize, f32) {
    match isa {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `flops` has asked the CPU for this ISA, whose features are AVX2 and FMA.
        Isa::Avx2Fma => unsafe { avx2_fma(steps) },
        #[cfg(target_arch = "aarch64")]
        // SAFETY: `flops` has asked for this ISA.
        Isa::Neon => unsafe { neon(steps) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: SSE2 is part of x86-64.
        _ => unsafe { sse2(steps) },
        #[cfg(target_arch = "aarch64")]
        // SAFETY: NEON is part of AArch64's standard library targets.
        _ => unsafe { neon_unfused(steps) },
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        _ => arrays(steps),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2_fma(steps: usize) -> (usize, f32) {
    use std::arch::x86_64::*;
    const CHAINS: usize = 12;
    let (a, b) = (
        _mm256_set1_ps(black_box(1e-9)),
        _mm256_set1_ps(black_box(1e-9)),
    );
    let mut chains = [_mm256_set1_ps(1.0); CHAINS];
    for _ in 0..steps {
        for x in &mut chains {
            *x = _mm256_fmadd_ps(a, b, *x);
        }
    }
    let sum = chains
        .into_iter()
        .fold(_mm256_setzero_ps(), |sum, x| _mm256_add_ps(sum, x));
    (steps * CHAINS * 8 * 2, _mm256_cvtss_f32(sum))
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse2")]
fn sse2(steps: usize) -> (usize, f32) {
    use std::arch::x86_64::*;
    const CHAINS: usize = 14;
    let (a, b) = (_mm_set1_ps(black_box(0.5)), _mm_set1_ps(black_box(1.0)));
    let mut chains = [_mm_set1_ps(1.0); CHAINS];
    for _ in 0..steps {
        for x in &mut chains {
            *x = _mm_add_ps(_mm_mul_ps(*x, a), b);
        }
    }
    let sum = chains
        .into_iter()
        .fold(_mm_setzero_ps(), |sum, x| _mm_add_ps(sum, x));
    (steps * CHAINS * 4 * 2, _mm_cvtss_f32(sum))
}

#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "neon")]
fn neon(steps: usize) -> (usize, f32) {
    use std::arch::aarch64::*;
    const CHAINS: usize = 24;
    let (a, b) = (vdupq_n_f32(black_box(1e-9)), vdupq_n_f32(black_box(1e-9)));
    let mut chains = [vdupq_n_f32(1.0); CHAINS];
    for _ in 0..steps {
        for x in &mut chains {
            *x = vfmaq_f32(*x, a, b);
        }
    }
    let sum = chains
        .into_iter()
        .fold(vdupq_n_f32(0.0), |sum, x| vaddq_f32(sum, x));
    (steps * CHAINS * 4 * 2, vaddvq_f32(sum))
}

#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "neon")]
fn neon_unfused(steps: usize) -> (usize, f32) {
    use std::arch::aarch64::*;
    const CHAINS: usize = 24;
    let (a, b) = (vdupq_n_f32(black_box(0.5)), vdupq_n_f32(black_box(1.0)));
    let mut chains = [vdupq_n_f32(1.0); CHAINS];
    for _ in 0..steps {
        for x in &mut chains {
            *x = vaddq_f32(vmulq_f32(*x, a), b);
        }
    }
    let sum = chains
        .into_iter()
        .fold(vdupq_n_f32(0.0), |sum, x| vaddq_f32(sum, x));
    (steps * CHAINS * 4 * 2, vaddvq_f32(sum))
}

/// What the compiler makes of it on a target that has no line above.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn arrays(steps: usize) -> (usize, f32) {
    const CHAINS: usize = 8;
    let (a, b) = (black_box(0.5_f32), black_box(1.0_f32));
    let mut chains = [[1.0_f32; 4]; CHAINS];
    for _ in 0..steps {
        for x in &mut chains {
            *x = x.map(|x| x * a + b);
        }
    }
    (steps * CHAINS * 4 * 2, chains.as_flattened().iter().sum())
}

/// Bytes a second that one core reads of `bytes` bytes again and again: the best of the passes within `time`, and of two at least.
/// A few MiB show a shared cache, a hundred show the memory.
pub fn read_bytes_per_second(bytes: usize, time: Duration) -> f64 {
    const LANES: usize = 32;
    let data = vec![1_u64; bytes / size_of::<u64>() / LANES * LANES];
    let (begin, mut best, mut passes) = (Instant::now(), 0.0_f64, 0);
    while passes < 2 || begin.elapsed() < time {
        let pass = Instant::now();
        // Sums that do not wait for each other, in as many vectors as a loop needs to be limited by its loads.
        let mut sums = [0_u64; LANES];
        for chunk in black_box(&data).as_chunks::<LANES>().0 {
            for (sum, x) in sums.iter_mut().zip(chunk) {
                *sum = sum.wrapping_add(*x);
            }
        }
        black_box(sums);
        let read = size_of_val(&data[..]) as f64;
        best = best.max(read / pass.elapsed().as_secs_f64());
        passes += 1;
    }
    best
}
