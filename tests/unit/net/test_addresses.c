/* Names of links, and which addresses a guest may have. */
#include "model/name.h"
#include "net/bridge.h"
#include "net/member.h"
#include "base/text.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static const struct net_config config = {
	.bridge = "moabr0", .table = "moa", .gateway = "10.77.0.1", .prefix_len = 16};

static void interface_names(void **state)
{
	(void)state;
	char place[16];
	assert_true(net_interface_name("moa", 1000001, place));
	assert_string_equal(place, "moa1000001");
	assert_true(net_interface_name("abcdefgh", 9999999, place));
	assert_int_equal(strlen(place), 15);
	assert_false(net_interface_name("abcdefghi", 9999999, place));
	assert_string_equal(place, "");
	assert_false(net_interface_name("", 1000001, place));
	assert_false(net_interface_name("9moa", 1000001, place));
	assert_false(net_interface_name("moa/", 1000001, place));
	assert_false(net_interface_name("moa*", 1000001, place));
	assert_false(net_interface_name("moa", 0, place));
	assert_false(net_interface_name("moa", -5, place));
}

static void host_address_is_an_address(void **state)
{
	(void)state;
	char place[46];
	net_host_address(place);
	assert_true(name_is_ipv4(place));
}

static int make(const char *interface, const char *mac, const char *address, int ssh_port)
{
	struct address addresses[] = {{.address = address, .prefix_len = 16, .gateway = ""}};
	struct net_vps vps = {.veid = 1000001,
		.interface = interface,
		.mac = mac,
		.addresses = addresses,
		.address_count = address ? 1 : 0,
		.ssh_port = ssh_port};
	struct member *member = NULL;
	struct error err = {0};
	int rc = member_make(&config, &vps, &member, &err);
	assert_true((rc == 0) == (member != NULL));
	assert_true(rc == 0 || err.message[0]);
	member_free(member);
	return rc;
}

#define MAC "02:00:00:00:00:01"

static void hostile_interfaces_are_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "moabr0", "lo", "abcdefghijklmnop", "a b", "a\"b", "moa*",
		"a\n", "1moa", "a;drop", "a{", "a$b", "..", "a/b", "\xc3\xa9th0"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(make(bad[i], MAC, "10.77.0.5", 0), -ERR_INVALID);
	assert_int_equal(make(NULL, MAC, "10.77.0.5", 0), -ERR_INVALID);
	assert_int_equal(make("abcdefghijklmno", MAC, "10.77.0.5", 0), 0);
}

static void hostile_macs_are_refused(void **state)
{
	(void)state;
	char bridge_mac[18];
	bridge_mac_of(&config, bridge_mac);
	const char *bad[] = {"", "02:00:00:00:00", "02:00:00:00:00:01 ", "02:00:00:00:00:0G",
		"02-00-00-00-00-01", "01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00",
		"0A:00:00:00:00:01", bridge_mac, NULL};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(make("moa1", bad[i], "10.77.0.5", 0), -ERR_INVALID);
}

static void hostile_addresses_are_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "10.77.0.1", "10.77.0.5/0", "10.77.0.5 }", "010.77.0.5",
		"0.0.0.0", "127.0.0.1", "169.254.169.254", "224.0.0.1", "255.255.255.255", "::", "::1",
		"fe80::1", "ff02::1", "::ffff:10.77.0.1", "2001:db8::1%eth0", "2001:db8::/48", "name"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(make("moa1", MAC, bad[i], 0), -ERR_INVALID);
	assert_int_equal(make("moa1", MAC, "10.77.0.5", 0), 0);
	assert_int_equal(make("moa1", MAC, "2001:db8:1:2::", 0), 0);
	assert_int_equal(make("moa1", MAC, "fd00::1:2:3:4", 0), 0);
}

static void ssh_ports(void **state)
{
	(void)state;
	assert_int_equal(make("moa1", MAC, "10.77.0.5", 20001), 0);
	assert_int_equal(make("moa1", MAC, "10.77.0.5", 65536), -ERR_INVALID);
	assert_int_equal(make("moa1", MAC, "10.77.0.5", -1), -ERR_INVALID);
	assert_int_equal(make("moa1", MAC, "2001:db8:1:2::", 20001), -ERR_INVALID);
	assert_int_equal(make("moa1", MAC, NULL, 20001), -ERR_INVALID);
}

/* EUI-64 (RFC 4291 appendix A); a /64 is told by its empty second half. */
static void members_are_canonical(void **state)
{
	(void)state;
	struct address addresses[] = {{.address = "2001:0DB8:1:2:0::", .prefix_len = 64},
		{.address = "10.77.0.5", .prefix_len = 16}, {.address = "2001:db8:1:2::7", .prefix_len = 64}};
	struct net_vps vps = {.veid = 1000001,
		.interface = "moa1",
		.mac = "02:12:34:56:78:9a",
		.addresses = addresses,
		.address_count = 3,
		.ssh_port = 20001};
	owned(member_free) struct member *member = NULL;
	assert_int_equal(member_make(&config, &vps, &member, NULL), 0);
	assert_int_equal(member->address_count, 4);
	assert_string_equal(member->addresses[0].text, "fe80::12:34ff:fe56:789a");
	assert_false(member->addresses[0].subnet);
	assert_string_equal(member->addresses[1].text, "2001:db8:1:2::");
	assert_true(member->addresses[1].subnet);
	assert_false(member->addresses[3].subnet);
	assert_string_equal(member->ssh_address, "10.77.0.5");
}

static void bridge_mac_is_fixed_and_local(void **state)
{
	(void)state;
	char first[18], again[18], other[18];
	struct net_config elsewhere = config;
	elsewhere.gateway = "10.78.0.1";
	bridge_mac_of(&config, first);
	bridge_mac_of(&config, again);
	bridge_mac_of(&elsewhere, other);
	assert_true(name_is_mac(first));
	assert_true(text_starts(first, "02:"));
	assert_string_equal(first, again);
	assert_string_not_equal(first, other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interface_names),
		cmocka_unit_test(host_address_is_an_address),
		cmocka_unit_test(hostile_interfaces_are_refused),
		cmocka_unit_test(hostile_macs_are_refused),
		cmocka_unit_test(hostile_addresses_are_refused),
		cmocka_unit_test(ssh_ports),
		cmocka_unit_test(members_are_canonical),
		cmocka_unit_test(bridge_mac_is_fixed_and_local),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
