/*
 * dwsep: convolution kernels for MobileNet-like networks on CPUs, in NHWC. Depthwise 3x3, pointwise (1x1), the two fused (separable),
 * dense 3x3, average pool, sum, softmax; in float and in 8-bit integers; for AVX2 with FMA, AVX-512 and NEON, chosen
 * at run time.
 *
 *   1. When a model is loaded: dwsep_weights_create_* packs weights into a handle.
 *   2. For each input shape:   dwsep_op_create_*      checks everything, and makes an op.
 *   3. For each input:         dwsep_op_run           computes rows of the output on the calling thread, without allocating.
 *
 * Errors. Every call that can fail returns a dwsep_status. After a refusal no output tensor has been written (but by DWSEP_INTERNAL, a
 * mistake in this library), and a handle that was to be made is NULL. dwsep_last_error_message says which operand, what was found and what was expected. Null pointers, pointers that are not
 * aligned for their type, lengths, strides and sums of sizes that overflow are refused. What nobody can check is yours: that memory of the
 * lengths given is there, and that handles are from this library and not yet destroyed.
 *
 * Ownership. Arrays and structs that you pass are read during the call and not kept. An op keeps what it needs of its weights: handles may be
 * destroyed in any order. Handles take memory of this library and go back by dwsep_weights_destroy and dwsep_op_destroy alone.
 *
 * Threads. The library has none. Handles are never changed: any number of threads may use one at the same time. Threads may call
 * dwsep_op_run with one op, one input and one output at the same time, each with rows of its own and a workspace of its own; the bits do
 * not depend on how rows are split. A handle is destroyed when no call uses it any more.
 * Packing and dwsep_isa_resolve read the environment variable DWSEP_ISA: nobody may change the environment (setenv) meanwhile.
 *
 * Sizes. Everything is counted in elements but workspaces and packed weights, which are counted in bytes. Every array comes with its
 * length. No byte outside of the lengths given is touched, and of an output none that is not an element of the rows to be computed.
 * Tensors need no alignment beyond that of their elements.
 *
 * ABI. Functions, structs and numbers of enums never change within one DWSEP_ABI_VERSION. What is new comes as new functions, new structs and
 * new numbers at the end of an enum; fields called `reserved` have to be 0, so that they can get a meaning. `dwsep_type`, `dwsep_isa`,
 * `dwsep_activation_kind` and `dwsep_status` have the size of int32_t. Initialise structs with `= {0}` or by name.
 *
 * Numerics. Bias first, then taps row by row and channels in ascending order. On instruction sets that fuse multiply and add floats have
 * the same bits everywhere; 8-bit integers have the same bits on every instruction set. Calls are made in the floating-point environment that C starts with: rounding to
 * nearest, subnormals neither flushed nor taken for zeros (as -ffast-math at link time does), exceptions masked. Linking: docs/c-api.md.
 *
 *   dwsep_filter_f32 filter = {0};
 *   filter.weights = weights, filter.weights_len = c_out * c_in;
 *   dwsep_weights *packed;
 *   dwsep_status status = dwsep_weights_create_pointwise_f32(DWSEP_ISA_NATIVE, c_in, c_out, &filter, &packed);
 */


#ifndef DWSEP_H
#define DWSEP_H

/* Made by cbindgen of kernels/capi/src. Do not edit: DWSEP_WRITE_HEADER=1 cargo test -p dwsep-capi --test header */

#include <stddef.h>
#include <stdint.h>

/**
 * The version of the ABI that this header describes. Programs that were built with one run with every library of the same, whatever its
 * `dwsep_version`.
 */
#define DWSEP_ABI_VERSION 1

/**
 * Packs subnormal weights and biases as zeros: arithmetic on subnormals is many times slower on some CPUs.
 */
#define DWSEP_FLUSH_SUBNORMALS 1

/**
 * What a call says. 0 is success, everything else is a refusal, of which nothing has been written to an output tensor (but of DWSEP_INTERNAL). Numbers never
 * change their meaning; later versions may add some, so that a `switch` needs a `default`.
 */
