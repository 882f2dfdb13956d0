//! What this machine can do at this moment, as a worker: probes that run between the rounds.
//!
//! | command | answer |
//! |---|---|
//! | `fma THREADS MILLISECONDS` | `ok X`: the best of many bursts, in GFLOP/s, on so many threads together |
//! | `read MEBIBYTES MILLISECONDS` | `ok X`: GB/s that one core reads of a buffer of this size |

use std::io::{self, BufRead, Write};
use std::time::Duration;

use anyhow::{Result, bail};
use mobilenet::dwsep::{KernelSet, peak};

fn main() -> Result<()> {
    let isa = KernelSet::native()?.isa();
    for line in io::stdin().lock().lines() {
        let line = line?;
        let answer = match &line.split('\t').collect::<Vec<_>>()[..] {
            ["fma", threads, time] => {
                peak::flops(isa, threads.parse()?, Duration::from_millis(time.parse()?))?
            }
            ["read", mebibytes, time] => peak::read_bytes_per_second(
                mebibytes.parse::<usize>()? << 20,
                1,
                Duration::from_millis(time.parse()?),
            )?,
            ["quit"] => break,
            _ => bail!("no such command: {line}"),
        };
        println!("ok {:.3}", answer / 1e9);
        io::stdout().flush()?;
    }
    Ok(())
}
