/* Epochs of plain SGD for an MLP with ReLU and cross-entropy, written for layers that fit the cache.

   A training of the lecture's size is a few dozen microseconds of arithmetic a step; calling operations,
   waking threads for each, and reading weights from the other core's cache cost more than that. So a whole
   run of steps is one call, and each thread keeps its part of the first layer, which has nine tenths of the
   weights, in its own cache for the whole of it.

   The first layer uses that most pixels of a handwritten digit are 0. An input is x = s p - m, with p the
   pixel's byte, s = 1 / (255 std) and m = mean / std, so with W the first layer's weights (inputs, units):

     forward   x W + b  =  s sum_p p W_p + (b - m S)          S = the sum of the rows of W
     update    W += x^T d  =  s p^T d - m 1 sum(d)            d = gradient w.r.t. the units, times -lr / b

   Only pixels above 0 contribute to the first sums. The last term is the same for every row of W, so it is
   kept once, as `shift`, and W = V + shift. S is kept in double precision.

   Shapes: b images in a batch; layer l goes from width[l-1] to width[l] numbers. Widths are padded with
   zeros, which stay zeros: of the first layer to whole chunks of CHUNK units, of the others to ALIGN.
   A thread owns chunks of the first layer; rows of a batch are divided among the threads between the two
   barriers of a step. No sum depends on how many threads there are. */

#include <float.h>
#include <math.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#else
#include <pthread.h>
#include <sched.h>
#endif

#if defined(__AVX512F__)
#define LANES 16
#define TILE_ROWS 6
#define TILE_VECTORS 4
#elif defined(__AVX__)
#define LANES 8
#define TILE_ROWS 4
#define TILE_VECTORS 2
#else
#define LANES 4
#define TILE_ROWS 4
#define TILE_VECTORS 4
#endif
#define ALIGN 16
#define CHUNK 64
#define CHUNK_VECTORS (CHUNK / LANES)
#define GROUP 64 /* images whose pixels share one word of the transposed masks */
#define MAX_LAYERS 16
#define MAX_THREADS 16
#define LARGEST (1 << 24) /* of widths and batches: that no sum of a few of them leaves an int */
#define OUTSIDE INT64_MIN
#define INLINE static inline __attribute__((always_inline))
#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT
#endif

typedef float vec __attribute__((vector_size(4 * LANES), aligned(4 * LANES), may_alias));
typedef int32_t ivec __attribute__((vector_size(4 * LANES), aligned(4 * LANES), may_alias));

typedef struct {
    int layers, threads, batch; /* batch: images of the largest */
    int width[MAX_LAYERS + 1], padded[MAX_LAYERS + 1];
    int words, chunks, groups;  /* words of 64 pixels in an image; groups of images in a batch */
    float scale, offset;        /* s and m */
    float table[256];           /* s p */
    float *v;                   /* (chunks, inputs, CHUNK): the first layer without shift */
    float *shift;               /* (padded[1],) */
    double *row_sum;            /* (padded[1],): S */
    float *bias[MAX_LAYERS + 1];
    float *weight[MAX_LAYERS + 1];     /* from the second layer on: (padded[l-1], padded[l]) */
    float *transposed[MAX_LAYERS + 1]; /* the same, (padded[l], padded[l-1]) */
    float *out[MAX_LAYERS + 1];        /* (batch, padded[l]): after ReLU; the last are the logits */
    float *grad[MAX_LAYERS + 1];       /* (batch, padded[l]): the loss by them before ReLU, times -lr / b */
    uint64_t *lit;                     /* (groups, 64 words): which images have this pixel above 0 */
    double *loss;                      /* (batch,) */
    uint8_t *right;                    /* (batch,) */
} Net;

typedef struct {
    Net *net;
    const uint8_t *pixels;     /* (n, inputs) */
    const uint64_t *masks;     /* (n, words): bit i of word w is pixel 64 w + i above 0 */
    const float *brightness;   /* (n,): s times the sum of an image's pixels */
    const int64_t *labels;     /* (n,) */
    const int64_t *order;      /* which images, in which order */
    int64_t count;
    int batch;
    float lr;
    double loss_sum;
    int64_t right, done;       /* done: steps taken */
    int finite;
    atomic_int threads;        /* how many could be started; 0 until that is known */
    atomic_int arrived, phase;
} Epoch;

