//! What the ops without weights do with their rows.

use core::ops::Range;

use dwsep::quantised::{Add, GlobalAveragePool};
use dwsep::{Nhwc, Quantised, ViewMut, global_average_pool, softmax};

use crate::op::{Rows, Second};
use crate::status::Failure;
use crate::tensor::{Element, Input};

/// The shape of an average over images.
pub(crate) fn averaged(input: Nhwc) -> Nhwc {
    Nhwc {
        h: 1,
        w: 1,
        ..input
    }
}

pub(crate) struct AveragePoolF32 {
    pub(crate) input: Nhwc,
}

impl Rows for AveragePoolF32 {
    type Elem = f32;
    // A row is an image.
    const ONE_BY_ONE: bool = true;

    fn shapes(&self) -> (Nhwc, Nhwc) {
        (self.input, averaged(self.input))
    }

    fn rows(
        &self,
        rows: Range<usize>,
        input: &Input<'_, f32>,
        _: Option<&Input<'_, f32>>,
        output: ViewMut<'_, f32>,
        _: &mut [u8],
    ) -> Result<(), Failure> {
        Ok(global_average_pool(input.images(&rows)?, output)?)
    }
}

pub(crate) struct AveragePoolQ8<S: Quantised> {
    pub(crate) input: Nhwc,
    pub(crate) pool: GlobalAveragePool<S>,
}

impl<S: Quantised<Elem: Element>> Rows for AveragePoolQ8<S> {
    type Elem = S::Elem;
    // A row is an image.
    const ONE_BY_ONE: bool = true;

    fn shapes(&self) -> (Nhwc, Nhwc) {
        (self.input, averaged(self.input))
    }

    fn rows(
        &self,
        rows: Range<usize>,
        input: &Input<'_, S::Elem>,
        _: Option<&Input<'_, S::Elem>>,
        output: ViewMut<'_, S::Elem>,
        _: &mut [u8],
    ) -> Result<(), Failure> {
        Ok(self.pool.run(input.images(&rows)?, output)?)
    }
}

pub(crate) struct AddQ8<S: Quantised> {
    pub(crate) shape: Nhwc,
    pub(crate) add: Add<S>,
}

impl<S: Quantised<Elem: Element>> Rows for AddQ8<S> {
    type Elem = S::Elem;
    const SECOND: Second = Second::Needed;
    // Each tensor has stretches of its own.
    const ONE_BY_ONE: bool = true;

    fn shapes(&self) -> (Nhwc, Nhwc) {
        (self.shape, self.shape)
    }

    fn rows(
        &self,
        rows: Range<usize>,
        input: &Input<'_, S::Elem>,
        second: Option<&Input<'_, S::Elem>>,
        output: ViewMut<'_, S::Elem>,
        _: &mut [u8],
    ) -> Result<(), Failure> {
        let second = second.ok_or(Failure::Null { operand: "second" })?;
        Ok(self
            .add
            .run(input.rows(&rows)?, second.rows(&rows)?, output)?)
    }
}

pub(crate) struct SoftmaxF32 {
    pub(crate) shape: Nhwc,
}

impl Rows for SoftmaxF32 {
    type Elem = f32;
    // Each tensor has stretches of its own.
    const ONE_BY_ONE: bool = true;

    fn shapes(&self) -> (Nhwc, Nhwc) {
        (self.shape, self.shape)
    }

    fn rows(
        &self,
        rows: Range<usize>,
        input: &Input<'_, f32>,
        _: Option<&Input<'_, f32>>,
        output: ViewMut<'_, f32>,
        _: &mut [u8],
    ) -> Result<(), Failure> {
        Ok(softmax(input.rows(&rows)?, output)?)
    }
}
