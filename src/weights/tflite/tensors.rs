//! Tensors: types, shapes, data, quantisation.

use super::graph::{Tensor, TensorQuantization, Type};
use super::problem::{Problem, TensorName, TensorProblem};
use super::schema::{self, Buffer, Quantization};
use super::table::List;

/// Axes of a tensor. Not a limit of what is supported: it keeps what is done for each operator's operands constant.
const MOST_AXES: usize = 8;

/// The flatbuffer's buffers, and the file around them.
pub(super) struct Buffers<'a> {
    pub(super) file: &'a [u8],
    pub(super) list: Option<List<'a, Buffer<'a>>>,
}

impl<'a> Buffers<'a> {
    /// The bytes of a buffer; none if it is empty, as the first one always is.
    pub(super) fn get(&self, index: u32) -> Result<Option<&'a [u8]>, TensorProblem> {
        if index == 0 {
            return Ok(None);
        }
        let buffer = (self.list.zip(usize::try_from(index).ok()))
            .and_then(|(list, index)| list.get(index))
            .ok_or(TensorProblem::Buffer {
                found: index,
                buffers: self.list.map_or(0, List::len),
            })?;
        // "Only valid if greater than 1": both are 0, or a placeholder of 1, where the data are in the flatbuffer.
        let (offset, size) = (buffer.offset(), buffer.size());
        if offset > 1 && size > 1 {
            let range = || {
                let start = usize::try_from(offset).ok()?;
                self.file
                    .get(start..start.checked_add(usize::try_from(size).ok()?)?)
            };
            return match range() {
                Some(bytes) => Ok(Some(bytes)),
                None => Err(TensorProblem::Outside {
                    offset,
                    size,
                    bytes: self.file.len(),
                }),
            };
        }
        Ok(buffer.data().filter(|data| !data.is_empty()))
    }
}

/// All tensors of a subgraph.
pub(super) fn read<'a>(
    tensors: List<'a, schema::Tensor<'a>>,
    buffers: &Buffers<'a>,
) -> Result<Vec<Tensor<'a>>, Problem> {
    (tensors.iter().enumerate())
        .map(|(index, tensor)| {
            let name = tensor.name().unwrap_or_default();
            self::tensor(tensor, name, buffers).map_err(|problem| Problem::Tensor {
                tensor: TensorName::new(index, name),
                problem,
            })
        })
        .collect()
}

fn tensor<'a>(
    tensor: schema::Tensor<'a>,
    name: &str,
    buffers: &Buffers<'a>,
) -> Result<Tensor<'a>, TensorProblem> {
    let dtype = dtype(tensor.element_type())?;
    if tensor.is_variable() {
        return Err(TensorProblem::Variable);
    }
    if tensor.sparsity().is_some() {
        return Err(TensorProblem::Sparse);
    }
    let (shape, bytes) = shape(tensor.shape(), dtype)?;
    let data = buffers.get(tensor.buffer())?;
    if let Some(data) = data
        && data.len() != bytes
    {
        return Err(TensorProblem::DataLength {
            found: data.len(),
            expected: bytes,
            dtype,
            shape,
        });
    }
    let quantization = match tensor.quantization() {
        Some(quantization) => self::quantization(quantization, dtype, &shape)?,
        None => None,
    };
    Ok(Tensor {
        name: name.to_owned(),
        shape,
        dtype,
        data,
        quantization,
    })
}

fn dtype(element_type: i8) -> Result<Type, TensorProblem> {
    Ok(match element_type {
        0 => Type::F32,
        1 => Type::F16,
        2 => Type::I32,
        3 => Type::U8,
        4 => Type::I64,
        9 => Type::I8,
        other => {
            return Err(TensorProblem::Type {
                found: schema::type_name(other),
            });
        }
    })
}

/// The shape, and how many bytes it takes.
fn shape(sizes: Option<List<'_, i32>>, dtype: Type) -> Result<(Vec<usize>, usize), TensorProblem> {
    let axes = sizes.map_or(0, List::len);
    if axes > MOST_AXES {
        return Err(TensorProblem::Rank {
            found: axes,
            most: MOST_AXES,
        });
    }
    let sizes: Vec<i32> = sizes.into_iter().flat_map(List::iter).collect();
    let shape: Option<Vec<usize>> = (sizes.iter())
        .map(|&size| usize::try_from(size).ok().filter(|&size| size > 0))
        .collect();
    let Some(shape) = shape else {
        return Err(TensorProblem::Size { found: sizes });
    };
    let bytes = (shape.iter())
        .try_fold(dtype.size(), |bytes, &size| bytes.checked_mul(size))
        .filter(|&bytes| isize::try_from(bytes).is_ok());
    match bytes {
        Some(bytes) => Ok((shape, bytes)),
        None => Err(TensorProblem::Overflow { shape, dtype }),
    }
}

/// `None` if there are no scales: converters leave ranges that they have measured in tensors of floats, too.
fn quantization(
    quantization: Quantization<'_>,
    dtype: Type,
    shape: &[usize],
) -> Result<Option<TensorQuantization>, TensorProblem> {
    let (lowest, highest) = match dtype {
        Type::I8 => (i64::from(i8::MIN), i64::from(i8::MAX)),
        Type::U8 => (0, i64::from(u8::MAX)),
        Type::I32 => (i64::from(i32::MIN), i64::from(i32::MAX)),
        Type::F32 | Type::F16 | Type::I64 => return Ok(None),
    };
    if quantization.details_type() != 0 {
        return Err(TensorProblem::CustomQuantization);
    }
    let scales: Vec<f32> = (quantization.scale().into_iter().flat_map(List::iter)).collect();
    if scales.is_empty() {
        return Ok(None);
    }
    let axis = if scales.len() == 1 {
        0
    } else {
        scales_axis(scales.len(), quantization.quantized_dimension(), shape)?
    };
    for (index, &found) in scales.iter().enumerate() {
        if !(found > 0.0 && found.is_finite()) {
            return Err(TensorProblem::Scale { index, found });
        }
    }
    let found = quantization.zero_point().map_or(0, List::len);
    if found != scales.len() {
        return Err(TensorProblem::ZeroPoints {
            found,
            expected: scales.len(),
        });
    }
    let zero_points = (quantization
        .zero_point()
        .into_iter()
        .flat_map(List::iter)
        .enumerate())
    .map(|(index, found)| match i32::try_from(found) {
        Ok(zero_point) if (lowest..=highest).contains(&found) => Ok(zero_point),
        _ => Err(TensorProblem::ZeroPoint {
            index,
            found,
            lowest,
            highest,
            dtype,
        }),
    })
    .collect::<Result<_, _>>()?;
    Ok(Some(TensorQuantization {
        scales,
        zero_points,
        axis,
    }))
}

/// The axis along which there are this many scales.
fn scales_axis(scales: usize, axis: i32, shape: &[usize]) -> Result<usize, TensorProblem> {
    let found = usize::try_from(axis)
        .ok()
        .and_then(|axis| Some((axis, *shape.get(axis)?)));
    match found {
        Some((axis, len)) if len == scales => Ok(axis),
        Some((axis, expected)) => Err(TensorProblem::Scales {
            found: scales,
            expected,
            axis,
        }),
        None => Err(TensorProblem::Axis {
            scales,
            found: axis,
            rank: shape.len(),
        }),
    }
}
