/* The node's network as the rest of the program sees it: what was set for each VPS, and the transactions that
 * make the kernel agree. The only user of libnftables. Calls may come from several threads; changes are made
 * one at a time. */
#include "net/net.h"
#include "base/fd.h"
#include "base/memory.h"
#include "base/text.h"
#include "net/bridge.h"
#include "net/links.h"
#include "net/member.h"
#include "net/rules.h"
#include <nftables/libnftables.h>
#include <pthread.h>
#include <string.h>

enum { RULES_MAX = 64 << 20, VPS_MAX = 65536 };

struct net {
	struct net_config config; /* strings and ports owned */
	pthread_mutex_t lock;
	struct member **members; /* owned, in no order */
	size_t member_count, member_room;
};

/* ---- transactions ---- */

/* A context a transaction: it caches the whole rule set, which would otherwise stay in memory. */
static int run_transaction(const struct buffer *text, struct error *err)
{
	if (text->overflowed)
		return err_set(err, ERR_TOO_LARGE, "rule set over %u bytes", (unsigned)RULES_MAX);
	if (!text->len)
		return 0;
	struct nft_ctx *ctx = nft_ctx_new(NFT_CTX_DEFAULT);
	if (!ctx)
		return err_set(err, ERR_UNAVAILABLE, "nftables cannot be used");
	nft_ctx_buffer_error(ctx);
	nft_ctx_buffer_output(ctx);
	int rc = 0;
	if (nft_run_cmd_from_buffer(ctx, text->data) != 0) {
		const char *says = nft_ctx_get_error_buffer(ctx);
		says = says ? says : "";
		rc = err_set(err, ERR_IO, "nftables: %.*s", (int)strcspn(says, "\n"), says);
	}
	nft_ctx_free(ctx);
	return rc;
}

static int replace_rules(const struct net *net, struct rules_form form, struct error *err)
{
	owned_in(buffer_done) struct buffer text = BUFFER_INIT(RULES_MAX);
	rules_replace_text(
		&net->config, form, (const struct member *const *)net->members, net->member_count, &text);
	return run_transaction(&text, err);
}

/* Refilling keeps whatever else stands in the tables. It is refused where an older version laid them out in
 * another way, so they are then made anew, in one transaction as well. Some kernels are built without the
 * bridge's meta, so the line that needs it is given up last. */
static int replace_all(const struct net *net, struct error *err)
{
	static const struct rules_form forms[] = {{.recreate = false, .vouched = true},
		{.recreate = true, .vouched = true}, {.recreate = false, .vouched = false},
		{.recreate = true, .vouched = false}};
	int rc = 0;
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		rc = replace_rules(net, forms[i], err);
		if (rc == 0 || rc == -ERR_TOO_LARGE)
			break;
	}
	return rc;
}

/* ---- members ---- */

static struct member **member_place(struct net *net, int64_t veid)
{
	for (size_t i = 0; i < net->member_count; i++)
		if (net->members[i]->veid == veid)
			return &net->members[i];
	return NULL;
}

static int check_apart(const struct net *net, const struct member *member, struct error *err)
{
	for (size_t i = 0; i < net->member_count; i++) {
		if (net->members[i]->veid == member->veid)
			continue;
		int rc = member_check_apart(net->members[i], member, err);
		if (rc < 0)
			return rc;
	}
	for (const uint16_t *port = net->config.open_ports; *port; port++)
		if (member->ssh_port == *port)
			return err_set(err, ERR_EXISTS, "VPS %lld claims port %d of the host",
				(long long)member->veid, member->ssh_port);
	return 0;
}

static void member_add(struct net *net, struct member *member)
{
	if (net->member_count == net->member_room) {
		net->member_room = net->member_room ? 2 * net->member_room : 16;
		net->members = mem_resize(net->members, net->member_room, sizeof(*net->members));
	}
	net->members[net->member_count++] = member;
}

static int members_fill(struct net *net, const struct net_vps *all, size_t count, struct error *err)
{
	if (count > VPS_MAX)
		return err_set(err, ERR_TOO_LARGE, "%zu VPSs on one node", count);
	for (size_t i = 0; i < count; i++) {
		owned(member_free) struct member *member = NULL;
		int rc = member_make(&net->config, &all[i], &member, err);
		if (rc < 0)
			return rc;
		if (member_place(net, member->veid))
			return err_set(err, ERR_EXISTS, "VPS %lld is there twice", (long long)member->veid);
		rc = check_apart(net, member, err);
		if (rc < 0)
			return rc;
		member_add(net, take(member));
	}
	return 0;
}

/* ---- open and close ---- */

static uint16_t *ports_copy(const uint16_t *ports)
{
	size_t count = 0;
	while (ports && ports[count])
		count++;
	uint16_t *copy = mem_alloc(count + 1, sizeof(*copy));
	if (count)
		memcpy(copy, ports, count * sizeof(*copy));
	return copy;
}

