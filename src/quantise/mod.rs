//! A network of f32 to one of int8, from what it does with images.
//!
//! ```text
//! f32 weights -> Calibration, which sees images -> Quantised -> a safetensors file, which `Model::load` reads
//!                                                      `-----> Comparison, which sees images: the noise of every layer
//! ```
//!
//! Weights get one scale an output channel, `max |w| / 127`, and no zero point: with one scale for a whole layer this network is
//! destroyed, as batch norm makes the weights of some channels a hundred times larger than those of others. Outputs of layers get the range
//! that they had in calibration, 0 included; logits half again as much, since the likeliest classes of an image that calibration has not
//! seen would be alike where they saturate. Biases are i32 in units of the input's scale times the weights'.
//!
//! Rounding a weight adds its error, times what it is multiplied with, to every output. What that makes on average is known from
//! calibration and taken off the bias: the signal-to-noise ratio of the logits of MobileNetV1 1.0/224 rises from 11 to 23 dB. Factors
//! that make channels of like size first (Nagel et al., 4.1) were tried and left: another 0.5 dB.
//!
//! Sources: Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only inference", 2; Krishnamoorthi,
//! "Quantizing deep convolutional networks for efficient inference", 3, on scales a channel; Nagel et al., "Data-free quantization through
//! weight equalization and bias correction", 4.2.

mod compare;
mod range;
mod weights;

use std::collections::BTreeMap;

use dwsep::{Nhwc, Quantization, View};
use safetensors::Dtype;
use serde_json::json;

pub use self::compare::{Comparison, LayerNoise};
pub use self::range::Range;

use self::range::Histogram;
use crate::model::{INT8, QUANTIZATION};
use crate::models::mobilenet_v1::{
    Kind, POOL_NAME, TAPS, Unit, V1Config, bias_name, output_name, scale_name, zero_point_name,
};
use crate::weights::Weights;
use crate::{AnyView, Engine, Error, Model, NamedLayer, Result, Session};

/// A network of f32 that sees images, and notes what its layers make of them.
#[derive(Debug)]
pub struct Calibration {
    config: V1Config,
    origin: String,
    units: Vec<Folded>,
    session: Session,
    /// What the network is given, then what each layer gives.
    seen: Vec<Seen>,
    images: usize,
}

/// The numbers of a value, in all images.
#[derive(Debug)]
struct Seen {
    /// Of the layer, or [`INPUT_NAME`].
    name: String,
    histogram: Histogram,
    /// Of each channel.
    sums: Vec<f64>,
    pixels: usize,
}

/// The name of what the network is given, in files.
const INPUT_NAME: &str = "input";
/// How far the range of the logits reaches, in ranges of calibration.
const HEADROOM: f32 = 1.5;

/// A unit and its weights, in the layout of the file.
#[derive(Debug)]
struct Folded {
    unit: Unit,
    weights: crate::Buffer,
    bias: Vec<f32>,
}

/// A network of int8 in the form of a file, and how it came to be.
#[derive(Debug)]
pub struct Quantised {
    tensors: Vec<(String, Bytes)>,
    metadata: BTreeMap<String, String>,
    /// The layers in the order in which they run, the halves of a block one by one.
    pub layers: Vec<LayerRange>,
}

/// What the outputs of a layer stand for.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerRange {
    /// The layer.
    pub name: String,
    /// The real numbers that are held apart.
    pub range: Range,
    /// The same for integers.
    pub quantization: Quantization,
}

/// A tensor as the file has it.
#[derive(Debug)]
struct Bytes {
    dtype: Dtype,
    shape: Vec<usize>,
    data: Vec<u8>,
}

impl Calibration {
    /// The network that these weights belong to. `engine` is what it will run on.
    ///
    /// # Errors
    /// As [`Model::from_weights`] and [`Model::session`].
    pub fn new(weights: &dyn Weights, engine: &Engine) -> Result<Self> {
        let config = V1Config::of(weights)?;
        let model = Model::apart(&config, weights, engine.kernels())?;
        let session = model.session(model.default_input(), engine.threads())?;
        let units = config.units()?.into_iter().map(|unit| {
            let (weights, bias) = unit.folded(weights)?;
            Ok(Folded {
                unit,
                weights,
                bias,
            })
        });
        let units = units.collect::<Result<_>>()?;
        let layers = model.layers().iter();
        Ok(Self {
            origin: weights.origin().to_owned(),
            units,
            session,
            seen: std::iter::once(INPUT_NAME)
                .chain(layers.map(NamedLayer::name))
                .map(Seen::new)
                .collect(),
            images: 0,
            config,
        })
    }

