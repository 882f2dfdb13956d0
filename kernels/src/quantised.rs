//! Quantised tensors at ops without a kernel: sums of two, means over an image and over windows. Their arithmetic is that of which
//! TensorFlow Lite's results are, XNNPACK's or its own: each rounds in its own way, and not as convolutions do.

use core::marker::PhantomData;

use crate::pool::{PoolWindow, Windows};
use crate::quantization::expect_scale;
use crate::scheme::Quantised;
use crate::view::{View, ViewMut};
use crate::{Activation, Error, Nhwc, Quantization, Result};

/// The sum of two tensors of one shape and any scales, with an activation: what a residual connection is.
///
/// Fixed point: with `ra = sa / so`, `rb = sb / so` and a `shift` that gives the larger of them 20 bits behind the first,
/// `y = ((a - za) * round(ra * 2^shift) + (b - zb) * round(rb * 2^shift) + 2^(shift - 1)) >> shift`, plus the output's zero point.
///
/// ```
/// use dwsep::{Activation, Nhwc, Qs8, Quantization, View, ViewMut, quantised::Add};
///
/// let (a, b, output) = (Quantization::new(0.5, 3), Quantization::new(0.25, 0), Quantization::new(1.0, -1));
/// let add = Add::<Qs8>::new(a, b, output, Activation::None)?;
/// let (shape, mut sum) = (Nhwc::new(1, 1, 1, 2), [0; 2]);
/// // 0.5 (5 - 3) + 0.25 * 8 is 3, and 0.5 (3 - 3) - 0.25 * 4 is -1.
/// add.run(View::new(&[5, 3], shape)?, View::new(&[8, -4], shape)?, ViewMut::new(&mut sum, shape)?)?;
/// assert_eq!(sum, [2, -2]);
/// # Ok::<(), dwsep::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Add<S: Quantised> {
    /// Zero point and multiplier of each operand.
    operands: [(i64, i64); 2],
    shift: u32,
    zero_point: i64,
    bounds: (i64, i64),
    scheme: PhantomData<S>,
}

impl<S: Quantised> Add<S> {
    /// # Errors
    /// [`Error::InvalidScale`], [`Error::ZeroPoint`], [`Error::InvalidClamp`]; [`Error::Unsupported`] where an operand's scale is not
    /// within 2^-10 to 2^8 times the output's, or for an activation that is no clamp.
    pub fn new(
        a: Quantization,
        b: Quantization,
        output: Quantization,
        activation: Activation,
    ) -> Result<Self> {
        let named = [("a", &a), ("b", &b), ("output", &output)];
        for (operand, q) in named {
            q.check::<S>(operand)?;
        }
        let ratios = [a.scale / output.scale, b.scale / output.scale];
        for (operand, ratio) in ["a", "b"].into_iter().zip(ratios) {
            if !(1.0 / 1024.0..256.0).contains(&ratio) {
                return Err(Error::Unsupported {
                    operand,
                    found: "a scale far from the output's",
                    expected: "one of 2^-10 to 2^8 times the output's",
                });
            }
        }
        let (lo, hi) = activation.clamp()?.quantised::<S>(&output);
        // The exponent of a normal number; the ratios are within 2^-10 to 2^8.
        let exponent = (ratios[0].max(ratios[1]).to_bits() >> 23) as i32 - 127;
        let shift = (20 - exponent) as u32;
        let multiplier =
            |ratio: f32| libm::rint(f64::from(ratio) * f64::from(1_u32 << shift)) as i64;
        Ok(Self {
            operands: [
                (i64::from(a.zero_point), multiplier(ratios[0])),
                (i64::from(b.zero_point), multiplier(ratios[1])),
            ],
            shift,
            zero_point: i64::from(output.zero_point),
            bounds: (i64::from(lo), i64::from(hi)),
            scheme: PhantomData,
        })
    }

    /// The sum of two elements.
    #[inline]
    pub fn apply(&self, a: S::Elem, b: S::Elem) -> S::Elem {
        let [(za, ma), (zb, mb)] = self.operands;
        let (a, b) = (i64::from(S::int(a)) - za, i64::from(S::int(b)) - zb);
        let sum = a * ma + b * mb + (1 << (self.shift - 1));
        let y = (sum >> self.shift) + self.zero_point;
        S::elem(y.clamp(self.bounds.0, self.bounds.1) as i32)
    }

