//! `mobilenet bench`: what it reports, never how fast anything is.

use std::collections::BTreeMap;
use std::fs;

use mobilenet::dwsep::{Isa, KernelSet};
use mobilenet::models::mobilenet_v1::{self, V1Config};
use serde_json::{Value, json};

use crate::{Files, error, json as json_of, run, run_line, stdout};

/// A report of the tiny network, and what was printed beside it.
fn bench(files: &Files, arguments: &str) -> (Value, String) {
    let (model, path) = (files.model(5), files.path("report.json"));
    let fixed = ["bench", "--model", &model, "--runs", "3", "--json", &path];
    let printed = stdout(&run(fixed.into_iter().chain(arguments.split_whitespace())));
    let report = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    (report, printed)
}

/// The instruction set that the program uses too: `DWSEP_ISA` lowers both.
fn used() -> Isa {
    KernelSet::native().unwrap().isa()
}

fn positive(value: &Value) -> f64 {
    let number = value.as_f64().unwrap();
    assert!(number > 0.0 && number.is_finite(), "{value}");
    number
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-6 * b.abs()
}

#[test]
fn bench_reports_runs_layers_and_peaks() {
    let files = Files::new();
    let (report, printed) = bench(&files, "--threads 2,1,2 --batch 2 --layers");
    assert_eq!(report["model"], "mobilenet_v1_0.1_32");
    assert_eq!(report["isa"], used().name());
    positive(&report["fma_peak_gflops"]);
    positive(&report["read_gb_per_s"]);
    if cfg!(target_os = "linux") {
        positive(&report["peak_rss_mb"]);
    } else {
        assert_eq!(report["peak_rss_mb"], Value::Null);
    }

    let runs = report["runs"].as_array().unwrap();
    let threads: Vec<_> = runs.iter().map(|run| run["threads"].as_u64()).collect();
    assert_eq!(threads, [Some(2), Some(1)]);
    for run in runs {
        let [min, median, p95, rate] =
            ["min_ms", "median_ms", "p95_ms", "images_per_s"].map(|field| positive(&run[field]));
        assert!(min <= median && median <= p95, "{run}");
        assert!(close(rate, 2.0 * 1e3 / median), "{run}");
        assert_eq!(run["batch"], 2);
    }

    // Each layer of the network: its multiply-adds, whatever its time, and kernels that there are.
    let config = V1Config {
        alpha: 0.1,
        classes: 5,
        ..V1Config::default()
    };
    let summary = mobilenet_v1::summary(&config, 32, 32).unwrap();
    let kernels = json_of(&run_line("kernels --json"));
    let known: Vec<_> = kernels
        .as_array()
        .unwrap()
        .iter()
        .map(|kernel| &kernel["name"])
        .collect();
    let layers = report["layers"].as_array().unwrap();
    assert_eq!(layers.len(), summary.len());
    for (layer, expected) in layers.iter().zip(&summary) {
        assert_eq!(layer["name"], expected.name);
        let (h, w, c) = (expected.output.h, expected.output.w, expected.output.c);
        let shape = layer["shape"].as_str().unwrap();
        assert!(shape.ends_with(&format!(" to 2x{h}x{w}x{c}")), "{shape}");
        let flops = layer["gflops"].as_f64().unwrap() * positive(&layer["ms"]) * 1e6;
        if expected.macs == 0 {
            assert_eq!((flops, &layer["share_of_roof"]), (0.0, &Value::Null));
            assert_eq!(layer["kernel"], "");
        } else {
            assert!(close(flops, 4.0 * expected.macs as f64), "{layer}");
            positive(&layer["share_of_roof"]);
            for kernel in layer["kernel"].as_str().unwrap().split(" + ") {
                assert!(known.contains(&&json!(kernel)), "{kernel}");
            }
        }
        assert!(printed.contains(&expected.name), "{printed}");
    }
    assert_eq!(layers[0]["shape"], "2x32x32x3 to 2x16x16x8");

    // The shares follow from what else is in the report.
    let roof = &report["roof"];
    for layer in layers.iter().filter(|layer| !layer["roof"].is_null()) {
        let memory = positive(&roof["gb_per_s"]) * positive(&layer["flops_per_weight_byte"]);
        let compute = positive(&roof["gflops"]);
        let share = positive(&layer["gflops"]) / memory.min(compute);
        assert!(close(positive(&layer["share_of_roof"]), share), "{layer}");
        let lower = if memory < compute {
            "memory"
        } else {
            "compute"
        };
        assert_eq!(layer["roof"], lower);
    }
}

