//! Safetensors files that must not be read: a line for each attack, with all that is said of it behind the file's name. Those of int8 are
//! in `int8.rs`.

use mobilenet::weights::{Safetensors, Weights};

use crate::file::{File, NARROWEST, join};
use crate::{STEM, logits, refused};

/// That each attack was answered as expected; if not, all lines that differ.
fn compare(lines: impl Iterator<Item = (String, String, &'static str)>) {
    let wrong: Vec<String> = lines
        .filter(|(_, found, expected)| *found != format!("x.safetensors: {expected}"))
        .map(|(attack, found, expected)| {
            format!("{attack}\n  found    {found}\n  expected {expected}")
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A header, the bytes of data behind it, and the error.
type Header = (&'static str, usize, &'static str);

#[rustfmt::skip]
const HEADERS: &[Header] = &[
    // No JSON, or of something else.
    ("", 0, "the header: EOF while parsing a value at line 1 column 0"),
    ("{", 0, "the header: EOF while parsing an object at line 1 column 1"),
    ("[]", 0, "the header: invalid type: sequence, expected an object of tensors at line 1 column 0"),
    ("\"\"", 0, "the header: invalid type: string \"\", expected an object of tensors at line 1 column 2"),
    ("\0", 0, "the header: expected value at line 1 column 1"),
    ("{}{}", 0, "the header: trailing characters at line 1 column 3"),
    (r#"{"a":1}"#, 0, "the header: `a`: invalid type: integer `1`, expected an object of dtype, shape and data_offsets at line 1 column 6"),
    (r#"{"a":{}}"#, 0, "the header: `a`: missing field `dtype` at line 1 column 7"),
    (r#"{"a":{"dtype":"U8","shape":[0]}}"#, 0, "the header: `a`: missing field `data_offsets` at line 1 column 31"),
    (r#"{"a":{"dtype":7,"shape":[0],"data_offsets":[0,0]}}"#, 0, "the header: `a`: invalid type: integer `7`, expected a string at line 1 column 15"),
    (r#"{"a":{"dtype":"U8","dtype":"I8","shape":[0],"data_offsets":[0,0]}}"#, 0, "the header: `a`: duplicate field `dtype` at line 1 column 26"),
    (r#"{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,0]}}"#, 0, "the header: `a`: invalid value: integer `-1`, expected usize at line 1 column 30"),
    (r#"{"a":{"dtype":"U8","shape":[0.5],"data_offsets":[0,0]}}"#, 0, "the header: `a`: invalid type: floating point `0.5`, expected usize at line 1 column 31"),
    (r#"{"a":{"dtype":"U8","shape":[18446744073709551616],"data_offsets":[0,0]}}"#, 0, "the header: `a`: invalid type: floating point `1.8446744073709552e+19`, expected usize at line 1 column 48"),
    (r#"{"a":{"dtype":"U8","shape":[0],"data_offsets":[0]}}"#, 0, "the header: `a`: invalid length 1, expected a tuple of size 2 at line 1 column 49"),
    (r#"{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0,0]}}"#, 0, "the header: `a`: trailing characters at line 1 column 52"),
    (r#"{"__metadata__":1}"#, 0, "the header: `__metadata__`: invalid type: integer `1`, expected an object of texts at line 1 column 17"),
    (r#"{"__metadata__":{"activation":1}}"#, 0, "the header: `__metadata__`: invalid type: integer `1`, expected a string at line 1 column 31"),
    // Two of one name, where another reader takes the other one.
    (r#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"a":{"dtype":"I8","shape":[2],"data_offsets":[0,2]}}"#, 2, "tensor `a` is there twice"),
    (r#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"\u0061":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}"#, 3, "tensor `a` is there twice"),
    (r#"{"__metadata__":{"quantization":"int8","quantization":"none"}}"#, 0, "the metadata has `quantization` twice"),
    (r#"{"__metadata__":{},"__metadata__":{}}"#, 0, "the header: duplicate field `__metadata__` at line 1 column 37"),
    // Types.
    (r#"{"a":{"dtype":"F99","shape":[0],"data_offsets":[0,0]}}"#, 0, "tensor `a` is of type `F99`, expected one of safetensors, as F32 and I8"),
    (r#"{"a":{"dtype":"f32","shape":[0],"data_offsets":[0,0]}}"#, 0, "tensor `a` is of type `f32`, expected one of safetensors, as F32 and I8"),
    (r#"{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}}"#, 2, "tensor `a` is F4 [3], expected a number of bits that can be counted, in whole bytes"),
    // Offsets that overlap, leave gaps, lead out of the file or back.
    (r#"{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"b":{"dtype":"F32","shape":[2],"data_offsets":[12,20]}}"#, 24, "tensor `b` begins at byte 12 of the data, expected 16"),
    (r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, 8, "tensor `b` begins at byte 0 of the data, expected 8"),
    (r#"{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#, 16, "tensor `b` begins at byte 4 of the data, expected 16"),
    (r#"{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"b":{"dtype":"F32","shape":[2],"data_offsets":[20,28]}}"#, 28, "tensor `b` begins at byte 20 of the data, expected 16"),
    (r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, 8, "tensor `a` begins at byte 4 of the data, expected 0"),
    (r#"{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"b":{"dtype":"F32","shape":[2],"data_offsets":[16,8]}}"#, 24, "tensor `b` ends at byte 8 of the data, expected at least 16, where it begins"),
    (r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[0],"data_offsets":[1,0]}}"#, 1, "tensor `b` ends at byte 0 of the data, expected at least 1, where it begins"),
    (r#"{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,12]}}"#, 12, "tensor `a` has 12 bytes, expected 16 for F32 [2, 2]"),
    (r#"{"a":{"dtype":"F32","shape":[],"data_offsets":[0,0]}}"#, 0, "tensor `a` has 0 bytes, expected 4 for F32 []"),
    (r#"{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,4]}}"#, 4, "tensor `a` has 4 bytes, expected 0 for F32 [0]"),
    (r#"{"a":{"dtype":"U8","shape":[100],"data_offsets":[0,100]}}"#, 99, "there are 99 bytes of data, expected 100"),
    (r#"{"a":{"dtype":"U8","shape":[100],"data_offsets":[0,100]}}"#, 101, "there are 101 bytes of data, expected 100"),
    (r#"{}"#, 1, "there are 1 bytes of data, expected 0"),
    (r#"{"a":{"dtype":"U8","shape":[9223372036854775807],"data_offsets":[0,9223372036854775807]}}"#, 8, "tensor `a` is U8 [9223372036854775807], expected a number of bits that can be counted, in whole bytes"),
    (r#"{"a":{"dtype":"U8","shape":[1152921504606846976],"data_offsets":[0,1152921504606846976]}}"#, 8, "there are 8 bytes of data, expected 1152921504606846976"),
    // Shapes whose product is beyond all numbers.
    (r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,16]}}"#, 16, "tensor `a` has 16 bytes, expected 73786976294838206464 for F32 [4294967296, 4294967296]"),
    (r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}"#, 0, "tensor `a` has 0 bytes, expected 73786976294838206464 for F32 [4294967296, 4294967296]"),
    (r#"{"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0]}}"#, 0, "tensor `a` has 0 bytes, expected 18446744073709551616 for F32 [4611686018427387904]"),
    (r#"{"a":{"dtype":"U8","shape":[18446744073709551615,18446744073709551615,0],"data_offsets":[0,0]}}"#, 0, "tensor `a` is U8 [18446744073709551615, 18446744073709551615, 0], expected a number of bits that can be counted, in whole bytes"),
    // What cannot be printed.
    (r#"{"a\nb\u001b[2J":{"dtype":"U8","shape":[1],"data_offsets":[0,0]}}"#, 0, r"tensor `a\nb\u{1b}[2J` has 0 bytes, expected 1 for U8 [1]"),
    (r#"{"a\nb":{"dtype":"U8"}}"#, 0, r"the header: `a\nb`: missing field `shape` at line 1 column 22"),
    (r#"{"a":{"dtype":"\r\n","shape":[1],"data_offsets":[0,0]}}"#, 0, r"tensor `a` is of type `\r\n`, expected one of safetensors, as F32 and I8"),
];

#[test]
fn headers() {
    compare(HEADERS.iter().map(|&(header, data, expected)| {
        let found = refused(join(header, &vec![0; data]));
        (header.to_owned(), found, expected)
    }));
}

/// Those that are too long to be written down: what makes one, and its error.
type Bomb = (fn() -> Vec<u8>, &'static str);

#[rustfmt::skip]
const BOMBS: &[Bomb] = &[
    (|| vec![0; 7], "not a safetensors file: it has 7 bytes, the length of the header alone takes 8"),
    (|| 100_000_000_u64.to_le_bytes().to_vec(), "the header is said to have 100000000 bytes, but only 0 bytes follow"),
    (|| u64::MAX.to_le_bytes().to_vec(), r#"not a safetensors file: it begins with "\xff\xff\xff\xff\xff\xff\xff\xff", expected the length of a header of at most 100000000 bytes"#),
    (|| [&(1_u64 << 60).to_le_bytes()[..], &[b'{'; 100]].concat(), r#"not a safetensors file: it begins with "\x00\x00\x00\x00\x00\x00\x00\x10", expected the length of a header of at most 100000000 bytes"#),
    (|| [&3_u64.to_le_bytes()[..], b"{}"].concat(), "the header is said to have 3 bytes, but only 2 bytes follow"),
    (|| join(&" ".repeat(100_000_001), &[]), r#"not a safetensors file: it begins with "\x01\xe1\xf5\x05\x00\x00\x00\x00", expected the length of a header of at most 100000000 bytes"#),
    (|| [&1_u64.to_le_bytes()[..], &[0xFF]].concat(), "the header: expected value at line 1 column 1"),
    (|| [&4_u64.to_le_bytes()[..], b"{\"\xFF\""].concat(), "the header: invalid unicode code point at line 1 column 3"),
    // Nested, where a reader that calls itself runs out of stack.
    (|| join(&format!("{{\"a\":{}", "[".repeat(1 << 20)), &[]), "the header: `a`: invalid type: sequence, expected a string at line 1 column 6"),
    (|| join(&"{\"a\":".repeat(1 << 20), &[]), "the header: `a`: EOF while parsing a value at line 1 column 5242880"),
    (|| join(&format!(r#"{{"__metadata__":{}"#, "{\"a\":".repeat(1 << 20)), &[]), "the header: `__metadata__`: invalid type: map, expected a string at line 1 column 21"),
    // Texts of the file that would be most of the message.
    (|| join(&format!(r#"{{"{}":{{"dtype":"U8","shape":[1],"data_offsets":[0,0]}}}}"#, "n".repeat(1 << 20)), &[]),
        concat!("tensor `", "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn", "...` has 0 bytes, expected 1 for U8 [1]")),
    (|| join(&format!(r#"{{"a":{{"dtype":"U8","shape":[{}2],"data_offsets":[0,0]}}}}"#, "1,".repeat(1 << 18)), &[]),
        "tensor `a` has 0 bytes, expected 2 for U8 [1, 1, 1, 1, 1, 1, 1, 1] and 262137 more dimensions"),
    // Nine tensors, the offsets of which end at the end of all numbers: with what is in front of them they are few.
    (|| join(&until_the_end_of_numbers(), &[]), "there are 0 bytes of data, expected 18446744073709551608"),
];

#[test]
fn bombs() {
    compare(BOMBS.iter().enumerate().map(|(i, (bytes, expected))| {
        let found = refused(bytes());
        (format!("bomb {i}"), found, *expected)
    }));
}

fn until_the_end_of_numbers() -> String {
    let largest = u64::MAX / 8;
    let tensors: Vec<String> = (0..8)
        .map(|i| {
            let (start, end) = (i * largest, (i + 1) * largest);
            format!(r#""{i}":{{"dtype":"U8","shape":[{largest}],"data_offsets":[{start},{end}]}}"#)
        })
        .collect();
    format!("{{{}}}", tensors.join(","))
}

/// As many tensors as there is room for, none of which has elements, are none too many.
#[test]
fn a_hundred_thousand_tensors_are_read() {
    let tensors: Vec<String> = (0..100_000)
        .map(|i| format!(r#""{i}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#))
        .collect();
    let header = format!("{{{}}}", tensors.join(","));
    let file = Safetensors::from_bytes("x", join(&header, &[])).unwrap();
    let names = file.names();
    assert_eq!(names.len(), 100_000);
    // In the order of the file.
    assert!((names.iter().enumerate()).all(|(i, name)| *name == i.to_string()));
    assert_eq!(file.shape("99999").unwrap(), [0]);
}

type Attack = fn(&mut File);

const LAST: &str = "mobilenet_v1.layer.25.convolution.weight";
const CLASSIFIER: &str = "classifier.weight";

/// Gives a tensor a shape without elements, of which a file may claim as many as it likes.
fn empty(file: &mut File, name: &str, shape: &[usize]) {
    let tensor = file.tensor(name);
    tensor.2 = shape.to_vec();
    tensor.3.clear();
}

/// What is done to a network in f32, and what is said of it.
#[rustfmt::skip]
const NETWORKS: &[(Attack, &str)] = &[
    // Width and classes follow from shapes.
    (|f| empty(f, LAST, &[0, 10, 1, 1]), "tensor `mobilenet_v1.layer.25.convolution.weight` has shape [0, 10, 1, 1], expected [O, I, 1, 1], none of them 0"),
    (|f| empty(f, LAST, &[1 << 60, 0, 1, 1]), "tensor `mobilenet_v1.layer.25.convolution.weight` is F32 [1152921504606846976, 0, 1, 1], expected a number of bits that can be counted, in whole bytes"),
    (|f| empty(f, LAST, &[usize::MAX >> 5, 0, 1, 1]), "tensor `mobilenet_v1.layer.25.convolution.weight` has shape [576460752303423487, 0, 1, 1], expected [O, I, 1, 1], none of them 0"),
    (|f| f.tensor(LAST).2 = vec![5, 10, 2, 1], "tensor `mobilenet_v1.layer.25.convolution.weight` has shape [5, 10, 2, 1], expected [O, I, 1, 1], none of them 0"),
    (|f| f.tensor(LAST).2 = vec![100], "tensor `mobilenet_v1.layer.25.convolution.weight` has shape [100], expected [O, I, 1, 1], none of them 0"),
    // Wider than the other layers are.
    (|f| f.tensor(LAST).2 = vec![100, 1, 1, 1], "tensor `mobilenet_v1.layer.3.convolution.weight` has shape [8, 8, 1, 1], expected [12, 8, 1, 1]"),
    (|f| empty(f, CLASSIFIER, &[0, 10]), "tensor `classifier.weight` has shape [0, 10], expected [classes, C], none of them 0"),
    (|f| empty(f, CLASSIFIER, &[1 << 58, 0]), "tensor `classifier.weight` has shape [288230376151711744, 0], expected [classes, C], none of them 0"),
    (|f| f.tensor(CLASSIFIER).2 = vec![30], "tensor `classifier.weight` has shape [30], expected [classes, C], none of them 0"),
    (|f| f.tensor(CLASSIFIER).2 = vec![6, 5], "tensor `classifier.weight` has shape [6, 5], expected [6, 10]"),
    (|f| f.tensor(CLASSIFIER).2 = vec![1; 1000], "tensor `classifier.weight` has 120 bytes, expected 4 for F32 [1, 1, 1, 1, 1, 1, 1, 1] and 992 more dimensions"),
    // Shapes of as many elements.
    (|f| f.tensor(STEM).2 = vec![3, 3, 3, 8], "tensor `mobilenet_v1.conv_stem.convolution.weight` has shape [3, 3, 3, 8], expected [8, 3, 3, 3]"),
    (|f| f.tensor(STEM).2 = vec![216], "tensor `mobilenet_v1.conv_stem.convolution.weight` has shape [216], expected [8, 3, 3, 3]"),
    (|f| f.tensor(STEM).2 = [vec![1; 60], vec![8, 3, 3, 3]].concat(), "tensor `mobilenet_v1.conv_stem.convolution.weight` has shape [1, 1, 1, 1, 1, 1, 1, 1] and 56 more dimensions, expected [8, 3, 3, 3]"),
    (|f| f.cut("classifier.bias", 2), "tensor `classifier.bias` has shape [2], expected [3]"),
    (|f| f.cut("mobilenet_v1.conv_stem.normalization.running_var", 7), "tensor `mobilenet_v1.conv_stem.normalization.running_var` has shape [7], expected [8]"),
    // Types of as many bytes.
    (|f| f.tensor(STEM).1 = "I32", "tensor `mobilenet_v1.conv_stem.convolution.weight` is of type I32, expected F32, F16 or BF16"),
    (|f| f.tensor("classifier.bias").1 = "U32", "tensor `classifier.bias` is of type U32, expected F32, F16 or BF16"),
    // Names.
    (|f| f.tensor(STEM).0 = "stem".to_owned(), "there is no tensor `mobilenet_v1.conv_stem.convolution.weight`"),
    (|f| f.tensor("classifier.bias").0 = CLASSIFIER.to_owned(), "tensor `classifier.weight` is there twice"),
    (|f| f.tensors.clear(), "there is no tensor `mobilenet_v1.layer.25.convolution.weight`"),
    // Metadata.
    (|f| f.metadata = r#"{"activation":"swish"}"#, r#"the metadata has activation = "swish", expected relu6 or relu"#),
    (|f| f.metadata = r#"{"activation":"\u001b[31m\n"}"#, r#"the metadata has activation = "\u{1b}[31m\n", expected relu6 or relu"#),
    (|f| f.metadata = r#"{"image_size":"0"}"#, r#"the metadata has image_size = "0", expected a positive number of pixels"#),
    (|f| f.metadata = r#"{"image_size":"-1"}"#, r#"the metadata has image_size = "-1", expected a positive number of pixels"#),
    (|f| f.metadata = r#"{"image_size":"18446744073709551616"}"#, r#"the metadata has image_size = "18446744073709551616", expected a positive number of pixels"#),
    (|f| f.metadata = r#"{"quantization":"int4"}"#, r#"the metadata has quantization = "int4", expected int8"#),
    (|f| f.metadata = r#"{"quantization":"int8"}"#, "there is no tensor `input.scale`"),
];

#[test]
fn networks() {
    compare(NETWORKS.iter().enumerate().map(|(i, (attack, expected))| {
        let mut file = File::of(NARROWEST);
        attack(&mut file);
        (format!("network {i}"), file.error(), *expected)
    }));
}

/// Numbers that are none are no error in f32: what is computed of them is NaN.
#[test]
fn parameters_that_make_nan_are_read() {
    for (name, value) in [
        ("mobilenet_v1.conv_stem.normalization.running_var", -1.0),
        ("mobilenet_v1.conv_stem.normalization.running_var", f32::NAN),
        ("mobilenet_v1.conv_stem.normalization.weight", f32::NAN),
        ("mobilenet_v1.layer.25.normalization.bias", f32::NAN),
        ("classifier.bias", f32::NAN),
    ] {
        let mut file = File::of(NARROWEST);
        file.put(name, 0, value);
        let logits = logits(&file.model().unwrap());
        assert!(logits[0].is_nan(), "{name} {value}: {logits:?}");
    }
}
