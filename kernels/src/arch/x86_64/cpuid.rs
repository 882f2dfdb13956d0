//! Features that the crate `cpufeatures` does not know. What they need of the operating system it does: the registers of AVX2 or AVX-512.

use core::arch::x86_64::__cpuid_count;

/// EAX and ECX of `cpuid`, leaf 7, or zeros where the CPU has no such subleaf.
#[allow(unused_unsafe)]
fn leaf7(subleaf: u32) -> (u32, u32) {
    // SAFETY: every x86-64 CPU has the instruction. (Newer compilers know that.)
    let (last, most) = unsafe { (__cpuid_count(0, 0).eax, __cpuid_count(7, 0).eax) };
    if last < 7 || subleaf > most {
        return (0, 0);
    }
    // SAFETY: as above.
    let found = unsafe { __cpuid_count(7, subleaf) };
    (found.eax, found.ecx)
}

/// AVX512-VNNI: `vpdpbusd` and its kin on registers of AVX-512.
pub(crate) fn avx512_vnni() -> bool {
    leaf7(0).1 & (1 << 11) != 0
}

/// AVX-VNNI: the same on those of AVX2.
pub(crate) fn avx_vnni() -> bool {
    leaf7(1).0 & (1 << 4) != 0
}
