/* What the daemon's files share: the parsed command line and the settings. */
#pragma once
#include "base/error.h"
#include "daemon/config.h"
#include <stdbool.h>

struct app {
	const char *config_path; /* NULL for the default */
	struct config *config;
};

/* The three ways to run; each returns the exit status. */
int run_supervisor(struct app *app); /* starts and watches one api and one node */
int run_api(struct app *app);
int run_node(struct app *app);	   /* in the module moa-node.so */
int run_teardown(struct app *app); /* there too */

/* signals.c: blocks the signals the daemon takes, before any thread starts. */
void signals_block(void);
/* Waits for one, at most TIMEOUT_MS (for ever when negative), and returns it or 0: SIGTERM and SIGINT end,
 * SIGHUP reloads, SIGCHLD is the supervisor's. */
int signals_wait(int timeout_ms);

/* sockets.c: listening sockets, from whoever started this process (by name, as systemd passes them) or made
 * here. */
enum { SOCKET_HTTP, SOCKET_HTTPS, SOCKET_ADMIN, SOCKET_NODE, SOCKET_COUNT };
/* The socket's name for LISTEN_FDNAMES. */
const char *socket_name(int which);
/* *RET is -1 when the settings say it listens nowhere. */
int socket_take(struct app *app, int which, int *ret, struct error *err);
/* Opens the node's socket to the api's group; the node's server looks at the peer's uid as well. Without root
 * nothing is done. */
int socket_share_node(struct app *app, unsigned api_gid, struct error *err);

/* folders.c */
int folders_make(struct app *app, struct error *err);
/* Finds the api's user; without root it is whoever runs this. */
int api_user(struct app *app, unsigned *ret_uid, unsigned *ret_gid, struct error *err);

/* sandbox.c: Landlock and seccomp for the api process. What the kernel lacks is said in the log and left out.
 */
void sandbox_enter(struct app *app);