/* ---- what systems call differently ------------------------------------------------------------------- */

#if defined(_WIN32)
typedef HANDLE Thread;
#define WORK(name) static DWORD WINAPI name(void *argument)

static int start_thread(Thread *thread, LPTHREAD_START_ROUTINE work, void *argument)
{
    return (*thread = CreateThread(NULL, 0, work, argument, 0, NULL)) != NULL;
}

static void end_of(Thread thread)
{
    WaitForSingleObject(thread, INFINITE);
    CloseHandle(thread);
}

static void give_way(void) { SwitchToThread(); }
static void *memory_of(size_t bytes) { return _aligned_malloc(bytes, 64); }
static void give_back(void *memory) { _aligned_free(memory); }
#else
typedef pthread_t Thread;
#define WORK(name) static void *name(void *argument)

static int start_thread(Thread *thread, void *(*work)(void *), void *argument)
{
    return pthread_create(thread, NULL, work, argument) == 0;
}

static void end_of(Thread thread) { pthread_join(thread, NULL); }
static void give_way(void) { sched_yield(); }

static void *memory_of(size_t bytes)
{
    void *memory;
    return posix_memalign(&memory, 64, bytes) ? NULL : memory;
}

static void give_back(void *memory) { free(memory); }
#endif

/* Of one thread that spins, a hint to the other on the same core. */
INLINE void pause_briefly(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* ---- small parts ------------------------------------------------------------------------------------ */

static void wait_for_all(Epoch *epoch, int threads)
{
    if (threads == 1)
        return;
    int phase = atomic_load_explicit(&epoch->phase, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&epoch->arrived, 1, memory_order_acq_rel) == threads - 1) {
        atomic_store_explicit(&epoch->arrived, 0, memory_order_relaxed);
        atomic_store_explicit(&epoch->phase, phase + 1, memory_order_release);
        return;
    }
    /* A step is too short to sleep; but where the other thread has lost its core, spinning keeps it away. */
    for (int spins = 0; atomic_load_explicit(&epoch->phase, memory_order_acquire) == phase; spins++) {
        if (spins > 20000)
            give_way();
        pause_briefly();
    }
}

INLINE vec broadcast(float value)
{
    return value - (vec){0};
}

INLINE vec positive(vec x)
{
    return (vec)((ivec)x & (x > 0));
}

/* e^x for x <= 0, to about 2 units in the last place (range reduction by ln 2, then a polynomial). */
INLINE vec exponential(vec x)
{
    ivec low = x < -87.0f;
    x = (vec)(((ivec)x & ~low) | ((ivec)broadcast(-87.0f) & low));
    vec shifted = x * 1.44269504f + 12582912.0f; /* 1.5 * 2^23: the fraction is rounded away */
    vec n = shifted - 12582912.0f;
    vec f = x - n * 0.693359375f + n * 2.12194440e-4f;
    vec y = f * 1.9875691500e-4f + 1.3981999507e-3f;
    y = y * f + 8.3334519073e-3f;
    y = y * f + 4.1665795894e-2f;
    y = y * f + 1.6666665459e-1f;
    y = y * f + 5.0000001201e-1f;
    y = y * f * f + f + 1.0f;
    ivec power = ((ivec)shifted - 0x4B400000 + 127) << 23;
    return y * (vec)power;
}

/* C (rows, vectors) += A B, with A read by its strides and B row by row; what C begins with is its caller's. */
INLINE void tile(int rows, int vectors, int depth, const float *a, int64_t a_row, int64_t a_step, const float *b, int64_t b_row,
                 float *c, int64_t c_row)
{
    vec sum[TILE_ROWS][TILE_VECTORS];
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < vectors; j++)
            sum[i][j] = *(vec *)(c + i * c_row + j * LANES);
    for (int k = 0; k < depth; k++) {
        vec from_b[TILE_VECTORS];
        for (int j = 0; j < vectors; j++)
            from_b[j] = *(const vec *)(b + k * b_row + j * LANES);
        for (int i = 0; i < rows; i++) {
            vec from_a = broadcast(a[i * a_row + k * a_step]);
            for (int j = 0; j < vectors; j++)
                sum[i][j] += from_a * from_b[j];
        }
    }
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < vectors; j++)
            *(vec *)(c + i * c_row + j * LANES) = sum[i][j];
}

