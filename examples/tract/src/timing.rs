//! Two engines, taking turns.

use std::time::{Duration, Instant};

use anyhow::Result;

/// Inferences in a turn. Several, so that most find the caches as they left them, as they do where one engine runs.
const TURN: usize = 10;

/// The times of the inferences of an engine, in ascending order.
pub struct Times(Vec<Duration>);

impl Times {
    pub fn minimum(&self) -> f64 {
        self.at(0)
    }

    pub fn median(&self) -> f64 {
        self.at(self.0.len() / 2)
    }

    /// In milliseconds.
    fn at(&self, index: usize) -> f64 {
        self.0[index].as_secs_f64() * 1e3
    }
}

/// Rounds A B, A B: what disturbs the machine for a while disturbs both.
pub fn take_turns(
    rounds: usize,
    mut engines: [&mut dyn FnMut() -> Result<()>; 2],
) -> Result<[Times; 2]> {
    let mut times = [vec![], vec![]];
    for _ in 0..rounds.max(1) {
        for (run, times) in engines.iter_mut().zip(&mut times) {
            // The other engine's weights are in the caches.
            run()?;
            for _ in 0..TURN {
                let start = Instant::now();
                run()?;
                times.push(start.elapsed());
            }
        }
    }
    Ok(times.map(|mut times| {
        times.sort_unstable();
        Times(times)
    }))
}
