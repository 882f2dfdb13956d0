//! Valid files.

use mobilenet::weights::tflite::{
    FusedActivation, OperatorKind, Padding, TensorQuantization, Type, parse,
};

use crate::file::{Buffer, I64, U8, zip};
use crate::samples::{BIAS, CONV, DEPTHWISE, WEIGHTS, every_operator, float16};
use crate::{changed, read};

#[test]
fn every_operator_is_read() {
    let bytes = every_operator().bytes();
    let graph = read(&bytes);
    assert_eq!(
        (&graph.inputs[..], &graph.outputs[..]),
        (&[0][..], &[20][..])
    );
    assert_eq!(graph.name.as_deref(), Some("main"));
    assert_eq!(graph.description.as_deref(), Some("made by a test"));
    assert_eq!(graph.labels, None);
    let kinds: Vec<OperatorKind> = graph.operators.iter().map(|op| op.kind.clone()).collect();
    assert_eq!(
        kinds,
        [
            OperatorKind::Quantize,
            OperatorKind::Pad {
                paddings: vec![(0, 0), (1, 1), (1, 1), (0, 0)]
            },
            OperatorKind::Conv2d {
                stride: (1, 1),
                dilation: (1, 1),
                padding: Padding::Same,
                activation: FusedActivation::Relu6
            },
            OperatorKind::DepthwiseConv2d {
                stride: (1, 1),
                dilation: (1, 1),
                padding: Padding::Valid,
                activation: FusedActivation::Relu,
                multiplier: 1
            },
            OperatorKind::Add {
                activation: FusedActivation::None
            },
            OperatorKind::AveragePool2d {
                window: (2, 2),
                stride: (2, 2),
                padding: Padding::Valid,
                activation: FusedActivation::None
            },
            OperatorKind::Mean {
                axes: vec![1, 2],
                keep_dims: true
            },
            OperatorKind::Squeeze { dims: vec![1, 2] },
            OperatorKind::Reshape,
            OperatorKind::FullyConnected {
                activation: FusedActivation::None,
                keep_num_dims: false
            },
            OperatorKind::Softmax { beta: 1.0 },
            OperatorKind::Dequantize,
        ]
    );
    let names: Vec<&str> = kinds.iter().map(OperatorKind::name).collect();
    assert_eq!(names[..3], ["QUANTIZE", "PAD", "CONV_2D"]);
    let depthwise = &graph.operators[DEPTHWISE];
    assert_eq!((depthwise.index, &depthwise.outputs[..]), (3, &[8][..]));
    assert_eq!(depthwise.inputs, [Some(6), Some(7), None]);

    let weights = &graph.tensors[WEIGHTS];
    assert_eq!(weights.name, "weights");
    assert_eq!(
        (weights.dtype, &weights.shape[..]),
        (Type::I8, &[3, 1, 1, 2][..])
    );
    assert_eq!(weights.data, Some(&[1, 2, 3, 4, 5, 6][..]));
    assert_eq!(
        weights.quantization,
        Some(TensorQuantization {
            scales: vec![0.5, 0.25, 2.0],
            zero_points: vec![0; 3],
            axis: 0
        })
    );
    assert_eq!(
        graph.tensors[1].quantization.as_ref().unwrap().zero_points,
        [-3]
    );
    assert_eq!(graph.tensors[1].data, None);
}

#[test]
fn weights_of_16_bits_become_floats_by_an_operator() {
    let bytes = float16().bytes();
    let graph = read(&bytes);
    assert_eq!(graph.tensors[1].dtype, Type::F16);
    assert_eq!(graph.tensors[1].data, Some(&[1, 0, 2, 0][..]));
    assert_eq!(graph.operators[0].kind, OperatorKind::Dequantize);
    assert_eq!(graph.operators[1].inputs, [Some(0), Some(2)]);
}

/// Files of before 2020 have only the small field; later ones have 127 in it, if the code does not fit.
#[test]
fn the_operator_code_is_the_larger_of_two() {
    for (deprecated, code) in [(3, 0), (3, 3), (0, 3)] {
        let bytes = changed(every_operator(), |file| {
            file.codes[CONV].deprecated = deprecated;
            file.codes[CONV].code = code;
        });
        assert_eq!(read(&bytes).operators[CONV].kind.name(), "CONV_2D");
    }
}

#[test]
fn paddings_may_have_64_bits() {
    let bytes = changed(every_operator(), |file| {
        let values: [i64; 8] = [0, 0, 1, 1, 1, 1, 0, 0];
        let buffer = file.buffer(values.iter().flat_map(|x| x.to_le_bytes()).collect());
        *file.tensor(2) = crate::file::Tensor {
            dtype: I64,
            buffer,
            ..file.tensor(2).clone()
        };
    });
    let paddings = vec![(0, 0), (1, 1), (1, 1), (0, 0)];
    assert_eq!(
        read(&bytes).operators[1].kind,
        OperatorKind::Pad { paddings }
    );
}

