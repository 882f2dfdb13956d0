//! TensorFlow Lite files, layer by layer, against what TensorFlow Lite computes: every model of `tests/golden/tflite`, which
//! `tools/make_tflite.py` writes and describes.
//!
//! A layer is given what TensorFlow Lite computed for the tensors that it reads, so that differences do not add up.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mobilenet::dwsep::{Isa, Nhwc, Serial, View, ViewMut};
use mobilenet::weights::tflite::{self, Graph, OperatorKind, Type};
use mobilenet::{AnyView, AnyViewMut, DType, Engine, Format, Model, TfliteOptions, ValueInfo};
use safetensors::SafeTensors;

const APART: TfliteOptions = TfliteOptions { fuse: false };
const FUSED: TfliteOptions = TfliteOptions { fuse: true };

/// A model and what was recorded of it.
struct Golden {
    name: String,
    model: Vec<u8>,
    recorded: Vec<u8>,
}

/// The elements of a tensor.
#[derive(Clone, Debug, PartialEq)]
enum Elements {
    F32(Vec<f32>),
    I8(Vec<i8>),
    U8(Vec<u8>),
}

impl Elements {
    fn zeros(info: ValueInfo) -> Self {
        let len = info.shape.len("value").unwrap();
        match info.format.dtype() {
            DType::F32 => Self::F32(vec![0.0; len]),
            DType::I8 => Self::I8(vec![0; len]),
            DType::U8 => Self::U8(vec![0; len]),
        }
    }

    fn view(&self, shape: Nhwc) -> AnyView<'_> {
        match self {
            Self::F32(data) => AnyView::F32(View::new(data, shape).unwrap()),
            Self::I8(data) => AnyView::I8(View::new(data, shape).unwrap()),
            Self::U8(data) => AnyView::U8(View::new(data, shape).unwrap()),
        }
    }

    fn view_mut(&mut self, shape: Nhwc) -> AnyViewMut<'_> {
        match self {
            Self::F32(data) => AnyViewMut::F32(ViewMut::new(data, shape).unwrap()),
            Self::I8(data) => AnyViewMut::I8(ViewMut::new(data, shape).unwrap()),
            Self::U8(data) => AnyViewMut::U8(ViewMut::new(data, shape).unwrap()),
        }
    }

    fn of(view: AnyView<'_>) -> Self {
        match view.dtype() {
            DType::F32 => Self::F32(view.elements().unwrap()),
            DType::I8 => Self::I8(view.elements().unwrap()),
            DType::U8 => Self::U8(view.elements().unwrap()),
        }
    }

    fn real(&self) -> Vec<f64> {
        match self {
            Self::F32(data) => data.iter().map(|&x| x.into()).collect(),
            Self::I8(data) => data.iter().map(|&x| x.into()).collect(),
            Self::U8(data) => data.iter().map(|&x| x.into()).collect(),
        }
    }

    /// How many elements differ, and by how much at most.
    fn differences(&self, other: &Self) -> (usize, f64) {
        let (a, b) = (self.real(), other.real());
        assert_eq!(a.len(), b.len());
        let differ = a.iter().zip(&b).map(|(a, b)| (a - b).abs());
        let differ: Vec<f64> = differ.filter(|d| *d != 0.0).collect();
        (differ.len(), differ.iter().copied().fold(0.0, f64::max))
    }
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tflite")
}

