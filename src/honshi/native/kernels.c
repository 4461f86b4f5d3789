/* 2 x 2 max pooling, alone and of a picture's convolution, on a CPU, for features whose channels lie side by side.

   A network of a few thousand weights spends a third of its step on these, waiting for memory: pooling writes
   eight bytes to remember which pixel was the largest, fills the gradient with zeros and scatters into it. Here it
   is one byte, and every pass over the features reads each once and writes each once. The features of the first
   convolution, the largest of all, are never written: only their maxima are.

   Numbers are float32, or bfloat16 (bfloat16 = 1), which is the upper half of a float32; arithmetic is float32,
   sums are float64. Channels come in whole vectors of LANES. The threads are those of torch, to which `parallel` hands
   the work (GOMP_parallel of its OpenMP; without it one thread does all). No result depends on their number.

   Shapes: n images, each (h, w) pixels of c channels. */

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

enum { LANES = 8, POOL_ROWS = 8, WIDEST = 1024, SUMS = 512 };
#define INLINE static inline __attribute__((always_inline))
#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT
#endif

typedef int32_t bits __attribute__((vector_size(4 * LANES)));
typedef float vec __attribute__((vector_size(4 * LANES)));
typedef uint8_t bytes __attribute__((vector_size(LANES)));
typedef uint16_t upper_halves __attribute__((vector_size(2 * LANES)));
typedef void (*Parallel)(void (*work)(void *), void *job, unsigned threads, unsigned flags);

typedef struct {
    const char *in;            /* features that are read */
    char *out;                 /* what is written, in the same kind of numbers */
    uint8_t *which;            /* of each maximum: its place in the window, 0 to 3 */
    const float *pictures;     /* of a convolution */
    const float *filters;      /* (9, c) */
    float *partial;            /* the gradient at the filters of each image: (n, 9, c) */
    int64_t height, width, channels, rows, block;
    int bfloat16;
    _Atomic int64_t next;      /* the first row that nobody has taken yet */
} Job;

INLINE bits load(const char *numbers, int64_t place, int bfloat16) {
    bits value;
    if (bfloat16) {
        upper_halves upper;
        memcpy(&upper, numbers + 2 * place, sizeof upper);
        return __builtin_convertvector(upper, bits) << 16;
    }
    memcpy(&value, numbers + 4 * place, sizeof value);
    return value;
}

/* Of bfloat16 the lower half must be zero already. */
INLINE void store(char *numbers, int64_t place, bits value, int bfloat16) {
    if (bfloat16) {
        upper_halves upper = __builtin_convertvector(value >> 16, upper_halves);
        memcpy(numbers + 2 * place, &upper, sizeof upper);
    } else {
        memcpy(numbers + 4 * place, &value, sizeof value);
    }
}

/* The nearest bfloat16, of two the even one; what is not a number stays so. */
INLINE bits rounded(vec value, int bfloat16) {
    bits exact = (bits)value;
    if (!bfloat16)
        return exact;
    bits nearest = exact + 0x7fff + ((exact >> 16) & 1);
    bits broken = value != value;
    return ((broken & (exact | 0x400000)) | (~broken & nearest)) & (int32_t)0xffff0000;
}

INLINE vec load_vector(const float *numbers) {
    vec value;
    memcpy(&value, numbers, sizeof value);
    return value;
}

/* The next block of rows; 0 where none is left. */
INLINE int next_block(Job *job, int64_t *first, int64_t *last) {
    *first = atomic_fetch_add_explicit(&job->next, job->block, memory_order_relaxed);
    *last = *first + job->block < job->rows ? *first + job->block : job->rows;
    return *first < job->rows;
}

static void run(void (*work)(void *), Job *job, Parallel parallel, int threads) {
    if (parallel && threads > 1)
        parallel(work, job, (unsigned)threads, 0);
    else
        work(job);
}

/* Of each channel the place of the maximum in its window: a byte. */
INLINE bits load_place(const uint8_t *which, int64_t at) {
    bytes small;
    memcpy(&small, which + at, sizeof small);
    return __builtin_convertvector(small, bits);
}

INLINE void store_place(uint8_t *which, int64_t at, bits place) {
    bytes small = __builtin_convertvector(place, bytes);
    memcpy(which + at, &small, sizeof small);
}

/* ---- Max pooling: windows of 2 x 2, at odd edges of what is left of them. A row is one of the output. ---- */

/* As torch does: of equal ones the first, and what is not a number wins. */
INLINE void keep_larger(bits *best, bits *place, bits other, int number) {
    vec a = (vec)*best, b = (vec)other;
    bits more = (b > a) | (b != b);
    *best = (more & other) | (~more & *best);
    *place = (more & number) | (~more & *place);
}