INLINE void columns(int vectors, int rows, int depth, const float *a, int64_t a_row, int64_t a_step, const float *b,
                    int64_t b_row, float *c, int64_t c_row)
{
    int i = 0;
    for (; i + TILE_ROWS <= rows; i += TILE_ROWS)
        tile(TILE_ROWS, vectors, depth, a + i * a_row, a_row, a_step, b, b_row, c + i * c_row, c_row);
    for (; i < rows; i++)
        tile(1, vectors, depth, a + i * a_row, a_row, a_step, b, b_row, c + i * c_row, c_row);
}

/* C (rows, width) += A (rows, depth) B (depth, width); width is a multiple of ALIGN. */
static void add_product(int rows, int width, int depth, const float *a, int64_t a_row, int64_t a_step, const float *b,
                        int64_t b_row, float *c, int64_t c_row)
{
    int j = 0;
    for (; j + TILE_VECTORS * LANES <= width; j += TILE_VECTORS * LANES)
        columns(TILE_VECTORS, rows, depth, a, a_row, a_step, b + j, b_row, c + j, c_row);
    for (; j < width; j += LANES)
        columns(1, rows, depth, a, a_row, a_step, b + j, b_row, c + j, c_row);
}

/* Bit r of word i becomes bit i of word r. Source: H. S. Warren, "Hacker's Delight", 2002, section 7-3. */
static void transpose_bits(uint64_t word[64])
{
    uint64_t mask = 0x00000000FFFFFFFFull;
    for (int j = 32; j; j >>= 1, mask ^= mask << j)
        for (int k = 0; k < 64; k = ((k | j) + 1) & ~j) {
            uint64_t changed = ((word[k] >> j) ^ word[k | j]) & mask;
            word[k] ^= changed << j;
            word[k | j] ^= changed;
        }
}

/* ---- the three phases of a step ----------------------------------------------------------------------- */

/* The first layer for all images of the batch, a chunk of its units at a time. */
static void first_layer(Net *net, Epoch *epoch, const int64_t *order, int count, int thread)
{
    const int inputs = net->width[0], width = net->padded[1];
    for (int chunk = thread; chunk < net->chunks; chunk += net->threads) {
        const float *v = net->v + (int64_t)chunk * inputs * CHUNK;
        float *out = net->out[1] + chunk * CHUNK;
        float start[CHUNK] __attribute__((aligned(64)));
        const float *shift = net->shift + chunk * CHUNK;
        for (int j = 0; j < CHUNK; j++)
            start[j] = (float)(net->bias[1][chunk * CHUNK + j] - net->offset * net->row_sum[chunk * CHUNK + j]);
        for (int r = 0; r < count; r++) {
            const uint8_t *pixels = epoch->pixels + order[r] * inputs;
            const uint64_t *masks = epoch->masks + order[r] * net->words;
            const vec brightness = broadcast(epoch->brightness[order[r]]);
            vec sum[CHUNK_VECTORS];
            for (int j = 0; j < CHUNK_VECTORS; j++)
                sum[j] = *(vec *)(start + j * LANES) + brightness * *(const vec *)(shift + j * LANES);
            for (int w = 0; w < net->words; w++) {
                const float *rows = v + (int64_t)w * 64 * CHUNK;
                for (uint64_t bits = masks[w]; bits; bits &= bits - 1) {
                    int i = __builtin_ctzll(bits);
                    vec pixel = broadcast(net->table[pixels[w * 64 + i]]);
                    for (int j = 0; j < CHUNK_VECTORS; j++)
                        sum[j] += pixel * *(const vec *)(rows + i * CHUNK + j * LANES);
                }
            }
            for (int j = 0; j < CHUNK_VECTORS; j++)
                *(vec *)(out + (int64_t)r * width + j * LANES) = positive(sum[j]);
        }
    }
}