impl Golden {
    fn all() -> Vec<Self> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(directory()).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "tflite") {
                found.push(Self {
                    name: path.file_stem().unwrap().to_str().unwrap().to_owned(),
                    model: std::fs::read(&path).unwrap(),
                    recorded: std::fs::read(path.with_extension("safetensors")).unwrap(),
                });
            }
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        assert!(
            found.len() >= 14,
            "files are missing from {}",
            directory().display()
        );
        found
    }

    fn is_quantised(&self) -> bool {
        self.name.contains("int8")
    }

    fn load(&self, engine: &Engine, options: TfliteOptions) -> Model {
        let origin = format!("{}.tflite", self.name);
        Model::from_tflite(&origin, &self.model, engine.kernels(), options).unwrap()
    }

    fn graph(&self) -> Graph<'_> {
        tflite::parse(&self.name, &self.model).unwrap()
    }

    fn metadata(&self) -> BTreeMap<String, String> {
        let (_, metadata) = SafeTensors::read_metadata(&self.recorded).unwrap();
        metadata.metadata().clone().unwrap().into_iter().collect()
    }

    fn elements(&self, name: &str) -> Option<Elements> {
        let file = SafeTensors::deserialize(&self.recorded).unwrap();
        let tensor = file.tensor(name).ok()?;
        let bytes = tensor.data();
        Some(match tensor.dtype() {
            safetensors::Dtype::F32 => Elements::F32(floats(bytes)),
            safetensors::Dtype::I8 => Elements::I8(bytes.iter().map(|&x| x as i8).collect()),
            safetensors::Dtype::U8 => Elements::U8(bytes.to_vec()),
            other => panic!("{}: {name}: {other}", self.name),
        })
    }

    /// The tensor that each value of an unfused model is: the input, then what each layer writes.
    fn tensors(&self, graph: &Graph<'_>, model: &Model) -> Vec<Option<usize>> {
        // A layer has the name of the tensor that it writes, or that of its operator.
        let tensor = |name: &str| {
            let mut found = graph.operators.iter().filter(|operator| {
                let written = &graph.tensors[operator.outputs[0]].name;
                // Weights of float16 become float32 without a layer.
                let constant = graph.tensors[operator.inputs[0].unwrap()].data.is_some();
                let described = format!("{} {}", operator.kind.name(), operator.index);
                !constant && (written.split(';').next() == Some(name) || described == name)
            });
            let first = found.next().map(|operator| operator.outputs[0]);
            assert!(
                found.next().is_none(),
                "{}: two tensors `{name}`",
                self.name
            );
            first
        };
        let layers = model.layers().iter().map(|layer| tensor(layer.name()));
        std::iter::once(Some(graph.inputs[0]))
            .chain(layers)
            .collect()
    }
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    let (elements, _) = bytes.as_chunks::<4>();
    elements.iter().map(|&x| f32::from_le_bytes(x)).collect()
}

/// A layer's output, given what TensorFlow Lite computed for its inputs.
struct Checked<'a> {
    golden: &'a Golden,
    graph: &'a Graph<'a>,
    tensor: usize,
    image: usize,
    inputs: Vec<Elements>,
    output: Elements,
    expected: Elements,
}

/// Calls `check` with every layer of an unfused model and each image.
fn each_layer(golden: &Golden, engine: &Engine, mut check: impl FnMut(Checked<'_>)) {
    let (graph, model) = (golden.graph(), golden.load(engine, APART));
    let tensors = golden.tensors(&graph, &model);
    for image in 0..2 {
        let mut infos = vec![ValueInfo {
            shape: model.default_input(),
            format: model.input_format(),
        }];
        let mut values = vec![golden.elements(&format!("input.{image}")).unwrap()];
        for (layer, &tensor) in model.layers().iter().zip(&tensors[1..]) {
            let inputs: Vec<ValueInfo> = layer.inputs().iter().map(|&i| infos[i]).collect();
            let plan = layer.plan(&inputs).unwrap();
            let info = plan.output();
            let mut output = Elements::zeros(info);
            let views: Vec<_> = layer
                .inputs()
                .iter()
                .map(|&i| values[i].view(infos[i].shape))
                .collect();
            let mut workspace = vec![0; plan.workspace_len(1)];
            plan.run(&Serial, &views, output.view_mut(info.shape), &mut workspace)
                .unwrap();
            infos.push(info);
            // What is not a tensor of the file, flattening for example, passes on what it has.
            let Some(tensor) = tensor else {
                values.push(output);
                continue;
            };
            let name = format!("xnnpack.{tensor}.{image}");
            let expected = golden
                .elements(&name)
                .unwrap_or_else(|| panic!("{}: {name}", golden.name));
            values.push(expected.clone());
            check(Checked {
                golden,
                graph: &graph,
                tensor,
                image,
                inputs: layer.inputs().iter().map(|&i| values[i].clone()).collect(),
                output,
                expected,
            });
        }
    }
}

impl Checked<'_> {
    fn kind(&self) -> &OperatorKind {
        let writes = |o: &&tflite::Operator| o.outputs.contains(&self.tensor);
        &self.graph.operators.iter().find(writes).unwrap().kind
    }

    fn place(&self) -> String {
        let name = &self.graph.tensors[self.tensor].name;
        format!(
            "{}: {} {name}, image {}",
            self.golden.name,
            self.kind().name(),
            self.image
        )
    }
}