INLINE void pool_rows(Job *job, int bfloat16) {
    int64_t h = job->height, w = job->width, c = job->channels, out_h = (h + 1) / 2, out_w = (w + 1) / 2, first, last;
    while (next_block(job, &first, &last))
        for (int64_t row = first; row < last; row++) {
            int64_t y = 2 * (row % out_h), upper = (row / out_h * h + y) * w * c;
            int64_t lower = y + 1 < h ? upper + w * c : upper;
            for (int64_t x = 0, out = row * out_w * c; x < w; x += 2, out += c) {
                int64_t left = x * c, right = x + 1 < w ? left + c : left;
                for (int64_t k = 0; k < c; k += LANES) {
                    bits best = load(job->in, upper + left + k, bfloat16), place = {0};
                    keep_larger(&best, &place, load(job->in, upper + right + k, bfloat16), 1);
                    keep_larger(&best, &place, load(job->in, lower + left + k, bfloat16), 2);
                    keep_larger(&best, &place, load(job->in, lower + right + k, bfloat16), 3);
                    store(job->out, out + k, best, bfloat16);
                    store_place(job->which, out + k, place);
                }
            }
        }
}

INLINE void pool_gradient_rows(Job *job, int bfloat16) {
    int64_t h = job->height, w = job->width, c = job->channels, out_h = (h + 1) / 2, out_w = (w + 1) / 2, first, last;
    while (next_block(job, &first, &last))
        for (int64_t row = first; row < last; row++) {
            int64_t y = 2 * (row % out_h), upper = (row / out_h * h + y) * w * c, lower = upper + w * c;
            for (int64_t x = 0, from = row * out_w * c; x < w; x += 2, from += c) {
                int64_t left = x * c, right = left + c;
                int below = y + 1 < h, beside = x + 1 < w;
                for (int64_t k = 0; k < c; k += LANES) {
                    bits gradient = load(job->in, from + k, bfloat16);
                    /* Where the window is cut off, its pixels stood in for those that are not there. */
                    bits place = load_place(job->which, from + k) & (beside + 2 * below);
                    store(job->out, upper + left + k, gradient & (place == 0), bfloat16);
                    if (beside)
                        store(job->out, upper + right + k, gradient & (place == 1), bfloat16);
                    if (below)
                        store(job->out, lower + left + k, gradient & (place == 2), bfloat16);
                    if (beside && below)
                        store(job->out, lower + right + k, gradient & (place == 3), bfloat16);
                }
            }
        }
}

static void pool_work(void *job) { ((Job *)job)->bfloat16 ? pool_rows(job, 1) : pool_rows(job, 0); }
static void pool_gradient_work(void *job) {
    ((Job *)job)->bfloat16 ? pool_gradient_rows(job, 1) : pool_gradient_rows(job, 0);
}

/* in (n, h, w, c) to out and which (n, ceil(h / 2), ceil(w / 2), c). */
EXPORT void max_pool(const void *in, void *out, uint8_t *which, int64_t images, int64_t height, int64_t width,
                     int64_t channels, int bfloat16, Parallel parallel, int threads) {
    Job job = {.in = in, .out = out, .which = which, .height = height, .width = width, .channels = channels,
               .rows = images * ((height + 1) / 2), .block = POOL_ROWS, .bfloat16 = bfloat16};
    run(pool_work, &job, parallel, threads);
}

/* Of the gradient at out that at in. */
EXPORT void max_pool_gradient(const void *at_out, void *at_in, uint8_t *which, int64_t images, int64_t height,
                              int64_t width, int64_t channels, int bfloat16, Parallel parallel, int threads) {
    Job job = {.in = at_out, .out = at_in, .which = which, .height = height, .width = width, .channels = channels,
               .rows = images * ((height + 1) / 2), .block = POOL_ROWS, .bfloat16 = bfloat16};
    run(pool_gradient_work, &job, parallel, threads);
}

/* ---- Convolution of a picture, and max pooling of what comes out. ----

   A picture has one channel, float32 (h, w), of at most WIDEST columns: its lines lie on the stack. The filters are
   3 x 3, (9, c), and see zeros beyond the edge. */

/* The four lines of a picture that the windows of an output row see, y - 1 to y + 2, each with a zero before and two
   behind it. */
INLINE void lines_around(const Job *job, int64_t image, int64_t y, float *lines) {
    int64_t h = job->height, w = job->width;
    for (int64_t from = y - 1; from <= y + 2; from++, lines += w + 3) {
        lines[0] = lines[w + 1] = lines[w + 2] = 0;
        if (from >= 0 && from < h)
            memcpy(lines + 1, job->pictures + (image * h + from) * w, (size_t)w * sizeof *lines);
        else
            memset(lines + 1, 0, (size_t)w * sizeof *lines);
    }
}