static int net_make(const struct net_config *config, const struct net_vps *all, size_t count,
	struct net **ret, struct error *err)
{
	int rc = net_config_check(config, err);
	if (rc < 0)
		return rc;
	owned(net_close) struct net *net = mem_new(struct net);
	pthread_mutex_init(&net->lock, NULL);
	net->config = (struct net_config){.bridge = mem_strdup(config->bridge),
		.table = mem_strdup(config->table),
		.gateway = mem_strdup(config->gateway),
		.prefix_len = config->prefix_len,
		.nat = config->nat,
		.open_ports = ports_copy(config->open_ports)};
	rc = members_fill(net, all, count, err);
	if (rc < 0)
		return rc;
	*ret = take(net);
	return 0;
}

void net_close(struct net *net)
{
	if (!net)
		return;
	for (size_t i = 0; i < net->member_count; i++)
		member_free(net->members[i]);
	free(net->members);
	free((char *)net->config.bridge);
	free((char *)net->config.table);
	free((char *)net->config.gateway);
	free((uint16_t *)net->config.open_ports);
	pthread_mutex_destroy(&net->lock);
	free(net);
}

/* The rules stand before the bridge does, and before the host passes anything on. */
int net_open(const struct net_config *config, const struct net_vps *all, size_t count, struct net **ret,
	struct error *err)
{
	owned(net_close) struct net *net = NULL;
	int rc = net_make(config, all, count, &net, err);
	if (rc == 0)
		rc = replace_all(net, err);
	if (rc == 0)
		rc = bridge_ensure(config, err);
	if (rc == 0)
		rc = bridge_forwarding_ensure(err);
	if (rc < 0)
		return err_wrap(err, "network"), rc;
	*ret = take(net);
	return 0;
}

int net_remove(const struct net_config *config, struct error *err)
{
	int rc = net_config_check(config, err);
	if (rc < 0)
		return rc;
	owned_in(buffer_done) struct buffer text = BUFFER_INIT(0);
	rc = bridge_remove(config->bridge, err);
	if (rc < 0)
		return rc;
	rules_remove_text(config, &text);
	return run_transaction(&text, err);
}

char *net_rules_text(const struct net_config *config, const struct net_vps *all, size_t count)
{
	owned(net_close) struct net *net = NULL;
	if (net_make(config, all, count, &net, NULL) < 0)
		return NULL;
	struct buffer text = BUFFER_INIT(RULES_MAX);
	rules_replace_text(&net->config, (struct rules_form){.vouched = true},
		(const struct member *const *)net->members, net->member_count, &text);
	return buffer_take(&text);
}

/* ---- changes ---- */

static int change_rules(
	struct net *net, const struct member *before, const struct member *after, struct error *err)
{
	owned_in(buffer_done) struct buffer text = BUFFER_INIT(RULES_MAX);
	rules_change_text(&net->config, before, after, &text);
	return run_transaction(&text, err);
}

/* When the kernel's rules are not what they were left as, everything is set again. On failure the list is as
 * before, and so are the rules. */
static int set_locked(struct net *net, struct member **member, struct error *err)
{
	struct member **place = member_place(net, (*member)->veid), *before = place ? *place : NULL;
	int rc = change_rules(net, before, *member, err);
	if (place)
		*place = *member;
	else
		member_add(net, *member);
	if (rc < 0)
		rc = replace_all(net, err);
	if (rc == 0) {
		*member = before;
		return 0;
	}
	if (place)
		*place = before;
	else
		net->member_count--;
	return rc;
}

int net_vps_set(struct net *net, const struct net_vps *vps, struct error *err)
{
	owned(member_free) struct member *member = NULL;
	int rc = member_make(&net->config, vps, &member, err);
	if (rc < 0)
		return rc;
	pthread_mutex_lock(&net->lock);
	rc = check_apart(net, member, err);
	if (rc == 0)
		rc = set_locked(net, &member, err);
	pthread_mutex_unlock(&net->lock);
	if (rc < 0)
		err_wrap(err, "network of VPS %lld", (long long)vps->veid);
	return rc;
}

/* A failed change is followed by setting everything again without the VPS, so it is off the list before. */
int net_vps_remove(struct net *net, int64_t veid, struct error *err)
{
	int rc = 0;
	pthread_mutex_lock(&net->lock);
	struct member **place = member_place(net, veid);
	if (place) {
		rc = change_rules(net, *place, NULL, err);
		struct member *kept = *place;
		*place = net->members[--net->member_count];
		if (rc < 0)
			rc = replace_all(net, err);
		if (rc < 0)
			member_add(net, take(kept));
		member_free(kept);
	}
	pthread_mutex_unlock(&net->lock);
	if (rc < 0)
		err_wrap(err, "network of VPS %lld", (long long)veid);
	return rc;
}

int net_vps_bytes(
	struct net *net, const char *interface, int64_t *ret_in, int64_t *ret_out, struct error *err)
{
	struct link link;
	(void)net;
	int rc = link_find(interface, &link, err);
	if (rc < 0)
		return rc;
	*ret_in = (int64_t)link.sent_bytes; /* what the host sent is what the guest received */
	*ret_out = (int64_t)link.received_bytes;
	return 0;
}
