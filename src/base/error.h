/* The one error convention. What can fail returns 0 or more, or a negative ERR_ code, and takes `struct error
 * *err` last: it is written only on failure, and may be NULL when the caller does not want the words.
 * `message` is for the log and may name paths and causes; `said` is the sentence a customer or operator may
 * read, and stays empty unless err_say() set it, so what is internal stays internal by default. */
#pragma once
#include <stdarg.h>
#include <stdbool.h>

/* The code's place in wire answers is decided by api/errors.def, not here. */
enum err_code {
	ERR_INVALID = 1,  /* a value is not what its parameter takes */
	ERR_MISSING,	  /* a required parameter is absent */
	ERR_UNKNOWN_CALL, /* no row of that name */
	ERR_DENIED,	  /* wrong key, wrong VPS, wrong peer */
	ERR_NOT_FOUND,	  /* no such thing */
	ERR_EXISTS,	  /* there is one already */
	ERR_LOCKED,	  /* unfinished work on the VPS */
	ERR_NOT_RUNNING,  /* the VPS must run for this */
	ERR_RUNNING,	  /* the VPS must be stopped for this */
	ERR_SUSPENDED,	  /* the VPS is suspended */
	ERR_RATE_LIMIT,	  /* over the budget of points or guesses */
	ERR_CAPACITY,	  /* no room: disk, addresses, ports, memory */
	ERR_TOO_LARGE,	  /* input or output over its stated maximum */
	ERR_TIMEOUT,	  /* the other side did not answer in time */
	ERR_UNAVAILABLE,  /* a service this needs is away: node, libvirtd, store */
	ERR_UNSUPPORTED,  /* this host or type cannot do it */
	ERR_PROTOCOL,	  /* the other side broke the protocol or sent nonsense */
	ERR_IO,		  /* a system call failed */
	ERR_SHELL,	  /* basicShell/cd into a bad directory */
	ERR_INTERNAL,	  /* a bug or a broken store */
};

struct error {
	int code;	   /* enum err_code, 0 while nothing failed */
	char message[512]; /* the whole chain, for the log */
	char said[256];	   /* safe for the customer, or "" */
};

/* Write an error and return -CODE, so that `return err_set(...)` reads well. */
int err_set(struct error *err, enum err_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The same, and the sentence is also what the customer sees. */
int err_say(struct error *err, enum err_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* From errno (or a saved copy of it): picks the code, adds strerror. */
int err_errno(struct error *err, int error_number, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Puts "CONTEXT: " in front of the message and returns -code again; `said` is kept. */
int err_wrap(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The name of a code in lower case ("not_found"), static. */
const char *err_code_name(int code);
/* The code of a name, or ERR_INTERNAL. */
int err_code_from_name(const char *name);
/* What to tell an operator: `said`, or the message when nothing safer was said. Borrowed from err. */
const char *err_text(const struct error *err);
