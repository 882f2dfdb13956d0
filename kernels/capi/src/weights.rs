//! Packed weights: handles, and what makes them.

use core::any::Any;
use core::ffi::c_char;

use dwsep::{
    Activation, Conv3x3, Depthwise, F32, Filter, FilterQuantization, Isa, Nhwc, PackedConv3x3,
    PackedDepthwise, PackedPointwise, Padding, Pointwise, Qs8, Qu8, Quantised, Scheme, Separable,
    Stride,
};

use crate::boundary::Caller;
use crate::isa::{kernels, number};
use crate::op::Op;
use crate::status::{Failure, guard};
use crate::tensor::{Element, expect_reserved};
use crate::types::dwsep_type::{self, *};
use crate::types::*;

/// Weights, packed for the kernel that they will run on and bound to it. Immutable: any number of threads may use one at the same time.
pub struct dwsep_weights(Box<dyn Weights>);

/// Of any op and any scheme. Virtual, so that a program that never packs integers does not link their kernels.
pub(crate) trait Weights: Any + Send + Sync {
    fn kernel(&self) -> (&'static str, Isa);
    fn bytes(&self) -> usize;

    fn depthwise(&self, _: Nhwc, _: Window, _: Activation) -> Result<Box<dyn Op>, Failure> {
        Err(other_weights("those of a depthwise convolution"))
    }
    fn pointwise(&self, _: Nhwc, _: Activation) -> Result<Box<dyn Op>, Failure> {
        Err(other_weights("those of a pointwise convolution"))
    }
    fn conv3x3(&self, _: Nhwc, _: Window, _: Activation) -> Result<Box<dyn Op>, Failure> {
        Err(other_weights("those of a dense 3x3 convolution"))
    }
    /// Of depthwise weights; `pointwise` are those that follow.
    fn separable(
        &self,
        _pointwise: &dyn Weights,
        _: Nhwc,
        _: Window,
        _: [Activation; 2],
    ) -> Result<Box<dyn Op>, Failure> {
        Err(other_weights("those of a depthwise convolution"))
    }
}

/// How a window moves, as the kernels have it.
pub(crate) type Window = (Stride, Padding);

fn other_weights(expected: &'static str) -> Failure {
    let operand = "weights";
    Failure::Weights { operand, expected }
}

impl<S: Scheme> Weights for PackedDepthwise<S>
where
    S::Elem: Element,
{
    fn kernel(&self) -> (&'static str, Isa) {
        let kernel = PackedDepthwise::kernel(self);
        (kernel.name(), kernel.isa())
    }

    fn bytes(&self) -> usize {
        self.packed_bytes()
    }

    fn depthwise(
        &self,
        input: Nhwc,
        (stride, padding): Window,
        activation: Activation,
    ) -> Result<Box<dyn Op>, Failure> {
        let op = Depthwise::new(self, input, stride, padding, activation)?;
        Ok(Box::new(op))
    }

    fn separable(
        &self,
        pointwise: &dyn Weights,
        input: Nhwc,
        (stride, padding): Window,
        [first, second]: [Activation; 2],
    ) -> Result<Box<dyn Op>, Failure> {
        let pointwise: &dyn Any = pointwise;
        let pointwise: &PackedPointwise<S> = pointwise.downcast_ref().ok_or(Failure::Weights {
            operand: "pointwise",
            expected: "those of a pointwise convolution of the type of the depthwise one",
        })?;
        let op = Separable::new(self, pointwise, input, stride, padding, first, second)?;
        Ok(Box::new(op))
    }
}

impl<S: Scheme> Weights for PackedPointwise<S>
where
    S::Elem: Element,
{
    fn kernel(&self) -> (&'static str, Isa) {
        let kernel = PackedPointwise::kernel(self);
        (kernel.name(), kernel.isa())
    }

    fn bytes(&self) -> usize {
        self.packed_bytes()
    }

    fn pointwise(&self, input: Nhwc, activation: Activation) -> Result<Box<dyn Op>, Failure> {
        Ok(Box::new(Pointwise::new(self, input, activation)?))
    }
}

impl<S: Scheme> Weights for PackedConv3x3<S>
where
    S::Elem: Element,
{
    fn kernel(&self) -> (&'static str, Isa) {
        let kernel = PackedConv3x3::kernel(self);
        (kernel.name(), kernel.isa())
    }

    fn bytes(&self) -> usize {
        self.packed_bytes()
    }

    fn conv3x3(
        &self,
        input: Nhwc,
        (stride, padding): Window,
        activation: Activation,
    ) -> Result<Box<dyn Op>, Failure> {
        let op = Conv3x3::new(self, input, stride, padding, activation)?;
        Ok(Box::new(op))
    }
}

impl dwsep_weights {
    pub(crate) fn get(&self) -> &dyn Weights {
        &*self.0
    }
}

impl Caller {
    /// What every function that packs does.
    fn pack(
        &self,
        weights: *mut *mut dwsep_weights,
        pack: impl FnOnce() -> Result<Box<dyn Weights>, Failure>,
    ) -> Result<(), Failure> {
        let slot = self.slot(weights, "weights")?;
        slot.fill(dwsep_weights(pack()?));
        Ok(())
    }

