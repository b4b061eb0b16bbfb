/* The watching thread: every end is told once, in order, and waiting for it has an end too. */
#include "check.h"
#include "base/text.h"
#include "hypervisor/ovz/watch.h"
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct told {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	char text[256];
};

static void note(void *context, const char *name, enum guest_state state)
{
	struct told *told = context;
	char so_far[256];
	pthread_mutex_lock(&told->lock);
	text_copy(so_far, sizeof(so_far), told->text);
	text_format(told->text, sizeof(told->text), "%s%s=%s ", so_far, name, guest_state_name(state));
	pthread_cond_broadcast(&told->changed);
	pthread_mutex_unlock(&told->lock);
}

static void wait_for(struct told *told, const char *text)
{
	pthread_mutex_lock(&told->lock);
	while (!text_equal(told->text, text))
		pthread_cond_wait(&told->changed, &told->lock);
	pthread_mutex_unlock(&told->lock);
}

static pid_t child(void)
{
	pid_t pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void add(struct watch *watch, const char *name, pid_t pid, bool announce)
{
	struct error err = {0};
	assert_int_equal(
		watch_add(watch, name, pid, (int)syscall(SYS_pidfd_open, pid, 0), announce, &err), 0);
}

static void test_start_and_end(void **state)
{
	(void)state;
	struct told told = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, ""};
	struct watch *watch;
	struct error err = {0};
	assert_int_equal(watch_new(note, &told, &watch, &err), 0);
	pid_t a = child(), b = child();
	add(watch, "a", a, true);
	wait_for(&told, "a=running ");
	add(watch, "b", b, false);
	assert_int_equal(watch_monitor(watch, "a"), a);
	assert_int_equal(watch_monitor(watch, "b"), b);
	assert_int_equal(watch_monitor(watch, "c"), 0);
	assert_false(watch_wait_gone(watch, "a", 1));
	end(a);
	assert_true(watch_wait_gone(watch, "a", 30000));
	wait_for(&told, "a=running a=stopped ");
	assert_int_equal(watch_monitor(watch, "a"), 0);
	char **names = watch_names(watch);
	assert_string_equal(names[0], "b");
	assert_null(names[1]);
	free(names[0]);
	free(names);
	end(b);
	wait_for(&told, "a=running a=stopped b=stopped ");
	watch_free(watch);
}

/* One that ended before it was known at all still gives both events, in order. */
static void test_end_before_add(void **state)
{
	(void)state;
	struct told told = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, ""};
	struct watch *watch;
	struct error err = {0};
	assert_int_equal(watch_new(note, &told, &watch, &err), 0);
	pid_t pid = child();
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	end(pid);
	assert_int_equal(watch_add(watch, "a", pid, pidfd, true, &err), 0);
	wait_for(&told, "a=running a=stopped ");
	watch_free(watch);
}

static void test_replaced_entry_is_not_mistaken(void **state)
{
	(void)state;
	struct told told = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, ""};
	struct watch *watch;
	struct error err = {0};
	assert_int_equal(watch_new(note, &told, &watch, &err), 0);
	pid_t old = child(), new = child();
	add(watch, "a", old, false);
	add(watch, "a", new, false);
	end(old);
	assert_int_equal(watch_monitor(watch, "a"), new);
	end(new);
	wait_for(&told, "a=stopped ");
	watch_free(watch);
}

static void test_many(void **state)
{
	(void)state;
	struct watch *watch;
	struct error err = {0};
	char name[16];
	pid_t pids[100];
	assert_int_equal(watch_new(NULL, NULL, &watch, &err), 0);
	for (int i = 0; i < 100; i++) {
		text_format(name, sizeof(name), "moa-%d", i);
		pids[i] = child();
		add(watch, name, pids[i], true);
	}
	for (int i = 0; i < 100; i += 2)
		end(pids[i]);
	for (int i = 0; i < 100; i++) {
		text_format(name, sizeof(name), "moa-%d", i);
		assert_int_equal(watch_wait_gone(watch, name, i % 2 ? 0 : 30000), i % 2 == 0);
	}
	watch_free(watch);
	for (int i = 1; i < 100; i += 2)
		end(pids[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_start_and_end),
		cmocka_unit_test(test_end_before_add),
		cmocka_unit_test(test_replaced_entry_is_not_mistaken),
		cmocka_unit_test(test_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
