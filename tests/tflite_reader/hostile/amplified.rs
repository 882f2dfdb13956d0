//! Files in which a little stands for a lot: tables and vectors that many refer to. Time and memory stay in proportion to the file.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

use mobilenet::weights::tflite::parse;

use crate::file::{Builder, File, Value, Written, table, tables};
use crate::samples::{CONV, chain, every_operator};
use crate::{changed, read, refused};

thread_local! {
    /// Bytes that this thread has, and the most that it had: the test harness allocates on threads of its own.
    static BYTES: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

struct Counting;

fn count(bytes: isize) {
    // A thread that is ending has no counter any more, and is none of ours.
    let _ = BYTES.try_with(|counter| {
        let (now, most) = counter.get();
        counter.set((now + bytes, most.max(now + bytes)));
    });
}

// SAFETY: every call is passed on unchanged to `System`, which fulfils the contract; counting does not allocate, since the
// thread-local is initialised by a constant and has no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most memory that `work` has at a time, in bytes.
fn peak(work: impl FnOnce()) -> isize {
    let (before, _) = BYTES.get();
    BYTES.set((before, before));
    work();
    BYTES.get().1 - before
}

/// Bytes of memory that the reader may take for each byte of the file.
const LIMIT: isize = 64;

/// Errors take some for themselves, and the search for a zip archive takes a few KB.
const ANY: isize = 1 << 14;

fn stays_in_proportion(bytes: &[u8]) {
    let peak = peak(|| drop(black_box(parse("x.tflite", bytes))));
    let limit = LIMIT * bytes.len() as isize + ANY;
    assert!(peak <= limit, "{peak} bytes for {}", bytes.len());
}

#[test]
fn memory_is_counted() {
    assert_eq!(peak(|| drop(black_box(vec![0_u8; 12_345]))), 12_345);
}

/// A model with these tensors and operators, from offsets that the builder gave.
fn model(b: &mut Builder, tensors: &[Written], operators: &[Written]) -> Vec<u8> {
    let tensors = tables(b, tensors);
    let operators = tables(b, operators);
    let subgraph = table(
        b,
        vec![
            (0, tensors),
            (1, Value::I32s(vec![0])),
            (2, Value::I32s(vec![1])),
            (3, operators),
        ],
    );
    let subgraphs = tables(b, &[subgraph]);
    let model = table(b, vec![(0, Value::U32(3)), (2, subgraphs)]);
    b.finish(model, Some("TFL3"));
    b.finished_data().to_vec()
}

#[test]
fn the_same_table_many_times() {
    let mut b = Builder::new();
    let tensor = table(&mut b, vec![(3, Value::Text("x".repeat(1000)))]);
    let bytes = model(&mut b, &[tensor; 50_000], &[]);
    let (len, tables) = (bytes.len(), bytes.len() / 8);
    let error = refused(&bytes);
    assert!(
        error.ends_with(&format!("adds up to more than 8 times its {len} bytes"))
            || error.contains(&format!("more than {tables} tables")),
        "{error}"
    );
    stays_in_proportion(&bytes);

    // So short that what it adds up to would pass.
    let mut b = Builder::new();
    let tensor = table(&mut b, Vec::new());
    let bytes = model(&mut b, &[tensor; 50_000], &[]);
    let (len, tables) = (bytes.len(), bytes.len() / 8);
    assert_eq!(
        refused(&bytes),
        format!(
            "the flatbuffer: there are more than {tables} tables, which {len} bytes cannot hold"
        )
    );
    stays_in_proportion(&bytes);
}

#[test]
fn one_vector_of_many_tables() {
    let mut b = Builder::new();
    let scales = b.create_vector(&vec![1.0_f32; 10_000]).as_union_value();
    let tensors: Vec<Written> = (0..10_000)
        .map(|_| {
            let quantization = table(&mut b, vec![(2, Value::Offset(scales))]);
            let quantization = Value::Offset(quantization.as_union_value());
            table(&mut b, vec![(1, Value::I8(9)), (4, quantization)])
        })
        .collect();
    let bytes = model(&mut b, &tensors, &[]);
    assert_eq!(
        refused(&bytes),
        format!(
            "the flatbuffer: what it refers to adds up to more than 8 times its {} bytes",
            bytes.len()
        )
    );
    stays_in_proportion(&bytes);
}

/// The smallest tensors and operators, which take more memory than in the file.
#[test]
fn many_small_tables() {
    let mut b = Builder::new();
    let tensors: Vec<Written> = (0..50_000).map(|_| table(&mut b, Vec::new())).collect();
    let bytes = model(&mut b, &tensors, &[]);
    assert_eq!(
        refused(&bytes),
        "tensor 1 `` is an output of the graph, but no operator writes it"
    );
    stays_in_proportion(&bytes);

    let bytes = chain(10_000).bytes();
    assert_eq!(read(&bytes).operators.len(), 9_999);
    stays_in_proportion(&bytes);
    stays_in_proportion(&every_operator().bytes());
}

/// A model would pack the same weights once for each operator.
#[test]
fn constants_of_many_operators() {
    let many = |count: usize| {
        move |file: &mut File| {
            let len = 4096;
            let data = file.buffer(vec![1; 2 * 3 * len]);
            let weights = file.tensor(4);
            weights.shape = vec![3 * len as i32, 1, 1, 2];
            weights.scales.truncate(1);
            weights.zero_points.truncate(1);
            weights.buffer = data;
            let mut output = file.tensor(6).clone();
            output.shape[3] = 3 * len as i32;
            let conv = file.operator(CONV).clone();
            // After all others, so that only this is wrong.
            file.subgraphs[0].operators.truncate(CONV);
            for _ in 0..count {
                file.subgraphs[0].tensors.push(output.clone());
                let last = file.subgraphs[0].tensors.len() as i32 - 1;
                let mut conv = conv.clone();
                conv.inputs = vec![3, 4];
                conv.outputs = vec![last];
                file.subgraphs[0].operators.push(conv);
                file.subgraphs[0].outputs = vec![last];
            }
        }
    };
    let fewer = changed(every_operator(), many(4));
    assert_eq!(read(&fewer).operators.len(), 6);
    let bytes = changed(every_operator(), many(20));
    let error = refused(&bytes);
    assert!(
        error.ends_with(&format!(
            "expected at most {} in a file of {}",
            8 * bytes.len(),
            bytes.len()
        )) && error.contains("(CONV_2D) is where the constants that operators read reach "),
        "{error}"
    );
}