enum dwsep_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * Done.
     */
    DWSEP_OK = 0,
    /**
     * A pointer is null that must not be.
     */
    DWSEP_NULL_POINTER = 1,
    /**
     * A pointer is not aligned for its type.
     */
    DWSEP_MISALIGNED = 2,
    /**
     * A number is none of an enum's, a stride of a window is neither 1 nor 2, or a `reserved` field or an unknown flag is not 0.
     */
    DWSEP_INVALID_VALUE = 3,
    /**
     * A tensor or a filter has another element type than the call takes.
     */
    DWSEP_TYPE_MISMATCH = 4,
    /**
     * Weights of another kind than the op takes, or the two of a separable convolution have different element types.
     */
    DWSEP_WEIGHTS_MISMATCH = 5,
    /**
     * A dimension is 0; every dimension counts from 1.
     */
    DWSEP_ZERO_DIMENSION = 6,
    /**
     * A size in bytes is more than the address space holds.
     */
    DWSEP_SIZE_OVERFLOW = 7,
    /**
     * A dimension or a length is not what the weights or other operands ask for.
     */
    DWSEP_SHAPE_MISMATCH = 8,
    /**
     * A tensor has fewer elements than its shape and strides need.
     */
    DWSEP_TOO_SHORT = 9,
    /**
     * Strides are so small that elements of one tensor would share memory.
     */
    DWSEP_STRIDES_OVERLAP = 10,
    /**
     * What is written (output, workspace) and another operand share memory.
     */
    DWSEP_OPERANDS_OVERLAP = 11,
    /**
     * The padded input is smaller than the 3x3 window.
     */
    DWSEP_WINDOW_TOO_LARGE = 12,
    /**
     * The workspace is shorter than `dwsep_op_workspace_len` says.
     */
    DWSEP_WORKSPACE_TOO_SMALL = 13,
    /**
     * There is not so much memory.
     */
    DWSEP_OUT_OF_MEMORY = 14,
    /**
     * Rows beyond the last one.
     */
    DWSEP_ROW_RANGE = 15,
    /**
     * No instruction set has that name; also where the environment variable DWSEP_ISA names none.
     */
    DWSEP_UNKNOWN_ISA = 16,
    /**
     * This CPU, or this build, cannot run that instruction set; also for what DWSEP_ISA names.
     */
    DWSEP_ISA_UNAVAILABLE = 17,
    /**
     * A clamp's lower bound is above its upper bound, or one of them is NaN.
     */
    DWSEP_INVALID_CLAMP = 18,
    /**
     * A scale, or a product or ratio of scales, is not a positive, finite and normal number.
     */
    DWSEP_INVALID_SCALE = 19,
    /**
     * A zero point is none of the integers of its element type.
     */
    DWSEP_INVALID_ZERO_POINT = 20,
    /**
     * Some input would make the sum of an output channel leave the range of int32_t.
     */
    DWSEP_ACCUMULATOR_OVERFLOW = 21,
    /**
     * Something that this op or this element type does not compute.
     */
    DWSEP_UNSUPPORTED = 22,
    /**
     * A mistake in this library. It was caught, and the output is not to be used; please report the message.
     */
    DWSEP_INTERNAL = 23,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum dwsep_status dwsep_status;
#else
typedef int32_t dwsep_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * The type of a tensor's elements. No type is 0, so that one that was forgotten is refused.
 */
enum dwsep_type
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * `float`
     */
    DWSEP_F32 = 1,
    /**
     * `int8_t`, with a quantization
     */
    DWSEP_I8 = 2,
    /**
     * `uint8_t`, with a quantization
     */
    DWSEP_U8 = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum dwsep_type dwsep_type;
#else
typedef int32_t dwsep_type;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * An instruction set. As an argument it is a maximum: the best kernels up to it are taken. They count from 1 without gaps; later versions
 * add numbers at the end, which is therefore not the order of strength.
 */