    fn filter_f32(&self, filter: *const dwsep_filter_f32) -> Result<Filter<'_, F32>, Failure> {
        let filter = self.get(filter, "filter")?;
        expect_reserved("filter", filter.reserved)?;
        let weights = self.slice(filter.weights, filter.weights_len, "weights")?;
        let bias = self.optional_slice(filter.bias, filter.bias_len, "bias")?;
        let packed = Filter::new(weights, bias);
        match filter.flags {
            0 => Ok(packed),
            DWSEP_FLUSH_SUBNORMALS => Ok(packed.flush_subnormals()),
            flags => Err(Failure::Value {
                operand: "flags",
                found: flags.into(),
                expected: "0 or DWSEP_FLUSH_SUBNORMALS",
            }),
        }
    }

    fn filter_q8<S: Quantised>(&self, filter: &dwsep_filter_q8) -> Result<Filter<'_, S>, Failure> {
        expect_reserved("filter", filter.reserved)?;
        let (weights, len) = (filter.weights, filter.weights_len);
        let bias = self.optional_slice(filter.bias, filter.bias_len, "bias")?;
        let weight_scales = self.slice(
            filter.weight_scales,
            filter.weight_scales_len,
            "weight scales",
        )?;
        let quantization = FilterQuantization {
            input: filter.input.into(),
            output: filter.output.into(),
            weight_scales,
            weight_zero_point: filter.weight_zero_point,
        };
        match dwsep_type::of_c(filter.weights_type, "weights")? {
            DWSEP_I8 => {
                let weights = self.slice(weights.cast(), len, "weights")?;
                Ok(Filter::i8(weights, bias, quantization))
            }
            DWSEP_U8 => {
                let weights = self.slice(weights.cast(), len, "weights")?;
                Ok(Filter::u8(weights, bias, quantization))
            }
            found @ DWSEP_F32 => Err(eight_bits("weights", found)),
        }
    }
}

fn depthwise<S: Scheme<Elem: Element>>(
    isa: dwsep_raw_isa,
    channels: usize,
    filter: Filter<'_, S>,
) -> Result<Box<dyn Weights>, Failure> {
    let kernel = kernels(isa)?.depthwise();
    Ok(Box::new(PackedDepthwise::pack(kernel, channels, filter)?))
}

fn pointwise<S: Scheme<Elem: Element>>(
    isa: dwsep_raw_isa,
    (c_in, c_out): (usize, usize),
    filter: Filter<'_, S>,
) -> Result<Box<dyn Weights>, Failure> {
    let kernel = kernels(isa)?.pointwise_for(c_in);
    Ok(Box::new(PackedPointwise::pack(
        kernel, c_in, c_out, filter,
    )?))
}

fn conv3x3<S: Scheme<Elem: Element>>(
    isa: dwsep_raw_isa,
    (c_in, c_out): (usize, usize),
    filter: Filter<'_, S>,
) -> Result<Box<dyn Weights>, Failure> {
    let kernel = kernels(isa)?.pointwise_for(c_in.saturating_mul(9));
    Ok(Box::new(PackedConv3x3::pack(kernel, c_in, c_out, filter)?))
}

