//! Kernels of every scheme in one list.

use alloc::string::String;
use alloc::vec::Vec;

use super::problem::{Op, Problem};
use super::run::{Failure, How};
use super::{Kernel, Tested};
use crate::Isa;
use crate::scheme::{F32, Qs8, Qu8};

/// A kernel of any scheme.
#[derive(Clone, Copy, Debug)]
pub enum AnyKernel {
    /// Of single precision.
    F32(Kernel<F32>),
    /// Of i8.
    Qs8(Kernel<Qs8>),
    /// Of u8.
    Qu8(Kernel<Qu8>),
}

/// `$body` with the kernel inside.
macro_rules! inside {
    ($any:expr, $kernel:ident => $body:expr) => {
        match $any {
            AnyKernel::F32($kernel) => $body,
            AnyKernel::Qs8($kernel) => $body,
            AnyKernel::Qu8($kernel) => $body,
        }
    };
}

impl AnyKernel {
    /// Every row of every table, at every op that it can run; pairs of rows of the same ISA for the fused op.
    pub fn all() -> impl Iterator<Item = AnyKernel> {
        let floats = Kernel::all().map(AnyKernel::F32);
        let integers = Kernel::all().map(AnyKernel::Qs8);
        floats
            .chain(integers)
            .chain(Kernel::all().map(AnyKernel::Qu8))
    }

    /// The op that it runs.
    pub fn op(&self) -> Op {
        inside!(self, kernel => kernel.op())
    }

    /// [`Kernel::name`]
    pub fn name(&self) -> String {
        inside!(self, kernel => kernel.name())
    }

    /// The instruction set that it needs.
    pub fn isa(&self) -> Isa {
        inside!(self, kernel => kernel.isa())
    }

    /// `f32`, `qs8` or `qu8`, as in names.
    pub fn dtype(&self) -> &'static str {
        match self {
            AnyKernel::F32(_) => "f32",
            AnyKernel::Qs8(_) => "qs8",
            AnyKernel::Qu8(_) => "qu8",
        }
    }

    /// [`Kernel::tile`]
    pub fn tile(&self) -> (usize, usize) {
        inside!(self, kernel => kernel.tile())
    }

    /// [`Kernel::channel_tile`]
    pub fn channel_tile(&self) -> usize {
        inside!(self, kernel => kernel.channel_tile())
    }

    /// [`Problem::check`]
    ///
    /// # Errors
    /// As there.
    pub fn check(&self, problem: &Problem) -> Result<(), Failure> {
        inside!(self, kernel => problem.check(*kernel))
    }

    /// The bytes of [`Problem::run_on`], with the seed's operands.
    ///
    /// # Errors
    /// As there.
    pub fn run_on(&self, problem: &Problem, how: How<'_>) -> Result<Vec<u8>, Failure> {
        inside!(self, kernel => bytes(problem, *kernel, how))
    }
}

fn bytes<S: Tested>(
    problem: &Problem,
    kernel: Kernel<S>,
    how: How<'_>,
) -> Result<Vec<u8>, Failure> {
    let found = problem.run_on(kernel, &problem.operands(), how)?;
    Ok(bytemuck::cast_slice(&found).to_vec())
}
