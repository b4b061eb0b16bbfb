/* Work rows and the lock they are. */
#include "store.h"
#include "base/memory.h"
#include <string.h>

static struct work node_work(const struct store *store, int64_t veid, const char *kind)
{
	return (struct work){.node_id = store->node_id,
		.veid = veid,
		.kind = kind,
		.args = "{}",
		.title = "A title",
		.message = "A message",
		.created_s = 100,
		.updated_s = 100};
}

static void test_one_unfinished_work_a_vps(void **state)
{
	struct store *store = *state;
	struct work found, second;
	int64_t id, veid = store_make_vps(store, 1);
	second = node_work(store, veid, "vps_reinstall");
	assert_fails(ERR_LOCKED, db_work_add(store->db, &second, &id, &store->err));
	assert_good(db_work_of_vps(store->db, veid, &store->arena, &found, &store->err));
	found.state = WORK_UNDOING;
	assert_good(db_work_update(store->db, &found, &store->err));
	assert_fails(ERR_LOCKED, db_work_add(store->db, &second, &id, &store->err));
	found.state = WORK_FAILED;
	found.error = "The disk is full";
	assert_good(db_work_update(store->db, &found, &store->err));
	assert_fails(ERR_NOT_FOUND, db_work_of_vps(store->db, veid, &store->arena, &found, &store->err));
	assert_good(db_work_add(store->db, &second, &id, &store->err));
	/* The finished one cannot come back beside it. */
	assert_good(db_work_get(store->db, id - 1, &store->arena, &found, &store->err));
	assert_string_equal(found.error, "The disk is full");
	found.state = WORK_RUNNING;
	assert_fails(ERR_LOCKED, db_work_update(store->db, &found, &store->err));
	/* Other VPSs and the node itself are not locked. */
	store_make_vps(store, 2);
	for (int i = 0; i < 3; i++) {
		struct work own = node_work(store, 0, "template_build");
		assert_good(db_work_add(store->db, &own, &id, &store->err));
	}
	assert_fails(ERR_NOT_FOUND, db_work_of_vps(store->db, 0, &store->arena, &found, &store->err));
}

static void test_work_fields(void **state)
{
	struct store *store = *state;
	struct work found, work = node_work(store, 7, "kind");
	int64_t id;
	work.percent = 1;
	assert_good(db_work_add(store->db, &work, &id, &store->err));
	assert_good(db_work_get(store->db, id, &store->arena, &found, &store->err));
	assert_int_equal(found.id, id);
	assert_int_equal(found.node_id, store->node_id);
	assert_int_equal(found.veid, 7);
	assert_string_equal(found.kind, "kind");
	assert_string_equal(found.args, "{}");
	assert_string_equal(found.title, "A title");
	assert_string_equal(found.message, "A message");
	assert_string_equal(found.error, "");
	assert_int_equal(found.percent, 1);

	/* Only where it stands is written. */
	struct work update = {.id = id,
		.kind = "x",
		.args = "x",
		.title = "x",
		.node_id = 5,
		.veid = 5,
		.state = WORK_DONE,
		.step = 3,
		.percent = 100,
		.message = "Done",
		.error = "none",
		.created_s = 9,
		.updated_s = 200};
	assert_good(db_work_update(store->db, &update, &store->err));
	assert_good(db_work_get(store->db, id, &store->arena, &found, &store->err));
	assert_int_equal(found.state, WORK_DONE);
	assert_int_equal(found.step, 3);
	assert_int_equal(found.percent, 100);
	assert_string_equal(found.message, "Done");
	assert_string_equal(found.error, "none");
	assert_int_equal(found.updated_s, 200);
	assert_int_equal(found.created_s, 100);
	assert_int_equal(found.veid, 7);
	assert_string_equal(found.kind, "kind");
	assert_string_equal(found.args, "{}");
	assert_string_equal(found.title, "A title");
	update.id = 999;
	assert_fails(ERR_NOT_FOUND, db_work_update(store->db, &update, &store->err));
	assert_fails(ERR_NOT_FOUND, db_work_get(store->db, 999, &store->arena, &found, &store->err));
	work.node_id = 999;
	assert_fails(ERR_NOT_FOUND, db_work_add(store->db, &work, &id, &store->err));
}

static void test_next_work(void **state)
{
	struct store *store = *state;
	struct work found;
	int64_t ids[3], other_node;
	struct node node = {.alias = "v2", .location_id = "USCA_1", .ip = "", .endpoint = ""};
	assert_good(db_node_set(store->db, &node, &other_node, &store->err));
	for (int i = 0; i < 3; i++) {
		struct work work = node_work(store, 100 + i, "kind");
		assert_good(db_work_add(store->db, &work, &ids[i], &store->err));
		assert_true(i == 0 || ids[i] > ids[i - 1]);
	}
	struct work elsewhere = node_work(store, 200, "kind");
	int64_t elsewhere_id;
	elsewhere.node_id = other_node;
	assert_good(db_work_add(store->db, &elsewhere, &elsewhere_id, &store->err));

	assert_good(db_work_next(store->db, store->node_id, 0, &store->arena, &found, &store->err));
	assert_int_equal(found.id, ids[0]);
	assert_good(db_work_next(store->db, store->node_id, ids[0], &store->arena, &found, &store->err));
	assert_int_equal(found.id, ids[1]);
	found.state = WORK_DONE;
	assert_good(db_work_update(store->db, &found, &store->err));
	assert_good(db_work_next(store->db, store->node_id, ids[0], &store->arena, &found, &store->err));
	assert_int_equal(found.id, ids[2]);
	assert_fails(ERR_NOT_FOUND,
		db_work_next(store->db, store->node_id, ids[2], &store->arena, &found, &store->err));
	assert_good(db_work_next(store->db, other_node, 0, &store->arena, &found, &store->err));
	assert_int_equal(found.id, elsewhere_id);

	struct work *all;
	size_t count;
	assert_good(db_work_list(store->db, false, 10, &store->arena, &all, &count, &store->err));
	assert_int_equal(count, 4);
	assert_int_equal(all[0].id, elsewhere_id); /* the newest first */
	assert_good(db_work_list(store->db, true, 10, &store->arena, &all, &count, &store->err));
	assert_int_equal(count, 3);
	assert_int_equal(all[1].id, ids[2]);
	assert_good(db_work_list(store->db, true, 1, &store->arena, &all, &count, &store->err));
	assert_int_equal(count, 1);
}

int run_work_tests(void)
{
	const struct CMUnitTest tests[] = {
		FURNISHED_TEST(test_one_unfinished_work_a_vps),
		FURNISHED_TEST(test_work_fields),
		FURNISHED_TEST(test_next_work),
	};
	return cmocka_run_group_tests_name("work", tests, NULL, NULL);
}
