//! The loops over k of the pointwise kernels, in assembly, for tiles of 6, 7 and 8 rows by 8 columns: the compiler's scheduler knows
//! no core in particular and does not keep an order that is given in intrinsics.
//!
//! Each FMA is `acc[m][v] += b[v] * a[m][lane]`; a row of A is loaded several k at a time. Smaller tiles take the generic loop.

use core::arch::asm;

use crate::simd::neon::Neon;
#[cfg(feature = "qs8")]
use crate::simd::q8_neon::Dot;

/// For cores that reorder instructions, where each one that is not an FMA takes a slot in front of them: as few of those as there can
/// be. All loads are of pairs. A row's pair holds eight k, and half of the rows load theirs four steps later than the others, so
/// that 12 registers do for 8 rows: 19 other instructions for 128 FMAs.
///
/// ```text
///   k       0 1 2 3  4 5 6 7  8 9 ..         x, y, z: registers of four k
///   row 0   x x x x  y y y y  x x ..         rows 0 to 3 load x y at 0, 8, 16 ..
///   row 4   z z z z  x x x x  z z ..         rows 4 to 7 load x z at 4, 12, 20 .., where rows 0 to 3 have done with x
/// ```
///
/// The last time rows 4 to 7 load x alone (label 3).
///
/// Of the operation, the steps, and the operands that it finds in the function around it.
macro_rules! in_eights {
    ($op:ident, $k:ident, $acc:ident, $a:ident, $a_row:ident, $b:ident; $($more:tt)*) => {
        in_eights!(
            @ $op, $k, $acc, $a, $a_row, $b,
            [(0 c00 c01 x0 y0 p0) (1 c10 c11 x1 y1 p1) (2 c20 c21 x2 y2 p2) (3 c30 c31 x3 y3 p3)]
            [(4 c40 c41 z0 x0 p4) (5 c50 c51 z1 x1 p5) $($more)*]
        )
    };
    (
        @ $op:ident, $k:ident, $acc:ident, $a:ident, $a_row:ident, $b:ident,
        [$(($m:literal $c0:ident $c1:ident $x:ident $y:ident $p:ident))*]
        [$(($n:literal $d0:ident $d1:ident $z:ident $w:ident $q:ident))*]
    ) => {
        asm!(
            $(load!("ldr", $z, $q, "], #16"),)*
            "2:",
            "subs {n}, {n}, #1",
            $(load!("ldp", $x, $y, $p, "], #32"),)*
            "ldp {b0:q}, {b1:q}, [{b}], #256",
            $(fma!($op, $c0, "b0", $x, "0"), fma!($op, $c1, "b1", $x, "0"),)*
            $(fma!($op, $d0, "b0", $z, "0"), fma!($op, $d1, "b1", $z, "0"),)*
            "ldp {b2:q}, {b3:q}, [{b}, #-224]",
            $(fma!($op, $c0, "b2", $x, "1"), fma!($op, $c1, "b3", $x, "1"),)*
            $(fma!($op, $d0, "b2", $z, "1"), fma!($op, $d1, "b3", $z, "1"),)*
            "ldp {b0:q}, {b1:q}, [{b}, #-192]",
            $(fma!($op, $c0, "b0", $x, "2"), fma!($op, $c1, "b1", $x, "2"),)*
            $(fma!($op, $d0, "b0", $z, "2"), fma!($op, $d1, "b1", $z, "2"),)*
            "ldp {b2:q}, {b3:q}, [{b}, #-160]",
            $(fma!($op, $c0, "b2", $x, "3"), fma!($op, $c1, "b3", $x, "3"),)*
            $(fma!($op, $d0, "b2", $z, "3"), fma!($op, $d1, "b3", $z, "3"),)*
            "b.eq 3f",
            $(load!("ldp", $w, $z, $q, "], #32"),)*
            "4:",
            "ldp {b0:q}, {b1:q}, [{b}, #-128]",
            $(fma!($op, $c0, "b0", $y, "0"), fma!($op, $c1, "b1", $y, "0"),)*
            $(fma!($op, $d0, "b0", $w, "0"), fma!($op, $d1, "b1", $w, "0"),)*
            "ldp {b2:q}, {b3:q}, [{b}, #-96]",
            $(fma!($op, $c0, "b2", $y, "1"), fma!($op, $c1, "b3", $y, "1"),)*
            $(fma!($op, $d0, "b2", $w, "1"), fma!($op, $d1, "b3", $w, "1"),)*
            "ldp {b0:q}, {b1:q}, [{b}, #-64]",
            $(fma!($op, $c0, "b0", $y, "2"), fma!($op, $c1, "b1", $y, "2"),)*
            $(fma!($op, $d0, "b0", $w, "2"), fma!($op, $d1, "b1", $w, "2"),)*
            "ldp {b2:q}, {b3:q}, [{b}, #-32]",
            $(fma!($op, $c0, "b2", $y, "3"), fma!($op, $c1, "b3", $y, "3"),)*
            $(fma!($op, $d0, "b2", $w, "3"), fma!($op, $d1, "b3", $w, "3"),)*
            "b.ne 2b",
            "b 5f",
            "3:",
            $(load!("ldr", $w, $q, "]"),)*
            "b 4b",
            "5:",
            n = inout(reg) $k / 8 => _,
            b = inout(reg) $b => _,
            $($p = inout(reg) $a.add($m * $a_row) => _,)*
            $($q = inout(reg) $a.add($n * $a_row) => _,)*
            $($c0 = inout(vreg) $acc[$m][0].0, $c1 = inout(vreg) $acc[$m][1].0,)*
            $($d0 = inout(vreg) $acc[$n][0].0, $d1 = inout(vreg) $acc[$n][1].0,)*
            $($x = out(vreg) _, $y = out(vreg) _,)*
            $($z = out(vreg) _,)*
            b0 = out(vreg) _, b1 = out(vreg) _, b2 = out(vreg) _, b3 = out(vreg) _,
            options(readonly, nostack),
        )
    };
}

