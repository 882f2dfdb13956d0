//! What can be wrong with a model, its weights or a call: for people, on one line, with both numbers in it.

use std::io;
use std::path::PathBuf;

use dwsep::Nhwc;

use crate::layer::LayerError;
use crate::value::DType;
use crate::weights::safetensors::Problem;
use crate::weights::shown_shape;
use crate::weights::tflite;

/// Why something was refused. A message is complete: it includes its cause.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read.
    #[error("{}: {cause}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },

    /// A file is not a valid safetensors file.
    #[error("{origin}: {problem}")]
    Safetensors {
        /// Name of the file.
        origin: String,
        /// What is wrong with it.
        problem: Box<Problem>,
    },

    /// The weights lack a tensor that the network needs.
    #[error("{origin}: there is no tensor `{tensor}`")]
    MissingTensor {
        /// Where the weights come from.
        origin: String,
        /// The tensor's name.
        tensor: String,
    },

    /// A tensor has another shape than the network needs.
    #[error(
        "{origin}: tensor `{tensor}` has shape {}, expected {expected:?}",
        shown_shape(found)
    )]
    TensorShape {
        /// Where the weights come from.
        origin: String,
        /// The tensor's name.
        tensor: String,
        /// The shape that the network needs.
        expected: Vec<usize>,
        /// The shape it has.
        found: Vec<usize>,
    },

    /// The network's width or its number of classes cannot be seen from a tensor's shape.
    #[error(
        "{origin}: tensor `{tensor}` has shape {}, expected {expected}",
        shown_shape(found)
    )]
    TensorRank {
        /// Where the weights come from.
        origin: String,
        /// The tensor's name.
        tensor: String,
        /// The form of the shape, "[O, I, 1, 1]".
        expected: &'static str,
        /// The shape it has.
        found: Vec<usize>,
    },

    /// A tensor's elements are of a type that is not read.
    #[error("{origin}: tensor `{tensor}` is of type {found}, expected {expected}")]
    TensorType {
        /// Where the weights come from.
        origin: String,
        /// The tensor's name.
        tensor: String,
        /// The types that it may be of.
        expected: &'static str,
        /// Its type, as safetensors calls it.
        found: String,
    },

    /// A number in a tensor is none that it can be: a scale or a bias, for example.
    #[error("{origin}: tensor `{tensor}` has {found} at index {index}, expected {expected}")]
    TensorValue {
        /// Where the weights come from.
        origin: String,
        /// The tensor's name.
        tensor: String,
        /// Which of its elements.
        index: usize,
        /// The element.
        found: String,
        /// What it could be.
        expected: &'static str,
    },

    /// An entry of a weight file's metadata has a value that is not known.
    #[error("{origin}: the metadata has {key} = \"{found}\", expected {expected}")]
    Metadata {
        /// Where the weights come from.
        origin: String,
        /// The entry.
        key: &'static str,
        /// Its value, cut and escaped.
        found: String,
        /// The values that are known.
        expected: &'static str,
    },

    /// A share of numbers is none.
    #[error("the percentile is {found}, expected one above 0, and at most 100")]
    Percentile {
        /// In percent.
        found: f64,
    },

    /// Images do not say which numbers a layer gives.
    #[error("{layer}: no range of finite numbers in {images} images")]
    Calibration {
        /// The layer's name.
        layer: String,
        /// How many images it has seen.
        images: usize,
    },

    /// A width multiplier is not a positive, finite number, or one that makes more channels than can be counted.
    #[error("alpha is {alpha}, expected a positive, finite number, and not beyond all memory")]
    Alpha {
        /// The width multiplier.
        alpha: f64,
    },

    /// A layer's parameters or multiply-adds are too many to count.
    #[error("{layer}: the parameters or multiply-adds exceed 64 bits")]
    TooLarge {
        /// The layer's name.
        layer: String,
    },

    /// A slice is not as long as its shape says. Counted in elements.
    #[error("a tensor of shape {shape} has {found} elements, expected {expected}")]
    Length {
        /// The shape.
        shape: Nhwc,
        /// Elements of that shape.
        expected: usize,
        /// Elements there.
        found: usize,
    },

    /// A session was planned for inputs of another shape.
    #[error("the input has shape {found}, the session is planned for {expected}")]
    InputShape {
        /// The shape that the session was planned for.
        expected: Nhwc,
        /// The shape of the input.
        found: Nhwc,
    },

    /// An input has elements of another type than the network's.
    #[error("the elements of the input are {found}, expected {expected}")]
    InputType {
        /// What the network takes.
        expected: DType,
        /// What it is given.
        found: DType,
    },

    /// An engine has no thread, or more threads than a session has memory for.
    #[error("{found} threads, expected 1 to {most}")]
    Threads {
        /// Threads asked for.
        found: usize,
        /// The largest possible number.
        most: usize,
    },

    /// The operating system gave no threads.
    #[error("cannot start {threads} threads: {cause}")]
    ThreadPool {
        /// Threads asked for.
        threads: usize,
        /// What rayon said.
        cause: rayon::ThreadPoolBuildError,
    },

    /// There is not enough memory.
    #[error("{operand}: {bytes} bytes of memory cannot be had")]
    OutOfMemory {
        /// What the memory is for.
        operand: &'static str,
        /// Bytes asked for.
        bytes: usize,
    },

    /// A layer cannot be built, or does not fit what it is given.
    #[error("{layer}: {cause}")]
    Layer {
        /// The layer's name.
        layer: String,
        /// What is wrong.
        cause: LayerError,
    },

    /// The kernels refused a call.
    #[error(transparent)]
    Kernels(#[from] dwsep::Error),

    /// A TensorFlow Lite file holds another network than a MobileNetV1 of floats, whose weights were asked for.
    #[error("{origin}: {found}, expected {expected}, as in a MobileNetV1 in float32")]
    NotMobilenetV1 {
        /// Name of the file.
        origin: String,
        /// What there is.
        found: String,
        /// What a MobileNetV1 has in its place.
        expected: &'static str,
    },

    /// A file is not a valid TensorFlow Lite file, or holds a network that is not supported.
    #[error("{origin}: {problem}")]
    Tflite {
        /// Name of the file.
        origin: String,
        /// What is wrong with it.
        problem: Box<tflite::Problem>,
    },
}

impl Error {
    pub(crate) fn layer(name: &str, cause: impl Into<LayerError>) -> Self {
        Self::Layer {
            layer: name.to_owned(),
            cause: cause.into(),
        }
    }
}

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;
