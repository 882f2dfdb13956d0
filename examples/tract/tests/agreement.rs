//! Small networks, with our kernels and without. Their numbers are small integers, whose sums are exact in whatever order, so that the
//! outputs are equal.

use dwsep::KernelSet;
use dwsep_in_tract::{Report, with_dwsep};
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::{AxisOp, DimLike, SpecialOps};
use tract_onnx::tract_core::ops::cnn::{Conv, KernelFormat, PaddingSpec, PoolSpec};
use tract_onnx::tract_core::ops::math;
use tract_onnx::tract_core::ops::nn::{DataFormat, Reduce, Reducer};

type Result = TractResult<()>;

/// A network that grows, and its random numbers.
struct Net {
    model: TypedModel,
    state: u32,
}

/// Of a convolution: output channels, side of the window, groups, stride, padding before and after.
struct Shape(usize, usize, usize, usize, [usize; 2]);

impl Net {
    fn new(input: [usize; 4], seed: u32) -> TractResult<(Self, OutletId)> {
        let mut model = TypedModel::default();
        let input = model.add_source("input", f32::fact(input))?;
        Ok((Self { model, state: seed }, input))
    }

    fn below(&mut self, end: usize) -> usize {
        self.state = self
            .state
            .wrapping_mul(1_664_525)
            .wrapping_add(1_013_904_223);
        (self.state >> 8) as usize % end
    }

    fn tensor(&mut self, shape: &[usize]) -> TractResult<Tensor> {
        let values = (0..shape.iter().product()).map(|_| self.below(9) as f32 - 4.0);
        Tensor::from_shape(shape, &values.collect::<Vec<_>>())
    }

    fn constant(&mut self, shape: &[usize]) -> TractResult<OutletId> {
        let tensor = self.tensor(shape)?;
        self.model.add_const("constant", tensor)
    }

    fn channels(&self, at: OutletId) -> TractResult<usize> {
        Ok(self.model.outlet_fact(at)?.shape[1].to_usize()?)
    }

    fn node(
        &mut self,
        op: impl Into<Box<dyn TypedOp>>,
        inputs: &[OutletId],
    ) -> TractResult<OutletId> {
        let name = self.model.unique_name("node").into_owned();
        Ok(self.model.wire_node(name, op, inputs)?[0])
    }

    fn conv(&mut self, at: OutletId, shape: Shape) -> TractResult<OutletId> {
        let Shape(c_out, side, group, stride, [before, after]) = shape;
        let c_in = self.channels(at)?;
        let weights = self.constant(&[c_out, c_in / group, side, side])?;
        let bias = self.constant(&[c_out])?;
        let pool_spec = PoolSpec {
            data_format: DataFormat::NCHW,
            kernel_shape: tvec![side, side],
            padding: PaddingSpec::Explicit(tvec![before, before], tvec![after, after]),
            dilations: None,
            strides: Some(tvec![stride, stride]),
            input_channels: c_in,
            output_channels: c_out,
        };
        let op = Conv {
            pool_spec,
            kernel_fmt: KernelFormat::OIHW,
            group,
            q_params: None,
        };
        self.node(op, &[at, weights, bias])
    }

    fn depthwise(&mut self, at: OutletId, stride: usize) -> TractResult<OutletId> {
        let c = self.channels(at)?;
        self.conv(at, Shape(c, 3, c, stride, [1, 1]))
    }

    fn pointwise(&mut self, at: OutletId, c_out: usize) -> TractResult<OutletId> {
        self.conv(at, Shape(c_out, 1, 1, 1, [0, 0]))
    }

    fn clamp(&mut self, at: OutletId, lo: f32, hi: f32) -> TractResult<OutletId> {
        let bounds = [lo, hi].map(|x| tensor0(x).broadcast_into_rank(4));
        let [lo, hi] = bounds;
        let lo = self.model.add_const("lo", lo?)?;
        let hi = self.model.add_const("hi", hi?)?;
        let at = self.node(math::max(), &[at, lo])?;
        self.node(math::min(), &[at, hi])
    }