/// Two sums of the same `k` products in another order, each rounded `2k + 1` times at most (dwsep's numerics contract), differ by no
/// more than twice `gamma(2k + 1)` of the sum of magnitudes. That is at most `k` times the greatest product.
fn float_tolerance(checked: &Checked<'_>) -> f64 {
    let unit = f64::from(f32::EPSILON) / 2.0;
    let largest = |x: &Elements| x.real().iter().fold(0.0, |max: f64, x| max.max(x.abs()));
    let input = checked.inputs.iter().map(largest).fold(0.0, f64::max);
    let operator = checked
        .graph
        .operators
        .iter()
        .find(|o| o.outputs.contains(&checked.tensor))
        .unwrap();
    let constant = |position: usize| {
        let mut tensor = operator.inputs.get(position).copied().flatten()?;
        // Of float16, behind a DEQUANTIZE.
        if let Some(widen) = checked
            .graph
            .operators
            .iter()
            .find(|o| o.outputs.contains(&tensor))
        {
            tensor = widen.inputs[0]?;
        }
        let tensor = &checked.graph.tensors[tensor];
        let data = tensor.data?;
        let values: Vec<f32> = match tensor.dtype {
            Type::F32 => floats(data),
            Type::F16 => data
                .as_chunks::<2>()
                .0
                .iter()
                .map(|&x| half::f16::from_le_bytes(x).to_f32())
                .collect(),
            _ => return None,
        };
        Some((tensor.shape.clone(), values))
    };
    // Sums of magnitudes: of a channel's weights times the largest input.
    let sum = |channels: usize, channel_last: bool, weights: &[f32]| -> f64 {
        let mut sums = vec![0.0; channels];
        let depth = weights.len() / channels;
        for (i, w) in weights.iter().enumerate() {
            let channel = if channel_last {
                i % channels
            } else {
                i / depth
            };
            sums[channel] += f64::from(w.abs()) * input;
        }
        sums.into_iter().fold(0.0, f64::max)
    };
    let bias = constant(2).map_or(0.0, |(_, bias)| {
        bias.iter()
            .fold(0.0, |max: f64, &x| max.max(f64::from(x.abs())))
    });
    let (steps, magnitude) = match checked.kind() {
        OperatorKind::Conv2d { .. } | OperatorKind::FullyConnected { .. } => {
            let (shape, weights) = constant(1).unwrap();
            let k = weights.len() / shape[0];
            (2 * k + 1, bias + sum(shape[0], false, &weights))
        }
        OperatorKind::DepthwiseConv2d { .. } => {
            let (shape, weights) = constant(1).unwrap();
            (2 * 9 + 1, bias + sum(shape[3], true, &weights))
        }
        // A mean is no larger than the input, and so are the parts of its sum together.
        OperatorKind::Mean { .. } | OperatorKind::AveragePool2d { .. } => {
            let pixels = checked.inputs[0].real().len();
            (pixels, input)
        }
        OperatorKind::Add { .. } => (1, 2.0 * input),
        // Exponentials in f32 with a few units of error, and a sum of as many as there are classes.
        OperatorKind::Softmax { .. } => (8 + checked.output.real().len(), 1.0),
        _ => (0, 0.0),
    };
    2.0 * steps as f64 * unit / (1.0 - steps as f64 * unit) * magnitude
}

#[test]
fn float_layers_differ_by_rounding_only() {
    let mut layers = 0;
    for golden in Golden::all().iter().filter(|golden| !golden.is_quantised()) {
        for &isa in Isa::ALL.iter().filter(|isa| isa.is_available()) {
            let engine = Engine::new(1, Some(isa)).unwrap();
            each_layer(golden, &engine, |checked| {
                let tolerance = float_tolerance(&checked);
                let (count, most) = checked.output.differences(&checked.expected);
                println!(
                    "{isa}: {}: {count} differ, {most:.1e} of {tolerance:.1e}",
                    checked.place()
                );
                assert!(
                    most <= tolerance,
                    "{isa}: {}: {most:e}, expected {tolerance:e}",
                    checked.place()
                );
                layers += 1;
            });
        }
    }
    assert!(layers > 100, "{layers}");
}

