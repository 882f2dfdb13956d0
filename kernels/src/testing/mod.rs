//! For tests, fuzz targets and benches: every kernel, problems to feed them, memory that tells what was touched beside an operand, and
//! derived error bounds. Behind the feature `testing`; not covered by any promise of stability.
//!
//! ```
//! use dwsep::testing::{Kernel, Op, Problem};
//! use dwsep::Nhwc;
//! let problem = Problem::new(Op::Depthwise, Nhwc::new(1, 5, 5, 3), 3);
//! for kernel in Kernel::all().filter(|k| k.op() == Op::Depthwise && k.isa().is_available()) {
//!     problem.check(kernel).unwrap();
//! }
//! ```

mod bounds;
mod guard;
mod problem;
mod run;

use alloc::format;
use alloc::string::{String, ToString};

use crate::Isa;
use crate::kernel::args::{DwKernel, PwKernel};
use crate::scheme::{F32, Scheme};

pub use bounds::{Bounded, gamma};
pub use guard::{Buffer, Memory, is_canary};
pub use problem::{BYTES, Gaps, Op, Operands, Problem, Values, problems};
pub use run::{AnyOp, Failure, How, same};

/// A row of a table, or rows that work together, at the op that is to be tested.
#[derive(Clone, Copy, Debug)]
pub enum Kernel {
    /// A pointwise kernel.
    Pointwise(&'static PwKernel<F32>),
    /// A depthwise kernel.
    Depthwise(&'static DwKernel<F32>),
    /// A pointwise kernel, running a dense 3x3 convolution.
    Conv3x3(&'static PwKernel<F32>),
    /// A depthwise and a pointwise kernel of the same ISA, fused.
    Separable(&'static DwKernel<F32>, &'static PwKernel<F32>),
}

impl Kernel {
    /// Every row of every table, at every op that it can run; pairs of rows of the same ISA for the fused op.
    pub fn all() -> impl Iterator<Item = Kernel> {
        let (pw, dw) = (F32::pointwise_kernels(), F32::depthwise_kernels());
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
