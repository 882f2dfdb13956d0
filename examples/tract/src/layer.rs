//! What is looked for in a model: a convolution that `dwsep` has a kernel for, together with the nodes behind it that go into its
//! weights or into its store.

use std::sync::Arc;

use dwsep::{
    Activation, Conv3x3, Depthwise, F32, Filter, KernelSet, Nhwc, PackedConv3x3, PackedDepthwise,
    PackedPointwise, Padding, Pointwise, Separable, Stride,
};
use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::ops::binary::TypedBinOp;
use tract_onnx::tract_core::ops::cnn::{Conv, KernelFormat};
use tract_onnx::tract_core::ops::math::{Add, Max, Min, Mul};
use tract_onnx::tract_core::ops::nn::DataFormat;

use crate::op::Kernel;

/// A convolution, read from a model.
#[derive(Clone, Debug)]
pub struct Layer {
    kind: Kind,
    /// `[N, H, W, C]` of its input.
    shape: Nhwc,
    /// In ONNX's order, `[c_out, c_in / groups, kh, kw]`.
    weights: Arc<Tensor>,
    bias: Vec<f32>,
    stride: Stride,
    padding: Padding,
    clamp: Option<(f32, f32)>,
    /// Where the input comes from.
    pub input: OutletId,
    /// What is computed: the output of the last node.
    pub output: OutletId,
    /// The convolution, then what is folded into it.
    pub nodes: Vec<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Dense3x3,
    Depthwise3x3,
    Pointwise,
}

