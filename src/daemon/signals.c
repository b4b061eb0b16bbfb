#include "daemon/app.h"
#include <signal.h>
#include <stddef.h>
#include <time.h>

static void fill(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGCHLD);
}

void signals_block(void)
{
	sigset_t set;
	fill(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

int signals_wait(int timeout_ms)
{
	sigset_t set;
	struct timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
	fill(&set);
	int number = sigtimedwait(&set, NULL, timeout_ms < 0 ? NULL : &timeout);
	return number < 0 ? 0 : number;
}
