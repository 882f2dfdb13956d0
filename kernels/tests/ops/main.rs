//! Every bad argument is refused with the error that names it, and nothing is written.

use dwsep::{
    Activation, Conv3x3, Depthwise, Error, Filter, Isa, KernelSet, Nhwc, PackedConv3x3,
    PackedDepthwise, PackedPointwise, Padding, Pointwise, Separable, Serial, Stride, Strides, View,
    ViewMut, global_average_pool, softmax,
};

mod messages;
mod packing;
mod pools;
mod quantised;
mod views;
mod workspace;

const MAX: usize = usize::MAX;

fn kernels() -> KernelSet {
    KernelSet::up_to(Isa::Scalar).expect("always available")
}

fn pointwise(c_in: usize, c_out: usize) -> PackedPointwise {
    let weights = vec![1.0; c_in * c_out];
    PackedPointwise::pack(
        kernels().pointwise(),
        c_in,
        c_out,
        Filter::new(&weights, None),
    )
    .expect("valid")
}

fn depthwise(c: usize) -> PackedDepthwise {
    let weights = vec![1.0; 9 * c];
    PackedDepthwise::pack(kernels().depthwise(), c, Filter::new(&weights, None)).expect("valid")
}

fn conv3x3(c_in: usize, c_out: usize) -> PackedConv3x3 {
    let weights = vec![1.0; 9 * c_in * c_out];
    PackedConv3x3::pack(
        kernels().pointwise(),
        c_in,
        c_out,
        Filter::new(&weights, None),
    )
    .expect("valid")
}

fn mismatch(operand: &'static str, dim: &'static str, expected: usize, found: usize) -> Error {
    Error::Mismatch {
        operand,
        dim,
        expected,
        found,
    }
}

fn zero(operand: &'static str, dim: &'static str) -> Error {
    Error::ZeroDimension { operand, dim }
}

fn overflow(operand: &'static str) -> Error {
    Error::SizeOverflow { operand }
}

