//! The C ABI of [`dwsep`]: what a C programmer needs is in the header, `include/dwsep.h`, which cbindgen makes of this crate, and in
//! `docs/c-api.md`. From Rust, use `dwsep` itself.
//!
//! ```text
//! dwsep_weights   packed weights of a convolution       Rust: PackedDepthwise, PackedPointwise, PackedConv3x3
//! dwsep_op        an op of one input shape              Rust: Depthwise, Pointwise, Conv3x3, Separable, ...
//! dwsep_op_run    some rows of it, on this thread       Rust: run_rows
//! ```
//!
//! # Where what is
//!
//! `types` has the structs and enums under the names of the header. `boundary` is the fence: the only place that follows pointers. `tensor`
//! checks where tensors lie. `status` turns errors and panics into statuses. `weights` and `ops` have the functions of the header; what an op
//! does with its rows is in `op` and `plain`. To add an op: its rows in `op` or `plain`, a function in `ops`, and
//! `DWSEP_WRITE_HEADER=1 cargo test -p dwsep-capi --test header`.
//!
//! Handles are virtual (`Box<dyn ...>`), so that a statically linked program that packs no integers has no kernels of integers.
#![allow(
    non_camel_case_types,
    reason = "names are those of the header, so that they are found in both"
)]

mod boundary;
mod isa;
mod op;
mod ops;
mod plain;
mod shapes;
mod status;
mod tensor;
mod types;
mod weights;

pub use isa::{dwsep_isa_from_name, dwsep_isa_list, dwsep_isa_name, dwsep_isa_resolve};
pub use op::dwsep_op;
pub use ops::*;
pub use shapes::*;
pub use types::*;
pub use weights::*;

use core::ffi::c_char;

use boundary::Caller;
use status::{Message, guard};

/// The version of the ABI that this header describes. Programs that were built with one run with every library of the same, whatever its
/// `dwsep_version`.
pub const DWSEP_ABI_VERSION: u32 = 1;

/// DWSEP_ABI_VERSION of the library that is linked. Other than the header's: do not call anything else.
#[unsafe(no_mangle)]
pub extern "C" fn dwsep_abi_version() -> u32 {
    DWSEP_ABI_VERSION
}

/// The version of the library that is linked, as "1.2.3". It is never freed.
#[unsafe(no_mangle)]
pub extern "C" fn dwsep_version() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
}

/// What a status means, in a few English words. It is never freed, and never NULL: "unknown status" for a number that is none.
#[unsafe(no_mangle)]
pub extern "C" fn dwsep_status_string(status: dwsep_raw_status) -> *const c_char {
    status::text(status).as_ptr()
}

/// The message of the last refusal in the calling thread, which names the operand, what was found and what was expected: `*needed` becomes
/// its length without the terminating NUL, 0 if there was none. As much of it as there is room for in the `len` bytes from `message` on is
/// written there, and a NUL; nothing where `len` is 0.
///
/// DWSEP_NULL_POINTER, DWSEP_MISALIGNED, DWSEP_SIZE_OVERFLOW; of these no message is kept.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dwsep_last_error_message(
    message: *mut c_char,
    len: usize,
    needed: *mut usize,
) -> dwsep_status {
    // SAFETY: this function's caller promises it.
    let caller = unsafe { Caller::promises() };
    let last = Message::last();
    let status = guard(|| {
        caller.put(needed, "needed", last.text().len())?;
        caller.put_text(message, len, last.text())
    });
    last.keep();
    status
}
