//! What `arbitrary.rs` makes of bytes, drawn by proptest.

use std::cell::Cell;

use dwsep_capi::dwsep_status::*;
use dwsep_capi::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::arbitrary::{BYTES, Source, check};

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), BYTES)
}

#[test]
fn arguments_are_refused_or_right() {
    let default = ProptestConfig::default();
    let config = ProptestConfig {
        // A call takes a fraction of a millisecond. `PROPTEST_CASES` sets fewer or more.
        cases: 24 * default.cases,
        failure_persistence: None,
        ..default
    };
    let cases = config.cases;
    let (done, refused) = (Cell::new(0), Cell::new(0));
    let result = TestRunner::new(config).run(&bytes(), |bytes| {
        let count = if check(&bytes) == DWSEP_OK {
            &done
        } else {
            &refused
        };
        count.set(count.get() + 1);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    // Where hardly anything is accepted, or hardly anything refused, nothing is tested.
    for count in [done, refused] {
        assert!(count.get() > cases / 10, "{count:?} of {cases}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sizes_are_refused_or_right(bytes in bytes()) {
        let mut source = Source(&bytes);
        let (shape, strides) = (source.shape(), source.strides());
        let (r#type, window) = (source.number(1, 3), source.window());
        let mut len = 0;
        // SAFETY: structs of this function.
        let status = unsafe { dwsep_strides_extent(&shape, &strides, &mut len) };
        prop_assert_ne!(status, DWSEP_INTERNAL);
        prop_assert_eq!(status == DWSEP_OK, len > 0);
        let mut spread = dwsep_strides::default();
        // SAFETY: as above.
        let status = unsafe { dwsep_strides_spread(r#type, &shape, &mut spread) };
        prop_assert_ne!(status, DWSEP_INTERNAL);
        if status == DWSEP_OK {
            // SAFETY: as above.
            prop_assert_eq!(unsafe { dwsep_strides_extent(&shape, &spread, &mut len) }, DWSEP_OK);
        }
        let mut same = window;
        // SAFETY: as above.
        let status = unsafe { dwsep_window_same(shape.h, shape.w, window.stride, &mut same) };
        prop_assert_eq!(status == DWSEP_OK, (1..=2).contains(&window.stride));
    }
}
