//! The instruction sets that kernels are written for, and how a CPU is asked for them.
//!
//! An ISA's features are written once, in the `features!` lines below. Each line makes a macro of the ISA's name, which puts
//! `#[target_feature]` with these features on a function, and (on x86) a module of that name which asks the CPU for the same
//! features. A gate that differs from the code behind it would be an illegal instruction on somebody's board.

use core::fmt;
use core::str::FromStr;

use alloc::boxed::Box;

use crate::{Error, Result};

#[cfg(target_arch = "x86_64")]
macro_rules! features {
    ($d:tt $name:ident: $($feature:tt),+ $(; $more:tt)?) => {
        cpufeatures::new!($name, $($feature),+);
        macro_rules! $name {
            ($d(#[$d meta:meta])* $d vis:vis unsafe fn $d f:ident $d(<$d(const $d c:ident: $d cty:ty),+ $d(,)?>)? ($d($d arg:ident: $d ty:ty),+ $d(,)?) $d body:block) => {
                $d(#[$d meta])*
                #[target_feature($(enable = $feature),+ $(, enable = $more)?)]
                $d vis unsafe fn $d f $d(<$d(const $d c: $d cty),+>)? ($d($d arg: $d ty),+) $d body
            };
        }
    };
}

/// As on x86-64. The standard library asks, which `core` cannot: without the feature `std` there is what the whole build is compiled for.
#[cfg(all(feature = "qs8", target_arch = "aarch64", target_feature = "neon"))]
macro_rules! features {
    ($d:tt $name:ident: $($feature:tt),+) => {
        mod $name {
            #[cfg(feature = "std")]
            pub(super) fn get() -> bool {
                $(std::arch::is_aarch64_feature_detected!($feature))&&+
            }
            #[cfg(not(feature = "std"))]
            pub(super) fn get() -> bool {
                $(cfg!(target_feature = $feature))&&+
            }
        }
        macro_rules! $name {
            ($d(#[$d meta:meta])* $d vis:vis unsafe fn $d f:ident $d(<$d(const $d c:ident: $d cty:ty),+ $d(,)?>)? ($d($d arg:ident: $d ty:ty),+ $d(,)?) $d body:block) => {
                $d(#[$d meta])*
                #[target_feature($(enable = $feature),+)]
                $d vis unsafe fn $d f $d(<$d(const $d c: $d cty),+>)? ($d($d arg: $d ty),+) $d body
            };
        }
    };
}

#[cfg(target_arch = "x86_64")]
features!($ avx2_fma: "avx2", "fma");
#[cfg(target_arch = "x86_64")]
features!($ avx512: "avx512f", "avx512bw", "avx512vl", "avx2", "fma");

// Behind the semicolon: what `cpufeatures` does not know and `arch/x86_64/cpuid.rs` asks for.
#[cfg(all(feature = "qs8", target_arch = "x86_64"))]
features!($ avx_vnni: "avx2", "fma"; "avxvnni");
#[cfg(all(feature = "qs8", target_arch = "x86_64"))]
features!($ avx512_vnni: "avx512f", "avx512bw", "avx512vl", "avx2", "fma"; "avx512vnni");

#[cfg(all(feature = "qs8", target_arch = "aarch64", target_feature = "neon"))]
features!($ neon_dotprod: "dotprod");
#[cfg(all(feature = "qs8", target_arch = "aarch64", target_feature = "neon"))]
features!($ neon_i8mm: "i8mm");

/// NEON is part of AArch64's base: the compiler may use it everywhere, so there is nothing to ask and nothing to gate.
#[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
macro_rules! neon {
    ($($function:tt)+) => { $($function)+ };
}

/// No feature beyond what the target has anyway.
macro_rules! baseline {
    ($($function:tt)+) => { $($function)+ };
}

/// An instruction set, or a way to use one, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Isa {
    /// Plain Rust, on any target. Does not fuse multiply and add.
    Scalar,
    /// The crate `wide`: SSE2, wasm simd128, or arrays. Does not fuse multiply and add. Needs the feature `portable`.
    Portable,
    /// AVX2 and FMA on x86-64.
    Avx2Fma,
    /// AVX2 and AVX-VNNI on x86-64: kernels of 8-bit integers (feature `qs8`) for CPUs that have VNNI and no AVX-512.
    AvxVnni,
    /// AVX-512 (F, BW, VL) on x86-64, on registers of 512 bits: kernels of f32.
    Avx512,
    /// AVX-512 (F, BW, VL) and AVX512-VNNI on x86-64: kernels of 8-bit integers (feature `qs8`), beside those of [`Isa::Avx512`].
    Avx512Vnni,
    /// Advanced SIMD on AArch64, with loops for cores that execute in program order: Cortex-A35, A53, A55. It runs on every core,
    /// and gives the same bits; on a machine where it is the best, asking for [`Isa::Neon`] by name gives that.
    NeonInOrder,
    /// Advanced SIMD on AArch64.
    Neon,
    /// The dot products of Armv8.2 (`sdot`) on AArch64: kernels of 8-bit integers (feature `qs8`). Needs the feature `std` to be found.
    NeonDotprod,
    /// The matrix products of Armv8.6 (`smmla`) on AArch64: kernels of 8-bit integers (feature `qs8`). Needs the feature `std` to be found.
    NeonI8mm,
}

impl Isa {
    /// All of them, weakest first, whether this build has them or not.
    pub const ALL: &'static [Isa] = &[
        Isa::Scalar,
        Isa::Portable,
        Isa::Avx2Fma,
        Isa::AvxVnni,
        Isa::Avx512,
        Isa::Avx512Vnni,
        Isa::NeonInOrder,
        Isa::Neon,
        Isa::NeonDotprod,
        Isa::NeonI8mm,
    ];

    /// As in kernel names and in `DWSEP_ISA`.
    pub const fn name(self) -> &'static str {
        match self {
            Isa::Scalar => "scalar",
            Isa::Portable => "portable",
            Isa::Avx2Fma => "avx2_fma",
            Isa::AvxVnni => "avx_vnni",
            Isa::Avx512 => "avx512",
            Isa::Avx512Vnni => "avx512_vnni",
            Isa::NeonInOrder => "neon_in_order",
            Isa::Neon => "neon",
            Isa::NeonDotprod => "neon_dotprod",
            Isa::NeonI8mm => "neon_i8mm",
        }
    }

    /// Whether a step of an accumulation is one fused multiply-add (and the results equal `reference::*_fma` bit for bit) or
    /// a multiplication and an addition (and they equal `reference::*`).
    pub const fn fuses(self) -> bool {
        match self {
            Isa::Scalar | Isa::Portable => false,
            Isa::Avx2Fma | Isa::AvxVnni | Isa::Avx512 | Isa::Avx512Vnni => true,
            Isa::NeonInOrder | Isa::Neon | Isa::NeonDotprod | Isa::NeonI8mm => true,
        }
    }

    /// Whether this build has kernels for it and this CPU and operating system can run them. Asked once, then remembered.
    pub fn is_available(self) -> bool {
        match self {
            Isa::Scalar => true,
            Isa::Portable => cfg!(all(feature = "portable", not(test))),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2Fma => avx2_fma::get(),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => avx512::get(),
            #[cfg(all(feature = "qs8", target_arch = "x86_64"))]
            Isa::AvxVnni => avx_vnni::get() && crate::arch::x86_64::cpuid::avx_vnni(),
            #[cfg(all(feature = "qs8", target_arch = "x86_64"))]
            Isa::Avx512Vnni => avx512_vnni::get() && crate::arch::x86_64::cpuid::avx512_vnni(),
            #[cfg(not(target_arch = "x86_64"))]
            Isa::Avx2Fma | Isa::Avx512 => false,
            #[cfg(not(all(feature = "qs8", target_arch = "x86_64")))]
            Isa::AvxVnni | Isa::Avx512Vnni => false,
            Isa::NeonInOrder | Isa::Neon => {
                cfg!(all(target_arch = "aarch64", target_feature = "neon"))
            }
            #[cfg(all(feature = "qs8", target_arch = "aarch64", target_feature = "neon"))]
            Isa::NeonDotprod => neon_dotprod::get(),
            #[cfg(all(feature = "qs8", target_arch = "aarch64", target_feature = "neon"))]
            Isa::NeonI8mm => neon_i8mm::get(),
            #[cfg(not(all(feature = "qs8", target_arch = "aarch64", target_feature = "neon")))]
            Isa::NeonDotprod | Isa::NeonI8mm => false,
        }
    }

    /// Whether this machine is better off without its kernels, where something else is the maximum: [`Isa::Neon`] where no core
    /// reorders instructions, which takes the feature `std` and Linux to find out, and where [`Isa::NeonInOrder`] computes the same.
    pub(crate) fn is_passed_over(self) -> bool {
        #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
        if self == Isa::Neon {
            return crate::cores::all_in_order();
        }
        false
    }

    /// The best that is available. On AArch64 without dot products that is [`Isa::NeonInOrder`] where no core reorders instructions
    /// (which needs the feature `std` and Linux to find out), else [`Isa::Neon`].
    pub fn best() -> Isa {
        Isa::ALL
            .iter()
            .rev()
            .copied()
            .find(|isa| isa.is_available() && !isa.is_passed_over())
            .unwrap_or(Isa::Scalar)
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Isa {
    type Err = Error;

    fn from_str(name: &str) -> Result<Isa> {
        let known = Isa::ALL.iter().copied().find(|isa| isa.name() == name);
        known.ok_or_else(|| Error::UnknownIsa {
            name: Box::from(name),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_there_and_back() {
        for &isa in Isa::ALL {
            assert_eq!(isa.name().parse(), Ok(isa));
        }
        assert_eq!(
            "avx9".parse::<Isa>(),
            Err(Error::UnknownIsa {
                name: "avx9".into()
            })
        );
    }

    #[test]
    fn the_best_is_available() {
        assert!(Isa::best().is_available());
        assert!(Isa::Scalar.is_available());
    }
}