/// [`in_eights`] of 6, 7 or 8 rows. Returns the steps done, a multiple of eight.
macro_rules! by_eights {
    ($op:ident, $acc:ident, $a:ident, $a_row:ident, $b:ident, $k:ident) => {{
        if NV != 2 || $k < 8 {
            return 0;
        }
        // SAFETY: loads are from the M rows of A and the panel, for steps below k: `k / 8` times eight of them; nothing is written
        // to memory.
        unsafe {
            match M {
                6 => in_eights!($op, $k, $acc, $a, $a_row, $b;),
                7 => in_eights!($op, $k, $acc, $a, $a_row, $b; (6 c60 c61 z2 x2 p6)),
                8 => in_eights!($op, $k, $acc, $a, $a_row, $b; (6 c60 c61 z2 x2 p6) (7 c70 c71 z3 x3 p7)),
                _ => return 0,
            }
        }
        $k / 8 * 8
    }};
}

/// f32 on cores that reorder instructions; see [`in_eights`].
///
/// # Safety
/// As `Vf32::own_steps`.
#[inline(always)]
pub(crate) unsafe fn out_of_order<const IN_ORDER: bool, const M: usize, const NV: usize>(
    acc: &mut [[Neon<IN_ORDER>; NV]; M],
    a: *const f32,
    a_row: usize,
    b: *const f32,
    k: usize,
) -> usize {
    by_eights!(fmla, acc, a, a_row, b, k)
}

/// Bytes by `sdot`, the same way: a step is four k, which are as wide as one of f32.
///
/// # Safety
/// As `Sums::own_steps` for one panel, inside a function with dotprod.
#[inline(always)]
#[cfg(feature = "qs8")]
pub(crate) unsafe fn dot<const M: usize, const NV: usize>(
    acc: &mut [[Dot; NV]; M],
    a: *const u8,
    a_row: usize,
    b: *const u8,
    steps: usize,
) -> usize {
    by_eights!(sdot, acc, a, a_row, b, steps)
}

