/* Calls every function of kernels.c and mlp_sgd.c on numbers made here, and prints what comes back: one number a line.
   On two machines the lines agree within rounding (scripts/native_check.py). */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef void (*Parallel)(void (*work)(void *), void *job, unsigned threads, unsigned flags);

void max_pool(const void *, void *, uint8_t *, int64_t, int64_t, int64_t, int64_t, int, Parallel, int);
void max_pool_gradient(const void *, void *, uint8_t *, int64_t, int64_t, int64_t, int64_t, int, Parallel, int);
int conv_pool(const float *, const float *, void *, uint8_t *, int64_t, int64_t, int64_t, int64_t, int, Parallel, int);
int conv_pool_gradient(const void *, const float *, uint8_t *, float *, float *, int64_t, int64_t, int64_t, int64_t,
                       int, Parallel, int);
typedef struct Net Net;
Net *mlp_new(int, const int *, int, float, float);
void mlp_free(Net *);
void mlp_load(Net *, int, const float *, const float *);
void mlp_store(const Net *, int, float *, float *);
void mlp_index(const uint8_t *, int64_t, int, float, uint64_t *, float *);
int64_t mlp_train(Net *, const uint8_t *, const uint64_t *, const float *, const int64_t *, int64_t, const int64_t *,
                  int64_t, int, float, int, double *, int64_t *);

enum { B = 3, H = 7, W = 5, C = 16, OUT = B * 4 * 3 * C, IMAGES = 70, INPUTS = 100, UNITS = 33, CLASSES = 5 };

static uint32_t state = 1;

static float drawn(void) {
    state = state * 1664525u + 1013904223u;
    return (float)(state >> 8) / (1 << 23) - 1;
}

static void fill(float *numbers, int count, float scale) {
    for (int i = 0; i < count; i++)
        numbers[i] = scale * drawn();
}

static void show(const char *name, const float *numbers, int count) {
    for (int i = 0; i < count; i++)
        printf("%s[%d] %.9g\n", name, i, (double)numbers[i]);
}

static void layers(void) {
    static float features[B * H * W * C], back[B * H * W * C], pooled[OUT], upstream[OUT], partial[B * 9 * C];
    static float pictures[B * H * W], filters[9 * C], at_filters[9 * C];
    static uint8_t places[OUT];
    fill(features, B * H * W * C, 1), fill(upstream, OUT, 1), fill(pictures, B * H * W, 1), fill(filters, 9 * C, 1);
    max_pool(features, pooled, places, B, H, W, C, 0, NULL, 1);
    show("max_pool", pooled, OUT);
    max_pool_gradient(upstream, back, places, B, H, W, C, 0, NULL, 1);
    show("max_pool_gradient", back, B * H * W * C);
    if (!conv_pool(pictures, filters, pooled, places, B, H, W, C, 0, NULL, 1))
        exit(1);
    show("conv_pool", pooled, OUT);
    if (!conv_pool_gradient(upstream, pictures, places, partial, at_filters, B, H, W, C, 0, NULL, 1))
        exit(1);
    show("conv_pool_gradient", at_filters, 9 * C);
}

static void network(int threads) {
    static float first[UNITS * INPUTS], second[CLASSES * UNITS], bias[UNITS], brightness[IMAGES];
    static uint8_t pixels[IMAGES * INPUTS];
    static uint64_t masks[IMAGES * 2];
    static int64_t labels[IMAGES], order[IMAGES];
    const int widths[] = {INPUTS, UNITS, CLASSES};
    const float std = 0.4f, scale = 1 / (255 * std);
    fill(first, UNITS * INPUTS, 0.1f), fill(second, CLASSES * UNITS, 0.1f), fill(bias, UNITS, 0.1f);
    for (int i = 0; i < IMAGES * INPUTS; i++) {
        float number = drawn();
        pixels[i] = (uint8_t)(number > 0 ? 255 * number : 0);
    }
    for (int i = 0; i < IMAGES; i++)
        labels[i] = i % CLASSES, order[i] = (i * 37) % IMAGES;
    Net *net = mlp_new(2, widths, 16, scale, 0.3f / std);
    if (!net)
        exit(1);
    mlp_load(net, 1, first, bias);
    mlp_load(net, 2, second, bias);
    mlp_index(pixels, IMAGES, INPUTS, scale, masks, brightness);
    double loss = 0;
    int64_t right = 0;
    for (int epoch = 0; epoch < 3; epoch++)
        if (mlp_train(net, pixels, masks, brightness, labels, IMAGES, order, IMAGES, 16, 0.05f, threads, &loss, &right) != 5)
            exit(1);
    printf("loss[0] %.9g\n", loss);
    mlp_store(net, 1, first, bias);
    show("first", first, UNITS * INPUTS);
    mlp_store(net, 2, second, bias);
    show("second", second, CLASSES * UNITS);
    mlp_free(net);
}

int main(void) {
    layers();
    network(1);
    network(3);
    return 0;
}
