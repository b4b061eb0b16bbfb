/* The rule set's text against recorded ones, and what must never become one. MOA_GOLDEN_WRITE=1 records anew.
 */
#include "base/fd.h"
#include "base/memory.h"
#include "base/text.h"
#include "net/rules.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static const uint16_t ports[] = {8443, 53, 0};
static const struct address first_addresses[] = {{"10.77.0.11", 16, "10.77.0.1", NULL},
	{"2001:db8:1:2::", 64, "", NULL}, {"2001:db8:9::5", 64, "", NULL}};
static const struct address second_addresses[] = {{"10.77.0.12", 16, "10.77.0.1", NULL}};
static const struct net_vps vpss[] = {{1000001, "moa1000001", "02:00:00:00:00:01", first_addresses, 3, 20001},
	{1000002, "moa1000002", "02:00:00:00:00:02", second_addresses, 1, 0}};

static struct net_config config_of(bool nat)
{
	return (struct net_config){.bridge = "moabr0",
		.table = "moa",
		.gateway = "10.77.0.1",
		.prefix_len = 16,
		.nat = nat,
		.open_ports = ports};
}

static void assert_golden(const char *name, const char *text)
{
	owned_mem char *path = mem_printf(GOLDEN_DIR "/%s", name), *expected = NULL;
	if (getenv("MOA_GOLDEN_WRITE"))
		assert_int_equal(file_write_atomic(path, text, strlen(text), 0644, NULL), 0);
	assert_int_equal(file_read(path, 1 << 20, &expected, NULL, NULL), 0);
	assert_string_equal(text, expected);
}

static void whole_set_with_nat(void **state)
{
	(void)state;
	struct net_config config = config_of(true);
	owned_mem char *text = net_rules_text(&config, vpss, 2);
	assert_non_null(text);
	assert_golden("nat.nft", text);
}

static void whole_set_routed(void **state)
{
	(void)state;
	struct net_config config = config_of(false);
	config.open_ports = NULL;
	owned_mem char *text = net_rules_text(&config, vpss, 2);
	assert_non_null(text);
	assert_golden("routed.nft", text);
}

static void change_text(const struct net_vps *before, const struct net_vps *after, struct buffer *out)
{
	struct net_config config = config_of(true);
	owned(member_free) struct member *old = NULL, *new = NULL;
	if (before)
		assert_int_equal(member_make(&config, before, &old, NULL), 0);
	if (after)
		assert_int_equal(member_make(&config, after, &new, NULL), 0);
	rules_change_text(&config, old, new, out);
}

static void one_change(void **state)
{
	(void)state;
	struct net_vps after = vpss[0];
	after.addresses = second_addresses;
	after.address_count = 1;
	owned_in(buffer_done) struct buffer text = BUFFER_INIT(0);
	change_text(&vpss[0], &after, &text);
	assert_golden("change.nft", text.data);
}

static void added_and_removed(void **state)
{
	(void)state;
	owned_in(buffer_done) struct buffer added = BUFFER_INIT(0), removed = BUFFER_INIT(0);
	change_text(NULL, &vpss[0], &added);
	change_text(&vpss[0], NULL, &removed);
	assert_golden("added.nft", added.data);
	assert_golden("removed.nft", removed.data);
	assert_null(strstr(added.data, "delete"));
	assert_null(strstr(removed.data, "add"));
}

static void tables_are_recreated_in_the_same_text(void **state)
{
	(void)state;
	struct net_config config = config_of(true);
	owned_in(buffer_done) struct buffer text = BUFFER_INIT(0);
	rules_replace_text(&config, (struct rules_form){.recreate = true}, NULL, 0, &text);
	assert_true(text_starts(text.data, "add table bridge moa\ndelete table bridge moa\n"));
	assert_null(strstr(text.data, "ibrname"));
	assert_null(strstr(text.data, "flush table"));
}

static void bad_settings_give_no_text(void **state)
{
	(void)state;
	static const char *const names[] = {"", "moa\"br0", "a b", "abcdefghijklmnop", "moa*", "a;b", "a\nb"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct net_config config = config_of(true);
		config.bridge = names[i];
		assert_null(net_rules_text(&config, NULL, 0));
	}
	struct net_config config = config_of(true);
	config.table = "moa; flush ruleset";
	assert_null(net_rules_text(&config, NULL, 0));
	config = config_of(true);
	config.gateway = "10.77.0.1 }";
	assert_null(net_rules_text(&config, NULL, 0));
	config = config_of(true);
	config.prefix_len = 33;
	assert_null(net_rules_text(&config, NULL, 0));
}

static void shared_values_give_no_text(void **state)
{
	(void)state;
	struct net_config config = config_of(true);
	struct net_vps both[2] = {vpss[0], vpss[1]};
	assert_null(net_rules_text(&config, (struct net_vps[]){vpss[0], vpss[0]}, 2));
	both[1].interface = vpss[0].interface;
	assert_null(net_rules_text(&config, both, 2));
	both[1] = vpss[1];
	both[1].mac = vpss[0].mac;
	assert_null(net_rules_text(&config, both, 2));
	both[1] = vpss[1];
	both[1].ssh_port = vpss[0].ssh_port;
	assert_null(net_rules_text(&config, both, 2));
	both[1] = vpss[1];
	both[1].ssh_port = ports[0];
	assert_null(net_rules_text(&config, both, 2));
	struct address inside = {"2001:db8:1:2::99", 64, "", NULL};
	both[1] = vpss[1];
	both[1].addresses = &inside;
	assert_null(net_rules_text(&config, both, 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_set_with_nat),
		cmocka_unit_test(whole_set_routed),
		cmocka_unit_test(one_change),
		cmocka_unit_test(added_and_removed),
		cmocka_unit_test(tables_are_recreated_in_the_same_text),
		cmocka_unit_test(bad_settings_give_no_text),
		cmocka_unit_test(shared_values_give_no_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
