//! Instruction sets: what there is, and the kernels up to a maximum.

use core::ffi::{CStr, c_char};

use dwsep::{Isa, KernelSet};

use crate::boundary::Caller;
use crate::status::{Failure, guard};
use crate::types::dwsep_isa::{self, *};
use crate::types::{dwsep_raw_isa, dwsep_status};

/// Each with its number and its name: the one place that knows them. In the order of their numbers, from 1.
const ALL: &[(dwsep_isa, Isa, &CStr)] = &[
    (DWSEP_ISA_SCALAR, Isa::Scalar, c"scalar"),
    (DWSEP_ISA_PORTABLE, Isa::Portable, c"portable"),
    (DWSEP_ISA_AVX2_FMA, Isa::Avx2Fma, c"avx2_fma"),
    (DWSEP_ISA_AVX_VNNI, Isa::AvxVnni, c"avx_vnni"),
    (DWSEP_ISA_AVX512_VNNI, Isa::Avx512Vnni, c"avx512_vnni"),
    (DWSEP_ISA_NEON_IN_ORDER, Isa::NeonInOrder, c"neon_in_order"),
    (DWSEP_ISA_NEON, Isa::Neon, c"neon"),
    (DWSEP_ISA_NEON_DOTPROD, Isa::NeonDotprod, c"neon_dotprod"),
    (DWSEP_ISA_NEON_I8MM, Isa::NeonI8mm, c"neon_i8mm"),
    (DWSEP_ISA_AVX512, Isa::Avx512, c"avx512"),
];

fn find(raw: dwsep_raw_isa) -> Option<&'static (dwsep_isa, Isa, &'static CStr)> {
    ALL.iter().find(|(number, ..)| *number as i32 == raw)
}

/// The number of an instruction set.
pub(crate) fn number(isa: Isa) -> dwsep_raw_isa {
    // A test sees to it that none is missing.
    let known = ALL.iter().find(|(_, known, _)| *known == isa);
    known.map_or(DWSEP_ISA_NATIVE, |(number, ..)| *number) as i32
}

/// The kernels up to what C names.
pub(crate) fn kernels(raw: dwsep_raw_isa) -> Result<KernelSet, Failure> {
    if raw == DWSEP_ISA_NATIVE as i32 {
        return Ok(KernelSet::native()?);
    }
    let (_, isa, _) = find(raw).ok_or(Failure::Value {
        operand: "isa",
        found: raw.into(),
        expected: "a dwsep_isa",
    })?;
    Ok(KernelSet::up_to(*isa)?)
}

/// The name of an instruction set, as DWSEP_ISA and kernels' names have it: "avx2_fma". It is never freed.
///
/// NULL for a number that is none, and for DWSEP_ISA_NATIVE. Those that this version knows count from 1 without gaps, so that counting up
/// to NULL meets them all.
#[unsafe(no_mangle)]
pub extern "C" fn dwsep_isa_name(isa: dwsep_raw_isa) -> *const c_char {
    find(isa).map_or(core::ptr::null(), |(.., name)| name.as_ptr())
}

/// The instruction set of a name of `name_len` bytes (a terminating NUL is not counted), whether this CPU has it or not.
///
/// DWSEP_NULL_POINTER, DWSEP_MISALIGNED, DWSEP_SIZE_OVERFLOW, DWSEP_UNKNOWN_ISA.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dwsep_isa_from_name(
    name: *const c_char,
    name_len: usize,
    isa: *mut dwsep_raw_isa,
) -> dwsep_status {
    // SAFETY: this function's caller promises it.
    let caller = unsafe { Caller::promises() };
    guard(|| {
        let name = caller.slice(name.cast::<u8>(), name_len, "name")?;
        let known: Isa = String::from_utf8_lossy(name).parse()?;
        caller.put(isa, "isa", number(known))
    })
}

/// What packing with `maximum` takes: the maximum itself, or less where the environment variable DWSEP_ISA names less. For
/// DWSEP_ISA_NATIVE the best that this CPU has.
///
/// DWSEP_NULL_POINTER; DWSEP_MISALIGNED; DWSEP_INVALID_VALUE; DWSEP_ISA_UNAVAILABLE for what this CPU or this build cannot run; DWSEP_UNKNOWN_ISA where
/// DWSEP_ISA names none.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dwsep_isa_resolve(
    maximum: dwsep_raw_isa,
    isa: *mut dwsep_raw_isa,
) -> dwsep_status {
    // SAFETY: this function's caller promises it.
    let caller = unsafe { Caller::promises() };
    guard(|| caller.put(isa, "isa", number(kernels(maximum)?.isa())))
}

/// The instruction sets that this CPU and this build can run, weakest first, whatever DWSEP_ISA says. Writes as many as there is room for
/// into `isas`, which has room for `len` (NULL with 0), and how many there are into `count`.
///
/// DWSEP_NULL_POINTER, DWSEP_MISALIGNED.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dwsep_isa_list(
    isas: *mut dwsep_raw_isa,
    len: usize,
    count: *mut usize,
) -> dwsep_status {
    // SAFETY: this function's caller promises it.
    let caller = unsafe { Caller::promises() };
    guard(|| {
        let available = || Isa::ALL.iter().filter(|isa| isa.is_available());
        caller.put(count, "count", available().count())?;
        for (i, &isa) in available().take(len).enumerate() {
            // A null pointer is seen at the first turn.
            caller.put(isas.wrapping_add(i), "isas", number(isa))?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instruction_set_has_a_number_and_its_name() {
        assert_eq!(ALL.len(), Isa::ALL.len());
        for &isa in Isa::ALL {
            let (_, _, name) = find(number(isa)).expect("a line of the table");
            assert_eq!(name.to_str(), Ok(isa.name()));
        }
        for (i, (number, ..)) in ALL.iter().enumerate() {
            assert_eq!(*number as usize, i + 1);
        }
    }
}
