//! `mobilenet kernels`

use mobilenet::dwsep;
use serde_json::Value;

use crate::{json, mobilenet, run_line, stdout};

#[test]
fn kernels_are_all_there_and_right() {
    let report = json(&run_line("kernels --json"));
    let rows = report.as_array().unwrap();
    // The program and this test are built with the same features.
    let expected: Vec<_> = dwsep::kernels().map(|kernel| kernel.name()).collect();
    let found: Vec<_> = rows
        .iter()
        .map(|row| row["name"].as_str().unwrap())
        .collect();
    assert_eq!(found, expected);
    let mut kinds: Vec<_> = rows.iter().map(|row| (&row["op"], &row["dtype"])).collect();
    kinds.dedup();
    // Each of the two ops in f32, i8 and u8, together.
    assert_eq!(kinds.len(), 6);
    for (op, dtype) in kinds {
        let chosen = rows
            .iter()
            .filter(|row| row["op"] == *op && row["dtype"] == *dtype && row["chosen"] == true);
        // Another for short sums of integers, perhaps.
        let most = if *op == "pointwise" && *dtype != "f32" {
            2
        } else {
            1
        };
        assert!((1..=most).contains(&chosen.count()), "{op} {dtype}");
    }
    for row in rows {
        let self_check = if row["available"] == true {
            "passed"
        } else {
            "skipped"
        };
        assert_eq!(row["self_check"], self_check, "{row}");
        assert_eq!(row["error"], Value::Null);
        let name = row["name"].as_str().unwrap();
        let dtype = row["dtype"].as_str().unwrap();
        assert!(name.contains(&format!("_{dtype}_")), "{row}");
    }
    let text = stdout(&run_line("kernels"));
    assert!(expected.iter().all(|name| text.contains(name)), "{text}");
}

#[test]
fn kernels_follow_the_environment() {
    let output = mobilenet()
        .args(["kernels", "--json"])
        .env("DWSEP_ISA", "scalar")
        .output()
        .unwrap();
    for row in json(&output).as_array().unwrap() {
        if row["chosen"] == true {
            assert_eq!(row["isa"], "scalar");
        }
    }
}