enum dwsep_isa
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * The best that this CPU has, but not more than the environment variable DWSEP_ISA names.
     */
    DWSEP_ISA_NATIVE = 0,
    /**
     * No vectors. Runs everywhere.
     */
    DWSEP_ISA_SCALAR = 1,
    /**
     * SSE2 or whatever the compiler makes of small arrays; only in builds with the feature `portable`.
     */
    DWSEP_ISA_PORTABLE = 2,
    /**
     * x86-64: AVX2 and FMA.
     */
    DWSEP_ISA_AVX2_FMA = 3,
    /**
     * x86-64: AVX2 and AVX-VNNI, for 8-bit integers, on CPUs without AVX-512.
     */
    DWSEP_ISA_AVX_VNNI = 4,
    /**
     * x86-64: AVX-512 (F, BW, VL) and AVX512-VNNI, for 8-bit integers; floats as by DWSEP_ISA_AVX512.
     */
    DWSEP_ISA_AVX512_VNNI = 5,
    /**
     * AArch64: NEON, for cores that execute in program order.
     */
    DWSEP_ISA_NEON_IN_ORDER = 6,
    /**
     * AArch64: NEON.
     */
    DWSEP_ISA_NEON = 7,
    /**
     * AArch64: dot products of Armv8.2, for 8-bit integers.
     */
    DWSEP_ISA_NEON_DOTPROD = 8,
    /**
     * AArch64: matrix products of Armv8.6, for 8-bit integers.
     */
    DWSEP_ISA_NEON_I8MM = 9,
    /**
     * x86-64: AVX-512 (F, BW, VL), for floats.
     */
    DWSEP_ISA_AVX512 = 10,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum dwsep_isa dwsep_isa;
#else
typedef int32_t dwsep_isa;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * A function that is applied in the store. NaN propagates through each of them.
 */
enum dwsep_activation_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * `x`
     */
    DWSEP_ACTIVATION_NONE = 0,
    /**
     * `max(x, 0)`
     */
    DWSEP_ACTIVATION_RELU = 1,
    /**
     * `min(max(x, 0), 6)`
     */
    DWSEP_ACTIVATION_RELU6 = 2,
    /**
     * `(x * min(max(x + 3, 0), 6)) * (1/6)`, each step rounded; f32 only
     */
    DWSEP_ACTIVATION_HARD_SWISH = 3,
    /**
     * `min(max(x, lo), hi)`
     */
    DWSEP_ACTIVATION_CLAMP = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum dwsep_activation_kind dwsep_activation_kind;
#else
typedef int32_t dwsep_activation_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * An op of one input shape. Immutable: any number of threads may run one at the same time. It keeps the weights that it needs.
 */
typedef struct dwsep_op dwsep_op;

/**
 * Weights, packed for the kernel that they will run on and bound to it. Immutable: any number of threads may use one at the same time.
 */
typedef struct dwsep_weights dwsep_weights;

/**
 * The shape of a tensor, `[n, h, w, c]`, in elements. Each is at least 1.
 */
typedef struct dwsep_shape {
    /**
     * Images.
     */
    size_t n;
    /**
     * Rows.
     */
    size_t h;
    /**
     * Columns.
     */
    size_t w;
    /**
     * Channels; those of a pixel are contiguous.
     */
    size_t c;
} dwsep_shape;

/**
 * How a 3x3 window moves over an image. The output has `(h + top + bottom - 3) / stride + 1` rows, and columns likewise.
 * `dwsep_window_same` fills it by TensorFlow's rule. Padding contributes nothing, even where weights are infinite or NaN.
 */
typedef struct dwsep_window {
    /**
     * 1 or 2, in both directions.
     */
    size_t stride;
    /**
     * Rows imagined above the image.
     */
    size_t top;
    /**
     * Rows imagined below.
     */
    size_t bottom;
    /**
     * Columns imagined on the left.
     */
    size_t left;
    /**
     * Columns imagined on the right.
     */
    size_t right;
} dwsep_window;

/**
 * An activation. For 8-bit outputs bounds are real numbers all the same, and become integers by the output's quantization.
 */
typedef struct dwsep_activation {
    /**
     * Which.
     */
    dwsep_activation_kind kind;
    /**
     * Lower bound of DWSEP_ACTIVATION_CLAMP, not looked at otherwise.
     */
    float lo;
    /**
     * Upper bound of DWSEP_ACTIVATION_CLAMP, at least `lo`; not looked at otherwise.
     */
    float hi;
} dwsep_activation;

/**
 * What the integers of a tensor stand for: `scale * (q - zero_point)`.
 */
typedef struct dwsep_quantization {
    /**
     * Positive, finite, normal.
     */
    float scale;
    /**
     * One of the element type's integers.
     */
    int32_t zero_point;
} dwsep_quantization;

