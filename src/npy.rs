//! NumPy's `.npy` files, as far as the program needs them: dense f32, little-endian, C order.
//!
//! The format is a preamble, a Python dict as text, and the bare elements:
//!
//! ```text
//! 93 'N' 'U' 'M' 'P' 'Y'  major minor  header_len (u16 in version 1, u32 in 2 and 3)
//! {'descr': '<f4', 'fortran_order': False, 'shape': (1, 224, 224, 3), }   padded to 64 bytes, '\n'
//! elements
//! ```
//!
//! Files come from strangers, so nothing is allocated because a header says so: memory grows with what is really in the
//! file. That is why no crate is used. Of the two that are kept up, `npyz` multiplies the shape unchecked (a panic with
//! overflow checks, a length of 0 without) and allocates up to 4 GiB for a header, `ndarray-npy` brings `ndarray`; both
//! parse the one line above with some twenty crates, one of which compiles C.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use crate::output;

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// NumPy's own limit for a header that it trusts unasked is 10,000.
const MAX_HEADER: usize = 1 << 16;
const DESCR: &str = "<f4";

/// A tensor as it lies in a file.
#[derive(Debug, PartialEq)]
pub struct Array {
    /// Sizes, outermost first.
    pub shape: Vec<usize>,
    /// Elements, the last dimension contiguous.
    pub data: Vec<f32>,
}

/// Reads the array in the file `path`.
pub fn read(path: &Path) -> Result<Array> {
    let file = File::open(path)?;
    parse(&mut BufReader::new(file))
}

fn parse(reader: &mut impl Read) -> Result<Array> {
    let header = Header::read(reader)?;
    ensure!(
        header.descr == DESCR,
        "the type is '{}', expected '{DESCR}' (little-endian f32)",
        header.descr
    );
    ensure!(!header.fortran_order, "the order is Fortran, expected C");
    let shape = Shape(&header.shape);
    let bytes = header
        .shape
        .iter()
        .try_fold(size_of::<f32>(), |bytes, &dim| bytes.checked_mul(dim));
    let Some(bytes) = bytes.filter(|&bytes| isize::try_from(bytes).is_ok()) else {
        bail!("the size in bytes of shape {shape} overflows the address space");
    };

    let mut data = Vec::new();
    // One byte more tells a file that is too long from one that is right.
    let found = reader.take(bytes as u64 + 1).read_to_end(&mut data)?;
    ensure!(
        found >= bytes,
        "{found} bytes of data, expected {bytes} for shape {shape}"
    );
    ensure!(
        found == bytes,
        "more data than the {bytes} bytes of shape {shape}"
    );
    let data = data
        .chunks_exact(4)
        .map(|x| f32::from_le_bytes([x[0], x[1], x[2], x[3]]))
        .collect();
    Ok(Array {
        shape: header.shape,
        data,
    })
}

/// Writes `rows`, one after the other, as an array of this shape to `path`, whole or not at all.
pub fn write<'a>(
    path: &Path,
    shape: &[usize],
    rows: impl Iterator<Item = &'a [f32]>,
) -> Result<()> {
    output::write(path, |file| {
        let mut file = BufWriter::new(file);
        file.write_all(&header(shape))?;
        for row in rows {
            for x in row {
                file.write_all(&x.to_le_bytes())?;
            }
        }
        file.flush()
    })
}

/// Preamble and header of version 1.0, as NumPy writes them: the data begins at a multiple of 64.
fn header(shape: &[usize]) -> Vec<u8> {
    let mut dict = format!(
        "{{'descr': '{DESCR}', 'fortran_order': False, 'shape': {}, }}",
        Shape(shape)
    );
    let unpadded = MAGIC.len() + 4 + dict.len() + 1;
    dict.extend(std::iter::repeat_n(
        ' ',
        unpadded.next_multiple_of(64) - unpadded,
    ));
    dict.push('\n');
    let len = u16::try_from(dict.len()).expect("a network's tensors have few dimensions");
    [MAGIC, &[1, 0][..], &len.to_le_bytes(), dict.as_bytes()].concat()
}

/// Prints as a Python tuple.
struct Shape<'a>(&'a [usize]);

impl fmt::Display for Shape<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [one] => write!(f, "({one},)"),
            dims => {
                let dims: Vec<_> = dims.iter().map(ToString::to_string).collect();
                write!(f, "({})", dims.join(", "))
            }
        }
    }
}

#[derive(Debug, PartialEq)]
struct Header {
    descr: String,
    fortran_order: bool,
    shape: Vec<usize>,
}

