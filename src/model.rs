//! A network with its weights, packed for an engine's kernels.

use std::path::Path;

use dwsep::{KernelSet, Nhwc};

use crate::layer::{Layer, LayerError, MOST_INPUTS, PlannedLayer};
use crate::models::mobilenet_v1::{self, V1Config};
use crate::models::{self, TfliteOptions};
use crate::value::{Format, ValueInfo};
use crate::weights::{Safetensors, Weights, read_file, shown, tflite};
use crate::{Engine, Error, Result, Session};

/// MobileNetV1 1.0/224, trained on ImageNet: see NOTICE.
static EMBEDDED: &[u8] = include_bytes!("../models/mobilenet_v1_1.0_224.safetensors");
/// The same in int8, made by `mobilenet quantize`: see NOTICE.
static EMBEDDED_INT8: &[u8] = include_bytes!("../models/mobilenet_v1_1.0_224_int8.safetensors");

/// The entry of the metadata that says that a network is quantised, and how.
pub(crate) const QUANTIZATION: &str = "quantization";
pub(crate) const INT8: &str = "int8";

/// The value that a network is given. Layer `i` writes value `i + 1`.
pub(crate) const INPUT: usize = 0;

/// What a network is made of.
pub(crate) struct Contents {
    pub name: String,
    pub layers: Vec<NamedLayer>,
    /// The input that it is made for.
    pub input: ValueInfo,
    pub classes: usize,
    pub labels: Option<Vec<String>>,
    pub probabilities: bool,
}

/// A network with packed weights: layers in an order in which each comes behind those whose outputs it reads. Sessions share it.
///
/// ```
/// use mobilenet::{Engine, Model, Tensor, dwsep::Nhwc};
///
/// let engine = Engine::new(1, None)?;
/// let model = Model::embedded(&engine)?;
/// let image = Tensor::zeros(Nhwc::new(1, 32, 32, 3))?; // all grey: pixels are x / 127.5 - 1
/// let mut session = model.session(image.shape(), engine.threads())?;
/// let logits = session.run(&engine, image.view())?;
/// assert_eq!(logits.len(), 1001);
/// # Ok::<(), mobilenet::Error>(())
/// ```
#[derive(Debug)]
pub struct Model {
    name: String,
    layers: Vec<NamedLayer>,
    input: ValueInfo,
    classes: usize,
    labels: Option<Vec<String>>,
    probabilities: bool,
}

/// A layer, what it is called in its network, and what it reads.
#[derive(Debug)]
pub struct NamedLayer {
    name: String,
    layer: Box<dyn Layer>,
    inputs: Vec<usize>,
}

impl NamedLayer {
    /// A layer that reads these values: 0 is the network's input, `i + 1` what layer `i` writes.
    pub(crate) fn new(
        name: &str,
        layer: dwsep::Result<impl Layer + 'static>,
        inputs: Vec<usize>,
    ) -> Result<Self> {
        match layer {
            Ok(layer) => Ok(Self {
                name: name.to_owned(),
                layer: Box::new(layer),
                inputs,
            }),
            Err(cause) => Err(Error::layer(name, cause)),
        }
    }

    /// The values that it reads: 0 is the network's input, `i + 1` what layer `i` writes.
    pub fn inputs(&self) -> &[usize] {
        &self.inputs
    }

    /// Prepares the layer for inputs of these shapes and formats.
    ///
    /// # Errors
    /// [`Error::Layer`] where the layer cannot take them.
    pub fn plan(&self, inputs: &[ValueInfo]) -> Result<Box<dyn PlannedLayer>> {
        if inputs.len() > MOST_INPUTS {
            let (expected, found) = (MOST_INPUTS, inputs.len());
            return Err(Error::layer(
                &self.name,
                LayerError::Inputs { expected, found },
            ));
        }
        self.layer
            .plan(inputs)
            .map_err(|cause| Error::layer(&self.name, cause))
    }

