#include "daemon/app.h"
#include "base/text.h"
#include <stdint.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

void ready_tell(void)
{
	int64_t fd;
	const char *text = getenv(READY_FD_ENV);
	if (text && text_to_int64(text, 3, INT32_MAX, &fd)) {
		ssize_t ignored = write((int)fd, "R", 1);
		(void)ignored;
		close((int)fd);
		unsetenv(READY_FD_ENV);
		return;
	}
	sd_notify(0, "READY=1");
}
