// dwsep from C++17: handles that destroy themselves, refusals as exceptions, vectors as tensors. All of the wrapper is in `namespace dwsep`
// and may be copied. The program below it computes one layer of each kind in float, int8_t and uint8_t, and compares it with a naive loop:
// floats within a derived bound, integers exactly.
//
//   c++ -std=c++17 raii.cpp $(pkg-config --cflags --libs dwsep) && ./a.out

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "dwsep.h"

namespace dwsep {

class Error : public std::runtime_error {
public:
    explicit Error(dwsep_status status) : std::runtime_error(text(status)), status_(status) {}
    dwsep_status status() const noexcept { return status_; }

private:
    static std::string text(dwsep_status status) {
        std::size_t needed = 0;
        dwsep_last_error_message(nullptr, 0, &needed);
        std::string message(needed + 1, '\0');
        dwsep_last_error_message(message.data(), message.size(), &needed);
        message.resize(needed);
        return std::string(dwsep_status_string(status)) + ": " + message;
    }

    dwsep_status status_;
};

inline void check(dwsep_status status) {
    if (status != DWSEP_OK) {
        throw Error(status);
    }
}

struct Destroy {
    void operator()(dwsep_weights *weights) const noexcept { dwsep_weights_destroy(weights); }
    void operator()(dwsep_op *op) const noexcept { dwsep_op_destroy(op); }
};
using Weights = std::unique_ptr<dwsep_weights, Destroy>;

template <typename T>
constexpr dwsep_type type_of = std::is_same_v<T, float> ? DWSEP_F32 : std::is_same_v<T, std::int8_t> ? DWSEP_I8 : DWSEP_U8;

template <typename T>
dwsep_tensor tensor(const std::vector<T> &values) {
    dwsep_tensor tensor{};
    tensor.data = values.data(), tensor.len = values.size(), tensor.type = type_of<T>;
    return tensor;
}

template <typename T>
dwsep_tensor_mut tensor_mut(std::vector<T> &values) {
    dwsep_tensor_mut tensor{};
    tensor.data = values.data(), tensor.len = values.size(), tensor.type = type_of<T>;
    return tensor;
}

class Op {
public:
    // Op(dwsep_op_create_pointwise, weights.get(), &shape, &activation)
    template <typename Create, typename... Arguments>
    explicit Op(Create create, Arguments... arguments) {
        dwsep_op *op = nullptr;
        check(create(arguments..., &op));
        op_.reset(op);
        check(dwsep_op_shapes(op, nullptr, &output_));
        std::size_t bytes = 0;
        check(dwsep_op_workspace_len(op, &bytes));
        workspace_.resize(bytes);
    }

    dwsep_shape output_shape() const noexcept { return output_; }

    // The whole output on this thread. An object has one workspace: threads that run rows of one op bring their own to dwsep_op_run.
    template <typename T>
    std::vector<T> operator()(const std::vector<T> &input, const std::vector<T> *second = nullptr) {
        std::vector<T> output(output_.n * output_.h * output_.w * output_.c);
        const dwsep_tensor from = tensor(input), other = second ? tensor(*second) : dwsep_tensor{};
        const dwsep_tensor_mut to = tensor_mut(output);
        check(dwsep_op_run(op_.get(), 0, output_.n * output_.h, &from, second ? &other : nullptr, &to, workspace_.data(), workspace_.size()));
        return output;
    }

private:
    std::unique_ptr<dwsep_op, Destroy> op_;
    dwsep_shape output_{};
    std::vector<unsigned char> workspace_;
};

// pack(dwsep_weights_create_pointwise_f32, isa, c_in, c_out, &filter): all arguments but the last.
template <typename Create, typename... Arguments>
Weights pack(Create create, Arguments... arguments) {
    dwsep_weights *weights = nullptr;
    check(create(arguments..., &weights));
    return Weights(weights);
}

} // namespace dwsep