INLINE void conv_pool_rows(Job *job, int bfloat16) {
    int64_t h = job->height, w = job->width, c = job->channels, out_h = (h + 1) / 2, out_w = (w + 1) / 2, first, last;
    int64_t line = w + 3;
    float lines[4 * (WIDEST + 3)];
    while (next_block(job, &first, &last))
        for (int64_t row = first; row < last; row++) {
            int64_t y = 2 * (row % out_h);
            lines_around(job, row / out_h, y, lines);
            for (int64_t k = 0; k < c; k += LANES) {
                vec filter[9];
                for (int tap = 0; tap < 9; tap++)
                    filter[tap] = load_vector(job->filters + tap * c + k);
                for (int64_t x = 0, out = row * out_w * c + k; x < w; x += 2, out += c) {
                    vec sums[4];
                    for (int pixel = 0; pixel < 4; pixel++) {
                        const float *corner = lines + pixel / 2 * line + x + pixel % 2;
                        sums[pixel] = corner[0] * filter[0];
                        for (int tap = 1; tap < 9; tap++)
                            sums[pixel] += corner[tap / 3 * line + tap % 3] * filter[tap];
                    }
                    bits best = (bits)sums[0], place = {0};
                    if (x + 1 < w)
                        keep_larger(&best, &place, (bits)sums[1], 1);
                    if (y + 1 < h)
                        keep_larger(&best, &place, (bits)sums[2], 2);
                    if (x + 1 < w && y + 1 < h)
                        keep_larger(&best, &place, (bits)sums[3], 3);
                    store(job->out, out, rounded((vec)best, bfloat16), bfloat16);
                    if (job->which)
                        store_place(job->which, out, place);
                }
            }
        }
}

/* A row is a whole image. */
INLINE void conv_pool_gradient_rows(Job *job, int bfloat16) {
    int64_t h = job->height, w = job->width, c = job->channels, out_h = (h + 1) / 2, out_w = (w + 1) / 2, first, last;
    int64_t line = w + 3;
    float lines[4 * (WIDEST + 3)];
    while (next_block(job, &first, &last))
        for (int64_t image = first; image < last; image++) {
            float *partial = job->partial + image * 9 * c;
            memset(partial, 0, 9 * (size_t)c * sizeof *partial);
            for (int64_t y = 0; y < out_h; y++) {
                lines_around(job, image, 2 * y, lines);
                for (int64_t k = 0; k < c; k += LANES) {
                    vec sums[9];
                    for (int tap = 0; tap < 9; tap++)
                        sums[tap] = load_vector(partial + tap * c + k);
                    for (int64_t x = 0, from = (image * out_h + y) * out_w * c + k; x < w; x += 2, from += c) {
                        bits gradient = load(job->in, from, bfloat16), place = load_place(job->which, from);
                        for (int pixel = 0; pixel < 4; pixel++) {
                            const float *corner = lines + pixel / 2 * line + x + pixel % 2;
                            vec own = (vec)(gradient & (place == pixel));
                            for (int tap = 0; tap < 9; tap++)
                                sums[tap] += corner[tap / 3 * line + tap % 3] * own;
                        }
                    }
                    for (int tap = 0; tap < 9; tap++)
                        memcpy(partial + tap * c + k, &sums[tap], sizeof(vec));
                }
            }
        }
}

static void conv_pool_work(void *job) { ((Job *)job)->bfloat16 ? conv_pool_rows(job, 1) : conv_pool_rows(job, 0); }
static void conv_pool_gradient_work(void *job) {
    ((Job *)job)->bfloat16 ? conv_pool_gradient_rows(job, 1) : conv_pool_gradient_rows(job, 0);
}

/* pictures (n, h, w) by filters (9, c) to out (n, ceil(h / 2), ceil(w / 2), c) and which, as of max_pool; which may
   be NULL. 0 where the pictures are too wide. */
EXPORT int conv_pool(const float *pictures, const float *filters, void *out, uint8_t *which, int64_t images,
                     int64_t height, int64_t width, int64_t channels, int bfloat16, Parallel parallel, int threads) {
    if (width > WIDEST)
        return 0;
    Job job = {.pictures = pictures, .out = out, .which = which, .filters = filters, .height = height,
               .width = width, .channels = channels, .rows = images * ((height + 1) / 2), .block = POOL_ROWS,
               .bfloat16 = bfloat16};
    run(conv_pool_work, &job, parallel, threads);
    return 1;
}

/* Of the gradient at out that at filters (9, c); partial holds 9 c floats an image. 0 as of conv_pool. */
EXPORT int conv_pool_gradient(const void *at_out, const float *pictures, uint8_t *which, float *partial,
                              float *at_filters, int64_t images, int64_t height, int64_t width, int64_t channels,
                              int bfloat16, Parallel parallel, int threads) {
    if (width > WIDEST)
        return 0;
    Job job = {.pictures = pictures, .in = at_out, .which = which, .partial = partial, .height = height,
               .width = width, .channels = channels, .rows = images, .block = 1, .bfloat16 = bfloat16};
    run(conv_pool_gradient_work, &job, parallel, threads);
    for (int64_t from = 0, all = 9 * channels; from < all; from += SUMS) {
        int64_t count = all - from < SUMS ? all - from : SUMS;
        double sums[SUMS] = {0};
        for (int64_t image = 0; image < images; image++)
            for (int64_t i = 0; i < count; i++)
                sums[i] += partial[image * all + from + i];
        for (int64_t i = 0; i < count; i++)
            at_filters[from + i] = (float)sums[i];
    }
    return 1;
}
