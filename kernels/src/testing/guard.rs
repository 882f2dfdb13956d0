//! Memory for operands that tells what a kernel touched beside them.
//!
//! ```text
//! Heap          [ canaries ][ slice ][ canaries ]
//! GuardBefore   [ no access ][ slice ][ canaries ][ no access ]
//! GuardAfter    [ no access ][ canaries ][ slice ][ no access ]
//! ```
//! A write beside the slice changes a canary. A read or a write in the pages without access raises a signal; its handler notes the
//! address and opens the pages, so that the kernel goes on and the test that ran it fails by name, instead of the whole
//! program dying without one. Where there is no `mmap` the guarded kinds are as `Heap`.

use alloc::vec;
use alloc::vec::Vec;

use bytemuck::Pod;

/// What a canary is made of, over and over: read as f32 it is a signalling NaN, which no arithmetic ever results in.
const CANARY: [u8; 4] = 0x7fa5_c05a_u32.to_ne_bytes();

/// Whether nothing has been stored over this element since [`Buffer::new`].
pub fn is_canary(x: f32) -> bool {
    x.to_ne_bytes() == CANARY
}

/// Where a [`Buffer`] lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Memory {
    /// Between canaries.
    #[default]
    Heap,
    /// The first element right behind pages without access.
    GuardBefore,
    /// The last element right before pages without access.
    GuardAfter,
}

impl Memory {
    /// All kinds.
    pub const ALL: [Memory; 3] = [Memory::Heap, Memory::GuardBefore, Memory::GuardAfter];
}

/// A slice, and around it what shows accesses beside it.
#[derive(Debug)]
pub struct Buffer<T> {
    store: Store<T>,
    /// First element of the slice in the store.
    start: usize,
    len: usize,
}

#[derive(Debug)]
enum Store<T> {
    Heap(Vec<T>),
    #[cfg(unix)]
    Pages(pages::Pages),
}

/// Elements of canaries on each side on the heap. Odd, so that vectors in the slice are not aligned.
const SLACK: usize = 65;

impl<T: Pod> Buffer<T> {
    /// `len` elements, all of them canaries.
    pub fn new(memory: Memory, len: usize) -> Self {
        let mut buffer = match memory {
            #[cfg(unix)]
            Memory::GuardBefore | Memory::GuardAfter => {
                let pages = pages::Pages::new(len * size_of::<T>());
                let room = pages.data().1 / size_of::<T>();
                Self {
                    store: Store::Pages(pages),
                    start: if memory == Memory::GuardAfter {
                        room - len
                    } else {
                        0
                    },
                    len,
                }
            }
            _ => Self {
                store: Store::Heap(vec![T::zeroed(); len + 2 * SLACK]),
                start: SLACK,
                len,
            },
        };
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(buffer.all_mut());
        for (byte, canary) in bytes.iter_mut().zip(CANARY.into_iter().cycle()) {
            *byte = canary;
        }
        buffer
    }

    /// The slice.
    pub fn slice(&self) -> &[T] {
        &self.all()[self.start..][..self.len]
    }

    /// The slice.
    pub fn slice_mut(&mut self) -> &mut [T] {
        let (start, len) = (self.start, self.len);
        &mut self.all_mut()[start..][..len]
    }

    /// Whether element `at` of the slice still has the bytes that [`Buffer::new`] gave it. In f32 that means that nothing has been stored
    /// there ([`is_canary`]); a byte may be the same by chance.
    pub fn is_as_new(&self, at: usize) -> bool {
        let first = (self.start + at) * size_of::<T>();
        let canary = CANARY.into_iter().cycle().skip(first % CANARY.len());
        bytemuck::bytes_of(&self.slice()[at])
            .iter()
            .zip(canary)
            .all(|(byte, canary)| *byte == canary)
    }

    /// Where something was stored beside the slice, or the pages without access were touched: elements from the start of the slice.
    pub fn touched(&self) -> Option<isize> {
        let from_start =
            |byte: usize| (byte as isize).div_euclid(size_of::<T>() as isize) - self.start as isize;
        #[cfg(unix)]
        if let Store::Pages(pages) = &self.store
            && let Some(address) = pages.fault()
        {
            return Some(from_start(address.wrapping_sub(pages.data().0 as usize)));
        }
        let bytes: &[u8] = bytemuck::cast_slice(self.all());
        let slice = self.start * size_of::<T>()..(self.start + self.len) * size_of::<T>();
        let changed = bytes
            .iter()
            .zip(CANARY.into_iter().cycle())
            .enumerate()
            .find(|(at, (byte, canary))| !slice.contains(at) && *byte != canary);
        changed.map(|(at, _)| from_start(at))
    }

