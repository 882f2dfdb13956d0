use super::*;
use crate::arch::generic::{PW_QS8_SCALAR, PW_QU8_SCALAR};
use crate::{Activation, PackedPointwise, Qs8, Quantization};
use alloc::{format, vec};

/// The facts about `pw_qs8_4x16__avx2_fma`. Something is packed for it, and nothing is run.
static PRODUCTS: PwKernel<Qs8> = PwKernel {
    mr: 4,
    nr: 16,
    form: FormQ8 {
        kr: 4,
        word: Word::Products,
        in_place: false,
        ..PW_QS8_SCALAR.form
    },
    ..PW_QS8_SCALAR
};

/// How many panels are marked, of one with a column of these weights and this bias and of one with nothing but zeros.
fn marks(kernel: &'static PwKernel<Qs8>, weights: [i8; 4], bias: i32, zero_point: i32) -> usize {
    let c_out = kernel.nr + 1;
    let (mut all, mut biases) = (vec![0; 4 * c_out], vec![0; c_out]);
    all[..4].copy_from_slice(&weights);
    biases[0] = bias;
    let quantization = FilterQuantization {
        input: Quantization::new(1.0, zero_point),
        output: Quantization::new(1.0, 0),
        weight_scales: &[1.0],
        weight_zero_point: 0,
    };
    let filter = Filter::i8(&all, Some(&biases), quantization);
    let packed = PackedPointwise::pack(kernel, 4, c_out, filter).unwrap();
    packed.panels_with_mark()
}

/// Where the largest sum that an input could make leaves 2^23, and nowhere before: a panel that is marked is right, but slow.
#[test]
fn panels_are_marked_from_the_limit_on() {
    let limit = 1 << 23;
    // The sums that inputs of -128 to 127 make of the weights, at least and at most.
    for (weights, zero_point, low, high) in [
        ([0; 4], 0, 0, 0),
        ([1, 0, 0, 0], 0, -128, 127),
        (
            [127, -128, 3, 0],
            5,
            -130 * 133 - 128 * 122,
            130 * 122 + 128 * 133,
        ),
    ] {
        for (bias, marked) in [
            (limit - 1 - high, 0),
            (limit - high, 1),
            (-limit - low, 0),
            (-limit - low - 1, 1),
        ] {
            let found = marks(&PRODUCTS, weights, bias, zero_point);
            assert_eq!(found, marked, "{weights:?}, {bias}");
        }
    }
}

/// A kernel that wants weights and rows in some form. Something is packed for it, and nothing is run.
fn wants<S: Quantised>(scalar: &PwKernel<S>, nr: usize, form: FormQ8) -> PwKernel<S> {
    PwKernel {
        nr,
        form,
        ..*scalar
    }
}

/// Forms of one product a word, of each kind of word and length of step that a kernel of some architecture has, and of the shortest step.
const FORMS: [(usize, usize, Word); 7] = [
    (4, 1, Word::Centred),
    (8, 2, Word::Centred),
    (16, 4, Word::Unsigned),
    (8, 4, Word::Signed),
    (8, 8, Word::Signed),
    (4, 16, Word::SignedPairs),
    (8, 16, Word::SignedPairs),
];

/// What a kernel makes of panels, as the head of the file has it, is the definition's sum, whatever the architecture of the kernel.
fn adds_up<S: Quantised>(scalar: &PwKernel<S>) {
    let mut state = 1_u32;
    let mut random = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    for (nr, kr, word) in FORMS {
        for (k, segments) in [(1, 1), (8, 1), (19, 1), (33, 3), (48, 3)] {
            for (windows, unsigned, zw) in [
                (false, false, 0),
                (true, false, 0),
                (true, true, 128),
                (true, true, 131),
                (false, true, 0),
            ] {
                let form = FormQ8 {
                    kr,
                    word,
                    in_place: false,
                    windows,
                };
                let kernel = wants(scalar, nr, form);
                let c_out = 2 * nr - 1;
                let weights: Vec<u8> = (0..c_out * k).map(|_| random()).collect();
                let bias: Vec<i32> = (0..c_out).map(|_| i32::from(random()) - 99).collect();
                let scales: Vec<f32> = (1..=c_out).map(|i| i as f32 / 64.0).collect();
                let za = 7 - S::TO_I8;
                let quantization = FilterQuantization {
                    input: Quantization::new(0.5, za),
                    output: Quantization::new(0.25, -S::TO_I8),
                    weight_scales: &scales,
                    weight_zero_point: zw,
                };
                let filter = Filter {
                    weights: &weights,
                    bias: Some(&bias),
                    params: FilterQ8 {
                        quantization,
                        unsigned,
                    },
                };
                let source = GemmSource {
                    c_out,
                    k,
                    segments,
                    filter,
                };
                let panels = gemm_q8(&source, &kernel).unwrap();
                let segment = k / segments;
                let centred = zw == if unsigned { 128 } else { 0 };
                let room = if windows && centred {
                    segment.next_multiple_of(kr)
                } else {
                    segment
                };
                assert_eq!(
                    panels.segment_rows, room,
                    "{word:?} {kr}, k {k} in {segments}"
                );
                let epilogue = EpilogueQ8::new::<S>(Activation::None, &panels.params).unwrap();
                let row: Vec<u8> = (0..k).map(|_| random()).collect();
                // Elements, and weights, of which the zero points are said in the same domain.
                let element = |i: usize| {
                    let signed = i32::from((row[i] ^ S::FLIP) as i8);
                    signed - (za + S::TO_I8)
                };
                for channel in 0..c_out {
                    let expected = (0..k).fold(bias[channel], |sum, i| {
                        let w = weights[channel * k + i];
                        let w = if unsigned {
                            i32::from(w)
                        } else {
                            i32::from(w as i8)
                        };
                        sum + element(i) * (w - zw)
                    });
                    let what = format!("{word:?} {kr}, nr {nr}, k {k}, {windows} {unsigned} {zw}");
                    let panel = &panels.data[channel / nr * panels.panel_bytes..];
                    let found = read(
                        panel,
                        &kernel,
                        &panels,
                        &epilogue,
                        channel % nr,
                        &row,
                        segments,
                    );
                    assert_eq!(
                        found,
                        (expected, 2.0 * scales[channel]),
                        "{what}, {channel}"
                    );
                }
            }
        }
    }
}

