//! Whole networks, on one thread and on two, and their layers as they run inside: behind each other, with the weights of all of
//! them competing for the caches. That is where a layer has to be fast.

use std::cell::RefCell;

use anyhow::Result;
use mobilenet::Engine;

mod shapes;
mod suite;

use shapes::{Layer, Network};
use suite::{Buffer, Case, Measured, Suite};

const THREADS: [usize; 2] = [1, 2];

fn main() -> Result<()> {
    let mut suite = Suite::new()?;
    let networks = Network::selected(&Network::DEFAULT)?;
    let tiers = suite.tiers()?;
    let mut inside = Vec::new();
    let mut group = suite.group("mobilenet", "whole networks, batch 1");
    for network in &networks {
        let layers = network.layers()?;
        for kernels in &tiers {
            for threads in THREADS {
                let engine = Engine::new(threads, Some(kernels.isa()))?;
                let case = case(&network.name(), &layers, &engine);
                let times = RefCell::new(vec![Vec::new(); layers.len()]);
                let measured = group.bench(case, || run(network, &layers, &engine, &times));
                if let Some(whole) = measured {
                    let title = format!("{} on {}", network.name(), whole.case.variant);
                    inside.push((title, rows(whole, &layers, times.into_inner())));
                }
            }
        }
    }
    group.finish();
    for (title, rows) in inside {
        suite.print(&format!("mobilenet: the layers inside of {title}"), &rows);
    }
    suite.finish()
}

fn case(name: &str, layers: &[Layer], engine: &Engine) -> Case {
    let (isa, threads) = (engine.kernels().isa(), engine.threads());
    Case {
        label: name.to_owned(),
        variant: format!("{isa}_{threads}t"),
        isa,
        threads,
        macs: layers.iter().map(Layer::macs).sum(),
        bytes: layers.iter().map(Layer::bytes).sum(),
    }
}

/// A run of the network, which notes for each of `layers` how many seconds it took.
fn run<'a>(
    network: &Network,
    layers: &'a [Layer],
    engine: &'a Engine,
    times: &'a RefCell<Vec<Vec<f64>>>,
) -> impl FnMut() + use<'a> {
    let model = network.model(engine.kernels()).expect("model");
    let mut session = model
        .session(network.input(), engine.threads())
        .expect("session");
    let input = Buffer::random(network.input(), 1);
    move || {
        let mut next = 0;
        let mut times = times.borrow_mut();
        session
            .run_with(engine, input.view(), &mut |layer| {
                // Layers that multiply nothing are not among them.
                if layers
                    .get(next)
                    .is_some_and(|expected| expected.name == layer.name)
                {
                    times[next].push(layer.elapsed.as_secs_f64());
                    next += 1;
                }
            })
            .expect("run");
        assert_eq!(next, layers.len(), "the hook sees every layer of the table");
    }
}

/// The layers of a network that has been measured, held against the same peak.
fn rows(whole: &Measured, layers: &[Layer], times: Vec<Vec<f64>>) -> Vec<Measured> {
    let row = |(layer, mut times): (&Layer, Vec<f64>)| {
        times.sort_unstable_by(f64::total_cmp);
        Measured {
            case: Case {
                label: layer.name.clone(),
                variant: layer.label(),
                macs: layer.macs(),
                bytes: layer.bytes(),
                ..whole.case.clone()
            },
            min: times[0],
            median: times[times.len() / 2],
            peak: whole.peak,
        }
    };
    layers.iter().zip(times).map(row).collect()
}
