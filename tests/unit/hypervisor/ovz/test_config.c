/* The configuration text: golden for both layouts of control groups, and no value that can add a line. */
#include "check.h"
#include "base/memory.h"
#include "base/owned.h"
#include "hypervisor/ovz/config.h"
#include <string.h>

static const struct address addresses[] = {
	{.address = "10.0.3.7", .prefix_len = 22, .gateway = "10.0.0.1"},
	{.address = "192.0.2.9", .prefix_len = 32, .gateway = "192.0.2.1"},
	{.address = "2001:db8:0:7::", .prefix_len = 64, .gateway = "fe80::1"},
};

static const struct guest_spec model = {
	.name = "moa-1000001",
	.veid = 1000001,
	.type = VPS_OVZ,
	.hostname = "www.example.com",
	.ram_bytes = 536870912,
	.swap_bytes = 268435456,
	.cpu_percent = 150,
	.process_max = 500,
	.rootfs_path = "/var/lib/moa/mnt/1000001",
	.id_base = 65536000,
	.bridge = "moa0",
	.interface = "veth1000001",
	.mac = "02:00:00:00:00:01",
	.addresses = addresses,
	.address_count = 3,
};

#define COMMON_TEXT \
	"lxc.uts.name = www.example.com\n" \
	"lxc.rootfs.path = dir:/var/lib/moa/mnt/1000001\n" \
	"lxc.rootfs.options = idmap=container\n" \
	"lxc.idmap = u 0 65536000 65536\n" \
	"lxc.idmap = g 0 65536000 65536\n" \
	"lxc.net.0.type = veth\n" \
	"lxc.net.0.name = eth0\n" \
	"lxc.net.0.veth.pair = veth1000001\n" \
	"lxc.net.0.link = moa0\n" \
	"lxc.net.0.hwaddr = 02:00:00:00:00:01\n" \
	"lxc.net.0.flags = up\n" \
	"lxc.net.0.ipv4.address = 10.0.3.7/22 10.0.3.255\n" \
	"lxc.net.0.ipv4.gateway = 10.0.0.1\n" \
	"lxc.net.0.ipv4.address = 192.0.2.9/32\n" \
	"lxc.cap.drop = mac_admin mac_override sys_module sys_rawio sys_time\n" \
	"lxc.seccomp.profile = /var/lib/moa/ovz/seccomp\n"

#define COMMON_TEXT_2 \
	"lxc.autodev = 1\n" \
	"lxc.pty.max = 1024\n" \
	"lxc.tty.max = 0\n" \
	"lxc.console.path = none\n" \
	"lxc.mount.auto = proc:mixed sys:mixed cgroup:mixed\n" \
	"lxc.mount.entry = /dev/net/tun dev/net/tun none bind,create=file,optional 0 0\n" \
	"lxc.hook.post-stop = /bin/false\n" \
	"lxc.signal.halt = SIGRTMIN+3\n" \
	"lxc.proc.oom_score_adj = 0\n" \
	"lxc.log.level = ERROR\n" \
	"lxc.log.file = /run/moa/ovz/moa-1000001.log\n" \
	"lxc.cgroup.relative = 0\n" \
	"lxc.cgroup.dir.container = moa.guest/moa-1000001\n" \
	"lxc.cgroup.dir.monitor = moa.monitor/moa-1000001\n" \
	"lxc.cgroup.dir.monitor.pivot = moa.pivot\n"

#define DEVICES(key) \
	key ".devices.deny = a\n" key ".devices.allow = c 1:3 rwm\n" key ".devices.allow = c 1:5 rwm\n" key \
	    ".devices.allow = c 1:7 rwm\n" key ".devices.allow = c 1:8 rwm\n" key \
	    ".devices.allow = c 1:9 rwm\n" key ".devices.allow = c 5:0 rwm\n" key \
	    ".devices.allow = c 5:1 rwm\n" key ".devices.allow = c 5:2 rwm\n" key \
	    ".devices.allow = c 136:* rwm\n" key ".devices.allow = c 10:200 rwm\n"

static struct cgroup_layout layout_of(bool unified)
{
	struct cgroup_layout layout = {.unified = unified, .has_swap = true};
	for (int i = 0; i < CGROUP_COUNT; i++)
		layout.has[i] = true;
	return layout;
}

static struct config_host host_of(const struct cgroup_layout *layout)
{
	return (struct config_host){.cgroups = layout,
		.seccomp_path = "/var/lib/moa/ovz/seccomp",
		.log_path = "/run/moa/ovz/moa-1000001.log"};
}

static void check_text(const struct guest_spec *spec, const struct config_host *host, const char *expected)
{
	struct error err = {0};
	owned_in(buffer_done) struct buffer text = BUFFER_INIT(32 << 10);
	assert_int_equal(config_text(spec, host, &text, &err), 0);
	assert_string_equal(text.data, expected);
}

static void test_v1(void **state)
{
	(void)state;
	struct cgroup_layout layout = layout_of(false);
	struct config_host host = host_of(&layout);
	check_text(&model, &host,
		COMMON_TEXT COMMON_TEXT_2 DEVICES(
			"lxc.cgroup") "lxc.cgroup.memory.limit_in_bytes = 536870912\n"
				      "lxc.cgroup.memory.memsw.limit_in_bytes = 805306368\n"
				      "lxc.cgroup.cpu.cfs_period_us = 100000\n"
				      "lxc.cgroup.cpu.cfs_quota_us = 150000\n"
				      "lxc.cgroup.pids.max = 500\n");
}

