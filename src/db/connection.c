/* The pool of connections: a list of idle ones under a mutex, the most recently used first, so that under
 * light load one connection serves everybody with warm pages and the others are closed again. Transactions
 * and their repetition are here too. */
#include "db/connection.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/module.h"
#include "base/random.h"
#include "base/text.h"
#include "db/anchor.h"
#include "db/migrate.h"
#include "db/query.h"
#include <pthread.h>
#include <string.h>
#include <unistd.h>

enum {
	IDLE_MIN = 2, /* connections kept however long they idle */
	IDLE_EXPIRY_MS = 10000,
	IDLE_MAX_FLOOR = 4, /* kept at most, while in use; or one a processor if those are more */
	IDLE_MAX_CEILING = 64,
	ATTEMPT_MAX = 6,
	STATEMENTS_FIRST = 64,
};

struct db {
	char *url;
	size_t idle_max;
	pthread_mutex_t idle_lock;
	struct connection *idle;
	size_t idle_count;
	bool one_writer; /* as the driver says: writers queue here */
	pthread_mutex_t writer_lock;
	struct anchor *anchor; /* for drivers that gain by one, else NULL */
};

static int driver_of_url(const char *url, const struct driver **ret, struct error *err)
{
	if (text_starts(url, sqlite_driver.url_prefix))
		*ret = &sqlite_driver;
	else if (!text_starts(url, PG_URL_PREFIX))
		return err_say(err, ERR_INVALID,
			"the store's URL must start with \"sqlite:/\" or \"" PG_URL_PREFIX "\"");
	else
		*ret = &pg_driver ? &pg_driver : module_symbol("moa-pg.so", "pg_driver", err);
	return *ret ? 0 : -ERR_UNAVAILABLE;
}

int db_prepare(const char *url, struct error *err)
{
	const struct driver *driver = NULL;
	return driver_of_url(url, &driver, err);
}

int connection_open(const char *url, struct connection **ret, struct error *err)
{
	const struct driver *driver = NULL;
	struct session *session;
	int rc = driver_of_url(url, &driver, err);
	if (rc == 0)
		rc = driver->open(url, &session, err);
	if (rc < 0)
		return rc;
	struct connection *connection = mem_new(struct connection);
	connection->driver = driver;
	connection->session = session;
	connection->statement_capacity = STATEMENTS_FIRST;
	connection->statements = mem_alloc(STATEMENTS_FIRST, sizeof(connection->statements[0]));
	*ret = connection;
	return 0;
}

void connection_close(struct connection *connection)
{
	for (size_t i = 0; i < connection->statement_capacity; i++)
		if (connection->statements[i].statement)
			connection->driver->finalize(connection->statements[i].statement);
	connection->driver->close(connection->session);
	free(connection->statements);
	free(connection);
}

