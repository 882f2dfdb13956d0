//! What networks run on: a choice of kernels, and threads.

use std::sync::atomic::{AtomicBool, Ordering};

use dwsep::{Executor, Isa, KernelSet, Serial};
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::{Error, Result};

/// Kernels and threads. Make one and share it: it owns its threads, which end with it. They help one
/// inference at a time; another one at the same time runs on its caller's thread.
#[derive(Debug)]
pub struct Engine {
    kernels: KernelSet,
    threads: Threads,
}

#[derive(Debug)]
enum Threads {
    Caller,
    /// The caller's, and these. They help one caller at a time; another works alone, and so does a call from within a call.
    Pool {
        pool: ThreadPool,
        busy: AtomicBool,
    },
}

impl Engine {
    /// An engine of `threads` threads: the caller's, and a pool of as many as are wanted beside it. `isa` names the best instruction
    /// set to use; with `None` it is the best that the CPU has. The environment variable `DWSEP_ISA` lowers either.
    ///
    /// # Errors
    /// [`Error::Threads`] for none or for more than rayon can count, [`Error::ThreadPool`] where the operating system gives none; [`Error::Kernels`] for an
    /// instruction set that this CPU lacks, or for what `DWSEP_ISA` says.
    pub fn new(threads: usize, isa: Option<Isa>) -> Result<Self> {
        let kernels = isa.map_or_else(KernelSet::native, KernelSet::up_to)?;
        let most = rayon::max_num_threads();
        let threads = match threads {
            1 => Threads::Caller,
            found if found == 0 || found > most => return Err(Error::Threads { found, most }),
            _ => Threads::Pool {
                pool: ThreadPoolBuilder::new()
                    .num_threads(threads - 1)
                    .thread_name(|index| format!("mobilenet-{}", index + 1))
                    .build()
                    .map_err(|cause| Error::ThreadPool { threads, cause })?,
                busy: AtomicBool::new(false),
            },
        };
        Ok(Self { kernels, threads })
    }

    /// The kernels that models are packed for.
    pub fn kernels(&self) -> &KernelSet {
        &self.kernels
    }

    /// How many threads work at a time.
    pub fn threads(&self) -> usize {
        self.threads.threads()
    }

    /// The threads as the kernels take them.
    pub fn executor(&self) -> &dyn Executor {
        &self.threads
    }
}

impl Executor for Threads {
    fn threads(&self) -> usize {
        match self {
            Threads::Caller => Serial.threads(),
            Threads::Pool { pool, .. } => pool.current_num_threads() + 1,
        }
    }

    fn broadcast(&self, work: &(dyn Fn() + Sync)) {
        if !self.alongside(work, &mut || work()) {
            work();
        }
    }

    fn alongside(&self, help: &(dyn Fn() + Sync), lead: &mut dyn FnMut()) -> bool {
        match self {
            Threads::Caller => false,
            Threads::Pool { pool, busy } => {
                if busy.swap(true, Ordering::Acquire) {
                    return false;
                }
                let _free = Free(busy);
                dwsep::Rayon(pool).alongside(help, lead)
            }
        }
    }
}

/// Lets the next caller have the threads, after a panic too.
struct Free<'a>(&'a AtomicBool);

impl Drop for Free<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_as_asked_for() {
        for threads in 1..4 {
            let engine = Engine::new(threads, None).unwrap();
            assert_eq!(
                (engine.threads(), engine.executor().threads()),
                (threads, threads)
            );
        }
        let error = Engine::new(0, None).unwrap_err();
        assert!(
            error.to_string().starts_with("0 threads, expected 1 to "),
            "{error}"
        );
    }

    #[test]
    fn an_instruction_set_is_a_maximum() {
        let engine = Engine::new(1, Some(Isa::Scalar)).unwrap();
        assert_eq!(engine.kernels().isa(), Isa::Scalar);
        let foreign = if cfg!(target_arch = "aarch64") {
            Isa::Avx2Fma
        } else {
            Isa::Neon
        };
        assert!(matches!(
            Engine::new(1, Some(foreign)),
            Err(Error::Kernels(dwsep::Error::IsaUnavailable { .. }))
        ));
    }
}
