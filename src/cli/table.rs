//! Plain tables: columns two spaces apart, no rules, so that `awk` and people can read them.

use std::fmt::Display;

use comfy_table::{CellAlignment, Table, presets};

/// A table whose columns have these headings. Those that begin with `>` are aligned to the right.
pub fn new(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(
        headings
            .iter()
            .map(|heading| heading.trim_start_matches('>')),
    );
    for (heading, column) in headings.iter().zip(table.column_iter_mut()) {
        column.set_padding((0, 2));
        if heading.starts_with('>') {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// A count with its thousands set apart, 4,231,976.
pub fn grouped(count: impl Display) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        for (count, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (568_740_352, "568,740,352"),
        ] {
            assert_eq!(grouped(count), text);
        }
    }

    #[test]
    fn columns_are_aligned() {
        let mut table = new(&["name", ">count"]);
        table.add_row(["a", "12"]).add_row(["long", "7"]);
        assert_eq!(table.trim_fmt(), "name  count\na        12\nlong      7");
    }
}
