//! Names for the classes.

use std::borrow::Cow;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use mobilenet::Model;

/// ImageNet's 1000 classes after `background`, one a line; NOTICE says whose they are.
const IMAGENET: &str = include_str!("../models/imagenet_labels.txt");

/// A name for each class of a model.
pub enum Labels {
    /// Line `i` is the name of class `i`.
    Named(Vec<Cow<'static, str>>),
    /// Nothing is known about the classes.
    Numbered,
}

impl Labels {
    /// The names that came with the model, if there is one for each class; else what its number of classes says.
    pub fn of(model: &Model) -> Self {
        match model.labels() {
            Some(names) if names.len() == model.classes() => {
                Self::Named(names.iter().cloned().map(Cow::Owned).collect())
            }
            _ => Self::for_classes(model.classes()),
        }
    }

    /// Names for a model about which only the number of its classes is known: 1001 and 1000 are ImageNet's, with and without
    /// the background as class 0; others have numbers.
    pub fn for_classes(classes: usize) -> Self {
        let all: Vec<_> = IMAGENET.lines().map(Cow::Borrowed).collect();
        match all.len().checked_sub(classes) {
            Some(0) => Self::Named(all),
            Some(1) => Self::Named(all[1..].to_vec()),
            _ => Self::Numbered,
        }
    }

    /// The lines of the file `path`, which has to have one for each class. White space around a name is dropped.
    pub fn read(path: &Path, classes: usize) -> Result<Self> {
        let names: Vec<_> = std::fs::read_to_string(path)
            .with_context(|| format!("{}: cannot be read", path.display()))?
            .lines()
            .map(|line| Cow::Owned(line.trim().to_owned()))
            .collect();
        ensure!(
            names.len() == classes,
            "{}: {} lines, expected {classes}, one for each class of the model",
            path.display(),
            names.len()
        );
        Ok(Self::Named(names))
    }

    /// The name of class `index`.
    pub fn get(&self, index: usize) -> Cow<'_, str> {
        match self {
            Self::Named(names) if index < names.len() => Cow::Borrowed(&names[index]),
            _ => Cow::Owned(format!("class {index}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imagenet_with_and_without_background() {
        let labels = Labels::for_classes(1001);
        assert_eq!(labels.get(0), "background");
        assert_eq!(labels.get(286), "Egyptian cat");
        assert_eq!(
            labels.get(1000),
            "toilet tissue, toilet paper, bathroom tissue"
        );
        let labels = Labels::for_classes(1000);
        assert_eq!(labels.get(285), "Egyptian cat");
        assert_eq!(
            labels.get(999),
            "toilet tissue, toilet paper, bathroom tissue"
        );
        for classes in [1, 999, 1002] {
            assert_eq!(Labels::for_classes(classes).get(0), "class 0");
        }
    }

    #[test]
    fn a_file_needs_a_line_a_class() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("labels.txt");
        std::fs::write(&path, "one\r\n two \nthree\n").unwrap();
        assert_eq!(Labels::read(&path, 3).unwrap().get(1), "two");
        let error = Labels::read(&path, 5).err().unwrap().to_string();
        assert!(
            error.ends_with("labels.txt: 3 lines, expected 5, one for each class of the model")
        );
    }
}
