/* API keys, as hashes. A VPS has one in its own row, so that the request that brings it reads one row less,
 * and may have more in a table. Keys are random and long, and the hashes keyed, so looking one up by
 * comparing bytes tells nobody anything. */
#include "db/vps_read.h"

enum { HASH_LEN = 32 };

static int read_by_key(struct db *db, const char *sql, int64_t veid, const unsigned char *key_hash,
	struct arena *arena, struct vps *ret, struct error *err)
{
	owned_in(query_done) struct query query = QUERY_INIT;
	int rc = db_query(&query, db, sql, BIND(AS_INT(veid), AS_BLOB(key_hash, HASH_LEN)), err);
	return rc < 0 ? rc : vps_read_one(&query, arena, ret, err);
}

int db_vps_by_key(struct db *db, int64_t veid, const unsigned char key_hash[32], struct arena *arena,
	struct vps *ret, struct error *err)
{
	static const char own[] =
		VPS_SELECT "WHERE v.veid = $1 AND v.key_hash = $2 AND v.state <> 'deleted'" VPS_ORDER;
	static const char further[] =
		VPS_SELECT "WHERE v.veid = $1 AND v.state <> 'deleted' AND EXISTS"
			   " (SELECT 1 FROM api_key k WHERE k.veid = v.veid AND k.hash = $2)" VPS_ORDER;
	db_count_lookup(db);
	int rc = read_by_key(db, own, veid, key_hash, arena, ret, err);
	if (rc == 0)
		rc = read_by_key(db, further, veid, key_hash, arena, ret, err);
	if (rc == 0)
		return err_set(err, ERR_DENIED, "no VPS %lld with this key", (long long)veid);
	return rc < 0 ? rc : 0;
}

struct key_change {
	int64_t veid, now_s;
	const unsigned char *hash;
};

static int replace_key(struct connection *connection, void *context, struct error *err)
{
	const struct key_change *change = context;
	int rc = query_exec(
		connection, "DELETE FROM api_key WHERE veid = $1", BIND(AS_INT(change->veid)), err);
	if (rc >= 0)
		rc = query_exec(connection, "UPDATE vps SET key_hash = $2 WHERE veid = $1",
			BIND(AS_INT(change->veid), AS_BLOB(change->hash, HASH_LEN)), err);
	if (rc == 0)
		return err_say(err, ERR_NOT_FOUND, "no VPS %lld", (long long)change->veid);
	return rc < 0 ? rc : 0;
}

static int has_key_already(int64_t veid, struct error *err)
{
	return err_say(err, ERR_EXISTS, "VPS %lld has this key already", (long long)veid);
}

static int add_key(struct connection *connection, void *context, struct error *err)
{
	const struct key_change *change = context;
	int64_t ignored;
	int rc = query_maybe_number(connection, "SELECT 1 FROM vps WHERE veid = $1 AND key_hash = $2",
		BIND(AS_INT(change->veid), AS_BLOB(change->hash, HASH_LEN)), &ignored, err);
	if (rc > 0)
		return has_key_already(change->veid, err);
	if (rc == 0)
		rc = query_exec(connection, "INSERT INTO api_key (veid, hash, created_s) VALUES ($1, $2, $3)",
			BIND(AS_INT(change->veid), AS_BLOB(change->hash, HASH_LEN), AS_INT(change->now_s)),
			err);
	if (rc == -ERR_EXISTS)
		return has_key_already(change->veid, err);
	if (rc == -ERR_NOT_FOUND)
		return err_say(err, ERR_NOT_FOUND, "no VPS %lld", (long long)change->veid);
	return rc < 0 ? rc : 0;
}

int db_key_add(struct db *db, int64_t veid, const unsigned char key_hash[32], bool replace, int64_t now_s,
	struct error *err)
{
	struct key_change change = {.veid = veid, .now_s = now_s, .hash = key_hash};
	return db_transact(db, replace ? replace_key : add_key, &change, err);
}
