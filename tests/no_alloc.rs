//! A planned session runs without asking for memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use mobilenet::dwsep::Nhwc;
use mobilenet::models::mobilenet_v1::V1Config;
use mobilenet::weights::Seeded;
use mobilenet::{Engine, Model};

thread_local! {
    /// Requests of this thread: the test harness allocates on threads of its own.
    static REQUESTS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

fn count() {
    // A thread that is ending has no counter any more, and is none of ours.
    let _ = REQUESTS.try_with(|requests| requests.set(requests.get() + 1));
}

// SAFETY: every call is passed on unchanged to `System`, which fulfils the contract; counting does not allocate, since the
// thread-local is initialised by a constant and has no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise, passed on.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn requests(work: impl FnOnce()) -> usize {
    let before = REQUESTS.get();
    work();
    REQUESTS.get() - before
}

/// Graphs of integers, too: with sums, padding, pools and conversions in them.
#[test]
fn quantised_networks_run_without_allocating() {
    let engine = Engine::new(1, None).unwrap();
    for name in ["v2_int8_pad", "odd_int8", "old_v1_uint8", "v1_int8_f32_io"] {
        let path = format!(
            "{}/tests/golden/tflite/{name}.tflite",
            env!("CARGO_MANIFEST_DIR")
        );
        let model = Model::load(path.as_ref(), &engine).unwrap();
        let input = Seeded::input(1, model.default_input()).unwrap();
        let mut session = model.session(input.shape(), 1).unwrap();
        for _ in 0..2 {
            let run = requests(|| {
                session.run(&engine, input.view()).unwrap();
            });
            assert_eq!(run, 0, "{name}");
        }
    }
}

#[test]
fn a_planned_session_runs_without_allocating() {
    assert_eq!(
        requests(|| drop(std::hint::black_box(vec![1]))),
        1,
        "the counter counts"
    );

    let engine = Engine::new(1, None).unwrap();
    let config = V1Config {
        alpha: 0.25,
        ..V1Config::default()
    };
    let weights = Seeded::new(1, &config).unwrap();
    let model = Model::mobilenet_v1(&config, &weights, engine.kernels()).unwrap();
    for shape in [Nhwc::new(1, 32, 32, 3), Nhwc::new(2, 33, 47, 3)] {
        let input = Seeded::input(1, shape).unwrap();
        let mut session = model.session(shape, 1).unwrap();
        // The first run, too.
        for _ in 0..2 {
            let run = requests(|| {
                session.run(&engine, input.view()).unwrap();
            });
            assert_eq!(run, 0);
        }
        let mut layers = 0;
        let hooked = requests(|| {
            session
                .run_with(&engine, input.view(), &mut |_| layers += 1)
                .unwrap();
        });
        assert_eq!((hooked, layers), (0, model.layers().len()));
    }
}
