//! The page: one file that loads nothing, in light and dark.

use std::fmt::Write;

use anyhow::Result;

use super::report::{Layer, Report, Run, ms, percent};
use super::roofline;

/// Colours by name, and the plot's stand-ins by their values.
const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1c1c1e; --soft: #66666b; --line: #dcdce0; --page: #ffffff; --compute: #2563c9; --memory: #c2540a; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ececee; --soft: #a0a0a8; --line: #3a3a40; --page: #17171a; --compute: #6ea8ff; --memory: #ff9a4d; }
}
body { margin: 0 auto; padding: 1rem; max-width: 72rem; background: var(--page); color: var(--ink); font: 16px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0.5rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2rem 0 0.5rem; }
p { margin: 0.5rem 0; max-width: 46rem; }
.soft, caption, figcaption { color: var(--soft); font-size: 0.9rem; }
.warning { border-left: 4px solid var(--memory); padding-left: 0.6rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.15rem 1rem; margin: 0; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 0.2rem 0.9rem 0.2rem 0; text-align: left; white-space: nowrap; border-bottom: 1px solid var(--line); }
th { font-weight: 600; }
.number { text-align: right; }
figure { margin: 0; max-width: 46rem; }
svg { display: block; width: 100%; max-width: 46rem; height: auto; }
.bars { display: grid; grid-template-columns: max-content 1fr; gap: 0.25rem 0.75rem; max-width: 46rem; font-variant-numeric: tabular-nums; }
.bar { display: flex; align-items: center; gap: 0.5rem; white-space: nowrap; font-size: 0.9rem; }
.bar i { flex: none; height: 0.85rem; min-width: 1px; border-radius: 2px; background: var(--soft); }
.bar .compute, .key .compute { background: var(--compute); }
.bar .memory, .key .memory { background: var(--memory); }
.key i { display: inline-block; width: 0.8rem; height: 0.8rem; border-radius: 2px; vertical-align: -0.1rem; background: var(--soft); }
";

/// The page of a report with layers.
pub fn page(report: &Report) -> Result<String> {
    let mut out = String::new();
    let title = escaped(&format!("{} on {}", report.model, report.machine.cpu()));
    write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <style>{STYLE}{}</style>\n</head>\n<body>\n<h1>{title}</h1>\n<p class=\"soft\">{}</p>\n",
        stand_ins(),
        escaped(&format!(
            "mobilenet {}, {}, {}",
            report.version, report.isa, report.date
        )),
    )?;
    if let Some(warning) = report.warning() {
        writeln!(out, "<p class=\"warning\">{}</p>", escaped(&warning))?;
    }
    let runs = table(&report.run_headings(), report.runs.iter().map(Run::cells));
    writeln!(out, "<h2>The network</h2>\n{runs}")?;
    let peak = if report.of_integers() {
        "The network multiplies integers, of which no peak is measured.".to_owned()
    } else {
        let arithmetic = report.arithmetic();
        format!("Of peak: multiply-adds at the minimum, of the {arithmetic} peak of as many cores.")
    };
    writeln!(
        out,
        "<p class=\"soft\">{}. Images a second: at the median. {peak}</p>",
        escaped(&report.method()),
    )?;
    machine(&mut out, report)?;
    if let Some(roof) = &report.roof {
        writeln!(
            out,
            "<h2>Roofline</h2>\n<figure>\n{}\n<figcaption>Each dot is a layer, with its number in the table below. Compute: the \
             {} peak. Memory: all weights, {:.1} MB, read once an inference from wherever a buffer of their size stays; inputs \
             and outputs count as cached.</figcaption>\n</figure>",
            roofline::svg(report, roof)?,
            report.arithmetic(),
            roof.weights_mb
        )?;
    }
    if !report.layers.is_empty() {
        layers(&mut out, report)?;
    }
    out.push_str("</body>\n</html>\n");
    Ok(out)
}

