/* How the node and its helper program moa-container speak: arguments, exit status, and the trailer behind the
 * output of a program run inside.
 * - moa-container start STATE_DIR NAME
 * - moa-container run STATE_DIR NAME LOCK_FD: by itself only, for the next boot of a container
 * - moa-container exec STATE_DIR NAME TIMEOUT_MS MAX_OUTPUT wait|detach -- ARGV...
 * - moa-container check
 *
 * `exec` writes at most MAX_OUTPUT bytes of what the program inside says, then the trailer, and exits with
 * HELPER_OK. Only an exit with HELPER_OK makes the last bytes a trailer; what runs inside cannot bring that
 * about. */
#pragma once

enum helper_status {
	HELPER_OK = 0,
	HELPER_USAGE = 2,
	HELPER_NOT_RUNNING = 3,
	HELPER_FAILED = 4, /* the output says why */
};

/* status, then flags: "TO" for timed out and truncated, "-" where not. */
#define HELPER_TRAILER_FORMAT "\nMOA %03d %c%c\n"
enum { HELPER_TRAILER_LEN = 12 };

/* The name of a monitor that pauses between two boots of a container that does nothing but reboot (proc(5),
 * comm). Only then may it be ended by a signal: at all other times it clears up after its container. */
#define HELPER_PAUSE_NAME "moa-pause"
