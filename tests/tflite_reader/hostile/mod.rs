//! Files that must not be read: a line for each attack, with what is said of it. Unless it says otherwise, the attack is one change
//! to a file that is valid.

mod amplified;
mod bytes;
mod operators;
mod tensors;

use crate::file::File;
use crate::samples::*;
use crate::{changed, refused};

/// A change, and the error.
type Case = (fn(&mut File), &'static str);

fn check(cases: &[Case]) {
    for &(change, expected) in cases {
        assert_eq!(refused(&changed(every_operator(), change)), expected);
    }
}

#[test]
fn the_graph() {
    check(&[
        (|f| f.version = 2, "the schema's version is 2, expected 3"),
        (|f| f.subgraphs.clear(), "there are 0 subgraphs, expected 1"),
        (
            |f| {
                let copy = f.subgraphs[0].clone();
                f.subgraphs.push(copy);
            },
            "there are 2 subgraphs, expected 1",
        ),
        (|f| f.subgraphs[0].inputs.clear(), "the graph has no input"),
        (
            |f| f.subgraphs[0].outputs.clear(),
            "the graph has no output",
        ),
        (
            |f| f.subgraphs[0].tensors.clear(),
            "input 0 of the graph is tensor 0, expected one of 0 to -1",
        ),
        (
            |f| f.subgraphs[0].inputs[0] = 21,
            "input 0 of the graph is tensor 21, expected one of 0 to 20",
        ),
        (
            |f| f.subgraphs[0].outputs[0] = -1,
            "output 0 of the graph is tensor -1, expected one of 0 to 20",
        ),
        (
            |f| f.subgraphs[0].inputs.push(0),
            "tensor 0 `x` is an input of the graph, but there a second time",
        ),
        (
            |f| f.subgraphs[0].inputs.push(4),
            "tensor 4 `weights` is an input of the graph, but constant",
        ),
        (
            |f| f.subgraphs[0].outputs.push(0),
            "tensor 0 `x` is an output of the graph, but no operator writes it",
        ),
        (
            |f| f.subgraphs[0].operators.clear(),
            "tensor 20 `y` is an output of the graph, but no operator writes it",
        ),
        // Who writes what.
        (
            |f| f.subgraphs[0].inputs.push(CONVOLVED as i32),
            "tensor 6 `convolved` is an input of the graph, but operator 2 writes it",
        ),
        (
            |f| {
                let copy = f.operator(CONV).clone();
                f.subgraphs[0].operators.push(copy);
            },
            "tensor 6 `convolved` is written by operator 2 and again by operator 12, expected one writer",
        ),
        (
            |f| f.operator(SOFTMAX).outputs[0] = 18,
            "tensor 18 `logits` is written by operator 9 and again by operator 10, expected one writer",
        ),
        (
            |f| f.tensor(18).buffer = 8,
            "tensor 18 `logits` has 8 bytes of data, expected 2 for INT8 [1, 2]",
        ),
        (
            |f| f.tensor(18).buffer = f.buffer(vec![0; 2]),
            "tensor 18 `logits` is constant, but operator 9 writes it",
        ),
        // Order.
        (
            |f| {
                f.subgraphs[0].inputs = vec![OUTPUT as i32 - 1];
                f.operator(SOFTMAX).outputs[0] = 18;
            },
            "tensor 18 `logits` is written by operator 9 and again by operator 10, expected one writer",
        ),
        (
            |f| {
                f.subgraphs[0].operators.remove(QUANTIZE);
            },
            "operator 0 (PAD) reads tensor 1 `quantised`, which no operator writes",
        ),
        (
            |f| f.subgraphs[0].operators.swap(QUANTIZE, PAD),
            "operator 0 (PAD) reads tensor 1 `quantised`, which operator 1 writes, expected an operator before it",
        ),
        (
            |f| f.operator(ADD).inputs[0] = 9,
            "operator 4 (ADD) reads tensor 9 `sum`, which operator 4 writes, expected an operator before it",
        ),
        (
            |f| f.operator(SOFTMAX).inputs[0] = 19,
            "operator 10 (SOFTMAX) reads tensor 19 `probabilities`, which operator 10 writes, expected an operator before it",
        ),
        (
            |f| f.tensor(WEIGHTS).buffer = 0,
            "operator 2 (CONV_2D) reads tensor 4 `weights`, which no operator writes",
        ),
    ]);
}
