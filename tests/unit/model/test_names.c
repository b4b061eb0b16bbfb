/* Which texts may become names: the table behind every path, command line and domain. */
#include "base/memory.h"
#include "base/text.h"
#include "model/guest.h"
#include "model/name.h"
#include "model/vps.h"
#include "model/work.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#define TEN "abcdefghij"
#define SIXTY TEN TEN TEN TEN TEN TEN

struct names {
	bool (*is)(const char *text);
	const char *good[16], *bad[32];
};

static const struct names hostnames = {name_is_hostname,
	{"a", "localhost", "my.server.com", "UPPER.Case", "1a.2b", "xn--mnchen-3ya.de", "a-b.c-d",
		SIXTY "abc", SIXTY ".b." SIXTY "." SIXTY "." SIXTY ".abcd"},
	{"", ".", "a.", ".a", "a..b", "-a", "a-", "a.-b", "a.b-", "1.2.3.4", "1234", "a_b", "a b", "a/b",
		"../a", "a\n", "\xc3\xa4.de", "a;reboot", "$(id)", "a\"b", SIXTY "abcd",
		SIXTY "." SIXTY "." SIXTY "." SIXTY ".abcdefghijk"}};
static const struct names templates = {name_is_template,
	{"debian-12-x86_64", "ubuntu-24.04-x86_64", "a", "9front", SIXTY "abc"},
	{"", "Debian", "-a", ".a", "_a", "a/b", "..", "a..b", "a b", "a\n", "a;b", SIXTY "abcd"}};
static const struct names identifiers = {name_is_identifier, {"kvmv5-40g-2048m", "A", "9", "a.b_c-d"},
	{"", ".", "..", "-a", "_a", ".a", "a/b", "a b", "a\n", "a'b", SIXTY "abcd"}};
static const struct names locations = {name_is_location, {"USCA_1", "A", "EUNL_3", "ABCDEFGHIJKLMNO"},
	{"", "usca_1", "1USCA", "_A", "US-CA", "US CA", "ABCDEFGHIJKLMNOP", "A\n", "../A"}};
static const struct names emails = {name_is_email,
	{"a@b.c", "first.last+tag@mail.example.com", "o'hara@example.com", "x@localhost"},
	{"", "@", "a@", "@b.c", "a@b@c", "a b@c.d", "a@b c", "a@-b.c", "a@1.2.3.4", "a\n@b.c",
		"a@b.c\nBcc: d@e.f", "a", "a,b@c.d", "\"a\"@b.c", "a<b>@c.d",
		SIXTY SIXTY SIXTY SIXTY "@" SIXTY ".abc"}};
static const struct names ipv4s = {name_is_ipv4, {"0.0.0.0", "192.0.2.1", "255.255.255.255"},
	{"", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1.2.3.4 ", " 1.2.3.4", "1.2.3.4/24", "::1",
		"0x1.2.3.4", "a"}};
static const struct names ipv6s = {name_is_ipv6, {"::", "::1", "2001:db8::", "2001:DB8::1", "::ffff:1.2.3.4"},
	{"", "1.2.3.4", "2001:db8::/64", "fe80::1%eth0", ":::", "2001:db8", "g::", "1:2:3:4:5:6:7:8:9"}};
static const struct names macs = {name_is_mac, {"02:00:00:00:00:01", "ff:ff:ff:ff:ff:ff"},
	{"", "02:00:00:00:00:0", "02:00:00:00:00:001", "02-00-00-00-00-01", "02:00:00:00:00:0G",
		"02:00:00:00:00:0A", "02:00:00:00:00:01 ", "::::::::::::::::::"}};

static void check_names(void **state)
{
	const struct names *names = *state;
	for (size_t i = 0; i < ARRAY_LEN(names->good) && names->good[i]; i++)
		if (!names->is(names->good[i]))
			fail_msg("refused: %s", names->good[i]);
	for (size_t i = 0; i < ARRAY_LEN(names->bad) && names->bad[i]; i++)
		if (names->is(names->bad[i]))
			fail_msg("taken: %s", names->bad[i]);
}

static void every_byte_but_the_allowed_is_refused(void **state)
{
	(void)state;
	for (int byte = 1; byte < 256; byte++) {
		char text[] = {'a', (char)byte, 'a', '\0'};
		bool alnum = strchr(TEXT_ALNUM, byte) != NULL;
		bool low = strchr(TEXT_LOWER TEXT_DIGITS, byte) != NULL;
		assert_int_equal(name_is_hostname(text), alnum || byte == '-' || byte == '.');
		assert_int_equal(name_is_template(text), low || (strchr("-_.", byte) != NULL));
		assert_int_equal(name_is_identifier(text), alnum || (strchr("-_.", byte) != NULL));
	}
}

static void words_of_enums(void **state)
{
	(void)state;
	enum vps_type type;
	enum vps_state vps_state;
	enum work_state work_state;
	for (int i = VPS_KVM; i <= VPS_OVZ; i++)
		assert_true(vps_type_from_name(vps_type_name((enum vps_type)i), &type) && (int)type == i);
	for (int i = VPS_CREATING; i <= VPS_DELETED; i++)
		assert_true(vps_state_from_name(vps_state_name((enum vps_state)i), &vps_state) &&
			    (int)vps_state == i);
	for (int i = WORK_RUNNING; i <= WORK_FAILED; i++)
		assert_true(work_state_from_name(work_state_name((enum work_state)i), &work_state) &&
			    (int)work_state == i);
	assert_false(vps_type_from_name("KVM", &type));
	assert_false(vps_state_from_name("", &vps_state));
	assert_false(work_state_from_name(NULL, &work_state));
	assert_string_equal(guest_state_name(GUEST_STARTING), "starting");
	assert_string_equal(guest_state_name(GUEST_RUNNING), "running");
	assert_string_equal(guest_state_name(GUEST_STOPPED), "stopped");
}

static void unfinished_is_running_or_undoing(void **state)
{
	(void)state;
	assert_true(work_is_unfinished(WORK_RUNNING));
	assert_true(work_is_unfinished(WORK_UNDOING));
	assert_false(work_is_unfinished(WORK_DONE));
	assert_false(work_is_unfinished(WORK_FAILED));
}

static void own_keys_replace_the_accounts(void **state)
{
	(void)state;
	struct vps vps = {.ssh_keys = "", .account = {.ssh_keys = "ssh-ed25519 A"}};
	assert_string_equal(vps_preferred_ssh_keys(&vps), "ssh-ed25519 A");
	vps.ssh_keys = "ssh-ed25519 B";
	assert_string_equal(vps_preferred_ssh_keys(&vps), "ssh-ed25519 B");
}

int main(void)
{
#define NAMES(table) \
	{ \
		.name = #table, .test_func = check_names, .initial_state = (void *)&table \
	}
	const struct CMUnitTest tests[] = {
		NAMES(hostnames),
		NAMES(templates),
		NAMES(identifiers),
		NAMES(locations),
		NAMES(emails),
		NAMES(ipv4s),
		NAMES(ipv6s),
		NAMES(macs),
		cmocka_unit_test(every_byte_but_the_allowed_is_refused),
		cmocka_unit_test(words_of_enums),
		cmocka_unit_test(unfinished_is_running_or_undoing),
		cmocka_unit_test(own_keys_replace_the_accounts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