    /// Compares all outputs. Returns the report and the number of transposes that are left.
    fn check(mut self, outputs: &[OutletId]) -> TractResult<(Report, usize)> {
        self.model.select_output_outlets(outputs)?;
        let shape = self
            .model
            .input_fact(0)?
            .shape
            .as_concrete()
            .unwrap()
            .to_vec();
        let input = self.tensor(&shape)?.into_tvalue();
        let (ours, report) = with_dwsep(self.model.clone(), KernelSet::native()?)?;
        let ours = ours.into_optimized()?;
        let is_move = |node: &&TypedNode| matches!(node.op_as(), Some(AxisOp::Move(..)));
        let moves = ours.nodes().iter().filter(is_move).count();
        let ours = ours.into_runnable()?.run(tvec![input.clone()])?;
        let theirs = self
            .model
            .into_optimized()?
            .into_runnable()?
            .run(tvec![input])?;
        assert_eq!(ours.len(), theirs.len());
        for (ours, theirs) in ours.iter().zip(&theirs) {
            assert_eq!(ours.shape(), theirs.shape());
            let (ours, theirs) = (ours.try_as_plain_ram()?, theirs.try_as_plain_ram()?);
            assert_eq!(ours.as_slice::<f32>()?, theirs.as_slice::<f32>()?);
        }
        Ok((report, moves))
    }
}

#[test]
fn convolutions_of_any_shape_agree() -> Result {
    for seed in 0..200 {
        let (mut net, _) = Net::new([1; 4], seed)?;
        let (n, c, h, w) = (
            1 + net.below(2),
            1 + net.below(40),
            3 + net.below(9),
            3 + net.below(9),
        );
        let (mut net, at) = Net::new([n, c, h, w], net.state)?;
        let (stride, pads) = (1 + net.below(2), [net.below(3), net.below(3)]);
        let c_out = 1 + net.below(40);
        let at = match net.below(3) {
            0 => net.conv(at, Shape(c_out, 3, 1, stride, pads))?,
            1 => net.conv(at, Shape(c, 3, c, stride, pads))?,
            _ => net.pointwise(at, c_out)?,
        };
        let at = net.clamp(at, -9.0, 20.0)?;
        let (report, _) = net.check(&[at])?;
        assert_eq!((report.depths.len(), report.folded), (1, 2), "seed {seed}");
    }
    Ok(())
}

#[test]
fn a_residual_block_has_no_transpose_in_it() -> Result {
    let (mut net, at) = Net::new([1, 3, 17, 12], 1)?;
    let at = net.conv(at, Shape(16, 3, 1, 2, [0, 1]))?;
    let start = net.clamp(at, 0.0, 6.0)?;
    let at = net.pointwise(start, 48)?;
    let at = net.clamp(at, 0.0, 6.0)?;
    let at = net.depthwise(at, 1)?;
    let at = net.clamp(at, 0.0, 6.0)?;
    let at = net.pointwise(at, 16)?;
    let at = net.node(math::add(), &[start, at])?;
    let at = net.depthwise(at, 2)?;
    let at = net.pointwise(at, 24)?;
    let (report, moves) = net.check(&[at])?;
    assert_eq!(report.operators["DwsepConv3x3"], 1);
    assert_eq!(report.operators["DwsepPointwise"], 1);
    assert_eq!(report.operators["DwsepSeparable"], 2);
    assert_eq!((report.depths.len(), report.folded, moves), (6, 6, 2));
    Ok(())
}

#[test]
fn a_batch_norm_goes_into_the_weights() -> Result {
    let (mut net, at) = Net::new([1, 8, 6, 6], 2)?;
    let mut at = net.depthwise(at, 1)?;
    for op in [math::mul(), math::add()] {
        let constant = net.constant(&[1, 8, 1, 1])?;
        at = net.node(op, &[constant, at])?;
    }
    let at = net.clamp(at, 0.0, 50.0)?;
    let (report, _) = net.check(&[at])?;
    assert_eq!((report.folded, report.stay.len()), (4, 0));
    Ok(())
}

