//! Means of windows against their definition, and what they refuse.

use dwsep::{AveragePool, PoolWindow, Qs8, Qu8, Quantised, Quantization, quantised, reference};

use super::*;

/// Windows of one and of several elements, smaller and larger than images, that overlap, touch, and leave gaps.
fn windows() -> impl Iterator<Item = PoolWindow> {
    let sizes = [(1, 1), (2, 2), (2, 3), (3, 2), (3, 3), (5, 4), (9, 9)];
    let strides = [(1, 1), (2, 2), (1, 3), (4, 2)];
    sizes.into_iter().flat_map(move |size| {
        strides
            .into_iter()
            .flat_map(move |stride| [false, true].map(|same| PoolWindow { size, stride, same }))
    })
}

fn shapes() -> [Nhwc; 4] {
    [(1, 5, 4, 3), (2, 7, 9, 65), (1, 9, 9, 64), (1, 2, 3, 1)]
        .map(|(n, h, w, c)| Nhwc::new(n, h, w, c))
}

/// Sums of two with an even number of each end, so that many means are halves.
fn integers<S: Quantised>(len: usize) -> Vec<S::Elem> {
    let element = |i: usize| S::elem(S::LEAST + (i * i * 29 % 256) as i32);
    (0..len).map(element).collect()
}

fn is_the_reference<S: Quantised>(zero_point: i32, relu: (i32, i32))
where
    S::Elem: PartialEq,
{
    let (mut compared, q) = (0, Quantization::new(6.0 / 100.0, zero_point));
    for (shape, window) in shapes()
        .into_iter()
        .flat_map(|s| windows().map(move |w| (s, w)))
    {
        for (activation, bounds) in [
            (Activation::None, (S::LEAST, S::MOST)),
            (Activation::Relu6, relu),
        ] {
            let Ok(pool) = quantised::AveragePool::<S>::new(shape, window, q, activation) else {
                assert!(!window.same && (window.size.0 > shape.h || window.size.1 > shape.w));
                continue;
            };
            let input = integers::<S>(shape.len("input").unwrap());
            let len = pool.output_shape().len("output").unwrap();
            let mut expected = vec![S::elem(0); len];
            reference::quantised::average_pool::<S>(&input, shape, window, bounds, &mut expected);
            let mut output = vec![S::elem(1); len];
            let view = ViewMut::new(&mut output, pool.output_shape()).unwrap();
            pool.run(View::new(&input, shape).unwrap(), view).unwrap();
            assert!(output == expected, "{shape} {window:?} {activation:?}");
            compared += 1;
        }
    }
    assert!(compared > 200, "{compared}");
}

#[test]
fn quantised_means_are_those_of_the_definition() {
    // 6 is 100 steps above zero.
    is_the_reference::<Qs8>(-30, (-30, 70));
    is_the_reference::<Qu8>(180, (180, 255));
}

#[test]
fn means_are_sums_in_order_divided_by_what_there_is() {
    let (shape, activation) = (
        Nhwc::new(1, 3, 3, 2),
        Activation::Clamp { lo: 2.0, hi: 14.0 },
    );
    let input: Vec<f32> = (0..18).map(|x| x as f32).collect();
    let window = PoolWindow {
        size: (2, 2),
        stride: (2, 2),
        same: true,
    };
    let pool = AveragePool::new(shape, window, activation).unwrap();
    assert_eq!(pool.output_shape(), Nhwc::new(1, 2, 2, 2));
    let mut output = [0.0; 8];
    let view = ViewMut::new(&mut output, pool.output_shape()).unwrap();
    pool.run(View::new(&input, shape).unwrap(), view).unwrap();
    assert_eq!(output, [4.0, 5.0, 7.0, 8.0, 13.0, 14.0, 14.0, 14.0]);
}

#[test]
fn views_of_other_shapes_are_refused() {
    let (shape, window) = (
        Nhwc::new(1, 4, 4, 2),
        PoolWindow {
            size: (2, 2),
            stride: (2, 2),
            same: false,
        },
    );
    let unit = Quantization::new(1.0, 0);
    let pool = quantised::AveragePool::<Qs8>::new(shape, window, unit, Activation::None).unwrap();
    let (input, mut output) = ([1_i8; 32], [7_i8; 8]);
    let mut run = |input_shape, output_shape| {
        let view = ViewMut::new(&mut output, output_shape).unwrap();
        pool.run(View::new(&input, input_shape).unwrap(), view)
    };
    let pooled = Nhwc::new(1, 2, 2, 2);
    assert!(matches!(
        run(Nhwc::new(1, 4, 2, 4), pooled),
        Err(Error::Mismatch {
            operand: "input",
            ..
        })
    ));
    assert!(matches!(
        run(shape, Nhwc::new(1, 4, 1, 2)),
        Err(Error::Mismatch {
            operand: "output",
            ..
        })
    ));
    assert_eq!(output, [7; 8]);
    for q in [Quantization::new(f32::NAN, 0), Quantization::new(1.0, 128)] {
        assert!(quantised::AveragePool::<Qs8>::new(shape, window, q, Activation::None).is_err());
    }
    let clamp = Activation::Clamp { lo: 1.0, hi: 0.0 };
    let error = AveragePool::new(shape, window, clamp).unwrap_err();
    assert_eq!(error, Error::InvalidClamp);
}
