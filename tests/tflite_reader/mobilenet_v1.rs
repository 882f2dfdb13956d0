//! MobileNetV1 as converters write it: its weights are found, and what is another network is refused.

use mobilenet::models::mobilenet_v1::V1Config;
use mobilenet::weights::{Seeded, TfliteWeights, Weights};
use mobilenet::{BatchNorm, Engine, Error, Model, TfliteOptions};

use crate::file::{F16, F32, File, Tensor, Value};
use crate::samples::{empty, floats, integers, push};

const SIDE: usize = 32;
const CLASSES: usize = 5;

/// What converters write in one way or another.
#[derive(Clone, Copy, Default)]
struct Style {
    /// Weights in 16 bits.
    half: bool,
    /// PAD and VALID at stride 2, a pool by its window, and a dense layer; else SAME, a mean, and a convolution with a softmax.
    keras: bool,
}

fn config() -> V1Config {
    V1Config {
        alpha: 0.01,
        classes: CLASSES,
        resolution: SIDE,
        ..V1Config::default()
    }
}

fn seeded() -> Seeded {
    Seeded::new(3, &config()).unwrap()
}

struct Writer {
    file: File,
    style: Style,
    /// The tensor that the last operator wrote, and its side and channels.
    at: (i32, usize, usize),
}

impl Writer {
    fn tensor(&mut self, tensor: Tensor) -> i32 {
        let tensors = &mut self.file.subgraphs[0].tensors;
        tensors.push(tensor);
        tensors.len() as i32 - 1
    }

    /// A constant, which a DEQUANTIZE makes of 16 bits where that is the style.
    fn constant(&mut self, name: &str, shape: &[i32], values: &[f32]) -> i32 {
        if !self.style.half {
            let buffer = self
                .file
                .buffer(values.iter().flat_map(|x| x.to_le_bytes()).collect());
            return self.tensor(Tensor {
                buffer,
                dtype: F32,
                ..floats(name, shape)
            });
        }
        let halves = values
            .iter()
            .flat_map(|&x| half::f16::from_f32(x).to_le_bytes());
        let buffer = self.file.buffer(halves.collect());
        let constant = self.tensor(Tensor {
            buffer,
            dtype: F16,
            ..floats("", shape)
        });
        let widened = self.tensor(floats(name, shape));
        push(&mut self.file, 6, &[constant], widened, None);
        widened
    }

    fn write(
        &mut self,
        code: i32,
        inputs: &[i32],
        (side, c): (usize, usize),
        options: (u8, Vec<(u16, Value)>),
    ) {
        let side_ = side as i32;
        let output = self.tensor(floats("", &[1, side_, side_, c as i32]));
        let inputs: Vec<i32> = [self.at.0].iter().chain(inputs).copied().collect();
        push(&mut self.file, code, &inputs, output, Some(options));
        self.at = (output, side, c);
    }

    /// A convolution; `taps` is 3 or 1. Batch norms are folded, as converters do.
    fn convolution(&mut self, prefix: &str, taps: usize, depthwise: bool, stride: usize) {
        let weights = seeded();
        let name = format!("{prefix}.convolution.weight");
        let shape = weights.shape(&name).unwrap().to_vec();
        let mut values = weights.values(&name).unwrap().to_vec();
        let norm = |x| {
            weights
                .values(&format!("{prefix}.normalization.{x}"))
                .unwrap()
                .to_vec()
        };
        let norm = BatchNorm {
            gamma: norm("weight"),
            beta: norm("bias"),
            mean: norm("running_mean"),
            variance: norm("running_var"),
            epsilon: 1e-3,
        };
        let bias = norm.fold(&mut values);
        let (c_out, c_in, t) = (shape[0], shape[1], taps as i32);
        // [O, I, h, w] to [O, h, w, I], or [C, 1, h, w] to [1, h, w, C].
        let (o, i) = if depthwise { (1, c_out) } else { (c_out, c_in) };
        let area = taps * taps;
        let moved: Vec<f32> = (0..o * area * i)
            .map(|at| values[(at / (area * i) * i + at % i) * area + at / i % area])
            .collect();
        let filter = self.constant(prefix, &[o as i32, t, t, i as i32], &moved);
        let bias = self.constant("bias", &[c_out as i32], &bias);
        let side = self.at.1;
        let pad = self.style.keras && stride == 2;
        if pad {
            // As SAME has it: nothing before, one behind.
            let paddings = integers(
                &mut self.file,
                "paddings",
                &[4, 2],
                &[0, 0, 0, 1, 0, 1, 0, 0],
            );
            let paddings = self.tensor(paddings);
            let output = self.tensor(floats(
                "",
                &[1, side as i32 + 1, side as i32 + 1, self.at.2 as i32],
            ));
            push(&mut self.file, 34, &[self.at.0, paddings], output, None);
            self.at.0 = output;
        }
        let (s, relu6) = (stride as i32, Value::I8(3));
        let mut options = vec![
            (0, Value::I8(i8::from(pad))),
            (1, Value::I32(s)),
            (2, Value::I32(s)),
        ];
        let (code, tag) = if depthwise { (4, 2) } else { (3, 1) };
        if depthwise {
            options.extend([(3, Value::I32(1)), (4, relu6)]);
        } else {
            options.push((3, relu6));
        }
        self.write(
            code,
            &[filter, bias],
            (side.div_ceil(stride), c_out),
            (tag, options),
        );
    }

