/* The PostgreSQL driver over libpq: prepared statements, results in binary form. A lost connection fails the
 * call that meets it; the pool then opens another. Its isolation is READ COMMITTED: transactions that must
 * exclude each other take the lock of a row of `sequence` first. */
#include "base/memory.h"
#include "base/owned.h"
#include "db/driver.h"
#include <assert.h>
#include <endian.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The advisory lock of whoever migrates: "moa" and a number, like a port. */
#define MIGRATION_LOCK "7171937"

struct session {
	PGconn *handle;
	enum session_health health;
	unsigned statement_count;
};

struct statement {
	struct session *session;
	char name[16];
	int count;
	PGresult *result; /* all rows; NULL between reset and start */
	int row;	  /* the current one */
};

static enum err_code code_of_class(const char *state)
{
	static const struct {
		const char *state; /* the SQLSTATE, or its class */
		enum err_code code;
	} codes[] = {
		{"23505", ERR_EXISTS},	    /* unique_violation */
		{"23503", ERR_NOT_FOUND},   /* foreign_key_violation */
		{"23001", ERR_NOT_FOUND},   /* restrict_violation */
		{"55P03", ERR_UNAVAILABLE}, /* lock_not_available */
		{"57014", ERR_UNAVAILABLE}, /* query_canceled */
		{"58", ERR_IO},
		{"54", ERR_TOO_LARGE},
		{"53", ERR_CAPACITY}, /* disk full, out of memory, too many connections */
		{"57", ERR_UNAVAILABLE},
		{"40", ERR_UNAVAILABLE},
		{"28", ERR_DENIED},
		{"25006", ERR_UNAVAILABLE}, /* read_only_sql_transaction: a standby */
		{"23", ERR_INVALID},
		{"22", ERR_INVALID},
		{"08", ERR_UNAVAILABLE},
	};
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (strncmp(state, codes[i].state, strlen(codes[i].state)) == 0)
			return codes[i].code;
	return ERR_INTERNAL;
}

static int fail(struct session *session, const PGresult *result, struct error *err)
{
	const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
	const char *words = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
	if (!words)
		words = PQerrorMessage(session->handle);
	int words_len = (int)strcspn(words, "\n");
	/* 57P01 to 57P03: the server ends this session, even if the socket is still open. */
	if (PQstatus(session->handle) == CONNECTION_BAD || !state || strncmp(state, "57P0", 4) == 0) {
		session->health = SESSION_LOST;
		return err_set(err, ERR_UNAVAILABLE, "PostgreSQL: %.*s", words_len, words);
	}
	if (strcmp(state, "40001") == 0 || strcmp(state, "40P01") == 0)
		session->health = SESSION_RETRY;
	return err_set(err, code_of_class(state), "PostgreSQL: %.*s (%s)", words_len, words, state);
}

/* Takes over RESULT. */
static int check_and_clear(struct session *session, PGresult *result, struct error *err)
{
	ExecStatusType status = PQresultStatus(result);
	int rc = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ? 0 : fail(session, result, err);
	PQclear(result);
	return rc;
}

static int pg_script(struct session *session, const char *sql, struct error *err)
{
	return check_and_clear(session, PQexec(session->handle, sql), err);
}

static void ignore_notice(void *context, const PGresult *result)
{
	(void)context;
	(void)result;
}

static void pg_close(struct session *session)
{
	PQfinish(session->handle);
	free(session);
}
OWNED_DEFINE(struct session, pg_close);

static int pg_open(const char *url, struct session **ret, struct error *err)
{
	/* What the URL says comes later and wins. */
	static const char *const names[] = {"connect_timeout", "application_name", "keepalives_idle",
		"keepalives_interval", "keepalives_count", "tcp_user_timeout", "dbname", "client_encoding",
		NULL};
	const char *const values[] = {"5", "moa", "10", "5", "3", "20000", url, "UTF8", NULL};
	owned(pg_close) struct session *session = mem_new(struct session);
	session->handle = PQconnectdbParams(names, values, 1);
	if (PQstatus(session->handle) != CONNECTION_OK) {
		const char *words = PQerrorMessage(session->handle);
		return err_set(err, ERR_UNAVAILABLE, "PostgreSQL: %.*s", (int)strcspn(words, "\n"), words);
	}
	PQsetNoticeReceiver(session->handle, ignore_notice, NULL);
	int rc = pg_script(session,
		"SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = '60s';"
		"SET default_transaction_isolation = 'read committed'; SET synchronous_commit = on",
		err);
	if (rc < 0)
		return rc;
	*ret = take(session);
	return 0;
}

static enum session_health pg_health(struct session *session)
{
	return session->health;
}

static void pg_reset(struct statement *statement)
{
	PQclear(statement->result);
	statement->result = NULL;
}

static void pg_finalize(struct statement *statement)
{
	pg_reset(statement);
	free(statement);
}
OWNED_DEFINE(struct statement, pg_finalize);

