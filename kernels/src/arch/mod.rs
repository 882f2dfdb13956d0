//! Instances of the inner loops for each ISA, and hand-tuned bodies: each file ends in constants that are rows of the tables.

#[cfg(all(
    target_arch = "aarch64",
    target_feature = "neon",
    not(any(test, dwsep_generic))
))]
pub(crate) mod aarch64;
pub(crate) mod generic;
pub(crate) mod prefetch;
#[cfg(target_arch = "x86_64")]
pub(crate) mod x86_64;

/// A row of a table: the function with the ISA's features around the generic body, and the facts about its tile, from the same
/// numbers, so that they cannot disagree.
macro_rules! pw_f32 {
    ($row:ident, $name:literal, $isa:ident, $features:ident, $v:ty, $mr:literal x $nv:literal) => {
        pub(crate) const $row: crate::kernel::args::PwKernel<crate::scheme::F32> = {
            struct Loops;
            impl crate::kernel::tiles::TileLoops<crate::scheme::F32> for Loops {
                $features! {
                    #[inline(never)]
                    unsafe fn tiles<const M: usize, const USED: usize, const WAY: usize>(
                        p: &crate::kernel::args::PwArgs<crate::scheme::F32>,
                        area: crate::kernel::tiles::Area,
                        ahead: &mut crate::kernel::tiles::Ahead,
                    ) {
                        // SAFETY: the caller's promise; the features are this function's.
                        unsafe { crate::kernel::pointwise_f32::tiles::<$v, M, USED, $nv, WAY>(p, area, ahead) }
                    }
                }
            }
            $features! {
                /// # Safety
                /// As `PwArgs`.
                unsafe fn run(p: &crate::kernel::args::PwArgs<crate::scheme::F32>) {
                    // SAFETY: the caller's promise; the features are this function's.
                    unsafe { crate::kernel::pointwise_f32::run::<$v, Loops, $mr, $nv>(p) }
                }
            }
            crate::kernel::args::PwKernel {
                name: $name,
                isa: crate::isa::Isa::$isa,
                mr: $mr,
                nr: $nv * <$v as crate::simd::Vf32>::LANES,
                form: (),
                prepare: None,
                run,
            }
        };
    };
}
pub(crate) use pw_f32;

/// As `pw_f32`, for depthwise kernels: the patch (output rows x columns) at each stride.
macro_rules! dw_f32 {
    ($row:ident, $name:literal, $isa:ident, $features:ident, $v:ty, s1 $h1:literal x $w1:literal, s2 $h2:literal x $w2:literal) => {
        pub(crate) const $row: crate::kernel::args::DwKernel<crate::scheme::F32> = {
            struct Loops;
            impl crate::kernel::stripes::StripeLoops<crate::scheme::F32> for Loops {
                $features! {
                    #[inline(never)]
                    unsafe fn stripes<
                        const WAY: usize,
                        const S: usize,
                        const H: usize,
                        const PW: usize,
                        const TH: usize,
                        const TW: usize,
                    >(
                        p: &crate::kernel::args::DwArgs<crate::scheme::F32>,
                        y: usize,
                        stripes: usize,
                    ) {
                        // SAFETY: the caller's promise; the features are this function's.
                        unsafe { crate::kernel::depthwise_f32::stripes::<$v, S, H, PW, TH, TW>(p, y, stripes) }
                    }
                }
            }
            $features! {
                /// # Safety
                /// As `DwArgs`, stride 1.
                unsafe fn stride1(p: &crate::kernel::args::DwArgs<crate::scheme::F32>) {
                    // SAFETY: the caller's promise; the features are this function's.
                    unsafe { crate::kernel::depthwise_f32::run::<$v, Loops, 1, $h1, $w1>(p) }
                }
            }
            $features! {
                /// # Safety
                /// As `DwArgs`, stride 2.
                unsafe fn stride2(p: &crate::kernel::args::DwArgs<crate::scheme::F32>) {
                    // SAFETY: the caller's promise; the features are this function's.
                    unsafe { crate::kernel::depthwise_f32::run::<$v, Loops, 2, $h2, $w2>(p) }
                }
            }
            crate::kernel::args::DwKernel {
                name: $name,
                isa: crate::isa::Isa::$isa,
                ct: <$v as crate::simd::Vf32>::LANES,
                form: (),
                stride1,
                stride2,
            }
        };
    };
}
pub(crate) use dw_f32;