/**
 * Distances in elements (not in bytes). 0 stands for what leaves no gap: `w` is then the number of channels, `h` that of columns times `w`,
 * `n` that of rows times `h`. All 0 is a dense tensor. The distance of a dimension of one element is not looked at.
 */
typedef struct dwsep_strides {
    /**
     * From an image to the next.
     */
    size_t n;
    /**
     * From a row to the next.
     */
    size_t h;
    /**
     * From a pixel to the next, at least `c`.
     */
    size_t w;
} dwsep_strides;

/**
 * A tensor to be read. Its shape is the op's.
 *
 * From its first to behind its last element nobody may write during a call.
 */
typedef struct dwsep_tensor {
    /**
     * The first element, aligned for its type and for nothing else.
     */
    const void *data;
    /**
     * Elements that may be read from `data` on, gaps included: at least what `dwsep_strides_extent` says.
     */
    size_t len;
    /**
     * Distances in elements.
     */
    struct dwsep_strides strides;
    /**
     * Type of the elements: that of the op.
     */
    dwsep_type type;
    /**
     * 0.
     */
    uint32_t reserved;
} dwsep_tensor;

/**
 * A tensor to be written. Its shape is the op's.
 *
 * A call uses the elements of the rows that it was told to compute and nothing else: neither other rows nor what lies between pixels.
 */
typedef struct dwsep_tensor_mut {
    /**
     * The first element of the whole tensor, whichever rows are computed.
     */
    void *data;
    /**
     * Elements from `data` on, gaps included: at least what `dwsep_strides_extent` says.
     */
    size_t len;
    /**
     * Distances in elements.
     */
    struct dwsep_strides strides;
    /**
     * Type of the elements: that of the op.
     */
    dwsep_type type;
    /**
     * 0.
     */
    uint32_t reserved;
} dwsep_tensor_mut;

/**
 * Weights and biases of a convolution in f32. They are copied: the arrays may go when the call returns.
 */
typedef struct dwsep_filter_f32 {
    /**
     * In the order that the function names.
     */
    const float *weights;
    /**
     * Elements of `weights`: exactly as many as there are weights.
     */
    size_t weights_len;
    /**
     * One an output channel; NULL with `bias_len` 0 for zeros.
     */
    const float *bias;
    /**
     * Elements of `bias`.
     */
    size_t bias_len;
    /**
     * 0 or DWSEP_FLUSH_SUBNORMALS.
     */
    uint32_t flags;
    /**
     * 0.
     */
    uint32_t reserved;
} dwsep_filter_f32;

/**
 * Weights and biases of a convolution in 8-bit integers. They are copied: the arrays may go when the call returns.
 *
 * With `acc` the sum of `(input - input.zero_point) * (weight - weight_zero_point)` and the bias, an output is
 * `acc * (input.scale * weight_scale / output.scale)`, clamped to the activation's bounds, rounded to the nearest integer, ties to even,
 * plus `output.zero_point`. The same bits on every instruction set.
 */
typedef struct dwsep_filter_q8 {
    /**
     * Type of inputs and outputs: DWSEP_I8 or DWSEP_U8.
     */
    dwsep_type type;
    /**
     * Type of `weights`: DWSEP_I8 or DWSEP_U8, whatever `type` is.
     */
    dwsep_type weights_type;
    /**
     * In the order that the function names.
     */
    const void *weights;
    /**
     * Elements of `weights`: exactly as many as there are weights.
     */
    size_t weights_len;
    /**
     * One an output channel, in units of `input.scale * weight_scale`; NULL with `bias_len` 0 for zeros.
     */
    const int32_t *bias;
    /**
     * Elements of `bias`.
     */
    size_t bias_len;
    /**
     * Scales of the weights.
     */
    const float *weight_scales;
    /**
     * One, or one an output channel.
     */
    size_t weight_scales_len;
    /**
     * The weight that stands for zero.
     */
    int32_t weight_zero_point;
    /**
     * 0.
     */
    uint32_t reserved;
    /**
     * Of the inputs.
     */
    struct dwsep_quantization input;
    /**
     * Of the outputs.
     */
    struct dwsep_quantization output;
} dwsep_filter_q8;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * DWSEP_ABI_VERSION of the library that is linked. Other than the header's: do not call anything else.
 */
uint32_t dwsep_abi_version(void);

/**
 * The version of the library that is linked, as "1.2.3". It is never freed.
 */