/* Loss, answer and gradient of one image from its logits. */
static void cross_entropy(Net *net, int r, int64_t label, float factor)
{
    const int last = net->layers, classes = net->width[last], width = net->padded[last];
    const float *logits = net->out[last] + (int64_t)r * width;
    float *grad = net->grad[last] + (int64_t)r * width;
    int best = 0;
    for (int k = 1; k < classes; k++)
        if (logits[k] > logits[best])
            best = k;
    vec largest = broadcast(logits[best]);
    for (int j = 0; j < width; j += LANES)
        *(vec *)(grad + j) = exponential(*(const vec *)(logits + j) - largest);
    float sum = 0;
    for (int k = 0; k < classes; k++)
        sum += grad[k];
    net->loss[r] = (double)(logf(sum) + (logits[best] - logits[label]));
    net->right[r] = best == label;
    float share = factor / sum;
    for (int k = 0; k < classes; k++)
        grad[k] *= share;
    for (int k = classes; k < width; k++)
        grad[k] = 0;
    grad[label] -= factor;
}

/* Some images of the batch through the other layers, the loss, and back to the first. */
static void forward_and_backward(Net *net, const int64_t *labels, const int64_t *order, int from, int to, float factor)
{
    const int rows = to - from, last = net->layers;
    for (int l = 2; l <= last; l++) {
        const int width = net->padded[l], before = net->padded[l - 1];
        float *out = net->out[l] + (int64_t)from * width;
        for (int r = 0; r < rows; r++)
            memcpy(out + (int64_t)r * width, net->bias[l], sizeof(float) * (size_t)width);
        add_product(rows, width, net->width[l - 1], net->out[l - 1] + (int64_t)from * before, before, 1, net->weight[l],
                    width, out, width);
        if (l < last)
            for (int64_t j = 0; j < (int64_t)rows * width; j += LANES)
                *(vec *)(out + j) = positive(*(vec *)(out + j));
    }
    for (int r = from; r < to; r++)
        cross_entropy(net, r, labels[order[r]], factor);
    for (int l = last; l >= 2; l--) {
        const int width = net->padded[l], before = net->padded[l - 1];
        float *grad = net->grad[l - 1] + (int64_t)from * before;
        const float *out = net->out[l - 1] + (int64_t)from * before;
        memset(grad, 0, sizeof(float) * (size_t)rows * (size_t)before);
        add_product(rows, before, net->width[l], net->grad[l] + (int64_t)from * width, width, 1, net->transposed[l], before,
                    grad, before);
        for (int64_t j = 0; j < (int64_t)rows * before; j += LANES)
            *(vec *)(grad + j) = (vec)(*(ivec *)(grad + j) & (*(const vec *)(out + j) > 0));
    }
}

/* Which images of each group have a pixel above 0, for some words of pixels. */
static void transpose_masks(Net *net, Epoch *epoch, const int64_t *order, int count, int thread)
{
    for (int g = 0; g * GROUP < count; g++)
        for (int w = thread; w < net->words; w += net->threads) {
            uint64_t *lit = net->lit + ((int64_t)g * net->words + w) * 64;
            for (int r = 0; r < GROUP; r++)
                lit[r] = g * GROUP + r < count ? epoch->masks[order[g * GROUP + r] * net->words + w] : 0;
            transpose_bits(lit);
        }
}

/* Step the chunks of the first layer that this thread owns. */
static void update_first_layer(Net *net, Epoch *epoch, const int64_t *order, int count, int thread)
{
    const int inputs = net->width[0], width = net->padded[1], groups = (count + GROUP - 1) / GROUP;
    for (int chunk = thread; chunk < net->chunks; chunk += net->threads) {
        float *v = net->v + (int64_t)chunk * inputs * CHUNK;
        const float *grad = net->grad[1] + chunk * CHUNK;
        for (int i = 0; i < inputs; i++)
            for (int g = 0; g < groups; g++) {
                uint64_t bits = net->lit[(int64_t)g * net->words * 64 + i];
                if (!bits)
                    continue;
                vec sum[CHUNK_VECTORS];
                for (int j = 0; j < CHUNK_VECTORS; j++)
                    sum[j] = *(vec *)(v + (int64_t)i * CHUNK + j * LANES);
                do {
                    int r = g * GROUP + __builtin_ctzll(bits);
                    bits &= bits - 1;
                    vec pixel = broadcast(net->table[epoch->pixels[order[r] * inputs + i]]);
                    for (int j = 0; j < CHUNK_VECTORS; j++)
                        sum[j] += pixel * *(const vec *)(grad + (int64_t)r * width + j * LANES);
                } while (bits);
                for (int j = 0; j < CHUNK_VECTORS; j++)
                    *(vec *)(v + (int64_t)i * CHUNK + j * LANES) = sum[j];
            }
        for (int j = 0; j < CHUNK_VECTORS; j++) {
            vec sum = {0}, weighted = {0};
            for (int r = 0; r < count; r++) {
                vec one = *(const vec *)(grad + (int64_t)r * width + j * LANES);
                sum += one;
                weighted += (epoch->brightness[order[r]] - net->offset * (float)inputs) * one;
            }
            int64_t at = chunk * CHUNK + j * LANES;
            *(vec *)(net->bias[1] + at) += sum;
            *(vec *)(net->shift + at) -= net->offset * sum;
            for (int k = 0; k < LANES; k++)
                net->row_sum[at + k] += weighted[k];
        }
    }
}

