//! TensorFlow Lite files in the making: plain structs, written by the builder of the crate `flatbuffers`. Tests change a field and look
//! at what the reader says.

use std::io::Write;

use flatbuffers::{FlatBufferBuilder, TableFinishedWIPOffset, UnionWIPOffset, WIPOffset};

/// Element types, by the schema's numbers.
pub const F32: i8 = 0;
pub const F16: i8 = 1;
pub const I32: i8 = 2;
pub const U8: i8 = 3;
pub const I64: i8 = 4;
pub const I8: i8 = 9;

#[derive(Clone)]
pub struct File {
    pub version: u32,
    pub codes: Vec<Code>,
    pub subgraphs: Vec<SubGraph>,
    pub buffers: Vec<Buffer>,
    pub metadata: Vec<(&'static str, u32)>,
    /// Appended to the flatbuffer.
    pub tail: Vec<u8>,
}

#[derive(Clone, Default)]
pub struct Code {
    pub deprecated: i8,
    pub custom: Option<String>,
    pub code: i32,
}

#[derive(Clone, Default)]
pub struct SubGraph {
    pub tensors: Vec<Tensor>,
    pub inputs: Vec<i32>,
    pub outputs: Vec<i32>,
    pub operators: Vec<Operator>,
}

#[derive(Clone, Default)]
pub struct Tensor {
    pub shape: Vec<i32>,
    pub dtype: i8,
    pub buffer: u32,
    pub name: String,
    pub scales: Vec<f32>,
    pub zero_points: Vec<i64>,
    pub axis: i32,
    pub details: u8,
    pub variable: bool,
    pub sparse: bool,
}

#[derive(Clone, Default)]
pub struct Operator {
    pub code: u32,
    pub inputs: Vec<i32>,
    pub outputs: Vec<i32>,
    /// The union's tag, and the fields of the options.
    pub options: Option<(u8, Vec<(u16, Value)>)>,
}

#[derive(Clone, Default)]
pub struct Buffer {
    pub data: Vec<u8>,
    pub offset: u64,
    pub size: u64,
}

/// A field of a table.
#[derive(Clone)]
pub enum Value {
    I8(i8),
    U8(u8),
    Bool(bool),
    I32(i32),
    U32(u32),
    U64(u64),
    F32(f32),
    I32s(Vec<i32>),
    I64s(Vec<i64>),
    F32s(Vec<f32>),
    Bytes(Vec<u8>),
    Text(String),
    /// Something that has been written before.
    Offset(WIPOffset<UnionWIPOffset>),
}

pub type Builder = FlatBufferBuilder<'static>;
pub type Written = WIPOffset<TableFinishedWIPOffset>;

/// Writes a table. What its fields lead to has to come before it.
pub fn table(builder: &mut Builder, fields: Vec<(u16, Value)>) -> Written {
    let fields: Vec<(u16, Value)> = fields
        .into_iter()
        .map(|(number, value)| {
            let offset = match &value {
                Value::I32s(values) => builder.create_vector(values).as_union_value(),
                Value::I64s(values) => builder.create_vector(values).as_union_value(),
                Value::F32s(values) => builder.create_vector(values).as_union_value(),
                Value::Bytes(values) => builder.create_vector(values).as_union_value(),
                Value::Text(text) => builder.create_string(text).as_union_value(),
                _ => return (number, value),
            };
            (number, Value::Offset(offset))
        })
        .collect();
    let start = builder.start_table();
    for (number, value) in fields {
        let slot = 4 + 2 * number;
        match value {
            Value::I8(value) => builder.push_slot_always(slot, value),
            Value::U8(value) => builder.push_slot_always(slot, value),
            Value::Bool(value) => builder.push_slot_always(slot, value),
            Value::I32(value) => builder.push_slot_always(slot, value),
            Value::U32(value) => builder.push_slot_always(slot, value),
            Value::U64(value) => builder.push_slot_always(slot, value),
            Value::F32(value) => builder.push_slot_always(slot, value),
            Value::Offset(offset) => builder.push_slot_always(slot, offset),
            _ => unreachable!("all others have been written"),
        }
    }
    builder.end_table(start)
}

/// Writes a vector of tables.
pub fn tables(builder: &mut Builder, tables: &[Written]) -> Value {
    Value::Offset(builder.create_vector(tables).as_union_value())
}

impl File {
    pub fn bytes(&self) -> Vec<u8> {
        let mut b = Builder::new();
        let codes: Vec<Written> = (self.codes.iter())
            .map(|code| {
                let mut fields = vec![(0, Value::I8(code.deprecated)), (3, Value::I32(code.code))];
                if let Some(custom) = &code.custom {
                    fields.push((1, Value::Text(custom.clone())));
                }
                table(&mut b, fields)
            })
            .collect();
        let codes = tables(&mut b, &codes);
        let subgraphs: Vec<Written> = (self.subgraphs.iter())
            .map(|subgraph| write_subgraph(&mut b, subgraph))
            .collect();
        let subgraphs = tables(&mut b, &subgraphs);
        let buffers: Vec<Written> = (self.buffers.iter())
            .map(|buffer| {
                let mut fields = Vec::new();
                if !buffer.data.is_empty() {
                    fields.push((0, Value::Bytes(buffer.data.clone())));
                }
                if buffer.offset > 0 || buffer.size > 0 {
                    fields.push((1, Value::U64(buffer.offset)));
                    fields.push((2, Value::U64(buffer.size)));
                }
                table(&mut b, fields)
            })
            .collect();
        let buffers = tables(&mut b, &buffers);
        let metadata: Vec<Written> = (self.metadata.iter())
            .map(|&(name, buffer)| {
                let fields = vec![(0, Value::Text(name.to_owned())), (1, Value::U32(buffer))];
                table(&mut b, fields)
            })
            .collect();
        let metadata = tables(&mut b, &metadata);
        let model = table(
            &mut b,
            vec![
                (0, Value::U32(self.version)),
                (1, codes),
                (2, subgraphs),
                (3, Value::Text("made by a test".to_owned())),
                (4, buffers),
                (6, metadata),
            ],
        );
        b.finish(model, Some("TFL3"));
        [b.finished_data(), &self.tail].concat()
    }

