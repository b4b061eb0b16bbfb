/* A read of SQLite's takes a shared lock on the log and gives it back: two system calls, a third of the whole
 * look-up. They are not made while another connection of the process holds the same lock. So under load a
 * thread holds it with a connection of its own, an anchor, in short turns.
 *
 * Every look-up still starts a transaction of its own and sees all that any process has committed. An anchor
 * only keeps the log from being written back beyond where its turn began, so turns are short, none starts
 * without load, and the thread writes the log back between two of them: by itself it would never be whole
 * while somebody always reads. */
#include "db/anchor.h"
#include "base/clock.h"
#include "base/memory.h"
#include "db/connection.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

enum {
	START_COUNT = 1000, /* look-ups before there is a thread at all */
	BUSY_COUNT = 50,    /* look-ups a turn worth an anchor */
	TURN_MS = 50,
	IDLE_TURN_MS = 500,
	CHECKPOINT_MS = 1000,
};

struct anchor {
	const char *url;
	_Atomic unsigned count;
	pthread_mutex_t lock;
	pthread_cond_t ended; /* is_ending has become true */
	bool is_ending, is_running;
	pthread_t thread;
	/* The thread's own. */
	struct connection *connection;
	bool is_held;
	int64_t checkpoint_ms; /* when the log was last written back */
};

static int run(struct anchor *anchor, const char *sql)
{
	return anchor->connection->driver->script(anchor->connection->session, sql, NULL);
}

/* An anchor only makes things faster, so no failure is worth a word: the look-ups meet it themselves. */
static void let_go(struct anchor *anchor)
{
	if (!anchor->is_held)
		return;
	anchor->is_held = false;
	anchor->connection->driver->rollback(anchor->connection->session);
}

static int open_connection(struct anchor *anchor)
{
	int rc = connection_open(anchor->url, &anchor->connection, NULL);
	/* While it waits for readers to write the log back, writers wait for it. */
	return rc < 0 ? rc : run(anchor, "PRAGMA busy_timeout = 50");
}

static void hold(struct anchor *anchor)
{
	int64_t now_ms = clock_monotonic_ms();
	if (!anchor->connection && open_connection(anchor) < 0)
		return;
	if (now_ms - anchor->checkpoint_ms >= CHECKPOINT_MS) {
		run(anchor, "PRAGMA wal_checkpoint(RESTART)");
		anchor->checkpoint_ms = now_ms;
	}
	anchor->is_held = run(anchor, "BEGIN") == 0;
	if (anchor->is_held && run(anchor, "SELECT max(version) FROM migration") < 0)
		let_go(anchor);
}

static void end_turn(struct anchor *anchor)
{
	let_go(anchor);
	if (anchor->connection &&
		anchor->connection->driver->health(anchor->connection->session) == SESSION_LOST)
		connection_close(take(anchor->connection));
}

/* Until the turn is over; false when the anchor ends. */
static bool wait_turn(struct anchor *anchor)
{
	struct timespec until;
	int turn_ms = anchor->is_held ? TURN_MS : IDLE_TURN_MS;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += turn_ms * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&anchor->lock);
	int rc = 0;
	while (!anchor->is_ending && rc == 0)
		rc = pthread_cond_timedwait(&anchor->ended, &anchor->lock, &until);
	bool goes_on = !anchor->is_ending;
	pthread_mutex_unlock(&anchor->lock);
	return goes_on;
}

static void *take_turns(void *context)
{
	struct anchor *anchor = context;
	do {
		unsigned count =
			atomic_exchange_explicit(&anchor->count, START_COUNT + 1, memory_order_relaxed);
		end_turn(anchor);
		if (count - START_COUNT > BUSY_COUNT)
			hold(anchor);
	} while (wait_turn(anchor));
	end_turn(anchor);
	if (anchor->connection)
		connection_close(anchor->connection);
	return NULL;
}

struct anchor *anchor_new(const char *url)
{
	pthread_condattr_t monotonic;
	struct anchor *anchor = mem_new(struct anchor);
	anchor->url = url;
	pthread_mutex_init(&anchor->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&anchor->ended, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return anchor;
}

void anchor_free(struct anchor *anchor)
{
	pthread_mutex_lock(&anchor->lock);
	anchor->is_ending = true;
	pthread_cond_signal(&anchor->ended);
	pthread_mutex_unlock(&anchor->lock);
	if (anchor->is_running)
		pthread_join(anchor->thread, NULL);
	pthread_cond_destroy(&anchor->ended);
	pthread_mutex_destroy(&anchor->lock);
	free(anchor);
}

/* The thread takes no signals: they are the program's. */
static void start_thread(struct anchor *anchor)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	anchor->is_running = pthread_create(&anchor->thread, NULL, take_turns, anchor) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void anchor_count(struct anchor *anchor)
{
	/* The thread never lets the count fall to the start again, so this is true once. */
	if (atomic_fetch_add_explicit(&anchor->count, 1, memory_order_relaxed) == START_COUNT)
		start_thread(anchor);
}