/// Integers are not held against a peak of f32: two of their products may come from one multiplication.
#[test]
fn bench_of_integers_has_no_share_of_a_peak() {
    let files = Files::new();
    let (html, path) = (files.path("x.html"), files.path("x.json"));
    let model = "tests/golden/tflite/v1_int8.tflite";
    let text = stdout(&run([
        "bench", "--model", model, "--runs", "1", "--layers", "--json", &path, "--html", &html,
    ]));
    let report: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert!(report["roof"].is_null(), "{report}");
    assert!(report["runs"][0]["share_of_peak"].is_null(), "{report}");
    for layer in report["layers"].as_array().unwrap() {
        assert!(layer["share_of_roof"].is_null() && layer["roof"].is_null());
        let multiplies = !layer["flops_per_weight_byte"].is_null();
        assert_eq!(layer["gflops"].as_f64() > Some(0.0), multiplies, "{layer}");
    }
    assert!(text.contains("Gop/s") && text.contains("pw_qs8_"), "{text}");
    let page = fs::read_to_string(&html).unwrap();
    for text in [&text, &page] {
        assert!(
            !text.contains("of peak") && !text.contains("its roof"),
            "{text}"
        );
    }
    assert!(!page.contains("Roofline") && page.contains("Gop/s"));
}

/// The names that programs rely on, and no others without a reason.
#[test]
fn bench_has_the_documented_fields() {
    let files = Files::new();
    let (report, _) = bench(&files, "--layers");
    let fields =
        |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    let expected = BTreeMap::from([
        (
            "",
            "date fma_peak_gflops isa layers machine model peak_rss_mb read_gb_per_s roof rounds runs timed_runs version",
        ),
        (
            "/runs/0",
            "batch images_per_s median_ms min_ms p95_ms share_of_peak threads",
        ),
        (
            "/layers/0",
            "flops_per_weight_byte gflops kernel ms name roof shape share_of_roof",
        ),
        ("/roof", "gb_per_s gflops threads weights_mb"),
        ("/machine", "arch caches cpu cpus features load_average os"),
    ]);
    for (place, names) in expected {
        let mut found = fields(report.pointer(place).unwrap());
        found.sort();
        assert_eq!(found.join(" "), names, "{place}");
    }
}

#[test]
fn bench_without_layers_has_none() {
    let files = Files::new();
    let (report, printed) = bench(&files, "--isa scalar");
    assert_eq!(report["layers"], json!([]));
    assert_eq!(report["isa"], "scalar");
    assert!(!printed.contains("conv_stem"), "{printed}");
    assert!(
        printed.contains("mobilenet_v1_0.1_32, scalar, 3 runs in 3 rounds"),
        "{printed}"
    );
}

#[test]
fn bench_times_any_width_and_resolution() {
    let files = Files::new();
    let path = files.path("x.json");
    let line = format!(
        "bench --arch v1 --alpha 0.25 --resolution 33 --runs 1 --isa scalar --layers --json {path}"
    );
    stdout(&run_line(&line));
    let report: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(report["model"], "mobilenet_v1_0.25_33");
    assert_eq!(report["layers"][0]["shape"], "33x33x3 to 17x17x8");
    assert_eq!(
        report["layers"][1]["kernel"],
        "dw3x3_f32_4c__scalar + pw_f32_4x8__scalar"
    );
}

