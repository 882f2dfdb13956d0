//! The roofline plot: operations a second over operations for each byte of weights, both logarithmic, under the two roofs.
//!
//! Source: Williams, Waterman and Patterson, "Roofline: an insightful visual performance model for multicore architectures".

use std::ops::Range;

use anyhow::{Context, Result};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::report::{Report, Roof, RoofKind};

const SIZE: (u32, u32) = (560, 390);
const FONT: (&str, u32) = ("sans-serif", 14);

/// Stand-ins: the page's style sheet gives each of these its colour, which is another one in the dark.
pub const INK: RGBColor = RGBColor(1, 1, 1);
pub const GRID: RGBColor = RGBColor(2, 2, 2);
pub const COMPUTE: RGBColor = RGBColor(3, 3, 3);
pub const MEMORY: RGBColor = RGBColor(4, 4, 4);

/// A layer in the plot.
struct Point {
    /// Its row in the tables, counted from 1.
    row: usize,
    x: f64,
    y: f64,
    roof: RoofKind,
}

/// An SVG element.
pub fn svg(report: &Report, roof: &Roof) -> Result<String> {
    let points: Vec<Point> = report
        .layers
        .iter()
        .enumerate()
        .filter_map(|(i, layer)| {
            Some(Point {
                row: i + 1,
                x: layer.flops_per_weight_byte?,
                y: layer.gflops,
                roof: layer.roof?,
            })
        })
        .collect();
    let mut svg = String::new();
    draw(&mut svg, &points, roof).context("the roofline cannot be drawn")?;
    Ok(responsive(&svg))
}

fn draw(svg: &mut String, points: &[Point], roof: &Roof) -> Result<()> {
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    // Where the roofs meet.
    let ridge = roof.gflops / roof.gb_per_s;
    let x = range(points.iter().map(|point| point.x).chain([ridge]), 4.0, 2.0);
    // Room below the lowest point for its label, above the roof for that of the roof.
    let lowest = points
        .iter()
        .map(|point| point.y)
        .chain([roof.over(x.start).0]);
    let y = range(lowest.chain([roof.gflops]), 1.8, 1.8);
    let mut chart = ChartBuilder::on(&root)
        .margin(10)
        .x_label_area_size(48)
        .y_label_area_size(64)
        .build_cartesian_2d(x.clone().log_scale(), y.log_scale())?;
    let number = |x: &f64| tick(*x);
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(INK)
        .label_style(FONT.into_font().color(&INK))
        .axis_desc_style(FONT.into_font().color(&INK))
        .x_desc("operations for each byte of weights")
        .y_desc("GFLOP/s")
        .x_label_formatter(&number)
        .y_label_formatter(&number)
        .draw()?;

    let label = |h, v| FONT.into_font().color(&INK).pos(Pos::new(h, v));
    let line = |from: f64, to: f64| [from, to].map(|x| (x, roof.over(x).0));
    chart.draw_series(LineSeries::new(line(ridge, x.end), COMPUTE.stroke_width(2)))?;
    chart.draw_series(LineSeries::new(
        line(x.start, ridge),
        MEMORY.stroke_width(2),
    ))?;
    chart.draw_series([EmptyElement::at((x.end, roof.gflops))
        + Text::new(
            format!("compute: {:.0} GFLOP/s", roof.gflops),
            (-4, -6),
            label(HPos::Right, VPos::Bottom),
        )])?;
    // Right of the line, which rises, and left of most layers.
    let middle = (x.start * ridge).sqrt();
    chart.draw_series([EmptyElement::at((middle, roof.over(middle).0))
        + Text::new(
            format!("memory: {:.1} GB/s", roof.gb_per_s),
            (12, 0),
            label(HPos::Left, VPos::Top),
        )])?;

    chart.draw_series(points.iter().map(|point| {
        let colour = match point.roof {
            RoofKind::Compute => COMPUTE,
            RoofKind::Memory => MEMORY,
        };
        Circle::new((point.x, point.y), 5, colour.filled())
    }))?;
    chart.draw_series(columns(points).into_iter().map(|column| {
        EmptyElement::at((column.x, column.y))
            + Text::new(column.rows, (0, 10), label(HPos::Center, VPos::Top))
    }))?;
    root.present()?;
    Ok(())
}

