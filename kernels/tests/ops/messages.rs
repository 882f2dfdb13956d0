//! What errors say to people.

use super::*;

#[test]
fn messages_name_the_operand_and_both_numbers() {
    for (error, message) in [
        (zero("input", "h"), "input: h is 0, expected at least 1"),
        (
            mismatch("bias", "length", 3, 4),
            "bias: length is 4, expected 3",
        ),
        (
            Error::TooShort {
                operand: "view",
                needed: 9,
                found: 8,
            },
            "view: 8 elements, expected at least 9",
        ),
        (
            Error::Overlap {
                operand: "view",
                dim: "w",
                needed: 5,
                found: 4,
            },
            "view: the stride of w is 4, at least 5 keeps elements apart",
        ),
        (
            Error::WindowTooLarge {
                dim: "height",
                padded: 2,
                window: 3,
            },
            "input: the padded height is 2, the window needs at least 3",
        ),
        (
            Error::WorkspaceTooSmall {
                needed: 100,
                found: 99,
            },
            "workspace: 99 bytes, expected at least 100",
        ),
        (
            Error::RowRange {
                start: 4,
                end: 2,
                rows: 8,
            },
            "rows 4..2: expected a non-empty range within 0..8",
        ),
    ] {
        assert_eq!(error.to_string(), message);
    }
    assert!(overflow("weights").to_string().starts_with("weights: "));
}