    fn head(&mut self) {
        let weights = seeded();
        let (filter, bias) = (
            weights.values("classifier.weight").unwrap(),
            weights.values("classifier.bias").unwrap(),
        );
        let (_, side, c) = self.at;
        let (classes, c_in) = (CLASSES as i32, c as i32);
        if self.style.keras {
            let int = |x: usize| Value::I32(x as i32);
            let pool = vec![
                (0, Value::I8(1)),
                (1, int(1)),
                (2, int(1)),
                (3, int(side)),
                (4, int(side)),
            ];
            self.write(1, &[], (1, c), (5, pool));
            let (flat, logits) = (
                self.tensor(floats("", &[1, c_in])),
                self.tensor(floats("y", &[1, classes])),
            );
            let shape = integers(&mut self.file, "shape", &[2], &[1, c_in]);
            let shape = self.tensor(shape);
            push(&mut self.file, 22, &[self.at.0, shape], flat, None);
            let filter = self.constant("dense", &[classes, c_in], &filter);
            let bias = self.constant("bias", &[classes], &bias);
            push(
                &mut self.file,
                9,
                &[flat, filter, bias],
                logits,
                Some((8, vec![(0, Value::I8(0))])),
            );
            self.at.0 = logits;
            return;
        }
        let axes = integers(&mut self.file, "axes", &[2], &[1, 2]);
        let axes = self.tensor(axes);
        self.write(40, &[axes], (1, c), (27, vec![(0, Value::Bool(true))]));
        let filter = self.constant("dense", &[classes, 1, 1, c_in], &filter);
        let bias = self.constant("bias", &[classes], &bias);
        let conv = vec![
            (0, Value::I8(0)),
            (1, Value::I32(1)),
            (2, Value::I32(1)),
            (3, Value::I8(0)),
        ];
        self.write(3, &[filter, bias], (1, CLASSES), (1, conv));
        self.write(25, &[], (1, CLASSES), (9, vec![(0, Value::F32(1.0))]));
    }
}

fn network(style: Style) -> File {
    let mut writer = Writer {
        file: empty(),
        style,
        at: (0, SIDE, 3),
    };
    let side = SIDE as i32;
    writer.tensor(floats("x", &[1, side, side, 3]));
    writer.convolution("mobilenet_v1.conv_stem", 3, false, 2);
    for (i, block) in config().blocks().unwrap().iter().enumerate() {
        let prefix = |i| format!("mobilenet_v1.layer.{i}");
        writer.convolution(&prefix(2 * i), 3, true, block.stride.get());
        writer.convolution(&prefix(2 * i + 1), 1, false, 1);
    }
    writer.head();
    let mut file = writer.file;
    file.subgraphs[0].inputs = vec![0];
    file.subgraphs[0].outputs = vec![writer.at.0];
    file
}

fn weights(file: &File) -> Result<TfliteWeights, Error> {
    TfliteWeights::from_bytes("a/v1.tflite", &file.bytes())
}

fn logits(model: &Model, engine: &Engine) -> Vec<u32> {
    let input = Seeded::input(7, model.default_input()).unwrap();
    let mut session = model.session(input.shape(), 1).unwrap();
    let output = session.run(engine, input.view()).unwrap();
    output.iter().map(|x| x.to_bits()).collect()
}