const char *dwsep_version(void);

/**
 * What a status means, in a few English words. It is never freed, and never NULL: "unknown status" for a number that is none.
 */
const char *dwsep_status_string(dwsep_status status);

/**
 * The message of the last refusal in the calling thread, which names the operand, what was found and what was expected: `*needed` becomes
 * its length without the terminating NUL, 0 if there was none. As much of it as there is room for in the `len` bytes from `message` on is
 * written there, and a NUL; nothing where `len` is 0.
 *
 * DWSEP_NULL_POINTER, DWSEP_MISALIGNED, DWSEP_SIZE_OVERFLOW; of these no message is kept.
 */
dwsep_status dwsep_last_error_message(char *message,
                                      size_t len,
                                      size_t *needed);

/**
 * The name of an instruction set, as DWSEP_ISA and kernels' names have it: "avx2_fma". It is never freed.
 *
 * NULL for a number that is none, and for DWSEP_ISA_NATIVE. Those that this version knows count from 1 without gaps, so that counting up
 * to NULL meets them all.
 */
const char *dwsep_isa_name(dwsep_isa isa);

/**
 * The instruction set of a name of `name_len` bytes (a terminating NUL is not counted), whether this CPU has it or not.
 *
 * DWSEP_NULL_POINTER, DWSEP_MISALIGNED, DWSEP_SIZE_OVERFLOW, DWSEP_UNKNOWN_ISA.
 */
dwsep_status dwsep_isa_from_name(const char *name,
                                 size_t name_len,
                                 dwsep_isa *isa);

/**
 * What packing with `maximum` takes: the maximum itself, or less where the environment variable DWSEP_ISA names less. For
 * DWSEP_ISA_NATIVE the best that this CPU has.
 *
 * DWSEP_NULL_POINTER; DWSEP_MISALIGNED; DWSEP_INVALID_VALUE; DWSEP_ISA_UNAVAILABLE for what this CPU or this build cannot run; DWSEP_UNKNOWN_ISA where
 * DWSEP_ISA names none.
 */
dwsep_status dwsep_isa_resolve(dwsep_isa maximum,
                               dwsep_isa *isa);

/**
 * The instruction sets that this CPU and this build can run, weakest first, whatever DWSEP_ISA says. Writes as many as there is room for
 * into `isas`, which has room for `len` (NULL with 0), and how many there are into `count`.
 *
 * DWSEP_NULL_POINTER, DWSEP_MISALIGNED.
 */
dwsep_status dwsep_isa_list(dwsep_isa *isas,
                            size_t len,
                            size_t *count);

/**
 * A depthwise 3x3 convolution of inputs of shape `input`, `[n, h, w, channels]` to `[n, oh, ow, channels]`, into a new handle.
 * `activation` may be NULL, for none.
 *
 * DWSEP_NULL_POINTER, DWSEP_MISALIGNED, DWSEP_INVALID_VALUE; DWSEP_WEIGHTS_MISMATCH for weights of another kind; DWSEP_SHAPE_MISMATCH
 * where `input->c` is not what the weights were packed for; DWSEP_ZERO_DIMENSION, DWSEP_SIZE_OVERFLOW, DWSEP_WINDOW_TOO_LARGE,
 * DWSEP_INVALID_CLAMP; DWSEP_UNSUPPORTED for DWSEP_ACTIVATION_HARD_SWISH in 8-bit integers. `*op` is NULL then.
 */
dwsep_status dwsep_op_create_depthwise(const struct dwsep_weights *weights,
                                       const struct dwsep_shape *input,
                                       const struct dwsep_window *window,
                                       const struct dwsep_activation *activation,
                                       struct dwsep_op **op);

/**
 * A pointwise convolution, `[n, h, w, c_in]` to `[n, h, w, c_out]`. A fully connected layer is one of `[n, 1, 1, c_in]`.
 *
 * Refusals are those of `dwsep_op_create_depthwise`.
 */
dwsep_status dwsep_op_create_pointwise(const struct dwsep_weights *weights,
                                       const struct dwsep_shape *input,
                                       const struct dwsep_activation *activation,
                                       struct dwsep_op **op);

/**
 * A dense 3x3 convolution, `[n, h, w, c_in]` to `[n, oh, ow, c_out]`: the stem of a network.
 *
 * Refusals are those of `dwsep_op_create_depthwise`.
 */