/// For cores that execute in program order, two instructions a cycle at most (Cortex-A53, A55). One FMA and one other go together,
/// but not where the other is a load of 128 bits: that takes two cycles, and on an A53 nothing goes beside it. So a vector of the
/// panel comes as a load of its lower half, one of its upper half into a general register, and a move; a row of A comes two k at a
/// time; and each of these stands behind an FMA, far enough from what needs it. No address is written back by a load, which
/// would be a third thing to do at once: rows of A share one index, which ends at 0.
///
/// ```text
///           step k: lane 0, panel in b0 b1                 step k + 1: lane 1, panel in b2 b3
///   row 0   fma  load t0 for b2   fma  load b2 low         fma  load t0 for b0   fma  load a0
///   row 1   fma  load t1 for b3   fma  load b3 low         fma  load b0 low      fma  load a1
///   row 2   fma  t0 into b2       fma  next index          fma  load t1 for b1   fma  load a2
///   row 3   fma  t1 into b3       fma  next panel row      fma  load b1 low      fma  load a3
///   row 4   fma                   fma                      fma  t0 into b0       fma  load a4
///   row 5   fma                   fma                      fma  t1 into b1       fma  load a5   and so on
/// ```
///
/// The last two steps are outside of the loop, without the loads for the next two. Returns the steps done: `k`, or one less.
///
/// # Safety
/// As `Vf32::own_steps`.
#[inline(always)]
pub(crate) unsafe fn in_order<const IN_ORDER: bool, const M: usize, const NV: usize>(
    acc: &mut [[Neon<IN_ORDER>; NV]; M],
    a: *const f32,
    a_row: usize,
    b: *const f32,
    k: usize,
) -> usize {
    /// Rows 0 to 5, and those given: what stands behind the two FMAs of step 0, and behind the first of step 1.
    macro_rules! rows {
        ($($more:tt)*) => {
            in_pairs!(
                (0 c00 c01 a0 p0 "ldr {t0}, [{b}, #40]" "ldr {b2:d}, [{b}, #32]" "ldr {t0}, [{b}, #8]")
                (1 c10 c11 a1 p1 "ldr {t1}, [{b}, #56]" "ldr {b3:d}, [{b}, #48]" "ldr {b0:d}, [{b}]")
                (2 c20 c21 a2 p2 "ins {b2:v}.d[1], {t0}" "adds {i}, {i}, #8" "ldr {t1}, [{b}, #24]")
                (3 c30 c31 a3 p3 "ins {b3:v}.d[1], {t1}" "add {b}, {b}, #64" "ldr {b1:d}, [{b}, #16]")
                (4 c40 c41 a4 p4 "" "" "ins {b0:v}.d[1], {t0}")
                (5 c50 c51 a5 p5 "" "" "ins {b1:v}.d[1], {t1}")
                $($more)*
            )
        };
    }
    macro_rules! in_pairs {
        ($(($m:literal $c0:ident $c1:ident $a:ident $p:ident $even0:literal $even1:literal $odd:literal))*) => {
            asm!(
                "ldp {b0:q}, {b1:q}, [{b}]",
                $(load!("ldr", $a, $p, i),)*
                "cbz {i}, 3f",
                "2:",
                $(fma!(fmla, $c0, "b0", $a, "0"), $even0, fma!(fmla, $c1, "b1", $a, "0"), $even1,)*
                $(fma!(fmla, $c0, "b2", $a, "1"), $odd, fma!(fmla, $c1, "b3", $a, "1"), load!("ldr", $a, $p, i),)*
                "b.ne 2b",
                "3:",
                $(fma!(fmla, $c0, "b0", $a, "0"), $even0, fma!(fmla, $c1, "b1", $a, "0"), $even1,)*
                $(fma!(fmla, $c0, "b2", $a, "1"), fma!(fmla, $c1, "b3", $a, "1"),)*
                // In bytes, from the last two k backwards.
                i = inout(reg) -((k / 2 - 1) as isize * 8) => _,
                b = inout(reg) b => _,
                $($p = in(reg) a.add($m * a_row + (k / 2 - 1) * 2),)*
                $($c0 = inout(vreg) acc[$m][0].0, $c1 = inout(vreg) acc[$m][1].0,)*
                $($a = out(vreg) _,)*
                b0 = out(vreg) _, b1 = out(vreg) _, b2 = out(vreg) _, b3 = out(vreg) _,
                t0 = out(reg) _, t1 = out(reg) _,
                options(readonly, nostack),
            )
        };
    }
    if NV != 2 || k < 2 {
        return 0;
    }
    // SAFETY: loads are from the M rows of A and the panel, for steps below k: `k / 2` times two of them; nothing is written to
    // memory.
    unsafe {
        match M {
            6 => rows!(),
            7 => rows!((6 c60 c61 a6 p6 "" "" "")),
            8 => rows!((6 c60 c61 a6 p6 "" "" "") (7 c70 c71 a7 p7 "" "" "")),
            _ => return 0,
        }
    }
    k / 2 * 2
}

/// `acc += b * a[lane]` in assembly, of operands' names: a lane is an f32, or four bytes.
macro_rules! fma {
    (fmla, $($operands:tt)*) => { fma!(@ "fmla", ".4s", ".s[", $($operands)*) };
    (sdot, $($operands:tt)*) => { fma!(@ "sdot", ".16b", ".4b[", $($operands)*) };
    (@ $op:literal, $all:literal, $one:literal, $c:ident, $b:literal, $a:ident, $lane:literal) => {
        concat!(
            $op,
            " {",
            stringify!($c),
            ":v}.4s, {",
            $b,
            ":v}",
            $all,
            ", {",
            stringify!($a),
            ":v}",
            $one,
            $lane,
            "]"
        )
    };
}
use fma;

/// A load in assembly, of operands' names: a vector, two, or the lower half of one at an index.
macro_rules! load {
    ($op:literal, $x:ident, $p:ident, i) => {
        concat!(
            $op,
            " {",
            stringify!($x),
            ":d}, [{",
            stringify!($p),
            "}, {i}]"
        )
    };
    ($op:literal, $x:ident, $p:ident, $end:literal) => {
        concat!(
            $op,
            " {",
            stringify!($x),
            ":q}, [{",
            stringify!($p),
            "}",
            $end
        )
    };
    ($op:literal, $x:ident, $y:ident, $p:ident, $end:literal) => {
        concat!(
            $op,
            " {",
            stringify!($x),
            ":q}, {",
            stringify!($y),
            ":q}, [{",
            stringify!($p),
            "}",
            $end
        )
    };
}
use load;
