//! A service at work: eight threads share two models and a packed weight, each with sessions and ops of its own, of which it makes new ones
//! now and then. The bits are always the same, and no memory is kept.
//!
//! A short form runs with all other tests. DWSEP_LOAD_CALLS=1000000 in the environment makes it as long as one likes, and then what the
//! operating system counts as memory must not grow either:
//!
//! ```text
//! DWSEP_LOAD_CALLS=1000000 cargo test --release --test load -- --nocapture
//! ```

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering::Relaxed};

use mobilenet::dwsep::{
    Activation, Filter, KernelSet, Nhwc, PackedPointwise, Pointwise, View, ViewMut,
};
use mobilenet::models::mobilenet_v1::V1Config;
use mobilenet::weights::Seeded;
use mobilenet::{Engine, Model, Session, Tensor};

const THREADS: usize = 8;
/// All threads' together, where the environment says nothing.
const CALLS: usize = 4000;
/// A thread makes new sessions and a new op after as many calls.
const LIFE: usize = 32;
/// From as many calls on, the operating system's count is looked at: before, it is still the allocator's pages that it counts.
const MANY: usize = 100_000;
/// What may come and go: rayon's queues, names of threads, what the test's harness prints.
const LIVE_SLACK: isize = 64 << 10;
const RESIDENT_SLACK: usize = 4 << 20;

/// Counts the bytes that are held, and how often some were asked for.
struct Counting;

static LIVE: AtomicIsize = AtomicIsize::new(0);
static REQUESTS: AtomicUsize = AtomicUsize::new(0);

fn count(bytes: usize) {
    LIVE.fetch_add(bytes.cast_signed(), Relaxed);
    REQUESTS.fetch_add(1, Relaxed);
}

// SAFETY: every call is passed on unchanged to `System`, which fulfils the contract; counting does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        LIVE.fetch_sub(layout.size().cast_signed(), Relaxed);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size().cast_signed(), Relaxed);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What the operating system counts as this process's memory, in bytes; 0 where it does not say.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kilobytes = status.lines().find_map(|line| {
        let rest = line.strip_prefix("VmRSS:")?;
        rest.trim().strip_suffix(" kB")?.parse::<usize>().ok()
    });
    kilobytes.unwrap_or(0) << 10
}

/// What all threads share.
struct Shared {
    /// Has a thread beside the caller's, for which eight callers contend.
    pool: Engine,
    alone: Engine,
    models: [Model; 2],
    images: [Tensor; 2],
    weights: PackedPointwise,
    pixels: Vec<f32>,
    /// The bits of each model's output, and of the op's.
    logits: [Vec<u32>; 2],
    output: Vec<u32>,
}

const FROM: Nhwc = Nhwc::new(1, 5, 7, 19);
const C_OUT: usize = 23;

fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|x| x.to_bits()).collect()
}

impl Shared {
    fn new() -> Self {
        let (pool, alone) = (Engine::new(2, None).unwrap(), Engine::new(1, None).unwrap());
        let config = V1Config {
            alpha: 0.01,
            classes: 3,
            ..V1Config::default()
        };
        let weights = Seeded::new(1, &config).unwrap();
        let floats = Model::mobilenet_v1(&config, &weights, pool.kernels()).unwrap();
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/golden/tflite/v1_int8.tflite"
        );
        let integers = Model::load(path.as_ref(), &alone).unwrap();
        let shapes = [Nhwc::new(1, 32, 32, 3), integers.default_input()];
        let images = shapes.map(|shape| Seeded::input(1, shape).unwrap());
        let numbers = |len: usize| (0..len).map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0);
        let pointwise = KernelSet::native().unwrap().pointwise();
        let filter: Vec<f32> = numbers(C_OUT * FROM.c).collect();
        let packed =
            PackedPointwise::pack(pointwise, FROM.c, C_OUT, Filter::new(&filter, None)).unwrap();
        let mut shared = Self {
            pool,
            alone,
            models: [floats, integers],
            images,
            weights: packed,
            pixels: numbers(FROM.len("pixels").unwrap()).collect(),
            logits: [vec![], vec![]],
            output: vec![],
        };
        let mut worker = Worker::new(&shared);
        let logits = [0, 1].map(|i| worker.logits(i));
        let output = worker.rows(&[0, FROM.h]);
        drop(worker);
        (shared.logits, shared.output) = (logits, output);
        shared
    }
}

