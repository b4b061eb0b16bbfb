/* Runs a program with an argument vector (never a shell), bounded in time and output. */
#pragma once
#include "base/buffer.h"
#include "base/error.h"
#include <stddef.h>
#include <sys/types.h>

struct process_request {
	const char *const *argv; /* argv[0] is looked up in PATH; ends with NULL */
	const char *const *env;	 /* NULL: a small fixed environment (PATH, LC_ALL=C.UTF-8) */
	const void *input;	 /* given on standard input; NULL for none */
	size_t input_len;
	size_t max_output; /* bytes of stdout and stderr together; the rest is read and dropped */
	int timeout_ms;	   /* then the whole process group is killed; 0 means 10,000 */
	int log_fd;	   /* when > 0, output goes there as well, as it comes; borrowed */
	void (*started)(void *context, pid_t pid); /* called once it runs; may be NULL */
	/* Called for every whole line of output without its newline; may be NULL. */
	void (*line)(void *context, const char *line);
	void *context;
};

struct process_result {
	int exit_status; /* 0-255; 128 + signal when it was killed by one */
	bool timed_out;
	bool truncated;	      /* more output came than max_output */
	struct buffer output; /* stdout and stderr as they came */
};

void process_result_done(struct process_result *result);
/* Returns 0 when the program ran, whatever its exit status; an error when it could not be started. */
int process_run(const struct process_request *request, struct process_result *result, struct error *err);
/* Runs argv with a time limit; anything but exit 0 is an error (ERR_IO) that ends with the last line of
 * output. */
int process_check(const char *const *argv, int timeout_ms, struct error *err);