impl Header {
    fn read(reader: &mut impl Read) -> Result<Self> {
        let mut preamble = [0; 8];
        let found = read_up_to(reader, &mut preamble)?;
        ensure!(found == 8 && preamble.starts_with(MAGIC), "not a .npy file");
        let len = match preamble[6] {
            1 => {
                let mut len = [0; 2];
                reader
                    .read_exact(&mut len)
                    .context("the header is cut off")?;
                usize::from(u16::from_le_bytes(len))
            }
            2 | 3 => {
                let mut len = [0; 4];
                reader
                    .read_exact(&mut len)
                    .context("the header is cut off")?;
                usize::try_from(u32::from_le_bytes(len))?
            }
            version => bail!("the format's version is {version}, expected 1, 2 or 3"),
        };
        ensure!(
            len <= MAX_HEADER,
            "the header has {len} bytes, expected at most {MAX_HEADER}"
        );
        let mut text = vec![0; len];
        let found = read_up_to(reader, &mut text)?;
        ensure!(
            found == len,
            "the header is cut off: {found} bytes, expected {len}"
        );
        let text = std::str::from_utf8(&text).context("the header is not text")?;
        Self::parse(text).with_context(|| format!("in the header {:?}", text.trim_end()))
    }

    fn parse(text: &str) -> Result<Self> {
        let mut scanner = Scanner(text);
        let (mut descr, mut fortran_order, mut shape) = (None, None, None);
        scanner.expect('{')?;
        while !scanner.skip('}') {
            let key = scanner.string()?;
            scanner.expect(':')?;
            match key {
                "descr" => descr = Some(scanner.string().context("the type is not a plain one")?),
                "fortran_order" => fortran_order = Some(scanner.boolean()?),
                "shape" => shape = Some(scanner.tuple()?),
                _ => bail!("the key '{key}' is unknown"),
            }
            if !scanner.skip(',') {
                scanner.expect('}')?;
                break;
            }
        }
        let missing = |key: &str| format!("the key '{key}' is missing");
        Ok(Self {
            descr: descr.with_context(|| missing("descr"))?.to_owned(),
            fortran_order: fortran_order.with_context(|| missing("fortran_order"))?,
            shape: shape.with_context(|| missing("shape"))?,
        })
    }
}

/// What is left of a header. Every method skips white space first.
struct Scanner<'a>(&'a str);

impl<'a> Scanner<'a> {
    fn skip(&mut self, wanted: char) -> bool {
        self.0 = self.0.trim_start();
        match self.0.strip_prefix(wanted) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, wanted: char) -> Result<()> {
        ensure!(self.skip(wanted), "expected '{wanted}' before {:?}", self.0);
        Ok(())
    }

    /// A string in single or double quotes. NumPy writes no escapes into the ones that are wanted here.
    fn string(&mut self) -> Result<&'a str> {
        let quote = if self.skip('"') { '"' } else { '\'' };
        if quote == '\'' {
            self.expect(quote)?;
        }
        let (string, rest) = self.0.split_once(quote).context("a string has no end")?;
        self.0 = rest;
        Ok(string)
    }

    fn word(&mut self) -> &'a str {
        self.0 = self.0.trim_start();
        let end = self
            .0
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(end);
        self.0 = rest;
        word
    }

    fn boolean(&mut self) -> Result<bool> {
        match self.word() {
            "True" => Ok(true),
            "False" => Ok(false),
            word => bail!("expected True or False, found {word:?}"),
        }
    }

    fn tuple(&mut self) -> Result<Vec<usize>> {
        let mut dims = Vec::new();
        self.expect('(')?;
        while !self.skip(')') {
            let digits = self.word();
            // Python 2 wrote `3L`.
            let dim = digits.trim_end_matches('L').parse();
            dims.push(dim.with_context(|| format!("the dimension {digits:?} is not a size"))?);
            if !self.skip(',') {
                self.expect(')')?;
                break;
            }
        }
        Ok(dims)
    }
}

