/* The simulation keeps the contract of hypervisor.h, also with very many guests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/owned.h"
#include "base/text.h"
#include "hypervisor/hypervisor.h"
#include <pthread.h>
#include <string.h>

struct told {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	size_t count;
	char text[256];
	pthread_t thread;
};

static const struct hypervisor_ops *const sim = &hypervisor_sim;

static void note(void *context, const char *name, enum guest_state state)
{
	struct told *told = context;
	pthread_mutex_lock(&told->lock);
	size_t used = strlen(told->text);
	text_format(told->text + used, sizeof(told->text) - used, "%s=%s ", name, guest_state_name(state));
	told->count++;
	told->thread = pthread_self();
	pthread_cond_broadcast(&told->changed);
	pthread_mutex_unlock(&told->lock);
}

static void wait_for(struct told *told, size_t count)
{
	pthread_mutex_lock(&told->lock);
	while (told->count < count)
		pthread_cond_wait(&told->changed, &told->lock);
	pthread_mutex_unlock(&told->lock);
}

struct fixture {
	struct hypervisor *hv;
	struct told told;
};

static int setup(void **state)
{
	static struct fixture fixture;
	struct error err;
	fixture = (struct fixture){.told = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, "", 0}};
	struct hypervisor_config config = {.event = note, .event_context = &fixture.told};
	*state = &fixture;
	return sim->open(&config, &fixture.hv, &err);
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;
	sim->close(fixture->hv);
	return 0;
}

static void define(struct fixture *fixture, const char *name)
{
	struct guest_spec spec = {.name = name, .hostname = "h.example", .ram_bytes = 1 << 30};
	assert_int_equal(sim->define(fixture->hv, &spec, NULL), 0);
}

static enum guest_state state_of(struct fixture *fixture, const char *name)
{
	enum guest_state state;
	assert_int_equal(sim->state(fixture->hv, name, &state, NULL), 0);
	return state;
}

static void test_life(void **state)
{
	struct fixture *fixture = *state;
	enum guest_state found;
	struct error err = {0};
	assert_int_equal(sim->start(fixture->hv, "a", &err), -ERR_NOT_FOUND);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	define(fixture, "a");
	assert_int_equal(state_of(fixture, "a"), GUEST_STOPPED);
	assert_int_equal(sim->start(fixture->hv, "a", &err), 0);
	assert_int_equal(sim->start(fixture->hv, "a", &err), 0);
	assert_int_equal(state_of(fixture, "a"), GUEST_RUNNING);
	define(fixture, "a");
	assert_int_equal(state_of(fixture, "a"), GUEST_RUNNING);
	assert_int_equal(sim->undefine(fixture->hv, "a", &err), -ERR_RUNNING);
	assert_int_equal(sim->stop(fixture->hv, "a", 1000, &err), 0);
	assert_int_equal(sim->kill(fixture->hv, "a", &err), 0);
	assert_int_equal(sim->undefine(fixture->hv, "a", &err), 0);
	assert_int_equal(sim->undefine(fixture->hv, "a", &err), 0);
	assert_int_equal(sim->state(fixture->hv, "a", &found, &err), -ERR_NOT_FOUND);
	wait_for(&fixture->told, 2);
	assert_string_equal(fixture->told.text, "a=running a=stopped ");
	assert_false(pthread_equal(fixture->told.thread, pthread_self()));
}

static int run(struct fixture *fixture, const char *program, const char *argument, const char *input,
	size_t max, struct exec_result *result)
{
	const char *argv[] = {"/bin/sh", "-c", program, "sh", argument, argument, NULL};
	struct exec_request request = {
		.argv = argv, .input = input, .input_len = input ? strlen(input) : 0, .max_output = max};
	return sim->exec(fixture->hv, "a", &request, result, NULL);
}

static void check_run(struct fixture *fixture, const char *program, const char *argument, const char *input,
	const char *expected)
{
	owned_in(exec_result_done) struct exec_result result;
	assert_int_equal(run(fixture, program, argument, input, 4096, &result), 0);
	assert_int_equal(result.exit_status, 0);
	assert_string_equal(result.output.data, expected);
}

static void test_exec(void **state)
{
	struct fixture *fixture = *state;
	define(fixture, "a");
	owned_in(exec_result_done) struct exec_result stopped, cut, failed;
	assert_int_equal(run(fixture, "eval", NULL, NULL, 0, &stopped), -ERR_NOT_RUNNING);
	assert_int_equal(sim->start(fixture->hv, "a", NULL), 0);
	check_run(fixture, "exec chpasswd", NULL, "root:secret\n", "");
	check_run(fixture, "eval \"$1\"", NULL, "hostname", "h.example\n");
	check_run(fixture, "put /etc/hostname", "new.example", NULL, "");
	check_run(fixture, "eval \"$1\"", NULL, "hostname", "new.example\n");
	check_run(fixture, "unset CDPATH", "/tmp", NULL, "/tmp\n");
	check_run(fixture, "eval \"$1\"", NULL, "ls", "ls");
	check_run(fixture, "something else", NULL, "in", "");
	assert_int_equal(run(fixture, "eval", NULL, "0123456789", 4, &cut), 0);
	assert_true(cut.truncated);
	assert_string_equal(cut.output.data, "0123");
	assert_int_equal(run(fixture, "eval", NULL, "false", 4, &failed), 0);
	assert_int_equal(failed.exit_status, 1);
}

static void test_figures(void **state)
{
	struct fixture *fixture = *state;
	struct guest_usage usage;
	define(fixture, "a");
	assert_int_equal(sim->usage(fixture->hv, "a", &usage, NULL), -ERR_NOT_RUNNING);
	assert_int_equal(sim->usage(fixture->hv, "b", &usage, NULL), -ERR_NOT_FOUND);
	assert_int_equal(sim->start(fixture->hv, "a", NULL), 0);
	assert_int_equal(sim->usage(fixture->hv, "a", &usage, NULL), 0);
	assert_int_equal(usage.memory_bytes, 1 << 28);
	owned_in(exec_result_done) struct exec_result result;
	assert_int_equal(run(fixture, "say load /proc/loadavg", NULL, NULL, 4096, &result), 0);
	assert_non_null(strstr(result.output.data, "hostname h.example\n"));
	assert_non_null(strstr(result.output.data, "MemTotal: 1048576 kB\n"));
}

static void test_screenshot(void **state)
{
	struct fixture *fixture = *state;
	owned_in(buffer_done) struct buffer png = BUFFER_INIT(4096);
	define(fixture, "a");
	assert_int_equal(sim->screenshot(fixture->hv, "a", 1000, &png, NULL), -ERR_NOT_RUNNING);
	assert_int_equal(sim->start(fixture->hv, "a", NULL), 0);
	assert_int_equal(sim->screenshot(fixture->hv, "a", 1000, &png, NULL), 0);
	assert_memory_equal(png.data, "\x89PNG\r\n\x1a\n", 8);
	assert_memory_equal(png.data + png.len - 8, "IEND\xae\x42\x60\x82", 8);
}

enum { MANY = 100000 };

static void count_running(void *context, const char *name, enum guest_state state)
{
	size_t *counts = context;
	assert_true(text_starts(name, "moa-"));
	counts[state == GUEST_RUNNING]++;
}

/* Every third is taken out again, which moves others in the table. */
static void test_many(void **state)
{
	struct fixture *fixture = *state;
	char name[32];
	size_t counts[2] = {0, 0};
	for (int i = 0; i < MANY; i++) {
		text_format(name, sizeof(name), "moa-%d", i);
		define(fixture, name);
		if (i % 2)
			assert_int_equal(sim->start(fixture->hv, name, NULL), 0);
	}
	for (int i = 0; i < MANY; i += 4) {
		text_format(name, sizeof(name), "moa-%d", i);
		assert_int_equal(sim->undefine(fixture->hv, name, NULL), 0);
	}
	for (int i = 0; i < MANY; i++) {
		enum guest_state found;
		text_format(name, sizeof(name), "moa-%d", i);
		assert_int_equal(sim->state(fixture->hv, name, &found, NULL), i % 4 ? 0 : -ERR_NOT_FOUND);
		if (i % 4)
			assert_int_equal(found, i % 2 ? GUEST_RUNNING : GUEST_STOPPED);
	}
	assert_int_equal(sim->list(fixture->hv, count_running, counts, NULL), 0);
	assert_int_equal(counts[1], MANY / 2);
	assert_int_equal(counts[0], MANY / 4);
	wait_for(&fixture->told, MANY / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_life, setup, teardown),
		cmocka_unit_test_setup_teardown(test_exec, setup, teardown),
		cmocka_unit_test_setup_teardown(test_figures, setup, teardown),
		cmocka_unit_test_setup_teardown(test_screenshot, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