    /// `[1, H, W, 3]` of the images that it sees.
    pub fn input_shape(&self) -> Nhwc {
        self.session.input_shape()
    }

    /// How many images it has seen.
    pub fn images(&self) -> usize {
        self.images
    }

    /// Sees an image.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub fn observe(&mut self, engine: &Engine, image: View<'_, f32>) -> Result<()> {
        let mut seen = self.seen.iter_mut();
        if let Some(input) = seen.next() {
            let channels = image.shape().c;
            input.add(
                &AnyView::F32(image).elements().unwrap_or_default(),
                channels,
            );
        }
        self.session.run_with(engine, image, &mut |layer| {
            if let Some(seen) = seen.next() {
                seen.add(&layer.real(), layer.info.shape.c);
            }
        })?;
        self.images += 1;
        Ok(())
    }

    /// The network in int8. Of `percentile` percent of the numbers of each layer, in the middle, the rest saturates; 100 takes all.
    ///
    /// # Errors
    /// [`Error::Percentile`]; [`Error::Calibration`] without images, or where a layer gives what is no finite number.
    pub fn quantise(&self, percentile: f64) -> Result<Quantised> {
        if !(percentile > 0.0 && percentile <= 100.0) {
            return Err(Error::Percentile { found: percentile });
        }
        let layers = self.ranges(percentile)?;
        let mut file = Quantised {
            tensors: Vec::new(),
            metadata: self.metadata(percentile),
            layers: Vec::new(),
        };
        // Pixels are x / 127.5 - 1.
        let pixels = Range { lo: -1.0, hi: 1.0 }.quantization();
        file.push_quantization(INPUT_NAME, pixels);
        for layer in &layers {
            file.push_quantization(&output_name(&layer.name), layer.quantization);
        }
        let mut reads = INPUT_NAME;
        for folded in &self.units {
            if folded.unit.kind == Kind::Dense {
                reads = POOL_NAME;
            }
            let from = layers.iter().find(|layer| layer.name == reads);
            let input = from.map_or(pixels, |layer| layer.quantization);
            let means = self.seen.iter().find(|seen| seen.name == reads);
            let means = means.map_or_else(Vec::new, Seen::means);
            file.push_unit(folded, input.scale, &means);
            reads = &folded.unit.name;
        }
        file.layers = layers;
        Ok(file)
    }

    /// What the outputs of each layer stand for.
    fn ranges(&self, percentile: f64) -> Result<Vec<LayerRange>> {
        let layers = self.seen.iter().enumerate().skip(1);
        let range = |(i, seen): (usize, &Seen)| {
            // Logits that saturate are alike.
            let (percentile, headroom) = if i + 1 == self.seen.len() {
                (100.0, HEADROOM)
            } else {
                (percentile, 1.0)
            };
            let found = seen.histogram.range(percentile);
            let Range { lo, hi } = found.ok_or_else(|| Error::Calibration {
                layer: seen.name.clone(),
                images: self.images,
            })?;
            let range = Range {
                lo: lo * headroom,
                hi: hi * headroom,
            };
            Ok(LayerRange {
                name: seen.name.clone(),
                range,
                quantization: range.quantization(),
            })
        };
        layers.map(range).collect()
    }

    fn metadata(&self, percentile: f64) -> BTreeMap<String, String> {
        let Self { config, images, .. } = self;
        // Not the folder: where a file lay is nobody's business.
        let origin = std::path::Path::new(&self.origin);
        let origin = origin.file_name().map_or_else(
            || self.origin.clone(),
            |name| name.to_string_lossy().into_owned(),
        );
        let activation = match config.activation {
            dwsep::Activation::Relu => "relu",
            _ => "relu6",
        };
        let range = if percentile < 100.0 {
            format!("percentile {percentile}")
        } else {
            "minimum and maximum".to_owned()
        };
        [
            ("architecture", "mobilenet_v1".to_owned()),
            (QUANTIZATION, INT8.to_owned()),
            (
                "weights",
                "int8, symmetric, one scale an output channel".to_owned(),
            ),
            (
                "activations",
                "int8, one scale and zero point a layer".to_owned(),
            ),
            ("calibration", format!("{images} images, {range}")),
            ("source", origin),
            ("activation", activation.to_owned()),
            ("image_size", config.resolution.to_string()),
            (
                "made_by",
                concat!("mobilenet ", env!("CARGO_PKG_VERSION")).to_owned(),
            ),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into()
    }
}

