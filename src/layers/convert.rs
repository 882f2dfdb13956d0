//! The same numbers, written down differently.

use std::fmt;

use dwsep::{Executor, Nhwc, Quantization, View, ViewMut};

use crate::layer::{Formats, Layer, Op, PlannedLayer, Result, planned, sole_of};
use crate::value::{Element, Format, Integer, ValueInfo, map, nearest};

/// Real numbers to integers, integers to real numbers, or integers to integers that stand for others.
///
/// The last as XNNPACK does it within one type, `y = (((x - zx) * m + 128) >> 8) + zy` with `m = round(256 * sx / sy)`, and as TensorFlow
/// Lite's own kernel does it from one type to another (or where `m` would leave 1 to 32768): with a multiplier of 31 bits, rounded once.
/// Half is rounded up.
#[derive(Clone, Copy, Debug)]
pub struct Convert {
    /// From and to.
    pub formats: Formats,
}

impl Layer for Convert {
    fn description(&self) -> String {
        let Formats { input, output } = self.formats;
        format!("conversion from {} to {}", input.dtype(), output.dtype())
    }

    fn plan(&self, inputs: &[ValueInfo]) -> Result<Box<dyn PlannedLayer>> {
        let Formats { input, output } = self.formats;
        let shape = sole_of(inputs, input)?;
        shape.len("input")?;
        Ok(match (input, output) {
            (Format::F32, Format::F32) => each(shape, output, |x: f32| x),
            (Format::F32, Format::I8(to)) => each(shape, output, move |x| nearest::<i8>(to, x)),
            (Format::F32, Format::U8(to)) => each(shape, output, move |x| nearest::<u8>(to, x)),
            (Format::I8(from), Format::F32) => {
                each(shape, output, move |x: i8| from.dequantise(x.into()))
            }
            (Format::U8(from), Format::F32) => {
                each(shape, output, move |x: u8| from.dequantise(x.into()))
            }
            (Format::I8(from), Format::I8(to)) => {
                let rescale = Rescale::within(from, to);
                each(shape, output, move |x: i8| rescale.apply::<_, i8>(x))
            }
            (Format::U8(from), Format::U8(to)) => {
                let rescale = Rescale::within(from, to);
                each(shape, output, move |x: u8| rescale.apply::<_, u8>(x))
            }
            (Format::I8(from), Format::U8(to)) => {
                let rescale = Rescale::between(from, to);
                each(shape, output, move |x: i8| rescale.apply::<_, u8>(x))
            }
            (Format::U8(from), Format::I8(to)) => {
                let rescale = Rescale::between(from, to);
                each(shape, output, move |x: u8| rescale.apply::<_, i8>(x))
            }
        })
    }
}

fn each<A: Element, B: Element>(
    shape: Nhwc,
    output: Format,
    function: impl Fn(A) -> B + Send + Sync + 'static,
) -> Box<dyn PlannedLayer> {
    let each = Each {
        shape,
        function,
        elements: std::marker::PhantomData,
    };
    planned(each, output)
}

/// Element by element.
struct Each<A, B, F> {
    shape: Nhwc,
    function: F,
    elements: std::marker::PhantomData<(A, B)>,
}

impl<A, B, F> fmt::Debug for Each<A, B, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Each({})", self.shape)
    }
}

impl<A: Element, B: Element, F: Fn(A) -> B + Send + Sync + 'static> Op for Each<A, B, F> {
    type In = A;
    type Out = B;

    fn output_shape(&self) -> Nhwc {
        self.shape
    }

    fn run(
        &self,
        _executor: &dyn Executor,
        input: View<'_, A>,
        output: ViewMut<'_, B>,
        _workspace: &mut [u8],
    ) -> dwsep::Result<()> {
        map(input, output, &self.function)
    }
}

/// `((x - zx) * multiplier + half) >> shift) + zy`
#[derive(Clone, Copy, Debug)]
struct Rescale {
    zeros: [i32; 2],
    multiplier: i64,
    shift: u32,
}

impl Rescale {
    /// As XNNPACK does it.
    fn within(from: Quantization, to: Quantization) -> Self {
        let multiplier = (from.scale / to.scale * 256.0).round_ties_even();
        if !(1.0..=32768.0).contains(&multiplier) {
            return Self::between(from, to);
        }
        Self {
            zeros: [from.zero_point, to.zero_point],
            multiplier: multiplier as i64,
            shift: 8,
        }
    }

    /// As TensorFlow Lite does it.
    fn between(from: Quantization, to: Quantization) -> Self {
        /// `m` of `x = m * 2^e` with `m` from 0.5 up to 1: the exponent's bits are those of 0.5.
        const HALF: u64 = 1022 << 52;
        let ratio = f64::from(from.scale) / f64::from(to.scale);
        let bits = ratio.to_bits();
        let exponent = ((bits >> 52) & 0x7FF) as i32 - 1022;
        let fraction = f64::from_bits(bits & ((1 << 52) - 1) | HALF);
        // Beyond 62 all becomes the zero point, which 62 does, too; below 1 all that is not the zero point saturates.
        let shift = 31 - exponent;
        Self {
            zeros: [from.zero_point, to.zero_point],
            multiplier: (fraction * (1_u64 << 31) as f64 + 0.5).floor() as i64,
            shift: shift.clamp(1, 62) as u32,
        }
    }

    fn apply<A: Integer, B: Integer>(self, x: A) -> B {
        let [from, to] = self.zeros;
        let product = i64::from(x.wide() - from) * self.multiplier;
        B::saturated(((product + (1 << (self.shift - 1))) >> self.shift) + i64::from(to))
    }
}
