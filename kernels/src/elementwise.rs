//! Ops without a kernel: global average pool and softmax. Plain loops in a fixed order, so that the bits are the same everywhere.

use crate::view::{View, ViewMut};
use crate::{Nhwc, Result};

/// The mean over height and width: `[N, H, W, C]` to `[N, 1, 1, C]`. A channel is summed row by row, left to right, from zero, and
/// the sum divided by `H * W`.
///
/// ```
/// use dwsep::{Nhwc, View, ViewMut, global_average_pool};
///
/// let mut means = [0.0; 2];
/// let input = [1.0, 10.0, 3.0, 20.0];
/// global_average_pool(View::new(&input, Nhwc::new(1, 1, 2, 2))?, ViewMut::new(&mut means, Nhwc::new(1, 1, 1, 2))?)?;
/// assert_eq!(means, [2.0, 15.0]);
/// # Ok::<(), dwsep::Error>(())
/// ```
///
/// # Errors
/// [`Error::Mismatch`](crate::Error::Mismatch) for an output of another shape.
pub fn global_average_pool(input: View<'_, f32>, mut output: ViewMut<'_, f32>) -> Result<()> {
    let Nhwc { n, h, w, c } = input.shape();
    output.shape().must_be("output", Nhwc::new(n, 1, 1, c))?;
    let pixels = (h * w) as f32;
    for image in 0..n {
        let mean = output.pixel_mut(image, 0, 0);
        mean.fill(0.0);
        for (y, x) in (0..h).flat_map(|y| (0..w).map(move |x| (y, x))) {
            let pixel = input.pixel(image, y, x).unwrap_or_default();
            for (mean, x) in mean.iter_mut().zip(pixel) {
                *mean += x;
            }
        }
        for mean in mean {
            *mean /= pixels;
        }
    }
    Ok(())
}

/// `exp(x - max) / sum(exp(x - max))` over the channels of each pixel, in f64 inside; NaN where a channel is NaN or +inf.
///
/// ```
/// use dwsep::{Nhwc, View, ViewMut, softmax};
///
/// let (shape, mut probabilities) = (Nhwc::new(1, 1, 1, 3), [0.0; 3]);
/// softmax(View::new(&[0.0, 0.0, f32::NEG_INFINITY], shape)?, ViewMut::new(&mut probabilities, shape)?)?;
/// assert_eq!(probabilities, [0.5, 0.5, 0.0]);
/// # Ok::<(), dwsep::Error>(())
/// ```
///
/// # Errors
/// [`Error::Mismatch`](crate::Error::Mismatch) for an output of another shape.
pub fn softmax(input: View<'_, f32>, mut output: ViewMut<'_, f32>) -> Result<()> {
    let shape = input.shape();
    output.shape().must_be("output", shape)?;
    for (image, y) in (0..shape.n).flat_map(|image| (0..shape.h).map(move |y| (image, y))) {
        for x in 0..shape.w {
            let from = input.pixel(image, y, x).unwrap_or_default();
            let to = output.pixel_mut(image, y, x);
            let max = from.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let exp = |x: f32| libm::exp(f64::from(x) - f64::from(max));
            let sum: f64 = from.iter().map(|&x| exp(x)).sum();
            for (to, &from) in to.iter_mut().zip(from) {
                *to = (exp(from) / sum) as f32;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use alloc::vec;

    #[test]
    fn pool_is_the_mean() {
        let input: alloc::vec::Vec<f32> = (0..2 * 3 * 2 * 2).map(|x| x as f32).collect();
        let mut output = vec![9.0; 4];
        global_average_pool(
            View::new(&input, Nhwc::new(2, 3, 2, 2)).unwrap(),
            ViewMut::new(&mut output, Nhwc::new(2, 1, 1, 2)).unwrap(),
        )
        .unwrap();
        assert_eq!(output, [5.0, 6.0, 17.0, 18.0]);
        let error = global_average_pool(
            View::new(&input, Nhwc::new(2, 3, 2, 2)).unwrap(),
            ViewMut::new(&mut output, Nhwc::new(1, 1, 1, 2)).unwrap(),
        );
        assert!(matches!(
            error,
            Err(Error::Mismatch {
                dim: "n",
                expected: 2,
                found: 1,
                ..
            })
        ));
    }

    #[test]
    fn softmax_sums_to_one_and_does_not_overflow() {
        let mut output = [0.0; 3];
        let shape = Nhwc::new(1, 1, 1, 3);
        let mut run = |input: [f32; 3]| {
            softmax(
                View::new(&input, shape).unwrap(),
                ViewMut::new(&mut output, shape).unwrap(),
            )
            .unwrap();
            output
        };
        assert_eq!(run([1000.0, 1000.0, -1000.0]), [0.5, 0.5, 0.0]);
        assert_eq!(
            run([0.0, core::f32::consts::LN_2, f32::NEG_INFINITY]).map(|x| (x * 3.0).round()),
            [1.0, 2.0, 0.0]
        );
        assert!(run([0.0, f32::NAN, 1.0]).iter().all(|x| x.is_nan()));
    }
}
