//! What the targets have in common: how much memory a file may take, and what a network that was read is put through.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use dwsep::testing::{AnyKernel, Op, Problem};
use dwsep::{Isa, Nhwc, View};
use mobilenet::{AnyView, DType, Engine, Error, Format, Model, Result, ValueInfo};

/// Counts the bytes that are asked for; one thread asks.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static COUNTING: Counting = Counting;

fn grown(bytes: usize) {
    let live = LIVE.fetch_add(bytes, Relaxed) + bytes;
    MOST.fetch_max(live, Relaxed);
}

// SAFETY: every call goes to `System` as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        // SAFETY: the caller's promises are those that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both are there for a moment.
        grown(size);
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.realloc(block, layout, size) }
    }
}

/// Does `work`, which may hold no more than `limit` bytes at a time.
pub fn within<T>(limit: usize, work: impl FnOnce() -> T) -> T {
    let before = LIVE.load(Relaxed);
    MOST.store(before, Relaxed);
    let result = work();
    let held = MOST.load(Relaxed) - before;
    assert!(
        held <= limit,
        "{held} bytes at a time, expected at most {limit}"
    );
    result
}

/// Kernels as this machine would choose them, and those that every machine has.
pub static ENGINES: LazyLock<[Engine; 2]> =
    LazyLock::new(|| [None, Some(Isa::Scalar)].map(|isa| Engine::new(1, isa).unwrap()));

/// That a message is one line, and not one that a file can make as long as it likes.
pub fn refused(error: &Error) {
    let message = error.to_string();
    assert!(!message.contains(['\n', '\r', '\u{1b}']), "{message:?}");
    assert!(message.len() < 2000, "{message}");
}

/// The most elements of all values together, and the most multiply-adds, of a network that is run.
const VALUES: u64 = 1 << 18;
const MACS: u64 = 1 << 25;

/// Runs networks that are the same one in different guise, if it is small. Their outputs have to be the same, too: those of integers on
/// any kernels, others on the same ones.
pub fn run_alike(models: &[(&Engine, Model)]) {
    let Some((_, first)) = models.first() else {
        return;
    };
    let input = ValueInfo {
        shape: first.default_input(),
        format: first.input_format(),
    };
    let mut expected: Option<(Isa, Vec<u32>)> = None;
    for (engine, model) in models {
        let Some(integers) = small(model, input) else {
            return;
        };
        let found = match run(engine, model, input) {
            Ok(found) => found,
            Err(error) => return refused(&error),
        };
        let isa = engine.kernels().isa();
        match &expected {
            Some((of, expected)) if integers || *of == isa => {
                assert!(*expected == found, "{of} and {isa} are not alike");
            }
            _ => expected = Some((isa, found)),
        }
    }
}

/// Whether a network can be run in no time; if so, whether all that its layers give is integers.
fn small(model: &Model, input: ValueInfo) -> Option<bool> {
    let elements = |info: &ValueInfo| info.shape.len("value").ok().map(|len| len as u64);
    let mut infos = vec![input];
    let (mut values, mut macs) = (elements(&input)?, 0_u64);
    for layer in model.layers() {
        let inputs: Vec<ValueInfo> = layer.inputs().iter().map(|&i| infos[i]).collect();
        let output = match layer.plan(&inputs) {
            Ok(plan) => plan.output(),
            Err(error) => {
                refused(&error);
                return None;
            }
        };
        values = values.checked_add(elements(&output)?)?;
        let cost = match layer.macs(output.shape) {
            // A mean, perhaps, of windows that each are as large as the image.
            0 => elements(&inputs[0])?.checked_mul((output.shape.h * output.shape.w) as u64)?,
            macs => macs,
        };
        macs = macs.checked_add(cost)?;
        if values > VALUES || macs > MACS {
            return None;
        }
        infos.push(output);
    }
    let integers = infos[1..].iter().all(|info| info.format != Format::F32);
    Some(integers)
}

/// The bits of what a network gives.
fn run(engine: &Engine, model: &Model, input: ValueInfo) -> Result<Vec<u32>> {
    let shape: Nhwc = input.shape;
    let mut session = model.session(shape, engine.threads())?;
    let bytes: Vec<u8> = (0..shape.len("input")?)
        .map(|i| (i * 37 % 251) as u8)
        .collect();
    let signed: Vec<i8> = bytes.iter().map(|&x| x as i8).collect();
    let floats: Vec<f32> = signed.iter().map(|&x| f32::from(x) / 64.0).collect();
    let input = match input.format.dtype() {
        DType::F32 => AnyView::F32(View::new(&floats, shape)?),
        DType::I8 => AnyView::I8(View::new(&signed, shape)?),
        DType::U8 => AnyView::U8(View::new(&bytes, shape)?),
    };
    let output = session.run_any(engine, input)?;
    // Which NaN it is, and the sign of a zero, is not promised.
    let bits = |x: f32| match x {
        x if x.is_nan() => f32::NAN.to_bits(),
        x => (x + 0.0).to_bits(),
    };
    let floats = output.elements::<f32>().unwrap_or_default();
    let signed = output.elements::<i8>().unwrap_or_default();
    let bytes = output.elements::<u8>().unwrap_or_default();
    Ok((floats.into_iter().map(bits))
        .chain(signed.into_iter().map(|x| u32::from(x.cast_unsigned())))
        .chain(bytes.into_iter().map(u32::from))
        .collect())
}

/// The kernels of every table that this CPU runs.
static KERNELS: LazyLock<Vec<AnyKernel>> = LazyLock::new(|| {
    let kernels: Vec<AnyKernel> = AnyKernel::all()
        .filter(|kernel| kernel.isa().is_available())
        .collect();
    // A feature that is not on takes rows away without a word.
    for op in [Op::Pointwise, Op::Depthwise, Op::Conv3x3, Op::Separable] {
        for dtype in ["f32", "qs8", "qu8"] {
            for isa in [Isa::Scalar, Isa::Portable] {
                let is = |k: &AnyKernel| k.op() == op && k.dtype() == dtype && k.isa() == isa;
                assert!(kernels.iter().any(is), "no {op:?} of {dtype} for {isa}");
            }
        }
    }
    kernels
});

/// Puts a problem that bytes stand for to every kernel that runs `op`, of f32, i8 and u8: the outputs have to be those of the references.
/// What the tests draw at random is here led by coverage.
pub fn against_references(op: Op, bytes: &[u8]) {
    let problem = Problem::from_bytes(op, bytes);
    for kernel in KERNELS.iter().filter(|kernel| kernel.op() == op) {
        if let Err(failure) = kernel.check(&problem) {
            panic!("{}: {failure}\n{problem:#?}", kernel.name());
        }
    }
}
