/* moa-container: the one program that loads liblxc. liblxc forks and waits, which the node with its threads
 * must not do, and what it starts must outlive the node. The node's side is power.c and exec.c; helper.h is
 * what they agree on. */
#include "base/text.h"
#include "hypervisor/ovz/helper.h"
#include "hypervisor/ovz/helper_attach.h"
#include "hypervisor/ovz/helper_boot.h"
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <lxc/lxccontainer.h>

enum { TIMEOUT_MAX_MS = 24 * 3600 * 1000, OUTPUT_MAX = 64 << 20 };

static int usage(void)
{
	fprintf(stderr,
		"usage: moa-container start STATE_DIR NAME\n"
		"       moa-container exec STATE_DIR NAME TIMEOUT_MS MAX_OUTPUT wait|detach -- ARGV...\n"
		"       moa-container check\n");
	return HELPER_USAGE;
}

static int execute(struct lxc_container *container, int argc, char *const *argv)
{
	int64_t timeout_ms, max_output;
	if (argc < 5 || !text_to_int64(argv[0], 1, TIMEOUT_MAX_MS, &timeout_ms) ||
		!text_to_int64(argv[1], 0, OUTPUT_MAX, &max_output) || !text_equal(argv[3], "--"))
		return usage();
	struct attach_request request = {.argv = argv + 4,
		.timeout_ms = (int)timeout_ms,
		.max_output = (size_t)max_output,
		.detached = text_equal(argv[2], "detach")};
	if (!container->is_running(container))
		return HELPER_NOT_RUNNING;
	return attach_run(container, &request);
}

static int check(void)
{
	if (unshare(CLONE_NEWUSER) < 0) {
		printf("no user namespace: %s\n", strerror(errno));
		return HELPER_FAILED;
	}
	printf("liblxc %s\n", lxc_get_version());
	return HELPER_OK;
}

static int run_command(struct lxc_container *container, int argc, char **argv)
{
	int64_t lock;
	if (text_equal(argv[1], "start") && argc == 4)
		return boot_start(container, argv[2], argv[3]);
	if (text_equal(argv[1], "exec"))
		return execute(container, argc - 4, argv + 4);
	if (text_equal(argv[1], "run") && argc == 5 && text_to_int64(argv[4], 0, INT_MAX, &lock))
		return boot_run(container, argv[2], argv[3], (int)lock);
	return usage();
}

int main(int argc, char **argv)
{
	if (argc == 2 && text_equal(argv[1], "check"))
		return check();
	if (argc < 4)
		return usage();
	struct lxc_container *container = lxc_container_new(argv[3], argv[2]);
	if (!container || !container->is_defined(container)) {
		printf("liblxc refuses the configuration\n");
		return HELPER_FAILED;
	}
	int rc = run_command(container, argc, argv);
	fflush(stdout);
	lxc_container_put(container);
	return rc;
}
