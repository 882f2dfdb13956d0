//! The C API with arbitrary arguments over real buffers: what the tests of `kernels/capi` draw at random is here led by coverage.

#![no_main]

use libfuzzer_sys::fuzz_target;

// Some of it is for tests.
#[allow(dead_code)]
#[path = "../../kernels/capi/tests/abi/arbitrary.rs"]
mod arbitrary;
#[allow(dead_code)]
#[path = "../../kernels/capi/tests/abi/calls.rs"]
mod calls;

fuzz_target!(|bytes: &[u8]| {
    arbitrary::check(bytes);
});
