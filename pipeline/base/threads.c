#define _GNU_SOURCE /* sched_getaffinity */
#include "threads.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* A pool: workers 1 .. count-1 are started by the first run that needs them and then wait for the
 * next one; the calling thread is number 0 and works too. */
static struct {
  pthread_mutex_t lock;
  pthread_cond_t begin, end;
  pthread_t workers[THREADS_MOST];
  int numbers[THREADS_MOST]; /* of the workers, from 1 */
  int count;                 /* threads wanted, the caller included */
  int started;               /* workers that exist */
  int busy;                  /* workers still at the present run */
  uint64_t round;            /* number of the present run */
  bool quit;
} g_pool = {.lock = PTHREAD_MUTEX_INITIALIZER,
            .begin = PTHREAD_COND_INITIALIZER,
            .end = PTHREAD_COND_INITIALIZER,
            .count = 1};

/* The present run. Written by the caller while no worker is busy. */
static struct {
  ThreadsUnit run;
  void *context;
  int64_t units;
  atomic_int_least64_t next;
  atomic_bool failed;
  pthread_mutex_t lock; /* of the rest */
  int64_t unit;         /* the lowest failing unit so far */
  Status status;
  char why[STATUS_WHY_SIZE];
} g_run = {.lock = PTHREAD_MUTEX_INITIALIZER};

static _Thread_local int g_thread = -1; /* number inside a run, -1 outside */

static void note_failure(int64_t unit, Status status) {
  pthread_mutex_lock(&g_run.lock);
  if (g_run.status == OK || unit < g_run.unit) {
    g_run.unit = unit;
    g_run.status = status;
    snprintf(g_run.why, sizeof(g_run.why), "%s", status_why());
  }
  pthread_mutex_unlock(&g_run.lock);
  atomic_store(&g_run.failed, true);
}

static void take_units(int thread) {
  g_thread = thread;
  while (!atomic_load(&g_run.failed)) {
    const int64_t unit = atomic_fetch_add(&g_run.next, 1);
    if (unit >= g_run.units) {
      break;
    }
    const Status status = g_run.run(unit, thread, g_run.context);
    if (status != OK) {
      note_failure(unit, status);
    }
  }
  g_thread = -1;
}

static void *work(void *number) {
  const int thread = *(const int *)number;
  pthread_mutex_lock(&g_pool.lock);
  for (uint64_t seen = 0;; seen = g_pool.round) {
    while (g_pool.round == seen && !g_pool.quit) {
      pthread_cond_wait(&g_pool.begin, &g_pool.lock);
    }
    if (g_pool.quit) {
      break;
    }
    const uint64_t round = g_pool.round;
    pthread_mutex_unlock(&g_pool.lock);
    take_units(thread);
    pthread_mutex_lock(&g_pool.lock);
    ASSERT(round == g_pool.round);
    if (--g_pool.busy == 0) {
      pthread_cond_signal(&g_pool.end);
    }
  }
  pthread_mutex_unlock(&g_pool.lock);
  return NULL;
}

static void stop_workers(void) {
  pthread_mutex_lock(&g_pool.lock);
  g_pool.quit = true;
  pthread_cond_broadcast(&g_pool.begin);
  pthread_mutex_unlock(&g_pool.lock);
  for (int i = 0; i < g_pool.started; ++i) {
    pthread_join(g_pool.workers[i], NULL);
  }
  g_pool.started = 0;
  g_pool.round = 0;
  g_pool.quit = false;
}

/* Workers take no signals: a stage's handlers run on the main thread. */
static Status start_workers(void) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int failed = 0;
  while (g_pool.started < g_pool.count - 1 && failed == 0) {
    const int next = g_pool.started;
    g_pool.numbers[next] = next + 1;
    failed = pthread_create(&g_pool.workers[next], NULL, work, &g_pool.numbers[next]);
    g_pool.started += failed == 0 ? 1 : 0;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (failed != 0) {
    const int started = g_pool.started;
    stop_workers();
    return RAISE(ERR_MEMORY, "only %d of %d threads could be started: %s; ask for fewer threads",
                 started + 1, g_pool.count, strerror(failed));
  }
  return OK;
}

static Status run_inline(int64_t units, ThreadsUnit run, void *context, int thread) {
  for (int64_t unit = 0; unit < units; ++unit) {
    TRY(run(unit, thread, context));
  }
  return OK;
}

void threads_set(int count) {
  ASSERT(count >= 1 && count <= THREADS_MOST && g_thread < 0);
  if (count - 1 < g_pool.started) {
    stop_workers();
  }
  g_pool.count = count;
}

/* The set must be as large as the kernel's, which may know of more than the 1,024 CPUs of cpu_set_t. */
static const size_t CPUS_LEAST = 1024, CPUS_MOST = 1 << 20;

int threads_cores(void) {
  int cores = 0;
  for (size_t cpus = CPUS_LEAST; cores == 0 && cpus <= CPUS_MOST; cpus *= 2) {
    cpu_set_t *const allowed = CPU_ALLOC(cpus);
    const size_t bytes = CPU_ALLOC_SIZE(cpus);
    if (allowed != NULL && sched_getaffinity(0, bytes, allowed) == 0) {
      cores = CPU_COUNT_S(bytes, allowed);
    }
    CPU_FREE(allowed);
  }
  return cores > 0 ? cores : 1;
}

int threads_count(void) {
  return g_pool.count;
}

Status threads_start(void) {
  if (g_pool.started == g_pool.count - 1) {
    return OK;
  }
  stop_workers(); /* all anew, so that all have seen the same rounds */
  return start_workers();
}

Status threads_run(int64_t units, ThreadsUnit run, void *context) {
  if (g_thread >= 0) { /* a unit that splits its own work */
    return run_inline(units, run, context, g_thread);
  }
  if (g_pool.count == 1 || units <= 1) {
    return run_inline(units, run, context, 0);
  }
  TRY(threads_start());
  g_run.run = run;
  g_run.context = context;
  g_run.units = units;
  g_run.status = OK;
  atomic_store(&g_run.next, 0);
  atomic_store(&g_run.failed, false);
  pthread_mutex_lock(&g_pool.lock);
  g_pool.busy = g_pool.started;
  ++g_pool.round;
  pthread_cond_broadcast(&g_pool.begin);
  pthread_mutex_unlock(&g_pool.lock);
  take_units(0);
  pthread_mutex_lock(&g_pool.lock);
  while (g_pool.busy > 0) {
    pthread_cond_wait(&g_pool.end, &g_pool.lock);
  }
  pthread_mutex_unlock(&g_pool.lock);
  if (g_run.status != OK) {
    status_set_why(g_run.why);
  }
  return g_run.status;
}