impl Layer {
    /// Reads the convolution `node`; in the inner result what `dwsep` has no kernel for.
    pub fn read(
        model: &TypedModel,
        node: &TypedNode,
        conv: &Conv,
    ) -> TractResult<Result<Self, &'static str>> {
        let (inputs, _) = model.node_facts(node.id)?;
        let pool = &conv.pool_spec;
        if conv.q_params.is_some() || inputs.iter().any(|fact| fact.datum_type != DatumType::F32) {
            return Ok(Err("not in f32"));
        }
        if conv.kernel_fmt != KernelFormat::OIHW || pool.data_format != DataFormat::NCHW {
            return Ok(Err("not in the layout of ONNX"));
        }
        let Some(&[n, c, h, w]) = inputs[0].shape.as_concrete() else {
            return Ok(Err("the shape of its input is not known"));
        };
        let (Some(weights), Some(bias)) = (&inputs[1].konst, &inputs[2].konst) else {
            return Ok(Err("weights or bias are not constant"));
        };
        if pool.dilations().iter().any(|&d| d != 1) {
            return Ok(Err("dilated"));
        }
        let c_out = conv.output_channels();
        let kind = match (pool.kernel_shape.as_slice(), conv.group) {
            ([1, 1], 1) => Kind::Pointwise,
            ([3, 3], 1) => Kind::Dense3x3,
            ([3, 3], group) if group == c && group == c_out => Kind::Depthwise3x3,
            ([1, 1] | [3, 3], _) => return Ok(Err("grouped, other than depthwise")),
            _ => return Ok(Err("the window is neither 1x1 nor 3x3")),
        };
        let stride = match (pool.strides().as_ref(), kind) {
            ([1, 1], _) => Stride::One,
            ([2, 2], Kind::Dense3x3 | Kind::Depthwise3x3) => Stride::Two,
            _ => return Ok(Err("no kernel for its stride")),
        };
        let pads = pool.computed_padding(&[h, w]);
        let padding = Padding {
            top: pads[0].pad_before,
            bottom: pads[0].pad_after,
            left: pads[1].pad_before,
            right: pads[1].pad_after,
        };
        if kind == Kind::Pointwise && padding != Padding::NONE {
            return Ok(Err("1x1, and padded"));
        }
        let mut layer = Self {
            kind,
            shape: Nhwc::new(n, h, w, c),
            weights: weights.clone(),
            bias: per_channel(bias, c_out)?.context("the bias has another length")?,
            stride,
            padding,
            clamp: None,
            input: node.inputs[0],
            output: node.id.into(),
            nodes: vec![node.id],
        };
        while let Some((next, op, constant)) = constant_operation(model, layer.output)? {
            if !layer.fold(op, &constant)? {
                break;
            }
            layer.output = next.into();
            layer.nodes.push(next);
        }
        Ok(Ok(layer))
    }

    /// Takes an operation with a constant over, where it can be: a clamp, or before that a factor or a summand for each channel, as
    /// a batch norm is.
    fn fold(&mut self, op: &TypedBinOp, constant: &Tensor) -> TractResult<bool> {
        let (lo, hi) = self.clamp.unwrap_or((f32::NEG_INFINITY, f32::INFINITY));
        if op.0.is::<Max>() || op.0.is::<Min>() {
            if constant.len() != 1 {
                return Ok(false);
            }
            let bound = constant.cast_to_scalar::<f32>()?;
            let (lo, hi) = if op.0.is::<Max>() {
                (lo.max(bound), hi)
            } else {
                (lo, hi.min(bound))
            };
            // A NaN, or bounds that have crossed: whatever is meant, it is not a clamp.
            if bound.is_nan() || lo > hi {
                return Ok(false);
            }
            self.clamp = Some((lo, hi));
            return Ok(true);
        }
        let channels = self.bias.len();
        let is_vector = constant.rank() == 4 && constant.shape()[1] == channels;
        if self.clamp.is_some() || !(op.0.is::<Mul>() || op.0.is::<Add>()) || !is_vector {
            return Ok(false);
        }
        let Some(values) = per_channel(constant, channels)? else {
            return Ok(false);
        };
        if op.0.is::<Add>() {
            self.bias.iter_mut().zip(values).for_each(|(b, v)| *b += v);
            return Ok(true);
        }
        let mut weights = (*self.weights).clone();
        let each = weights.len() / channels;
        let mut plain = weights.try_as_plain_ram_mut()?;
        let filters = plain.as_slice_mut::<f32>()?.chunks_exact_mut(each);
        for ((filter, bias), factor) in filters.zip(&mut self.bias).zip(values) {
            filter.iter_mut().for_each(|w| *w *= factor);
            *bias *= factor;
        }
        self.weights = weights.into_arc_tensor();
        Ok(true)
    }

    /// Whether it is a depthwise convolution whose output `next`, a pointwise one, takes: the two are one operator.
    pub fn is_separable_with(&self, next: &Layer) -> bool {
        let kinds = (self.kind, next.kind);
        kinds == (Kind::Depthwise3x3, Kind::Pointwise) && next.input == self.output
    }

    /// Products in each of its sums.
    pub fn depth(&self) -> usize {
        self.weights.len() / self.bias.len()
    }

    /// Packs the weights and makes the op for its shape; with `next` the op of both.
    pub fn kernel(&self, kernels: KernelSet, next: Option<&Layer>) -> TractResult<Kernel> {
        let (stride, padding, activation) = (self.stride, self.padding, self.activation());
        Ok(match (self.kind, next) {
            (Kind::Depthwise3x3, Some(next)) => Kernel::Separable(Separable::new(
                &self.packed_depthwise(kernels)?,
                &next.packed_pointwise(kernels)?,
                self.shape,
                stride,
                padding,
                activation,
                next.activation(),
            )?),
            (Kind::Depthwise3x3, None) => {
                let packed = self.packed_depthwise(kernels)?;
                Kernel::Depthwise(Depthwise::new(
                    &packed, self.shape, stride, padding, activation,
                )?)
            }
            (Kind::Pointwise, _) => {
                let packed = self.packed_pointwise(kernels)?;
                Kernel::Pointwise(Pointwise::new(&packed, self.shape, activation)?)
            }
            (Kind::Dense3x3, _) => {
                let packed = self.packed_dense(kernels)?;
                Kernel::Dense(Conv3x3::new(
                    &packed, self.shape, stride, padding, activation,
                )?)
            }
        })
    }

    fn packed_depthwise(&self, kernels: KernelSet) -> TractResult<PackedDepthwise> {
        let weights = self.weights_in_order(&[2, 3, 1, 0])?;
        let filter = Filter::<F32>::new(&weights, Some(&self.bias));
        Ok(PackedDepthwise::pack(
            kernels.depthwise(),
            self.shape.c,
            filter,
        )?)
    }

    fn packed_pointwise(&self, kernels: KernelSet) -> TractResult<PackedPointwise> {
        let weights = self.weights_in_order(&[0, 1, 2, 3])?;
        let filter = Filter::<F32>::new(&weights, Some(&self.bias));
        let (c_in, c_out) = (self.shape.c, self.bias.len());
        Ok(PackedPointwise::pack(
            kernels.pointwise(),
            c_in,
            c_out,
            filter,
        )?)
    }

    fn packed_dense(&self, kernels: KernelSet) -> TractResult<PackedConv3x3> {
        let weights = self.weights_in_order(&[0, 2, 3, 1])?;
        let filter = Filter::<F32>::new(&weights, Some(&self.bias));
        let (c_in, c_out) = (self.shape.c, self.bias.len());
        Ok(PackedConv3x3::pack(
            kernels.pointwise(),
            c_in,
            c_out,
            filter,
        )?)
    }

    /// The weights with ONNX's axes in the order that `dwsep` takes them.
    fn weights_in_order(&self, axes: &[usize]) -> TractResult<Vec<f32>> {
        let weights = (*self.weights).clone().permute_axes(axes)?;
        Ok(weights.try_as_plain_ram()?.as_slice::<f32>()?.to_vec())
    }

    fn activation(&self) -> Activation {
        self.clamp
            .map_or(Activation::None, |(lo, hi)| Activation::Clamp { lo, hi })
    }
}

/// The values of a constant that has one for all channels or one for each.
fn per_channel(constant: &Tensor, channels: usize) -> TractResult<Option<Vec<f32>>> {
    let constant = constant.cast_to::<f32>()?;
    let plain = constant.try_as_plain_ram()?;
    Ok(match plain.as_slice::<f32>()? {
        values if values.len() == channels => Some(values.to_vec()),
        &[value] => Some(vec![value; channels]),
        _ => None,
    })
}

/// The only node that takes `outlet`, if it is an operation of it and a constant.
fn constant_operation(
    model: &TypedModel,
    outlet: OutletId,
) -> TractResult<Option<(usize, &TypedBinOp, Arc<Tensor>)>> {
    let &[inlet] = model.outlet_successors(outlet) else {
        return Ok(None);
    };
    let next = model.node(inlet.node);
    let Some(op) = next.op_as::<TypedBinOp>() else {
        return Ok(None);
    };
    let constant = model
        .outlet_fact(next.inputs[1 - inlet.slot])?
        .konst
        .clone();
    let changes_type = op.1.is_some();
    if changes_type || model.output_outlets()?.contains(&outlet) {
        return Ok(None);
    }
    Ok(constant.map(|constant| (next.id, op, constant)))
}
