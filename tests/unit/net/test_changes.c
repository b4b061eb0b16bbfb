/* The life of the rules and the bridge: opened twice, changed, spoilt by others, removed. The kernel's own
 * listing is the witness. */
#include "lab.h"
#include "base/fd.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"
#include "net/bridge.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char *output_of(const char *const *argv)
{
	struct process_request request = {.argv = argv, .max_output = 1 << 20};
	owned_in(process_result_done) struct process_result result;
	assert_int_equal(process_run(&request, &result, NULL), 0);
	assert_int_equal(result.exit_status, 0);
	return buffer_take(&result.output);
}

static char *ruleset(void)
{
	return output_of((const char *const[]){"nft", "list", "ruleset", NULL});
}

static struct net *open_net(const struct lab *lab, size_t count)
{
	struct net *net = NULL;
	struct error err = {0};
	if (net_open(&lab->config, lab->vps + LAB_ALICE, count, &net, &err) < 0)
		fail_msg("%s", err.message);
	return net;
}

static void assert_ruleset(const char *expected)
{
	owned_mem char *now = ruleset();
	assert_string_equal(now, expected);
}

static int in_a_fresh_lab(void **ret)
{
	struct lab *lab = mem_new(struct lab);
	lab_init(lab);
	*ret = lab;
	return 0;
}

static int out_of_the_lab(void **ret)
{
	lab_done(*ret);
	free(*ret);
	return 0;
}

static void opening_twice_changes_nothing(void **ret)
{
	struct lab *lab = *ret;
	net_close(open_net(lab, 2));
	owned_mem char *first = ruleset(),
		       *link = output_of((const char *const[]){"ip", "addr", "show", NULL});
	net_close(open_net(lab, 2));
	owned_mem char *again = output_of((const char *const[]){"ip", "addr", "show", NULL});
	assert_ruleset(first);
	assert_string_equal(link, again);
	assert_non_null(strstr(first, "\"moa1\" . 02:00:00:00:00:01 . 10.77.0.11"));
	assert_non_null(strstr(first, "20002 : 10.77.0.12 . 22"));
}

static void setting_and_removing_are_each_others_undo(void **ret)
{
	struct lab *lab = *ret;
	owned(net_close) struct net *net = open_net(lab, 1);
	owned_mem char *one = ruleset();
	assert_int_equal(net_vps_set(net, &lab->vps[LAB_BOB], NULL), 0);
	owned_mem char *two = ruleset();
	assert_string_not_equal(one, two);
	assert_int_equal(net_vps_set(net, &lab->vps[LAB_BOB], NULL), 0);
	assert_ruleset(two);
	assert_int_equal(net_vps_remove(net, lab->vps[LAB_BOB].veid, NULL), 0);
	assert_ruleset(one);
	assert_int_equal(net_vps_remove(net, lab->vps[LAB_BOB].veid, NULL), 0);
	assert_ruleset(one);
}

static void a_change_replaces_what_was(void **ret)
{
	struct lab *lab = *ret;
	owned(net_close) struct net *net = open_net(lab, 2);
	struct address moved = {"10.77.9.9", 16, LAB_GATEWAY, NULL};
	struct net_vps bob = lab->vps[LAB_BOB];
	bob.addresses = &moved;
	bob.address_count = 1;
	assert_int_equal(net_vps_set(net, &bob, NULL), 0);
	owned_mem char *now = ruleset();
	assert_non_null(strstr(now, "20002 : 10.77.9.9 . 22"));
	assert_null(strstr(now, "10.77.0.12"));
	assert_null(strstr(now, "2001:db8:1:2::"));
	assert_non_null(strstr(now, "10.77.0.11"));
}

static void a_refused_change_leaves_all_as_it_was(void **ret)
{
	struct lab *lab = *ret;
	owned(net_close) struct net *net = open_net(lab, 2);
	owned_mem char *before = ruleset();
	struct error err = {0};
	struct net_vps thief = lab->vps[LAB_STRANGER];
	thief.addresses = lab->addresses[LAB_BOB];
	assert_int_equal(net_vps_set(net, &thief, &err), -ERR_EXISTS);
	assert_non_null(strstr(err.message, "both claim"));
	thief = lab->vps[LAB_STRANGER];
	thief.ssh_port = 8443;
	assert_int_equal(net_vps_set(net, &thief, NULL), -ERR_EXISTS);
	thief.interface = "moa3\" . x";
	assert_int_equal(net_vps_set(net, &thief, NULL), -ERR_INVALID);
	assert_ruleset(before);
}