/// As `pw_f32`, for the quantised schemes, a row each with the same functions: how many `k` a step takes, and of what.
#[cfg(feature = "qs8")]
macro_rules! pw_q8 {
    ($qs8:ident $qs8_name:literal, $qu8:ident $qu8_name:literal, $isa:ident, $features:ident, $v:ty, $mr:literal x $nv:literal, $word:ident x $kr:literal) => {
        pub(crate) const $qs8: crate::kernel::args::PwKernel<crate::scheme::Qs8> = {
            const FORM: crate::pack::FormQ8 = crate::pack::FormQ8 {
                kr: $kr,
                word: crate::pack::Word::$word,
                in_place: matches!(
                    crate::pack::Word::$word,
                    crate::pack::Word::Unsigned
                        | crate::pack::Word::Signed
                        | crate::pack::Word::SignedPairs
                ),
                windows: <$v as crate::simd::q8::Sums>::WINDOWS,
            };
            // What one broadcast of a row's words meets.
            const { assert!(FORM.kr * FORM.bytes() == <$v as crate::simd::q8::Sums>::STEP) }
            $features! {
                /// # Safety
                /// As `Block`.
                unsafe fn prepare(
                    p: &crate::kernel::args::PwArgs<crate::scheme::Bytes>,
                    block: &crate::kernel::args::Block,
                ) {
                    // SAFETY: the caller's promise; the features are this function's.
                    unsafe { crate::kernel::prepare_q8::run::<$v>(p, block, FORM) }
                }
            }
            struct Loops;
            impl crate::kernel::tiles::TileLoops<crate::scheme::Bytes> for Loops {
                $features! {
                    #[inline(never)]
                    unsafe fn tiles<const M: usize, const USED: usize, const WAY: usize>(
                        p: &crate::kernel::args::PwArgs<crate::scheme::Bytes>,
                        area: crate::kernel::tiles::Area,
                        ahead: &mut crate::kernel::tiles::Ahead,
                    ) {
                        // SAFETY: the caller's promise; the features are this function's.
                        unsafe { crate::kernel::pointwise_q8::tiles::<$v, M, USED, $nv, $kr, WAY>(p, area, ahead) }
                    }
                }
            }
            $features! {
                /// # Safety
                /// As `PwArgs`.
                unsafe fn run(p: &crate::kernel::args::PwArgs<crate::scheme::Bytes>) {
                    // SAFETY: the caller's promise; the features are this function's.
                    unsafe { crate::kernel::pointwise_q8::run::<$v, Loops, $mr, $nv, $kr>(p) }
                }
            }
            crate::kernel::args::PwKernel {
                name: $qs8_name,
                isa: crate::isa::Isa::$isa,
                mr: $mr,
                nr: $nv * <$v as crate::simd::q8::Sums>::LANES,
                form: FORM,
                prepare: Some(prepare),
                run,
            }
        };
        pub(crate) const $qu8: crate::kernel::args::PwKernel<crate::scheme::Qu8> =
            $qs8.as_scheme($qu8_name);
    };
}
#[cfg(feature = "qs8")]
pub(crate) use pw_q8;

