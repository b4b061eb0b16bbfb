/* What is SQLite's alone: whose the files are, links, a full disk, a lock somebody keeps. */
#include "store.h"
#include "base/fd.h"
#include "base/memory.h"
#include "db/connection.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OWNER = 12345, GROUP = 23456 };

static void path_of(const struct store *store, const char *name, char path[128])
{
	snprintf(path, 128, "%s/%s", store->folder, name);
}

static void assert_file(const struct store *store, const char *name, uid_t uid, gid_t gid)
{
	char path[128];
	struct stat found;
	path_of(store, name, path);
	assert_int_equal(lstat(path, &found), 0);
	assert_true(S_ISREG(found.st_mode));
	assert_int_equal(found.st_mode & 07777, 0600);
	assert_int_equal(found.st_uid, uid);
	assert_int_equal(found.st_gid, gid);
}

static void test_files_are_private(void **state)
{
	struct store *store = *state;
	store_make_vps(store, 1);
	assert_file(store, "moa.db", geteuid(), getegid());
	assert_file(store, "moa.db-wal", geteuid(), getegid());
	assert_file(store, "moa.db-shm", geteuid(), getegid());
}

/* The node process is root; the api process, which is not, must be able to open what it made. */
static void test_files_get_the_folders_owner(void **state)
{
	struct store *store = *state;
	char path[128];
	if (geteuid() != 0) {
		print_message("SKIP: giving files away needs root\n");
		skip();
	}
	db_close(take(store->db));
	path_of(store, "moa.db", path);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(chown(store->folder, OWNER, GROUP), 0);
	for (int turn = 0; turn < 2; turn++) { /* made new, and opened again */
		int64_t id;
		char email[48];
		snprintf(email, sizeof(email), "%d@example.com", turn);
		assert_good(db_open(store->url, &store->db, &store->err));
		assert_good(db_account_add(store->db, email, 1, &id, &store->err));
		assert_file(store, "moa.db", OWNER, GROUP);
		assert_file(store, "moa.db-wal", OWNER, GROUP);
		assert_file(store, "moa.db-shm", OWNER, GROUP);
		db_close(take(store->db));
	}
}

static void test_links_are_refused(void **state)
{
	struct store *store = *state;
	struct db *db = NULL;
	char path[128], link[128], url[160];
	path_of(store, "moa.db", path);
	path_of(store, "link.db", link);
	snprintf(url, sizeof(url), "sqlite:%s", link);
	assert_int_equal(symlink(path, link), 0);
	assert_fails(ERR_DENIED, db_open(url, &db, &store->err));
	unlink(link);
	path_of(store, "nowhere.db", path);
	assert_int_equal(symlink(path, link), 0);
	assert_fails(ERR_DENIED, db_open(url, &db, &store->err));
	assert_int_equal(access(path, F_OK), -1);
	unlink(link);
	assert_int_equal(mkdir(link, 0700), 0);
	assert_fails(ERR_DENIED, db_open(url, &db, &store->err));
	/* A folder reached over a link is the operator's business. */
	path_of(store, "linked", link);
	assert_int_equal(symlink(store->folder, link), 0);
	snprintf(url, sizeof(url), "sqlite:%s/moa.db", link);
	assert_good(db_open(url, &db, &store->err));
	db_close(db);
}

static void test_not_a_store(void **state)
{
	struct store *store = *state;
	struct db *db = NULL;
	char path[128], url[160], text[8192];
	memset(text, 'x', sizeof(text));
	path_of(store, "other.db", path);
	snprintf(url, sizeof(url), "sqlite:%s", path);
	assert_good(file_write_atomic(path, text, sizeof(text), 0600, &store->err));
	assert_fails(ERR_INTERNAL, db_open(url, &db, &store->err));
}

static void test_settings(void **state)
{
	static const struct {
		const char *sql;
		int64_t value;
	} settings[] = {{"PRAGMA synchronous", 2}, {"PRAGMA foreign_keys", 1}, {"PRAGMA trusted_schema", 0},
		{"PRAGMA busy_timeout", 5000}};
	struct store *store = *state;
	struct connection *connection;
	size_t len;
	struct statement *statement;
	assert_good(db_borrow(store->db, &connection, &store->err));
	const struct driver *driver = connection->driver;
	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		assert_good(connection_statement(connection, settings[i].sql, &statement, &store->err));
		assert_int_equal(driver->step(statement, &store->err), 1);
		assert_int_equal(driver->column_int(statement, 0), settings[i].value);
		driver->reset(statement);
	}
	assert_good(connection_statement(connection, "PRAGMA journal_mode", &statement, &store->err));
	assert_int_equal(driver->step(statement, &store->err), 1);
	const char *mode = driver->column_bytes(statement, 0, &len);
	assert_memory_equal(mode, "wal", len);
	driver->reset(statement);
	db_give_back(store->db, connection);
}

