/* The SQLite driver: one file in WAL mode, many readers, one writer. Each commit is on the disk before it
 * returns (synchronous=FULL): work that was accepted must survive a power cut. */
#include "base/memory.h"
#include "base/owned.h"
#include "db/driver.h"
#include "db/sqlite_file.h"
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	BUSY_TIMEOUT_MS = 5000,
	MIGRATION_TIMEOUT_MS = 60000,
	WAL_RETRY_MS = 10,
	PREFIX_LEN = sizeof("sqlite:") - 1,
};

struct session {
	sqlite3 *handle;
	enum session_health health;
};

struct statement {
	struct session *session;
	sqlite3_stmt *handle;
	int count;
	int places[VALUE_MAX]; /* SQLite numbers $1… in the order they appear: where parameter i + 1 went */
};

static enum err_code code_of(sqlite3 *handle, int rc)
{
	switch (rc & 0xff) {
	case SQLITE_CONSTRAINT:
		if (rc == SQLITE_CONSTRAINT_UNIQUE || rc == SQLITE_CONSTRAINT_PRIMARYKEY ||
			rc == SQLITE_CONSTRAINT_ROWID)
			return ERR_EXISTS;
		return rc == SQLITE_CONSTRAINT_FOREIGNKEY ? ERR_NOT_FOUND : ERR_INVALID;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL:
		return ERR_UNAVAILABLE;
	case SQLITE_FULL:
	case SQLITE_NOMEM:
		return ERR_CAPACITY;
	case SQLITE_TOOBIG:
		return ERR_TOO_LARGE;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return ERR_DENIED;
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
	case SQLITE_READONLY:
		return handle && sqlite3_system_errno(handle) == ENOSPC ? ERR_CAPACITY : ERR_IO;
	default:
		return ERR_INTERNAL; /* SQLITE_CORRUPT, SQLITE_NOTADB, and bugs */
	}
}

static int fail(struct session *session, int rc, struct error *err)
{
	int primary = rc & 0xff;
	if (primary == SQLITE_IOERR || primary == SQLITE_CORRUPT || primary == SQLITE_CANTOPEN ||
		primary == SQLITE_READONLY)
		session->health = SESSION_LOST;
	return err_set(
		err, code_of(session->handle, rc), "SQLite: %s (%d)", sqlite3_errmsg(session->handle), rc);
}

static int sqlite_script(struct session *session, const char *sql, struct error *err)
{
	int rc = sqlite3_exec(session->handle, sql, NULL, NULL, NULL);
	return rc == SQLITE_OK ? 0 : fail(session, rc, err);
}

/* The busy timeout does not hold for the switch to WAL when another process opens a fresh store at the same
 * moment. */
