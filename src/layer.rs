//! What a layer is: weights that are packed once, and a plan for each shape of its inputs.
//!
//! A layer lives as an op of the kernels does: **build** it from weights when a model is loaded, **plan** it for its inputs (which
//! checks everything), **run** the plan. Layers with one input and one output are made of an `Op`; the others write their plan
//! themselves.

use std::fmt;

use dwsep::{Executor, Nhwc, Padding, Scheme, Stride, View, ViewMut};

use crate::value::{AnyView, AnyViewMut, Element, Format, ValueInfo};

/// The most inputs that a layer has.
pub const MOST_INPUTS: usize = 2;

/// A step of a network, with its weights packed.
pub trait Layer: fmt::Debug + Send + Sync {
    /// What it computes, in a few words: "depthwise 3x3, stride 2, 64 channels; pointwise to 128".
    fn description(&self) -> String;

    /// The names of the kernels that run it, in the order in which they run. None for what is not in the kernels' tables.
    fn kernels(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// Weights and biases, in elements.
    fn weights(&self) -> usize {
        0
    }

    /// Bytes of the weights and biases, as they are before they are packed.
    fn weight_bytes(&self) -> usize {
        self.weights() * size_of::<f32>()
    }

    /// Multiply-adds for an output of this shape. Taps in the padding count, as they do wherever such numbers are published.
    fn macs(&self, _output: Nhwc) -> u64 {
        0
    }

    /// Prepares the layer for inputs of these shapes and formats. The plan shares the weights and does not borrow.
    ///
    /// # Errors
    /// Where the layer cannot take them: other channels, a zero in a shape, sizes that overflow, another type or quantisation.
    fn plan(&self, inputs: &[ValueInfo]) -> Result<Box<dyn PlannedLayer>>;
}

/// A layer for inputs of known shapes and formats. Running it allocates nothing.
pub trait PlannedLayer: fmt::Debug + Send + Sync {
    /// Shape and format of the output.
    fn output(&self) -> ValueInfo;

    /// Bytes of workspace that [`run`](PlannedLayer::run) takes on up to so many threads.
    fn workspace_len(&self, threads: usize) -> usize {
        let _ = threads;
        0
    }

    /// Computes the output.
    ///
    /// # Errors
    /// For views of another shape or type than planned, or a workspace that is too small.
    fn run(
        &self,
        executor: &dyn Executor,
        inputs: &[AnyView<'_>],
        output: AnyViewMut<'_>,
        workspace: &mut [u8],
    ) -> Result<()>;
}

/// Why a layer does not take its inputs.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LayerError {
    /// What the kernels said.
    #[error(transparent)]
    Kernels(#[from] dwsep::Error),

    /// It takes more or fewer.
    #[error("{found} inputs, expected {expected}")]
    Inputs {
        /// Inputs that it takes.
        expected: usize,
        /// Inputs that it is given.
        found: usize,
    },

    /// An input has another type, or stands for other numbers.
    #[error("input: the elements are {found}, expected {expected}")]
    Format {
        /// What the layer is made for.
        expected: String,
        /// What it is given.
        found: String,
    },
}

impl LayerError {
    pub(crate) fn format(expected: impl fmt::Display, found: impl fmt::Display) -> Self {
        Self::Format {
            expected: expected.to_string(),
            found: found.to_string(),
        }
    }
}

/// `Result` with [`LayerError`].
pub type Result<T, E = LayerError> = std::result::Result<T, E>;

/// Multiply-adds of a convolution, each of whose outputs is a sum of so many products.
pub(crate) fn convolution_macs(output: Nhwc, products: usize) -> u64 {
    let Nhwc { n, h, w, c } = output;
    [n, h, w, c, products]
        .into_iter()
        .fold(1, |x: u64, factor| x.saturating_mul(factor as u64))
}

/// A scheme whose numbers are values between layers.
pub trait LayerScheme: Scheme<Elem: Element> + fmt::Debug {}

impl<S: Scheme<Elem: Element> + fmt::Debug> LayerScheme for S {}

/// Bytes of so many weights of a scheme with so many biases.
pub(crate) const fn scheme_bytes<S: Scheme>(weights: usize, biases: usize) -> usize {
    weights * size_of::<S::Weight>() + biases * size_of::<S::Bias>()
}

/// The formats that a layer is packed for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Formats {
    /// Of the input.
    pub input: Format,
    /// Of the output.
    pub output: Format,
}

impl Formats {
    /// f32 on both sides.
    pub const F32: Self = Self {
        input: Format::F32,
        output: Format::F32,
    };
}

/// What lies around an image under a 3x3 window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Border {
    /// As much as TensorFlow's "SAME" asks for, which depends on the size of the image.
    Same,
    /// So many rows and columns.
    Fixed(Padding),
}

