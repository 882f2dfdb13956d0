//! The sum of two tensors: what closes an inverted residual.

use dwsep::{Activation, Executor, View, ViewMut};

use crate::bounds::{self, Ties};
use crate::layer::{Layer, LayerError, PlannedLayer, Result, take, typed, typed_mut};
use crate::value::{
    AnyView, AnyViewMut, DType, Element, Format, Integer, Quantization, ValueInfo, must_be, pixels,
};

/// `activation(a + b)` of two tensors of one shape and one type. Integers may stand for other numbers in each of the three.
///
/// Integers are added as XNNPACK does it, in fixed point: with `r` the ratios of the inputs' scales to the output's,
/// `shift = 20 - floor(log2(max(r)))` and the multipliers `m = round(r * 2^shift)`, which have up to 21 bits,
///
/// ```text
/// y = (((a - za) * ma + (b - zb) * mb + 2^(shift - 1)) >> shift) + zy        rounded half up, then within the activation's bounds
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Add {
    /// What is applied to the sum: a clamp.
    pub activation: Activation,
    /// How the sum is written down; of the same type as the inputs.
    pub output: Format,
}

#[derive(Debug)]
enum Plan {
    Float {
        output: ValueInfo,
        activation: Activation,
    },
    Fixed {
        output: ValueInfo,
        sum: FixedSum,
    },
}

#[derive(Clone, Copy, Debug)]
struct FixedSum {
    zeros: [i32; 2],
    multipliers: [i64; 2],
    shift: u32,
    zero: i64,
    bounds: (i64, i64),
}

impl Layer for Add {
    fn description(&self) -> String {
        "sum of two".to_owned()
    }

    fn plan(&self, inputs: &[ValueInfo]) -> Result<Box<dyn PlannedLayer>> {
        let [a, b] = take(inputs)?;
        must_be("second input", b.shape, a.shape)?;
        a.shape.len("input")?;
        let dtype = self.output.dtype();
        for input in [a, b] {
            if input.format.dtype() != dtype {
                return Err(LayerError::format(dtype, input.format));
            }
        }
        let output = ValueInfo {
            shape: a.shape,
            format: self.output,
        };
        let formats = [a.format, b.format, self.output].map(Format::quantization);
        Ok(Box::new(match formats {
            [Some(a), Some(b), Some(to)] => Plan::Fixed {
                output,
                sum: FixedSum::new([a, b], to, dtype, self.activation)?,
            },
            _ => Plan::Float {
                output,
                activation: self.activation,
            },
        }))
    }
}

impl FixedSum {
    fn new(
        from: [Quantization; 2],
        to: Quantization,
        dtype: DType,
        activation: Activation,
    ) -> Result<Self> {
        /// Far beyond what XNNPACK takes, and far from overflow.
        const MOST: f64 = (1_u64 << 40) as f64;
        let ratios = from.map(|q| f64::from(q.scale / to.scale));
        let greatest = ratios[0].max(ratios[1]);
        // The exponent of an f32 that is no zero: f64 has no subnormals there.
        let exponent = ((greatest.to_bits() >> 52) & 0x7FF) as i32 - 1023;
        let shift = (20 - exponent).clamp(1, 62);
        let power = f64::from(shift).exp2();
        let (least, most) = match dtype {
            DType::U8 => wide(bounds::quantised::<u8>(activation, to, Ties::Even)?),
            _ => wide(bounds::quantised::<i8>(activation, to, Ties::Even)?),
        };
        Ok(Self {
            zeros: from.map(|q| q.zero_point),
            multipliers: ratios.map(|r| (r * power).round_ties_even().min(MOST) as i64),
            shift: shift as u32,
            zero: i64::from(to.zero_point),
            bounds: (least, most),
        })
    }

    fn apply<T: Integer>(&self, a: T, b: T) -> T {
        let [ma, mb] = self.multipliers;
        let [za, zb] = self.zeros;
        let a = i64::from(a.wide() - za) * ma;
        let b = i64::from(b.wide() - zb) * mb;
        let sum = (a + b + (1 << (self.shift - 1))) >> self.shift;
        let (least, most) = self.bounds;
        T::saturated((sum + self.zero).clamp(least, most))
    }
}

fn wide<T: Integer>((least, most): (T, T)) -> (i64, i64) {
    (least.wide().into(), most.wide().into())
}

impl PlannedLayer for Plan {
    fn output(&self) -> ValueInfo {
        match self {
            Plan::Float { output, .. } | Plan::Fixed { output, .. } => *output,
        }
    }

    fn run(
        &self,
        _executor: &dyn Executor,
        inputs: &[AnyView<'_>],
        output: AnyViewMut<'_>,
        _workspace: &mut [u8],
    ) -> Result<()> {
        let inputs = take(inputs)?;
        match self {
            Plan::Float { activation, .. } => {
                zip::<f32>(inputs, output, |a, b| activation.apply(a + b))
            }
            Plan::Fixed { sum, .. } => match output.dtype() {
                DType::U8 => zip::<u8>(inputs, output, |a, b| sum.apply(a, b)),
                _ => zip::<i8>(inputs, output, |a, b| sum.apply(a, b)),
            },
        }
    }
}

/// Each element of `output` from those of two tensors.
fn zip<T: Element>(
    [a, b]: [AnyView<'_>; 2],
    output: AnyViewMut<'_>,
    function: impl Fn(T, T) -> T,
) -> Result<()> {
    let (a, b): (View<'_, T>, View<'_, T>) = (typed(a)?, typed(b)?);
    let mut output: ViewMut<'_, T> = typed_mut(output)?;
    must_be("second input", b.shape(), a.shape())?;
    must_be("output", output.shape(), a.shape())?;
    for (n, h, w) in pixels(a.shape()) {
        let a = a.pixel(n, h, w).unwrap_or_default();
        let b = b.pixel(n, h, w).unwrap_or_default();
        for ((to, &a), &b) in output.pixel_mut(n, h, w).iter_mut().zip(a).zip(b) {
            *to = function(a, b);
        }
    }
    Ok(())
}