impl Seen {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            histogram: Histogram::new(),
            sums: Vec::new(),
            pixels: 0,
        }
    }

    fn add(&mut self, numbers: &[f32], channels: usize) {
        self.histogram.add(numbers);
        self.sums.resize(channels, 0.0);
        for pixel in numbers.chunks(channels.max(1)) {
            self.pixels += 1;
            for (sum, &x) in self.sums.iter_mut().zip(pixel) {
                *sum += f64::from(x);
            }
        }
    }

    /// Of each channel.
    fn means(&self) -> Vec<f64> {
        let pixels = self.pixels.max(1) as f64;
        self.sums.iter().map(|sum| sum / pixels).collect()
    }
}

impl Quantised {
    /// The file: safetensors, which [`Model::from_safetensors`] reads. The same network is the same bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Wide elements first: each tensor then lies at a multiple of its elements' size.
        let mut tensors: Vec<_> = self.tensors.iter().collect();
        tensors.sort_by_key(|(_, tensor)| tensor.dtype == Dtype::I8);
        // serde_json's maps are in the order of their keys.
        let mut header = serde_json::Map::new();
        header.insert("__metadata__".to_owned(), json!(self.metadata));
        let mut end = 0;
        for (name, tensor) in &tensors {
            let start = end;
            end += tensor.data.len();
            let described = json!({
                "dtype": tensor.dtype.to_string(),
                "shape": tensor.shape,
                "data_offsets": [start, end],
            });
            header.insert(name.clone(), described);
        }
        let mut header = serde_json::Value::Object(header).to_string();
        while !header.len().is_multiple_of(size_of::<u64>()) {
            header.push(' ');
        }
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend(header.as_bytes());
        file.extend(tensors.iter().flat_map(|(_, tensor)| &tensor.data));
        file
    }

    fn push(&mut self, name: &str, dtype: Dtype, shape: &[usize], data: Vec<u8>) {
        let shape = shape.to_vec();
        self.tensors
            .push((name.to_owned(), Bytes { dtype, shape, data }));
    }

    fn push_quantization(&mut self, name: &str, quantization: Quantization) {
        let Quantization { scale, zero_point } = quantization;
        self.push(&scale_name(name), Dtype::F32, &[1], bytes(&[scale]));
        self.push(
            &zero_point_name(name),
            Dtype::I32,
            &[1],
            bytes(&[zero_point]),
        );
    }

    /// `input` is the scale of what the unit reads, `means` are those of its channels.
    fn push_unit(&mut self, folded: &Folded, input: f32, means: &[f64]) {
        let Folded {
            unit,
            weights,
            bias,
        } = folded;
        let mean = |o: usize, i: usize| {
            let channel = match unit.kind {
                // [O, I, 3, 3]
                Kind::Conv3x3(_) => i / TAPS,
                // [C, 1, 3, 3]
                Kind::Depthwise(_) => o,
                Kind::Pointwise | Kind::Dense => i,
            };
            means.get(channel).copied().unwrap_or(0.0)
        };
        let quantised = weights::quantise(weights, bias, input, mean);
        let (name, channels) = (unit.weight(), [unit.c_out]);
        self.push(&name, Dtype::I8, &unit.shape(), bytes(&quantised.weights));
        let scales = bytes(&quantised.scales);
        self.push(&scale_name(&name), Dtype::F32, &channels, scales);
        let bias = bytes(&quantised.bias);
        self.push(&bias_name(&name), Dtype::I32, &channels, bias);
    }
}

/// Little-endian, as safetensors has it.
fn bytes<T: LittleEndian>(elements: &[T]) -> Vec<u8> {
    elements.iter().flat_map(|x| x.bytes()).collect()
}

trait LittleEndian {
    fn bytes(&self) -> impl IntoIterator<Item = u8>;
}

macro_rules! little_endian {
    ($($element:ty),+) => {$(
        impl LittleEndian for $element {
            fn bytes(&self) -> impl IntoIterator<Item = u8> {
                self.to_le_bytes()
            }
        }
    )+};
}

little_endian!(f32, i32, i8);