dwsep_status dwsep_op_create_conv3x3(const struct dwsep_weights *weights,
                                     const struct dwsep_shape *input,
                                     const struct dwsep_window *window,
                                     const struct dwsep_activation *activation,
                                     struct dwsep_op **op);

/**
 * A depthwise and a pointwise convolution in one, `[n, h, w, c]` to `[n, oh, ow, c_out]`: the bits of the two one after the other, while
 * what is between them stays in cache. Weights of 8-bit integers meet where `output` of the first is `input` of the second, which is
 * not looked at.
 *
 * Refusals are those of `dwsep_op_create_depthwise`; DWSEP_WEIGHTS_MISMATCH for two types, too, and DWSEP_SHAPE_MISMATCH where `c_in` of
 * the second is not `channels` of the first.
 */
dwsep_status dwsep_op_create_separable(const struct dwsep_weights *depthwise,
                                       const struct dwsep_weights *pointwise,
                                       const struct dwsep_shape *input,
                                       const struct dwsep_window *window,
                                       const struct dwsep_activation *depthwise_activation,
                                       const struct dwsep_activation *pointwise_activation,
                                       struct dwsep_op **op);

/**
 * The mean over rows and columns in f32, `[n, h, w, c]` to `[n, 1, 1, c]`. Its rows are images.
 *
 * DWSEP_NULL_POINTER, DWSEP_MISALIGNED, DWSEP_ZERO_DIMENSION, DWSEP_SIZE_OVERFLOW. `*op` is NULL then.
 */
dwsep_status dwsep_op_create_average_pool_f32(const struct dwsep_shape *input, struct dwsep_op **op);

/**
 * The same in 8-bit integers, of `type` DWSEP_I8 or DWSEP_U8, from the quantization `from` to `to`.
 *
 * As `dwsep_op_create_average_pool_f32`; DWSEP_INVALID_VALUE, DWSEP_TYPE_MISMATCH, DWSEP_INVALID_SCALE, DWSEP_INVALID_ZERO_POINT;
 * DWSEP_SIZE_OVERFLOW for images of more than 2^23 pixels, too.
 */
dwsep_status dwsep_op_create_average_pool_q8(dwsep_type type,
                                             const struct dwsep_shape *input,
                                             const struct dwsep_quantization *from,
                                             const struct dwsep_quantization *to,
                                             struct dwsep_op **op);

/**
 * The sum of two tensors of one shape in 8-bit integers, of `type` DWSEP_I8 or DWSEP_U8: `input` of quantization `a` and `second` of
 * `b`. In f32 a pointwise convolution adds in its store.
 *
 * DWSEP_NULL_POINTER, DWSEP_MISALIGNED, DWSEP_INVALID_VALUE, DWSEP_TYPE_MISMATCH, DWSEP_ZERO_DIMENSION, DWSEP_SIZE_OVERFLOW,
 * DWSEP_INVALID_SCALE, DWSEP_INVALID_ZERO_POINT, DWSEP_INVALID_CLAMP; DWSEP_UNSUPPORTED where the scale of `a` or `b` is not within 2^-10 to
 * 2^8 times that of `output`, and for DWSEP_ACTIVATION_HARD_SWISH. `*op` is NULL then.
 */
dwsep_status dwsep_op_create_add_q8(dwsep_type type,
                                    const struct dwsep_shape *shape,
                                    const struct dwsep_quantization *a,
                                    const struct dwsep_quantization *b,
                                    const struct dwsep_quantization *output,
                                    const struct dwsep_activation *activation,
                                    struct dwsep_op **op);

/**
 * `exp(x - max) / sum(exp(x - max))` over the channels of each pixel, in f32.
 *
 * DWSEP_NULL_POINTER, DWSEP_MISALIGNED, DWSEP_ZERO_DIMENSION, DWSEP_SIZE_OVERFLOW. `*op` is NULL then.
 */
dwsep_status dwsep_op_create_softmax_f32(const struct dwsep_shape *shape, struct dwsep_op **op);

/**
 * Gives the memory of a handle back. NULL is no mistake.
 *
 * DWSEP_MISALIGNED, for what cannot be a handle.
 */
dwsep_status dwsep_op_destroy(struct dwsep_op *op);