    fn all(&self) -> &[T] {
        match &self.store {
            Store::Heap(elements) => elements,
            #[cfg(unix)]
            Store::Pages(pages) => {
                let (start, len) = pages.data();
                // SAFETY: `len` bytes of mapped memory that belongs to `pages` alone; pages are aligned for any T, and any bytes are a T.
                unsafe { core::slice::from_raw_parts(start.cast::<T>(), len / size_of::<T>()) }
            }
        }
    }

    fn all_mut(&mut self) -> &mut [T] {
        match &mut self.store {
            Store::Heap(elements) => elements,
            #[cfg(unix)]
            Store::Pages(pages) => {
                let (start, len) = pages.data();
                // SAFETY: as in `all`, and `self` is borrowed mutably.
                unsafe { core::slice::from_raw_parts_mut(start.cast::<T>(), len / size_of::<T>()) }
            }
        }
    }
}

#[cfg(unix)]
mod pages {
    use core::ffi::{c_int, c_void};
    use core::ptr;
    use core::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::OnceLock;

    /// Bytes without access on each side, a multiple of any page size in use. Addresses only, no memory: more than a workspace's parts
    /// for a few threads, so that a part too many is noticed too.
    const GUARD: usize = 1 << 21;

    /// Mapped memory between pages without access.
    #[derive(Debug)]
    pub(super) struct Pages {
        base: *mut u8,
        total: usize,
        slot: &'static Slot,
    }

    /// What the signal handler knows of one mapping.
    #[derive(Debug)]
    struct Slot {
        /// 0: free. 1: being filled in. Otherwise the first address of the mapping.
        start: AtomicUsize,
        end: AtomicUsize,
        /// The first address that was touched without access; 0: none.
        fault: AtomicUsize,
    }

    static SLOTS: [Slot; 1024] = [const {
        Slot {
            start: AtomicUsize::new(0),
            end: AtomicUsize::new(0),
            fault: AtomicUsize::new(0),
        }
    }; 1024];

    /// An access without permission is the one on Linux and the other on macOS.
    const SIGNALS: [c_int; 2] = [libc::SIGSEGV, libc::SIGBUS];

    static BEFORE: OnceLock<[libc::sigaction; 2]> = OnceLock::new();

