#include "daemon/app.h"
#include <signal.h>
#include <stddef.h>

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

int signals_wait(void)
{
	sigset_t set;
	fill(&set);
	int number;
	while (sigwait(&set, &number) != 0)
		;
	return number;
}
