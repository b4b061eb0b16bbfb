/* Real guests on a real libvirtd: the vtable from outside. Each guest is a boot sector of its own. */
#include "base/fd.h"
#include "base/owned.h"
#include "base/text.h"
#include "host.h"
#include <png.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

enum { LONG_MS = 60000, PICTURE_MS = 20000 };

static struct host host;
static struct hypervisor *hv;

static void ok(int rc, const struct error *err)
{
	if (rc < 0)
		fail_msg("%s", err->message);
}

static void define(struct tiny *tiny, unsigned number, enum tiny_kind kind)
{
	struct error err = {0};
	tiny_make(&host, tiny, number, kind);
	news_clear();
	ok(ops->define(hv, &tiny->spec, &err), &err);
}

static void start(const struct tiny *tiny)
{
	struct error err = {0};
	ok(ops->start(hv, tiny->name, &err), &err);
}

static void kill_and_forget(const struct tiny *tiny)
{
	struct error err = {0};
	ok(ops->kill(hv, tiny->name, &err), &err);
	ok(ops->undefine(hv, tiny->name, &err), &err);
}

static enum guest_state state_of(const struct tiny *tiny)
{
	struct error err = {0};
	enum guest_state state = GUEST_STARTING;
	ok(ops->state(hv, tiny->name, &state, &err), &err);
	return state;
}

static void test_life(void **unused)
{
	(void)unused;
	struct tiny tiny;
	struct error err = {0};
	struct guest_usage usage = {0};
	define(&tiny, 1, TINY_DEAF);
	assert_int_equal(state_of(&tiny), GUEST_STOPPED);
	assert_int_equal(ops->usage(hv, tiny.name, &usage, &err), -ERR_NOT_RUNNING);
	ok(ops->stop(hv, tiny.name, LONG_MS, &err), &err);
	ok(ops->kill(hv, tiny.name, &err), &err);
	start(&tiny);
	news_await(tiny.name, GUEST_RUNNING);
	start(&tiny);
	assert_int_equal(state_of(&tiny), GUEST_RUNNING);
	ok(ops->usage(hv, tiny.name, &usage, &err), &err);
	assert_true(usage.cpu_time_ns > 0);
	assert_true(usage.memory_bytes > 1 << 20);
	assert_int_equal(ops->undefine(hv, tiny.name, &err), -ERR_RUNNING);
	ok(ops->define(hv, &tiny.spec, &err), &err);
	assert_int_equal(state_of(&tiny), GUEST_RUNNING);
	ok(ops->kill(hv, tiny.name, &err), &err);
	news_await(tiny.name, GUEST_STOPPED);
	assert_int_equal(state_of(&tiny), GUEST_STOPPED);
	ok(ops->undefine(hv, tiny.name, &err), &err);
	ok(ops->undefine(hv, tiny.name, &err), &err);
}

static void test_unknown_guest(void **unused)
{
	(void)unused;
	enum guest_state state;
	struct guest_usage usage;
	struct error err = {0};
	owned_in(buffer_done) struct buffer png = BUFFER_INIT(4 << 20);
	assert_int_equal(ops->state(hv, "nobody", &state, &err), -ERR_NOT_FOUND);
	assert_int_equal(ops->start(hv, "nobody", &err), -ERR_NOT_FOUND);
	assert_int_equal(ops->stop(hv, "nobody", 1000, &err), -ERR_NOT_FOUND);
	assert_int_equal(ops->kill(hv, "nobody", &err), -ERR_NOT_FOUND);
	assert_int_equal(ops->usage(hv, "nobody", &usage, &err), -ERR_NOT_FOUND);
	assert_int_equal(ops->screenshot(hv, "nobody", 1000, &png, &err), -ERR_NOT_FOUND);
	assert_string_equal(err.said, "");
}

static void test_stop(void **unused)
{
	(void)unused;
	struct tiny tiny;
	struct error err = {0};
	define(&tiny, 2, TINY_OBEYS);
	start(&tiny);
	ok(ops->stop(hv, tiny.name, LONG_MS, &err), &err);
	assert_int_equal(state_of(&tiny), GUEST_STOPPED);
	news_await(tiny.name, GUEST_STOPPED);
	kill_and_forget(&tiny);
}

