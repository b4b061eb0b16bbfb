/* Real containers for tests and the bench: busybox in an ext4 image, loop-mounted, on a bridge of its own.
 * Everything has the process id in its name, and a parent process removes it all, however the tests end. */
#pragma once
#include "check.h"
#include "base/error.h"
#include "hypervisor/hypervisor.h"
#include "hypervisor/ovz/cgroup.h"
#include <pthread.h>
#include <stdbool.h>

enum { FIXTURE_GUESTS = 2, FIXTURE_EVENTS = 32 };

struct fixture_event {
	char name[32];
	enum guest_state state;
};

struct fixture {
	char dir[64], state_dir[80], run_dir[80], prefix[24], bridge[16];
	char names[FIXTURE_GUESTS][32], rootfs[FIXTURE_GUESTS][96], links[FIXTURE_GUESTS][16];
	struct cgroup_layout cgroups;
	struct hypervisor *hv;
	pthread_mutex_t lock; /* guards the events */
	pthread_cond_t changed;
	struct fixture_event events[FIXTURE_EVENTS];
	size_t event_count;
};

/* Runs TESTS with a made fixture as *state; 77 after a reason when the machine cannot run containers. */
int fixture_main(int (*tests)(struct fixture *fixture));
/* Fixture_main's fixture, for cmocka's setup functions. */
struct fixture *fixture_get(void);

int fixture_open(struct fixture *fixture);
void fixture_close(struct fixture *fixture); /* containers stay */
struct guest_spec fixture_spec(struct fixture *fixture, int index);
/* Defines and starts a guest; asserts that both succeed. */
void fixture_start(struct fixture *fixture, int index);
/* Setup and teardown of one test: an open back end; both guests killed and undefined, the events forgotten.
 */
int fixture_setup(void **state);
int fixture_teardown(void **state);
/* Waits for the next event that was not taken yet and asserts what it is. */
void fixture_expect(struct fixture *fixture, int index, enum guest_state state);
/* Runs COMMAND by the shell inside; the caller does the result. */
int fixture_shell(struct fixture *fixture, int index, const char *command, struct exec_result *result,
	struct error *err);
/* The same, and asserts exit 0 and that the output is EXPECTED. */
void fixture_says(struct fixture *fixture, int index, const char *command, const char *expected);
