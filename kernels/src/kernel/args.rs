//! What a micro-kernel is told, and the rows of the tables. The lists of conditions on the argument structs are the safety
//! contract of every kernel; each `// SAFETY:` in a driver or kernel walks them.

use core::fmt;

use crate::isa::Isa;
use crate::scheme::{Domain, Scheme};

/// Arguments of a pointwise (GEMM) kernel: `m` rows of A times the packed panels of B, into `m` rows of C.
///
/// ```text
///            k of segment 0    k of segment 1          one panel: nr columns
/// row 0   a: [..............]  [..............]        [ bias: nr                        ]
/// row 1      [..............]  [..............]        [ k_first   -> segment 0: k x nr  ]
///  :          `-- a_segment --'                        [ + k_segment -> segment 1: k x nr]
/// ```
///
/// A pointwise convolution has one segment of `c_in` elements. A dense 3x3 convolution has one for each row of the window,
/// of `3 * c_in` elements, which lie side by side in NHWC; taps in the padding are left out by making it shorter. Where there are
/// gaps between pixels, a segment is in `pieces` of `k` elements; otherwise it is one piece.
///
/// A kernel with a preparation meets prepared rows instead, `a_row` bytes apart, of one segment and one piece of `k` elements; or, where
/// [`Scheme::met_in_place`] or [`Scheme::windows_in_place`] say so, rows as they lie.
///
/// # Safety
/// A kernel may be called when
/// 1. the CPU has the features of the kernel's ISA;
/// 2. for `r < m`, `s < segments` and `q < pieces`, `a + r * a_row + s * a_segment + q * a_piece` is readable for `k` elements
///    (prepared: `a + r * a_row` is readable for the bytes of a row), and with `whole_windows` for what is said there;
/// 3. `b` points to `ceil(n / nr)` panels `b_panel` bytes apart, 64-byte aligned, packed for this kernel, each of which holds the
///    `nr` biases and at least `k_first + (segments - 1) * k_segment + pieces * k` rows;
/// 4. for `r < m`, `c + r * c_row` is writable for `n` elements, which nothing else uses during the call;
/// 5. `residual` is null or, for `r < m`, `residual + r * residual_row` is readable for `n` elements;
/// 6. `m` and `n` are at least 1.
#[derive(Clone, Copy, Debug)]
pub struct PwArgs<D: Domain> {
    pub(crate) m: usize,
    pub(crate) n: usize,
    /// Elements of a piece.
    pub(crate) k: usize,
    /// Pieces of a segment.
    pub(crate) pieces: usize,
    /// Segments of a row.
    pub(crate) segments: usize,
    pub(crate) a: *const D::Elem,
    /// Elements from a row to the next.
    pub(crate) a_row: usize,
    /// Elements from a segment to the next.
    pub(crate) a_segment: usize,
    /// Elements from a piece to the next.
    pub(crate) a_piece: usize,
    /// Of quantised schemes, which bits of every element of A are the other way round.
    pub(crate) flip: u8,
    /// Whether `a + r * a_row + s * a_segment` is readable for as many elements as a panel has rows for a segment, and these are all that an
    /// output is made of.
    pub(crate) whole_windows: bool,
    /// Where a quantised kernel meets segments in place, what it changes the bits of elements by.
    #[cfg_attr(not(feature = "qs8"), allow(dead_code))]
    pub(crate) change: u8,
    /// Bytes in front of the words of a prepared row; 0 where rows are met in place.
    #[cfg_attr(not(feature = "qs8"), allow(dead_code))]
    pub(crate) header: usize,
    pub(crate) b: *const u8,
    /// Bytes from a panel to the next.
    pub(crate) b_panel: usize,
    /// Row of the panel (counted behind the bias) that meets the first element of segment 0.
    pub(crate) k_first: usize,
    /// Rows of the panel from a segment to the next.
    pub(crate) k_segment: usize,
    pub(crate) c: *mut D::Elem,
    /// Elements from a row to the next.
    pub(crate) c_row: usize,
    pub(crate) residual: *const D::Elem,
    /// Elements from a row to the next.
    pub(crate) residual_row: usize,
    pub(crate) epilogue: D::Epilogue,
    /// Which loop over tiles is outside.
    pub(crate) order: Order,
}

/// Which loop over tiles is outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// A tile of rows meets all panels, then the next tile: panels stay in cache, rows stream.
    RowsOutside,
    /// A panel meets all tiles of rows, then the next panel: rows stay in cache, panels stream.
    PanelsOutside,
}

/// A row of a table of pointwise kernels: how a kernel wants its weights packed, and the kernel. It can be had from the tables
/// only, so that a name, a tile and a function always belong together.
pub struct PwKernel<S: Scheme> {
    pub(crate) name: &'static str,
    pub(crate) isa: Isa,
    /// Rows of a tile.
    pub(crate) mr: usize,
    /// Columns of a tile and of a packed panel.
    pub(crate) nr: usize,
    /// How it wants weights and rows laid out.
    pub(crate) form: S::PwForm,
    /// Where the kernel wants rows of A in a form of its own: what writes them.
    pub(crate) prepare: Option<Prepare<S::Domain>>,
    pub(crate) run: unsafe fn(&PwArgs<S::Domain>),
}

/// Writes the rows of a [`Block`].
pub(crate) type Prepare<D> = unsafe fn(&PwArgs<D>, &Block);

