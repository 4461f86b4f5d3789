/* Hands work to threads as GOMP_parallel does, by threads of its own: ThreadSanitizer knows of pthreads when what one
   does comes before what another does, and nothing of torch's OpenMP, which is not compiled for it. */

#include <pthread.h>

enum { MOST = 16 };

typedef struct {
    void (*work)(void *);
    void *job;
} Call;

static void *call(void *given) {
    Call *own = given;
    own->work(own->job);
    return 0;
}

void own_threads(void (*work)(void *), void *job, unsigned threads, unsigned flags) {
    (void)flags;
    Call own = {work, job};
    pthread_t started[MOST];
    unsigned count = 1;
    for (; count < threads && count < MOST; count++)
        if (pthread_create(&started[count], 0, call, &own))
            break;
    work(job);
    for (unsigned i = 1; i < count; i++)
        pthread_join(started[i], 0);
}