impl Border {
    /// The padding of images of a shape.
    pub fn padding(self, input: Nhwc, stride: Stride) -> Padding {
        match self {
            Border::Same => Padding::same(input.h, input.w, stride),
            Border::Fixed(padding) => padding,
        }
    }
}

/// A 3x3 window and how it moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// From an output pixel to the next.
    pub stride: Stride,
    /// What lies around the image.
    pub border: Border,
}

impl Window {
    /// A window that is padded by TensorFlow's rule.
    pub const fn same(stride: Stride) -> Self {
        Self {
            stride,
            border: Border::Same,
        }
    }
}

/// The only input of a layer.
pub(crate) fn sole(inputs: &[ValueInfo]) -> Result<ValueInfo> {
    let [input] = take(inputs)?;
    Ok(input)
}

/// The shape of the only input of a layer that takes this format alone.
pub(crate) fn sole_of(inputs: &[ValueInfo], format: Format) -> Result<Nhwc> {
    let input = sole(inputs)?;
    if input.format == format {
        Ok(input.shape)
    } else {
        Err(LayerError::format(format, input.format))
    }
}

/// All inputs of a layer that has `N`.
pub(crate) fn take<T: Copy, const N: usize>(inputs: &[T]) -> Result<[T; N]> {
    inputs.try_into().map_err(|_| LayerError::Inputs {
        expected: N,
        found: inputs.len(),
    })
}

/// A tensor as one of a type.
pub(crate) fn typed<T: Element>(any: AnyView<'_>) -> Result<View<'_, T>> {
    let found = any.dtype();
    T::view(any).ok_or_else(|| LayerError::format(T::DTYPE, found))
}

/// A tensor as one of a type.
pub(crate) fn typed_mut<T: Element>(any: AnyViewMut<'_>) -> Result<ViewMut<'_, T>> {
    let found = any.dtype();
    T::view_mut(any).ok_or_else(|| LayerError::format(T::DTYPE, found))
}

/// What computes one tensor from one other.
pub(crate) trait Op: fmt::Debug + Send + Sync + 'static {
    /// An element of the input.
    type In: Element;
    /// An element of the output.
    type Out: Element;

    fn output_shape(&self) -> Nhwc;

    fn workspace_len(&self, threads: usize) -> usize {
        let _ = threads;
        0
    }

    fn run(
        &self,
        executor: &dyn Executor,
        input: View<'_, Self::In>,
        output: ViewMut<'_, Self::Out>,
        workspace: &mut [u8],
    ) -> dwsep::Result<()>;
}

/// The plan of a layer that is `op`, whose output has the format `output`.
pub(crate) fn planned(op: impl Op, output: Format) -> Box<dyn PlannedLayer> {
    Box::new(Single { op, output })
}

#[derive(Debug)]
struct Single<O> {
    op: O,
    output: Format,
}

impl<O: Op> PlannedLayer for Single<O> {
    fn output(&self) -> ValueInfo {
        ValueInfo {
            shape: self.op.output_shape(),
            format: self.output,
        }
    }

    fn workspace_len(&self, threads: usize) -> usize {
        self.op.workspace_len(threads)
    }

    fn run(
        &self,
        executor: &dyn Executor,
        inputs: &[AnyView<'_>],
        output: AnyViewMut<'_>,
        workspace: &mut [u8],
    ) -> Result<()> {
        let [input] = take(inputs)?;
        let (input, output) = (typed(input)?, typed_mut(output)?);
        Ok(self.op.run(executor, input, output, workspace)?)
    }
}

/// The ops of the kernels have no trait in common, but these methods.
macro_rules! kernel_ops {
    ($($op:ident),+) => {$(
        impl<S: LayerScheme> Op for dwsep::$op<S> {
            type In = S::Elem;
            type Out = S::Elem;

            fn output_shape(&self) -> Nhwc {
                Self::output_shape(self)
            }

            fn workspace_len(&self, threads: usize) -> usize {
                Self::workspace_len(self, threads)
            }

            fn run(
                &self,
                executor: &dyn Executor,
                input: View<'_, S::Elem>,
                output: ViewMut<'_, S::Elem>,
                workspace: &mut [u8],
            ) -> dwsep::Result<()> {
                Self::run(self, executor, input, output, workspace)
            }
        }
    )+};
}

kernel_ops!(Conv3x3, Depthwise, Pointwise, Separable);