#[test]
fn bench_page_is_one_file_that_loads_nothing() {
    let files = Files::new();
    let (report, _) = bench(&files, &format!("--html {}", files.path("page.html")));
    let page = fs::read_to_string(files.path("page.html")).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
    for loads in [
        "http:", "https:", "//", "src=", "href", "url(", "@import", "<script", "<link",
    ] {
        assert!(!page.contains(loads), "{loads}");
    }
    let layers = report["layers"].as_array().unwrap();
    for layer in layers {
        let name = layer["name"].as_str().unwrap();
        assert_eq!(
            page.matches(&format!(">{name}<")).count(),
            2,
            "{name}: a bar and a row"
        );
    }
    let points = layers
        .iter()
        .filter(|layer| !layer["share_of_roof"].is_null());
    assert_eq!(page.matches("<circle").count(), points.count());
    assert_eq!(page.matches("class=\"bar\"").count(), layers.len());
    for text in [
        "compute: ",
        "memory: ",
        "prefers-color-scheme: dark",
        report["date"].as_str().unwrap(),
    ] {
        assert!(page.contains(text), "{text}");
    }
    assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
}

#[test]
fn bench_compares_with_a_baseline() {
    let files = Files::new();
    let model = files.model(5);
    let (mut report, _) = bench(&files, "--layers");
    let compare = |report: &Value| {
        let path = files.write("baseline.json", report.to_string());
        let fixed = [
            "bench",
            "--model",
            &model,
            "--runs",
            "2",
            "--threads",
            "1,2",
            "--layers",
        ];
        stdout(&run(fixed.into_iter().chain(["--baseline", &path])))
    };
    let printed = compare(&report);
    let change = printed
        .split_once("change of the minimum since ")
        .unwrap()
        .1;
    assert!(
        change.starts_with(report["date"].as_str().unwrap()),
        "{change}"
    );
    assert!(!change.contains("NOTE"), "{change}");
    let row = |name: &str| change.lines().find(|line| line.starts_with(name)).unwrap();
    assert!(row("threads 2, batch 1").ends_with("not in the baseline"));
    for name in ["threads 1, batch 1", "conv_stem", "pool", "logits"] {
        let verdicts = ["within noise", "faster", "slower"];
        assert!(
            verdicts.iter().any(|verdict| row(name).ends_with(verdict)),
            "{}",
            row(name)
        );
    }

    // Times that differ by more than any noise.
    for (factor, verdict) in [(1e6, "faster"), (1e-6, "slower")] {
        let mut other = report.clone();
        for field in ["min_ms", "median_ms", "p95_ms"] {
            other["runs"][0][field] = json!(factor * positive(&report["runs"][0][field]));
        }
        other["layers"][0]["ms"] = json!(factor * positive(&report["layers"][0]["ms"]));
        let printed = compare(&other);
        for name in ["threads 1, batch 1", "conv_stem"] {
            let mut lines = printed
                .lines()
                .skip_while(|line| !line.starts_with("change"));
            let row = lines.find(|line| line.starts_with(name)).unwrap();
            assert!(row.ends_with(verdict), "{row}");
        }
    }

    // The fields that other programs write, and no more; another instruction set.
    for field in ["date", "machine", "roof", "rounds", "timed_runs", "version"] {
        report.as_object_mut().unwrap().remove(field);
    }
    report["isa"] = json!("avx9");
    report["runs"][0]
        .as_object_mut()
        .unwrap()
        .remove("share_of_peak");
    let printed = compare(&report);
    assert!(printed.contains("since an unknown date"), "{printed}");
    let note = format!("NOTE: the instruction set was avx9, now it is {}", used());
    assert!(printed.contains(&note), "{printed}");
    assert!(
        printed.contains("NOTE: the machine was another"),
        "{printed}"
    );
}