/// One of the 8-bit types was expected.
pub(crate) fn eight_bits(operand: &'static str, found: dwsep_type) -> Failure {
    Failure::Type {
        operand,
        expected: "DWSEP_I8 or DWSEP_U8",
        found: found.name(),
    }
}

/// `$body` with the scheme of an 8-bit type as `$s`.
macro_rules! by_scheme {
    ($raw:expr, $operand:literal, $s:ident => $body:expr) => {
        match dwsep_type::of_c($raw, $operand)? {
            DWSEP_I8 => {
                type $s = Qs8;
                $body
            }
            DWSEP_U8 => {
                type $s = Qu8;
                $body
            }
            found @ DWSEP_F32 => Err($crate::weights::eight_bits($operand, found)),
        }
    };
}
pub(crate) use by_scheme;

impl From<dwsep_quantization> for dwsep::Quantization {
    fn from(dwsep_quantization { scale, zero_point }: dwsep_quantization) -> Self {
        Self { scale, zero_point }
    }
}

/// Weights `[3, 3, channels]` of a depthwise 3x3 convolution in f32, packed for the best kernel up to `isa` into a new
/// handle.
///
/// DWSEP_NULL_POINTER, DWSEP_MISALIGNED, DWSEP_INVALID_VALUE; DWSEP_UNKNOWN_ISA and DWSEP_ISA_UNAVAILABLE as `dwsep_isa_resolve`;
/// DWSEP_ZERO_DIMENSION; DWSEP_SHAPE_MISMATCH where an array has another length than the dimensions say; DWSEP_SIZE_OVERFLOW;
/// DWSEP_OUT_OF_MEMORY. `*weights` is NULL then.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dwsep_weights_create_depthwise_f32(
    isa: dwsep_raw_isa,
    channels: usize,
    filter: *const dwsep_filter_f32,
    weights: *mut *mut dwsep_weights,
) -> dwsep_status {
    // SAFETY: this function's caller promises it.
    let caller = unsafe { Caller::promises() };
    guard(|| {
        caller.pack(weights, || {
            depthwise(isa, channels, caller.filter_f32(filter)?)
        })
    })
}

/// The same in 8-bit integers.
///
/// As `dwsep_weights_create_depthwise_f32`, and DWSEP_TYPE_MISMATCH for types other than DWSEP_I8 and DWSEP_U8; DWSEP_INVALID_SCALE,
/// DWSEP_INVALID_ZERO_POINT, DWSEP_ACCUMULATOR_OVERFLOW.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dwsep_weights_create_depthwise_q8(
    isa: dwsep_raw_isa,
    channels: usize,
    filter: *const dwsep_filter_q8,
    weights: *mut *mut dwsep_weights,
) -> dwsep_status {
    // SAFETY: this function's caller promises it.
    let caller = unsafe { Caller::promises() };
    guard(|| {
        caller.pack(weights, || {
            let filter = caller.get(filter, "filter")?;
            by_scheme!(filter.r#type, "filter", S => depthwise::<S>(isa, channels, caller.filter_q8(filter)?))
        })
    })
}

/// Weights `[c_out, c_in]` of a pointwise (1x1) convolution, or of a fully connected layer, in f32, packed for the best kernel up to `isa` into a new
/// handle.
///
/// Refusals are those of `dwsep_weights_create_depthwise_f32`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dwsep_weights_create_pointwise_f32(
    isa: dwsep_raw_isa,
    c_in: usize,
    c_out: usize,
    filter: *const dwsep_filter_f32,
    weights: *mut *mut dwsep_weights,
) -> dwsep_status {
    // SAFETY: this function's caller promises it.
    let caller = unsafe { Caller::promises() };
    guard(|| {
        caller.pack(weights, || {
            pointwise(isa, (c_in, c_out), caller.filter_f32(filter)?)
        })
    })
}

