//! What the depthwise kernels share: stripes of patches, each a function of its own.

use crate::kernel::args::DwArgs;
use crate::scheme::Domain;

/// The loops over the patches of one height that see the same taps, as [`TileLoops`](crate::kernel::tiles::TileLoops) are those over tiles, and for
/// the same reason.
pub(crate) trait StripeLoops<D: Domain> {
    /// `stripes` stripes of `H` output rows at stride `S`, the first of them from row `y` on, in patches of up to `PW` columns which see
    /// `TH x TW` taps, in one of the ways of the kernel.
    ///
    /// # Safety
    /// As [`DwArgs`], for these taps and this stride; rows `y..y + stripes * H` are among those of `p`.
    unsafe fn stripes<
        const WAY: usize,
        const S: usize,
        const H: usize,
        const PW: usize,
        const TH: usize,
        const TW: usize,
    >(
        p: &DwArgs<D>,
        y: usize,
        stripes: usize,
    );
}

/// All rows of `p`: stripes of `PH` rows, at most 3, and a last one of what is left.
///
/// # Safety
/// As [`StripeLoops::stripes`]; the CPU has the features of the loops' ISA.
pub(crate) unsafe fn all<
    D: Domain,
    L: StripeLoops<D>,
    const WAY: usize,
    const S: usize,
    const PH: usize,
    const PW: usize,
    const TH: usize,
    const TW: usize,
>(
    p: &DwArgs<D>,
) {
    const { assert!(PH <= 3, "add heights below") }
    let (stripes, left) = (p.rows / PH, p.rows % PH);
    let y = stripes * PH;
    // SAFETY: the caller's promise; each arm takes as many rows as are left.
    unsafe {
        if stripes > 0 {
            L::stripes::<WAY, S, PH, PW, TH, TW>(p, 0, stripes);
        }
        // `const`, so that heights above are not even asked for.
        match left {
            2 if const { PH > 2 } => L::stripes::<WAY, S, 2, PW, TH, TW>(p, y, 1),
            1 if const { PH > 1 } => L::stripes::<WAY, S, 1, PW, TH, TW>(p, y, 1),
            _ => {}
        }
    }
}