namespace {

int failures = 0;

void expect(bool holds, const std::string &what) {
    std::printf("%s %s\n", holds ? "ok    " : "FAILED", what.c_str());
    failures += holds ? 0 : 1;
}

std::uint32_t state = 1;
std::uint32_t next() {
    state = state * 1664525u + 1013904223u;
    return state >> 8;
}

template <typename T>
std::vector<T> random(std::size_t count) {
    std::vector<T> values(count);
    for (T &value : values) {
        if constexpr (std::is_same_v<T, float>) {
            value = static_cast<float>(next()) / 8388608.0f - 1.0f;
        } else if constexpr (std::is_same_v<T, std::int32_t>) {
            value = static_cast<std::int32_t>(next() % 2001) - 1000;
        } else {
            value = static_cast<T>(next() & 0xFF);
        }
    }
    return values;
}

enum class Kind { Depthwise, Pointwise, Dense };

struct Layer {
    const char *name;
    Kind kind;
    dwsep_shape input;
    std::size_t c_out;
    dwsep_window window; // {1, 0, 0, 0, 0} for pointwise

    std::size_t taps() const { return kind == Kind::Pointwise ? 1 : 3; }
    std::size_t depth() const { return taps() * taps() * (kind == Kind::Depthwise ? 1 : input.c); }
    std::size_t weights() const { return depth() * c_out; }
    dwsep_shape output() const {
        const std::size_t h = (input.h + window.top + window.bottom - taps()) / window.stride + 1;
        const std::size_t w = (input.w + window.left + window.right - taps()) / window.stride + 1;
        return {input.n, h, w, c_out};
    }
};

std::size_t size(dwsep_shape s) { return s.n * s.h * s.w * s.c; }

// Sums of (input - input_zero) * (weight - weight_zero) and the bias, by the definition.
template <typename Sum, typename In, typename Weight>
std::vector<Sum> naive(const Layer &layer, const std::vector<In> &input, const std::vector<Weight> &weights, const std::vector<Sum> &bias,
                       Sum input_zero, Sum weight_zero) {
    const dwsep_shape in = layer.input, out = layer.output();
    const std::size_t taps = layer.taps();
    std::vector<Sum> sums;
    for (std::size_t n = 0; n < out.n; n++)
        for (std::size_t y = 0; y < out.h; y++)
            for (std::size_t x = 0; x < out.w; x++)
                for (std::size_t o = 0; o < out.c; o++) {
                    Sum sum = bias[o];
                    for (std::size_t tap = 0; tap < taps * taps; tap++) {
                        const std::size_t iy = y * layer.window.stride + tap / taps - layer.window.top;
                        const std::size_t ix = x * layer.window.stride + tap % taps - layer.window.left;
                        if (iy >= in.h || ix >= in.w) {
                            continue; // padding; what is negative has wrapped around
                        }
                        const In *pixel = &input[((n * in.h + iy) * in.w + ix) * in.c];
                        if (layer.kind == Kind::Depthwise) {
                            sum += (static_cast<Sum>(pixel[o]) - input_zero) * (static_cast<Sum>(weights[tap * in.c + o]) - weight_zero);
                            continue;
                        }
                        const Weight *row = &weights[(o * taps * taps + tap) * in.c];
                        for (std::size_t c = 0; c < in.c; c++) {
                            sum += (static_cast<Sum>(pixel[c]) - input_zero) * (static_cast<Sum>(row[c]) - weight_zero);
                        }
                    }
                    sums.push_back(sum);
                }
    return sums;
}

dwsep::Op op_of(const Layer &layer, const dwsep::Weights &weights, dwsep_activation activation) {
    switch (layer.kind) {
    case Kind::Depthwise:
        return dwsep::Op(dwsep_op_create_depthwise, weights.get(), &layer.input, &layer.window, &activation);
    case Kind::Pointwise:
        return dwsep::Op(dwsep_op_create_pointwise, weights.get(), &layer.input, &activation);
    default:
        return dwsep::Op(dwsep_op_create_conv3x3, weights.get(), &layer.input, &layer.window, &activation);
    }
}

float relu6(float x) { return x < 0.0f ? 0.0f : x > 6.0f ? 6.0f : x; }

// Two ways to sum k products, a bias and a residual differ by at most gamma(2k + 3) of the sum of their magnitudes; here each is at most 1.
bool close(const std::vector<float> &found, const std::vector<float> &expected, std::size_t k) {
    const double n = 2.0 * static_cast<double>(k) + 3.0, u = 1.0 / (1 << 24);
    const double bound = n * u / (1.0 - n * u) * static_cast<double>(k + 2);
    bool holds = found.size() == expected.size();
    for (std::size_t i = 0; holds && i < found.size(); i++) {
        holds = std::fabs(static_cast<double>(found[i]) - static_cast<double>(expected[i])) <= bound;
    }
    return holds;
}

void floats(const Layer &layer) {
    const std::vector<float> weights = random<float>(layer.weights()), bias = random<float>(layer.c_out);
    dwsep_filter_f32 filter{};
    filter.weights = weights.data(), filter.weights_len = weights.size();
    filter.bias = bias.data(), filter.bias_len = bias.size();
    const std::size_t c_in = layer.input.c;
    const dwsep::Weights packed =
        layer.kind == Kind::Depthwise ? dwsep::pack(dwsep_weights_create_depthwise_f32, DWSEP_ISA_NATIVE, c_in, &filter)
        : layer.kind == Kind::Pointwise
            ? dwsep::pack(dwsep_weights_create_pointwise_f32, DWSEP_ISA_NATIVE, c_in, layer.c_out, &filter)
            : dwsep::pack(dwsep_weights_create_conv3x3_f32, DWSEP_ISA_NATIVE, c_in, layer.c_out, &filter);

    const std::vector<float> input = random<float>(size(layer.input));
    std::vector<float> expected = naive<float>(layer, input, weights, bias, 0.0f, 0.0f);
    dwsep::Op op = op_of(layer, packed, {DWSEP_ACTIVATION_RELU6, 0.0f, 0.0f});
    // Pointwise adds a residual.
    const std::vector<float> residual = random<float>(expected.size());
    const bool adds = layer.kind == Kind::Pointwise;
    for (std::size_t i = 0; i < expected.size(); i++) {
        expected[i] = relu6(adds ? expected[i] + residual[i] : expected[i]);
    }
    expect(close(op(input, adds ? &residual : nullptr), expected, layer.depth()), std::string("float, ") + layer.name);
}

template <typename T>
T requantise(std::int32_t sum, float scale, std::int32_t zero_point) {
    const float least = static_cast<float>(std::numeric_limits<T>::min() - zero_point);
    const float most = static_cast<float>(std::numeric_limits<T>::max() - zero_point);
    const float x = static_cast<float>(sum) * scale;
    return static_cast<T>(static_cast<std::int32_t>(std::nearbyint(x < least ? least : x > most ? most : x)) + zero_point);
}

template <typename T>
void integers(const Layer &layer) {
    const std::int32_t middle = std::is_signed_v<T> ? 0 : 128;
    const dwsep_quantization in{0.02f, middle - 5}, out{0.4f, middle + 7};
    const std::vector<T> weights = random<T>(layer.weights());
    const std::vector<std::int32_t> bias = random<std::int32_t>(layer.c_out);
    std::vector<float> scales(layer.c_out);
    for (std::size_t i = 0; i < scales.size(); i++) {
        scales[i] = 0.01f + 0.001f * static_cast<float>(i);
    }
    dwsep_filter_q8 filter{};
    filter.type = dwsep::type_of<T>, filter.weights_type = dwsep::type_of<T>;
    filter.weights = weights.data(), filter.weights_len = weights.size();
    filter.bias = bias.data(), filter.bias_len = bias.size();
    filter.weight_scales = scales.data(), filter.weight_scales_len = scales.size();
    filter.weight_zero_point = middle, filter.input = in, filter.output = out;
    const std::size_t c_in = layer.input.c;
    const dwsep::Weights packed =
        layer.kind == Kind::Depthwise ? dwsep::pack(dwsep_weights_create_depthwise_q8, DWSEP_ISA_NATIVE, c_in, &filter)
        : layer.kind == Kind::Pointwise
            ? dwsep::pack(dwsep_weights_create_pointwise_q8, DWSEP_ISA_NATIVE, c_in, layer.c_out, &filter)
            : dwsep::pack(dwsep_weights_create_conv3x3_q8, DWSEP_ISA_NATIVE, c_in, layer.c_out, &filter);

    const std::vector<T> input = random<T>(size(layer.input));
    const std::vector<std::int32_t> sums = naive<std::int32_t>(layer, input, weights, bias, in.zero_point, middle);
    std::vector<T> expected(sums.size());
    for (std::size_t i = 0; i < sums.size(); i++) {
        expected[i] = requantise<T>(sums[i], in.scale * scales[i % layer.c_out] / out.scale, out.zero_point);
    }
    dwsep::Op op = op_of(layer, packed, {DWSEP_ACTIVATION_NONE, 0.0f, 0.0f});
    expect(op(input) == expected, std::string(std::is_signed_v<T> ? "int8_t, " : "uint8_t, ") + layer.name);
}

// The mean of what every pixel has in common is that.
template <typename T>
void pool(dwsep::Op op, const char *name) {
    const std::vector<T> pixel = random<T>(5);
    std::vector<T> input;
    for (int i = 0; i < 12; i++) {
        input.insert(input.end(), pixel.begin(), pixel.end());
    }
    bool holds = true;
    const std::vector<T> found = op(input);
    for (std::size_t c = 0; c < 5; c++) {
        holds = holds && std::fabs(static_cast<double>(found[c]) - static_cast<double>(pixel[c])) < 1e-6;
    }
    expect(holds, name);
}

void refusals() {
    const std::vector<float> weights(7);
    dwsep_filter_f32 filter{};
    filter.weights = weights.data(), filter.weights_len = weights.size();
    try {
        dwsep::pack(dwsep_weights_create_depthwise_f32, DWSEP_ISA_NATIVE, std::size_t{4}, &filter);
        expect(false, "an array of another length is refused");
    } catch (const dwsep::Error &error) {
        expect(error.status() == DWSEP_SHAPE_MISMATCH, std::string("an exception says \"") + error.what() + '"');
    }
}

} // namespace

