//! A network with its weights, packed for an engine's kernels.

use std::path::Path;

use dwsep::{KernelSet, Nhwc};

use crate::layer::Layer;
use crate::models::mobilenet_v1::{self, V1Config};
use crate::session::Step;
use crate::weights::{Safetensors, Weights};
use crate::{Engine, Error, Result, Session};

/// MobileNetV1 1.0/224, trained on ImageNet: see NOTICE.
static EMBEDDED: &[u8] = include_bytes!("../models/mobilenet_v1_1.0_224.safetensors");

/// A network with packed weights: a chain of layers. Sessions share it.
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
    classes: usize,
    resolution: usize,
}

/// A layer and what it is called in its network.
#[derive(Debug)]
pub struct NamedLayer {
    name: String,
    layer: Box<dyn Layer>,
}

impl NamedLayer {
    pub(crate) fn new(name: &str, layer: dwsep::Result<impl Layer + 'static>) -> Result<Self> {
        match layer {
            Ok(layer) => Ok(Self {
                name: name.to_owned(),
                layer: Box::new(layer),
            }),
            Err(cause) => Err(Error::Layer {
                layer: name.to_owned(),
                cause,
            }),
        }
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

    /// Multiply-adds for an output of this shape, taps in the padding included.
    pub fn macs(&self, output: Nhwc) -> u64 {
        self.layer.macs(output)
    }
}

impl Model {
    /// Reads a network from a safetensors file. Which network it is follows from its tensors.
    ///
    /// # Errors
    /// [`Error::Read`] and [`Error::Safetensors`] for the file; [`Error::MissingTensor`], [`Error::TensorRank`],
    /// [`Error::TensorShape`], [`Error::TensorType`] and [`Error::Metadata`] for what is in it.
    pub fn load(path: &Path, engine: &Engine) -> Result<Self> {
        Self::from_weights(&Safetensors::read(path)?, engine.kernels())
    }

    /// The network that is part of this program: MobileNetV1 1.0/224 with the 1001 classes of ImageNet.
    ///
    /// # Errors
    /// None that are known.
    pub fn embedded(engine: &Engine) -> Result<Self> {
        let weights = Safetensors::from_bytes("the embedded weights", EMBEDDED)?;
        Self::from_weights(&weights, engine.kernels())
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
        Ok(Self {
            name: config.name(),
            layers: mobilenet_v1::layers(config, weights, kernels)?,
            classes: config.classes,
            resolution: config.resolution,
        })
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

    /// Height and width of the images that it was trained on. Others work, too, if less accurately.
    pub fn default_resolution(&self) -> usize {
        self.resolution
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
        let mut steps = Vec::with_capacity(self.layers.len());
        let mut shape = input;
        for NamedLayer { name, layer } in &self.layers {
            let plan = layer.plan(shape).map_err(|cause| Error::Layer {
                layer: name.clone(),
                cause,
            })?;
            shape = plan.output_shape();
            steps.push(Step {
                name: name.clone(),
                plan,
            });
        }
        Session::new(input, threads, steps)
    }
}
