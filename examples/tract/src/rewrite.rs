//! The pass over tract's graph.
//!
//! ONNX's tensors are NCHW, ours NHWC. So for each tensor of the old graph the new one may have two, one in each layout:
//!
//! ```text
//! input --Move(1, 3)--> Conv3x3 --> Separable --> ... --> Separable --Move(3, 1)--> mean, classifier
//! NCHW                  NHWC        NHWC                  NHWC                      NCHW
//! ```
//! An operator of ours asks for its input in NHWC and gives its output in NHWC, the others ask for NCHW, and what is asked for but not
//! there is made by moving an axis. So axes are moved at the borders only. Operations on each element by itself, such as the sum of a
//! residual block, work in either layout, and take what is there.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::iter;

use dwsep::KernelSet;
use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::ops::binary::TypedBinOp;
use tract_onnx::tract_core::ops::cnn::Conv;
use tract_onnx::tract_core::ops::element_wise::ElementWiseOp;
use tract_onnx::tract_core::ops::konst::Const;
use tract_onnx::tract_core::ops::source::TypedSource;

use crate::layer::Layer;
use crate::op::DwsepOp;

/// What became of the nodes of a model.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Operators of ours, by their names.
    pub operators: BTreeMap<String, usize>,
    /// For each convolution in them, how many products its sums have.
    pub depths: Vec<usize>,
    /// Nodes behind them that are in their weights or their stores now: clamps, batch norms.
    pub folded: usize,
    /// Convolutions that stay tract's, with the reason.
    pub refused: Vec<(String, &'static str)>,
    /// Nodes that stay tract's, by the names of their operators.
    pub stay: BTreeMap<String, usize>,
}

/// The same model with its convolutions computed by `dwsep`, where it has a kernel for them.
///
/// Takes a model as it is read, before `into_optimized` or `into_decluttered`, which turn convolutions into operators of other kinds.
pub fn with_dwsep(mut model: TypedModel, kernels: KernelSet) -> TractResult<(TypedModel, Report)> {
    // Casts and reshapes of weights become constants.
    model.prop_consts()?;
    let model = &model;
    let mut pass = Pass::new(model);
    let mut layers = HashMap::new();
    for node in model.nodes() {
        if let Some(conv) = node.op_as::<Conv>() {
            let layer =
                Layer::read(model, node, conv).with_context(|| format!("reading {node}"))?;
            match layer {
                Ok(layer) => {
                    layers.insert(node.id, layer);
                }
                Err(reason) => pass.report.refused.push((node.name.clone(), reason)),
            }
        }
    }
    let mut done = HashSet::<usize>::new();
    // Inputs first: the order of evaluation leaves out those that nothing takes, which are part of the interface.
    for input in model.input_outlets()? {
        pass.keep(model.node(input.node))?;
        done.insert(input.node);
    }
    for id in model.eval_order()? {
        if done.contains(&id) {
            continue;
        }
        let node = model.node(id);
        match layers.get(&id) {
            Some(layer) => {
                let second = partner(model, &layers, layer)?;
                pass.replace(node, layer, second, kernels)
                    .with_context(|| format!("replacing {node}"))?;
                done.extend(&layer.nodes);
                done.extend(second.into_iter().flat_map(|layer| &layer.nodes));
            }
            None => pass.keep(node).with_context(|| format!("keeping {node}"))?,
        }
    }
    pass.finish()
}

/// The pointwise convolution that is one operator with the depthwise `layer`.
fn partner<'l>(
    model: &TypedModel,
    layers: &'l HashMap<usize, Layer>,
    layer: &Layer,
) -> TractResult<Option<&'l Layer>> {
    let &[inlet] = model.outlet_successors(layer.output) else {
        return Ok(None);
    };
    if model.output_outlets()?.contains(&layer.output) {
        return Ok(None);
    }
    let next = layers.get(&inlet.node);
    Ok(next.filter(|next| layer.is_separable_with(next)))
}

/// Where the channels are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Layout {
    AsItWas,
    Nhwc,
}

struct Pass<'m> {
    source: &'m TypedModel,
    target: TypedModel,
    /// Tensors of the old graph in the new one.
    wires: HashMap<(OutletId, Layout), OutletId>,
    report: Report,
}

impl<'m> Pass<'m> {
    fn new(source: &'m TypedModel) -> Self {
        Self {
            source,
            target: TypedModel {
                symbols: source.symbols.clone(),
                properties: source.properties.clone(),
                ..TypedModel::default()
            },
            wires: HashMap::new(),
            report: Report::default(),
        }
    }