/* Step rows [from, to) of the weights of layer l, and keep their transposed copy in step. */
static void update_rows(Net *net, int l, int count, int from, int to)
{
    const int width = net->padded[l], before = net->padded[l - 1];
    float *weight = net->weight[l] + (int64_t)from * width;
    add_product(to - from, width, count, net->out[l - 1] + from, 1, before, net->grad[l], width, weight, width);
    for (int block = 0; block < net->width[l]; block += ALIGN)
        for (int i = from; i < to; i++)
            for (int j = block; j < block + ALIGN; j++)
                net->transposed[l][(int64_t)j * before + i] = net->weight[l][(int64_t)i * width + j];
}

static void update_bias(Net *net, int l, int count)
{
    const int width = net->padded[l];
    for (int r = 0; r < count; r++)
        for (int j = 0; j < width; j += LANES)
            *(vec *)(net->bias[l] + j) += *(const vec *)(net->grad[l] + (int64_t)r * width + j);
}

static void update(Net *net, Epoch *epoch, const int64_t *order, int count, int thread)
{
    const int threads = net->threads;
    update_first_layer(net, epoch, order, count, thread);
    /* The second layer by the chunks of the first: another thread may already fill other chunks anew. */
    for (int chunk = thread; chunk < net->chunks; chunk += threads)
        update_rows(net, 2, count, chunk * CHUNK, (chunk + 1) * CHUNK);
    for (int l = 3; l <= net->layers; l++) {
        int blocks = net->padded[l - 1] / ALIGN;
        update_rows(net, l, count, blocks * thread / threads * ALIGN, blocks * (thread + 1) / threads * ALIGN);
    }
    for (int l = 2; l <= net->layers; l++)
        if (l % threads == thread)
            update_bias(net, l, count);
}

/* ---- an epoch ------------------------------------------------------------------------------------------- */

static void train(Epoch *epoch, int thread)
{
    Net *net = epoch->net;
    int64_t right = 0, done = 0;
    double loss_sum = 0;
    int finite = 1;
    for (int64_t at = 0; at < epoch->count; at += epoch->batch) {
        const int64_t *order = epoch->order + at;
        const int count = (int)(epoch->count - at < epoch->batch ? epoch->count - at : epoch->batch);
        first_layer(net, epoch, order, count, thread);
        wait_for_all(epoch, net->threads);
        forward_and_backward(net, epoch->labels, order, count * thread / net->threads,
                             count * (thread + 1) / net->threads, -epoch->lr / (float)count);
        transpose_masks(net, epoch, order, count, thread);
        wait_for_all(epoch, net->threads);
        /* Each thread adds up the same numbers and comes to the same conclusion. */
        double step_sum = 0;
        for (int r = 0; r < count; r++) {
            step_sum += net->loss[r];
            right += net->right[r];
        }
        if (!(fabs(step_sum) <= DBL_MAX)) {
            finite = 0;
            break;
        }
        loss_sum += step_sum;
        update(net, epoch, order, count, thread);
        done++;
    }
    if (thread == 0) {
        epoch->loss_sum = loss_sum;
        epoch->right = right;
        epoch->done = done;
        epoch->finite = finite;
    }
}

typedef struct {
    Epoch *epoch;
    int thread;
} Worker;

WORK(work)
{
    Worker *worker = argument;
    while (!atomic_load_explicit(&worker->epoch->threads, memory_order_acquire))
        give_way();
    train(worker->epoch, worker->thread);
    return 0;
}

/* ---- what Python calls ---------------------------------------------------------------------------------- */

