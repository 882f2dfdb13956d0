//! Ops: handles, the one way in which all of them are run, and what those with weights do with their rows.

use core::ffi::c_void;
use core::ops::Range;

use dwsep::{Conv3x3, Depthwise, Error, Nhwc, Pointwise, Scheme, Separable, ViewMut};

use crate::boundary::Caller;
use crate::status::Failure;
use crate::tensor::{Element, Input, Placed, addresses, expect_apart};
use crate::types::{dwsep_tensor, dwsep_tensor_mut};

/// An op of one input shape. Immutable: any number of threads may run one at the same time. It keeps the weights that it needs.
pub struct dwsep_op(Box<dyn Op>);

impl dwsep_op {
    pub(crate) fn of(op: Box<dyn Op>) -> Self {
        Self(op)
    }

    pub(crate) fn get(&self) -> &dyn Op {
        &*self.0
    }
}

/// What C passes for a run.
pub(crate) struct Run {
    pub(crate) first_row: usize,
    pub(crate) rows: usize,
    pub(crate) input: *const dwsep_tensor,
    pub(crate) second: *const dwsep_tensor,
    pub(crate) output: *const dwsep_tensor_mut,
    pub(crate) workspace: *mut c_void,
    pub(crate) workspace_len: usize,
}

/// An op of any element type.
pub(crate) trait Op: Send + Sync {
    fn shapes(&self) -> (Nhwc, Nhwc);
    fn workspace(&self) -> usize;
    fn run(&self, caller: &Caller, run: &Run) -> Result<(), Failure>;
}

/// Whether an op takes a second input, of the output's shape.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Second {
    None,
    Optional,
    Needed,
}

/// What an op computes of checked tensors.
pub(crate) trait Rows: Send + Sync {
    type Elem: Element;
    const SECOND: Second = Second::None;
    /// Whether rows come one by one.
    const ONE_BY_ONE: bool = false;

    /// Of the input and of the output.
    fn shapes(&self) -> (Nhwc, Nhwc);
    /// Bytes of workspace of one thread.
    fn workspace(&self) -> usize {
        0
    }
    /// Rows `rows` of all rows of the output, which holds these alone.
    fn rows(
        &self,
        rows: Range<usize>,
        input: &Input<'_, Self::Elem>,
        second: Option<&Input<'_, Self::Elem>>,
        output: ViewMut<'_, Self::Elem>,
        workspace: &mut [u8],
    ) -> Result<(), Failure>;
}

impl<R: Rows> Op for R {
    fn shapes(&self) -> (Nhwc, Nhwc) {
        Rows::shapes(self)
    }

    fn workspace(&self) -> usize {
        Rows::workspace(self)
    }

    fn run(&self, caller: &Caller, run: &Run) -> Result<(), Failure> {
        let (input_shape, output_shape) = Rows::shapes(self);
        let all = output_shape.n * output_shape.h;
        let rows = range(run, all)?;
        let input = Placed::of(caller.get(run.input, "input")?, input_shape, "input")?;
        let second = second::<R>(caller, run, output_shape)?;
        let output = caller.get(run.output, "output")?;
        let output = Placed::of_mut(output, output_shape, "output")?;

        // Before anything is taken: what is written lies apart from all else.
        let written = ("output", &output.addresses());
        let workspace = addresses(run.workspace.cast::<u8>().cast_const(), run.workspace_len);
        let workspace = ("workspace", &workspace);
        expect_apart(written, ("input", &input.addresses()))?;
        expect_apart(written, workspace)?;
        expect_apart(workspace, ("input", &input.addresses()))?;
        if let Some(second) = &second {
            expect_apart(written, ("second", &second.addresses()))?;
            expect_apart(workspace, ("second", &second.addresses()))?;
        }

        let workspace = caller.workspace(run.workspace, run.workspace_len)?;
        let (needed, found) = (Rows::workspace(self), workspace.len());
        if found < needed {
            return Err(Error::WorkspaceTooSmall { needed, found }.into());
        }
        let input = caller.input(input)?;
        let second = second.map(|second| caller.input(second)).transpose()?;
        let mut output = caller.output(output)?;

        let mut next = rows.start;
        while next < rows.end {
            let end = if R::ONE_BY_ONE { next + 1 } else { rows.end };
            let these = output.placed().stretch(next, end);
            next = these.end;
            let part = output.rows(&these)?;
            Rows::rows(self, these, &input, second.as_ref(), part, workspace)?;
        }
        Ok(())
    }
}

/// The rows to be computed; there may be none.
fn range(run: &Run, all: usize) -> Result<Range<usize>, Failure> {
    let start = run.first_row;
    let end = start.saturating_add(run.rows);
    if end > all {
        return Err(Error::RowRange {
            start,
            end,
            rows: all,
        }
        .into());
    }
    Ok(start..end)
}

fn second<R: Rows>(
    caller: &Caller,
    run: &Run,
    shape: Nhwc,
) -> Result<Option<Placed<*const R::Elem>>, Failure> {
    let operand = "second";
    match (R::SECOND, caller.optional(run.second, operand)?) {
        (Second::None, Some(_)) => Err(Error::Unsupported {
            operand,
            found: "a tensor",
            expected: "NULL: this op has one input",
        }
        .into()),
        (Second::Needed, None) => Err(Failure::Null { operand }),
        (_, None) => Ok(None),
        (_, Some(tensor)) => Ok(Some(Placed::of(tensor, shape, operand)?)),
    }
}

/// The convolutions, whose functions have the same names and no trait in common. A `$second` is passed to those that take one.
macro_rules! convolution {
    ($op:ident, $takes:expr $(, $second:ident)?) => {
        impl<S: Scheme<Elem: Element>> Rows for $op<S> {
            type Elem = S::Elem;
            const SECOND: Second = $takes;

            fn shapes(&self) -> (Nhwc, Nhwc) {
                (self.input_shape(), self.output_shape())
            }

            fn workspace(&self) -> usize {
                self.workspace_len(1)
            }

            fn rows(
                &self,
                rows: Range<usize>,
                input: &Input<'_, S::Elem>,
                _second: Option<&Input<'_, S::Elem>>,
                output: ViewMut<'_, S::Elem>,
                workspace: &mut [u8],
            ) -> Result<(), Failure> {
                $(let $second = _second.map(Input::view).transpose()?;)?
                Ok(self.run_rows(rows, input.view()?, $($second,)? output, workspace)?)
            }
        }
    };
}
convolution!(Depthwise, Second::None);
convolution!(Conv3x3, Second::None);
convolution!(Separable, Second::None);
convolution!(
    Pointwise,
    if S::ADDS {
        Second::Optional
    } else {
        Second::None
    },
    residual
);
