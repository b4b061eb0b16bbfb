#include "base/error.h"
#include "base/memory.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const code_names[] = {
	[0] = "none",
	[ERR_INVALID] = "invalid",
	[ERR_MISSING] = "missing",
	[ERR_UNKNOWN_CALL] = "unknown_call",
	[ERR_DENIED] = "denied",
	[ERR_NOT_FOUND] = "not_found",
	[ERR_EXISTS] = "exists",
	[ERR_LOCKED] = "locked",
	[ERR_NOT_RUNNING] = "not_running",
	[ERR_RUNNING] = "running",
	[ERR_SUSPENDED] = "suspended",
	[ERR_RATE_LIMIT] = "rate_limit",
	[ERR_CAPACITY] = "capacity",
	[ERR_TOO_LARGE] = "too_large",
	[ERR_TIMEOUT] = "timeout",
	[ERR_UNAVAILABLE] = "unavailable",
	[ERR_UNSUPPORTED] = "unsupported",
	[ERR_PROTOCOL] = "protocol",
	[ERR_IO] = "io",
	[ERR_SHELL] = "shell",
	[ERR_INTERNAL] = "internal",
};

/* The code of this thread's last error, for err_wrap where the caller wants no words. */
static _Thread_local int last_code;

__attribute__((format(printf, 4, 0))) static int write_error(
	struct error *err, int code, bool said, const char *format, va_list args)
{
	last_code = code;
	if (!err)
		return -code;
	err->code = code;
	vsnprintf(err->message, sizeof(err->message), format, args);
	err->said[0] = '\0';
	if (said)
		snprintf(err->said, sizeof(err->said), "%.*s", (int)sizeof(err->said) - 1, err->message);
	return -code;
}

int err_set(struct error *err, enum err_code code, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int rc = write_error(err, (int)code, false, format, args);
	va_end(args);
	return rc;
}

int err_say(struct error *err, enum err_code code, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int rc = write_error(err, (int)code, true, format, args);
	va_end(args);
	return rc;
}

static enum err_code code_of_errno(int error_number)
{
	switch (error_number) {
	case ENOENT:
	case ESRCH:
	case ENODEV:
		return ERR_NOT_FOUND;
	case EEXIST:
		return ERR_EXISTS;
	case EACCES:
	case EPERM:
		return ERR_DENIED;
	case ENOSPC:
	case EDQUOT:
		return ERR_CAPACITY;
	case ETIMEDOUT:
		return ERR_TIMEOUT;
	case ECONNREFUSED:
	case ECONNRESET:
	case EPIPE:
		return ERR_UNAVAILABLE;
	case ENOSYS:
	case EOPNOTSUPP:
		return ERR_UNSUPPORTED;
	default:
		return ERR_IO;
	}
}

int err_errno(struct error *err, int error_number, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int rc = write_error(err, (int)code_of_errno(error_number), false, format, args);
	va_end(args);
	if (err) {
		size_t used = strlen(err->message);
		snprintf(err->message + used, sizeof(err->message) - used, ": %s", strerror(error_number));
	}
	return rc;
}

int err_wrap(struct error *err, const char *format, ...)
{
	if (!err)
		return -last_code;
	char cause[sizeof(err->message)];
	memcpy(cause, err->message, sizeof(cause));
	va_list args;
	va_start(args, format);
	vsnprintf(err->message, sizeof(err->message), format, args);
	va_end(args);
	size_t used = strlen(err->message), room = sizeof(err->message) - used;
	if (room > sizeof(": "))
		snprintf(err->message + used, room, ": %.*s", (int)(room - sizeof(": ")), cause);
	return -err->code;
}

const char *err_code_name(int code)
{
	if (code < 0 || (size_t)code >= ARRAY_LEN(code_names) || !code_names[code])
		return "internal";
	return code_names[code];
}

int err_code_from_name(const char *name)
{
	for (size_t i = 1; i < ARRAY_LEN(code_names); i++)
		if (code_names[i] && strcmp(code_names[i], name) == 0)
			return (int)i;
	return ERR_INTERNAL;
}

const char *err_text(const struct error *err)
{
	return err->said[0] ? err->said : err->message;
}