/* count x each numbers of size bytes, on a cache line of their own; both are at most 2 LARGEST. */
static void *zeros(int64_t count, int64_t each, size_t size)
{
    size_t numbers = (size_t)count * (size_t)each;
    if (numbers > (SIZE_MAX - 128) / size)
        return NULL;
    size_t bytes = (numbers * size + 63) / 64 * 64 + 64;
    void *memory = memory_of(bytes);
    if (memory)
        memset(memory, 0, bytes);
    return memory;
}

EXPORT void mlp_free(Net *net)
{
    if (!net)
        return;
    void *all[] = {net->v, net->shift, net->row_sum, net->lit, net->loss, net->right};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        give_back(all[i]);
    for (int l = 1; l <= net->layers; l++) {
        void *layer[] = {net->bias[l], net->weight[l], net->transposed[l], net->out[l], net->grad[l]};
        for (size_t i = 0; i < sizeof layer / sizeof *layer; i++)
            give_back(layer[i]);
    }
    give_back(net);
}

/* A network without weights; NULL where memory is short, or there is no such network. width: (layers + 1,), of the
   inputs and each layer. */
EXPORT Net *mlp_new(int layers, const int *width, int batch, float scale, float offset)
{
    if (layers < 2 || layers > MAX_LAYERS || batch < 1 || batch > LARGEST)
        return NULL;
    for (int l = 0; l <= layers; l++)
        if (width[l] < 1 || width[l] > LARGEST)
            return NULL;
    Net *net = zeros(1, 1, sizeof(Net));
    if (!net)
        return NULL;
    net->layers = layers, net->batch = batch, net->scale = scale, net->offset = offset;
    for (int l = 0; l <= layers; l++) {
        int unit = l == 1 ? CHUNK : ALIGN;
        net->width[l] = width[l];
        net->padded[l] = (width[l] + unit - 1) / unit * unit;
    }
    net->words = (width[0] + 63) / 64;
    net->chunks = net->padded[1] / CHUNK;
    net->groups = (batch + GROUP - 1) / GROUP;
    for (int p = 0; p < 256; p++)
        net->table[p] = scale * (float)p;
    /* Nothing more is asked for where something failed: of what a system only promises, clearing takes all there is. */
    int whole = 1;
    whole = whole && (net->v = zeros((int64_t)net->chunks * CHUNK, width[0], sizeof(float))) != NULL;
    whole = whole && (net->shift = zeros(net->padded[1], 1, sizeof(float))) != NULL;
    whole = whole && (net->row_sum = zeros(net->padded[1], 1, sizeof(double))) != NULL;
    whole = whole && (net->lit = zeros((int64_t)net->groups * GROUP, net->words, sizeof(uint64_t))) != NULL;
    whole = whole && (net->loss = zeros(batch, 1, sizeof(double))) != NULL;
    whole = whole && (net->right = zeros(batch, 1, 1)) != NULL;
    for (int l = 1; l <= layers; l++) {
        whole = whole && (net->bias[l] = zeros(net->padded[l], 1, sizeof(float))) != NULL;
        whole = whole && (net->out[l] = zeros(batch, net->padded[l], sizeof(float))) != NULL;
        whole = whole && (net->grad[l] = zeros(batch, net->padded[l], sizeof(float))) != NULL;
        if (l == 1)
            continue;
        whole = whole && (net->weight[l] = zeros(net->padded[l - 1], net->padded[l], sizeof(float))) != NULL;
        whole = whole && (net->transposed[l] = zeros(net->padded[l - 1], net->padded[l], sizeof(float))) != NULL;
    }
    if (!whole) {
        mlp_free(net);
        return NULL;
    }
    return net;
}

/* Take over the weights and biases of layer l, as torch holds them: (outputs, inputs) and (outputs,). */
EXPORT void mlp_load(Net *net, int l, const float *weight, const float *bias)
{
    const int inputs = net->width[l - 1], outputs = net->width[l];
    memcpy(net->bias[l], bias, sizeof(float) * (size_t)outputs);
    for (int o = 0; o < outputs; o++) {
        const float *row = weight + (int64_t)o * inputs;
        double sum = 0;
        for (int i = 0; i < inputs; i++) {
            if (l == 1) {
                net->v[((int64_t)(o / CHUNK) * inputs + i) * CHUNK + o % CHUNK] = row[i];
                sum += row[i];
            } else {
                net->weight[l][(int64_t)i * net->padded[l] + o] = row[i];
                net->transposed[l][(int64_t)o * net->padded[l - 1] + i] = row[i];
            }
        }
        if (l == 1) {
            net->row_sum[o] = sum;
            net->shift[o] = 0;
        }
    }
}

