/* The threads for requests that block, one set for all servers of the process. They are started when there is
 * more to do than threads to do it, and end when idle for a while, so a quiet daemon has none. */
#include "base/log.h"
#include "base/memory.h"
#include "http/internal.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

enum { QUEUE_MAX = 1024, IDLE_S = 10, STACK_BYTES = 256 * 1024 };

static struct {
	pthread_mutex_t mutex;
	pthread_cond_t has_work, has_ended;
	struct exchange *first, **last;
	unsigned queued, idle, threads, max, servers;
} pool = {
	.mutex = PTHREAD_MUTEX_INITIALIZER,
	.has_work = PTHREAD_COND_INITIALIZER,
	.has_ended = PTHREAD_COND_INITIALIZER,
	.last = &pool.first,
};

int thread_start(pthread_t *ret, size_t stack_bytes, bool is_detached, void *(*run)(void *), void *context)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	sigfillset(&all);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, stack_bytes);
	pthread_attr_setdetachstate(
		&attributes, is_detached ? PTHREAD_CREATE_DETACHED : PTHREAD_CREATE_JOINABLE);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error_number = pthread_create(ret, &attributes, run, context);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return error_number;
}

static void push(struct exchange *exchange)
{
	exchange->next = NULL;
	*pool.last = exchange;
	pool.last = &exchange->next;
	pool.queued++;
}

static struct exchange *pop(void)
{
	struct exchange *exchange = pool.first;
	if (!exchange)
		return NULL;
	pool.first = exchange->next;
	if (!pool.first)
		pool.last = &pool.first;
	pool.queued--;
	return exchange;
}

/* The next one to run; NULL when it is time to end. */
static struct exchange *wait_for_work(void)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += IDLE_S;
	int rc = 0;
	pool.idle++;
	while (!pool.first && pool.servers && rc != ETIMEDOUT)
		rc = pthread_cond_clockwait(&pool.has_work, &pool.mutex, CLOCK_MONOTONIC, &until);
	pool.idle--;
	return pop();
}

/* A request whose connection is gone is not worth starting. */
static void run_or_drop(struct exchange *exchange)
{
	pthread_mutex_lock(&exchange->gate->mutex);
	bool is_abandoned = exchange->is_abandoned;
	pthread_mutex_unlock(&exchange->gate->mutex);
	if (is_abandoned)
		exchange_free(exchange);
	else
		exchange->run(&exchange->request);
}

static void *worker_run(void *context)
{
	struct exchange *exchange;
	(void)context;
	pthread_mutex_lock(&pool.mutex);
	while ((exchange = wait_for_work())) {
		pthread_mutex_unlock(&pool.mutex);
		run_or_drop(exchange);
		pthread_mutex_lock(&pool.mutex);
	}
	pool.threads--;
	pthread_cond_broadcast(&pool.has_ended);
	pthread_mutex_unlock(&pool.mutex);
	return NULL;
}

/* False when there is no thread at all and none can be had. */
static bool start_thread_if_short(void)
{
	pthread_t thread;
	if (pool.idle >= pool.queued || pool.threads >= pool.max)
		return true;
	int error_number = thread_start(&thread, STACK_BYTES, true, worker_run, NULL);
	if (error_number)
		log_warning("no further worker thread: %s", strerror(error_number));
	else
		pool.threads++;
	return pool.threads > 0;
}

static bool enqueue(struct exchange *exchange)
{
	if (pool.queued >= QUEUE_MAX + pool.idle)
		return false;
	push(exchange);
	if (start_thread_if_short()) {
		pthread_cond_signal(&pool.has_work);
		return true;
	}
	while (pop())
		continue; /* without a thread the queue holds this one alone */
	return false;
}

void http_defer(struct http_request *request, http_handler *run)
{
	struct exchange *exchange = exchange_of(request);
	exchange->run = run;
	pthread_mutex_lock(&pool.mutex);
	bool is_queued = enqueue(exchange);
	pthread_mutex_unlock(&pool.mutex);
	if (is_queued)
		return;
	static const char text[] = "503 Service Unavailable\n";
	static const char *const headers[] = {"Retry-After", "1", NULL};
	http_reply(request, MHD_HTTP_SERVICE_UNAVAILABLE, "text/plain", text, sizeof(text) - 1, headers);
}

void workers_open(unsigned count)
{
	pthread_mutex_lock(&pool.mutex);
	if (pool.servers++ == 0)
		pool.max = count ? count : 1;
	pthread_mutex_unlock(&pool.mutex);
}

/* The requests still queued are abandoned by their stopped servers. */
static struct exchange *drop_queue(void)
{
	struct exchange *dropped = pool.first;
	while (pop())
		continue;
	return dropped;
}

void workers_close(void)
{
	struct exchange *dropped = NULL, *next;
	pthread_mutex_lock(&pool.mutex);
	if (--pool.servers == 0) {
		dropped = drop_queue();
		pthread_cond_broadcast(&pool.has_work);
		while (pool.idle)
			pthread_cond_wait(&pool.has_ended, &pool.mutex);
	}
	pthread_mutex_unlock(&pool.mutex);
	for (; dropped; dropped = next) {
		next = dropped->next;
		exchange_free(dropped);
	}
}
