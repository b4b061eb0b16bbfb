#include "base/log.h"
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static enum log_level threshold = LOG_LEVEL_INFO;
static char part_name[16] = "moa";
static bool under_systemd;
static _Thread_local char thread_id[32];

void log_open(enum log_level level, const char *part)
{
	threshold = level;
	snprintf(part_name, sizeof(part_name), "%s", part);
	under_systemd = getenv("JOURNAL_STREAM") != NULL;
}

void log_id_set(const char *id)
{
	snprintf(thread_id, sizeof(thread_id), "%s", id ? id : "");
}

const char *log_id(void)
{
	return thread_id;
}

/* A hostile guest or client must not be able to forge a line or drive a terminal. */
static void defuse(char *line, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = ' ';
}

static size_t write_prefix(char *line, size_t size, enum log_level level)
{
	if (under_systemd)
		return (size_t)snprintf(line, size, "<%d>", (int)level);
	struct timespec now;
	struct tm parts;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &parts);
	size_t len = strftime(line, size, "%Y-%m-%dT%H:%M:%S", &parts);
	return len + (size_t)snprintf(line + len, size - len, ".%03ldZ ", now.tv_nsec / 1000000);
}

void log_write(enum log_level level, const char *format, ...)
{
	if (level > threshold)
		return;
	char line[2048];
	const size_t room = sizeof(line) - 2;
	size_t len = write_prefix(line, room, level);
	const char *word = level <= LOG_LEVEL_ERROR	? "error: "
			   : level == LOG_LEVEL_WARNING ? "warning: "
							: "";
	len += (size_t)snprintf(line + len, room - len, "%s: %s%s%s%s", part_name, thread_id[0] ? "[" : "",
		thread_id, thread_id[0] ? "] " : "", word);
	va_list args;
	va_start(args, format);
	int written = vsnprintf(line + len, room - len, format, args);
	va_end(args);
	size_t body = written < 0 ? 0 : (size_t)written;
	if (body > room - len - 1)
		body = room - len - 1;
	defuse(line + len, body);
	len += body;
	line[len++] = '\n';
	/* One write a line, so that lines of several processes do not mix; nothing to do when it fails. */
	ssize_t ignored = write(STDERR_FILENO, line, len);
	(void)ignored;
}
