//! What the library says of itself.

use std::ffi::{CStr, c_char};
use std::ptr;

use dwsep::Isa;
use dwsep_capi::dwsep_status::*;
use dwsep_capi::*;

use crate::calls::{Weights, last_message, pack};
use crate::statuses::filter_q8;

fn text<'a>(pointer: *const c_char) -> &'a str {
    assert!(!pointer.is_null());
    // SAFETY: a text of the library, which is never freed.
    let text = unsafe { CStr::from_ptr(pointer) };
    text.to_str().expect("English")
}

#[test]
fn versions_and_texts() {
    assert_eq!(text(dwsep_version()), env!("CARGO_PKG_VERSION"));
    assert_eq!(dwsep_abi_version(), DWSEP_ABI_VERSION);
    assert_eq!(text(dwsep_status_string(0)), "success");
    for status in 0..=DWSEP_INTERNAL as i32 {
        assert_ne!(text(dwsep_status_string(status)), "unknown status");
    }
    for status in [-1, DWSEP_INTERNAL as i32 + 1, i32::MIN, i32::MAX] {
        assert_eq!(text(dwsep_status_string(status)), "unknown status");
    }
}

#[test]
fn instruction_sets() {
    // Counting up meets them all.
    let names: Vec<_> = (1..)
        .map(|isa| dwsep_isa_name(isa))
        .take_while(|name| !name.is_null())
        .map(text)
        .collect();
    assert_eq!(names.len(), Isa::ALL.len());
    assert!(dwsep_isa_name(0).is_null() && dwsep_isa_name(-1).is_null());
    for (i, name) in names.iter().enumerate() {
        let mut isa = -1;
        // SAFETY: a name of that length, and room for a number.
        let status = unsafe { dwsep_isa_from_name(name.as_ptr().cast(), name.len(), &mut isa) };
        assert_eq!((status, isa), (DWSEP_OK, i as i32 + 1));
    }

    let mut count = 0;
    // SAFETY: nothing is written but the number.
    let status = unsafe { dwsep_isa_list(ptr::null_mut(), 0, &mut count) };
    assert_eq!(status, DWSEP_OK);
    let mut isas = vec![-7; count + 1];
    // SAFETY: there is room for one more than there are.
    let status = unsafe { dwsep_isa_list(isas.as_mut_ptr(), count + 1, &mut count) };
    assert_eq!((status, isas.pop()), (DWSEP_OK, Some(-7)));
    let found: Vec<_> = isas.iter().map(|&isa| text(dwsep_isa_name(isa))).collect();
    let available = Isa::ALL.iter().filter(|isa| isa.is_available());
    assert_eq!(found, available.map(|isa| isa.name()).collect::<Vec<_>>());
    // One that has no room for all.
    let mut first = [-7; 2];
    // SAFETY: there is room for one, and one more.
    let status = unsafe { dwsep_isa_list(first.as_mut_ptr(), 1, &mut count) };
    assert_eq!(
        (status, first, count),
        (DWSEP_OK, [isas[0], -7], isas.len())
    );

    for maximum in 0..=names.len() as i32 {
        let mut isa = -1;
        // SAFETY: room for a number.
        let status = unsafe { dwsep_isa_resolve(maximum, &mut isa) };
        if maximum == 0 || isas.contains(&maximum) {
            assert_eq!(status, DWSEP_OK);
            assert!(isas.contains(&isa));
            // Under a cap of the environment it is less.
            if std::env::var_os("DWSEP_ISA").is_none() && maximum != 0 {
                assert_eq!(isa, maximum);
            }
        } else {
            assert_eq!(status, DWSEP_ISA_UNAVAILABLE, "{maximum}");
            assert!(last_message().contains("scalar"), "{}", last_message());
        }
    }
}

#[test]
fn weights_say_what_they_are() {
    let weights = [1.0; 6];
    let filter = dwsep_filter_f32 {
        weights: weights.as_ptr(),
        weights_len: 6,
        bias: ptr::null(),
        bias_len: 0,
        flags: DWSEP_FLUSH_SUBNORMALS,
        reserved: 0,
    };
    let scalar = dwsep_isa::DWSEP_ISA_SCALAR as i32;
    // SAFETY: an array of that length.
    let packed =
        pack(|out| unsafe { dwsep_weights_create_pointwise_f32(scalar, 2, 3, &filter, out) });
    let packed = packed.unwrap();
    let (mut isa, mut bytes, mut needed) = (-1, 0, 0);
    let mut name = [0x7F as c_char; 64];
    // SAFETY: a handle, and room for what is asked.
    let statuses = unsafe {
        [
            dwsep_weights_isa(packed.0, &mut isa),
            dwsep_weights_bytes(packed.0, &mut bytes),
            dwsep_weights_kernel(packed.0, name.as_mut_ptr(), name.len(), &mut needed),
        ]
    };
    assert_eq!(statuses, [DWSEP_OK; 3]);
    assert_eq!(isa, scalar);
    assert!(bytes >= 4 * 9, "{bytes}");
    // SAFETY: it ends with a NUL.
    let name = unsafe { CStr::from_ptr(name.as_ptr()) }.to_str().unwrap();
    assert!(
        name.starts_with("pw_f32_") && name.ends_with("__scalar"),
        "{name}"
    );
    assert_eq!(name.len(), needed);
    // What there is no room for is left out, and the NUL is not.
    let mut short = [0x7F as c_char; 4];
    // SAFETY: room for three, and one more.
    let status = unsafe { dwsep_weights_kernel(packed.0, short.as_mut_ptr(), 3, &mut needed) };
    assert_eq!((status, needed), (DWSEP_OK, name.len()));
    assert_eq!(short.map(|c| c as u8), *b"pw\0\x7F");
}

