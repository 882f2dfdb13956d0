//! See `against_references`.

#![no_main]

use dwsep::testing::Op;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| mobilenet_fuzz::against_references(Op::Conv3x3, bytes));
