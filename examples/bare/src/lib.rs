//! The least that a project without a standard library needs beside `dwsep`: a panic handler and an allocator.
#![no_std]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::panic::PanicInfo;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}

/// Bytes for everything that is ever asked for: what a Cortex-M has to spare.
const ARENA: usize = 1 << 16;

/// Hands out an arena from its start and takes nothing back: a model is packed once.
#[repr(align(64))]
struct Arena {
    bytes: UnsafeCell<[u8; ARENA]>,
    used: AtomicUsize,
}

// SAFETY: what is handed out is no part of what was handed out before, whichever thread asks.
unsafe impl Sync for Arena {}

// SAFETY: memory of the size and the alignment asked for, that nobody else has; NULL where there is none left.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let base = self.bytes.get().cast::<u8>();
        let end = |used: usize| {
            let start = (base as usize + used).next_multiple_of(layout.align()) - base as usize;
            let end = start.checked_add(layout.size())?;
            (end <= ARENA).then_some(end)
        };
        let ordering = Ordering::Relaxed;
        match self.used.fetch_update(ordering, ordering, end) {
            // SAFETY: within the arena, as `end` has seen.
            Ok(used) => unsafe { base.add(end(used).unwrap_or(ARENA) - layout.size()) },
            Err(_) => ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static ALLOCATOR: Arena = Arena {
    bytes: UnsafeCell::new([0; ARENA]),
    used: AtomicUsize::new(0),
};

/// How many kernels compute here what the reference does, bit for bit: for whoever has such a board.
#[unsafe(no_mangle)]
pub extern "C" fn dwsep_kernels_passed() -> usize {
    let kernels = dwsep::kernels();
    kernels.filter(|kernel| kernel.self_check().is_ok()).count()
}