/// The shapes that differ from `shape` in one dimension, with its name and size.
fn others(shape: Nhwc) -> [(&'static str, usize, Nhwc); 4] {
    let Nhwc { n, h, w, c } = shape;
    [
        ("n", n + 1, Nhwc { n: n + 1, ..shape }),
        ("h", h + 1, Nhwc { h: h + 1, ..shape }),
        ("w", w + 1, Nhwc { w: w + 1, ..shape }),
        ("c", c + 1, Nhwc { c: c + 1, ..shape }),
    ]
}

fn size(shape: Nhwc, dim: &str) -> usize {
    match dim {
        "n" => shape.n,
        "h" => shape.h,
        "w" => shape.w,
        _ => shape.c,
    }
}

/// A buffer for any operand here.
fn zeros() -> Vec<f32> {
    vec![0.0; 4096]
}

/// Calls `run` with an output that holds a mark, and sees that it is refused with `expected` and leaves all marks.
fn refused(expected: Error, output: Nhwc, run: impl FnOnce(ViewMut<'_, f32>) -> dwsep::Result<()>) {
    let mut data = vec![0.5; 4096];
    let error = run(ViewMut::new(&mut data, output).expect("large enough"));
    assert_eq!(error, Err(expected));
    assert!(data.iter().all(|&x| x == 0.5), "something was written");
}

/// Makes an op of an input shape, a padding and an activation.
type Make<'a> = &'a dyn Fn(Nhwc, Padding, Activation) -> dwsep::Result<()>;

/// All four ops for 5 input channels.
fn with_every_op(test: impl Fn(&str, Make<'_>)) {
    let (pw, dw, conv) = (pointwise(5, 7), depthwise(5), conv3x3(5, 7));
    test("pointwise", &|shape, _, a| {
        Pointwise::new(&pw, shape, a).map(|_| ())
    });
    for stride in [Stride::One, Stride::Two] {
        test("depthwise", &|shape, p, a| {
            Depthwise::new(&dw, shape, stride, p, a).map(|_| ())
        });
        test("conv3x3", &|shape, p, a| {
            Conv3x3::new(&conv, shape, stride, p, a).map(|_| ())
        });
        test("separable", &|shape, p, a| {
            Separable::new(&dw, &pw, shape, stride, p, Activation::None, a).map(|_| ())
        });
        test("separable", &|shape, p, a| {
            Separable::new(&dw, &pw, shape, stride, p, a, Activation::None).map(|_| ())
        });
    }
}

#[test]
fn making_an_op() {
    let good = Nhwc::new(1, 3, 3, 5);
    with_every_op(|name, make| {
        let new = |shape| make(shape, Padding::NONE, Activation::None);
        assert_eq!(new(good), Ok(()), "{name}");
        let zeroed = [
            ("n", Nhwc { n: 0, ..good }),
            ("h", Nhwc { h: 0, ..good }),
            ("w", Nhwc { w: 0, ..good }),
            ("c", Nhwc { c: 0, ..good }),
        ];
        for (dim, shape) in zeroed {
            assert_eq!(new(shape), Err(zero("input", dim)), "{name}");
        }
        for c in [1, 4, 6, 7] {
            let error = mismatch("input", "c", 5, c);
            assert_eq!(new(Nhwc { c, ..good }), Err(error), "{name}");
        }
        for shape in [Nhwc { n: MAX, ..good }, Nhwc::new(1, 1 << 40, 1 << 40, 5)] {
            assert_eq!(new(shape), Err(overflow("input")), "{name}");
        }
        for (lo, hi) in [(1.0, 0.0), (f32::NAN, 1.0), (0.0, f32::NAN)] {
            let made = make(good, Padding::NONE, Activation::Clamp { lo, hi });
            assert_eq!(made, Err(Error::InvalidClamp), "{name}");
        }
        let clamp = Activation::Clamp { lo: 1.0, hi: 1.0 };
        assert_eq!(make(good, Padding::NONE, clamp), Ok(()), "{name}");
    });
}

#[test]
fn windows_and_paddings() {
    with_every_op(|name, make| {
        if name == "pointwise" {
            return;
        }
        let new = |h, w, padding| make(Nhwc::new(1, h, w, 5), padding, Activation::None);
        for padded in [1, 2] {
            for (h, w, dim) in [(padded, 3, "height"), (3, padded, "width")] {
                let error = Error::WindowTooLarge {
                    dim,
                    padded,
                    window: 3,
                };
                assert_eq!(new(h, w, Padding::NONE), Err(error), "{name}");
            }
        }
        let one = Padding {
            top: 1,
            right: 1,
            ..Padding::NONE
        };
        let error = Error::WindowTooLarge {
            dim: "height",
            padded: 2,
            window: 3,
        };
        assert_eq!(new(1, 2, one), Err(error), "{name}");
        assert_eq!(new(2, 2, one), Ok(()), "{name}");
        // The padded input does not fit in memory, though the input does.
        for padding in [
            Padding { top: MAX, ..one },
            Padding {
                bottom: MAX - 3,
                ..one
            },
            Padding {
                left: MAX / 2 + 1,
                ..one
            },
            Padding::symmetric(MAX),
        ] {
            assert_eq!(new(3, 3, padding), Err(overflow("padded input")), "{name}");
        }
        // Nor does the output.
        for padding in [
            Padding {
                top: MAX / 4,
                ..one
            },
            Padding::symmetric(1 << 40),
        ] {
            assert_eq!(new(3, 3, padding), Err(overflow("output")), "{name}");
        }
    });
}

#[test]
fn outputs_that_do_not_fit() {
    // 2^57 pixels of one channel can be said, of 64 channels they cannot.
    let shape = Nhwc::new(1, 1 << 29, 1 << 28, 1);
    let (pw, dw, conv) = (pointwise(1, 64), depthwise(1), conv3x3(1, 64));
    let none = Activation::None;
    let made = Pointwise::new(&pw, shape, none).map(|_| ());
    assert_eq!(made, Err(overflow("output")));
    let same = Padding::symmetric(1);
    let made = Conv3x3::new(&conv, shape, Stride::One, same, none).map(|_| ());
    assert_eq!(made, Err(overflow("output")));
    let made = Separable::new(&dw, &pw, shape, Stride::One, same, none, none).map(|_| ());
    assert_eq!(made, Err(overflow("output")));
}

#[test]
fn halves_that_do_not_fit_each_other() {
    let made = Separable::new(
        &depthwise(5),
        &pointwise(4, 7),
        Nhwc::new(1, 3, 3, 5),
        Stride::One,
        Padding::NONE,
        Activation::None,
        Activation::None,
    );
    let error = mismatch("pointwise weights", "c_in", 5, 4);
    assert_eq!(made.unwrap_err(), error);
}

/// Runs an op on views; `None` of rows: all of them.
type Run<'a> = &'a dyn Fn(
    Option<std::ops::Range<usize>>,
    View<'_, f32>,
    ViewMut<'_, f32>,
    &mut [u8],
) -> dwsep::Result<()>;

/// All four ops, from `[2, 4, 4, 5]` to `[2, 4, 4, 7]` (the depthwise to 5 channels), with the workspace they take.
fn with_every_run(test: impl Fn(&str, Nhwc, Nhwc, usize, Run<'_>)) {
    let shape = Nhwc::new(2, 4, 4, 5);
    let (none, one, same) = (Activation::None, Stride::One, Padding::symmetric(1));
    let op = Pointwise::new(&pointwise(5, 7), shape, none).expect("valid");
    test(
        "pointwise",
        shape,
        op.output_shape(),
        op.workspace_len(1),
        &|rows, i, o, w| match rows {
            None => op.run(&Serial, i, o, w),
            Some(rows) => op.run_rows(rows, i, None, o, w),
        },
    );
    let op = Depthwise::new(&depthwise(5), shape, one, same, none).expect("valid");
    test(
        "depthwise",
        shape,
        op.output_shape(),
        op.workspace_len(1),
        &|rows, i, o, w| match rows {
            None => op.run(&Serial, i, o, w),
            Some(rows) => op.run_rows(rows, i, o, w),
        },
    );
    let op = Conv3x3::new(&conv3x3(5, 7), shape, one, same, none).expect("valid");
    test(
        "conv3x3",
        shape,
        op.output_shape(),
        op.workspace_len(1),
        &|rows, i, o, w| match rows {
            None => op.run(&Serial, i, o, w),
            Some(rows) => op.run_rows(rows, i, o, w),
        },
    );
    let (dw, pw) = (depthwise(5), pointwise(5, 7));
    let op = Separable::new(&dw, &pw, shape, one, same, none, none).expect("valid");
    assert!(op.workspace_len(1) > 0 && op.workspace_len(2) > op.workspace_len(1));
    assert_eq!(op.workspace_len(0), op.workspace_len(1));
    test(
        "separable",
        shape,
        op.output_shape(),
        op.workspace_len(1),
        &|rows, i, o, w| match rows {
            None => op.run(&Serial, i, o, w),
            Some(rows) => op.run_rows(rows, i, o, w),
        },
    );
}

#[test]
fn running_on_other_shapes() {
    let zeros = zeros();
    with_every_run(|name, from, to, workspace, run| {
        let mut workspace = vec![0; workspace];
        for (dim, found, other) in others(from) {
            let input = View::new(&zeros, other).expect("valid");
            let error = mismatch("input", dim, size(from, dim), found);
            refused(error.clone(), to, |output| {
                run(None, input, output, &mut workspace)
            });
            let rows = Nhwc { n: 1, h: 3, ..to };
            refused(error, rows, |output| {
                run(Some(1..4), input, output, &mut workspace)
            });
        }
        let input = View::new(&zeros, from).expect("valid");
        for (dim, found, other) in others(to) {
            let error = mismatch("output", dim, size(to, dim), found);
            refused(error, other, |output| {
                run(None, input, output, &mut workspace)
            });
        }
        let part = Nhwc { n: 1, h: 3, ..to };
        for (dim, found, other) in others(part) {
            let error = mismatch("output", dim, size(part, dim), found);
            refused(error, other, |output| {
                run(Some(3..6), input, output, &mut workspace)
            });
        }
        // And the right ones are accepted, and write.
        let mut data = vec![0.5; 4096];
        for (rows, shape) in [(None, to), (Some(3..6), part)] {
            data.fill(0.5);
            let output = ViewMut::new(&mut data, shape).expect("valid");
            assert_eq!(run(rows, input, output, &mut workspace), Ok(()), "{name}");
            let len = shape.len("output").expect("valid");
            assert!(data[..len].iter().all(|&x| x == 0.0), "{name}");
            assert!(data[len..].iter().all(|&x| x == 0.5), "{name}");
        }
    });
}

#[test]
fn ranges_of_rows() {
    let zeros = zeros();
    with_every_run(|_, from, to, workspace, run| {
        let mut workspace = vec![0; workspace];
        let input = View::new(&zeros, from).expect("valid");
        #[allow(clippy::reversed_empty_ranges)]
        for range in [0..0, 3..3, 8..8, 8..9, 5..9, 0..9, 4..2, 0..MAX, MAX..MAX] {
            let part = Nhwc { n: 1, h: 1, ..to };
            let error = Error::RowRange {
                start: range.start,
                end: range.end,
                rows: 8,
            };
            refused(error, part, |output| {
                run(Some(range), input, output, &mut workspace)
            });
        }
    });
}

#[test]
fn residuals_of_other_shapes() {
    let zeros = zeros();
    let shape = Nhwc::new(2, 4, 4, 5);
    let op = Pointwise::new(&pointwise(5, 7), shape, Activation::None).expect("valid");
    let (input, to) = (View::new(&zeros, shape).expect("valid"), op.output_shape());
    for (dim, found, other) in others(to) {
        let residual = View::new(&zeros, other).expect("valid");
        let error = mismatch("residual", dim, size(to, dim), found);
        refused(error.clone(), to, |output| {
            op.run_add(&Serial, input, residual, output, &mut [])
        });
        // The residual is whole where the output is a part.
        let part = Nhwc { n: 1, h: 3, ..to };
        refused(error, part, |output| {
            op.run_rows(3..6, input, Some(residual), output, &mut [])
        });
    }
}

#[test]
fn workspaces_too_small() {
    struct Two;
    impl dwsep::Executor for Two {
        fn threads(&self) -> usize {
            2
        }
        fn broadcast(&self, work: &(dyn Fn() + Sync)) {
            work();
        }
    }
    let zeros = zeros();
    let (none, shape) = (Activation::None, Nhwc::new(2, 4, 4, 5));
    let op = Separable::new(
        &depthwise(5),
        &pointwise(5, 7),
        shape,
        Stride::One,
        Padding::symmetric(1),
        none,
        none,
    )
    .expect("valid");
    let (input, to) = (View::new(&zeros, shape).expect("valid"), op.output_shape());
    let short = |needed, found| Error::WorkspaceTooSmall { needed, found };
    let (one, two) = (op.workspace_len(1), op.workspace_len(2));
    for found in [0, 1, one - 1] {
        let mut workspace = vec![0; found];
        refused(short(one, found), to, |output| {
            op.run(&Serial, input, output, &mut workspace)
        });
        refused(short(one, found), Nhwc { n: 1, h: 8, ..to }, |output| {
            op.run_rows(0..8, input, output, &mut workspace)
        });
    }
    for found in [one, two - 1] {
        let mut workspace = vec![0; found];
        refused(short(two, found), to, |output| {
            op.run(&Two, input, output, &mut workspace)
        });
    }
    let mut data = zeros.clone();
    let output = ViewMut::new(&mut data, to).expect("valid");
    assert_eq!(op.run(&Two, input, output, &mut vec![0; two]), Ok(()));
}

#[test]
fn pooling_and_softmax() {
    let zeros = zeros();
    let shape = Nhwc::new(2, 3, 4, 5);
    let input = View::new(&zeros, shape).expect("valid");
    let pooled = Nhwc::new(2, 1, 1, 5);
    for (dim, found, other) in others(pooled) {
        refused(
            mismatch("output", dim, size(pooled, dim), found),
            other,
            |output| global_average_pool(input, output),
        );
    }
    for (dim, found, other) in others(shape) {
        refused(
            mismatch("output", dim, size(shape, dim), found),
            other,
            |output| softmax(input, output),
        );
    }
}