/// Every bit, of every layer that computes with integers: convolutions first of all.
#[test]
fn integer_layers_equal_xnnpack() {
    for golden in Golden::all().iter().filter(|golden| golden.is_quantised()) {
        let metadata = golden.metadata();
        for &isa in Isa::ALL.iter().filter(|isa| isa.is_available()) {
            let engine = Engine::new(1, Some(isa)).unwrap();
            let mut differ: BTreeMap<usize, (usize, f64)> = BTreeMap::new();
            each_layer(golden, &engine, |checked| {
                let place = checked.place();
                assert_eq!(
                    checked.output.differences(&checked.expected),
                    (0, 0.0),
                    "{isa}: {place}"
                );
                let name = format!("reference.{}.{}", checked.tensor, checked.image);
                // Where it is not there it is the same.
                if let Some(reference) = golden.elements(&name) {
                    let (count, most) = checked.output.differences(&reference);
                    assert!(
                        most <= 1.0,
                        "{isa}: {place}: {most} steps from the reference kernels"
                    );
                    let sum = differ.entry(checked.tensor).or_default();
                    *sum = (sum.0 + count, sum.1.max(most));
                }
            });
            for (tensor, (count, most)) in differ {
                let recorded = &metadata[&format!("differs.{tensor}")];
                let expected = format!("{count} of ");
                assert!(
                    recorded.starts_with(&expected) && recorded.ends_with(&format!(" by {most}")),
                    "{tensor}: {count} by {most}, recorded: {recorded}"
                );
            }
        }
    }
}

/// One to seven of a thousand elements, by one step: what the README says of the reference kernels.
#[test]
fn reference_kernels_differ_as_often_as_is_said() {
    for golden in Golden::all().iter().filter(|golden| golden.is_quantised()) {
        let (mut differ, mut elements) = (0.0, 0.0);
        for (key, text) in golden.metadata() {
            if key.starts_with("differs.") {
                let numbers: Vec<f64> = text
                    .split_whitespace()
                    .filter_map(|word| word.parse().ok())
                    .collect();
                let [count, all, most] = numbers[..] else {
                    panic!("{}: {key}: {text}", golden.name);
                };
                assert!(most <= 1.0, "{}: {key}: {text}", golden.name);
                differ += count;
                elements += all;
            }
        }
        let share = 1000.0 * differ / elements;
        assert!((1.0..7.0).contains(&share), "{}: {share}", golden.name);
    }
}

/// Fused or not, whatever the instruction set and the number of threads: the bytes that TensorFlow Lite computes in the end.
#[test]
fn whole_networks_of_integers_equal_tensorflow_lite() {
    for golden in Golden::all().iter().filter(|golden| golden.is_quantised()) {
        let output = golden.graph().outputs[0];
        for &isa in Isa::ALL.iter().filter(|isa| isa.is_available()) {
            for threads in 1..=3 {
                let engine = Engine::new(threads, Some(isa)).unwrap();
                for options in [FUSED, APART] {
                    let model = golden.load(&engine, options);
                    let shape = model.default_input();
                    let mut session = model.session(shape, threads).unwrap();
                    for image in 0..2 {
                        let input = golden.elements(&format!("input.{image}")).unwrap();
                        let found = session.run_any(&engine, input.view(shape)).unwrap();
                        let expected = golden
                            .elements(&format!("xnnpack.{output}.{image}"))
                            .unwrap();
                        assert!(
                            Elements::of(found) == expected,
                            "{}: image {image}, {isa}, {threads} threads, {options:?}",
                            golden.name
                        );
                    }
                }
            }
        }
    }
}

/// The same bits, fused or not, for other sizes than the file's too.
#[test]
fn fusing_changes_no_bit() {
    for golden in Golden::all() {
        for threads in 1..=2 {
            let engine = Engine::new(threads, None).unwrap();
            let (fused, apart) = (golden.load(&engine, FUSED), golden.load(&engine, APART));
            let Nhwc { h, w, .. } = fused.default_input();
            for (n, h, w) in [(1, h, w), (2, h, w), (1, h + 5, w + 8)] {
                let shape = Nhwc {
                    n,
                    h,
                    w,
                    ..fused.default_input()
                };
                let input = mobilenet::weights::Seeded::input(3, shape).unwrap();
                let run = |model: &Model| {
                    let mut session = model
                        .session(shape, threads)
                        .map_err(|error| error.to_string())?;
                    Ok::<_, String>(session.run(&engine, input.view()).unwrap().to_vec())
                };
                assert_eq!(run(&fused), run(&apart), "{}: {shape}", golden.name);
            }
        }
    }
}

#[test]
fn models_say_what_they_are() {
    let engine = Engine::new(1, None).unwrap();
    for golden in Golden::all() {
        let model = golden.load(&engine, FUSED);
        assert_eq!(model.name(), golden.name);
        let softmax = golden
            .graph()
            .operators
            .iter()
            .any(|o| matches!(o.kind, OperatorKind::Softmax { .. }));
        assert_eq!(model.gives_probabilities(), softmax, "{}", golden.name);
        let float = matches!(model.input_format(), Format::F32);
        assert_eq!(
            float,
            !golden.is_quantised() || golden.name.contains("f32_io"),
            "{}",
            golden.name
        );
    }
}