    pub fn tensor(&mut self, index: usize) -> &mut Tensor {
        &mut self.subgraphs[0].tensors[index]
    }

    pub fn operator(&mut self, index: usize) -> &mut Operator {
        &mut self.subgraphs[0].operators[index]
    }

    /// Sets a field of an operator's options.
    pub fn option(&mut self, operator: usize, number: u16, value: Value) {
        let (_, fields) = self.operator(operator).options.as_mut().unwrap();
        fields.retain(|field| field.0 != number);
        fields.push((number, value));
    }

    /// Adds a buffer, and returns its index.
    pub fn buffer(&mut self, data: Vec<u8>) -> u32 {
        self.buffers.push(Buffer {
            data,
            ..Buffer::default()
        });
        self.buffers.len() as u32 - 1
    }

    /// Adds metadata that name `name` as the file of the labels, and a zip archive that holds it.
    pub fn labelled(mut self, name: &str, archive: &[u8]) -> Self {
        let metadata = metadata(name);
        let buffer = self.buffer(metadata);
        self.metadata.push(("TFLITE_METADATA", buffer));
        self.tail = archive.to_vec();
        self
    }
}

fn write_subgraph(b: &mut Builder, subgraph: &SubGraph) -> Written {
    let tensors: Vec<Written> = (subgraph.tensors.iter())
        .map(|tensor| write_tensor(b, tensor))
        .collect();
    let tensors = tables(b, &tensors);
    let operators: Vec<Written> = (subgraph.operators.iter())
        .map(|operator| {
            let mut fields = vec![
                (0, Value::U32(operator.code)),
                (1, Value::I32s(operator.inputs.clone())),
                (2, Value::I32s(operator.outputs.clone())),
            ];
            if let Some((tag, options)) = &operator.options {
                let options = table(b, options.clone());
                fields.push((3, Value::U8(*tag)));
                fields.push((4, Value::Offset(options.as_union_value())));
            }
            table(b, fields)
        })
        .collect();
    let operators = tables(b, &operators);
    table(
        b,
        vec![
            (0, tensors),
            (1, Value::I32s(subgraph.inputs.clone())),
            (2, Value::I32s(subgraph.outputs.clone())),
            (3, operators),
            (4, Value::Text("main".to_owned())),
        ],
    )
}

fn write_tensor(b: &mut Builder, tensor: &Tensor) -> Written {
    let mut fields = vec![
        (0, Value::I32s(tensor.shape.clone())),
        (1, Value::I8(tensor.dtype)),
        (2, Value::U32(tensor.buffer)),
        (3, Value::Text(tensor.name.clone())),
    ];
    if !tensor.scales.is_empty() || !tensor.zero_points.is_empty() {
        let quantization = table(
            b,
            vec![
                (2, Value::F32s(tensor.scales.clone())),
                (3, Value::I64s(tensor.zero_points.clone())),
                (4, Value::U8(tensor.details)),
                (6, Value::I32(tensor.axis)),
            ],
        );
        fields.push((4, Value::Offset(quantization.as_union_value())));
    }
    if tensor.variable {
        fields.push((5, Value::Bool(true)));
    }
    if tensor.sparse {
        let sparsity = table(b, Vec::new());
        fields.push((6, Value::Offset(sparsity.as_union_value())));
    }
    table(b, fields)
}

/// The metadata that name a file of labels.
pub fn metadata(name: &str) -> Vec<u8> {
    let mut b = Builder::new();
    let file = table(
        &mut b,
        vec![(0, Value::Text(name.to_owned())), (2, Value::I8(2))],
    );
    let files = tables(&mut b, &[file]);
    let output = table(&mut b, vec![(6, files)]);
    let outputs = tables(&mut b, &[output]);
    let subgraph = table(&mut b, vec![(3, outputs)]);
    let subgraphs = tables(&mut b, &[subgraph]);
    let model = table(&mut b, vec![(3, subgraphs)]);
    b.finish(model, Some("M001"));
    b.finished_data().to_vec()
}

/// A zip archive of one file.
pub fn zip(name: &str, text: &[u8], deflated: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut archive = rawzip::ZipArchiveWriter::new(&mut bytes);
    let file = archive.new_file(name);
    let descriptor = if deflated {
        let method = rawzip::CompressionMethod::DEFLATE;
        let (mut entry, config) = file.compression_method(method).start().unwrap();
        let level = flate2::Compression::best();
        let mut writer = config.wrap(flate2::write::DeflateEncoder::new(&mut entry, level));
        writer.write_all(text).unwrap();
        let (encoder, descriptor) = writer.finish().unwrap();
        encoder.finish().unwrap();
        entry.finish(descriptor)
    } else {
        let (mut entry, config) = file.start().unwrap();
        let mut writer = config.wrap(&mut entry);
        writer.write_all(text).unwrap();
        let (_, descriptor) = writer.finish().unwrap();
        entry.finish(descriptor)
    };
    descriptor.unwrap();
    archive.finish().unwrap();
    bytes
}