static void what_others_spoilt_is_set_again(void **ret)
{
	struct lab *lab = *ret;
	owned(net_close) struct net *net = open_net(lab, 2);
	owned_mem char *whole = ruleset();
	lab_run("nft", "flush", "ruleset", NULL);
	assert_int_equal(net_vps_set(net, &lab->vps[LAB_ALICE], NULL), 0);
	assert_ruleset(whole);
	lab_run("nft", "flush", "set", "bridge", "moa", "ipv4", NULL);
	assert_int_equal(net_vps_remove(net, lab->vps[LAB_BOB].veid, NULL), 0);
	assert_int_equal(net_vps_set(net, &lab->vps[LAB_BOB], NULL), 0);
	assert_ruleset(whole);
}

/* What is not ours stays, in our tables' neighbourhood and in them. */
static void others_tables_and_counters_stay(void **ret)
{
	struct lab *lab = *ret;
	lab_run("nft", "add", "table", "inet", "theirs", NULL);
	net_close(open_net(lab, 2));
	lab_run("nft", "add", "counter", "inet", "moa", "mine", "{", "packets", "7", "bytes", "700", "}",
		NULL);
	net_close(open_net(lab, 1));
	owned_mem char *now = ruleset();
	assert_non_null(strstr(now, "table inet theirs"));
	assert_non_null(strstr(now, "packets 7 bytes 700"));
	assert_null(strstr(now, "10.77.0.12"));
	assert_int_equal(net_remove(&lab->config, NULL), 0);
	owned_mem char *left = ruleset();
	assert_string_equal(left, "table inet theirs {\n}\n");
}

/* Tables of another layout cannot be refilled. */
static void an_older_layout_is_replaced(void **ret)
{
	struct lab *lab = *ret;
	net_close(open_net(lab, 2));
	owned_mem char *whole = ruleset();
	lab_run("nft", "flush", "ruleset", NULL);
	lab_run("nft", "add", "table", "bridge", "moa", NULL);
	lab_run("nft", "add", "set", "bridge", "moa", "ipv4", "{", "type", "ipv4_addr", ";", "}", NULL);
	net_close(open_net(lab, 2));
	assert_ruleset(whole);
}

static char *setting(const char *path)
{
	char *value = NULL;
	assert_int_equal(file_read(path, 64, &value, NULL, NULL), 0);
	value[strcspn(value, "\n")] = '\0';
	return value;
}

static void the_bridge_is_as_wanted(void **ret)
{
	struct lab *lab = *ret;
	char mac[18];
	net_close(open_net(lab, 0));
	bridge_mac_of(&lab->config, mac);
	owned_mem char *forward = setting("/proc/sys/net/ipv4/ip_forward");
	owned_mem char *localnet = setting("/proc/sys/net/ipv4/conf/moabr0/route_localnet");
	assert_string_equal(forward, "1");
	assert_string_equal(localnet, "0");
	if (access("/proc/sys/net/ipv6/conf/moabr0", F_OK) == 0) {
		owned_mem char *advertisements = setting("/proc/sys/net/ipv6/conf/moabr0/accept_ra");
		assert_string_equal(advertisements, "0");
	}
	owned_mem char *link = output_of((const char *const[]){"ip", "-d", "link", "show", "moabr0", NULL});
	assert_non_null(strstr(link, mac));
	assert_non_null(strstr(link, "forward_delay 0 "));
	assert_non_null(strstr(link, "stp_state 0 "));
	assert_non_null(strstr(link, "mcast_snooping 0 "));
	assert_non_null(strstr(link, ",UP"));
}