    /// `output = activation(a + b)`.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for views of different shapes.
    pub fn run(
        &self,
        a: View<'_, S::Elem>,
        b: View<'_, S::Elem>,
        mut output: ViewMut<'_, S::Elem>,
    ) -> Result<()> {
        let shape = output.shape();
        a.shape().must_be("a", shape)?;
        b.shape().must_be("b", shape)?;
        for pixel in 0..shape.n * shape.h * shape.w {
            let (row, x) = (pixel / shape.w, pixel % shape.w);
            let (n, y) = (row / shape.h, row % shape.h);
            let (a, b) = (
                a.pixel(n, y, x).unwrap_or_default(),
                b.pixel(n, y, x).unwrap_or_default(),
            );
            for ((to, &a), &b) in output.pixel_mut(n, y, x).iter_mut().zip(a).zip(b) {
                *to = self.apply(a, b);
            }
        }
        Ok(())
    }
}

/// The mean over height and width: `[N, H, W, C]` to `[N, 1, 1, C]`. With `s = si / so * (1 / (H * W))`,
/// `y = clamp(round_ties_even(sum * s + (zo - zi * H * W * s)))`, in f32.
///
/// ```
/// use dwsep::{Nhwc, Qs8, Quantization, View, ViewMut, quantised::GlobalAveragePool};
///
/// let half = |zero_point| Quantization::new(0.5, zero_point);
/// let pool = GlobalAveragePool::<Qs8>::new(2, 2, half(2), half(-1))?;
/// let (input, mut means) = ([6, 6, 2, 6], [0]);
/// pool.run(View::new(&input, Nhwc::new(1, 2, 2, 1))?, ViewMut::new(&mut means, Nhwc::new(1, 1, 1, 1))?)?;
/// // The mean of 2.0, 2.0, 0.0 and 2.0 is 1.5: 0.5 (2 + 1).
/// assert_eq!(means, [2]);
/// # Ok::<(), dwsep::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct GlobalAveragePool<S: Quantised> {
    h: usize,
    w: usize,
    scale: f32,
    offset: f32,
    scheme: PhantomData<S>,
}

impl<S: Quantised> GlobalAveragePool<S> {
    /// Of images of `h` rows and `w` columns.
    ///
    /// # Errors
    /// [`Error::InvalidScale`], [`Error::ZeroPoint`]; [`Error::ZeroDimension`]; [`Error::SizeOverflow`] for an image of more than 2^23 pixels,
    /// whose sums i32 does not hold.
    pub fn new(h: usize, w: usize, from: Quantization, to: Quantization) -> Result<Self> {
        from.check::<S>("input")?;
        to.check::<S>("output")?;
        let pixels = Nhwc::new(1, h, w, 1).len("input")?;
        let pixels = i32::try_from(pixels)
            .ok()
            .filter(|&pixels| pixels <= 1 << 23)
            .ok_or(Error::SizeOverflow { operand: "input" })?;
        let scale = from.scale / to.scale * (1.0 / pixels as f32);
        expect_scale("input to output", 0, scale)?;
        Ok(Self {
            h,
            w,
            scale,
            offset: to.zero_point as f32 - (from.zero_point * pixels) as f32 * scale,
            scheme: PhantomData,
        })
    }

    /// The means of each image.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for images of another size, or an output of another shape.
    pub fn run(&self, input: View<'_, S::Elem>, mut output: ViewMut<'_, S::Elem>) -> Result<()> {
        /// Channels at a time: their sums lie in registers or nearby.
        const LANES: usize = 64;
        let &Self { h, w, .. } = self;
        let Nhwc { n, c, .. } = input.shape();
        input.shape().must_be("input", Nhwc::new(n, h, w, c))?;
        output.shape().must_be("output", Nhwc::new(n, 1, 1, c))?;
        for image in 0..n {
            for first in (0..c).step_by(LANES) {
                let count = LANES.min(c - first);
                let mut sums = [0_i32; LANES];
                for (y, x) in (0..h).flat_map(|y| (0..w).map(move |x| (y, x))) {
                    let pixel = input.pixel(image, y, x).unwrap_or_default();
                    for (sum, &x) in sums.iter_mut().zip(&pixel[first..first + count]) {
                        *sum += S::int(x);
                    }
                }
                let to = &mut output.pixel_mut(image, 0, 0)[first..first + count];
                for (to, sum) in to.iter_mut().zip(sums) {
                    let mean = libm::rintf(sum as f32 * self.scale + self.offset);
                    *to = S::elem(mean.clamp(S::LEAST as f32, S::MOST as f32) as i32);
                }
            }
        }
        Ok(())
    }
}