static void test_stop_is_not_heard(void **unused)
{
	(void)unused;
	struct tiny tiny;
	struct error err = {0};
	define(&tiny, 3, TINY_DEAF);
	start(&tiny);
	assert_int_equal(ops->stop(hv, tiny.name, 300, &err), -ERR_TIMEOUT);
	assert_int_equal(state_of(&tiny), GUEST_RUNNING);
	kill_and_forget(&tiny);
}

static void test_stops_by_itself(void **unused)
{
	(void)unused;
	struct tiny tiny;
	define(&tiny, 4, TINY_BRIEF);
	start(&tiny);
	news_await(tiny.name, GUEST_STOPPED);
	assert_int_equal(state_of(&tiny), GUEST_STOPPED);
	kill_and_forget(&tiny);
}

static void test_screenshot(void **unused)
{
	(void)unused;
	struct tiny tiny;
	struct error err = {0};
	owned_in(buffer_done) struct buffer png = BUFFER_INIT(4 << 20);
	define(&tiny, 5, TINY_DEAF);
	assert_int_equal(ops->screenshot(hv, tiny.name, PICTURE_MS, &png, &err), -ERR_NOT_RUNNING);
	start(&tiny);
	ok(ops->screenshot(hv, tiny.name, PICTURE_MS, &png, &err), &err);
	png_image image = {.version = PNG_IMAGE_VERSION};
	assert_int_equal(png_image_begin_read_from_memory(&image, png.data, png.len), 1);
	assert_in_range(image.width, 320, 1920);
	png_image_free(&image);
	kill_and_forget(&tiny);
}

static void test_no_agent(void **unused)
{
	(void)unused;
	static const char *const argv[] = {"/bin/true", NULL};
	struct tiny tiny;
	struct error err = {0};
	struct exec_request request = {.argv = argv, .timeout_ms = LONG_MS};
	define(&tiny, 6, TINY_DEAF);
	{
		owned_in(exec_result_done) struct exec_result result;
		assert_int_equal(ops->exec(hv, tiny.name, &request, &result, &err), -ERR_NOT_RUNNING);
	}
	start(&tiny);
	owned_in(exec_result_done) struct exec_result result;
	assert_int_equal(ops->exec(hv, tiny.name, &request, &result, &err), -ERR_UNAVAILABLE);
	kill_and_forget(&tiny);
}

static void test_with_cd_and_seed(void **unused)
{
	(void)unused;
	struct tiny tiny, seed;
	struct error err = {0};
	tiny_make(&host, &seed, 8, TINY_DEAF);
	tiny_make(&host, &tiny, 7, TINY_BRIEF);
	tiny.spec.seed_path = seed.disk;
	tiny.spec.iso_path = seed.disk;
	news_clear();
	ok(ops->define(hv, &tiny.spec, &err), &err);
	start(&tiny);
	news_await(tiny.name, GUEST_STOPPED);
	kill_and_forget(&tiny);
}

static void test_new_uuid(void **unused)
{
	(void)unused;
	struct tiny tiny;
	struct error err = {0};
	define(&tiny, 9, TINY_DEAF);
	start(&tiny);
	tiny.uuid[0] = '1';
	assert_int_equal(ops->define(hv, &tiny.spec, &err), -ERR_RUNNING);
	ok(ops->kill(hv, tiny.name, &err), &err);
	ok(ops->define(hv, &tiny.spec, &err), &err);
	assert_int_equal(state_of(&tiny), GUEST_STOPPED);
	kill_and_forget(&tiny);
}

struct found {
	const char *name;
	int count, all;
	enum guest_state state;
};

static void on_found(void *context, const char *name, enum guest_state state)
{
	struct found *found = context;
	found->all++;
	if (!text_equal(name, found->name))
		return;
	found->count++;
	found->state = state;
}

static void test_list(void **unused)
{
	(void)unused;
	struct tiny stopped, running, foreign;
	struct error err = {0};
	define(&stopped, 10, TINY_DEAF);
	define(&running, 11, TINY_DEAF);
	tiny_make(&host, &foreign, 12, TINY_DEAF);
	foreign.name[0] = 'x';
	ok(ops->define(hv, &foreign.spec, &err), &err);
	start(&running);
	struct found found = {.name = stopped.name, .state = GUEST_STARTING};
	ok(ops->list(hv, on_found, &found, &err), &err);
	assert_int_equal(found.count, 1);
	assert_int_equal(found.state, GUEST_STOPPED);
	assert_int_equal(found.all, 2);
	found = (struct found){.name = running.name};
	ok(ops->list(hv, on_found, &found, &err), &err);
	assert_int_equal(found.count, 1);
	assert_int_equal(found.state, GUEST_RUNNING);
	kill_and_forget(&stopped);
	kill_and_forget(&running);
	kill_and_forget(&foreign);
}