static void test_v2_with_apparmor(void **state)
{
	(void)state;
	struct cgroup_layout layout = layout_of(true);
	struct config_host host = host_of(&layout);
	host.apparmor = true;
	check_text(&model, &host,
		COMMON_TEXT
		"lxc.apparmor.profile = generated\nlxc.apparmor.raw = mount,\n" COMMON_TEXT_2 DEVICES(
			"lxc.cgroup2") "lxc.cgroup2.memory.max = 536870912\n"
				       "lxc.cgroup2.memory.swap.max = 268435456\n"
				       "lxc.cgroup2.cpu.max = 150000 100000\n"
				       "lxc.cgroup2.pids.max = 500\n");
}

static void test_what_the_host_lacks_is_left_out(void **state)
{
	(void)state;
	struct cgroup_layout layout = {.has = {[CGROUP_MEMORY] = true}};
	struct config_host host = host_of(&layout);
	struct guest_spec spec = model;
	spec.process_max = 0;
	check_text(&spec, &host, COMMON_TEXT COMMON_TEXT_2 "lxc.cgroup.memory.limit_in_bytes = 536870912\n");
}

static void test_long_host_name_is_cut_to_its_first_label(void **state)
{
	(void)state;
	struct cgroup_layout layout = layout_of(true);
	struct config_host host = host_of(&layout);
	struct guest_spec spec = model;
	struct error err = {0};
	owned_in(buffer_done) struct buffer text = BUFFER_INIT(32 << 10);
	spec.hostname = "a123456789b123456789c123456789d123456789.e123456789f123456789g12.example.com";
	assert_int_equal(config_text(&spec, &host, &text, &err), 0);
	assert_non_null(strstr(text.data, "lxc.uts.name = a123456789b123456789c123456789d123456789\n"));
}

static void check_refused(const struct guest_spec *spec, const char *what)
{
	struct cgroup_layout layout = layout_of(true);
	struct config_host host = host_of(&layout);
	struct error err = {0};
	owned_in(buffer_done) struct buffer text = BUFFER_INIT(32 << 10);
	assert_int_equal(config_text(spec, &host, &text, &err), -ERR_INVALID);
	assert_non_null(strstr(err.message, what));
}

static void test_texts_cannot_add_lines(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"x\nlxc.hook.start-host = /bin/true", "x y", "x#", "x=", "", "x\r", "x'", "../x", "\xc3\xa4"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct guest_spec spec = model;
		spec.name = bad[i];
		check_refused(&spec, "name");
		spec = model;
		spec.hostname = bad[i];
		check_refused(&spec, "host name");
		spec = model;
		spec.bridge = bad[i];
		check_refused(&spec, "bridge");
		spec = model;
		spec.interface = bad[i];
		check_refused(&spec, "interface");
		spec = model;
		spec.mac = bad[i];
		check_refused(&spec, "MAC");
		owned_mem char *path = mem_printf("/mnt/%s", bad[i]);
		spec = model;
		spec.rootfs_path = bad[i][0] ? path : "";
		check_refused(&spec, "root path");
	}
}

/* An address that is not one is no IPv4 address and gives no line at all. */
static void test_addresses_cannot_add_lines(void **state)
{
	(void)state;
	const struct address bad = {
		.address = "10.0.0.1/8\nlxc.x = 1", .prefix_len = 24, .gateway = "1\nlxc.x = 1"};
	const struct address bad_gateway = {
		.address = "10.0.0.1", .prefix_len = 24, .gateway = "1\nlxc.x = 1"};
	const struct address list[] = {bad, bad_gateway};
	struct cgroup_layout layout = layout_of(true);
	struct config_host host = host_of(&layout);
	struct guest_spec spec = model;
	struct error err = {0};
	owned_in(buffer_done) struct buffer text = BUFFER_INIT(32 << 10);
	spec.addresses = list;
	spec.address_count = 2;
	assert_int_equal(config_text(&spec, &host, &text, &err), 0);
	assert_null(strstr(text.data, "lxc.x"));
	assert_null(strstr(text.data, "gateway"));
	assert_non_null(strstr(text.data, "lxc.net.0.ipv4.address = 10.0.0.1/24 10.0.0.255\n"));
}

static void test_numbers_are_checked(void **state)
{
	(void)state;
	struct guest_spec spec = model;
	spec.id_base = 0;
	check_refused(&spec, "id base");
	spec.id_base = 65535;
	check_refused(&spec, "id base");
	spec.id_base = UINT32_MAX - 65535;
	check_refused(&spec, "id base");
	spec = model;
	spec.ram_bytes = 0;
	check_refused(&spec, "memory");
	spec = model;
	spec.swap_bytes = -1;
	check_refused(&spec, "swap");
	spec = model;
	spec.cpu_percent = -1;
	check_refused(&spec, "CPU");
	spec = model;
	spec.process_max = -1;
	check_refused(&spec, "processes");
	spec = model;
	struct address address = {.address = "10.0.0.1", .prefix_len = 33, .gateway = ""};
	spec.addresses = &address;
	spec.address_count = 1;
	check_refused(&spec, "addresses");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_v1),
		cmocka_unit_test(test_v2_with_apparmor),
		cmocka_unit_test(test_what_the_host_lacks_is_left_out),
		cmocka_unit_test(test_long_host_name_is_cut_to_its_first_label),
		cmocka_unit_test(test_texts_cannot_add_lines),
		cmocka_unit_test(test_addresses_cannot_add_lines),
		cmocka_unit_test(test_numbers_are_checked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