/* Until the file system has no block left. */
static int add_until_full(struct store *store, int64_t *ret_added)
{
	char keys[4096];
	int rc = 0;
	memset(keys, 'k', sizeof(keys) - 1);
	keys[sizeof(keys) - 1] = '\0';
	for (*ret_added = 0; rc == 0 && *ret_added < 5000; ++*ret_added) {
		char email[48];
		int64_t id;
		snprintf(email, sizeof(email), "%lld@example.com", (long long)*ret_added);
		rc = db_account_add(store->db, email, 1, &id, &store->err);
		if (rc == 0)
			rc = db_account_set_ssh_keys(store->db, id, keys, &store->err);
	}
	return rc;
}

static void test_full_disk(void **state)
{
	struct store *store = *state;
	struct account *all;
	size_t count = 0;
	int64_t added, id;
	if (mount("tmpfs", store->folder, "tmpfs", 0, "size=2m") < 0) {
		print_message("SKIP: mounting a small file system: %s\n", strerror(errno));
		skip();
	}
	db_close(take(store->db));
	int opened = db_open(store->url, &store->db, &store->err);
	int full = opened < 0 ? opened : add_until_full(store, &added);
	int listed =
		opened < 0 ? opened : db_account_list(store->db, &store->arena, &all, &count, &store->err);
	int still_full = opened < 0 ? opened : add_until_full(store, &added);
	/* Nothing is left half done: with room again the same connection writes. */
	int remounted = mount("tmpfs", store->folder, "tmpfs", MS_REMOUNT, "size=8m");
	int written =
		opened < 0 ? opened : db_account_add(store->db, "last@example.com", 1, &id, &store->err);
	if (store->db)
		db_close(take(store->db));
	umount2(store->folder, MNT_DETACH);
	assert_int_equal(full, -ERR_CAPACITY);
	assert_int_equal(listed, 0);
	assert_true(count > 10);
	assert_true(still_full < 0);
	assert_int_equal(remounted, 0);
	assert_int_equal(written, 0);
}

static void test_busy_store(void **state)
{
	struct store *store = *state;
	struct connection *holder;
	int64_t id;
	assert_good(connection_open(store->url, &holder, &store->err));
	assert_good(holder->driver->begin(holder->session, TRANSACTION_WRITE, &store->err));
	assert_fails(ERR_UNAVAILABLE, db_account_add(store->db, "a@example.com", 1, &id, &store->err));
	assert_good(db_ping(store->db, &store->err)); /* readers do not wait */
	holder->driver->rollback(holder->session);
	connection_close(holder);
	assert_good(db_account_add(store->db, "a@example.com", 1, &id, &store->err));
}

/* A reader that is done holds nothing that keeps the log from being written back. */
static void test_idle_connections_pin_nothing(void **state)
{
	struct store *store = *state;
	struct vps vps;
	unsigned char key[32];
	struct connection *connection;
	struct statement *statement;
	int64_t veid = store_make_vps(store, 1);
	memset(key, 1, sizeof(key));
	for (int i = 0; i < 5000; i++)
		assert_good(db_vps_by_key(store->db, veid, key, &store->arena, &vps, &store->err));
	assert_good(connection_open(store->url, &connection, &store->err));
	assert_good(
		connection_statement(connection, "PRAGMA wal_checkpoint(RESTART)", &statement, &store->err));
	assert_int_equal(connection->driver->step(statement, &store->err), 1);
	assert_int_equal(connection->driver->column_int(statement, 0), 0); /* not busy */
	connection->driver->reset(statement);
	connection_close(connection);
}

int run_sqlite_tests(void)
{
	const struct CMUnitTest tests[] = {
		FURNISHED_TEST(test_files_are_private),
		TEST(test_files_get_the_folders_owner),
		TEST(test_links_are_refused),
		TEST(test_not_a_store),
		TEST(test_settings),
		TEST(test_full_disk),
		TEST(test_busy_store),
		FURNISHED_TEST(test_idle_connections_pin_nothing),
	};
	return cmocka_run_group_tests_name("SQLite", tests, NULL, NULL);
}
