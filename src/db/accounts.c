/* Accounts: the customers. One e-mail address is one account, however it is capitalised. */
#include "db/rows.h"

void account_read(struct query *query, struct arena *arena, void *place)
{
	struct account *account = place;
	account->id = query_int(query);
	account->email = query_text(query, arena);
	account->ssh_keys = query_text(query, arena);
	account->created_s = query_int(query);
}

static const struct row_reader reader = {sizeof(struct account), account_read};

int db_account_add(struct db *db, const char *email, int64_t now_s, int64_t *ret_id, struct error *err)
{
	int rc = db_number(db,
		"INSERT INTO account (email, ssh_keys, created_s) VALUES ($1, '', $2) RETURNING id",
		BIND(AS_TEXT(email), AS_INT(now_s)), ret_id, err);
	if (rc == -ERR_EXISTS)
		return err_say(err, ERR_EXISTS, "there is an account %s already", email);
	return rc;
}

int db_account_list(
	struct db *db, struct arena *arena, struct account **ret, size_t *ret_count, struct error *err)
{
	return db_all(db, "SELECT " ACCOUNT_COLUMNS " FROM account c ORDER BY c.email", BIND_NONE, &reader,
		arena, (void **)ret, ret_count, err);
}

int db_account_by_email(
	struct db *db, const char *email, struct arena *arena, struct account *ret, struct error *err)
{
	int rc = db_one(db, "SELECT " ACCOUNT_COLUMNS " FROM account c WHERE lower(c.email) = lower($1)",
		BIND(AS_TEXT(email)), &reader, arena, ret, err);
	if (rc == -ERR_NOT_FOUND)
		return err_say(err, ERR_NOT_FOUND, "no account %s", email);
	return rc;
}

int db_account_set_ssh_keys(struct db *db, int64_t id, const char *keys, struct error *err)
{
	int rc = db_exec(
		db, "UPDATE account SET ssh_keys = $1 WHERE id = $2", BIND(AS_TEXT(keys), AS_INT(id)), err);
	if (rc == 0)
		return err_set(err, ERR_NOT_FOUND, "no account %lld", (long long)id);
	return rc < 0 ? rc : 0;
}

int db_account_remove(struct db *db, const char *email, struct error *err)
{
	int rc = db_exec(db, "DELETE FROM account WHERE lower(email) = lower($1)", BIND(AS_TEXT(email)), err);
	if (rc == -ERR_NOT_FOUND)
		return err_say(err, ERR_EXISTS, "account %s still owns a VPS", email);
	if (rc == 0)
		return err_say(err, ERR_NOT_FOUND, "no account %s", email);
	return rc < 0 ? rc : 0;
}