static int switch_to_wal(struct session *session, struct error *err)
{
	for (int waited_ms = 0;; waited_ms += WAL_RETRY_MS) {
		int rc = sqlite3_exec(session->handle, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
		if (rc == SQLITE_OK)
			return 0;
		if ((rc & 0xff) != SQLITE_BUSY || waited_ms >= BUSY_TIMEOUT_MS)
			return fail(session, rc, err);
		usleep(WAL_RETRY_MS * 1000);
	}
}

static int configure(struct session *session, struct error *err)
{
	static const char settings[] =
		"PRAGMA synchronous = FULL;"
		"PRAGMA foreign_keys = ON;"
		"PRAGMA trusted_schema = OFF;"
		"PRAGMA temp_store = MEMORY;"
		"PRAGMA cache_size = -1024;"	/* KiB a connection */
		"PRAGMA mmap_size = 268435456;" /* read in place: with 100,000 VPSs a look-up costs a third
						   less */
		"PRAGMA journal_size_limit = 4194304;"; /* bytes the WAL shrinks back to */
	sqlite3_busy_timeout(session->handle, BUSY_TIMEOUT_MS);
	sqlite3_db_config(session->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	int rc = switch_to_wal(session, err);
	return rc < 0 ? rc : sqlite_script(session, settings, err);
}

static void set_up_library(void)
{
	/* Statistics of memory nobody reads cost a global mutex at each allocation. */
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static void sqlite_close(struct session *session)
{
	sqlite3_close(session->handle);
	free(session);
}
OWNED_DEFINE(struct session, sqlite_close);

static int sqlite_open(const char *url, struct session **ret, struct error *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, set_up_library);
	owned_mem char *path = NULL;
	int rc = sqlite_file_prepare(url + PREFIX_LEN, &path, err);
	if (rc < 0)
		return rc;
	owned(sqlite_close) struct session *session = mem_new(struct session);
	rc = sqlite3_open_v2(path, &session->handle,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE,
		NULL);
	if (rc != SQLITE_OK) {
		fail(session, rc, err);
		return err_wrap(err, "opening the store %s", path);
	}
	rc = configure(session, err);
	if (rc < 0)
		return err_wrap(err, "opening the store %s", path);
	*ret = take(session);
	return 0;
}

static enum session_health sqlite_health(struct session *session)
{
	return session->health;
}

static void sqlite_finalize(struct statement *statement)
{
	sqlite3_finalize(statement->handle);
	free(statement);
}
OWNED_DEFINE(struct statement, sqlite_finalize);

static int sqlite_prepare(struct session *session, const char *sql, struct statement **ret, struct error *err)
{
	owned(sqlite_finalize) struct statement *statement = mem_new(struct statement);
	statement->session = session;
	int rc = sqlite3_prepare_v3(
		session->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement->handle, NULL);
	if (rc != SQLITE_OK)
		return fail(session, rc, err);
	statement->count = sqlite3_bind_parameter_count(statement->handle);
	assert(statement->count <= VALUE_MAX);
	for (int i = 0; i < statement->count; i++) {
		char name[16];
		snprintf(name, sizeof(name), "$%d", i + 1);
		statement->places[i] = sqlite3_bind_parameter_index(statement->handle, name);
		assert(statement->places[i] > 0);
	}
	*ret = take(statement);
	return 0;
}

static int bind(struct statement *statement, int place, const struct value *value)
{
	if (value->kind == VALUE_INT)
		return sqlite3_bind_int64(statement->handle, place, value->number);
	if (!value->bytes)
		return sqlite3_bind_null(statement->handle, place);
	if (value->kind == VALUE_TEXT)
		return sqlite3_bind_text(statement->handle, place, value->bytes, -1, SQLITE_STATIC);
	return sqlite3_bind_blob64(statement->handle, place, value->bytes, value->len, SQLITE_STATIC);
}

static int sqlite_start(
	struct statement *statement, const struct value *values, size_t count, struct error *err)
{
	assert(count == (size_t)statement->count);
	for (size_t i = 0; i < count; i++) {
		int rc = bind(statement, statement->places[i], &values[i]);
		if (rc != SQLITE_OK)
			return fail(statement->session, rc, err);
	}
	return 0;
}

static int sqlite_step(struct statement *statement, struct error *err)
{
	int rc = sqlite3_step(statement->handle);
	if (rc == SQLITE_ROW)
		return 1;
	return rc == SQLITE_DONE ? 0 : fail(statement->session, rc, err);
}

static void sqlite_reset(struct statement *statement)
{
	sqlite3_reset(statement->handle);
}

static int64_t sqlite_changes(struct statement *statement)
{
	return sqlite3_changes64(statement->session->handle);
}

static int64_t sqlite_column_int(struct statement *statement, int column)
{
	return sqlite3_column_int64(statement->handle, column);
}

static const void *sqlite_column_bytes(struct statement *statement, int column, size_t *ret_len)
{
	const void *bytes = sqlite3_column_blob(statement->handle, column);
	*ret_len = (size_t)sqlite3_column_bytes(statement->handle, column);
	if (!bytes && sqlite3_column_type(statement->handle, column) != SQLITE_NULL)
		return ""; /* SQLite gives NULL for empty ones too */
	return bytes;
}

static int sqlite_begin(struct session *session, enum transaction_kind kind, struct error *err)
{
	/* IMMEDIATE takes the write lock now: a transaction that started by reading could not wait for it
	 * later. */
	if (kind == TRANSACTION_ALONE)
		sqlite3_busy_timeout(session->handle, MIGRATION_TIMEOUT_MS);
	int rc = sqlite_script(session, "BEGIN IMMEDIATE", err);
	if (kind == TRANSACTION_ALONE)
		sqlite3_busy_timeout(session->handle, BUSY_TIMEOUT_MS);
	return rc;
}

static int sqlite_commit(struct session *session, struct error *err)
{
	return sqlite_script(session, "COMMIT", err);
}

static void sqlite_rollback(struct session *session)
{
	/* A full disk may have rolled back already. */
	if (!sqlite3_get_autocommit(session->handle) &&
		sqlite3_exec(session->handle, "ROLLBACK", NULL, NULL, NULL) != SQLITE_OK)
		session->health = SESSION_LOST;
}

const struct driver sqlite_driver = {
	.url_prefix = "sqlite:/",
	.ddl = {.integer = "INTEGER",
		.text = "TEXT",
		.blob = "BLOB",
		.identity = "INTEGER PRIMARY KEY AUTOINCREMENT",
		.rows = " STRICT",
		.keyed = " STRICT, WITHOUT ROWID"},
	.one_writer = true,
	.wants_anchor = true,
	.open = sqlite_open,
	.close = sqlite_close,
	.health = sqlite_health,
	.prepare = sqlite_prepare,
	.finalize = sqlite_finalize,
	.start = sqlite_start,
	.step = sqlite_step,
	.reset = sqlite_reset,
	.changes = sqlite_changes,
	.column_int = sqlite_column_int,
	.column_bytes = sqlite_column_bytes,
	.script = sqlite_script,
	.begin = sqlite_begin,
	.commit = sqlite_commit,
	.rollback = sqlite_rollback,
};
