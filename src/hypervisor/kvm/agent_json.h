/* The guest agent's messages as text (QEMU's qga/qapi-schema.json): pure. Replies come from a hostile guest:
 * nothing in them is believed beyond its type and bounds. Leaves sending them to agent.c. */
#pragma once
#include "base/buffer.h"
#include "base/error.h"
#include "model/guest.h"
#include <stdbool.h>
#include <stdint.h>

enum {
	/* libvirt hands on replies of at most 4 MiB; this many bytes fit in one as base64. */
	AGENT_OUTPUT_MAX = 3000000,
	/* libvirt 9 and QEMU 7 lose a command that does not fit in a socket's buffer (208 KiB) at once. */
	AGENT_COMMAND_MAX = 200000,
	AGENT_INPUT_MAX = 96 << 10, /* of one command */
	AGENT_ARGUMENT_MAX = 256,
	AGENT_KILL_AFTER_S = 1,
};

/* Appends the guest-exec command. Output and errors of a program that is not detached come back in one
 * stream, in the order they were written, one byte more than KEEP at most. ERR_INVALID or ERR_TOO_LARGE for
 * what cannot be sent. */
int agent_write_exec(const struct exec_request *request, size_t keep, struct buffer *out, struct error *err);
/* Appends the guest-exec-status command. */
void agent_write_status(int64_t pid, struct buffer *out);
/* Appends the command that ends process PID with all that it started: asks them, and kills what is left after
 * AGENT_KILL_AFTER_S. */
void agent_write_kill(int64_t pid, struct buffer *out);

/* The process id in the answer to guest-exec; ERR_PROTOCOL when there is none. */
int agent_read_pid(const char *reply, size_t len, int64_t *ret, struct error *err);
/* The answer to guest-exec-status. While *exited is false the rest of RESULT is left alone. Bytes over KEEP
 * are dropped and `truncated` is set. */
int agent_read_status(const char *reply, size_t len, size_t keep, bool *exited, struct exec_result *result,
	struct error *err);
