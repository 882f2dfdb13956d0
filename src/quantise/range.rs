//! Which numbers a layer gives, and the integers for them.

use dwsep::Quantization;

/// Real numbers from `lo` to `hi`. 0 is among them, so that padding has an integer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// The least, at most 0.
    pub lo: f32,
    /// The greatest, at least 0.
    pub hi: f32,
}

impl Range {
    /// Steps from -128 to 127.
    const STEPS: f64 = 255.0;

    /// The scale that spreads the range over all integers of int8, and the one of them that is 0.
    pub fn quantization(self) -> Quantization {
        let (lo, hi) = (f64::from(self.lo), f64::from(self.hi));
        let scale = ((hi - lo) / Self::STEPS) as f32;
        // A layer that gives nothing but 0 has any scale.
        let scale = if scale.is_normal() { scale } else { 1.0 };
        let zero_point = (-128.0 - lo / f64::from(scale)).round_ties_even();
        Quantization::new(scale, zero_point.clamp(-128.0, 127.0) as i32)
    }
}

/// How often which numbers came. Numbers of the same 16 bits in front are counted together: they are less than 1/128 of themselves apart.
pub(super) struct Histogram {
    counts: Vec<u64>,
    least: f32,
    greatest: f32,
    /// Something that was no finite number.
    broken: bool,
}

impl std::fmt::Debug for Histogram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Histogram({:?} to {:?})", self.least, self.greatest)
    }
}

impl Histogram {
    pub fn new() -> Self {
        Self {
            counts: vec![0; 1 << 16],
            least: f32::INFINITY,
            greatest: f32::NEG_INFINITY,
            broken: false,
        }
    }

    pub fn add(&mut self, numbers: &[f32]) {
        for &x in numbers {
            self.broken |= !x.is_finite();
            self.least = self.least.min(x);
            self.greatest = self.greatest.max(x);
            self.counts[bin(x)] += 1;
        }
    }

    /// Where `percentile` percent of the numbers lie, as many above as below left out. `None` if there are none, or if some are not finite.
    pub fn range(&self, percentile: f64) -> Option<Range> {
        let total: u64 = self.counts.iter().sum();
        if total == 0 || self.broken {
            return None;
        }
        let left_out = (total as f64 * (100.0 - percentile) / 200.0) as u64;
        let (mut lo, mut hi) = (self.least, self.greatest);
        if left_out > 0 {
            // The outer edges of the bins that the first and the last number that stays lie in.
            let below = edge(self.counts.iter().enumerate(), left_out);
            let above = edge(self.counts.iter().enumerate().rev(), left_out);
            lo = below.map_or(lo, |bin| lower(bin).max(lo));
            hi = above.map_or(hi, |bin| upper(bin).min(hi));
        }
        Some(Range {
            lo: lo.min(0.0),
            hi: hi.max(0.0),
        })
    }
}

/// The first bin that is not left out as a whole.
fn edge<'a>(bins: impl Iterator<Item = (usize, &'a u64)>, left_out: u64) -> Option<usize> {
    let mut sum = 0;
    for (bin, count) in bins {
        sum += count;
        if sum > left_out {
            return Some(bin);
        }
    }
    None
}

/// The bits of numbers as integers that are ordered as the numbers are.
fn ordered(bits: u32) -> u32 {
    if bits >> 31 == 0 {
        bits | 1 << 31
    } else {
        !bits
    }
}

fn bin(x: f32) -> usize {
    (ordered(x.to_bits()) >> 16) as usize
}

/// The number whose bits are at this place in the order.
fn number(ordered: u32) -> f32 {
    f32::from_bits(if ordered >> 31 == 1 {
        ordered & !(1 << 31)
    } else {
        !ordered
    })
}

fn lower(bin: usize) -> f32 {
    number((bin as u32) << 16)
}

fn upper(bin: usize) -> f32 {
    number((bin as u32) << 16 | 0xFFFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_has_an_integer_and_the_ends_are_held() {
        for (lo, hi) in [
            (0.0, 6.0),
            (-1.0, 1.0),
            (-3.7, 0.0),
            (-0.1, 20.0),
            (0.0, 1e-20),
        ] {
            let q = Range { lo, hi }.quantization();
            assert!((-128..=127).contains(&q.zero_point));
            for x in [lo, hi, 0.0] {
                let found = q.dequantise(q.quantise::<dwsep::Qs8>(x));
                assert!(
                    (found - x).abs() <= 0.51 * q.scale,
                    "{lo} {hi}: {x} {found}"
                );
            }
        }
        let q = Range { lo: 0.0, hi: 6.0 }.quantization();
        assert_eq!(q, Quantization::new(6.0 / 255.0, -128));
        let nothing = Range { lo: 0.0, hi: 0.0 }.quantization();
        assert_eq!(nothing, Quantization::new(1.0, -128));
    }

    #[test]
    fn bins_are_in_order_and_hold_their_numbers() {
        let numbers = [
            -1e30, -6.5, -1.0, -1e-30, -0.0, 0.0, 1e-40, 1e-3, 0.999, 1.0, 5.99, 1e38,
        ];
        assert!(numbers.is_sorted_by(|&a, &b| bin(a) <= bin(b)));
        for x in numbers {
            assert!((lower(bin(x))..=upper(bin(x))).contains(&x), "{x}");
        }
    }

    #[test]
    fn percentiles_leave_the_ends_out() {
        let mut histogram = Histogram::new();
        assert_eq!(histogram.range(100.0), None);
        let numbers: Vec<f32> = (-1000..=9000).map(|x| x as f32 / 1000.0).collect();
        histogram.add(&numbers);
        assert_eq!(histogram.range(100.0), Some(Range { lo: -1.0, hi: 9.0 }));
        // 5 % at each end, and a bin is up to 1/128 of its numbers wide.
        let Range { lo, hi } = histogram.range(90.0).unwrap();
        assert!((-0.505..=-0.5).contains(&lo), "{lo}");
        assert!((8.5..=8.57).contains(&hi), "{hi}");
        // One number far away.
        histogram.add(&[1e6]);
        assert_eq!(histogram.range(100.0).unwrap().hi, 1e6);
        assert!(histogram.range(99.9).unwrap().hi < 9.1);
        histogram.add(&[f32::NAN]);
        assert_eq!(histogram.range(99.0), None);
    }

    #[test]
    fn numbers_of_one_sign_keep_zero() {
        let mut histogram = Histogram::new();
        histogram.add(&[2.0, 3.0, 4.0]);
        assert_eq!(histogram.range(100.0), Some(Range { lo: 0.0, hi: 4.0 }));
    }
}
