/* Steps of Muon on a CPU: momentum, orthogonalization and the step itself of small matrices, one call for all.

   A network of a few thousand weights has matrices with 16 to 128 rows. Of the 60 operations that a matrix takes in
   torch most are over before the next is called; here a matrix stays in the cache of the core that has taken it.

   Numbers are float32. A matrix is (rows, columns) in memory without gaps. Of its two sides n is the shorter one and
   m the longer; x is it as (n, m), y as (m, n). Lines of scratch memory are filled with zeros to whole vectors of LANES.
   The threads are those of torch, to which `parallel` hands the work (GOMP_parallel of its OpenMP; without it one
   thread does all). No result depends on their number. */

#include <math.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

enum { LANES = 8, ROWS = 8, VECTORS = 2, SQUARES = 5, STEPS = 5 };
#define INLINE static inline __attribute__((always_inline))

typedef float vec __attribute__((vector_size(4 * LANES)));
typedef void (*Parallel)(void (*work)(void *), void *job, unsigned threads, unsigned flags);

typedef struct {
    float *weight;
    const float *gradient;
    float *momentum;
    int64_t rows, columns;
} Matrix;

typedef struct {
    const Matrix *matrices;
    float *scratch; /* of all matrices, one behind the other */
    int64_t count;
    float lr, momentum, decay, a, b, c;
    _Atomic int64_t next; /* the first matrix that nobody has taken yet */
} Job;

static int64_t whole(int64_t numbers) { return (numbers + LANES - 1) / LANES * LANES; }
static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

/* Floats of x or y, whichever takes more. */
static int64_t long_size(const Matrix *matrix) {
    return larger(matrix->rows * whole(matrix->columns), matrix->columns * whole(matrix->rows));
}

static int64_t square_size(const Matrix *matrix) {
    int64_t n = matrix->rows < matrix->columns ? matrix->rows : matrix->columns;
    return n * whole(n);
}

static int64_t scratch_size(const Matrix *matrix) { return 2 * long_size(matrix) + SQUARES * square_size(matrix); }

/* ---- Products of matrices, whose lines are whole vectors ---- */

INLINE void product_block(int rows, int vectors, int64_t inner, const float *left, int64_t left_line,
                          const float *right, int64_t line, float alpha, const float *add, float beta, float *out) {
    vec sums[ROWS][VECTORS] = {0};
    for (int64_t k = 0; k < inner; k++)
        for (int j = 0; j < vectors; j++) {
            vec value;
            memcpy(&value, right + k * line + j * LANES, sizeof value);
            for (int i = 0; i < rows; i++)
                sums[i][j] += left[i * left_line + k] * value;
        }
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < vectors; j++) {
            vec value = sums[i][j] * alpha, added;
            if (add) {
                memcpy(&added, add + i * line + j * LANES, sizeof added);
                value += added * beta;
            }
            memcpy(out + i * line + j * LANES, &value, sizeof value);
        }
}

/* What is left of the rows is a block of half as many, of a quarter, of one: numbers that are known when this is
   compiled, so that all sums are registers. */
INLINE void product_column(int vectors, int64_t rows, int64_t inner, const float *left, int64_t left_line,
                           const float *right, int64_t line, float alpha, const float *add, float beta, float *out) {
    int64_t i = 0;
#pragma GCC unroll 4
    for (int block = ROWS; block; block /= 2)
        for (; i + block <= rows; i += block)
            product_block(block, vectors, inner, left + i * left_line, left_line, right, line, alpha,
                          add ? add + i * line : add, beta, out + i * line);
}

/* out = alpha left right + beta add; add may be NULL, and out may be neither left nor right. Lines of right, add and
   out are equally long, line. */
static void product(int64_t rows, int64_t inner, const float *left, int64_t left_line, const float *right, int64_t line,
                    float alpha, const float *add, float beta, float *out) {
    int64_t j = 0;
    for (; j + VECTORS * LANES <= line; j += VECTORS * LANES)
        product_column(VECTORS, rows, inner, left, left_line, right + j, line, alpha, add ? add + j : add, beta, out + j);
    if (j < line)
        product_column(1, rows, inner, left, left_line, right + j, line, alpha, add ? add + j : add, beta, out + j);
}

/* ---- One matrix ---- */

/* The momentum takes its step towards the gradient; ahead (rows, line) is where it leads (Nesterov). The length of
   ahead as a vector. */
static double look_ahead(const Matrix *matrix, float momentum, float *ahead, int64_t line) {
    double squares = 0;
    for (int64_t row = 0; row < matrix->rows; row++, ahead += line) {
        const float *gradient = matrix->gradient + row * matrix->columns;
        float *kept = matrix->momentum + row * matrix->columns;
        for (int64_t k = 0; k < matrix->columns; k++) {
            kept[k] += (1 - momentum) * (gradient[k] - kept[k]);
            ahead[k] = gradient[k] + momentum * (kept[k] - gradient[k]);
        }
        memset(ahead + matrix->columns, 0, (line - matrix->columns) * sizeof *ahead);
        vec sums = {0};
        for (int64_t k = 0; k < line; k += LANES) {
            vec value;
            memcpy(&value, ahead + k, sizeof value);
            sums += value * value;
        }
        for (int lane = 0; lane < LANES; lane++)
            squares += sums[lane];
    }
    return sqrt(squares);
}

