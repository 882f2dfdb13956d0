//! What flows between the layers: numbers of one of three types, and what the integers among them stand for.

use std::fmt;

use bytemuck::Pod;
use dwsep::{Nhwc, Quantization, Strides, View, ViewMut};

/// The type of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DType {
    /// Single precision.
    F32,
    /// Integers from -128 to 127.
    I8,
    /// Integers from 0 to 255.
    U8,
}

impl DType {
    /// `f32`, `i8` or `u8`.
    pub const fn name(self) -> &'static str {
        match self {
            DType::F32 => "f32",
            DType::I8 => "i8",
            DType::U8 => "u8",
        }
    }

    /// Bytes of an element.
    pub const fn size(self) -> usize {
        match self {
            DType::F32 => 4,
            DType::I8 | DType::U8 => 1,
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How real numbers are written down.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Format {
    /// As they are.
    F32,
    /// As integers from -128 to 127.
    I8(Quantization),
    /// As integers from 0 to 255.
    U8(Quantization),
}

impl Format {
    /// The type of the elements.
    pub const fn dtype(self) -> DType {
        match self {
            Format::F32 => DType::F32,
            Format::I8(_) => DType::I8,
            Format::U8(_) => DType::U8,
        }
    }

    /// What integers stand for; `None` for what is no integer.
    pub const fn quantization(self) -> Option<Quantization> {
        match self {
            Format::F32 => None,
            Format::I8(quantization) | Format::U8(quantization) => Some(quantization),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.dtype())?;
        match self.quantization() {
            None => Ok(()),
            Some(Quantization { scale, zero_point }) => {
                write!(f, " with scale {scale:?} and zero point {zero_point}")
            }
        }
    }
}

/// What is known of a value before it is computed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ValueInfo {
    /// `[N, H, W, C]`.
    pub shape: Nhwc,
    /// How its numbers are written down.
    pub format: Format,
}

impl ValueInfo {
    /// A value of f32.
    pub const fn f32(shape: Nhwc) -> Self {
        Self {
            shape,
            format: Format::F32,
        }
    }

    /// Bytes of a slice that holds the value with these strides.
    pub(crate) fn bytes(&self, strides: Strides) -> dwsep::Result<usize> {
        // Does not overflow: a shape of so many elements has been checked for eight bytes each.
        Ok(strides.extent(self.shape)? * self.format.dtype().size())
    }

    /// Strides that are good for caches ([`Strides::spread`]).
    pub(crate) fn spread(&self) -> dwsep::Result<Strides> {
        match self.format.dtype() {
            DType::F32 => Strides::spread::<f32>(self.shape),
            DType::I8 | DType::U8 => Strides::spread::<i8>(self.shape),
        }
    }
}

/// A tensor to be read, of any type.
#[derive(Clone, Copy, Debug)]
pub enum AnyView<'a> {
    /// Single precision.
    F32(View<'a, f32>),
    /// Signed integers.
    I8(View<'a, i8>),
    /// Unsigned integers.
    U8(View<'a, u8>),
}

/// A tensor to be written, of any type.
#[derive(Debug)]
pub enum AnyViewMut<'a> {
    /// Single precision.
    F32(ViewMut<'a, f32>),
    /// Signed integers.
    I8(ViewMut<'a, i8>),
    /// Unsigned integers.
    U8(ViewMut<'a, u8>),
}

/// A type that values are made of.
pub trait Element: Pod + Send + Sync + fmt::Debug {
    /// Which one it is.
    const DTYPE: DType;

    /// The tensor, if it is of this type.
    fn view(any: AnyView<'_>) -> Option<View<'_, Self>>;

    /// The tensor, if it is of this type.
    fn view_mut(any: AnyViewMut<'_>) -> Option<ViewMut<'_, Self>>;
}

/// The variant of the enums has the name of the type.
macro_rules! element {
    ($($element:ty: $name:ident),+) => {$(
        impl Element for $element {
            const DTYPE: DType = DType::$name;

            fn view(any: AnyView<'_>) -> Option<View<'_, Self>> {
                match any {
                    AnyView::$name(view) => Some(view),
                    _ => None,
                }
            }

            fn view_mut(any: AnyViewMut<'_>) -> Option<ViewMut<'_, Self>> {
                match any {
                    AnyViewMut::$name(view) => Some(view),
                    _ => None,
                }
            }
        }

        impl<'a> From<View<'a, $element>> for AnyView<'a> {
            fn from(view: View<'a, $element>) -> Self {
                AnyView::$name(view)
            }
        }
    )+};
}

element!(f32: F32, i8: I8, u8: U8);

impl<'a> AnyView<'a> {
    /// A value at the start of `bytes`, which are aligned for its type.
    pub(crate) fn of(bytes: &'a [u8], info: ValueInfo, strides: Strides) -> dwsep::Result<Self> {
        let shape = info.shape;
        let bytes = bytes.get(..info.bytes(strides)?).unwrap_or_default();
        Ok(match info.format.dtype() {
            DType::F32 => AnyView::F32(View::with_strides(
                bytemuck::cast_slice(bytes),
                shape,
                strides,
            )?),
            DType::I8 => AnyView::I8(View::with_strides(
                bytemuck::cast_slice(bytes),
                shape,
                strides,
            )?),
            DType::U8 => AnyView::U8(View::with_strides(bytes, shape, strides)?),
        })
    }

    /// The type of the elements.
    pub fn dtype(&self) -> DType {
        match self {
            AnyView::F32(_) => DType::F32,
            AnyView::I8(_) => DType::I8,
            AnyView::U8(_) => DType::U8,
        }
    }

    /// `[N, H, W, C]`.
    pub fn shape(&self) -> Nhwc {
        match self {
            AnyView::F32(view) => view.shape(),
            AnyView::I8(view) => view.shape(),
            AnyView::U8(view) => view.shape(),
        }
    }

    /// The elements in the order `[N, H, W, C]`, if they are of this type.
    pub fn elements<T: Element>(&self) -> Option<Vec<T>> {
        let view = T::view(*self)?;
        Some(
            pixels(view.shape())
                .flat_map(|(n, h, w)| view.pixel(n, h, w).unwrap_or_default())
                .copied()
                .collect(),
        )
    }
}

impl<'a> AnyViewMut<'a> {
    /// A value at the start of `bytes`, which are aligned for its type.
    pub(crate) fn of(
        bytes: &'a mut [u8],
        info: ValueInfo,
        strides: Strides,
    ) -> dwsep::Result<Self> {
        let shape = info.shape;
        let bytes = bytes.get_mut(..info.bytes(strides)?).unwrap_or_default();
        Ok(match info.format.dtype() {
            DType::F32 => AnyViewMut::F32(ViewMut::with_strides(
                bytemuck::cast_slice_mut(bytes),
                shape,
                strides,
            )?),
            DType::I8 => AnyViewMut::I8(ViewMut::with_strides(
                bytemuck::cast_slice_mut(bytes),
                shape,
                strides,
            )?),
            DType::U8 => AnyViewMut::U8(ViewMut::with_strides(bytes, shape, strides)?),
        })
    }

    /// The type of the elements.
    pub fn dtype(&self) -> DType {
        match self {
            AnyViewMut::F32(_) => DType::F32,
            AnyViewMut::I8(_) => DType::I8,
            AnyViewMut::U8(_) => DType::U8,
        }
    }
}

/// Image, row and column of every pixel, in their order.
pub(crate) fn pixels(shape: Nhwc) -> impl Iterator<Item = (usize, usize, usize)> {
    let Nhwc { n, h, w, .. } = shape;
    (0..n).flat_map(move |n| (0..h).flat_map(move |h| (0..w).map(move |w| (n, h, w))))
}

/// A type of integers that stand for real numbers.
pub trait Integer: Element {
    /// The least.
    const LEAST: i32;
    /// The greatest.
    const MOST: i32;

    /// The number.
    fn wide(self) -> i32;

    /// The number, or the one of this type that is next to it.
    fn saturated(x: i64) -> Self;

    /// The number, which is one of this type: of others the lowest bits.
    fn narrow(x: i32) -> Self;

    /// How they stand for what.
    fn format(quantization: Quantization) -> Format;
}

macro_rules! integer {
    ($($integer:ident: $name:ident),+) => {$(
        impl Integer for $integer {
            const LEAST: i32 = $integer::MIN as i32;
            const MOST: i32 = $integer::MAX as i32;

            fn wide(self) -> i32 {
                i32::from(self)
            }

            fn saturated(x: i64) -> Self {
                x.clamp($integer::MIN.into(), $integer::MAX.into()) as $integer
            }

            fn narrow(x: i32) -> Self {
                x as $integer
            }

            fn format(quantization: Quantization) -> Format {
                Format::$name(quantization)
            }
        }
    )+};
}

integer!(i8: I8, u8: U8);

/// 1.5 * 2^23.
const NO_FRACTIONS: f32 = 12_582_912.0;

/// The integer that stands for what is nearest to `x`; of two that are as near, the one at an even distance from the zero point. NaN
/// becomes the zero point. A multiplication with the inverse of the scale, as XNNPACK does it.
pub(crate) fn nearest<T: Integer>(q: Quantization, x: f32) -> T {
    let steps = x * (1.0 / q.scale);
    let (least, most) = (T::LEAST - q.zero_point, T::MOST - q.zero_point);
    let (least, most) = (least as f32, most as f32);
    // Nothing here is a branch or a call, so that the loop around it becomes one of vectors; `max` and `min` would look for NaN, too.
    let above = if steps > least { steps } else { least };
    let within = if above < most { above } else { most };
    let within = if steps.is_nan() { 0.0 } else { within };
    // In this sum there is no room for fractions, and its bits are those of an integer.
    let sum = (within + NO_FRACTIONS).to_bits() as i32 - NO_FRACTIONS.to_bits() as i32;
    T::narrow(sum + q.zero_point)
}

/// The integers that stand for what is nearest to `input`. `format` is the output's.
pub(crate) fn quantise(
    input: View<'_, f32>,
    output: AnyViewMut<'_>,
    format: Format,
) -> dwsep::Result<()> {
    match (output, format.quantization()) {
        (AnyViewMut::I8(output), Some(q)) => map(input, output, |x| nearest(q, x)),
        (AnyViewMut::U8(output), Some(q)) => map(input, output, |x| nearest(q, x)),
        (AnyViewMut::F32(output), _) => map(input, output, |x| x),
        // A value's format has a quantisation where its elements are integers.
        (_, None) => Ok(()),
    }
}

/// The real numbers that `input` stands for. `format` is the input's.
pub(crate) fn dequantise(
    input: AnyView<'_>,
    format: Format,
    output: ViewMut<'_, f32>,
) -> dwsep::Result<()> {
    match (input, format.quantization()) {
        (AnyView::I8(input), Some(q)) => map(input, output, |x| q.dequantise(i32::from(x))),
        (AnyView::U8(input), Some(q)) => map(input, output, |x| q.dequantise(i32::from(x))),
        (AnyView::F32(input), _) => map(input, output, |x| x),
        (_, None) => Ok(()),
    }
}

/// Each element of one tensor from that of another of the same shape.
pub(crate) fn map<A: Copy, B>(
    input: View<'_, A>,
    mut output: ViewMut<'_, B>,
    function: impl Fn(A) -> B,
) -> dwsep::Result<()> {
    must_be("output", output.shape(), input.shape())?;
    if let (Some(from), Some(to)) = (input.dense(), output.dense_mut()) {
        for (to, &from) in to.iter_mut().zip(from) {
            *to = function(from);
        }
        return Ok(());
    }
    for (n, h, w) in pixels(input.shape()) {
        let from = input.pixel(n, h, w).unwrap_or_default();
        let to = output.pixel_mut(n, h, w);
        for (to, &from) in to.iter_mut().zip(from) {
            *to = function(from);
        }
    }
    Ok(())
}

/// Refuses another shape than `expected`.
pub(crate) fn must_be(operand: &'static str, found: Nhwc, expected: Nhwc) -> dwsep::Result<()> {
    let dims = |x: Nhwc| [("n", x.n), ("h", x.h), ("w", x.w), ("c", x.c)];
    for ((dim, found), (_, expected)) in dims(found).into_iter().zip(dims(expected)) {
        if found != expected {
            return Err(dwsep::Error::Mismatch {
                operand,
                dim,
                expected,
                found,
            });
        }
    }
    Ok(())
}

/// The real numbers that a tensor stands for, in the order `[N, H, W, C]`.
pub(crate) fn real(view: AnyView<'_>, format: Format) -> Vec<f32> {
    let shape = view.shape();
    let mut output = vec![0.0; shape.n * shape.h * shape.w * shape.c];
    let dense = ViewMut::new(&mut output, shape);
    match dense.and_then(|dense| dequantise(view, format, dense)) {
        Ok(()) => output,
        Err(_) => unreachable!("the output is as long as the shape says"),
    }
}