/// The same bits as the safetensors' weights, whose batch norms are folded here, and as the operators of the file one by one.
#[test]
fn its_weights_are_those_that_were_written() {
    let engine = Engine::new(1, None).unwrap();
    let expected = logits(
        &Model::mobilenet_v1(&config(), &seeded(), engine.kernels()).unwrap(),
        &engine,
    );
    for keras in [false, true] {
        let file = network(Style { keras, half: false });
        let found = weights(&file).unwrap();
        assert_eq!(V1Config::of(&found).unwrap(), config());
        let model = Model::from_weights(&found, engine.kernels()).unwrap();
        assert_eq!(logits(&model, &engine), expected, "{keras}");
        if keras {
            let options = TfliteOptions::default();
            let whole = Model::from_tflite("v1", &file.bytes(), engine.kernels(), options).unwrap();
            assert_eq!(logits(&whole, &engine), expected);
        }
    }
}

#[test]
fn weights_may_be_of_16_bits() {
    let file = network(Style {
        half: true,
        keras: true,
    });
    let (found, whole) = (
        weights(&file).unwrap(),
        weights(&network(Style::default())).unwrap(),
    );
    for name in whole.names() {
        assert_eq!(found.shape(&name).unwrap(), whole.shape(&name).unwrap());
        let (found, whole) = (found.values(&name).unwrap(), whole.values(&name).unwrap());
        let halves = whole.iter().map(|&x| half::f16::from_f32(x).to_f32());
        assert!(found.iter().copied().eq(halves), "{name}");
    }
}

/// The message names what there is and what a MobileNetV1 has in its place.
#[test]
fn other_networks_are_refused_by_the_operator_that_differs() {
    let refused = |style: Style, change: &dyn Fn(&mut File)| {
        let mut file = network(style);
        change(&mut file);
        let error = weights(&file).unwrap_err().to_string();
        let rest = error
            .strip_prefix("a/v1.tflite: ")
            .expect("it names the file");
        let rest = rest.strip_suffix(", as in a MobileNetV1 in float32");
        rest.unwrap_or(&error).to_owned()
    };
    let plain = Style::default();
    let keras = Style {
        keras: true,
        ..plain
    };
    // Another activation behind the third convolution; ReLU alone is fine if it is everywhere.
    assert_eq!(
        refused(plain, &|f| f.option(2, 3, Value::I8(1))),
        "operator 2 is CONV_2D, expected CONV_2D 1x1 with the activation of the others"
    );
    assert_eq!(
        refused(plain, &|f| f.option(1, 4, Value::I8(0))),
        "operator 1 is DEPTHWISE_CONV_2D, expected DEPTHWISE_CONV_2D 3x3 with the stride and activation of MobileNetV1"
    );
    // The one in front pads by the same amount on the other sides.
    let moved = [0, 0, 1, 0, 1, 0, 0, 0].map(i32::to_le_bytes).concat();
    let sides = |f: &mut File| {
        let paddings = f.operator(0).inputs[1] as usize;
        let buffer = f.tensor(paddings).buffer as usize;
        f.buffers[buffer].data = moved.clone();
    };
    assert_eq!(
        refused(keras, &sides),
        "operator 1 is CONV_2D, expected CONV_2D 3x3 with stride 2 and RELU6 or RELU"
    );
    // No pool.
    let error = refused(plain, &|f| {
        let operators = &mut f.subgraphs[0].operators;
        let pool = operators.remove(27);
        f.operator(27).inputs[0] = pool.inputs[0];
        let (from, to) = (pool.inputs[0] as usize, f.operator(27).outputs[0] as usize);
        let shape = f.tensor(from).shape.clone();
        for tensor in to..=to + 1 {
            f.tensor(tensor).shape[1..3].copy_from_slice(&shape[1..3]);
        }
    });
    assert_eq!(
        error,
        "operator 27 is CONV_2D, expected MEAN over height and width, or AVERAGE_POOL_2D of all of both"
    );
    // The images of another network.
    let bytes = crate::samples::every_operator().bytes();
    let error = TfliteWeights::from_bytes("x", &bytes)
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "x: an input of FLOAT32 [1, 4, 4, 2], expected an input of FLOAT32 [1, S, S, 3], as in a MobileNetV1 in float32"
    );
}
