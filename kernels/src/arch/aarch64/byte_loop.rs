//! The loop over k of the pointwise kernel without dot products, in assembly, for tiles of 2 rows by 8 columns: left to the compiler it copies
//! accumulators about.

use core::arch::aarch64::int32x4_t;
use core::arch::asm;

/// Two columns of a step, `x0` and `x1` in halves of eight k, for both rows: of each the products of the lower half, those of the upper
/// half added in 16 bits, and neighbours of these added to the accumulator. What is behind the semicolon stands behind one of these each.
macro_rules! columns {
    ($x:literal, $i:literal, $j:literal; $($beside:literal)*) => {
        columns!(
            @ [
                (concat!("smull {t0:v}.8h, {a0:v}.8b, {", $x, "0:v}.8b"))
                (concat!("smull {t1:v}.8h, {b0:v}.8b, {", $x, "0:v}.8b"))
                (concat!("smull {t2:v}.8h, {a0:v}.8b, {", $x, "2:v}.8b"))
                (concat!("smull {t3:v}.8h, {b0:v}.8b, {", $x, "2:v}.8b"))
                (concat!("smlal {t0:v}.8h, {a1:v}.8b, {", $x, "1:v}.8b"))
                (concat!("smlal {t1:v}.8h, {b1:v}.8b, {", $x, "1:v}.8b"))
                (concat!("smlal {t2:v}.8h, {a1:v}.8b, {", $x, "3:v}.8b"))
                (concat!("smlal {t3:v}.8h, {b1:v}.8b, {", $x, "3:v}.8b"))
                (concat!("sadalp {c", $i, ":v}.4s, {t0:v}.8h"))
                (concat!("sadalp {d", $i, ":v}.4s, {t1:v}.8h"))
                (concat!("sadalp {c", $j, ":v}.4s, {t2:v}.8h"))
                (concat!("sadalp {d", $j, ":v}.4s, {t3:v}.8h"))
            ]
            [$($beside)*]
        )
    };
    (@ [$(($product:expr))*] [$($beside:literal)*]) => {
        concat!($($product, "\n", $beside, "\n"),*)
    };
}

/// Written for cores that execute in program order, by the rules of `pw_loops.rs`: no load is of more than 64 bits, and each stands
/// behind a multiplication. Cores that reorder instructions have slots left for so many loads, since only one of their pipes multiplies.
///
/// ```text
///   columns   0 1               2 3               4 5               6 7
///   words     x                 y                 x                 y
///   loads     y for 2 3         x for 4 5         y for 6 7         x for 0 1 and rows, of the next step
/// ```
/// The last step is outside of the loop, without the loads for the next one.
///
/// # Safety
/// `steps` is at least 1. Rows at `a` and `a + a_row` and the panel at `b` are readable for `steps` steps, of 16 and of 128 bytes.
#[inline(always)]
pub(crate) unsafe fn two_rows(
    c: &mut [int32x4_t; 8],
    d: &mut [int32x4_t; 8],
    a: *const u8,
    a_row: usize,
    b: *const u8,
    steps: usize,
) {
    // In bytes, from the last step backwards.
    let last = (steps - 1) * 16;
    // SAFETY: loads are of the steps that there are; nothing is written to memory.
    unsafe {
        asm!(
            "ldr {a0:d}, [{p0}, {i}]",
            "ldr {a1:d}, [{p1}, {i}]",
            "ldr {b0:d}, [{q0}, {i}]",
            "ldr {b1:d}, [{q1}, {i}]",
            "ldr {x0:d}, [{b}]",
            "ldr {x1:d}, [{b}, #8]",
            "ldr {x2:d}, [{b}, #16]",
            "ldr {x3:d}, [{b}, #24]",
            "cbz {i}, 3f",
            "2:",
            columns!("x", "0", "1";
                "ldr {y0:d}, [{b}, #32]" "ldr {y1:d}, [{b}, #40]" "ldr {y2:d}, [{b}, #48]" "ldr {y3:d}, [{b}, #56]"
                "" "" "" "" "" "" "" ""),
            columns!("y", "2", "3";
                "ldr {x0:d}, [{b}, #64]" "ldr {x1:d}, [{b}, #72]" "ldr {x2:d}, [{b}, #80]" "ldr {x3:d}, [{b}, #88]"
                "adds {i}, {i}, #16" "" "" "" "" "" "" ""),
            columns!("x", "4", "5";
                "ldr {y0:d}, [{b}, #96]" "ldr {y1:d}, [{b}, #104]" "ldr {y2:d}, [{b}, #112]" "ldr {y3:d}, [{b}, #120]"
                "add {b}, {b}, #128" "" "" "" "" "" "" ""),
            columns!("y", "6", "7";
                "ldr {x0:d}, [{b}]" "ldr {x1:d}, [{b}, #8]" "ldr {x2:d}, [{b}, #16]" "ldr {x3:d}, [{b}, #24]"
                "ldr {a0:d}, [{p0}, {i}]" "ldr {b0:d}, [{q0}, {i}]" "" ""
                "ldr {a1:d}, [{p1}, {i}]" "ldr {b1:d}, [{q1}, {i}]" "" ""),
            "b.ne 2b",
            "3:",
            columns!("x", "0", "1";
                "ldr {y0:d}, [{b}, #32]" "ldr {y1:d}, [{b}, #40]" "ldr {y2:d}, [{b}, #48]" "ldr {y3:d}, [{b}, #56]"
                "" "" "" "" "" "" "" ""),
            columns!("y", "2", "3";
                "ldr {x0:d}, [{b}, #64]" "ldr {x1:d}, [{b}, #72]" "ldr {x2:d}, [{b}, #80]" "ldr {x3:d}, [{b}, #88]"
                "" "" "" "" "" "" "" ""),
            columns!("x", "4", "5";
                "ldr {y0:d}, [{b}, #96]" "ldr {y1:d}, [{b}, #104]" "ldr {y2:d}, [{b}, #112]" "ldr {y3:d}, [{b}, #120]"
                "" "" "" "" "" "" "" ""),
            columns!("y", "6", "7"; "" "" "" "" "" "" "" "" "" "" "" ""),
            i = inout(reg) -(last as isize) => _,
            b = inout(reg) b => _,
            p0 = in(reg) a.add(last),
            p1 = in(reg) a.add(last + 8),
            q0 = in(reg) a.add(last + a_row),
            q1 = in(reg) a.add(last + a_row + 8),
            c0 = inout(vreg) c[0], c1 = inout(vreg) c[1], c2 = inout(vreg) c[2], c3 = inout(vreg) c[3],
            c4 = inout(vreg) c[4], c5 = inout(vreg) c[5], c6 = inout(vreg) c[6], c7 = inout(vreg) c[7],
            d0 = inout(vreg) d[0], d1 = inout(vreg) d[1], d2 = inout(vreg) d[2], d3 = inout(vreg) d[3],
            d4 = inout(vreg) d[4], d5 = inout(vreg) d[5], d6 = inout(vreg) d[6], d7 = inout(vreg) d[7],
            a0 = out(vreg) _, a1 = out(vreg) _, b0 = out(vreg) _, b1 = out(vreg) _,
            x0 = out(vreg) _, x1 = out(vreg) _, x2 = out(vreg) _, x3 = out(vreg) _,
            y0 = out(vreg) _, y1 = out(vreg) _, y2 = out(vreg) _, y3 = out(vreg) _,
            t0 = out(vreg) _, t1 = out(vreg) _, t2 = out(vreg) _, t3 = out(vreg) _,
            options(readonly, nostack),
        );
    }
}
