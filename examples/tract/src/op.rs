//! The operator that tract runs: one of `dwsep`'s ops, for NHWC tensors.

use std::sync::Arc;

use dwsep::{Conv3x3, Depthwise, Nhwc, Pointwise, Separable, Serial, View, ViewMut};
use tract_onnx::tract_core::internal::*;

/// An op of `dwsep`, with its packed weights, for one input shape.
#[derive(Clone, Debug)]
pub enum Kernel {
    Dense(Conv3x3),
    Depthwise(Depthwise),
    Pointwise(Pointwise),
    Separable(Separable),
}

/// Applies `$body` to whichever op it is: they have the same methods, but no trait.
macro_rules! each {
    ($kernel:expr, $op:ident => $body:expr) => {
        match $kernel {
            Kernel::Dense($op) => $body,
            Kernel::Depthwise($op) => $body,
            Kernel::Pointwise($op) => $body,
            Kernel::Separable($op) => $body,
        }
    };
}

impl Kernel {
    fn input_shape(&self) -> Nhwc {
        each!(self, op => op.input_shape())
    }

    fn output_shape(&self) -> Nhwc {
        each!(self, op => op.output_shape())
    }

    fn workspace_len(&self) -> usize {
        each!(self, op => op.workspace_len(1))
    }

    fn run(&self, input: &[f32], output: &mut [f32], workspace: &mut [u8]) -> dwsep::Result<()> {
        let input = View::new(input, self.input_shape())?;
        let output = ViewMut::new(output, self.output_shape())?;
        each!(self, op => op.run(&Serial, input, output, workspace))
    }
}

/// The operator: NHWC in, NHWC out.
#[derive(Clone, Debug)]
pub struct DwsepOp(Arc<Kernel>);

impl DwsepOp {
    pub fn new(kernel: Kernel) -> Self {
        Self(Arc::new(kernel))
    }
}

/// tract merges operators that are equal and have the same input. Ours are equal where they share their weights.
impl PartialEq for DwsepOp {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for DwsepOp {}

impl Op for DwsepOp {
    fn name(&self) -> StaticName {
        match *self.0 {
            Kernel::Dense(_) => "DwsepConv3x3",
            Kernel::Depthwise(_) => "DwsepDepthwise",
            Kernel::Pointwise(_) => "DwsepPointwise",
            Kernel::Separable(_) => "DwsepSeparable",
        }
        .into()
    }

    op_as_typed_op!();
}

impl EvalOp for DwsepOp {
    // The workspace is made once for each session, and not for each inference.
    fn state(&self, _: &EvalContext) -> TractResult<Option<Box<dyn OpState>>> {
        let workspace = vec![0; self.0.workspace_len()];
        Ok(Some(Box::new(Workspace(workspace))))
    }

    not_out_of_plan!();
}

impl TypedOp for DwsepOp {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let expected = f32::fact(dims(self.0.input_shape()));
        ensure!(
            inputs.len() == 1 && inputs[0].without_value() == expected,
            "{} takes {expected:?}, found {inputs:?}",
            self.name()
        );
        Ok(tvec![f32::fact(dims(self.0.output_shape()))])
    }

    as_op!();
}

/// The memory that the op works in.
#[derive(Clone, Debug)]
struct Workspace(Vec<u8>);

impl OpState for Workspace {
    fn eval(
        &mut self,
        _: &EvalContext,
        op: &dyn Op,
        inputs: TVec<TValue>,
    ) -> TractResult<TVec<TValue>> {
        let op = op.downcast_ref::<DwsepOp>().context("a DwsepOp")?;
        let input = args_1!(inputs);
        let mut output = Tensor::zero::<f32>(&dims(op.0.output_shape()))?;
        op.0.run(
            input.try_as_plain_ram()?.as_slice()?,
            output.try_as_plain_ram_mut()?.as_slice_mut()?,
            &mut self.0,
        )?;
        Ok(tvec![output.into_tvalue()])
    }

    fn reset_lanes(&mut self, _: &[LaneId]) -> TractResult<()> {
        Ok(())
    }
}

fn dims(shape: Nhwc) -> [usize; 4] {
    [shape.n, shape.h, shape.w, shape.c]
}