/// What a thread has of its own.
struct Worker<'a> {
    shared: &'a Shared,
    sessions: [Session; 2],
    op: Pointwise,
    output: Vec<f32>,
    workspace: Vec<u8>,
}

impl<'a> Worker<'a> {
    fn new(shared: &'a Shared) -> Self {
        let session = |i: usize| {
            let model: &Model = &shared.models[i];
            model.session(shared.images[i].shape(), 2).unwrap()
        };
        let op = Pointwise::new(&shared.weights, FROM, Activation::Relu6).unwrap();
        Self {
            shared,
            sessions: [session(0), session(1)],
            output: vec![f32::NAN; op.output_shape().len("output").unwrap()],
            workspace: vec![0; op.workspace_len(1)],
            op,
        }
    }

    fn logits(&mut self, i: usize) -> Vec<u32> {
        let engine = [&self.shared.pool, &self.shared.alone][i];
        let image = self.shared.images[i].view();
        bits(self.sessions[i].run(engine, image).unwrap())
    }

    /// The op's rows from each of `cuts` to the next.
    fn rows(&mut self, cuts: &[usize]) -> Vec<u32> {
        self.output.fill(f32::NAN);
        let row = FROM.w * C_OUT;
        for cut in cuts.windows(2) {
            let rows = cut[0]..cut[1];
            let shape = Nhwc {
                h: rows.len(),
                c: C_OUT,
                ..FROM
            };
            let part = &mut self.output[rows.start * row..rows.end * row];
            let input = View::new(&self.shared.pixels, FROM).unwrap();
            let output = ViewMut::new(part, shape).unwrap();
            let workspace = &mut self.workspace;
            (self.op)
                .run_rows(rows, input, None, output, workspace)
                .unwrap();
        }
        bits(&self.output)
    }

    fn call(&mut self, turn: usize) {
        if turn % LIFE == LIFE - 1 {
            *self = Self::new(self.shared);
        }
        let what = turn % 4;
        if let Some(expected) = self.shared.logits.get(what) {
            assert!(self.logits(what) == *expected, "model {what}, turn {turn}");
            return;
        }
        let cuts = if what == 2 {
            vec![0, FROM.h]
        } else {
            vec![0, 1 + turn / 4 % (FROM.h - 1), FROM.h]
        };
        assert!(self.rows(&cuts) == self.shared.output, "turn {turn}");
    }
}

/// Bytes held, requests so far, and what the operating system counts.
#[derive(Clone, Copy)]
struct Memory {
    live: isize,
    requests: usize,
    resident: usize,
}

impl Memory {
    fn now() -> Self {
        let resident = resident();
        Self {
            live: LIVE.load(Relaxed),
            requests: REQUESTS.load(Relaxed),
            resident,
        }
    }
}

#[test]
fn calls_of_many_threads_give_the_same_bits_and_keep_no_memory() {
    let calls = std::env::var("DWSEP_LOAD_CALLS");
    let calls = calls.map_or(CALLS, |calls| calls.parse().expect("a number of calls"));
    let shared = Shared::new();
    // Outputs that are equal because there are none, or no numbers, prove nothing.
    for bits in shared.logits.iter().chain([&shared.output]) {
        assert!(bits.len() > 1 && bits.iter().any(|x| *x != bits[0]));
    }
    let mut workers: Vec<Worker<'_>> = (0..THREADS).map(|_| Worker::new(&shared)).collect();
    let (turns, eighth) = (calls / THREADS, calls / THREADS / 8);
    // Between the two each worker has what it needs, and nothing more, as at the end.
    let [before, after] = [0..eighth, eighth..turns].map(|turns| {
        std::thread::scope(|scope| {
            for (thread, worker) in workers.iter_mut().enumerate() {
                let turns = turns.clone();
                // Not all of them the same at the same time.
                scope.spawn(move || turns.for_each(|turn| worker.call(turn + thread)));
            }
        });
        Memory::now()
    });
    println!("{calls} calls of {THREADS} threads");
    for (when, memory) in [("after an eighth", before), ("at the end", after)] {
        let Memory {
            live,
            requests,
            resident,
        } = memory;
        println!("{when}: {live} bytes held of {requests} requests, {resident} bytes resident");
    }
    let grown = after.live - before.live;
    assert!(grown <= LIVE_SLACK, "{grown} bytes more are held");
    if calls >= MANY {
        let grown = after.resident.saturating_sub(before.resident);
        assert!(grown <= RESIDENT_SLACK, "{grown} bytes more are resident");
    }
}