/* The slot SQL is in, or the empty one it belongs in. */
static struct statement_slot *find_slot(struct connection *connection, const char *sql)
{
	size_t mask = connection->statement_capacity - 1;
	size_t at = (size_t)(((uintptr_t)sql * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & mask;
	while (connection->statements[at].sql && connection->statements[at].sql != sql)
		at = (at + 1) & mask;
	return &connection->statements[at];
}

static void grow_slots(struct connection *connection)
{
	struct statement_slot *old = connection->statements;
	size_t old_capacity = connection->statement_capacity;
	connection->statement_capacity = old_capacity * 2;
	connection->statements = mem_alloc(connection->statement_capacity, sizeof(old[0]));
	for (size_t i = 0; i < old_capacity; i++)
		if (old[i].sql)
			*find_slot(connection, old[i].sql) = old[i];
	free(old);
}

int connection_statement(
	struct connection *connection, const char *sql, struct statement **ret, struct error *err)
{
	struct statement_slot *slot = find_slot(connection, sql);
	if (!slot->sql) {
		int rc = connection->driver->prepare(connection->session, sql, &slot->statement, err);
		if (rc < 0)
			return rc;
		slot->sql = sql;
		*ret = slot->statement;
		if (++connection->statement_count * 2 > connection->statement_capacity)
			grow_slots(connection);
		return 0;
	}
	*ret = slot->statement;
	return 0;
}

static size_t idle_limit(void)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	if (processors < IDLE_MAX_FLOOR)
		return IDLE_MAX_FLOOR;
	return processors > IDLE_MAX_CEILING ? IDLE_MAX_CEILING : (size_t)processors;
}

int db_open(const char *url, struct db **ret, struct error *err)
{
	owned(connection_close) struct connection *connection = NULL;
	int rc = connection_open(url, &connection, err);
	if (rc < 0)
		return rc;
	rc = migrate_store(connection, err);
	if (rc < 0)
		return rc;
	struct db *db = mem_new(struct db);
	db->url = mem_strdup(url);
	db->idle_max = idle_limit();
	db->one_writer = connection->driver->one_writer;
	pthread_mutex_init(&db->idle_lock, NULL);
	pthread_mutex_init(&db->writer_lock, NULL);
	if (connection->driver->wants_anchor)
		db->anchor = anchor_new(db->url);
	db_give_back(db, take(connection));
	*ret = db;
	return 0;
}

static void close_all(struct connection *first)
{
	while (first) {
		struct connection *next = first->next;
		connection_close(first);
		first = next;
	}
}

void db_count_lookup(struct db *db)
{
	if (db->anchor)
		anchor_count(db->anchor);
}

void db_close(struct db *db)
{
	if (db->anchor)
		anchor_free(db->anchor);
	close_all(db->idle);
	pthread_mutex_destroy(&db->idle_lock);
	pthread_mutex_destroy(&db->writer_lock);
	mem_wipe(db->url, strlen(db->url)); /* it may hold a password */
	free(db->url);
	free(db);
}

int db_borrow(struct db *db, struct connection **ret, struct error *err)
{
	pthread_mutex_lock(&db->idle_lock);
	struct connection *connection = db->idle;
	if (connection) {
		db->idle = connection->next;
		db->idle_count--;
	}
	pthread_mutex_unlock(&db->idle_lock);
	if (!connection)
		return connection_open(db->url, ret, err);
	connection->next = NULL;
	*ret = connection;
	return 0;
}

/* Takes out of the list what is over the limit, or idle for too long: those stand last. */
static struct connection *cut_surplus(struct db *db, int64_t now_ms)
{
	struct connection **place = &db->idle;
	for (size_t kept = 0; *place; kept++, place = &(*place)->next) {
		bool expired = now_ms - (*place)->idle_since_ms > IDLE_EXPIRY_MS;
		if (kept < db->idle_max && !(expired && kept >= IDLE_MIN))
			continue;
		db->idle_count = kept;
		return take(*place);
	}
	return NULL;
}

void db_give_back(struct db *db, struct connection *connection)
{
	struct connection *surplus = NULL;
	bool is_lost = connection->driver->health(connection->session) == SESSION_LOST;
	connection->idle_since_ms = clock_monotonic_ms();
	pthread_mutex_lock(&db->idle_lock);
	if (is_lost) {
		/* Its companions have likely lost theirs too: the next call starts with a fresh one. */
		surplus = take(db->idle);
		db->idle_count = 0;
	} else {
		connection->next = db->idle;
		db->idle = connection;
		if (++db->idle_count > IDLE_MIN)
			surplus = cut_surplus(db, connection->idle_since_ms);
	}
	pthread_mutex_unlock(&db->idle_lock);
	if (is_lost)
		connection_close(connection);
	close_all(surplus);
}

struct transaction {
	int (*change)(struct connection *connection, void *context, struct error *err);
	void *context;
};

static int try_transaction(
	struct connection *connection, const struct transaction *transaction, struct error *err)
{
	const struct driver *driver = connection->driver;
	int rc = driver->begin(connection->session, TRANSACTION_WRITE, err);
	if (rc < 0)
		return rc;
	int result = transaction->change(connection, transaction->context, err);
	rc = result < 0 ? result : driver->commit(connection->session, err);
	if (rc < 0) {
		driver->rollback(connection->session);
		return rc;
	}
	return result;
}

static void wait_a_little(int attempt)
{
	uint16_t jitter;
	random_bytes(&jitter, sizeof(jitter));
	usleep((useconds_t)(attempt * 1000 + jitter % 8192));
}

static int transact_borrowed(struct db *db, const struct transaction *transaction, struct error *err)
{
	struct connection *connection;
	int rc = db_borrow(db, &connection, err);
	if (rc < 0)
		return rc;
	for (int attempt = 1;; attempt++) {
		rc = try_transaction(connection, transaction, err);
		if (rc >= 0 || attempt == ATTEMPT_MAX ||
			connection->driver->health(connection->session) != SESSION_RETRY)
			break;
		wait_a_little(attempt);
	}
	db_give_back(db, connection);
	return rc;
}

int db_transact(struct db *db, int (*change)(struct connection *connection, void *context, struct error *err),
	void *context, struct error *err)
{
	struct transaction transaction = {.change = change, .context = context};
	bool queue = db->one_writer;
	if (queue)
		pthread_mutex_lock(&db->writer_lock);
	int rc = transact_borrowed(db, &transaction, err);
	if (queue)
		pthread_mutex_unlock(&db->writer_lock);
	return rc;
}

int connection_lock_numbers(struct connection *connection, struct error *err)
{
	/* SQLite has one writer anyway; PostgreSQL holds this row's lock until the transaction ends. */
	int rc = query_exec(
		connection, "UPDATE sequence SET value = value WHERE name = 'veid'", BIND_NONE, err);
	return rc < 0 ? rc : 0;
}

int db_ping(struct db *db, struct error *err)
{
	int64_t version;
	owned_in(query_done) struct query query = QUERY_INIT;
	int rc = db_query(&query, db, "SELECT max(version) FROM migration", BIND_NONE, err);
	if (rc < 0)
		return rc;
	rc = query_next(&query, err);
	if (rc < 0)
		return rc;
	version = query_int(&query);
	return version > 0 ? 0 : err_set(err, ERR_INTERNAL, "the store has no schema");
}