/// As `dw_f32`, for the quantised schemes: `each` with functions of its own, or the same for `both`.
#[cfg(feature = "qs8")]
macro_rules! dw_q8 {
    (each $qs8:ident $qs8_name:literal, $qu8:ident $qu8_name:literal, $isa:ident, $features:ident, $v:ty, s1 $h1:literal x $w1:literal, s2 $h2:literal x $w2:literal) => {
        crate::arch::dw_q8!(@row $qs8 $qs8_name, Qs8, false, $isa, $features, $v, $h1 x $w1, $h2 x $w2);
        crate::arch::dw_q8!(@row $qu8 $qu8_name, Qu8, true, $isa, $features, $v, $h1 x $w1, $h2 x $w2);
    };
    (both $qs8:ident $qs8_name:literal, $qu8:ident $qu8_name:literal, $isa:ident, $features:ident, $v:ty, s1 $h1:literal x $w1:literal, s2 $h2:literal x $w2:literal) => {
        crate::arch::dw_q8!(@row $qs8 $qs8_name, Qs8, false, $isa, $features, $v, $h1 x $w1, $h2 x $w2);
        pub(crate) const $qu8: crate::kernel::args::DwKernel<crate::scheme::Qu8> = $qs8.as_scheme($qu8_name);
    };
    (@row $row:ident $name:literal, $scheme:ident, $unsigned:literal, $isa:ident, $features:ident, $v:ty, $h1:literal x $w1:literal, $h2:literal x $w2:literal) => {
        pub(crate) const $row: crate::kernel::args::DwKernel<crate::scheme::$scheme> = {
            struct Loops;
            impl crate::kernel::stripes::StripeLoops<crate::scheme::Bytes> for Loops {
                $features! {
                    #[inline(never)]
                    unsafe fn stripes<
                        const WAY: usize,
                        const S: usize,
                        const H: usize,
                        const PW: usize,
                        const TH: usize,
                        const TW: usize,
                    >(
                        p: &crate::kernel::args::DwArgs<crate::scheme::Bytes>,
                        y: usize,
                        stripes: usize,
                    ) {
                        // SAFETY: the caller's promise; the features are this function's.
                        unsafe { crate::kernel::depthwise_q8::stripes::<$v, $unsigned, WAY, S, H, PW, TH, TW>(p, y, stripes) }
                    }
                }
            }
            $features! {
                /// # Safety
                /// As `DwArgs`, stride 1.
                unsafe fn stride1(p: &crate::kernel::args::DwArgs<crate::scheme::Bytes>) {
                    // SAFETY: the caller's promise; the features are this function's.
                    unsafe { crate::kernel::depthwise_q8::run::<$v, Loops, $unsigned, 1, $h1, $w1>(p) }
                }
            }
            $features! {
                /// # Safety
                /// As `DwArgs`, stride 2.
                unsafe fn stride2(p: &crate::kernel::args::DwArgs<crate::scheme::Bytes>) {
                    // SAFETY: the caller's promise; the features are this function's.
                    unsafe { crate::kernel::depthwise_q8::run::<$v, Loops, $unsigned, 2, $h2, $w2>(p) }
                }
            }
            crate::kernel::args::DwKernel {
                name: $name,
                isa: crate::isa::Isa::$isa,
                ct: <$v as crate::simd::q8::Pixels>::LANES,
                form: crate::pack::DwFormQ8 {
                    pairs: <$v as crate::simd::q8::Pixels>::PAIRS,
                    slot: <$v as crate::simd::q8::Pixels>::SLOT,
                    unsigned: $unsigned,
                },
                stride1,
                stride2,
            }
        };
    };
}
#[cfg(feature = "qs8")]
pub(crate) use dw_q8;

/// As `pw_f32`, for the peak of an ISA: how many chains of its vectors.
#[cfg(feature = "std")]
macro_rules! peak_f32 {
    ($row:ident, $isa:ident, $features:ident, $v:ty, $chains:expr) => {
        pub(crate) const $row: crate::kernel::peak::PeakKernel = {
            const ISA: crate::isa::Isa = crate::isa::Isa::$isa;
            $features! {
                /// # Safety
                /// As `PeakKernel::run`.
                unsafe fn run(steps: usize) {
                    // SAFETY: the features are this function's.
                    unsafe { crate::kernel::peak::run::<$v, { $chains }, { ISA.fuses() }>(steps) }
                }
            }
            crate::kernel::peak::PeakKernel {
                isa: ISA,
                flops: 2 * $chains * <$v as crate::simd::Vf32>::LANES,
                run,
            }
        };
    };
}
#[cfg(feature = "std")]
pub(crate) use peak_f32;
