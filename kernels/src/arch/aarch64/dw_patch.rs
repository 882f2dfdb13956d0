//! The depthwise 3x3 patch over whole vectors, for AArch64's addresses. The arithmetic is that of the generic patch
//! (`kernel/depthwise_f32.rs`); what differs is where pixels are found.
//!
//! ```text
//!   input pixel (y, x) = [row[y] + col[x]]      one addition a row and step      (a patch of 2 x 4 has 4 rows, 24 pixels)
//!   output (y, x)      = [out[y][x]], #16       none: the store moves its pointer on
//! ```
//!
//! Left to itself the compiler computes the address of each pixel by an addition in front of each load, and at stride 2 keeps some of
//! them on the stack. The offsets and pointers pass through empty assembly, so that it cannot see what they have in common.

use core::arch::aarch64::*;
use core::arch::asm;

use crate::kernel::args::DwArgs;
use crate::scheme::F32;

/// Vectors of a tile of packed weights: the bias and nine taps.
const TILE: usize = 10;

/// Makes a register's value unknown to the compiler, without an instruction.
macro_rules! hide {
    ($x:expr) => {
        asm!("/* {0} */", inout(reg) $x, options(nomem, nostack, preserves_flags))
    };
}

/// `H x W` outputs at stride `S` with all nine taps, for the whole vectors of channels. Returns the channels done.
///
/// # Safety
/// As `Vf32::own_patch`.
#[inline(always)]
pub(crate) unsafe fn patch<const S: usize, const H: usize, const W: usize>(
    p: &DwArgs<F32>,
    input: *const f32,
    output: *mut f32,
) -> usize {
    if p.epilogue.hard_swish {
        return 0;
    }
    // SAFETY: DwArgs 2 to 4 for H x W outputs: rows below (H - 1) * S + 3 and columns below (W - 1) * S + 3 are readable for
    // `channels` elements from `input` on, the outputs writable; there are as many tiles of weights as vectors. `hide` does nothing.
    unsafe {
        let mut row: [*const f32; 7] =
            core::array::from_fn(|y| input.wrapping_add(y * p.input_row));
        // In bytes.
        let mut col: [usize; 9] = core::array::from_fn(|x| x * p.input_col * size_of::<f32>());
        let mut out: [[*mut f32; W]; H] = core::array::from_fn(|y| {
            core::array::from_fn(|x| output.wrapping_add(y * p.output_row + x * p.output_col))
        });
        let (lo, hi) = (vdupq_n_f32(p.epilogue.lo), vdupq_n_f32(p.epilogue.hi));
        let mut weights = p.weights.cast::<f32>();
        let vectors = p.channels / 4;
        let mut left = vectors;
        while left > 0 {
            for col in &mut col[1..(W - 1) * S + 3] {
                hide!(*col);
            }
            for row in &mut row[..(H - 1) * S + 3] {
                hide!(*row);
            }
            let bias = vld1q_f32(weights);
            let mut acc = [[bias; W]; H];
            let mut taps = [bias; 9];
            for (tap, to) in taps.iter_mut().enumerate() {
                *to = vld1q_f32(weights.add((1 + tap) * 4));
            }
            for y in 0..(H - 1) * S + 3 {
                // At most (4 - 1) * 2 + 3 columns; those beyond are never loaded.
                let mut pixels = [bias; 9];
                for (x, pixel) in pixels.iter_mut().enumerate().take((W - 1) * S + 3) {
                    *pixel = vld1q_f32(row[y].byte_add(col[x]));
                }
                row[y] = row[y].wrapping_add(4);
                for (h, acc) in acc.iter_mut().enumerate() {
                    // The tap row under which this input row lies for output row h, if it does.
                    let Some(ky) = y.checked_sub(h * S).filter(|&ky| ky < 3) else {
                        continue;
                    };
                    for kx in 0..3 {
                        for (w, acc) in acc.iter_mut().enumerate() {
                            *acc = vfmaq_f32(*acc, pixels[w * S + kx], taps[ky * 3 + kx]);
                        }
                    }
                }
            }
            for h in 0..H {
                for w in 0..W {
                    let out = &mut out[h][w];
                    asm!(
                        "/* {0} */",
                        inout(reg) * out,
                        options(nomem, nostack, preserves_flags)
                    );
                    vst1q_f32(*out, vminq_f32(hi, vmaxq_f32(lo, acc[h][w])));
                    *out = out.wrapping_add(4);
                }
            }
            weights = weights.wrapping_add(TILE * 4);
            left -= 1;
            hide!(left);
        }
        vectors * 4
    }
}
