//! `mobilenet classify`

use std::fs;

use serde_json::Value;

use crate::{Files, error, errors, json, run, stdout};

#[test]
fn classify_names_what_is_on_photographs() {
    let photos = ["tests/photos/chelsea.png", "tests/photos/coffee.png"];
    let report = json(&run(["classify", "--json", "--top", "3"]
        .into_iter()
        .chain(photos)));
    let images = report.as_array().unwrap();
    assert_eq!(images.len(), 2);
    for (found, (image, index, label, probability)) in images.iter().zip([
        (photos[0], 286, "Egyptian cat", 0.87),
        (photos[1], 968, "espresso", 0.99),
    ]) {
        assert_eq!(found["image"], image);
        assert_eq!(found["top"].as_array().unwrap().len(), 3);
        assert_eq!(found["top"][0]["index"], index);
        assert_eq!(found["top"][0]["label"], label);
        assert!(
            (found["top"][0]["probability"].as_f64().unwrap() - probability).abs() < 0.01,
            "{found}"
        );
        assert!(found["ms"].as_f64().unwrap() > 0.0);
        assert_eq!(found.as_object().unwrap().len(), 3);
    }
}

#[test]
fn classify_prints_a_table() {
    let files = Files::new();
    let (model, picture) = (files.model(7), files.picture("a.png"));
    let text = stdout(&run([
        "classify", &picture, "--model", &model, "--top", "4",
    ]));
    let lines: Vec<_> = text.lines().collect();
    assert!(
        lines[0].starts_with(&picture) && lines[0].ends_with(" ms)"),
        "{text}"
    );
    assert_eq!(lines[1], "probability  index  label");
    assert_eq!(lines.len(), 1 + 1 + 4 + 1);
    let percent = |line: &str| {
        line.split_whitespace()
            .next()
            .unwrap()
            .parse::<f64>()
            .unwrap()
    };
    assert!(
        lines[2..6].is_sorted_by(|a, b| percent(a) >= percent(b)),
        "{text}"
    );
    assert!(
        lines[2..6].iter().all(|line| line.contains("  class ")),
        "{text}"
    );

    // More than there are: all of them, and they add up to 1.
    let report = json(&run([
        "classify", &picture, "--model", &model, "--top", "99", "--json",
    ]));
    let top = report[0]["top"].as_array().unwrap();
    assert_eq!(top.len(), 7);
    let sum: f64 = top
        .iter()
        .map(|class| class["probability"].as_f64().unwrap())
        .sum();
    assert!((sum - 1.0).abs() < 1e-5, "{sum}");
}

#[test]
fn classify_takes_labels() {
    let files = Files::new();
    let (model, picture) = (files.model(3), files.picture("a.png"));
    let labels = files.write("labels.txt", "ant\nbee\ncat\n");
    let arguments = [
        "classify", &picture, "--model", &model, "--labels", &labels, "--json",
    ];
    for class in json(&run(arguments))[0]["top"].as_array().unwrap() {
        let index = usize::try_from(class["index"].as_u64().unwrap()).unwrap();
        assert_eq!(class["label"], ["ant", "bee", "cat"][index]);
    }
    files.write("labels.txt", "ant\nbee\n");
    assert_eq!(
        error(&run(arguments)),
        format!("{labels}: 2 lines, expected 3, one for each class of the model")
    );
    let missing = files.path("missing.txt");
    let line = error(&run([
        "classify", &picture, "--model", &model, "--labels", &missing,
    ]));
    assert!(
        line.starts_with(&format!("{missing}: cannot be read: ")),
        "{line}"
    );
}

/// Without a background the same names begin one line later.
#[test]
fn classify_knows_models_without_background() {
    let files = Files::new();
    let (model, picture) = (files.model(1000), files.picture("a.png"));
    let names = fs::read_to_string("models/imagenet_labels.txt").unwrap();
    let names: Vec<_> = names.lines().collect();
    let report = json(&run(["classify", &picture, "--model", &model, "--json"]));
    for class in report[0]["top"].as_array().unwrap() {
        assert_eq!(
            class["label"],
            names[usize::try_from(class["index"].as_u64().unwrap()).unwrap() + 1]
        );
    }
}

#[test]
fn classify_searches_folders_and_survives_broken_images() {
    let files = Files::new();
    let model = files.model(5);
    let good = [
        files.picture("in/b.png"),
        files.picture("in/deep/er/c.JPG"),
        files.picture("in/z.bmp"),
    ];
    let broken = files.write("in/a.png", "not a picture");
    let empty = files.write("in/deep/empty.jpg", "");
    files.write("in/notes.txt", "not even called like one");
    fs::create_dir(files.path("none")).unwrap();
    let (folder, none, missing) = (
        files.path("in"),
        files.path("none"),
        files.path("missing.png"),
    );

    let output = run([
        "classify", "--json", "--model", &model, &missing, &folder, &none, &good[0],
    ]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let images: Vec<_> = report
        .as_array()
        .unwrap()
        .iter()
        .map(|x| x["image"].as_str().unwrap())
        .collect();
    assert_eq!(images, [&good[0], &good[1], &good[2], &good[0]]);
    let lines = errors(&output);
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert!(lines[0].starts_with(&format!("{missing}: ")), "{lines:?}");
    assert_eq!(
        lines[1],
        format!("{broken}: not an image of a known format")
    );
    assert_eq!(lines[2], format!("{empty}: the file is empty"));
    assert_eq!(lines[3], format!("{none}: no images in this folder"));
}

#[test]
fn a_name_with_a_line_break_is_still_one_line() {
    let files = Files::new();
    let model = files.model(5);
    let line = errors(&run(["classify", "--model", &model, "no\nsuch\nfile"])).join("|");
    assert!(line.starts_with("no such file: "), "{line}");
}