/// As converters write them, rounded, and for all channels or for each.
#[test]
fn biases_may_have_scales() {
    let bytes = changed(every_operator(), |file| {
        file.tensor(BIAS).scales = vec![0.25, 0.125_f32.next_up(), 1.0];
        file.tensor(BIAS).zero_points = vec![0; 3];
        file.tensor(17).scales = vec![0.25];
        file.tensor(17).zero_points = vec![0];
    });
    let graph = read(&bytes);
    assert_eq!(graph.operators.len(), 12);
    let quantization = graph.tensors[BIAS].quantization.as_ref().unwrap();
    assert_eq!(quantization.scales.len(), 3);
}

#[test]
fn zero_points_reach_the_ends_of_the_type() {
    for (dtype, zero_points) in [(crate::file::I8, [-128, 127]), (U8, [0, 255])] {
        for zero_point in zero_points {
            // All that is quantised, since types have to agree.
            let bytes = changed(every_operator(), |file| {
                for tensor in &mut file.subgraphs[0].tensors {
                    if tensor.dtype == crate::file::I8 {
                        tensor.dtype = dtype;
                        tensor.zero_points.fill(zero_point);
                    }
                }
            });
            let graph = read(&bytes);
            let quantization = graph.tensors[1].quantization.as_ref().unwrap();
            assert_eq!(i64::from(quantization.zero_points[0]), zero_point);
        }
    }
}

#[test]
fn data_may_lie_behind_the_flatbuffer() {
    let mut file = every_operator();
    let buffer = file.tensor(WEIGHTS).buffer as usize;
    file.buffers[buffer] = Buffer {
        data: Vec::new(),
        offset: 2,
        size: 6,
    };
    file.tail = vec![9, 8, 7, 6, 5, 4];
    // The offset takes as many bytes whatever it is.
    let len = file.bytes().len();
    file.buffers[buffer].offset = len as u64 - 6;
    let bytes = file.bytes();
    assert_eq!(bytes.len(), len);
    assert_eq!(
        read(&bytes).tensors[WEIGHTS].data,
        Some(&[9, 8, 7, 6, 5, 4][..])
    );
}

#[test]
fn labels_come_from_the_archive_at_the_end() {
    let cases: [(&[u8], &[&str]); 3] = [
        (b"cat\ndog\n", &["cat", "dog"]),
        (
            b"cat\r\ndog, the other kind",
            &["cat", "dog, the other kind"],
        ),
        ("Kätzchen\n\nHund\n".as_bytes(), &["Kätzchen", "", "Hund"]),
    ];
    for (text, labels) in cases {
        for deflated in [false, true] {
            let archive = zip("labels.txt", text, deflated);
            let bytes = every_operator().labelled("labels.txt", &archive).bytes();
            assert_eq!(read(&bytes).labels.unwrap(), labels);
        }
    }
}

#[test]
fn a_network_with_broken_labels_is_a_network() {
    let archive = zip("labels.txt", b"cat\ndog\n", false);
    let name = "labels.txt";
    let without = every_operator().bytes();
    let same_but_labels = |bytes: &[u8], case: &str| {
        let graph = parse("x.tflite", bytes).expect(case);
        assert_eq!(graph.labels, None, "{case}");
        assert_eq!(graph.operators, read(&without).operators, "{case}");
    };
    let labelled = |archive: &[u8]| every_operator().labelled(name, archive).bytes();
    same_but_labels(
        &every_operator().labelled("other.txt", &archive).bytes(),
        "another name",
    );
    same_but_labels(&labelled(&[]), "no archive");
    same_but_labels(&labelled(&zip(name, b"", false)), "no label");
    same_but_labels(&labelled(&zip(name, b"\xff\xfe", false)), "not UTF-8");
    same_but_labels(
        &labelled(&zip(name, &vec![b'\n'; (1 << 20) + 1], true)),
        "too large",
    );
    let largest = labelled(&zip(name, &vec![b'\n'; 1 << 20], true));
    assert_eq!(read(&largest).labels.unwrap().len(), 1 << 20, "the largest");

    // The archive cut anywhere, and with any byte changed: labels that are there are the right ones.
    for cut in 0..archive.len() {
        let bytes = labelled(&archive[..cut]);
        same_but_labels(&bytes, &format!("cut at {cut}"));
    }
    let mut readable = 0;
    for position in 0..archive.len() {
        let mut archive = archive.clone();
        archive[position] ^= 0x10;
        let bytes = labelled(&archive);
        if let Some(labels) = read(&bytes).labels {
            assert_eq!(labels, ["cat", "dog"], "byte {position}");
            readable += 1;
        }
    }
    assert!(readable > 0 && readable < archive.len());

    // Metadata that are no flatbuffer, or lead out of it.
    let mut file = every_operator().labelled(name, &archive);
    let (_, buffer) = file.metadata[0];
    let metadata = file.buffers[buffer as usize].data.clone();
    for position in 0..metadata.len() {
        let mut changed = metadata.clone();
        changed[position] ^= 0xff;
        file.buffers[buffer as usize].data = changed;
        let bytes = file.bytes();
        read(&bytes);
    }
    for cut in 0..metadata.len() - 1 {
        file.buffers[buffer as usize].data = metadata[..cut].to_vec();
        let bytes = file.bytes();
        read(&bytes);
    }
    file.metadata[0].1 = 1000;
    same_but_labels(&file.bytes(), "no buffer");
}