int main() {
    if (dwsep_abi_version() != DWSEP_ABI_VERSION) {
        std::fputs("the library is of another ABI than the header\n", stderr);
        return EXIT_FAILURE;
    }
    try {
        dwsep_window same1, same2;
        dwsep::check(dwsep_window_same(9, 10, 1, &same1));
        dwsep::check(dwsep_window_same(9, 10, 2, &same2));
        const Layer layers[] = {
            {"depthwise 3x3, stride 1", Kind::Depthwise, {2, 9, 10, 19}, 19, same1},
            {"depthwise 3x3, stride 2", Kind::Depthwise, {1, 9, 10, 33}, 33, same2},
            {"pointwise", Kind::Pointwise, {1, 7, 5, 35}, 21, {1, 0, 0, 0, 0}},
            {"dense 3x3, stride 2", Kind::Dense, {1, 9, 10, 3}, 17, same2},
        };
        for (const Layer &layer : layers) {
            floats(layer);
            integers<std::int8_t>(layer);
            integers<std::uint8_t>(layer);
        }
        const dwsep_shape image{1, 4, 3, 5};
        const dwsep_quantization q{0.5f, 3};
        pool<float>(dwsep::Op(dwsep_op_create_average_pool_f32, &image), "float, average pool");
        pool<std::int8_t>(dwsep::Op(dwsep_op_create_average_pool_q8, DWSEP_I8, &image, &q, &q), "int8_t, average pool");
        refusals();
    } catch (const std::exception &error) {
        expect(false, error.what());
    }
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