/// The text at a grid line; none but at 1, 2 and 5 times a power of ten, as the others are too near to each other.
fn tick(x: f64) -> String {
    let digit = (x / 10_f64.powf(x.log10().floor())).round();
    match digit as u32 {
        1 | 2 | 5 | 10 if x < 1.0 => format!("{x:.3}").trim_end_matches('0').to_owned(),
        1 | 2 | 5 | 10 => format!("{x:.0}"),
        _ => String::new(),
    }
}

/// From the least of `values`, divided by `below`, to the greatest, multiplied by `above`.
fn range(values: impl Iterator<Item = f64>, below: f64, above: f64) -> Range<f64> {
    let (least, greatest) = values.fold((f64::INFINITY, 0.0), |(least, greatest), x| {
        (x.min(least), x.max(greatest))
    });
    least / below..greatest * above
}

/// Points above each other, which share a label under the lowest of them.
struct Column {
    x: f64,
    y: f64,
    rows: String,
}

/// Layers with outputs of the same size lie above each other: their labels would cover each other's.
fn columns(points: &[Point]) -> Vec<Column> {
    /// Points nearer than this, as a factor, are one column: about the width of two digits.
    const NEAR: f64 = 1.5;
    let mut sorted: Vec<&Point> = points.iter().collect();
    sorted.sort_unstable_by(|a, b| a.x.total_cmp(&b.x));
    let groups = sorted.chunk_by(|a, b| b.x / a.x < NEAR);
    groups
        .map(|group| {
            let mut rows: Vec<usize> = group.iter().map(|point| point.row).collect();
            rows.sort_unstable();
            let n = group.len() as f64;
            Column {
                x: (group.iter().map(|point| point.x.ln()).sum::<f64>() / n).exp(),
                y: group
                    .iter()
                    .map(|point| point.y)
                    .fold(f64::INFINITY, f64::min),
                rows: ranges(&rows),
            }
        })
        .collect()
}

/// `[1, 2, 3, 5]` as "1-3, 5", with a dash as in print.
fn ranges(sorted: &[usize]) -> String {
    let runs = sorted.chunk_by(|a, b| a + 1 == *b);
    let texts: Vec<String> = runs
        .map(|run| match run {
            [one] => one.to_string(),
            [first, .., last] => format!("{first}\u{2013}{last}"),
            [] => String::new(),
        })
        .collect();
    texts.join(", ")
}

/// The element as wide as the page lets it, whatever size it was drawn for, and as HTML has it: without a namespace.
fn responsive(svg: &str) -> String {
    let (width, height) = SIZE;
    svg.replacen(&format!("width=\"{width}\" height=\"{height}\" "), "", 1)
        .replacen(" xmlns=\"http://www.w3.org/2000/svg\"", "", 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(row: usize, x: f64, y: f64) -> Point {
        let roof = RoofKind::Compute;
        Point { row, x, y, roof }
    }

    #[test]
    fn neighbours_share_a_label() {
        let points = [
            point(3, 100.0, 7.0),
            point(1, 4.0, 5.0),
            point(2, 101.0, 6.0),
            point(5, 99.0, 9.0),
        ];
        let columns: Vec<_> = columns(&points)
            .into_iter()
            .map(|x| (x.rows, x.y))
            .collect();
        assert_eq!(
            columns,
            [("1".to_owned(), 5.0), ("2\u{2013}3, 5".to_owned(), 6.0)]
        );
    }

    #[test]
    fn grid_lines_are_named_sparsely() {
        let cases = [
            (0.1, "0.1"),
            (0.02, "0.02"),
            (1.0, "1"),
            (5.0, "5"),
            (9.0, ""),
            (30.0, ""),
            (1000.0, "1000"),
        ];
        for (x, text) in cases {
            assert_eq!(tick(x), text);
        }
    }

    #[test]
    fn the_plot_has_no_size_of_its_own() {
        let roof = Roof {
            threads: 1,
            gflops: 100.0,
            gb_per_s: 20.0,
            weights_mb: 1.0,
        };
        for points in [
            vec![],
            vec![point(1, 50.0, 30.0)],
            vec![point(1, 1e-3, 1e-6), point(2, 1e6, 1e3)],
        ] {
            let mut svg = String::new();
            draw(&mut svg, &points, &roof).unwrap();
            assert_eq!(svg.matches("<circle").count(), points.len());
            assert!(responsive(&svg).contains("<svg viewBox"), "{svg}");
        }
    }
}