    /// Puts an operator of ours in the place of a convolution, or of two.
    fn replace(
        &mut self,
        node: &TypedNode,
        first: &Layer,
        second: Option<&Layer>,
        kernels: KernelSet,
    ) -> TractResult<()> {
        let op = DwsepOp::new(first.kernel(kernels, second)?);
        *self.report.operators.entry(op.name().into()).or_default() += 1;
        for layer in iter::once(first).chain(second) {
            self.report.depths.push(layer.depth());
            self.report.folded += layer.nodes.len() - 1;
        }
        let input = self.get(first.input, Layout::Nhwc)?;
        let output = self.target.wire_node(&node.name, op, &[input])?[0];
        let computed = second.unwrap_or(first).output;
        self.wires.insert((computed, Layout::Nhwc), output);
        Ok(())
    }

    /// Takes a node over as it is.
    fn keep(&mut self, node: &TypedNode) -> TractResult<()> {
        if !node.op_is::<Const>() && !node.op_is::<TypedSource>() {
            let name = node.op().name().into();
            *self.report.stay.entry(name).or_default() += 1;
        }
        let layout = self.layout_for(node)?;
        let inputs = self.get_all(&node.inputs, layout)?;
        let op = node.op.clone();
        let outputs = self.target.wire_node(&node.name, op, &inputs)?;
        for (slot, output) in outputs.into_iter().enumerate() {
            let outlet = OutletId::new(node.id, slot);
            self.wires.insert((outlet, layout), output);
        }
        Ok(())
    }

    /// NHWC for what computes each element by itself, where its inputs are there in NHWC, or are constants, which cost nothing to move.
    fn layout_for(&self, node: &TypedNode) -> TractResult<Layout> {
        let elementwise = node.op_is::<TypedBinOp>() || node.op_is::<ElementWiseOp>();
        let is_there = |input: &OutletId| self.wires.contains_key(&(*input, Layout::Nhwc));
        let (inputs, _) = self.source.node_facts(node.id)?;
        let mut inputs = node.inputs.iter().zip(inputs);
        let fits = inputs.all(|(input, fact)| is_there(input) || fact.konst.is_some());
        let is_ours = elementwise && fits && node.inputs.iter().any(is_there);
        Ok(if is_ours {
            Layout::Nhwc
        } else {
            Layout::AsItWas
        })
    }

    /// A tensor of the old graph, in a layout. Where the new graph has it in the other one only, an axis is moved.
    fn get(&mut self, outlet: OutletId, layout: Layout) -> TractResult<OutletId> {
        if let Some(&there) = self.wires.get(&(outlet, layout)) {
            return Ok(there);
        }
        let (other, op, suffix) = match layout {
            Layout::Nhwc => (Layout::AsItWas, AxisOp::Move(1, 3), "nhwc"),
            Layout::AsItWas => (Layout::Nhwc, AxisOp::Move(3, 1), "nchw"),
        };
        let from = *self
            .wires
            .get(&(outlet, other))
            .with_context(|| format!("{outlet:?} is used before it is made"))?;
        let name = format!("{}.{suffix}", self.source.node(outlet.node).name);
        let name = self.target.unique_name(name).into_owned();
        let made = self.target.wire_node(name, op, &[from])?[0];
        self.wires.insert((outlet, layout), made);
        Ok(made)
    }

    fn get_all(&mut self, outlets: &[OutletId], layout: Layout) -> TractResult<TVec<OutletId>> {
        let outlets = outlets.iter();
        outlets.map(|&outlet| self.get(outlet, layout)).collect()
    }

    /// The new model, with the inputs and outputs of the old one.
    fn finish(mut self) -> TractResult<(TypedModel, Report)> {
        let source = self.source;
        let inputs = self.get_all(source.input_outlets()?, Layout::AsItWas)?;
        let outputs = self.get_all(source.output_outlets()?, Layout::AsItWas)?;
        self.target.set_input_outlets(&inputs)?;
        self.target.select_output_outlets(&outputs)?;
        for (outlet, label) in &source.outlet_labels {
            if let Some(&outlet) = self.wires.get(&(*outlet, Layout::AsItWas)) {
                self.target.set_outlet_label(outlet, label.clone())?;
            }
        }
        Ok((self.target, self.report))
    }
}