#[test]
fn bench_refuses_other_baselines_and_writes_nothing() {
    let files = Files::new();
    let model = files.model(5);
    let (report, _) = bench(&files, "");
    fs::remove_file(files.path("report.json")).unwrap();
    let with = |place: &str, value: Value| {
        let mut other = report.clone();
        *other.pointer_mut(place).unwrap() = value;
        other.to_string()
    };
    let mut without = report.clone();
    without.as_object_mut().unwrap().remove("isa");
    let not_ours = "expected the JSON of `mobilenet bench`: ";
    for (text, expected) in [
        (
            with("/model", json!("mobilenet_v1_1.0_224")),
            "a report of \"mobilenet_v1_1.0_224\", expected one of \"mobilenet_v1_0.1_32\"",
        ),
        (String::new(), not_ours),
        ("{}".to_owned(), not_ours),
        (report.to_string()[..100].to_owned(), not_ours),
        (
            without.to_string(),
            "expected the JSON of `mobilenet bench`: missing field `isa`",
        ),
        (with("/runs/0/min_ms", json!("fast")), not_ours),
        (
            with("/runs/0/min_ms", json!(-1.0)),
            "the run on 1 threads has min_ms -1 and median_ms ",
        ),
        (
            with("/runs/0/median_ms", json!(0.0)),
            "the run on 1 threads has min_ms ",
        ),
    ] {
        let (path, new) = (files.write("old.json", text), files.path("new.json"));
        let fixed = ["bench", "--model", &model, "--runs", "1", "--json", &new];
        let line = error(&run(fixed.into_iter().chain(["--baseline", &path])));
        assert!(line.starts_with(&format!("{path}: {expected}")), "{line}");
        assert_eq!(files.names("."), ["model.safetensors", "old.json"]);
    }
    let missing = files.path("missing.json");
    let line = error(&run(["bench", "--model", &model, "--baseline", &missing]));
    assert!(line.starts_with(&format!("{missing}: ")), "{line}");
}

#[test]
fn bench_checks_its_arguments_before_it_measures() {
    let files = Files::new();
    let model = files.model(5);
    let before = files.names(".");
    let nowhere = files.path("missing/x.json");
    // So many runs would take until the tests are killed.
    let refuse = |arguments: &str| {
        let fixed = ["bench", "--model", &model, "--runs", "1000000"];
        error(&run(fixed.into_iter().chain(arguments.split_whitespace())))
    };
    for flag in ["--json", "--html"] {
        let line = refuse(&format!("{flag} {nowhere}"));
        assert!(
            line.starts_with(&format!("{nowhere}: cannot be written: ")),
            "{line}"
        );
    }
    let x = files.path("x");
    assert_eq!(
        refuse(&format!("--json {x} --html {x}")),
        format!("{x}: named by --json and by --html, expected two files")
    );
    let line = refuse(&format!("--json {x} --isa avx9"));
    assert_eq!(
        line,
        "--isa: unknown instruction set \"avx9\", expected one of scalar, portable, avx2_fma, avx_vnni, avx512, avx512_vnni, neon_in_order, neon, neon_dotprod, neon_i8mm"
    );
    let foreign = if cfg!(target_arch = "aarch64") {
        "avx2_fma"
    } else {
        "neon"
    };
    let line = refuse(&format!("--json {x} --isa {foreign}"));
    assert!(
        line.starts_with(&format!("--isa: {foreign}: ")) && line.contains("scalar"),
        "{line}"
    );
    let line = error(&run_line("bench --arch v1 --alpha -1"));
    assert!(line.contains("alpha is -1"), "{line}");
    assert_eq!(files.names("."), before);
}

/// By itself, as AddressSanitizer adds a line of its own (tools/sanitize.sh).
#[test]
fn a_batch_beyond_memory_is_one_line() {
    let line = error(&run_line("bench --runs 1000000 --batch 1000000000000"));
    assert!(
        line.contains("memory cannot be had") || line.contains("overflows"),
        "{line}"
    );
}

#[test]
fn bench_usage_is_exit_code_2() {
    for arguments in [
        "--threads 0",
        "--threads 1,0",
        "--threads 1,,2",
        "--threads 257",
        "--threads some",
        "--runs 0",
        "--runs 1000001",
        "--batch 0",
        "--resolution 0",
        "--arch v9",
        "--alpha 0.5",
        "--arch v1 --alpha wide",
        "--arch v1 --model x.safetensors",
    ] {
        let output = run_line(&format!("bench {arguments}"));
        assert_eq!(output.status.code(), Some(2), "{arguments}");
        assert_eq!(output.stdout, b"", "{arguments}");
        assert!(!output.stderr.is_empty(), "{arguments}");
    }
}