/// [`GlobalAveragePool`] of an input's size, run once.
///
/// # Errors
/// As [`GlobalAveragePool::new`] and [`GlobalAveragePool::run`].
pub fn global_average_pool<S: Quantised>(
    input: View<'_, S::Elem>,
    from: Quantization,
    output: ViewMut<'_, S::Elem>,
    to: Quantization,
) -> Result<()> {
    let Nhwc { h, w, .. } = input.shape();
    GlobalAveragePool::<S>::new(h, w, from, to)?.run(input, output)
}

/// The mean of each channel over windows, whose output is written down as the input is: the mean of the integers themselves, rounded half
/// away from zero, within an activation whose bounds are rounded half away from the zero point. What is padded does not count.
///
/// Source: TensorFlow Lite's own kernel for AVERAGE_POOL_2D.
///
/// ```
/// use dwsep::{Activation, Nhwc, PoolWindow, Qs8, Quantization, View, ViewMut, quantised::AveragePool};
///
/// let (shape, window) = (Nhwc::new(1, 2, 4, 1), PoolWindow { size: (2, 2), stride: (2, 2), same: false });
/// let pool = AveragePool::<Qs8>::new(shape, window, Quantization::new(0.1, 0), Activation::None)?;
/// let (input, mut means) = ([1, 2, 5, 6, 3, 5, 8, 7], [0; 2]);
/// pool.run(View::new(&input, shape)?, ViewMut::new(&mut means, pool.output_shape())?)?;
/// // 11 / 4 and 26 / 4.
/// assert_eq!(means, [3, 7]);
/// # Ok::<(), dwsep::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct AveragePool<S: Quantised> {
    windows: Windows,
    bounds: (i64, i64),
    scheme: PhantomData<S>,
}

impl<S: Quantised> AveragePool<S> {
    /// For inputs of the shape `[N, H, W, C]`, which stand for what `quantization` says.
    ///
    /// # Errors
    /// As [`AveragePool::new`](crate::AveragePool::new); [`Error::InvalidScale`], [`Error::ZeroPoint`]; [`Error::Unsupported`] for an
    /// activation that is no clamp.
    pub fn new(
        input: Nhwc,
        window: PoolWindow,
        quantization: Quantization,
        activation: Activation,
    ) -> Result<Self> {
        quantization.check::<S>("input")?;
        let activation = activation.clamp()?;
        let Quantization { scale, zero_point } = quantization;
        let bound = |x: f32| {
            // Saturates, as do infinities.
            let q = (libm::roundf(x / scale) + zero_point as f32) as i64;
            q.clamp(S::LEAST.into(), S::MOST.into())
        };
        Ok(Self {
            windows: Windows::new(input, window)?,
            bounds: (bound(activation.lo), bound(activation.hi)),
            scheme: PhantomData,
        })
    }

    /// `[N, OH, OW, C]`
    pub fn output_shape(&self) -> Nhwc {
        self.windows.output()
    }