/// Fills `buffer` as far as there is something to read; how far that is.
fn read_up_to(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(version: u8, dict: &str, data: &[u8]) -> Vec<u8> {
        let len = u32::try_from(dict.len()).unwrap().to_le_bytes();
        let len = if version == 1 { &len[..2] } else { &len[..] };
        [MAGIC, &[version, 0][..], len, dict.as_bytes(), data].concat()
    }

    fn error(bytes: &[u8]) -> String {
        format!("{:#}", parse(&mut &bytes[..]).unwrap_err())
    }

    const TWO: &str = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n";

    #[test]
    fn what_is_written_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.npy");
        let data: Vec<f32> = (0..24).map(|x| x as f32 - 7.5).collect();
        for shape in [&[2, 3, 4][..], &[24], &[1, 1, 24, 1]] {
            write(&path, shape, data.chunks(5)).unwrap();
            assert_eq!(
                read(&path).unwrap(),
                Array {
                    shape: shape.to_vec(),
                    data: data.clone()
                }
            );
        }
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 128 + 24 * 4);
    }

    #[test]
    fn the_header_is_numpys() {
        let golden = std::fs::read("tests/golden/chelsea.input.npy").unwrap();
        let ours = String::from_utf8_lossy(&header(&[1, 224, 224, 3])).replace("<f4", "|u1");
        assert_eq!(ours, String::from_utf8_lossy(&golden[..128]));
        assert!(error(&golden).contains("the type is '|u1', expected '<f4'"));
    }

    #[test]
    fn other_spellings_of_the_header_are_read() {
        let data = [1_f32, 2.0].map(f32::to_le_bytes).concat();
        let expected = Array {
            shape: vec![2],
            data: vec![1.0, 2.0],
        };
        for (version, dict) in [
            (1, TWO),
            (2, TWO),
            (3, TWO),
            (1, "{'descr':'<f4','fortran_order':False,'shape':(2,)}"),
            (
                1,
                "{\"shape\": (2L,), \"fortran_order\": False, \"descr\": \"<f4\"}   \n",
            ),
        ] {
            assert_eq!(
                parse(&mut &file(version, dict, &data)[..]).unwrap(),
                expected
            );
        }
    }

    #[test]
    fn errors_name_found_and_expected() {
        let dict = |descr: &str, order: &str, shape: &str| {
            format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n")
        };
        for (dict, expected) in [
            (
                dict("'<f8'", "False", "(2,)"),
                "the type is '<f8', expected '<f4'",
            ),
            (
                dict("'>f4'", "False", "(2,)"),
                "the type is '>f4', expected '<f4'",
            ),
            (
                dict("'<f4'", "True", "(2, 1)"),
                "the order is Fortran, expected C",
            ),
            (
                dict("'<f4'", "0", "(2,)"),
                "expected True or False, found \"0\"",
            ),
            (
                dict("[('a', '<f4')]", "False", "(2,)"),
                "the type is not a plain one",
            ),
            (
                dict("'<f4'", "False", "(-2,)"),
                "the dimension \"\" is not a size",
            ),
            (dict("'<f4'", "False", "(2 3)"), "expected ')' before"),
            (
                dict("'<f4'", "False", "(18446744073709551616,)"),
                "is not a size",
            ),
            (
                dict("'<f4'", "False", "(4294967296, 4294967296, 4, 3)"),
                "overflows the address space",
            ),
            (
                dict("'<f4'", "False", "(9000000000, 9)"),
                "8 bytes of data, expected 324000000000",
            ),
            (
                dict("'<f4'", "False", "(3,)"),
                "8 bytes of data, expected 12 for shape (3,)",
            ),
            (
                dict("'<f4'", "False", "(1, 1)"),
                "more data than the 4 bytes of shape (1, 1)",
            ),
            (TWO.replace("descr", "desc"), "the key 'desc' is unknown"),
            (
                "{'descr': '<f4', 'shape': (2,)}".into(),
                "the key 'fortran_order' is missing",
            ),
            ("{'descr': '<f4".into(), "a string has no end"),
            ("(".repeat(60_000), "expected '{' before"),
        ] {
            let found = error(&file(1, &dict, &[0; 8]));
            assert!(found.contains(expected), "{dict}: {found}");
        }
    }

    #[test]
    fn a_file_cut_off_anywhere_is_an_error() {
        let whole = file(2, TWO, &[0; 8]);
        for len in 0..whole.len() {
            error(&whole[..len]);
        }
        assert!(error(b"").contains("not a .npy file"));
        assert!(error(b"PK\x03\x04........").contains("not a .npy file"));
        let bomb = [MAGIC, &[2, 0][..], &u32::MAX.to_le_bytes()].concat();
        assert!(error(&bomb).contains("the header has 4294967295 bytes, expected at most 65536"));
        let version = [MAGIC, &[9, 0][..]].concat();
        assert!(error(&version).contains("version is 9"));
    }
}