    impl Pages {
        /// At least `len` bytes (one page at least), readable and writable.
        pub(super) fn new(len: usize) -> Self {
            install();
            // SAFETY: reads a constant of the system.
            let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) });
            let page = page.expect("a page size");
            assert_eq!(GUARD % page, 0);
            let total = len.max(1).next_multiple_of(page) + 2 * GUARD;
            let slot = SLOTS
                .iter()
                .find(|slot| {
                    let taken =
                        slot.start
                            .compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed);
                    taken.is_ok()
                })
                .expect("at most 1024 guarded buffers at a time");
            // SAFETY: a new mapping, which touches no memory that there is.
            let base = unsafe {
                let flags = libc::MAP_PRIVATE | libc::MAP_ANON;
                libc::mmap(ptr::null_mut(), total, libc::PROT_NONE, flags, -1, 0)
            };
            assert_ne!(base, libc::MAP_FAILED, "mmap of {total} bytes");
            let pages = Self {
                base: base.cast(),
                total,
                slot,
            };
            let (data, len) = pages.data();
            // SAFETY: whole pages of the mapping above.
            let opened =
                unsafe { libc::mprotect(data.cast(), len, libc::PROT_READ | libc::PROT_WRITE) };
            assert_eq!(opened, 0, "mprotect of {len} bytes");
            slot.fault.store(0, Ordering::Relaxed);
            slot.end.store(base as usize + total, Ordering::Relaxed);
            slot.start.store(base as usize, Ordering::Release);
            pages
        }

        /// First byte and length of what may be accessed.
        pub(super) fn data(&self) -> (*mut u8, usize) {
            (self.base.wrapping_add(GUARD), self.total - 2 * GUARD)
        }

        pub(super) fn fault(&self) -> Option<usize> {
            Some(self.slot.fault.load(Ordering::Relaxed)).filter(|&address| address != 0)
        }
    }

    impl Drop for Pages {
        fn drop(&mut self) {
            self.slot.start.store(0, Ordering::Release);
            // SAFETY: the mapping of `new`, of which no reference is left.
            let closed = unsafe { libc::munmap(self.base.cast(), self.total) };
            debug_assert_eq!(closed, 0);
        }
    }

    fn install() {
        BEFORE.get_or_init(|| {
            // SAFETY: zeros are a valid `sigaction`: the default action, no flags, an empty mask.
            let mut before: [libc::sigaction; 2] = unsafe { core::mem::zeroed() };
            for (signal, before) in SIGNALS.into_iter().zip(&mut before) {
                // SAFETY: asks for the present action only.
                assert_eq!(unsafe { libc::sigaction(signal, ptr::null(), before) }, 0);
            }
            before
        });
        static INSTALLED: OnceLock<()> = OnceLock::new();
        INSTALLED.get_or_init(|| {
            let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = on_fault;
            for signal in SIGNALS {
                // SAFETY: zeros are valid, see above; the handler has the signature that SA_SIGINFO asks for and does
                // what a handler may do.
                let installed = unsafe {
                    let mut action: libc::sigaction = core::mem::zeroed();
                    action.sa_sigaction = handler as usize;
                    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
                    libc::sigaction(signal, &action, ptr::null_mut())
                };
                assert_eq!(installed, 0);
            }
        });
    }

    /// Atomics and two system calls: all of it may be done in a signal handler.
    extern "C" fn on_fault(signal: c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
        // SAFETY: the kernel passes a valid one, and for these signals it holds an address.
        let address = unsafe { (*info).si_addr() } as usize;
        for slot in &SLOTS {
            let start = slot.start.load(Ordering::Acquire);
            let end = slot.end.load(Ordering::Relaxed);
            if start > 1 && (start..end).contains(&address) {
                let _ =
                    slot.fault
                        .compare_exchange(0, address, Ordering::Relaxed, Ordering::Relaxed);
                // SAFETY: the mapping of the slot, which is alive while somebody touches it.
                let opened = unsafe {
                    let access = libc::PROT_READ | libc::PROT_WRITE;
                    libc::mprotect(start as *mut c_void, end - start, access)
                };
                if opened == 0 {
                    return;
                }
            }
        }
        // Not ours: back to whoever handled it before us, when the instruction is tried again.
        if let Some(before) = BEFORE.get() {
            let index = usize::from(signal == SIGNALS[1]);
            // SAFETY: an action that was in force before.
            unsafe { libc::sigaction(signal, &before[index], ptr::null_mut()) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_that_is_left_alone_is_untouched() {
        for memory in Memory::ALL {
            let mut buffer = Buffer::<f32>::new(memory, 5);
            assert_eq!(buffer.slice().len(), 5);
            assert!(buffer.slice().iter().all(|&x| is_canary(x)));
            assert!((0..5).all(|at| buffer.is_as_new(at)));
            buffer.slice_mut().fill(1.0);
            assert!(!(0..5).any(|at| buffer.is_as_new(at)));
            assert_eq!(buffer.slice(), [1.0; 5]);
            assert_eq!(buffer.touched(), None);
        }
    }

    #[test]
    fn bytes_are_compared_with_the_canary_of_their_place() {
        for memory in Memory::ALL {
            let mut buffer = Buffer::<u8>::new(memory, 7);
            assert!((0..7).all(|at| buffer.is_as_new(at)));
            let first = buffer.slice()[0];
            buffer.slice_mut().fill(first);
            let same: Vec<bool> = (0..7).map(|at| buffer.is_as_new(at)).collect();
            assert_eq!(same, [true, false, false, false, true, false, false]);
            assert_eq!(buffer.touched(), None);
        }
    }

    #[test]
    fn a_store_beside_the_slice_is_seen() {
        for memory in Memory::ALL {
            for at in [-1, 5] {
                let mut buffer = Buffer::<f32>::new(memory, 5);
                let first = buffer.slice_mut().as_mut_ptr();
                if cfg!(not(unix)) || memory == Memory::Heap {
                    let at = buffer.start.wrapping_add_signed(at);
                    buffer.all_mut()[at] = 0.0;
                } else {
                    // SAFETY: mapped, or opened by the signal handler: that is what is tested.
                    unsafe { first.wrapping_offset(at).write_volatile(0.0) };
                }
                assert_eq!(buffer.touched(), Some(at), "{memory:?}");
            }
        }
    }

    #[test]
    #[cfg(unix)]
    fn a_load_in_the_guard_is_seen() {
        for (memory, at) in [(Memory::GuardBefore, -1), (Memory::GuardAfter, 5)] {
            let buffer = Buffer::<f32>::new(memory, 5);
            let first = buffer.slice().as_ptr();
            // SAFETY: opened by the signal handler: that is what is tested.
            let found = unsafe { first.wrapping_offset(at).read_volatile() };
            assert_eq!(found, 0.0);
            assert_eq!(buffer.touched(), Some(at), "{memory:?}");
        }
    }
}
