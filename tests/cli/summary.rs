//! `mobilenet summary`

use crate::{error, json, run, run_line, stdout};

/// The published figures, for 1001 classes.
#[test]
fn summary_counts_as_published() {
    for (alpha, resolution, macs, params) in [
        ("1.0", "224", 568.7, 4.24),
        ("1", "192", 418.1, 4.24),
        ("0.75", "160", 166.4, 2.59),
        ("0.5", "128", 49.2, 1.34),
        ("0.25", "128", 13.6, 0.47),
    ] {
        let arguments = ["summary", "--alpha", alpha, "--resolution", resolution];
        let report = json(&run(arguments.into_iter().chain(["--json"])));
        let total = &report["total"];
        let millions = |key: &str| total[key].as_f64().unwrap() / 1e6;
        assert!((millions("macs") - macs).abs() < 0.05, "{total}");
        assert!((millions("params") - params).abs() < 0.005, "{total}");
        for key in ["params", "macs", "standard_params", "standard_macs"] {
            let sum: u64 = report["layers"]
                .as_array()
                .unwrap()
                .iter()
                .map(|x| x[key].as_u64().unwrap())
                .sum();
            assert_eq!(total[key], sum);
        }
        let text = stdout(&run(arguments));
        let first = text.lines().next().unwrap();
        assert!(
            first.ends_with(&format!("{macs} M multiply-adds, {params} M parameters")),
            "{first}"
        );
    }
}

#[test]
fn summary_has_a_row_a_layer() {
    let text = stdout(&run_line("summary"));
    let row = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    // 9 * 512 + 512 * 512 weights, batch norm; 14 * 14 times 9 * 512 + 512 * 512; 1/512 + 1/9.
    let expected = "separable_7 [1, 14, 14, 512] 269,824 52,283,392 462,422,016 0.113";
    assert_eq!(row("separable_7").join(" "), expected);
    assert_eq!(
        row("total").join(" "),
        "total 4,243,945 568,741,376 4,867,294,208 0.117"
    );

    let report = json(&run_line(
        "summary --json --classes 10 --resolution 96 --alpha 0.3",
    ));
    assert_eq!(report["alpha"], 0.3);
    assert_eq!(report["resolution"], 96);
    assert_eq!(report["classes"], 10);
    let layers = report["layers"].as_array().unwrap();
    assert_eq!(
        layers.last().unwrap()["output"],
        serde_json::json!([1, 1, 1, 10])
    );
}

#[test]
fn summary_refuses_what_cannot_be() {
    for alpha in ["0", "-1", "nan", "inf"] {
        let line = error(&run(["summary", "--alpha", alpha]));
        assert!(
            line.contains("expected a positive, finite number"),
            "{line}"
        );
    }
    for arguments in [
        "summary --alpha 1e300",
        "summary --alpha 1e9",
        "summary --resolution 9999999999999",
    ] {
        error(&run_line(arguments));
    }
}
