//! Views: lengths, strides, splitting.

use super::*;

#[test]
fn views() {
    let mut data = vec![0.0_f32; 120];
    let shape = Nhwc::new(2, 3, 4, 5);
    for (dim, zeroed) in [
        ("n", Nhwc { n: 0, ..shape }),
        ("h", Nhwc { h: 0, ..shape }),
        ("w", Nhwc { w: 0, ..shape }),
        ("c", Nhwc { c: 0, ..shape }),
    ] {
        let error = zero("view", dim);
        assert_eq!(View::new(&data, zeroed).unwrap_err(), error);
        assert_eq!(ViewMut::new(&mut data, zeroed).unwrap_err(), error);
        assert_eq!(Strides::dense(zeroed).unwrap_err(), zero("shape", dim));
    }
    assert!(View::new(&data, shape).is_ok() && ViewMut::new(&mut data, shape).is_ok());
    let short = Error::TooShort {
        operand: "view",
        needed: 120,
        found: 119,
    };
    assert_eq!(View::new(&data[..119], shape).unwrap_err(), short);
    assert_eq!(ViewMut::new(&mut data[..119], shape).unwrap_err(), short);
    for huge in [
        Nhwc::new(MAX, 1, 1, 2),
        Nhwc::new(1, MAX / 2, 3, 1),
        Nhwc::new(1, 1, 1, MAX / 4),
        Nhwc::new(1 << 16, 1 << 16, 1 << 16, 1 << 16),
    ] {
        assert_eq!(View::new(&data, huge).unwrap_err(), overflow("view"));
        assert_eq!(ViewMut::new(&mut data, huge).unwrap_err(), overflow("view"));
    }
}

#[test]
fn strides() {
    let mut data = vec![0.0_f32; 120];
    let shape = Nhwc::new(2, 3, 4, 5);
    let dense = Strides { n: 60, h: 20, w: 5 };
    let overlap = |dim, needed, found| Error::Overlap {
        operand: "view",
        dim,
        needed,
        found,
    };
    for (strides, error) in [
        (Strides { w: 4, ..dense }, overlap("w", 5, 4)),
        (Strides { h: 19, ..dense }, overlap("h", 20, 19)),
        (Strides { n: 59, ..dense }, overlap("n", 60, 59)),
        (Strides { n: 0, ..dense }, overlap("n", 60, 0)),
        // A wider pixel makes a wider row.
        (Strides { w: 6, ..dense }, overlap("h", 23, 20)),
        // One fits in usize with what lies in it, and is too long for any slice; the other does not.
        (
            Strides {
                n: MAX - 60,
                ..dense
            },
            Error::TooShort {
                operand: "view",
                needed: MAX,
                found: 120,
            },
        ),
        (Strides { n: MAX, ..dense }, overflow("view")),
    ] {
        assert_eq!(
            View::with_strides(&data, shape, strides).unwrap_err(),
            error
        );
        assert_eq!(
            ViewMut::with_strides(&mut data, shape, strides).unwrap_err(),
            error
        );
    }
    // A dimension of one never takes its stride.
    for stride in [0, 1, MAX] {
        let strides = Strides {
            n: stride,
            h: stride,
            w: stride,
        };
        let view = View::with_strides(&data, Nhwc::new(1, 1, 1, 120), strides).expect("valid");
        assert_eq!(view.pixel(0, 0, 0).map(<[f32]>::len), Some(120));
    }
}

#[test]
fn pixels_outside_of_a_view() {
    let data = [1.0_f32, 2.0, 3.0, 4.0];
    let view = View::new(&data, Nhwc::new(1, 2, 1, 2)).expect("valid");
    assert_eq!(view.pixel(0, 1, 0), Some(&[3.0, 4.0][..]));
    for (n, h, w) in [(1, 0, 0), (0, 2, 0), (0, 0, 1), (MAX, MAX, MAX)] {
        assert_eq!(view.pixel(n, h, w), None);
    }
}

#[test]
fn splitting_a_view() {
    let mut data = zeros();
    let batch = ViewMut::new(&mut data, Nhwc::new(2, 3, 4, 5)).expect("valid");
    assert_eq!(
        batch.split_at_row(1).unwrap_err(),
        mismatch("view", "n", 1, 2)
    );
    for row in [0, 3, 4] {
        let image = ViewMut::new(&mut data, Nhwc::new(1, 3, 4, 5)).expect("valid");
        let error = Error::RowRange {
            start: 0,
            end: row,
            rows: 3,
        };
        assert_eq!(image.split_at_row(row).unwrap_err(), error);
    }
    let image = ViewMut::new(&mut data, Nhwc::new(1, 3, 4, 5)).expect("valid");
    let (top, bottom) = image.split_at_row(1).expect("valid");
    assert_eq!(top.shape(), Nhwc::new(1, 1, 4, 5));
    assert_eq!(bottom.shape(), Nhwc::new(1, 2, 4, 5));
}

/// The halves of a split are filled by two calls, and make what one call makes.
#[test]
fn halves_of_a_split_view_are_the_whole() {
    let packed = pointwise(2, 3);
    let shape = Nhwc::new(1, 5, 2, 2);
    let op = Pointwise::new(&packed, shape, Activation::None).expect("valid");
    let input: Vec<f32> = (0..20).map(|x| x as f32).collect();
    let view = View::new(&input, shape).expect("valid");
    let (mut whole, mut halves) = (vec![0.0; 30], vec![0.0; 30]);
    let output = ViewMut::new(&mut whole, op.output_shape()).expect("valid");
    op.run(&Serial, view, output, &mut []).expect("valid");
    let output = ViewMut::new(&mut halves, op.output_shape()).expect("valid");
    let (top, bottom) = output.split_at_row(2).expect("valid");
    op.run_rows(0..2, view, None, top, &mut []).expect("valid");
    op.run_rows(2..5, view, None, bottom, &mut [])
        .expect("valid");
    assert_eq!(whole, halves);
    assert!(whole.iter().any(|&x| x != 0.0));
}
