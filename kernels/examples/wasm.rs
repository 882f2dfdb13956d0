//! The kernels' self-checks as functions that a host of WebAssembly calls: `tools/test-wasm.sh` builds this for wasm32 with simd128, and
//! runs it in Node. `kernels` counts, the others take the index of one.

use dwsep::KernelInfo;

fn kernel(index: usize) -> Option<KernelInfo> {
    dwsep::kernels().nth(index)
}

/// How many kernels there are in this build.
#[unsafe(no_mangle)]
pub extern "C" fn kernels() -> usize {
    dwsep::kernels().count()
}

/// The first byte of a kernel's name.
#[unsafe(no_mangle)]
pub extern "C" fn name(index: usize) -> *const u8 {
    kernel(index).map_or("", |kernel| kernel.name()).as_ptr()
}

/// The length of a kernel's name in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn name_len(index: usize) -> usize {
    kernel(index).map_or("", |kernel| kernel.name()).len()
}

/// 1 if a kernel gives the bits of its reference, 0 if not, -1 if it cannot run here.
#[unsafe(no_mangle)]
pub extern "C" fn check(index: usize) -> i32 {
    match kernel(index).filter(|kernel| kernel.isa().is_available()) {
        Some(kernel) => i32::from(kernel.self_check().is_ok()),
        None => -1,
    }
}