/**
 * The shapes of the op's input and of its output; either pointer may be NULL. The output has `output->n * output->h` rows, which
 * are what `dwsep_op_run` counts.
 *
 * DWSEP_NULL_POINTER for `op`, DWSEP_MISALIGNED.
 */
dwsep_status dwsep_op_shapes(const struct dwsep_op *op,
                             struct dwsep_shape *input,
                             struct dwsep_shape *output);

/**
 * Bytes of workspace that a call of `dwsep_op_run` takes; 0 for many ops. Calls at the same time take one each.
 *
 * DWSEP_NULL_POINTER, DWSEP_MISALIGNED.
 */
dwsep_status dwsep_op_workspace_len(const struct dwsep_op *op,
                                    size_t *bytes);

/**
 * Computes `rows` rows of the output from `first_row` on, on the calling thread, without allocating. Rows are counted through all images:
 * row `y` of image `i` is `i * h + y`. All of them in one call, or any split of them over any threads at the same time, give the same bits.
 * With `rows` 0 everything is checked and nothing computed.
 *
 * `input` and `output` are whole tensors whichever rows are computed. `second` is another input of the output's shape: what is added
 * before the activation of a pointwise convolution in f32 (or NULL), and what `dwsep_op_create_add_q8` adds; NULL for all other ops.
 * `workspace` is any memory of `workspace_len` bytes, aligned or not, with nothing in it before or after; NULL with 0 where the op
 * takes none.
 *
 * DWSEP_NULL_POINTER, DWSEP_MISALIGNED, DWSEP_INVALID_VALUE, DWSEP_TYPE_MISMATCH, DWSEP_ROW_RANGE, DWSEP_TOO_SHORT, DWSEP_STRIDES_OVERLAP,
 * DWSEP_SIZE_OVERFLOW, DWSEP_WORKSPACE_TOO_SMALL; DWSEP_OPERANDS_OVERLAP where the span of the output (from its first to behind its last
 * element) or the workspace shares memory with another operand; DWSEP_UNSUPPORTED for a `second` that the op does not take.
 */
dwsep_status dwsep_op_run(const struct dwsep_op *op,
                          size_t first_row,
                          size_t rows,
                          const struct dwsep_tensor *input,
                          const struct dwsep_tensor *second,
                          const struct dwsep_tensor_mut *output,
                          void *workspace,
                          size_t workspace_len);

/**
 * TensorFlow's padding "SAME" of a 3x3 window over `h` rows and `w` columns: the output has `ceil(h / stride)` rows, and the odd one of the
 * padding is below and on the right.
 *
 * DWSEP_NULL_POINTER, DWSEP_MISALIGNED, DWSEP_INVALID_VALUE.
 */
dwsep_status dwsep_window_same(size_t h,
                               size_t w,
                               size_t stride,
                               struct dwsep_window *window);

/**
 * Strides with a cache line between pixels where they help: pixels a multiple of 1024 bytes apart compete for a few sets of a
 * first-level cache, and a depthwise convolution of them takes up to four times as long. Those of a dense tensor otherwise. For activations
 * in memory of your own, between one op and the next.
 *
 * DWSEP_NULL_POINTER, DWSEP_MISALIGNED, DWSEP_INVALID_VALUE, DWSEP_ZERO_DIMENSION, DWSEP_SIZE_OVERFLOW.
 */
dwsep_status dwsep_strides_spread(dwsep_type type,
                                  const struct dwsep_shape *shape,
                                  struct dwsep_strides *strides);

/**
 * Elements from the first to behind the last of a tensor: the least `len` of one of this shape and these strides (NULL: dense).
 *
 * DWSEP_NULL_POINTER, DWSEP_MISALIGNED, DWSEP_ZERO_DIMENSION, DWSEP_SIZE_OVERFLOW, DWSEP_STRIDES_OVERLAP.
 */
dwsep_status dwsep_strides_extent(const struct dwsep_shape *shape,
                                  const struct dwsep_strides *strides,
                                  size_t *len);