/// The sum and the scale that a kernel reads out of a column of a panel for a row of A.
fn read<S: Quantised>(
    panel: &[u8],
    kernel: &PwKernel<S>,
    panels: &Panels<S>,
    epilogue: &EpilogueQ8,
    column: usize,
    row: &[u8],
    segments: usize,
) -> (i32, f32) {
    let (nr, form) = (kernel.nr, kernel.form);
    let four = |at: usize| [0, 1, 2, 3].map(|i| panel[4 * at + i]);
    let steps = &panel[8 * nr + if form.marks() { MARK_BYTES } else { 0 }..];
    let segment = row.len() / segments;
    let zw = epilogue.weight_zero_point;
    let mut sum = i32::from_ne_bytes(four(column));
    for (i, &element) in row.iter().enumerate() {
        let i = i / segment * panels.segment_rows + i % segment;
        let at = (i / form.kr * nr + column) * form.kr + i % form.kr;
        let byte = element ^ form.flip(epilogue);
        let (a, w) = match form.word {
            Word::Centred => {
                let a =
                    i32::from((element ^ epilogue.input_flip) as i8) - epilogue.input_zero_point;
                let w = i16::from_ne_bytes([steps[2 * at], steps[2 * at + 1]]);
                (a, i32::from(w))
            }
            _ if form.is_signed() => (i32::from(byte as i8), i32::from(steps[at] as i8)),
            _ => (i32::from(byte), i32::from(steps[at] as i8)),
        };
        // With the row's constant, which is of weights that are not centred.
        let constant = if form.word == Word::Centred { 0 } else { zw };
        sum = sum.wrapping_add(a * (w - constant));
    }
    (sum, f32::from_ne_bytes(four(nr + column)))
}

#[test]
fn every_form_adds_up_to_the_definition() {
    adds_up(&PW_QS8_SCALAR);
    adds_up(&PW_QU8_SCALAR);
}

/// Two products of -128 and -128 leave 16 bits, wherever in a step they meet, and no other two do.
#[test]
fn pairs_of_least_weights_are_marked() {
    for nr in [8, 4] {
        let form = FormQ8 {
            kr: 16,
            word: Word::SignedPairs,
            in_place: true,
            windows: false,
        };
        let kernel = wants(&PW_QS8_SCALAR, nr, form);
        for (k, least, marked) in [
            (16, vec![0, 8], true),
            (16, vec![7, 15], true),
            (48, vec![18, 26], true),
            (48, vec![34, 42], true),
            (32, vec![8, 16], false),
            (32, vec![10, 18], false),
            (32, vec![0, 16], false),
            (32, vec![0, 1, 2, 3, 4, 5, 6, 7], false),
            (16, vec![0, 9], false),
            (8, vec![0, 7], false),
        ] {
            // Of the last column of the first panel or the first one of the second, whose last one is no channel.
            for channel in [nr - 1, nr] {
                let c_out = 2 * nr - 1;
                let mut weights = vec![-127; k * c_out];
                for i in &least {
                    weights[k * channel + i] = -128;
                }
                let one = Quantization::new(1.0, 0);
                let quantization = FilterQuantization {
                    input: one,
                    output: one,
                    weight_scales: &[1.0],
                    weight_zero_point: 0,
                };
                let filter = Filter::i8(&weights, None, quantization);
                let source = GemmSource {
                    c_out,
                    k,
                    segments: 1,
                    filter,
                };
                let panels = gemm_q8(&source, &kernel).unwrap();
                let (first, second) = panels.data.split_at(panels.panel_bytes);
                let found = [first, second].map(|panel| has_mark(form, nr, panel));
                let expected = [marked && channel < nr, marked && channel >= nr];
                assert_eq!(found, expected, "{k}, {least:?}");
                for head in [nr - 1, 2 * nr - 1] {
                    assert_eq!(second[4 * head..][..4], [0; 4], "{k}, {least:?}");
                }
            }
        }
    }
}

#[test]
fn a_prepared_row_is_a_header_and_whole_steps() {
    for (_, kr, word) in FORMS {
        let form = FormQ8 {
            kr,
            word,
            in_place: false,
            windows: false,
        };
        for k in [1, 2, kr, kr + 1, 9 * kr - 1, 9 * kr, 1000] {
            let words = k.next_multiple_of(kr) * form.bytes();
            let expected = (16 + words).next_multiple_of(16);
            assert_eq!(form.row_bytes(k), expected, "{word:?} {kr}, {k}");
        }
        // What no memory holds stays so, to be refused where memory is asked for.
        assert!(form.row_bytes(usize::MAX) > isize::MAX as usize);
    }
}

#[test]
fn a_tile_has_three_numbers_a_channel_and_its_taps() {
    assert_eq!(dw_tile_bytes(8, false), 8 * (3 * 4 + 9 * 2));
    // Of three rows of taps there are two pairs: the middle one is in both.
    assert_eq!(dw_tile_bytes(8, true), 8 * (3 * 4 + 6 * 2 * 2));
}
