/* How long a container takes to start, ours and lxc-start's of the same configuration in turns: the median of
 * ours may be at most 1.3 times the other. Prints both and fails above that. */
#include "fixture.h"
#include "base/clock.h"
#include "base/owned.h"
#include "base/process.h"
#include <stdlib.h>

enum { ROUNDS = 25, TIMEOUT_MS = 30000 };
#define RATIO_MAX 1.3

/* Without newuidmap in sight, as our helper has it. */
static const char *const environment[] = {"PATH=/usr/sbin:/sbin", NULL};

static int tool(const char *const *argv, struct error *err)
{
	struct process_request request = {.argv = argv, .env = environment, .timeout_ms = TIMEOUT_MS};
	owned_in(process_result_done) struct process_result result;
	int rc = process_run(&request, &result, err);
	if (rc == 0 && result.exit_status)
		rc = err_set(err, ERR_IO, "%s: %.300s", argv[0], result.output.data);
	return rc;
}

static int one_of_ours(struct fixture *fixture, int64_t *ret_us, struct error *err)
{
	int64_t begin_us = clock_monotonic_us();
	int rc = hypervisor_ovz.start(fixture->hv, fixture->names[0], err);
	*ret_us = clock_monotonic_us() - begin_us;
	return rc < 0 ? rc : hypervisor_ovz.kill(fixture->hv, fixture->names[0], err);
}

static int one_of_theirs(struct fixture *fixture, int64_t *ret_us, struct error *err)
{
	const char *start[] = {"/usr/bin/lxc-start", "-P", fixture->state_dir, "-n", fixture->names[0], NULL};
	const char *stop[] = {
		"/usr/bin/lxc-stop", "-k", "-P", fixture->state_dir, "-n", fixture->names[0], NULL};
	const char *wait[] = {"/usr/bin/lxc-wait", "-s", "STOPPED", "-P", fixture->state_dir, "-n",
		fixture->names[0], NULL};
	int64_t begin_us = clock_monotonic_us();
	int rc = tool(start, err);
	*ret_us = clock_monotonic_us() - begin_us;
	if (rc == 0)
		rc = tool(stop, err);
	return rc < 0 ? rc : tool(wait, err);
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return x < y ? -1 : x > y;
}

static int measure(struct fixture *fixture, int64_t *ours, int64_t *theirs, struct error *err)
{
	struct guest_spec spec = fixture_spec(fixture, 0);
	int rc = hypervisor_ovz.define(fixture->hv, &spec, err);
	for (int i = 0; i < ROUNDS && rc == 0; i++) {
		rc = one_of_ours(fixture, &ours[i], err);
		if (rc == 0)
			rc = one_of_theirs(fixture, &theirs[i], err);
	}
	qsort(ours, ROUNDS, sizeof(*ours), compare);
	qsort(theirs, ROUNDS, sizeof(*theirs), compare);
	return rc;
}

static int bench(struct fixture *fixture)
{
	int64_t ours[ROUNDS], theirs[ROUNDS];
	struct error err = {0};
	if (fixture_open(fixture) < 0)
		return 1;
	int rc = measure(fixture, ours, theirs, &err);
	fixture_close(fixture);
	if (rc < 0) {
		printf("%s\n", err.message);
		return 1;
	}
	double ratio = (double)ours[ROUNDS / 2] / (double)theirs[ROUNDS / 2];
	printf("start: moa %.1f ms (fastest %.1f), lxc-start %.1f ms (fastest %.1f), ratio %.2f\n",
		(double)ours[ROUNDS / 2] / 1e3, (double)ours[0] / 1e3, (double)theirs[ROUNDS / 2] / 1e3,
		(double)theirs[0] / 1e3, ratio);
	return ratio > RATIO_MAX;
}

int main(void)
{
	return fixture_main(bench);
}
