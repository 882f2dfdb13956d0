//! The layers of the networks, as the networks' own tables have them. Nothing is typed in twice: a layer that changes there
//! changes here, and every layer's multiply-adds are checked against the network's summary.

// Each bench uses a part of this.
#![allow(dead_code)]

use anyhow::{Context, Result, ensure};
use mobilenet::Model;
use mobilenet::dwsep::{KernelSet, Nhwc, Stride};
use mobilenet::models::mobilenet_v1::{self, V1Config};
use mobilenet::weights::Seeded;

/// A network at a width and a resolution. Another family is another variant.
#[derive(Clone, Debug)]
pub enum Network {
    /// MobileNetV1.
    V1(V1Config),
}

/// What a layer computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Dense 3x3: the stem.
    Conv3x3(Stride),
    /// Depthwise 3x3.
    Depthwise(Stride),
    /// 1x1.
    Pointwise,
    /// Depthwise 3x3, then 1x1.
    Separable(Stride),
    /// 1x1 of one pixel: the classifier.
    Dense,
}

/// A layer of a network, or one of the two halves of a separable one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// As the network calls it. The halves of a separable layer have its name.
    pub name: String,
    pub op: Op,
    pub input: Nhwc,
    pub output: Nhwc,
}

impl Network {
    /// What benches run when nobody says anything else. Single layers: of the first one only.
    pub const DEFAULT: [&str; 3] = ["v1_1.0_224", "v1_0.5_160", "v1_0.25_128"];

    /// The network of a name such as `v1_0.25_128`: family, width multiplier, resolution.
    pub fn parse(name: &str) -> Result<Self> {
        let parts: Vec<&str> = name.split('_').collect();
        let [family, alpha, resolution] = parts[..] else {
            anyhow::bail!("network `{name}`: expected FAMILY_ALPHA_RESOLUTION, as in v1_0.25_128");
        };
        ensure!(
            family == "v1",
            "network `{name}`: there is no family `{family}`, expected v1"
        );
        Ok(Self::V1(V1Config {
            alpha: alpha
                .parse()
                .with_context(|| format!("network `{name}`: `{alpha}`"))?,
            resolution: resolution
                .parse()
                .with_context(|| format!("network `{name}`: `{resolution}`"))?,
            ..V1Config::default()
        }))
    }

    /// The networks that the environment variable `DWSEP_BENCH_NETWORKS` names (`v1_1.0_224,v1_0.25_128`), or `default`.
    pub fn selected(default: &[&str]) -> Result<Vec<Self>> {
        match std::env::var("DWSEP_BENCH_NETWORKS") {
            Ok(names) => names
                .split(',')
                .map(|name| Self::parse(name.trim()))
                .collect(),
            Err(_) => default.iter().map(|name| Self::parse(name)).collect(),
        }
    }

    /// As [`Network::parse`] takes it.
    pub fn name(&self) -> String {
        match self {
            Self::V1(config) => format!("v1_{:?}_{}", config.alpha, config.resolution),
        }
    }

    /// `[1, H, W, 3]`
    pub fn input(&self) -> Nhwc {
        match self {
            Self::V1(config) => Nhwc::new(1, config.resolution, config.resolution, 3),
        }
    }

    /// The network with weights that are only good for measuring.
    pub fn model(&self, kernels: &KernelSet) -> Result<Model> {
        match self {
            Self::V1(config) => Ok(Model::mobilenet_v1(
                config,
                &Seeded::new(1, config)?,
                kernels,
            )?),
        }
    }

    /// The layers that multiply, in the order in which they run.
    pub fn layers(&self) -> Result<Vec<Layer>> {
        match self {
            Self::V1(config) => v1_layers(config, self.input()),
        }
    }
}

fn v1_layers(config: &V1Config, image: Nhwc) -> Result<Vec<Layer>> {
    let mut shape = image;
    let mut blocks = config.blocks()?.into_iter();
    let mut layers = Vec::new();
    for row in mobilenet_v1::summary(config, image.h, image.w)? {
        let op = match row.macs {
            // The pool: what is behind it takes its shape.
            0 => {
                shape = row.output;
                continue;
            }
            _ if layers.is_empty() => Op::Conv3x3(Stride::Two),
            _ => match blocks.next() {
                Some(block) => Op::Separable(block.stride),
                None => Op::Dense,
            },
        };
        let layer = Layer {
            name: row.name,
            op,
            input: shape,
            output: row.output,
        };
        let (found, expected) = (layer.macs(), row.macs);
        ensure!(
            found == expected,
            "{}: {found} multiply-adds, expected {expected}",
            layer.name
        );
        shape = row.output;
        layers.push(layer);
    }
    Ok(layers)
}

/// The layers of `networks` for which `op` holds, each shape once. Separable layers are there whole and as their halves.
pub fn distinct(networks: &[Network], op: impl Fn(Op) -> bool) -> Result<Vec<Layer>> {
    let mut found: Vec<Layer> = Vec::new();
    for network in networks {
        for layer in network.layers()? {
            let halves = layer.halves().into_iter().flatten();
            for layer in std::iter::once(layer.clone()).chain(halves) {
                if op(layer.op) && found.iter().all(|other| other.label() != layer.label()) {
                    found.push(layer);
                }
            }
        }
    }
    Ok(found)
}

impl Layer {
    /// The depthwise and the pointwise half of a separable layer.
    pub fn halves(&self) -> Option<[Layer; 2]> {
        let Op::Separable(stride) = self.op else {
            return None;
        };
        let between = Nhwc {
            c: self.input.c,
            ..self.output
        };
        let half = |op, input, output| Layer {
            name: self.name.clone(),
            op,
            input,
            output,
        };
        Some([
            half(Op::Depthwise(stride), self.input, between),
            half(Op::Pointwise, between, self.output),
        ])
    }

    /// Multiply-adds of one run. Taps in the padding count, as they do wherever such numbers are published; no kernel of ours
    /// spends time on them.
    pub fn macs(&self) -> u64 {
        let pixels = self.output.n * self.output.h * self.output.w;
        (pixels * self.weights()) as u64
    }

    /// Bytes that have to be moved at least once: input, weights, biases and output.
    pub fn bytes(&self) -> u64 {
        let elements = |shape: Nhwc| shape.n * shape.h * shape.w * shape.c;
        let biases = match self.op {
            Op::Separable(_) => self.input.c + self.output.c,
            _ => self.output.c,
        };
        let all = elements(self.input) + self.weights() + biases + elements(self.output);
        (all * size_of::<f32>()) as u64
    }

    fn weights(&self) -> usize {
        let (c_in, c_out) = (self.input.c, self.output.c);
        match self.op {
            Op::Conv3x3(_) => 9 * c_in * c_out,
            Op::Depthwise(_) => 9 * c_in,
            Op::Pointwise | Op::Dense => c_in * c_out,
            Op::Separable(_) => 9 * c_in + c_in * c_out,
        }
    }

    /// The shape in few characters, which together with the op says everything: `784x256x256` (rows, K, N) or `28x28x256_s1`
    /// (H, W, C of the input, stride), with `_to_512` where the number of channels changes.
    pub fn label(&self) -> String {
        let (Nhwc { h, w, c, .. }, out) = (self.input, self.output.c);
        match self.op {
            Op::Depthwise(stride) => format!("{h}x{w}x{c}_s{}", stride.get()),
            Op::Conv3x3(stride) | Op::Separable(stride) => {
                format!("{h}x{w}x{c}_s{}_to_{out}", stride.get())
            }
            Op::Pointwise | Op::Dense => format!("{}x{c}x{out}", self.input.n * h * w),
        }
    }
}
