/*
 * A separable block of a MobileNet (depthwise 3x3, pointwise, both with ReLU6) on threads of one's own.
 *
 *   cc -std=c11 separable.c $(pkg-config --cflags --libs dwsep) -lpthread && ./a.out [THREADS [DWSEP_ISA]]
 *
 * It runs the block three times: by a naive loop in this file, by one call of dwsep_op_run, and by rows that threads take from a common
 * counter, all of them writing one output. The last two must be equal bit for bit, and close to the first.
 */
#define _POSIX_C_SOURCE 200809L /* clock_gettime */

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dwsep.h"

enum { IMAGES = 2, HEIGHT = 29, WIDTH = 28, CHANNELS = 24, OUT_CHANNELS = 40, STRIDE = 2, MAX_THREADS = 64 };

static void fail(const char *what, dwsep_status status) {
    char message[256] = "";
    size_t needed = 0;
    dwsep_last_error_message(message, sizeof message, &needed);
    fprintf(stderr, "%s: %s (%s)\n", what, dwsep_status_string(status), message);
    exit(EXIT_FAILURE);
}

static void check(const char *what, dwsep_status status) {
    if (status != DWSEP_OK) {
        fail(what, status);
    }
}

static void *memory(size_t count, size_t size) {
    void *bytes = calloc(count > 0 ? count : 1, size);
    if (bytes == NULL) {
        fputs("out of memory\n", stderr);
        exit(EXIT_FAILURE);
    }
    return bytes;
}

/* Numbers from -scale to scale, the same on every machine. */
static float *numbers(size_t count, uint32_t seed, float scale) {
    float *values = memory(count, sizeof *values);
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        values[i] = scale * ((float)(seed >> 8) / 8388608.0f - 1.0f);
    }
    return values;
}

static double milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

/* What threads share. Nobody changes any of it but the output's rows, each of which one thread has, and the counter. */
struct job {
    const dwsep_op *op;
    dwsep_tensor input;
    dwsep_tensor_mut output;
    size_t rows;  /* of the output, all images */
    size_t chunk; /* rows that a thread takes at a time */
    size_t workspace_len;
    atomic_size_t next;
};

struct worker {
    struct job *job;
    void *workspace; /* its own */
};

static void *work(void *argument) {
    struct worker *worker = argument;
    struct job *job = worker->job;
    for (;;) {
        size_t first = atomic_fetch_add(&job->next, job->chunk);
        if (first >= job->rows) {
            return NULL;
        }
        size_t rows = job->rows - first < job->chunk ? job->rows - first : job->chunk;
        /* Checked here, not by who waits: the message is this thread's. */
        check("dwsep_op_run", dwsep_op_run(job->op, first, rows, &job->input, NULL, &job->output,
                                           worker->workspace, job->workspace_len));
    }
}

static void run_on_threads(struct job *job, size_t threads) {
    pthread_t handles[MAX_THREADS];
    struct worker workers[MAX_THREADS];
    atomic_store(&job->next, 0);
    for (size_t i = 0; i < threads; i++) {
        workers[i].job = job;
        workers[i].workspace = memory(job->workspace_len, 1);
        if (pthread_create(&handles[i], NULL, work, &workers[i]) != 0) {
            fputs("no more threads\n", stderr);
            exit(EXIT_FAILURE);
        }
    }
    for (size_t i = 0; i < threads; i++) {
        pthread_join(handles[i], NULL);
        free(workers[i].workspace);
    }
}

static float relu6(float x) {
    return x < 0.0f ? 0.0f : x > 6.0f ? 6.0f : x;
}

/* The block by its definition. `out` is dense. */
static void naive(const float *in, const float *dw, const float *dw_bias, const float *pw, const float *pw_bias,
                  dwsep_window window, dwsep_shape out_shape, float *out) {
    float between[CHANNELS];
    for (size_t n = 0; n < out_shape.n; n++)
        for (size_t y = 0; y < out_shape.h; y++)
            for (size_t x = 0; x < out_shape.w; x++) {
                for (size_t c = 0; c < CHANNELS; c++) {
                    float sum = dw_bias[c];
                    for (size_t tap = 0; tap < 9; tap++) {
                        size_t iy = y * window.stride + tap / 3, ix = x * window.stride + tap % 3;
                        if (iy < window.top || iy - window.top >= HEIGHT || ix < window.left || ix - window.left >= WIDTH) {
                            continue; /* padding */
                        }
                        iy -= window.top, ix -= window.left;
                        sum += in[((n * HEIGHT + iy) * WIDTH + ix) * CHANNELS + c] * dw[tap * CHANNELS + c];
                    }
                    between[c] = relu6(sum);
                }
                for (size_t o = 0; o < OUT_CHANNELS; o++) {
                    float sum = pw_bias[o];
                    for (size_t c = 0; c < CHANNELS; c++) {
                        sum += between[c] * pw[o * CHANNELS + c];
                    }
                    *out++ = relu6(sum);
                }
            }
}

/* FNV-1a over the bits. */
static uint64_t checksum(const float *values, size_t count) {
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        for (int shift = 0; shift < 32; shift += 8) {
            hash = (hash ^ ((bits >> shift) & 0xFF)) * UINT64_C(0x100000001B3);
        }
    }
    return hash;
}

