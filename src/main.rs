//! The program `mobilenet`: classifies photographs, runs tensors, and explains the network and the kernels.

#![forbid(unsafe_code)]

mod cli;
mod labels;
mod npy;
mod output;
mod preprocess;

fn main() -> std::process::ExitCode {
    cli::main()
}
