//! Threads that an executor lends once for many calls. Between the calls they wait by spinning, so that fork and join cost a few
//! hundred nanoseconds instead of waking threads: a network is some thirty calls, and its smallest layers take microseconds.
//!
//! ```text
//! state:  [ epoch: half of the bits | members at work | open: 1 bit ]
//!
//! leader   work := w;  state := epoch + 1, 0, open ... work() ...  open := 0;  wait until no member is at work
//! member            sees open and a new epoch:  +1 member  ... work() ...  -1 member
//! ```
//! A member registers in the same word that says "open", by compare-and-swap, so that none can enter after the leader has closed.

use core::cell::UnsafeCell;
use core::hint;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::executor::Executor;

const OPEN: usize = 1;
const MEMBER: usize = 2;
const EPOCH: usize = 1 << (usize::BITS / 2);
const MEMBERS: usize = EPOCH - 1 - OPEN;

/// Turns of a waiting loop before a thread offers its core to others. About a hundred microseconds.
const PATIENCE: u32 = 1 << 12;

/// Calls `lead` with an executor whose calls are cheap; `executor`'s threads help until it returns.
///
/// For a sequence of ops: the threads are woken once, and wait for the next op by spinning. Nothing waits for them to wake up.
/// Ops in `lead` have to take the executor that it is given: `executor`'s threads are busy, and what waits for them waits for ever.
/// Where there is one thread only, or an executor that cannot do it ([`Executor::alongside`]), `lead` gets `executor` itself.
///
/// ```
/// use dwsep::{Executor, Serial, with_team};
/// let sum = with_team(&Serial, |team| team.threads() + 1);
/// assert_eq!(sum, 2);
/// ```
pub fn with_team<R>(executor: &dyn Executor, lead: impl FnOnce(&dyn Executor) -> R) -> R {
    let threads = executor.threads();
    let mut lead = Some(lead);
    let mut result = None;
    if threads > 1 {
        let team = Team::new(threads);
        executor.alongside(&|| team.help(), &mut || {
            let _done = Done(&team.done);
            if let Some(lead) = lead.take() {
                result = Some(lead(&team));
            }
        });
    }
    match (result, lead) {
        (Some(result), _) => result,
        (None, Some(lead)) => lead(executor),
        // An executor that has caught it.
        (None, None) => panic!("the leader of the team panicked"),
    }
}

struct Team {
    threads: usize,
    state: AtomicUsize,
    /// Threads that have come to help.
    helpers: AtomicUsize,
    /// A call is under way. Another one at the same time runs alone.
    busy: AtomicBool,
    /// `lead` has returned.
    done: AtomicBool,
    /// A member has panicked: its part of the work is missing.
    failed: AtomicBool,
    work: UnsafeCell<Option<Work>>,
}

type Work = *const (dyn Fn() + Sync);

// SAFETY: `work` is written by the one thread that holds `busy`, while the state is closed and no member is at work, and read by
// members that registered while it was open: the state's acquire and release order the two.
unsafe impl Sync for Team {}

impl Executor for Team {
    fn threads(&self) -> usize {
        self.threads
    }

    fn broadcast(&self, work: &(dyn Fn() + Sync)) {
        if self.busy.swap(true, Ordering::Acquire) {
            return work();
        }
        let busy = Busy(self);
        // SAFETY: only the lifetime changes. `Busy` waits, even when `work` panics, until no member uses it any more.
        let lent: Work =
            unsafe { core::mem::transmute::<&(dyn Fn() + Sync), &'static (dyn Fn() + Sync)>(work) };
        // SAFETY: closed, no member at work, and `busy` is ours: nobody else looks at it.
        unsafe { *self.work.get() = Some(lent) };
        let epoch = self.state.load(Ordering::Relaxed) & !(EPOCH - 1);
        self.state
            .store(epoch.wrapping_add(EPOCH) | OPEN, Ordering::Release);
        work();
        drop(busy);
        assert!(
            !self.failed.load(Ordering::Acquire),
            "a thread of the team panicked"
        );
    }
}

impl Team {
    fn new(threads: usize) -> Self {
        Self {
            // No more members than the state can count.
            threads: threads.min(MEMBERS / MEMBER),
            state: AtomicUsize::new(0),
            helpers: AtomicUsize::new(0),
            busy: AtomicBool::new(false),
            done: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            work: UnsafeCell::new(None),
        }
    }

