/* Sums over the processes of one machine, in memory that they share.
 *
 * Each process writes its numbers into a place of its own, says that they are there, waits until all have
 * said so, and adds up all of them itself: in the order of the processes, so that all get the same bits.
 *
 * Places come in pairs and are used in turn. Who writes into one of round r + 2 has seen all others in round
 * r + 1, which they entered after they had read what it overwrites; so one wait a round is enough.
 */

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

enum { CACHE_LINE = 64 };
#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT
#endif

/* The last round that a process has entered, and how much it gave in this and in the one before; on a cache line of
 * its own. */
typedef struct {
    _Alignas(CACHE_LINE) _Atomic uint64_t round;
    int64_t bytes[2];
} Entered;

EXPORT int64_t shared_sum_size(int processes, int64_t place_size) {
    return processes * ((int64_t)sizeof(Entered) + 2 * place_size);
}

static void *place(void *memory, int processes, int process, uint64_t round, int64_t place_size) {
    char *places = (char *)memory + processes * (int64_t)sizeof(Entered);
    return places + (2 * process + (int)(round & 1)) * place_size;
}

/* Enter a round with numbers of so many bytes, place_size at most. The first round is 1. */
EXPORT void shared_sum_publish(void *memory, int processes, int process, uint64_t round, int64_t place_size,
                     const void *numbers, int64_t bytes) {
    Entered *entered = (Entered *)memory + process;
    memcpy(place(memory, processes, process, round, place_size), numbers, (size_t)bytes);
    entered->bytes[round & 1] = bytes;
    atomic_store_explicit(&entered->round, round, memory_order_release);
}

static void rest(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

enum { NOT_YET = 0, DONE = 1, UNLIKE = -1 };

/* Whether all have entered a round, after looking so many times at most, and with as much as this process. */
static int all_entered(Entered *entered, int processes, uint64_t round, int64_t looks, int64_t bytes) {
    for (int process = 0; process < processes; process++) {
        while (atomic_load_explicit(&entered[process].round, memory_order_acquire) < round) {
            if (looks-- <= 0)
                return NOT_YET;
            rest();
        }
        if (entered[process].bytes[round & 1] != bytes)
            return UNLIKE;
    }
    return DONE;
}

/* The sum of what all gave in a round, count numbers of a type. NOT_YET where some have still to give theirs, UNLIKE
 * where one gave more or less than this process. */
#define SHARED_SUM_COLLECT(name, type)                                                                                \
    EXPORT int name(void *memory, int processes, uint64_t round, int64_t place_size, int64_t looks,                   \
                    type *restrict sums, int64_t count) {                                                             \
        int64_t bytes = count * (int64_t)sizeof(type);                                                                \
        int state = all_entered(memory, processes, round, looks, bytes);                                              \
        if (state != DONE)                                                                                            \
            return state;                                                                                             \
        memcpy(sums, place(memory, processes, 0, round, place_size), (size_t)bytes);                                  \
        for (int process = 1; process < processes; process++) {                                                       \
            const type *restrict numbers = place(memory, processes, process, round, place_size);                      \
            for (int64_t i = 0; i < count; i++)                                                                       \
                sums[i] += numbers[i];                                                                                \
        }                                                                                                             \
        return DONE;                                                                                                  \
    }

SHARED_SUM_COLLECT(shared_sum_collect_float, float)
SHARED_SUM_COLLECT(shared_sum_collect_double, double)
