//! A loop that does nothing but the arithmetic of an ISA's f32 kernels, in as many independent chains as hide its latency: no
//! kernel can do more multiply-adds a second.
//!
//! | ISA | step | chains x lanes | why so many |
//! |---|---|---|---|
//! | `avx2_fma` | one FMA | 12 x 8 | two a cycle of 4 to 5 cycles: at least 10; 16 registers |
//! | `avx512` | one FMA | 24 x 16 | as `avx2_fma`; 32 registers |
//! | `neon` | one FMA | 24 x 4 | up to four a cycle of 4 cycles: at least 16; 32 registers |
//! | `scalar`, `portable` on x86-64 | multiplication, addition | 14 x 4 | two of each a cycle of 3 to 4 cycles; SSE2's 16 registers |
//! | `scalar`, `portable` on AArch64 | multiplication, addition | 24 x 4 | as `neon` |
//! | `scalar`, `portable` elsewhere | multiplication, addition | 8 x 4 | what the fewest registers hold |
//!
//! `scalar` has the peak of `portable`: the compiler makes vectors of its loops.

use core::hint::black_box;

use crate::isa::Isa;
use crate::simd::Vf32;

/// A row of the table of peaks.
pub(crate) struct PeakKernel {
    pub isa: Isa,
    /// Additions and multiplications of a step of all chains.
    pub flops: usize,
    /// Runs so many steps.
    ///
    /// # Safety
    /// The CPU has the features of `isa`.
    pub run: unsafe fn(usize),
}

/// `steps` steps of `CHAINS` chains, each of which waits for the step before it.
///
/// Where the ISA fuses, a chain goes through the addend, as in a GEMM: the addend is what AArch64's `fmla` overwrites. Where it
/// does not, a chain goes through the factor: the product of two constants would be computed once.
///
/// # Safety
/// Called inside a function with the features of `V`'s ISA.
#[inline(always)]
pub(crate) unsafe fn run<V: Vf32, const CHAINS: usize, const FUSES: bool>(steps: usize) {
    // SAFETY: the features are the caller's.
    unsafe {
        let (a, b) = (V::splat(black_box(0.5)), V::splat(black_box(1.0)));
        let mut chains = [V::splat(1.0); CHAINS];
        for _ in 0..steps {
            for x in &mut chains {
                *x = if FUSES {
                    x.mul_add(a, b)
                } else {
                    b.mul_add(*x, a)
                };
            }
        }
        black_box(chains);
    }
}