#[test]
fn what_is_behind_a_clamp_is_not_folded() -> Result {
    let (mut net, at) = Net::new([1, 8, 6, 6], 3)?;
    let at = net.pointwise(at, 8)?;
    let at = net.clamp(at, 0.0, 50.0)?;
    let constant = net.constant(&[1, 8, 1, 1])?;
    let at = net.node(math::mul(), &[at, constant])?;
    let at = net.depthwise(at, 1)?;
    let (report, moves) = net.check(&[at])?;
    assert_eq!((report.folded, report.stay["Mul"], moves), (2, 1, 2));
    Ok(())
}

#[test]
fn bounds_that_cross_are_not_folded() -> Result {
    let (mut net, at) = Net::new([1, 8, 6, 6], 6)?;
    let at = net.pointwise(at, 8)?;
    let at = net.clamp(at, 5.0, 2.0)?;
    let (report, _) = net.check(&[at])?;
    assert_eq!((report.folded, report.stay["Min"]), (1, 1));
    Ok(())
}

#[test]
fn what_knows_its_axes_has_them_where_they_were() -> Result {
    let (mut net, at) = Net::new([1, 8, 6, 5], 7)?;
    let at = net.pointwise(at, 12)?;
    let at = net.node(Reduce::new(tvec![2, 3], Reducer::Sum), &[at])?;
    let at = net.pointwise(at, 4)?;
    let (report, _) = net.check(&[at])?;
    assert_eq!((report.depths.len(), report.stay["Reduce<Sum>"]), (2, 1));
    Ok(())
}

#[test]
fn inputs_that_nothing_takes_are_still_inputs() -> Result {
    let (mut net, at) = Net::new([1, 8, 6, 6], 8)?;
    net.model.add_source("other", f32::fact([1, 2]))?;
    let at = net.pointwise(at, 8)?;
    net.model.select_output_outlets(&[at])?;
    let (ours, _) = with_dwsep(net.model, KernelSet::native()?)?;
    assert_eq!(ours.inputs.len(), 2);
    assert_eq!(ours.input_fact(1)?.shape.as_concrete(), Some(&[1, 2][..]));
    Ok(())
}

#[test]
fn what_is_used_twice_is_still_there() -> Result {
    let (mut net, at) = Net::new([1, 8, 6, 6], 4)?;
    let first = net.depthwise(at, 1)?;
    let second = net.pointwise(first, 8)?;
    let third = net.clamp(second, 0.0, 99.0)?;
    let (report, _) = net.check(&[first, second, third])?;
    assert_eq!(report.folded, 0);
    assert_eq!(report.operators["DwsepDepthwise"], 1);
    assert_eq!(report.operators["DwsepPointwise"], 1);
    Ok(())
}

#[test]
fn what_has_no_kernel_stays() -> Result {
    let (mut net, at) = Net::new([1, 8, 12, 12], 5)?;
    let at = net.conv(at, Shape(8, 5, 1, 1, [2, 2]))?;
    let at = net.conv(at, Shape(8, 3, 2, 1, [1, 1]))?;
    let at = net.conv(at, Shape(8, 1, 1, 2, [0, 0]))?;
    let at = net.conv(at, Shape(8, 3, 1, 3, [1, 1]))?;
    let at = net.pointwise(at, 8)?;
    let (report, _) = net.check(&[at])?;
    let reasons: Vec<_> = report.refused.iter().map(|(_, reason)| *reason).collect();
    assert_eq!(
        reasons,
        [
            "the window is neither 1x1 nor 3x3",
            "grouped, other than depthwise",
            "no kernel for its stride",
            "no kernel for its stride",
        ]
    );
    assert_eq!((report.stay["Conv"], report.depths.len()), (4, 1));
    Ok(())
}
