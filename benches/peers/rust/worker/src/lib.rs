//! The line protocol that every engine speaks, in whatever language its worker is: a command a line on stdin, an answer a line on
//! stdout.
//!
//! | command | answer |
//! |---|---|
//! | `load MODEL INPUT HEIGHT WIDTH THREADS` | `ok ISA`; the network with that input, `INPUT` a file of f32 in the order `[H, W, C]` |
//! | `run N` | `times T1 .. TN`, nanoseconds of each of N inferences |
//! | `output FILE` | `ok LENGTH`; writes the logits of the last inference as f32 |
//! | `quit` | |
//!
//! An answer `error MESSAGE` may follow any of them. Files have names without spaces, or the fields are separated by tabs.

use std::io::{self, BufRead, Write};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};

/// An engine with a network in it.
pub trait Engine: Sized {
    /// Loads the network and takes the input, f32 in the order `[H, W, 3]`.
    fn load(
        model: &Path,
        input: Vec<f32>,
        height: usize,
        width: usize,
        threads: usize,
    ) -> Result<Self>;

    /// The best instruction set that it uses here.
    fn isa(&self) -> String;

    /// One inference.
    fn run(&mut self) -> Result<()>;

    /// The logits of the last inference.
    fn output(&self) -> Result<Vec<f32>>;
}

/// Answers commands until stdin ends.
pub fn serve<E: Engine>() -> Result<()> {
    let mut engine: Option<E> = None;
    let mut stdout = io::stdout();
    for line in io::stdin().lock().lines() {
        let line = line?;
        let fields: Vec<&str> = line.split('\t').collect();
        if fields == ["quit"] {
            break;
        }
        let answer = answer(&mut engine, &fields)
            .unwrap_or_else(|error| format!("error {}", format!("{error:#}").replace('\n', " ")));
        writeln!(stdout, "{answer}")?;
        stdout.flush()?;
    }
    Ok(())
}

fn answer<E: Engine>(engine: &mut Option<E>, fields: &[&str]) -> Result<String> {
    match (fields, engine) {
        (&["load", model, input, height, width, threads], engine) => {
            let input = read(Path::new(input))?;
            let loaded = E::load(
                Path::new(model),
                input,
                height.parse()?,
                width.parse()?,
                threads.parse()?,
            )?;
            Ok(format!("ok {}", engine.insert(loaded).isa()))
        }
        (&["run", times], Some(engine)) => {
            let mut answer = String::from("times");
            let mut times: Vec<u128> = vec![0; times.parse()?];
            for time in &mut times {
                let start = Instant::now();
                engine.run()?;
                *time = start.elapsed().as_nanos();
            }
            for time in times {
                answer += &format!(" {time}");
            }
            Ok(answer)
        }
        (&["output", file], Some(engine)) => {
            let output = engine.output()?;
            let bytes: Vec<u8> = output.iter().flat_map(|x| x.to_le_bytes()).collect();
            std::fs::write(file, bytes).with_context(|| file.to_owned())?;
            Ok(format!("ok {}", output.len()))
        }
        _ => bail!("no such command, or nothing loaded: {}", fields.join(" ")),
    }
}

fn read(path: &Path) -> Result<Vec<f32>> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    Ok(bytes
        .as_chunks()
        .0
        .iter()
        .map(|&x| f32::from_le_bytes(x))
        .collect())
}

/// `[H, W, C]` as `[C, H, W]`.
pub fn channels_first(input: &[f32], channels: usize) -> Vec<f32> {
    (0..channels)
        .flat_map(|c| input[c..].iter().step_by(channels).copied())
        .collect()
}
