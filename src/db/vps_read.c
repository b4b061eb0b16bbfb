/* Rows into struct vps, for the one of a request and for lists. A request reads one VPS, so this is the hot
 * path: the statement joins everything, and each text is copied once. */
#include "db/vps_read.h"
#include <string.h>

enum vps_type vps_type_read(struct query *query)
{
	char word[QUERY_WORD_SIZE];
	enum vps_type type = VPS_KVM;
	query_word(query, word);
	if (!vps_type_from_name(word, &type))
		query->is_broken = true;
	return type;
}

static enum vps_state state_read(struct query *query)
{
	char word[QUERY_WORD_SIZE];
	enum vps_state state = VPS_FAILED;
	query_word(query, word);
	if (!vps_state_from_name(word, &state))
		query->is_broken = true;
	return state;
}

/* The columns of the table itself, behind the veid. */
static void read_own(struct query *query, struct arena *arena, struct vps *vps)
{
	vps->type = vps_type_read(query);
	vps->state = state_read(query);
	vps->hostname = query_text(query, arena);
	vps->os = query_text(query, arena);
	vps->mac = query_text(query, arena);
	vps->ssh_port = query_int(query);
	vps->wanted_running = query_bool(query);
	vps->suspended = query_bool(query);
	vps->suspension_count = query_int(query);
	vps->abuse_points = query_int(query);
	vps->data_counter_bytes = query_int(query);
	vps->data_next_reset_s = query_int(query);
	vps->created_s = query_int(query);
	vps->purge_at_s = query_int(query);
	vps->ssh_keys = query_text(query, arena);
	vps->password_hash = query_text(query, arena);
}

static void address_read(struct query *query, struct arena *arena, struct address *address)
{
	address->address = query_text(query, arena);
	address->prefix_len = (int)query_int(query);
	address->gateway = query_text(query, arena);
	address->ptr = query_text(query, arena);
}

/* Appends the row's address, if it has one. The array is the arena's, so growing it leaves the old one there.
 */
static void add_address(struct query *query, struct arena *arena, struct vps *vps)
{
	enum { FIRST_CAPACITY = 2 };
	struct address address, *all = (struct address *)vps->addresses;
	size_t count = vps->address_count;
	address_read(query, arena, &address);
	if (!address.address)
		return;
	bool is_full = count == 0 || (count >= FIRST_CAPACITY && (count & (count - 1)) == 0);
	if (is_full) {
		size_t capacity = count < FIRST_CAPACITY ? FIRST_CAPACITY : count * 2;
		struct address *grown = arena_array(arena, capacity, struct address);
		if (count)
			memcpy(grown, all, count * sizeof(*all));
		all = grown;
	}
	all[count] = address;
	vps->addresses = all;
	vps->address_count++;
}

/* What the VPS belongs to. In a list it is mostly what the one before belongs to, and then shares its texts:
 * BEFORE may be NULL. */
static void read_joined(struct query *query, struct arena *arena, const struct vps *before, struct vps *vps)
{
	if (before && query_peek_int(query) == before->account.id) {
		vps->account = before->account;
		query_skip(query, ACCOUNT_WIDTH);
	} else {
		account_read(query, arena, &vps->account);
	}
	if (before && query_peek_int(query) == before->node.id) {
		vps->node = before->node;
		vps->location = before->location;
		query_skip(query, NODE_WIDTH + LOCATION_WIDTH);
	} else {
		node_read(query, arena, &vps->node);
		location_read(query, arena, &vps->location);
	}
	if (before && query_peek_int(query) == before->plan.id) {
		vps->plan = before->plan;
		query_skip(query, PLAN_WIDTH);
	} else {
		plan_read(query, arena, &vps->plan);
	}
}

/* A row that starts a VPS; the veid is read. */
static void read_first_row(
	struct query *query, struct arena *arena, int64_t veid, const struct vps *before, struct vps *vps)
{
	*vps = (struct vps){.veid = veid};
	read_own(query, arena, vps);
	read_joined(query, arena, before, vps);
	add_address(query, arena, vps);
}

static void read_further_row(struct query *query, struct arena *arena, struct vps *vps)
{
	query_skip(query, VPS_JOINED_WIDTH - 1);
	add_address(query, arena, vps);
}

int vps_read_one(struct query *query, struct arena *arena, struct vps *ret, struct error *err)
{
	struct vps vps;
	int rc = query_next(query, err);
	if (rc <= 0)
		return rc;
	read_first_row(query, arena, query_int(query), NULL, &vps);
	while ((rc = query_next(query, err)) > 0) {
		query_skip(query, 1);
		read_further_row(query, arena, &vps);
	}
	if (rc == 0)
		rc = query_check(query, err);
	if (rc < 0)
		return rc;
	*ret = vps;
	return 1;
}

int vps_read_all(
	struct query *query, struct arena *arena, struct vps **ret, size_t *ret_count, struct error *err)
{
	owned_in(list_done) struct list list = LIST_OF(struct vps);
	struct vps *last = NULL;
	int rc;
	while ((rc = query_next(query, err)) > 0) {
		int64_t veid = query_int(query);
		if (last && last->veid == veid) {
			read_further_row(query, arena, last);
			continue;
		}
		struct vps next;
		read_first_row(query, arena, veid, last, &next);
		last = list_add(&list);
		*last = next;
	}
	if (rc == 0)
		rc = query_check(query, err);
	if (rc < 0)
		return rc;
	*ret = list_copy(&list, arena);
	*ret_count = list.count;
	return 0;
}