/// The same in 8-bit integers.
///
/// Refusals are those of `dwsep_weights_create_depthwise_q8`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dwsep_weights_create_pointwise_q8(
    isa: dwsep_raw_isa,
    c_in: usize,
    c_out: usize,
    filter: *const dwsep_filter_q8,
    weights: *mut *mut dwsep_weights,
) -> dwsep_status {
    // SAFETY: this function's caller promises it.
    let caller = unsafe { Caller::promises() };
    guard(|| {
        caller.pack(weights, || {
            let filter = caller.get(filter, "filter")?;
            by_scheme!(filter.r#type, "filter", S => pointwise::<S>(isa, (c_in, c_out), caller.filter_q8(filter)?))
        })
    })
}

/// Weights `[c_out, 3, 3, c_in]` of a dense 3x3 convolution in f32, packed for the best kernel up to `isa` into a new
/// handle.
///
/// Refusals are those of `dwsep_weights_create_depthwise_f32`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dwsep_weights_create_conv3x3_f32(
    isa: dwsep_raw_isa,
    c_in: usize,
    c_out: usize,
    filter: *const dwsep_filter_f32,
    weights: *mut *mut dwsep_weights,
) -> dwsep_status {
    // SAFETY: this function's caller promises it.
    let caller = unsafe { Caller::promises() };
    guard(|| {
        caller.pack(weights, || {
            conv3x3(isa, (c_in, c_out), caller.filter_f32(filter)?)
        })
    })
}

/// The same in 8-bit integers.
///
/// Refusals are those of `dwsep_weights_create_depthwise_q8`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dwsep_weights_create_conv3x3_q8(
    isa: dwsep_raw_isa,
    c_in: usize,
    c_out: usize,
    filter: *const dwsep_filter_q8,
    weights: *mut *mut dwsep_weights,
) -> dwsep_status {
    // SAFETY: this function's caller promises it.
    let caller = unsafe { Caller::promises() };
    guard(|| {
        caller.pack(weights, || {
            let filter = caller.get(filter, "filter")?;
            by_scheme!(filter.r#type, "filter", S => conv3x3::<S>(isa, (c_in, c_out), caller.filter_q8(filter)?))
        })
    })
}

/// Gives the memory of a handle back. NULL is no mistake. Ops that were made of the weights keep what they need of them.
///
/// DWSEP_MISALIGNED, for what cannot be a handle.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dwsep_weights_destroy(weights: *mut dwsep_weights) -> dwsep_status {
    // SAFETY: this function's caller promises it.
    let caller = unsafe { Caller::promises() };
    guard(|| {
        drop(caller.take(weights)?);
        Ok(())
    })
}

/// The instruction set of the kernel that the weights are packed for.
///
/// DWSEP_NULL_POINTER, DWSEP_MISALIGNED.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dwsep_weights_isa(
    weights: *const dwsep_weights,
    isa: *mut dwsep_raw_isa,
) -> dwsep_status {
    // SAFETY: this function's caller promises it.
    let caller = unsafe { Caller::promises() };
    guard(|| {
        let (_, of_kernel) = caller.get(weights, "weights")?.get().kernel();
        caller.put(isa, "isa", number(of_kernel))
    })
}

/// The name of that kernel, as "pw_f32_6x16__avx2_fma": `*needed` becomes its length without the terminating NUL. As much of it as there
/// is room for in the `len` bytes from `name` on is written there, and a NUL; nothing where `len` is 0.
///
/// DWSEP_NULL_POINTER, DWSEP_MISALIGNED, DWSEP_SIZE_OVERFLOW.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dwsep_weights_kernel(
    weights: *const dwsep_weights,
    name: *mut c_char,
    len: usize,
    needed: *mut usize,
) -> dwsep_status {
    // SAFETY: this function's caller promises it.
    let caller = unsafe { Caller::promises() };
    guard(|| {
        let (of_kernel, _) = caller.get(weights, "weights")?.get().kernel();
        caller.put(needed, "needed", of_kernel.len())?;
        caller.put_text(name, len, of_kernel.as_bytes())
    })
}

/// Bytes that the packed weights take.
///
/// DWSEP_NULL_POINTER, DWSEP_MISALIGNED.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dwsep_weights_bytes(
    weights: *const dwsep_weights,
    bytes: *mut usize,
) -> dwsep_status {
    // SAFETY: this function's caller promises it.
    let caller = unsafe { Caller::promises() };
    guard(|| {
        caller.put(
            bytes,
            "bytes",
            caller.get(weights, "weights")?.get().bytes(),
        )
    })
}
