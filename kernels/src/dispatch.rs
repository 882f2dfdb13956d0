//! Which kernels run: the best of each table that this CPU has, below a cap that the user can see and set.

use crate::kernel::args::{DwKernel, PwKernel};
use crate::scheme::Scheme;
use crate::{Error, Isa, Result};

/// The kernels up to an instruction set. Small and `Copy`; ask once, when packing.
///
/// ```
/// use dwsep::{F32, Isa, KernelSet};
/// let kernels = KernelSet::native()?;
/// println!("{}: {}", kernels.isa(), kernels.pointwise::<F32>().name());
/// let scalar = KernelSet::up_to(Isa::Scalar)?;
/// assert_eq!(scalar.pointwise::<F32>().isa(), Isa::Scalar);
/// # Ok::<(), dwsep::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelSet {
    cap: Isa,
}

impl KernelSet {
    /// The best that this CPU has. With the feature `std` the environment variable `DWSEP_ISA` names a maximum.
    ///
    /// # Errors
    /// [`Error::UnknownIsa`] or [`Error::IsaUnavailable`] for what `DWSEP_ISA` says.
    pub fn native() -> Result<Self> {
        Self::up_to(environment()?.unwrap_or_else(Isa::best))
    }

    /// Nothing above `isa`, whatever the CPU has. `DWSEP_ISA` only ever lowers: where it names less, that is the maximum.
    ///
    /// # Errors
    /// [`Error::IsaUnavailable`] where this CPU or this build lacks `isa`; as [`KernelSet::native`] for `DWSEP_ISA`.
    pub fn up_to(isa: Isa) -> Result<Self> {
        let maximum = environment()?.unwrap_or(isa);
        for isa in [isa, maximum] {
            if !isa.is_available() {
                return Err(Error::IsaUnavailable { isa });
            }
        }
        Ok(Self {
            cap: isa.min(maximum),
        })
    }

    /// The instruction set of the cap.
    pub fn isa(&self) -> Isa {
        self.cap
    }

    /// What the cap names is what there is; below it, what suits this machine: on cores that execute in program order a cap above
    /// `neon` brings the kernels of `neon_in_order` for what it has none of its own for.
    fn allows(&self, isa: Isa) -> bool {
        isa <= self.cap && isa.is_available() && (isa == self.cap || !isa.is_passed_over())
    }

    /// The best pointwise kernel. Dense 3x3 convolutions run on it too.
    pub fn pointwise<S: Scheme>(&self) -> &'static PwKernel<S> {
        // Every table has a scalar row, which every set allows.
        let table = S::pointwise_kernels();
        table
            .iter()
            .find(|kernel| self.allows(kernel.isa))
            .unwrap_or(&table[table.len() - 1])
    }

    /// The best pointwise kernel for sums of `depth` products: the number of input channels, nine times that for 3x3 windows. It is
    /// [`pointwise`](Self::pointwise) but for quantised schemes, where a kernel may take longer to prepare rows than short sums save.
    pub fn pointwise_for<S: Scheme>(&self, depth: usize) -> &'static PwKernel<S> {
        S::pointwise_kernels()
            .iter()
            .find(|kernel| self.allows(kernel.isa) && S::suits(kernel.form, depth))
            .unwrap_or_else(|| self.pointwise())
    }

    /// The best depthwise kernel.
    pub fn depthwise<S: Scheme>(&self) -> &'static DwKernel<S> {
        let table = S::depthwise_kernels();
        table
            .iter()
            .find(|kernel| self.allows(kernel.isa))
            .unwrap_or(&table[table.len() - 1])
    }
}

#[cfg(feature = "std")]
fn environment() -> Result<Option<Isa>> {
    match std::env::var_os("DWSEP_ISA") {
        None => Ok(None),
        Some(name) => name.to_string_lossy().parse().map(Some),
    }
}

#[cfg(not(feature = "std"))]
fn environment() -> Result<Option<Isa>> {
    Ok(None)
}