/* libvirtd goes and comes back: one guest has kept running, another died meanwhile. */
static void test_reconnects(void **unused)
{
	(void)unused;
	struct tiny kept, died;
	struct error err = {0};
	enum guest_state state;
	define(&kept, 13, TINY_OBEYS);
	define(&died, 14, TINY_DEAF);
	start(&kept);
	start(&died);
	news_await(died.name, GUEST_RUNNING);
	host_daemon(&host, "halt");
	assert_int_equal(ops->state(hv, kept.name, &state, &err), -ERR_UNAVAILABLE);
	assert_int_equal(ops->stop(hv, kept.name, 1000, &err), -ERR_UNAVAILABLE);
	host_kill_emulator(&host, died.name);
	news_clear();
	host_daemon(&host, "resume");
	news_await(died.name, GUEST_STOPPED);
	news_await(kept.name, GUEST_RUNNING);
	assert_int_equal(state_of(&kept), GUEST_RUNNING);
	assert_int_equal(state_of(&died), GUEST_STOPPED);
	news_clear();
	ok(ops->stop(hv, kept.name, LONG_MS, &err), &err);
	news_await(kept.name, GUEST_STOPPED);
	kill_and_forget(&kept);
	kill_and_forget(&died);
}

static void test_probe(void **unused)
{
	(void)unused;
	char says[256] = "";
	struct error err = {0};
	ok(ops->probe(hv, says, sizeof(says), &err), &err);
	assert_true(text_starts(says, "no KVM (it is switched off)"));
}

static void test_no_libvirtd(void **unused)
{
	(void)unused;
	char says[256] = "", uri[160];
	struct error err = {0};
	struct hypervisor *other = NULL;
	enum guest_state state;
	text_format(uri, sizeof(uri), "qemu:///system?socket=%s/nothing", host.dir);
	ok(ops->open(&(struct hypervisor_config){.libvirt_uri = uri, .name_prefix = "moa-"}, &other, &err),
		&err);
	assert_int_equal(ops->state(other, "moa-1", &state, &err), -ERR_UNAVAILABLE);
	assert_int_equal(ops->probe(other, says, sizeof(says), &err), -ERR_UNAVAILABLE);
	assert_true(text_starts(says, "libvirtd cannot be reached"));
	ops->close(other);
}

/* Guests outlive the handle, and the next one finds them. */
static void test_open_again(void **unused)
{
	(void)unused;
	struct tiny tiny;
	struct error err = {0};
	define(&tiny, 15, TINY_DEAF);
	start(&tiny);
	ops->close(hv);
	ok(ops->open(
		   &(struct hypervisor_config){
			   .libvirt_uri = host.uri, .name_prefix = host.prefix, .event = news_event},
		   &hv, &err),
		&err);
	assert_int_equal(state_of(&tiny), GUEST_RUNNING);
	kill_and_forget(&tiny);
}

static int set_up(void **unused)
{
	(void)unused;
	struct error err = {0};
	struct hypervisor_config config = {
		.name_prefix = host.prefix, .libvirt_uri = host.uri, .event = news_event};
	return ops->open(&config, &hv, &err);
}

static int tear_down(void **unused)
{
	(void)unused;
	if (hv)
		ops->close(hv);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_unknown_guest),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_stop_is_not_heard),
		cmocka_unit_test(test_stops_by_itself),
		cmocka_unit_test(test_screenshot),
		cmocka_unit_test(test_no_agent),
		cmocka_unit_test(test_with_cd_and_seed),
		cmocka_unit_test(test_new_uuid),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_reconnects),
		cmocka_unit_test(test_probe),
		cmocka_unit_test(test_no_libvirtd),
		cmocka_unit_test(test_open_again),
	};
	const char *lacks = host_up(&host);
	int rc = 77;
	if (lacks)
		printf("SKIP: %s\n", lacks);
	else
		rc = cmocka_run_group_tests(tests, set_up, tear_down);
	host_down(&host);
	return rc;
}