static void the_bridges_address_and_mac_stay_fixed(void **ret)
{
	struct lab *lab = *ret;
	char mac[18];
	bridge_mac_of(&lab->config, mac);
	net_close(open_net(lab, 2));
	lab_connect(lab);
	lab_run("ip", "address", "add", "10.99.0.1/24", "dev", "moabr0", NULL);
	lab_run("ip", "link", "set", "moabr0", "down", NULL);
	net_close(open_net(lab, 2));
	owned_mem char *link = output_of((const char *const[]){"ip", "addr", "show", "moabr0", NULL});
	assert_non_null(strstr(link, mac));
	assert_non_null(strstr(link, "10.77.0.1/16"));
	assert_null(strstr(link, "10.99.0.1"));
	assert_non_null(strstr(link, ",UP"));
}

static void a_name_that_is_taken_is_left_alone(void **ret)
{
	struct lab *lab = *ret;
	struct error err = {0};
	struct net *net = NULL;
	lab_run("ip", "link", "add", "moabr0", "type", "veth", "peer", "name", "other", NULL);
	assert_int_equal(net_open(&lab->config, NULL, 0, &net, &err), -ERR_EXISTS);
	assert_true(err.said[0]);
	assert_int_equal(net_remove(&lab->config, NULL), -ERR_EXISTS);
	assert_true(if_nametoindex("moabr0") > 0);
}

static void nothing_is_left(void **ret)
{
	struct lab *lab = *ret;
	net_close(open_net(lab, 2));
	assert_int_equal(net_remove(&lab->config, NULL), 0);
	assert_ruleset("");
	assert_int_equal(if_nametoindex("moabr0"), 0);
	assert_int_equal(net_remove(&lab->config, NULL), 0);
}

/* A node's worth of VPSs in one transaction, then one change among them. */
static void many_vpss(void **ret)
{
	enum { COUNT = 1000 };
	struct lab *lab = *ret;
	static struct net_vps all[COUNT];
	static struct address addresses[COUNT][2];
	static char texts[COUNT][4][40];
	for (int i = 0; i < COUNT; i++) {
		snprintf(texts[i][0], 40, "moa%d", VEID_FIRST + i);
		snprintf(texts[i][1], 40, "02:00:00:00:%02x:%02x", i >> 8, i & 255);
		snprintf(texts[i][2], 40, "10.77.%d.%d", 1 + i / 250, 1 + i % 250);
		snprintf(texts[i][3], 40, "2001:db8:1:%x::", i + 1);
		addresses[i][0] = (struct address){texts[i][2], 16, LAB_GATEWAY, NULL};
		addresses[i][1] = (struct address){texts[i][3], 64, "", NULL};
		all[i] = (struct net_vps){
			VEID_FIRST + i, texts[i][0], texts[i][1], addresses[i], 2, 20000 + i};
	}
	struct net *net = NULL;
	struct error err = {0};
	if (net_open(&lab->config, all, COUNT, &net, &err) < 0)
		fail_msg("%s", err.message);
	assert_int_equal(net_vps_remove(net, all[500].veid, NULL), 0);
	owned_mem char *now = ruleset();
	assert_null(strstr(now, all[500].interface));
	assert_non_null(strstr(now, all[999].interface));
	net_close(net);
}

#define IN_LAB(test) cmocka_unit_test_setup_teardown(test, in_a_fresh_lab, out_of_the_lab)

int main(void)
{
	const char *missing = lab_missing();
	if (!missing && access("/usr/sbin/nft", X_OK) != 0)
		missing = "needs nft";
	if (missing) {
		printf("SKIP: %s\n", missing);
		return 77;
	}
	const struct CMUnitTest tests[] = {
		IN_LAB(opening_twice_changes_nothing),
		IN_LAB(setting_and_removing_are_each_others_undo),
		IN_LAB(a_change_replaces_what_was),
		IN_LAB(a_refused_change_leaves_all_as_it_was),
		IN_LAB(what_others_spoilt_is_set_again),
		IN_LAB(others_tables_and_counters_stay),
		IN_LAB(an_older_layout_is_replaced),
		IN_LAB(the_bridge_is_as_wanted),
		IN_LAB(the_bridges_address_and_mac_stay_fixed),
		IN_LAB(a_name_that_is_taken_is_left_alone),
		IN_LAB(nothing_is_left),
		IN_LAB(many_vpss),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