/* Packs both filters up to `isa`, and makes the op of the two. */
static dwsep_op *block(dwsep_isa isa, const float *dw, const float *dw_bias, const float *pw, const float *pw_bias,
                       dwsep_window window) {
    dwsep_filter_f32 depthwise = {0}, pointwise = {0};
    depthwise.weights = dw, depthwise.weights_len = 9 * CHANNELS;
    depthwise.bias = dw_bias, depthwise.bias_len = CHANNELS;
    pointwise.weights = pw, pointwise.weights_len = OUT_CHANNELS * CHANNELS;
    pointwise.bias = pw_bias, pointwise.bias_len = OUT_CHANNELS;

    dwsep_weights *packed_dw, *packed_pw;
    check("depthwise", dwsep_weights_create_depthwise_f32(isa, CHANNELS, &depthwise, &packed_dw));
    check("pointwise", dwsep_weights_create_pointwise_f32(isa, CHANNELS, OUT_CHANNELS, &pointwise, &packed_pw));
    char dw_name[64] = "", pw_name[64] = "";
    size_t needed;
    check("kernel", dwsep_weights_kernel(packed_dw, dw_name, sizeof dw_name, &needed));
    check("kernel", dwsep_weights_kernel(packed_pw, pw_name, sizeof pw_name, &needed));
    printf("kernels: %s, %s\n", dw_name, pw_name);

    dwsep_shape input = {IMAGES, HEIGHT, WIDTH, CHANNELS};
    dwsep_activation relu6 = {DWSEP_ACTIVATION_RELU6, 0.0f, 0.0f};
    dwsep_op *op;
    check("op", dwsep_op_create_separable(packed_dw, packed_pw, &input, &window, &relu6, &relu6, &op));
    /* The op keeps what it needs. */
    check("destroy", dwsep_weights_destroy(packed_dw));
    check("destroy", dwsep_weights_destroy(packed_pw));
    return op;
}

int main(int argc, char **argv) {
    size_t threads = argc > 1 ? (size_t)strtoul(argv[1], NULL, 10) : 4;
    if (threads < 1 || threads > MAX_THREADS) {
        fprintf(stderr, "usage: separable [1..%d [ISA]]\n", MAX_THREADS);
        return EXIT_FAILURE;
    }
    if (dwsep_abi_version() != DWSEP_ABI_VERSION) {
        fputs("the library is of another ABI than the header\n", stderr);
        return EXIT_FAILURE;
    }
    dwsep_isa isa = DWSEP_ISA_NATIVE;
    if (argc > 2) {
        check("instruction set", dwsep_isa_from_name(argv[2], strlen(argv[2]), &isa));
    }
    check("instruction set", dwsep_isa_resolve(isa, &isa));
    printf("dwsep %s, up to %s\n", dwsep_version(), dwsep_isa_name(isa));

    float *dw = numbers(9 * CHANNELS, 1, 1.0f), *dw_bias = numbers(CHANNELS, 2, 1.0f);
    float *pw = numbers(OUT_CHANNELS * CHANNELS, 3, 0.5f), *pw_bias = numbers(OUT_CHANNELS, 4, 1.0f);
    float *input = numbers((size_t)IMAGES * HEIGHT * WIDTH * CHANNELS, 5, 2.0f);
    dwsep_window window;
    check("window", dwsep_window_same(HEIGHT, WIDTH, STRIDE, &window));
    dwsep_op *op = block(isa, dw, dw_bias, pw, pw_bias, window);

    dwsep_shape shape;
    struct job job = {.op = op, .chunk = 2};
    check("shapes", dwsep_op_shapes(op, NULL, &shape));
    check("workspace", dwsep_op_workspace_len(op, &job.workspace_len));
    size_t count = shape.n * shape.h * shape.w * shape.c;
    float *expected = memory(count, sizeof *expected), *one = memory(count, sizeof *one), *many = memory(count, sizeof *many);
    naive(input, dw, dw_bias, pw, pw_bias, window, shape, expected);

    job.rows = shape.n * shape.h;
    job.input = (dwsep_tensor){.data = input, .len = (size_t)IMAGES * HEIGHT * WIDTH * CHANNELS, .type = DWSEP_F32};
    job.output = (dwsep_tensor_mut){.data = one, .len = count, .type = DWSEP_F32};
    void *workspace = memory(job.workspace_len, 1);
    double start = milliseconds();
    check("run", dwsep_op_run(op, 0, job.rows, &job.input, NULL, &job.output, workspace, job.workspace_len));
    double alone = milliseconds() - start;

    job.output.data = many;
    start = milliseconds();
    run_on_threads(&job, threads);
    double together = milliseconds() - start;

    /*
     * Two ways to sum k products differ by at most gamma(2k + 1) of the sum of magnitudes, gamma(n) about n 2^-24. Depthwise: k = 9, magnitudes
     * at most 1 + 9 * 2, so 2.2e-5. Pointwise: k = 24, at most 1 + 24 * 3, so 2.2e-4, and 24 * 0.5 times what depthwise differs by.
     */
    const float bound = 5e-4f;
    float worst = 0.0f;
    for (size_t i = 0; i < count; i++) {
        float error = fabsf(one[i] - expected[i]);
        worst = error > worst || isnan(error) ? error : worst;
    }
    int equal = memcmp(one, many, count * sizeof *one) == 0;
    printf("output [%zu, %zu, %zu, %zu], checksum %016" PRIx64 "\n", shape.n, shape.h, shape.w, shape.c, checksum(many, count));
    printf("one call %.3f ms, %zu threads %.3f ms with their start, %s\n", alone, threads, together, equal ? "equal bits" : "OTHER BITS");
    printf("largest difference to the naive loop %g\n", (double)worst);

    check("destroy", dwsep_op_destroy(op));
    free(dw), free(dw_bias), free(pw), free(pw_bias), free(input);
    free(expected), free(one), free(many), free(workspace);
    return equal && worst < bound ? EXIT_SUCCESS : EXIT_FAILURE;
}