static int pg_prepare(struct session *session, const char *sql, struct statement **ret, struct error *err)
{
	owned(pg_finalize) struct statement *statement = mem_new(struct statement);
	statement->session = session;
	snprintf(statement->name, sizeof(statement->name), "moa%u", session->statement_count++);
	int rc = check_and_clear(session, PQprepare(session->handle, statement->name, sql, 0, NULL), err);
	if (rc < 0)
		return rc;
	*ret = take(statement);
	return 0;
}

/* One call's parameters as libpq wants them. Numbers go as text: then it is the server that decides their
 * width. */
struct parameters {
	const char *values[VALUE_MAX];
	int lengths[VALUE_MAX], formats[VALUE_MAX];
	char numbers[VALUE_MAX][24];
};

static void fill_parameter(struct parameters *parameters, size_t i, const struct value *value)
{
	parameters->values[i] = value->bytes;
	parameters->lengths[i] = (int)value->len;
	parameters->formats[i] = value->kind == VALUE_BLOB;
	if (value->kind != VALUE_INT)
		return;
	snprintf(parameters->numbers[i], sizeof(parameters->numbers[i]), "%" PRId64, value->number);
	parameters->values[i] = parameters->numbers[i];
}

static int pg_start(struct statement *statement, const struct value *values, size_t count, struct error *err)
{
	struct session *session = statement->session;
	struct parameters parameters;
	assert(count <= VALUE_MAX);
	for (size_t i = 0; i < count; i++)
		fill_parameter(&parameters, i, &values[i]);
	pg_reset(statement);
	statement->row = -1;
	statement->result = PQexecPrepared(session->handle, statement->name, (int)count, parameters.values,
		parameters.lengths, parameters.formats, 1);
	ExecStatusType status = PQresultStatus(statement->result);
	if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
		return 0;
	return fail(session, statement->result, err);
}

static int pg_step(struct statement *statement, struct error *err)
{
	(void)err;
	return ++statement->row < PQntuples(statement->result);
}

static int64_t pg_changes(struct statement *statement)
{
	return strtoll(PQcmdTuples(statement->result), NULL, 10);
}

static int64_t pg_column_int(struct statement *statement, int column)
{
	const char *bytes = PQgetvalue(statement->result, statement->row, column);
	if (PQgetisnull(statement->result, statement->row, column))
		return 0;
	uint64_t wide;
	uint32_t narrow;
	switch (PQgetlength(statement->result, statement->row, column)) {
	case sizeof(wide):
		memcpy(&wide, bytes, sizeof(wide));
		return (int64_t)be64toh(wide);
	case sizeof(narrow):
		memcpy(&narrow, bytes, sizeof(narrow));
		return (int32_t)be32toh(narrow);
	default:
		assert(!"a column read as a number is none");
		return 0;
	}
}

static const void *pg_column_bytes(struct statement *statement, int column, size_t *ret_len)
{
	*ret_len = (size_t)PQgetlength(statement->result, statement->row, column);
	if (PQgetisnull(statement->result, statement->row, column))
		return NULL;
	return PQgetvalue(statement->result, statement->row, column);
}

static int pg_begin(struct session *session, enum transaction_kind kind, struct error *err)
{
	if (session->health == SESSION_RETRY)
		session->health = SESSION_GOOD;
	if (kind == TRANSACTION_WRITE)
		return pg_script(session, "BEGIN", err);
	return pg_script(session,
		"BEGIN; SET LOCAL lock_timeout = '60s'; SELECT pg_advisory_xact_lock(" MIGRATION_LOCK ")",
		err);
}

static int pg_commit(struct session *session, struct error *err)
{
	PGresult *result = PQexec(session->handle, "COMMIT");
	/* A transaction that failed before answers COMMIT with ROLLBACK, and no error. */
	bool is_rolled_back = result && strcmp(PQcmdStatus(result), "ROLLBACK") == 0;
	int rc = check_and_clear(session, result, err);
	if (rc == 0 && is_rolled_back)
		return err_set(err, ERR_INTERNAL, "PostgreSQL: the transaction had failed before its end");
	return rc;
}

static void pg_rollback(struct session *session)
{
	if (PQtransactionStatus(session->handle) == PQTRANS_IDLE)
		return;
	if (pg_script(session, "ROLLBACK", NULL) < 0)
		session->health = SESSION_LOST;
}

const struct driver pg_driver = {
	.url_prefix = "postgresql://",
	.ddl = {.integer = "BIGINT",
		.text = "TEXT COLLATE \"C\"",
		.blob = "BYTEA",
		.identity = "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY",
		.rows = "",
		.keyed = ""},
	.open = pg_open,
	.close = pg_close,
	.health = pg_health,
	.prepare = pg_prepare,
	.finalize = pg_finalize,
	.start = pg_start,
	.step = pg_step,
	.reset = pg_reset,
	.changes = pg_changes,
	.column_int = pg_column_int,
	.column_bytes = pg_column_bytes,
	.script = pg_script,
	.begin = pg_begin,
	.commit = pg_commit,
	.rollback = pg_rollback,
};
