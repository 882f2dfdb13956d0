//! The command line: one file per subcommand, and what they share.
//!
//! Results go to stdout and nothing else does. An error is one line on stderr that says where, what was found and what was
//! expected; the exit code is then 1, and 2 where the command line itself was wrong.

mod bench;
mod classify;
mod kernels;
mod quantize;
mod run;
mod summary;
mod table;

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread::available_parallelism;

use anyhow::{Context, Error, Result};
use clap::{Args, Parser, Subcommand};
use dwsep::KernelSet;
use mobilenet::{Engine, Model};

/// MobileNet on the CPU, by the kernels of `dwsep`.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
#[command(
    after_help = "DWSEP_ISA=NAME in the environment limits the instruction set for every command; \
    it never raises what --isa asks for."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Classify(classify::Classify),
    Run(run::Run),
    Summary(summary::Summary),
    Kernels(kernels::Kernels),
    Bench(bench::Bench),
    Quantize(quantize::Quantize),
}

/// Runs the program on the process's arguments.
pub fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Classify(command) => command.run(),
        Command::Run(command) => command.run(),
        Command::Summary(command) => command.run(),
        Command::Kernels(command) => command.run(),
        Command::Bench(command) => command.run(),
        Command::Quantize(command) => command.run(),
    };
    match result {
        Ok(Outcome::Whole) => ExitCode::SUCCESS,
        Ok(Outcome::InPart) => ExitCode::FAILURE,
        // Whoever read our stdout has seen enough, `mobilenet ... | head` for instance.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            ExitCode::FAILURE
        }
    }
}

/// How a command ended that came to its end.
enum Outcome {
    /// All that was asked for is done.
    Whole,
    /// Something failed, has been reported, and did not stop the rest.
    InPart,
}

/// Where the computation takes place.
#[derive(Args)]
struct EngineArgs {
    /// Threads to compute on [default: the CPUs at hand, at most 8, beyond which so small a network gains nothing]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    threads: Option<usize>,

    #[command(flatten)]
    isa: IsaArgs,
}

impl EngineArgs {
    fn engine(&self) -> Result<Engine> {
        let at_hand = || available_parallelism().map_or(1, |n| n.get().min(8));
        let kernels = self.isa.kernels()?;
        Ok(Engine::new(
            self.threads.unwrap_or_else(at_hand),
            Some(kernels.isa()),
        )?)
    }
}

/// Which kernels compute.
#[derive(Args, Default)]
struct IsaArgs {
    /// Best instruction set to use: scalar, portable, avx2_fma, avx_vnni, avx512, avx512_vnni, neon_in_order, neon, neon_dotprod or neon_i8mm
    /// [default: the best that this CPU has]
    #[arg(long, value_name = "NAME")]
    isa: Option<String>,
}

impl IsaArgs {
    /// The kernels up to the instruction set; an error says whether it or DWSEP_ISA is at fault.
    fn kernels(&self) -> Result<KernelSet> {
        let native = KernelSet::native().context("DWSEP_ISA")?;
        match &self.isa {
            None => Ok(native),
            Some(name) => name.parse().and_then(KernelSet::up_to).context("--isa"),
        }
    }
}

/// Which network is computed.
#[derive(Args)]
struct ModelArgs {
    /// A network in a TensorFlow Lite file, float or quantised; or weights of MobileNetV1 in a safetensors file, with the tensor
    /// names of Hugging Face's checkpoints [default: MobileNetV1 1.0/224, trained on ImageNet, which is part of this program]
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,

    /// Which of the two networks that are part of this program [default: f32]
    #[arg(long, value_name = "TYPE", conflicts_with = "model")]
    dtype: Option<EmbeddedType>,
}

/// The types that the default network is there in.
#[derive(Clone, Copy, clap::ValueEnum)]
enum EmbeddedType {
    /// As it was trained
    F32,
    /// Quantised: faster, with a quarter of the weights' memory
    Int8,
}

impl ModelArgs {
    /// Whether a network has been named.
    fn is_given(&self) -> bool {
        self.model.is_some() || self.dtype.is_some()
    }

    fn load(&self, engine: &Engine) -> Result<Model> {
        Ok(match (&self.model, self.dtype) {
            (Some(path), _) => Model::load(path, engine)?,
            (None, Some(EmbeddedType::Int8)) => Model::embedded_int8(engine)?,
            (None, Some(EmbeddedType::F32) | None) => Model::embedded(engine)?,
        })
    }
}

/// Parses a count.
fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("expected at least 1".into()),
        Ok(count) => Ok(count),
        Err(_) => Err(format!("expected a number from 1 to {}", usize::MAX)),
    }
}

/// Writes results to stdout.
fn to_stdout(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let mut out = io::stdout().lock();
    write(&mut out).and_then(|()| out.flush()).context(Stdout)
}

/// Marks the errors of [`to_stdout`].
#[derive(Debug)]
struct Stdout;

impl fmt::Display for Stdout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stdout")
    }
}

/// Writes `value` as JSON and a newline.
fn write_json(out: &mut dyn Write, value: &impl serde::Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}

/// Prints `error` with its causes as one line, whatever file names and causes contain.
fn report(error: &Error) {
    let line = format!("error: {error:#}");
    let line: String = line
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    // If stderr is gone too, only the exit code is left to tell.
    let _ = writeln!(io::stderr(), "{line}");
}

fn is_broken_pipe(error: &Error) -> bool {
    let cause = error.root_cause().downcast_ref::<io::Error>();
    error.is::<Stdout>() && cause.is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}
