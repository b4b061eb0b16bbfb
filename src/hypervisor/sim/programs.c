/* No program is run: each of the API's own (guest/programs.c) is known by a piece of its text, and answered
 * as a healthy guest would. Shell commands say what they were, but for a few that people try first. */
#include "hypervisor/sim/programs.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/name.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { ARGS_MAX = 64, FIRST_ARGUMENT = 4 }; /* behind sh -c TEXT sh */

/* Argument NUMBER of a program of the API, or NULL. */
static const char *argument(const struct exec_request *request, size_t number)
{
	for (size_t i = 0; i <= FIRST_ARGUMENT + number; i++)
		if (!request->argv[i])
			return NULL;
	return request->argv[FIRST_ARGUMENT + number];
}

static int say_nothing(struct sim_inside *inside, const struct exec_request *request, struct buffer *output)
{
	(void)inside, (void)request, (void)output;
	return 0;
}

static int set_hostname(struct sim_inside *inside, const struct exec_request *request, struct buffer *output)
{
	const char *hostname = argument(request, 0);
	(void)output;
	if (!hostname || !name_is_hostname(hostname))
		return 1;
	free(inside->hostname);
	inside->hostname = mem_strdup(hostname);
	return 0;
}

static int change_dir(struct sim_inside *inside, const struct exec_request *request, struct buffer *output)
{
	const char *current = argument(request, 0), *next = argument(request, 1);
	(void)inside;
	if (!current || !next)
		return 1;
	if (!next[0] || text_equal(next, "~"))
		buffer_add_text(output, "/root\n");
	else if (next[0] == '/')
		buffer_addf(output, "%s\n", next);
	else
		buffer_addf(output, "%s/%s\n", text_equal(current, "/") ? "" : current, next);
	return 0;
}

static int say_figures(struct sim_inside *inside, const struct exec_request *request, struct buffer *output)
{
	(void)request;
	buffer_addf(output,
		"hostname %s\nload 0.00 0.01 0.05 1/42 1234\nMemTotal: %" PRId64 " kB\nMemAvailable: %" PRId64
		" kB\n"
		"SwapTotal: 0 kB\nSwapFree: 0 kB\nconntrack 7\nfiles 512\t0\t100000\ntcp 5\n",
		inside->hostname, inside->ram_bytes / 1024, inside->ram_bytes / 2048);
	return 0;
}

static bool input_is(const struct exec_request *request, const char *text)
{
	size_t len = strlen(text);
	return request->input_len == len && memcmp(request->input, text, len) == 0;
}

static int run_shell(struct sim_inside *inside, const struct exec_request *request, struct buffer *output)
{
	if (!request->input || input_is(request, "true"))
		return 0;
	if (input_is(request, "false"))
		return 1;
	if (input_is(request, "hostname"))
		buffer_addf(output, "%s\n", inside->hostname);
	else if (input_is(request, "whoami"))
		buffer_add_text(output, "root\n");
	else if (input_is(request, "pwd"))
		buffer_add_text(output, "/root\n");
	else if (input_is(request, "uptime"))
		buffer_addf(output, " up %" PRId64 " min,  0 users,  load average: 0.00, 0.01, 0.05\n",
			inside->up_s / 60);
	else
		buffer_add(output, request->input, request->input_len);
	return 0;
}

static const struct {
	const char *piece;
	int (*run)(struct sim_inside *inside, const struct exec_request *request, struct buffer *output);
} programs[] = {
	{"chpasswd", say_nothing}, /* first: its input must show nowhere */
	{"/etc/hostname", set_hostname},
	{"CDPATH", change_dir},
	{"/proc/loadavg", say_figures},
	{"script=", say_nothing},
	{"eval", run_shell},
};

int sim_program_run(struct sim_inside *inside, const struct exec_request *request, struct buffer *output)
{
	for (size_t i = 0; i < ARRAY_LEN(programs); i++)
		for (size_t k = 0; k < ARGS_MAX && request->argv[k]; k++)
			if (strstr(request->argv[k], programs[i].piece))
				return programs[i].run(inside, request, output);
	return 0;
}
