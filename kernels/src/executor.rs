//! The caller owns the threads. An [`Executor`] lends them to an op for the time of a call; engines that schedule by
//! themselves use the ops' row ranges instead and need none.
//!
//! Nothing depends on `broadcast` being right. Parts of the output are handed out by counters (`kernel/parts.rs`), each once, so that an
//! executor that calls too often, too rarely or from too many threads costs time and never changes a bit. `alongside` must do what it
//! says, or it may wait for ever; it cannot change a bit either.

/// Lends threads to an op.
pub trait Executor: Sync {
    /// How many threads work at a time, the caller's included. The op's workspace is sized for it.
    fn threads(&self) -> usize;

    /// Calls `work` from up to [`threads`](Executor::threads) threads at once, and returns when all calls have returned.
    /// Each call works until nothing is left, so that one call alone is enough.
    fn broadcast(&self, work: &(dyn Fn() + Sync));

    /// Calls `lead` on the calling thread while up to [`threads`](Executor::threads) others call `help`, and returns `true` when all
    /// calls have returned. [`with_team`](crate::with_team) is made of it.
    ///
    /// `help` returns when `lead` has, so that they must run at the same time. An executor that cannot do that calls neither and
    /// returns `false`. It must not return, or panic, between starting `help` and `lead`: nobody would end `help`.
    fn alongside(&self, help: &(dyn Fn() + Sync), lead: &mut dyn FnMut()) -> bool {
        let _ = (help, lead);
        false
    }
}

/// The calling thread alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct Serial;

impl Executor for Serial {
    fn threads(&self) -> usize {
        1
    }

    fn broadcast(&self, work: &(dyn Fn() + Sync)) {
        work();
    }
}

/// The threads of a rayon pool. While they help a team ([`with_team`](crate::with_team)) they do nothing else.
///
/// ```
/// use dwsep::{Activation, F32, Filter, KernelSet, Nhwc, PackedPointwise, Pointwise, Rayon, View, ViewMut};
///
/// let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build()?;
/// let filter = Filter::new(&[2.0], Some(&[1.0]));
/// let packed = PackedPointwise::<F32>::pack(KernelSet::native()?.pointwise(), 1, 1, filter)?;
/// let op = Pointwise::new(&packed, Nhwc::new(1, 2, 2, 1), Activation::None)?;
/// // As many threads as the executor has.
/// let mut workspace = vec![0; op.workspace_len(pool.current_num_threads())];
/// let (input, mut output) = ([0.0, 1.0, 2.0, 3.0], [0.0; 4]);
/// op.run(&Rayon(&pool), View::new(&input, op.input_shape())?, ViewMut::new(&mut output, op.output_shape())?, &mut workspace)?;
/// assert_eq!(output, [1.0, 3.0, 5.0, 7.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg(feature = "rayon")]
#[derive(Clone, Copy, Debug)]
pub struct Rayon<'p>(pub &'p rayon::ThreadPool);

#[cfg(feature = "rayon")]
impl Executor for Rayon<'_> {
    fn threads(&self) -> usize {
        self.0.current_num_threads()
    }

    fn broadcast(&self, work: &(dyn Fn() + Sync)) {
        self.0.broadcast(|_| work());
    }

    fn alongside(&self, help: &(dyn Fn() + Sync), lead: &mut dyn FnMut()) -> bool {
        // A thread of the pool that leads is among those that would help, and the scope would wait for it.
        if self.0.current_thread_index().is_some() {
            return false;
        }
        self.0.in_place_scope(|scope| {
            scope.spawn_broadcast(|_, _| help());
            lead();
        });
        true
    }
}
