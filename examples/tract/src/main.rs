//! `dwsep-in-tract MODEL.onnx...`: each model in tract as it is, and with the kernels of `dwsep`. One thread.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use dwsep::{F32, KernelSet};
use dwsep_in_tract::{Agreement, Report, with_dwsep};
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::{AxisOp, HashMap, ToDim};

mod timing;

const USAGE: &str = "usage: dwsep-in-tract [--rounds N] MODEL.onnx...";

fn main() -> Result<ExitCode> {
    let mut rounds = 20;
    let mut paths = vec![];
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--rounds" => {
                let number = arguments.next().context(USAGE)?;
                rounds = number.parse().context(USAGE)?;
            }
            option if option.starts_with('-') => bail!(USAGE),
            _ => paths.push(PathBuf::from(argument)),
        }
    }
    ensure!(!paths.is_empty(), USAGE);
    let mut agree = true;
    for path in paths {
        agree &= compare(&path, rounds).with_context(|| path.display().to_string())?;
    }
    Ok(ExitCode::from(u8::from(!agree)))
}

/// Prints what became of a model, how far the outputs are apart and what both take. Whether they agree.
fn compare(path: &Path, rounds: usize) -> Result<bool> {
    let model = load(path)?;
    let kernels = KernelSet::native()?;
    let (replaced, report) = with_dwsep(model.clone(), kernels)?;
    let (theirs, ours) = (model.into_optimized()?, replaced.into_optimized()?);
    let kernel = kernels.pointwise::<F32>().name();
    println!("{} ({kernel})", path.display());
    print_report(&report, &ours);

    let input = seeded_input(&theirs)?;
    let mut theirs = theirs.into_runnable()?.spawn()?;
    let mut ours = ours.into_runnable()?.spawn()?;
    let outputs = (
        ours.run(tvec![input.clone()])?,
        theirs.run(tvec![input.clone()])?,
    );
    let mut agree = true;
    for (ours, theirs) in outputs.0.iter().zip(&outputs.1) {
        let agreement = Agreement::of(ours, theirs, &report.depths)?;
        agree &= agreement.holds();
        println!(
            "  largest difference: {:.1e}, {} {:.1e}",
            agreement.difference,
            if agreement.holds() {
                "of at most"
            } else {
                "MORE THAN"
            },
            agreement.tolerance
        );
    }

    let mut run_theirs = || theirs.run(tvec![input.clone()]).map(drop);
    let mut run_ours = || ours.run(tvec![input.clone()]).map(drop);
    let [theirs, ours] = timing::take_turns(rounds, [&mut run_theirs, &mut run_ours])?;
    println!("  ms                 minimum  median");
    for (name, times) in [("tract", &theirs), ("tract with dwsep", &ours)] {
        println!("  {name:16} {:9.2} {:7.2}", times.minimum(), times.median());
    }
    let (minima, medians) = (
        ours.minimum() / theirs.minimum(),
        ours.median() / theirs.median(),
    );
    println!("  ratio            {minima:9.3} {medians:7.3}\n");
    Ok(agree)
}

/// The model as it is read, with a batch of one where the file leaves the batch open.
fn load(path: &Path) -> Result<TypedModel> {
    let model = tract_onnx::onnx().model_for_path(path)?.into_typed()?;
    let Some(batch) = model.input_fact(0)?.shape.iter().next() else {
        return Ok(model);
    };
    let one = |symbol| (symbol, 1.to_dim());
    let open: HashMap<_, _> = batch.symbols().into_iter().map(one).collect();
    if open.is_empty() {
        return Ok(model);
    }
    model.set_symbols(&open)
}

/// Numbers from -1 to 1, the same for each run.
fn seeded_input(model: &TypedModel) -> Result<TValue> {
    ensure!(model.inputs.len() == 1, "the model has several inputs");
    let fact = model.input_fact(0)?;
    let shape = fact.shape.as_concrete();
    let shape = shape.with_context(|| format!("what is the shape of an input {fact:?}?"))?;
    let mut state = 1_u32;
    let values: Vec<f32> = (0..shape.iter().product())
        .map(|_| {
            // Numerical Recipes' generator; its low bits are not random.
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect();
    Ok(Tensor::from_shape(shape, &values)?.into_tvalue())
}

fn print_report(report: &Report, optimised: &TypedModel) {
    println!(
        "  replaced: {} convolutions with {} nodes behind them by {}",
        report.depths.len(),
        report.folded,
        list(&report.operators)
    );
    println!("  tract's: {}", list(&report.stay));
    let mut reasons = BTreeMap::<_, Vec<_>>::new();
    for (name, reason) in &report.refused {
        reasons.entry(*reason).or_default().push(name);
    }
    for (reason, names) in reasons {
        println!(
            "  {} convolutions stay: {reason} (the first is {})",
            names.len(),
            names[0]
        );
    }
    let nodes = optimised.nodes().iter();
    let moves = nodes.filter(|node| matches!(node.op_as(), Some(AxisOp::Move(..))));
    println!("  transposes: {}", moves.count());
}

/// "3 Add, 1 Div"; "none".
fn list(counts: &BTreeMap<String, usize>) -> String {
    let words: Vec<_> = counts
        .iter()
        .map(|(name, n)| format!("{n} {name}"))
        .collect();
    if words.is_empty() {
        return "none".to_owned();
    }
    words.join(", ")
}