    /// # Errors
    /// [`Error::Mismatch`] for views of other shapes.
    pub fn run(&self, input: View<'_, S::Elem>, output: ViewMut<'_, S::Elem>) -> Result<()> {
        let (least, most) = self.bounds;
        let widened = |x| i64::from(S::int(x));
        self.windows.each(input, output, widened, |sum, count| {
            let count = count as i64;
            let half = if sum > 0 { count / 2 } else { -(count / 2) };
            S::elem(((sum + half) / count).clamp(least, most) as i32)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Qs8, Qu8};
    use alloc::vec;

    #[test]
    fn sums_are_of_real_numbers() {
        let (a, b, out) = (
            Quantization::new(0.5, 3),
            Quantization::new(0.25, -7),
            Quantization::new(0.75, 1),
        );
        let add = Add::<Qs8>::new(a, b, out, Activation::None).unwrap();
        for x in i8::MIN..=i8::MAX {
            for y in i8::MIN..=i8::MAX {
                let real = f64::from(a.dequantise(x.into())) + f64::from(b.dequantise(y.into()));
                let exact = (real / 0.75 + 1.0).clamp(-128.0, 127.0);
                let found = f64::from(add.apply(x, y));
                // 20 bits of a multiplier: wrong by less than a ten thousandth, beside the rounding.
                assert!(
                    (found - exact).abs() < 0.5001,
                    "{x} + {y} is {found}, exactly {exact}"
                );
            }
        }
        let relu = Add::<Qs8>::new(a, b, out, Activation::Relu).unwrap();
        assert_eq!(relu.apply(-100, -100), 1);
        let far = Add::<Qs8>::new(Quantization::new(1e3, 0), b, out, Activation::None);
        assert!(matches!(far, Err(Error::Unsupported { operand: "a", .. })));
    }

    #[test]
    fn sums_of_views() {
        let one = Quantization::new(1.0, 0);
        let add = Add::<Qu8>::new(one, one, one, Activation::None).unwrap();
        let (a, b, mut output) = ([1_u8, 2, 250, 4], [1_u8, 1, 10, 1], [0_u8; 4]);
        let shape = Nhwc::new(1, 1, 2, 2);
        let view = |x| View::new(x, shape).unwrap();
        add.run(
            view(&a),
            view(&b),
            ViewMut::new(&mut output, shape).unwrap(),
        )
        .unwrap();
        assert_eq!(output, [2, 3, 255, 5]);
        let other = View::new(&a, Nhwc::new(1, 1, 1, 4)).unwrap();
        let output = ViewMut::new(&mut output, shape).unwrap();
        assert!(add.run(view(&a), other, output).is_err());
    }

    #[test]
    fn bounds_of_means_are_rounded_away_from_the_zero_point() {
        // 6 / (12 / 255) is 127.5.
        let q = |zero_point| Quantization::new(12.0 / 255.0, zero_point);
        let window = PoolWindow {
            size: (1, 1),
            stride: (1, 1),
            same: false,
        };
        let shape = Nhwc::new(1, 1, 1, 1);
        let unsigned = |zero_point| {
            let pool = AveragePool::<Qu8>::new(shape, window, q(zero_point), Activation::Relu6);
            pool.unwrap().bounds
        };
        assert_eq!((unsigned(3), unsigned(200)), ((3, 131), (200, 255)));
        let signed = |activation| AveragePool::<Qs8>::new(shape, window, q(9), activation);
        assert_eq!(signed(Activation::None).unwrap().bounds, (-128, 127));
        for (lo, hi) in [(1.0, 0.0), (f32::NAN, 0.0)] {
            let error = signed(Activation::Clamp { lo, hi }).unwrap_err();
            assert_eq!(error, Error::InvalidClamp);
        }
        let error = signed(Activation::HardSwish).unwrap_err();
        assert!(matches!(error, Error::Unsupported { .. }));
    }

    #[test]
    fn means_are_of_real_numbers() {
        let (from, to) = (Quantization::new(0.5, -3), Quantization::new(0.4, 5));
        let shape = Nhwc::new(2, 3, 5, 70);
        let input: vec::Vec<i8> = (0..shape.len("input").unwrap())
            .map(|i| (i * 37 % 251) as i8)
            .collect();
        let mut output = vec![0_i8; 140];
        global_average_pool::<Qs8>(
            View::new(&input, shape).unwrap(),
            from,
            ViewMut::new(&mut output, Nhwc::new(2, 1, 1, 70)).unwrap(),
            to,
        )
        .unwrap();
        let op = GlobalAveragePool::<Qs8>::new(5, 3, from, to).unwrap();
        let other = ViewMut::new(&mut output, Nhwc::new(2, 1, 1, 70)).unwrap();
        let refused = op.run(View::new(&input, shape).unwrap(), other);
        assert!(matches!(refused, Err(Error::Mismatch { dim: "h", .. })));
        assert!(GlobalAveragePool::<Qs8>::new(1 << 12, 1 << 12, from, to).is_err());
        for (i, &found) in output.iter().enumerate() {
            let (image, c) = (i / 70, i % 70);
            let mean = (0..15)
                .map(|p| f64::from(from.dequantise(input[(image * 15 + p) * 70 + c].into())))
                .sum::<f64>()
                / 15.0;
            let exact = mean / 0.4 + 5.0;
            assert!(
                (f64::from(found) - exact).abs() < 0.501,
                "{i}: {found}, {exact}"
            );
        }
    }
}
