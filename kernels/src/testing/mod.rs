//! For tests, fuzz targets and benches: every kernel, problems to feed them, memory that tells what was touched beside an operand, and
//! derived error bounds. Behind the feature `testing`; not covered by any promise of stability.
//!
//! ```
//! use dwsep::testing::{AnyKernel, Op, Problem};
//! use dwsep::Nhwc;
//! let problem = Problem::new(Op::Depthwise, Nhwc::new(1, 5, 5, 3), 3);
//! for kernel in AnyKernel::all().filter(|k| k.op() == Op::Depthwise && k.isa().is_available()) {
//!     kernel.check(&problem).unwrap();
//! }
//! ```

mod any;
mod bounds;
mod floats;
mod guard;
mod integers;
mod problem;
mod run;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::Filter;
use crate::Isa;
use crate::kernel::args::{DwKernel, PwKernel};
use crate::scheme::{F32, Scheme};

pub use any::AnyKernel;
pub use bounds::{Bounded, gamma};
pub use guard::{Buffer, Memory, is_canary};
pub use integers::Integers;
pub use problem::{BYTES, Gaps, Op, Operands, Problem, Values, problems};
pub use run::{AnyOp, Failure, How, same};

/// A scheme whose kernels can be tested: how its operands are drawn, what is expected of them, and what counts as the same. Nobody else
/// can implement it, since [`Scheme`] is sealed.
pub trait Tested: Scheme {
    /// How the integers of a filter are to be read; of floats there is nothing to be said.
    type Quantization: Clone + core::fmt::Debug;

    /// Whether no result has the bytes of a canary, so that one that is found has not been written.
    const TELLS: bool;

    /// What a kernel of this scheme can be asked, that comes nearest to `activation`.
    fn activation(activation: crate::Activation) -> crate::Activation;

    /// The numbers that the seed stands for.
    fn operands(problem: &Problem) -> Operands<Self>;

    /// A filter to be packed.
    fn filter<'a>(
        weights: &'a [Self::Weight],
        bias: Option<&'a [Self::Bias]>,
        quantization: &'a Self::Quantization,
    ) -> Filter<'a, Self>;

    /// What the reference says, in whose steps multiplication and addition may be fused. Dense.
    fn expected(problem: &Problem, operands: &Operands<Self>, fused: bool) -> Vec<Self::Elem>;

    /// Equal as the numerics contract has it.
    fn same(x: Self::Elem, y: Self::Elem) -> bool;

    /// For people.
    fn show(x: Self::Elem) -> String;
}

/// A row of a table, or rows that work together, at the op that is to be tested.
#[derive(Clone, Copy, Debug)]
pub enum Kernel<S: Scheme = F32> {
    /// A pointwise kernel.
    Pointwise(&'static PwKernel<S>),
    /// A depthwise kernel.
    Depthwise(&'static DwKernel<S>),
    /// A pointwise kernel, running a dense 3x3 convolution.
    Conv3x3(&'static PwKernel<S>),
    /// A depthwise and a pointwise kernel of the same ISA, fused.
    Separable(&'static DwKernel<S>, &'static PwKernel<S>),
}

impl<S: Scheme> Kernel<S> {
    /// Every row of the scheme's tables, at every op that it can run; pairs of rows of the same ISA for the fused op.
    pub fn all() -> impl Iterator<Item = Kernel<S>> {
        let (pw, dw) = (S::pointwise_kernels(), S::depthwise_kernels());
        let pairs = dw.iter().flat_map(move |dw| {
            let partners = pw.iter().filter(|pw| pw.isa == dw.isa);
            partners.map(move |pw| Kernel::Separable(dw, pw))
        });
        let single = pw.iter().map(Kernel::Pointwise);
        let single = single.chain(dw.iter().map(Kernel::Depthwise));
        single.chain(pw.iter().map(Kernel::Conv3x3)).chain(pairs)
    }

    /// The op that it runs.
    pub fn op(&self) -> Op {
        match self {
            Kernel::Pointwise(_) => Op::Pointwise,
            Kernel::Depthwise(_) => Op::Depthwise,
            Kernel::Conv3x3(_) => Op::Conv3x3,
            Kernel::Separable(..) => Op::Separable,
        }
    }

    /// The row's name, behind the op's where the row is of another one.
    pub fn name(&self) -> String {
        match self {
            Kernel::Pointwise(pw) => pw.name.to_string(),
            Kernel::Depthwise(dw) => dw.name.to_string(),
            Kernel::Conv3x3(pw) => format!("conv3x3::{}", pw.name),
            Kernel::Separable(dw, pw) => format!("separable::{}+{}", dw.name, pw.name),
        }
    }

    /// The instruction set that it needs.
    pub fn isa(&self) -> Isa {
        match self {
            Kernel::Pointwise(pw) | Kernel::Conv3x3(pw) => pw.isa,
            Kernel::Depthwise(dw) | Kernel::Separable(dw, _) => dw.isa,
        }
    }

    /// Rows and columns of the register tile of its pointwise part; `(1, 1)` without one.
    pub fn tile(&self) -> (usize, usize) {
        match self {
            Kernel::Pointwise(pw) | Kernel::Conv3x3(pw) | Kernel::Separable(_, pw) => pw.tile(),
            Kernel::Depthwise(_) => (1, 1),
        }
    }

    /// Channel tile of its depthwise part; 1 without one.
    pub fn channel_tile(&self) -> usize {
        match self {
            Kernel::Depthwise(dw) | Kernel::Separable(dw, _) => dw.ct,
            Kernel::Pointwise(_) | Kernel::Conv3x3(_) => 1,
        }
    }
}