/// Rows that are brought into a kernel's own form: rows `first..first + rows` of the arguments, each of `depth` elements
/// once the taps in the padding are filled in.
///
/// # Safety
/// A preparation may be called when conditions 1, 2 and 6 of [`PwArgs`] hold, `first + rows <= m`,
/// `k_first + (segments - 1) * k_segment + pieces * k <= depth`, and `to` is writable for `rows * row_bytes` bytes, which nothing else uses
/// and of which `row_bytes` are what [`Scheme::row_bytes`] says.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(feature = "qs8"), allow(dead_code))]
pub struct Block {
    pub(crate) first: usize,
    pub(crate) rows: usize,
    pub(crate) depth: usize,
    pub(crate) to: *mut u8,
    pub(crate) row_bytes: usize,
}

/// Arguments of a depthwise 3x3 kernel: a rectangle of output pixels that all see the same taps.
///
/// ```text
/// packed weights, for each tile of ct channels:  [ bias: ct ][ w00: ct ][ w01: ct ] ... [ w22: ct ]
/// ```
///
/// # Safety
/// A kernel may be called when
/// 1. the CPU has the features of the kernel's ISA;
/// 2. for every output pixel `(y, x)` with `y < rows`, `x < cols` and every tap `(i, j)` with `i < taps_h`, `j < taps_w`,
///    `input + (y * stride + i) * input_row + (x * stride + j) * input_col` is readable for `channels` elements, where `stride` is
///    the one that the function was written for;
/// 3. `weights` points to `ceil(channels / ct)` tiles, the first of them 64-byte aligned, packed for this kernel, and
///    `tap_y + taps_h <= 3`, `tap_x + taps_w <= 3`;
/// 4. for every output pixel, `output + y * output_row + x * output_col` is writable for `channels` elements, which nothing else
///    uses during the call;
/// 5. `rows`, `cols` and `channels` are at least 1; where `taps_h` or `taps_w` is 0, nothing is read from `input`.
#[derive(Clone, Copy, Debug)]
pub struct DwArgs<D: Domain> {
    /// Input pixel under the first valid tap of the first output pixel.
    pub(crate) input: *const D::Elem,
    /// Elements from an input row to the next.
    pub(crate) input_row: usize,
    /// Elements from an input pixel to the next.
    pub(crate) input_col: usize,
    pub(crate) output: *mut D::Elem,
    /// Elements from an output row to the next.
    pub(crate) output_row: usize,
    /// Elements from an output pixel to the next.
    pub(crate) output_col: usize,
    /// Output rows.
    pub(crate) rows: usize,
    /// Output columns.
    pub(crate) cols: usize,
    pub(crate) channels: usize,
    pub(crate) weights: *const u8,
    /// First row of the window that is used.
    pub(crate) tap_y: usize,
    /// Rows of the window that are used.
    pub(crate) taps_h: usize,
    /// First column of the window that is used.
    pub(crate) tap_x: usize,
    /// Columns of the window that are used.
    pub(crate) taps_w: usize,
    pub(crate) epilogue: D::Epilogue,
}

/// A row of a table of depthwise 3x3 kernels: a function for each stride over weights packed the same way.
pub struct DwKernel<S: Scheme> {
    pub(crate) name: &'static str,
    pub(crate) isa: Isa,
    /// Channels of a tile of packed weights.
    pub(crate) ct: usize,
    /// How it wants weights laid out.
    #[cfg_attr(not(feature = "qs8"), allow(dead_code))]
    pub(crate) form: S::DwForm,
    pub(crate) stride1: unsafe fn(&DwArgs<S::Domain>),
    pub(crate) stride2: unsafe fn(&DwArgs<S::Domain>),
}

impl<S: Scheme> PwKernel<S> {
    /// The same functions for another scheme of their domain.
    #[cfg(feature = "qs8")]
    pub(crate) const fn as_scheme<T: Scheme<Domain = S::Domain, PwForm = S::PwForm>>(
        &self,
        name: &'static str,
    ) -> PwKernel<T> {
        PwKernel {
            name,
            isa: self.isa,
            mr: self.mr,
            nr: self.nr,
            form: self.form,
            prepare: self.prepare,
            run: self.run,
        }
    }

    /// `pw_<dtype>_<mr>x<nr>__<isa>`
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The instruction set it is written for.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Rows and columns of its register tile.
    pub fn tile(&self) -> (usize, usize) {
        (self.mr, self.nr)
    }
}

impl<S: Scheme> DwKernel<S> {
    /// The same functions for another scheme of their domain.
    #[cfg(feature = "qs8")]
    pub(crate) const fn as_scheme<T: Scheme<Domain = S::Domain, DwForm = S::DwForm>>(
        &self,
        name: &'static str,
    ) -> DwKernel<T> {
        DwKernel {
            name,
            isa: self.isa,
            ct: self.ct,
            form: self.form,
            stride1: self.stride1,
            stride2: self.stride2,
        }
    }

    /// `dw3x3_<dtype>_<ct>c__<isa>`
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The instruction set it is written for.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Channels of a tile of its packed weights.
    pub fn channel_tile(&self) -> usize {
        self.ct
    }
}

impl<S: Scheme> fmt::Debug for PwKernel<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl<S: Scheme> fmt::Debug for DwKernel<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