fn number_of(isa: &str) -> i32 {
    let mut number = -1;
    // SAFETY: a name of that length, and room for a number.
    let status = unsafe { dwsep_isa_from_name(isa.as_ptr().cast(), isa.len(), &mut number) };
    assert_eq!(status, DWSEP_OK, "{isa}");
    number
}

fn kernel_of(weights: &Weights) -> String {
    let (mut name, mut len) = ([0 as c_char; 64], 0);
    // SAFETY: a handle, and room for what is asked.
    let status =
        unsafe { dwsep_weights_kernel(weights.0, name.as_mut_ptr(), name.len(), &mut len) };
    assert_eq!(status, DWSEP_OK);
    text(name.as_ptr()).to_owned()
}

/// That of short sums may be another than that of long ones.
#[test]
fn integers_are_packed_for_the_kernel_that_suits_their_depth() {
    for isa in Isa::ALL.iter().filter(|isa| isa.is_available()) {
        let kernels = dwsep::KernelSet::up_to(*isa).unwrap();
        for depth in [1, 27, 63, 64, 576] {
            let weights = vec![1_i8; depth];
            let filter = dwsep_filter_q8 {
                weights: weights.as_ptr().cast(),
                weights_len: depth,
                ..filter_q8()
            };
            let number = number_of(isa.name());
            // SAFETY: arrays of those lengths.
            let pointwise = pack(|out| unsafe {
                dwsep_weights_create_pointwise_q8(number, depth, 1, &filter, out)
            });
            let expected = kernels.pointwise_for::<dwsep::Qs8>(depth).name();
            assert_eq!(kernel_of(&pointwise.unwrap()), expected, "{depth}");
            if depth % 9 == 0 {
                // SAFETY: as above.
                let dense = pack(|out| unsafe {
                    dwsep_weights_create_conv3x3_q8(number, depth / 9, 1, &filter, out)
                });
                assert_eq!(kernel_of(&dense.unwrap()), expected, "{depth}");
            }
        }
    }
}

#[test]
fn messages_are_of_the_calling_thread() {
    assert_eq!(last_message(), "");
    // SAFETY: NULL is refused.
    let status = unsafe { dwsep_isa_resolve(0, ptr::null_mut()) };
    assert_eq!(status, DWSEP_NULL_POINTER);
    assert_eq!(last_message(), "isa: a null pointer");
    // Asking for it does not change it, nor does success, nor what others do.
    // SAFETY: NULL is refused.
    let status = unsafe { dwsep_last_error_message(ptr::null_mut(), 0, ptr::null_mut()) };
    assert_eq!(status, DWSEP_NULL_POINTER);
    std::thread::spawn(|| assert_eq!(last_message(), ""))
        .join()
        .unwrap();
    assert_eq!(last_message(), "isa: a null pointer");
}

#[test]
fn strides_and_lengths() {
    let shape = dwsep_shape {
        n: 1,
        h: 4,
        w: 5,
        c: 256,
    };
    let mut strides = dwsep_strides::default();
    let mut len = 0;
    let mut extent = |r#type: dwsep_type| {
        // SAFETY: structs of this function.
        let statuses = unsafe {
            [
                dwsep_strides_spread(r#type as i32, &shape, &mut strides),
                dwsep_strides_extent(&shape, &strides, &mut len),
            ]
        };
        assert_eq!(statuses, [DWSEP_OK; 2]);
        (strides.w, len)
    };
    // 1024 bytes apart: a cache line between pixels.
    assert_eq!(extent(dwsep_type::DWSEP_F32), (272, 19 * 272 + 256));
    assert_eq!(extent(dwsep_type::DWSEP_I8), (256, 20 * 256));
    // SAFETY: as above; NULL is dense.
    let status = unsafe { dwsep_strides_extent(&shape, ptr::null(), &mut len) };
    assert_eq!((status, len), (DWSEP_OK, 20 * 256));
}