/* Give the weights and biases of layer l back. */
EXPORT void mlp_store(const Net *net, int l, float *weight, float *bias)
{
    const int inputs = net->width[l - 1], outputs = net->width[l];
    memcpy(bias, net->bias[l], sizeof(float) * (size_t)outputs);
    for (int o = 0; o < outputs; o++)
        for (int i = 0; i < inputs; i++)
            weight[(int64_t)o * inputs + i] =
                l == 1 ? net->v[((int64_t)(o / CHUNK) * inputs + i) * CHUNK + o % CHUNK] + net->shift[o]
                       : net->weight[l][(int64_t)i * net->padded[l] + o];
}

/* Which pixels of n images (n, inputs) are above 0, and s times their sum. masks: (n, words). */
EXPORT void mlp_index(const uint8_t *pixels, int64_t n, int inputs, float scale, uint64_t *masks, float *brightness)
{
    const int words = (inputs + 63) / 64;
    for (int64_t r = 0; r < n; r++) {
        const uint8_t *image = pixels + r * inputs;
        uint64_t sum = 0;
        for (int i = 0; i < inputs; i++)
            sum += image[i];
        brightness[r] = scale * (float)sum;
        for (int w = 0; w < words; w++) {
            const int count = inputs - w * 64 < 64 ? inputs - w * 64 : 64;
            uint64_t eight[8] = {0}, mask = 0;
            memcpy(eight, image + w * 64, (size_t)count);
            for (int i = 0; i < 8; i++) {
                /* The highest bit of each byte that is not 0; then the eight of them side by side. */
                uint64_t low = 0x7F7F7F7F7F7F7F7Full;
                uint64_t high = (((eight[i] & low) + low) | eight[i]) & ~low;
                mask |= (((high >> 7) * 0x0102040810204080ull) >> 56) << (8 * i);
            }
            masks[r * words + w] = mask;
        }
    }
}

/* Whether there are such images, their labels are outputs of the network, and a batch of them fits it. */
static int fits(const Net *net, const int64_t *labels, int64_t images, const int64_t *order, int64_t count, int batch)
{
    if (batch < 1 || (count < batch ? count : batch) > net->batch)
        return 0;
    for (int64_t i = 0; i < count; i++) {
        if (order[i] < 0 || order[i] >= images)
            return 0;
        int64_t label = labels[order[i]];
        if (label < 0 || label >= net->width[net->layers])
            return 0;
    }
    return 1;
}

/* Take a step for each batch of images order[0..count), of n; the steps taken, or -1 less them if a loss was not
   finite. OUTSIDE, and nothing is done, where `fits` says no. */
EXPORT int64_t mlp_train(Net *net, const uint8_t *pixels, const uint64_t *masks, const float *brightness,
                         const int64_t *labels, int64_t images, const int64_t *order, int64_t count, int batch,
                         float lr, int wanted, double *loss_sum, int64_t *right)
{
    if (!fits(net, labels, images, order, count, batch))
        return OUTSIDE;
    Epoch epoch = {.net = net, .pixels = pixels, .masks = masks, .brightness = brightness, .labels = labels,
                   .order = order, .count = count, .batch = batch, .lr = lr};
    Thread started[MAX_THREADS];
    Worker workers[MAX_THREADS];
    int threads = 1;
    for (; threads < wanted && threads < MAX_THREADS; threads++) {
        workers[threads] = (Worker){&epoch, threads};
        if (!start_thread(&started[threads], work, &workers[threads]))
            break; /* the others do its share */
    }
    net->threads = threads;
    atomic_store_explicit(&epoch.threads, threads, memory_order_release);
    train(&epoch, 0);
    for (int i = 1; i < threads; i++)
        end_of(started[i]);
    *loss_sum = epoch.loss_sum;
    *right = epoch.right;
    return epoch.finite ? epoch.done : -1 - epoch.done;
}