    /// What the layer is called: `conv_stem`, `separable_1`, ...
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it computes, in a few words.
    pub fn description(&self) -> String {
        self.layer.description()
    }

    /// The names of the kernels that run it, in the order in which they run.
    pub fn kernels(&self) -> Vec<&'static str> {
        self.layer.kernels()
    }

    /// Weights and biases, in elements.
    pub fn weights(&self) -> usize {
        self.layer.weights()
    }

    /// Bytes of the weights and biases, as they are before they are packed.
    pub fn weight_bytes(&self) -> usize {
        self.layer.weight_bytes()
    }

    /// Multiply-adds for an output of this shape, taps in the padding included.
    pub fn macs(&self, output: Nhwc) -> u64 {
        self.layer.macs(output)
    }
}

impl From<Contents> for Model {
    fn from(contents: Contents) -> Self {
        let Contents {
            name,
            layers,
            input,
            classes,
            labels,
            probabilities,
        } = contents;
        Self {
            name,
            layers,
            input,
            classes,
            labels,
            probabilities,
        }
    }
}

impl Model {
    /// Reads a network from a file: a TensorFlow Lite file, with the network as a graph, if that is what is in it or if it is called
    /// `*.tflite`, or a safetensors file. Which network that is follows from its tensors.
    ///
    /// # Errors
    /// [`Error::Read`]; [`Error::Tflite`] and [`Error::Layer`] for a TensorFlow Lite file; [`Error::Safetensors`],
    /// [`Error::MissingTensor`], [`Error::TensorRank`], [`Error::TensorShape`], [`Error::TensorType`] and [`Error::Metadata`] for
    /// any other.
    pub fn load(path: &Path, engine: &Engine) -> Result<Self> {
        let (origin, bytes) = read_file(path)?;
        if tflite::is_tflite_file(path, &bytes) {
            return Self::from_tflite(&origin, &bytes, engine.kernels(), TfliteOptions::default());
        }
        Self::from_safetensors(&Safetensors::from_bytes(origin, bytes)?, engine.kernels())
    }

    /// The network in a safetensors file, in f32 or quantised.
    ///
    /// # Errors
    /// As [`Model::load`], but for the file; [`Error::Layer`] for scales or zero points with which nothing can be computed.
    pub fn from_safetensors(file: &Safetensors<'_>, kernels: &KernelSet) -> Result<Self> {
        match file.metadata(QUANTIZATION) {
            None => Self::from_weights(file, kernels),
            Some(INT8) => Self::quantised(file, kernels, true),
            Some(found) => Err(Error::Metadata {
                origin: file.origin().to_owned(),
                key: QUANTIZATION,
                found: shown(found),
                expected: INT8,
            }),
        }
    }

    /// The network in a safetensors file that [`quantise`](crate::quantise) has made. `fuse` makes one layer of the two halves of a
    /// block.
    pub(crate) fn quantised(
        file: &Safetensors<'_>,
        kernels: &KernelSet,
        fuse: bool,
    ) -> Result<Self> {
        let config = V1Config::of(file)?;
        let (layers, format) = mobilenet_v1::quantised_layers(&config, file, kernels, fuse)?;
        let mut model = Self::of(&config, layers, format);
        model.name.push_str("_int8");
        Ok(model)
    }

    /// The network in f32 with the halves of its blocks as layers of their own.
    pub(crate) fn apart(
        config: &V1Config,
        weights: &dyn Weights,
        kernels: &KernelSet,
    ) -> Result<Self> {
        let layers = mobilenet_v1::layers(config, weights, kernels, false)?;
        Ok(Self::of(config, layers, Format::F32))
    }

    fn of(config: &V1Config, layers: Vec<NamedLayer>, format: Format) -> Self {
        Self {
            name: config.name(),
            layers,
            input: ValueInfo {
                shape: Nhwc::new(1, config.resolution, config.resolution, 3),
                format,
            },
            classes: config.classes,
            labels: None,
            probabilities: false,
        }
    }