fn layers(out: &mut String, report: &Report) -> Result<()> {
    bars(out, &report.layers)?;
    let headings: Vec<&str> = [">#"].into_iter().chain(report.layer_headings()).collect();
    let layers = report.layers.iter().enumerate().map(|(i, layer)| {
        let mut cells = vec![(i + 1).to_string()];
        cells.extend(layer.cells(report.of_integers()));
        cells
    });
    let roofs = report.roofs().map(|roofs| format!("; {}", escaped(&roofs)));
    writeln!(
        out,
        "<h2>Layer by layer</h2>\n{}\n<p class=\"soft\">Minima{}.</p>",
        table(&headings, layers),
        roofs.unwrap_or_default()
    )?;
    Ok(())
}

fn machine(out: &mut String, report: &Report) -> Result<()> {
    let machine = &report.machine;
    let rows = [
        ("CPU", machine.cpu().to_owned()),
        ("CPUs at hand", machine.cpus.to_string()),
        ("Data caches", machine.caches()),
        ("System", format!("{} on {}", machine.os, machine.arch)),
        ("Instruction set", report.isa.clone()),
        ("CPU features", machine.features()),
        (
            "Peak of a core",
            format!(
                "{:.1} GFLOP/s ({}), {:.1} GB/s read from memory",
                report.fma_peak_gflops,
                report.arithmetic(),
                report.read_gb_per_s
            ),
        ),
        ("Peak memory", report.peak_memory()),
    ];
    out.push_str("<h2>The machine</h2>\n<dl>\n");
    for (term, text) in rows {
        writeln!(out, "<dt>{term}</dt><dd>{}</dd>", escaped(&text))?;
    }
    out.push_str("</dl>\n");
    Ok(())
}

fn bars(out: &mut String, layers: &[Layer]) -> Result<()> {
    let longest = layers.iter().map(|layer| layer.ms).fold(0.0, f64::max);
    out.push_str(
        "<h2>Where the time goes</h2>\n<p class=\"soft key\">The time of each layer, and its share of the roof that applies: \
         <i class=\"compute\"></i> compute, <i class=\"memory\"></i> memory, <i></i> none</p>\n<div class=\"bars\">\n",
    );
    for layer in layers {
        // The longest leaves room for its text, on a narrow page, too.
        let width = 50.0 * layer.ms / longest;
        let share = match layer.share_of_roof {
            Some(share) => format!(", {}", percent(share)),
            None => String::new(),
        };
        writeln!(
            out,
            "<div>{}</div><div class=\"bar\"><i class=\"{}\" style=\"width:{width:.2}%\"></i>{} ms{share}</div>",
            escaped(&layer.name),
            layer.roof.map_or("", |roof| roof.name()),
            ms(layer.ms),
        )?;
    }
    out.push_str("</div>\n");
    Ok(())
}

/// A table with headings as [`crate::cli::table::new`] takes them: those that begin with `>` are over numbers.
fn table(headings: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let cell = |tag: &str, heading: &str, text: &str| {
        let class = if heading.starts_with('>') {
            " class=\"number\""
        } else {
            ""
        };
        format!("<{tag}{class}>{}</{tag}>", escaped(text))
    };
    let head = headings
        .iter()
        .map(|heading| cell("th", heading, heading.trim_start_matches('>')));
    let mut out = format!(
        "<div class=\"wide\"><table>\n<tr>{}</tr>\n",
        head.collect::<String>()
    );
    for row in rows {
        let cells = headings
            .iter()
            .zip(&row)
            .map(|(heading, text)| cell("td", heading, text));
        out += &format!("<tr>{}</tr>\n", cells.collect::<String>());
    }
    out + "</table></div>"
}

/// The plot has stand-ins for colours, as attributes, which rules like these override.
fn stand_ins() -> String {
    let colours = [
        (roofline::INK, "ink"),
        (roofline::GRID, "line"),
        (roofline::COMPUTE, "compute"),
        (roofline::MEMORY, "memory"),
    ];
    let rule = |(colour, name): (plotters::style::RGBColor, &str)| {
        let value = format!("#{:02X}{:02X}{:02X}", colour.0, colour.1, colour.2);
        ["fill", "stroke"]
            .map(|of| format!("svg [{of}=\"{value}\"] {{ {of}: var(--{name}); }}\n"))
            .concat()
    };
    colours.map(rule).concat()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
