/* moa-pause: the init of the smallest container. Waits to be killed. */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static _Noreturn void leave(int number)
{
	(void)number;
	_exit(EXIT_SUCCESS);
}

int main(void)
{
	/* An init only gets the signals it asks for. */
	signal(SIGTERM, leave);
	signal(SIGPWR, leave);
	for (;;)
		pause();
}