    /// A member's life: one turn of each call that it sees, until the leader is done.
    fn help(&self) {
        // With the leader one too many, where the executor's threads do not include the caller.
        if self.helpers.fetch_add(1, Ordering::Relaxed) + 1 >= self.threads {
            return;
        }
        let mut seen = 0;
        let mut wait = Wait::default();
        while !self.done.load(Ordering::Acquire) {
            let state = self.state.load(Ordering::Acquire);
            let epoch = state / EPOCH;
            if state & OPEN == 0 || epoch == seen {
                wait.turn();
                continue;
            }
            let entered = self.state.compare_exchange(
                state,
                state + MEMBER,
                Ordering::Acquire,
                Ordering::Relaxed,
            );
            if entered.is_ok() {
                let mut leave = Leave {
                    team: self,
                    finished: false,
                };
                seen = epoch;
                wait = Wait::default();
                // SAFETY: we registered while it was open, so that the leader keeps the work alive until we leave.
                let work = unsafe { *self.work.get() };
                if let Some(work) = work {
                    // SAFETY: as above; it is `Sync`.
                    unsafe { (*work)() };
                }
                leave.finished = true;
            }
        }
    }
}

/// Closes a call, waits for the members that are still at work, and lets the next one in.
struct Busy<'a>(&'a Team);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state.fetch_and(!OPEN, Ordering::Acquire);
        let mut wait = Wait::default();
        while state & MEMBERS != 0 {
            wait.turn();
            state = self.0.state.load(Ordering::Acquire);
        }
        self.0.busy.store(false, Ordering::Release);
    }
}

/// A member at work.
struct Leave<'a> {
    team: &'a Team,
    finished: bool,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        if !self.finished {
            self.team.failed.store(true, Ordering::Relaxed);
        }
        self.team.state.fetch_sub(MEMBER, Ordering::Release);
    }
}

struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Spins, and once it has waited long offers the core to others.
#[derive(Default)]
struct Wait {
    turns: u32,
}

impl Wait {
    fn turn(&mut self) {
        if self.turns < PATIENCE {
            self.turns += 1;
            hint::spin_loop();
        } else {
            #[cfg(feature = "std")]
            std::thread::yield_now();
            #[cfg(not(feature = "std"))]
            hint::spin_loop();
        }
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;
    use core::sync::atomic::AtomicUsize;

    use crate::Serial;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    /// Threads made for each call, `.1` of them more or fewer than it says.
    struct Scoped(usize, isize);

    impl Executor for Scoped {
        fn threads(&self) -> usize {
            self.0
        }
        fn broadcast(&self, work: &(dyn Fn() + Sync)) {
            work();
        }
        fn alongside(&self, help: &(dyn Fn() + Sync), lead: &mut dyn FnMut()) -> bool {
            std::thread::scope(|scope| {
                for _ in 1..self.0 as isize + self.1 {
                    scope.spawn(help);
                }
                lead();
            });
            true
        }
    }

    /// Says that it has, and has not.
    struct Liar;

    impl Executor for Liar {
        fn threads(&self) -> usize {
            2
        }
        fn broadcast(&self, work: &(dyn Fn() + Sync)) {
            work();
        }
        fn alongside(&self, _: &(dyn Fn() + Sync), _: &mut dyn FnMut()) -> bool {
            true
        }
    }

    #[test]
    fn each_call_is_over_when_it_returns() {
        let executors: [&dyn Executor; 6] = [
            &Scoped(2, 0),
            &Scoped(5, 0),
            &Scoped(2, 3),
            &Scoped(4, -3),
            &Liar,
            &Serial,
        ];
        for executor in executors {
            let sum = with_team(executor, |team| {
                let mut sum = 0;
                for call in 0..2000 {
                    let left = AtomicUsize::new(7);
                    let done = AtomicUsize::new(0);
                    team.broadcast(&|| {
                        while left
                            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1))
                            .is_ok()
                        {
                            done.fetch_add(1, Ordering::SeqCst);
                        }
                    });
                    assert_eq!(done.into_inner(), 7);
                    sum += call;
                }
                sum
            });
            assert_eq!(sum, 1999 * 1000);
        }
    }

    #[test]
    fn a_call_within_a_call_runs_alone() {
        let calls = AtomicUsize::new(0);
        with_team(&Scoped(3, 0), |team| {
            team.broadcast(&|| {
                team.broadcast(&|| {
                    calls.fetch_add(1, Ordering::SeqCst);
                });
            });
        });
        assert!((1..=3).contains(&calls.into_inner()));
    }

    #[test]
    fn no_more_threads_help_than_there_are() {
        let here = AtomicUsize::new(0);
        with_team(&Scoped(3, 5), |team| {
            for _ in 0..1000 {
                let now = AtomicUsize::new(0);
                team.broadcast(&|| {
                    here.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                });
            }
        });
        assert!((1..=3).contains(&here.into_inner()));
    }

    #[test]
    fn a_panic_reaches_the_caller_and_leaves_nobody_waiting() {
        for nested in [false, true] {
            let result = catch_unwind(AssertUnwindSafe(|| {
                with_team(&Scoped(3, 0), |team| {
                    if nested {
                        team.broadcast(&|| panic!("in the work"));
                    }
                    panic!("in the lead");
                })
            }));
            assert!(result.is_err());
        }
    }
}