/**
 * Weights `[3, 3, channels]` of a depthwise 3x3 convolution in f32, packed for the best kernel up to `isa` into a new
 * handle.
 *
 * DWSEP_NULL_POINTER, DWSEP_MISALIGNED, DWSEP_INVALID_VALUE; DWSEP_UNKNOWN_ISA and DWSEP_ISA_UNAVAILABLE as `dwsep_isa_resolve`;
 * DWSEP_ZERO_DIMENSION; DWSEP_SHAPE_MISMATCH where an array has another length than the dimensions say; DWSEP_SIZE_OVERFLOW;
 * DWSEP_OUT_OF_MEMORY. `*weights` is NULL then.
 */
dwsep_status dwsep_weights_create_depthwise_f32(dwsep_isa isa,
                                                size_t channels,
                                                const struct dwsep_filter_f32 *filter,
                                                struct dwsep_weights **weights);

/**
 * The same in 8-bit integers.
 *
 * As `dwsep_weights_create_depthwise_f32`, and DWSEP_TYPE_MISMATCH for types other than DWSEP_I8 and DWSEP_U8; DWSEP_INVALID_SCALE,
 * DWSEP_INVALID_ZERO_POINT, DWSEP_ACCUMULATOR_OVERFLOW.
 */
dwsep_status dwsep_weights_create_depthwise_q8(dwsep_isa isa,
                                               size_t channels,
                                               const struct dwsep_filter_q8 *filter,
                                               struct dwsep_weights **weights);

/**
 * Weights `[c_out, c_in]` of a pointwise (1x1) convolution, or of a fully connected layer, in f32, packed for the best kernel up to `isa` into a new
 * handle.
 *
 * Refusals are those of `dwsep_weights_create_depthwise_f32`.
 */
dwsep_status dwsep_weights_create_pointwise_f32(dwsep_isa isa,
                                                size_t c_in,
                                                size_t c_out,
                                                const struct dwsep_filter_f32 *filter,
                                                struct dwsep_weights **weights);

/**
 * The same in 8-bit integers.
 *
 * Refusals are those of `dwsep_weights_create_depthwise_q8`.
 */
dwsep_status dwsep_weights_create_pointwise_q8(dwsep_isa isa,
                                               size_t c_in,
                                               size_t c_out,
                                               const struct dwsep_filter_q8 *filter,
                                               struct dwsep_weights **weights);

/**
 * Weights `[c_out, 3, 3, c_in]` of a dense 3x3 convolution in f32, packed for the best kernel up to `isa` into a new
 * handle.
 *
 * Refusals are those of `dwsep_weights_create_depthwise_f32`.
 */
dwsep_status dwsep_weights_create_conv3x3_f32(dwsep_isa isa,
                                              size_t c_in,
                                              size_t c_out,
                                              const struct dwsep_filter_f32 *filter,
                                              struct dwsep_weights **weights);

/**
 * The same in 8-bit integers.
 *
 * Refusals are those of `dwsep_weights_create_depthwise_q8`.
 */
dwsep_status dwsep_weights_create_conv3x3_q8(dwsep_isa isa,
                                             size_t c_in,
                                             size_t c_out,
                                             const struct dwsep_filter_q8 *filter,
                                             struct dwsep_weights **weights);

/**
 * Gives the memory of a handle back. NULL is no mistake. Ops that were made of the weights keep what they need of them.
 *
 * DWSEP_MISALIGNED, for what cannot be a handle.
 */
dwsep_status dwsep_weights_destroy(struct dwsep_weights *weights);

/**
 * The instruction set of the kernel that the weights are packed for.
 *
 * DWSEP_NULL_POINTER, DWSEP_MISALIGNED.
 */
dwsep_status dwsep_weights_isa(const struct dwsep_weights *weights, dwsep_isa *isa);

/**
 * The name of that kernel, as "pw_f32_6x16__avx2_fma": `*needed` becomes its length without the terminating NUL. As much of it as there
 * is room for in the `len` bytes from `name` on is written there, and a NUL; nothing where `len` is 0.
 *
 * DWSEP_NULL_POINTER, DWSEP_MISALIGNED, DWSEP_SIZE_OVERFLOW.
 */
dwsep_status dwsep_weights_kernel(const struct dwsep_weights *weights,
                                  char *name,
                                  size_t len,
                                  size_t *needed);

/**
 * Bytes that the packed weights take.
 *
 * DWSEP_NULL_POINTER, DWSEP_MISALIGNED.
 */
dwsep_status dwsep_weights_bytes(const struct dwsep_weights *weights, size_t *bytes);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* DWSEP_H */