    /// The network in a TensorFlow Lite file that is in memory; `origin` is the file's name, which messages begin with.
    ///
    /// # Errors
    /// As [`Model::load`], but for reading the file.
    pub fn from_tflite(
        origin: &str,
        bytes: &[u8],
        kernels: &KernelSet,
        options: TfliteOptions,
    ) -> Result<Self> {
        let graph = tflite::parse(origin, bytes)?;
        models::tflite::contents(origin, &graph, kernels, options).map(Self::from)
    }

    /// The network that is part of this program: MobileNetV1 1.0/224 with the 1001 classes of ImageNet.
    ///
    /// # Errors
    /// None that are known.
    pub fn embedded(engine: &Engine) -> Result<Self> {
        Self::from_weights(&Self::embedded_weights()?, engine.kernels())
    }

    /// The same network in int8. For photographs that [`quantise`](crate::quantise) has not seen, 55 of 60, the likeliest class is that
    /// of [`Model::embedded`].
    ///
    /// # Errors
    /// None that are known.
    pub fn embedded_int8(engine: &Engine) -> Result<Self> {
        let file = Safetensors::from_bytes("the embedded int8 weights", EMBEDDED_INT8)?;
        Self::from_safetensors(&file, engine.kernels())
    }

    /// The weights of [`Model::embedded`].
    ///
    /// # Errors
    /// None that are known.
    pub fn embedded_weights() -> Result<Safetensors<'static>> {
        Safetensors::from_bytes("the embedded weights", EMBEDDED)
    }

    /// The network that these weights belong to.
    ///
    /// # Errors
    /// As [`Model::load`], but for the file.
    pub fn from_weights(weights: &dyn Weights, kernels: &KernelSet) -> Result<Self> {
        Self::mobilenet_v1(&V1Config::of(weights)?, weights, kernels)
    }

    /// MobileNetV1 as `config` describes it.
    ///
    /// # Errors
    /// [`Error::Alpha`], [`Error::MissingTensor`], [`Error::TensorShape`], [`Error::TensorType`]; [`Error::Layer`] for no
    /// classes.
    pub fn mobilenet_v1(
        config: &V1Config,
        weights: &dyn Weights,
        kernels: &KernelSet,
    ) -> Result<Self> {
        let layers = mobilenet_v1::layers(config, weights, kernels, true)?;
        Ok(Self::of(config, layers, Format::F32))
    }

    /// `mobilenet_v1_1.0`: the network and its width.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many classes it tells apart.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The layers in the order in which they run.
    pub fn layers(&self) -> &[NamedLayer] {
        &self.layers
    }

    /// How the pixels of its input are written down.
    pub fn input_format(&self) -> Format {
        self.input.format
    }

    /// The names of the classes, if they came with the network.
    pub fn labels(&self) -> Option<&[String]> {
        self.labels.as_deref()
    }

    /// Whether the output is probabilities already: the network ends in a softmax.
    pub fn gives_probabilities(&self) -> bool {
        self.probabilities
    }

    /// Height of the images that it was trained on, and width, if they are squares. Others work, too, if less accurately.
    pub fn default_resolution(&self) -> usize {
        self.input.shape.h
    }

    /// `[1, H, W, C]` of the images that it was trained on.
    pub fn default_input(&self) -> Nhwc {
        self.input.shape
    }

    /// Plans the network for inputs of the shape `[N, H, W, 3]`, and for engines of up to `threads` threads.
    ///
    /// # Errors
    /// [`Error::Layer`] where a layer does not take its input: a dimension is zero, the channels are others, a size overflows.
    /// [`Error::Threads`] for no threads. [`Error::OutOfMemory`].
    pub fn session(&self, input: Nhwc, threads: usize) -> Result<Session> {
        if threads == 0 {
            return Err(Error::Threads {
                found: 0,
                most: rayon::max_num_threads(),
            });
        }
        let input = ValueInfo {
            shape: input,
            format: self.input.format,
        };
        Session::new(input, threads, &self.layers)
    }
}