/* in (rows, columns) times factor, and as its transpose, out (columns, rows). */
static void scale_and_transpose(float *in, int64_t rows, int64_t columns, float factor, float *out) {
    int64_t in_line = whole(columns), out_line = whole(rows);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t k = 0; k < in_line; k++)
            in[i * in_line + k] *= factor;
    for (int64_t k = 0; k < columns; k++) {
        for (int64_t i = 0; i < rows; i++)
            out[k * out_line + i] = in[i * in_line + k];
        memset(out + k * out_line + rows, 0, (out_line - rows) * sizeof *out);
    }
}

/* As `orthogonalized` in muon.py: of G = x x' the product of all Q = aI + bG + cG^2, with G <- Q G Q. G is squares[0];
   what comes back is one of squares. */
static float *product_of_steps(int64_t n, float a, float b, float c, float *squares[SQUARES]) {
    int64_t line = whole(n);
    float *gram = squares[0], *change = squares[1], *half = squares[2], *all = squares[3], *spare = squares[4];
    for (int step = 0; step < STEPS; step++) {
        product(n, n, gram, line, gram, line, c, gram, b, change); /* Q - aI */
        if (step) {
            product(n, n, change, line, all, line, 1, all, a, spare);
            float *old = all;
            all = spare;
            spare = old;
        } else {
            memcpy(all, change, n * line * sizeof *all);
            for (int64_t i = 0; i < n; i++)
                all[i * line + i] += a;
        }
        if (step < STEPS - 1) {
            product(n, n, gram, line, change, line, 1, gram, a, half);
            product(n, n, change, line, half, line, 1, half, a, gram);
        }
    }
    return all;
}

static void step_matrix(const Job *job, const Matrix *matrix, float *scratch) {
    int64_t rows = matrix->rows, columns = matrix->columns, line = whole(columns);
    int wide = rows <= columns;
    int64_t n = wide ? rows : columns, m = wide ? columns : rows;
    float *own = scratch, *other = own + long_size(matrix), *squares[SQUARES];
    for (int i = 0; i < SQUARES; i++)
        squares[i] = other + long_size(matrix) + i * square_size(matrix);

    double length = look_ahead(matrix, job->momentum, own, line);
    /* By this length no singular value is above 1. A length that is not a number stays one. */
    scale_and_transpose(own, rows, columns, length < 1e-7 ? 1 / 1e-7 : 1 / length, other);
    const float *x = wide ? own : other, *y = wide ? other : own;
    product(n, m, x, whole(m), y, whole(n), 1, NULL, 0, squares[0]);
    const float *steps = product_of_steps(n, job->a, job->b, job->c, squares);
    /* steps x, or as it lies in memory its transpose, y steps: they are symmetric. */
    float *direction = other;
    if (wide)
        product(n, n, steps, whole(n), x, line, 1, NULL, 0, direction);
    else
        product(m, n, y, line, steps, line, 1, NULL, 0, direction);
    /* A tall matrix answers with a vector that is longer by this than what a square one gives. */
    float factor = job->lr * (wide ? 1 : sqrt((double)rows / columns)), kept = 1 - job->lr * job->decay;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t k = 0; k < columns; k++)
            matrix->weight[i * columns + k] = matrix->weight[i * columns + k] * kept - factor * direction[i * line + k];
}

static void work(void *given) {
    Job *job = given;
    int64_t number;
    while ((number = atomic_fetch_add_explicit(&job->next, 1, memory_order_relaxed)) < job->count) {
        float *scratch = job->scratch;
        for (int64_t i = 0; i < number; i++)
            scratch += scratch_size(job->matrices + i);
        step_matrix(job, job->matrices + number, scratch);
    }
}

/* Floats of scratch memory for matrices (count,). */
int64_t muon_scratch(const void *matrices, int64_t count) {
    int64_t size = 0;
    for (int64_t i = 0; i < count; i++)
        size += scratch_size((const Matrix *)matrices + i);
    return size;
}

/* One step of all matrices (count,), the most costly first; coefficients are a, b and c of the iteration. */
void muon_step(const void *matrices, int64_t count, float *scratch, double lr, double momentum, double decay,
               const double *coefficients, Parallel parallel, int threads) {
    Job job = {.matrices = matrices, .scratch = scratch, .count = count, .lr = lr, .momentum = momentum, .decay = decay,
               .a = coefficients[0], .b = coefficients[1], .c = coefficients[2]};
    if (parallel && threads > 1)
        parallel(work, &job, threads, 0);
    else
        work(&job);
}
