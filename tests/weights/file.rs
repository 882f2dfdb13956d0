//! Safetensors files of a narrow MobileNetV1, to be spoilt.

use mobilenet::models::mobilenet_v1::{V1Config, tensor_shapes};
use mobilenet::weights::{Safetensors, Seeded, Weights};
use mobilenet::{Engine, Error, Model};

/// The width of [`File::v1`].
pub const ALPHA: f64 = 0.05;
/// All layers have eight channels, the fewest.
pub const NARROWEST: f64 = 0.01;

/// A safetensors file in the making.
#[derive(Clone)]
pub struct File {
    pub tensors: Vec<(String, &'static str, Vec<usize>, Vec<u8>)>,
    pub metadata: &'static str,
}

impl File {
    /// A narrow MobileNetV1 with weights from a seed, in f32.
    pub fn v1() -> Self {
        Self::of(ALPHA)
    }

    /// The same of another width.
    pub fn of(alpha: f64) -> Self {
        let (config, weights) = seeded(alpha);
        let tensors = tensor_shapes(&config)
            .unwrap()
            .into_iter()
            .map(|(name, shape)| {
                let values = weights.values(&name).unwrap();
                (name, "F32", shape, bytes_of(&values, |x| x.to_le_bytes()))
            })
            .collect();
        Self {
            tensors,
            metadata: "{}",
        }
    }

    /// The same in int8: what its outputs stand for is made up.
    pub fn int8(alpha: f64) -> Self {
        let (config, weights) = seeded(alpha);
        let mut tensors = Vec::new();
        let mut quantization = |name: &str, scale: f32, zero_point: i32| {
            let (scale, zero_point) = (scale.to_le_bytes(), zero_point.to_le_bytes());
            tensors.push((format!("{name}.scale"), "F32", vec![1], scale.to_vec()));
            let name = format!("{name}.zero_point");
            tensors.push((name, "I32", vec![1], zero_point.to_vec()));
        };
        quantization("input", 1.0 / 127.5, -1);
        quantization("conv_stem.output", 6.0 / 255.0, -128);
        for block in config.blocks().unwrap() {
            for output in ["depthwise.output", "output"] {
                quantization(&format!("{}.{output}", block.name), 6.0 / 255.0, -128);
            }
        }
        quantization("pool.output", 4.0 / 255.0, -128);
        quantization("logits.output", 0.05, 3);
        for (name, shape) in tensor_shapes(&config).unwrap() {
            if name.contains("normalization") || shape.len() == 1 {
                continue;
            }
            let channels = shape[0];
            let values = weights.values(&name).unwrap();
            let most = values.iter().fold(0.0, |most: f32, x| most.max(x.abs()));
            let integers = bytes_of(&values, |x| [(x / most * 127.0).round() as i8 as u8]);
            let scales = vec![most / 127.0; channels];
            let biases: Vec<i32> = (0..channels as i32)
                .map(|i| (i * 37 % 101 - 20) * 100)
                .collect();
            let (scales, biases) = (
                bytes_of(&scales, |x| x.to_le_bytes()),
                bytes_of(&biases, |x| x.to_le_bytes()),
            );
            tensors.push((format!("{name}.scale"), "F32", vec![channels], scales));
            tensors.push((format!("{name}.bias"), "I32", vec![channels], biases));
            tensors.push((name, "I8", shape, integers));
        }
        Self {
            tensors,
            metadata: r#"{"quantization":"int8"}"#,
        }
    }

    /// Converts a tensor to a type of 16 bits by dropping the lower half of each f32, which is what bf16 is.
    pub fn with_bf16(mut self, name: &str) -> Self {
        let (_, dtype, _, bytes) = self.tensor(name);
        *dtype = "BF16";
        *bytes = bytes.chunks(4).flat_map(|x| [x[2], x[3]]).collect();
        self
    }

    pub fn tensor(&mut self, name: &str) -> &mut (String, &'static str, Vec<usize>, Vec<u8>) {
        self.tensors
            .iter_mut()
            .find(|tensor| tensor.0 == name)
            .unwrap()
    }

    /// Writes an element of four bytes.
    pub fn put(&mut self, name: &str, index: usize, element: impl ToBytes) {
        self.tensor(name).3[4 * index..][..4].copy_from_slice(&element.to_bytes());
    }

    /// Shortens a tensor of one axis whose elements have four bytes.
    pub fn cut(&mut self, name: &str, elements: usize) {
        let tensor = self.tensor(name);
        tensor.2 = vec![elements];
        tensor.3.truncate(4 * elements);
    }

    pub fn remove(&mut self, name: &str) {
        self.tensors.retain(|tensor| tensor.0 != name);
    }

    pub fn header(&self) -> String {
        let mut end = 0;
        let mut entries = vec![format!(r#""__metadata__":{}"#, self.metadata)];
        for (name, dtype, shape, bytes) in &self.tensors {
            let start = end;
            end += bytes.len();
            entries.push(format!(
                r#""{name}":{{"dtype":"{dtype}","shape":{shape:?},"data_offsets":[{start},{end}]}}"#
            ));
        }
        format!("{{{}}}", entries.join(","))
    }

    pub fn bytes(&self) -> Vec<u8> {
        let data: Vec<u8> = self
            .tensors
            .iter()
            .flat_map(|tensor| tensor.3.clone())
            .collect();
        join(&self.header(), &data)
    }

    pub fn model(&self) -> Result<Model, Error> {
        model(self.bytes())
    }

    pub fn error(&self) -> String {
        self.model().unwrap_err().to_string()
    }
}

/// What takes four bytes.
pub trait ToBytes {
    fn to_bytes(self) -> [u8; 4];
}

impl ToBytes for f32 {
    fn to_bytes(self) -> [u8; 4] {
        self.to_le_bytes()
    }
}

impl ToBytes for i32 {
    fn to_bytes(self) -> [u8; 4] {
        self.to_le_bytes()
    }
}

/// The network in a file.
pub fn model(bytes: Vec<u8>) -> Result<Model, Error> {
    let engine = Engine::new(1, None).unwrap();
    let file = Safetensors::from_bytes("x.safetensors", bytes)?;
    Model::from_safetensors(&file, engine.kernels())
}

/// Writes numbers down one after the other.
fn bytes_of<T: Copy, const N: usize>(numbers: &[T], bytes: impl Fn(T) -> [u8; N]) -> Vec<u8> {
    numbers.iter().flat_map(|&x| bytes(x)).collect()
}

pub fn seeded(alpha: f64) -> (V1Config, Seeded) {
    let config = V1Config {
        alpha,
        classes: 3,
        ..V1Config::default()
    };
    let weights = Seeded::new(1, &config).unwrap();
    (config, weights)
}

pub fn join(header: &str, data: &[u8]) -> Vec<u8> {
    [
        &(header.len() as u64).to_le_bytes(),
        header.as_bytes(),
        data,
    ]
    .concat()
}
