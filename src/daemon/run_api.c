/* The api process: customers over HTTP and HTTPS, the operator over the admin socket. Holds no root from the
 * moment it listens. */
#include "daemon/app.h"
#include "daemon/service.h"
#include "api/api.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "db/db.h"
#include "http/http.h"
#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { GRACE_MS = 10000, THREADS_MAX = 4 };

struct servers {
	struct http_server *running[SOCKET_COUNT];
};

static void stop_servers(struct servers *servers)
{
	for (int i = 0; i < SOCKET_COUNT; i++)
		if (servers->running[i])
			http_server_stop(servers->running[i], GRACE_MS);
}

static unsigned event_loops(const struct config *config)
{
	if (config->api_threads)
		return (unsigned)config->api_threads;
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	return cores < 1 ? 1 : cores > THREADS_MAX ? THREADS_MAX : (unsigned)cores;
}

static int load_certificate(struct app *app, struct error *err)
{
	char name[256] = "localhost";
	gethostname(name, sizeof(name) - 1);
	return http_tls_load(app->config->api_tls_cert, app->config->api_tls_key, name, err);
}

static int start_server(struct app *app, struct api *api, int fds[SOCKET_COUNT], int which,
	struct servers *servers, struct error *err)
{
	if (fds[which] < 0)
		return 0;
	struct http_server_config config = {.listen_fd = fds[which],
		.tls = which == SOCKET_HTTPS,
		.is_unix = which == SOCKET_ADMIN,
		.threads = which == SOCKET_ADMIN ? 1 : event_loops(app->config),
		.workers = (unsigned)app->config->api_workers,
		.limits = http_default_limits,
		.handler = which == SOCKET_ADMIN ? api_serve_operator : api_serve_customer,
		.context = api};
	/* A command of 1 MiB, with every byte percent-encoded. */
	config.limits.body_bytes = (3 << 20) + (64 << 10);
	config.limits.connections = (unsigned)app->config->api_connections;
	config.limits.connections_per_source = (unsigned)app->config->api_connections_per_source;
	int rc = http_server_start(&config, &servers->running[which], err);
	return rc < 0 ? err_wrap(err, "%s", socket_name(which)) : 0;
}

/* When root started this process by hand it becomes the api's user here. */
static int drop_root(struct app *app, struct error *err)
{
	unsigned uid, gid;
	if (geteuid() != 0)
		return 0;
	int rc = api_user(app, &uid, &gid, err);
	if (rc < 0)
		return rc;
	if (setgroups(0, NULL) < 0 || setgid(gid) < 0 || setuid(uid) < 0)
		return err_errno(err, errno, "becoming %s", app->config->moad_user);
	return 0;
}

static int start_all(
	struct app *app, struct api *api, int fds[SOCKET_COUNT], struct servers *servers, struct error *err)
{
	int rc = fds[SOCKET_HTTPS] >= 0 ? load_certificate(app, err) : 0;
	for (int which = SOCKET_HTTP; rc == 0 && which <= SOCKET_ADMIN; which++)
		rc = start_server(app, api, fds, which, servers, err);
	return rc;
}

static void serve_until_ended(struct app *app)
{
	struct error err;
	for (;;) {
		int number = signals_wait(-1);
		if (number == SIGTERM || number == SIGINT)
			return;
		if (number != SIGHUP)
			continue;
		if (load_certificate(app, &err) < 0)
			log_error("the certificate stays as it was: %s", err.message);
		else
			log_info("the certificate was read again");
	}
}

/* Each connection is a descriptor; the soft limit of most systems is 1,024. */
static void allow_many_connections(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int open_and_serve(struct app *app, struct error *err)
{
	int fds[SOCKET_COUNT] = {-1, -1, -1, -1};
	allow_many_connections();
	/* Whoever starts this process as another user has made them. */
	int rc = geteuid() == 0 ? folders_make(app, err) : 0;
	for (int which = SOCKET_HTTP; rc == 0 && which <= SOCKET_ADMIN; which++)
		rc = socket_take(app, which, &fds[which], err);
	if (rc == 0)
		rc = drop_root(app, err);
	if (rc == 0)
		rc = db_prepare(app->config->moad_store, err);
	if (rc < 0)
		return rc;
	/* While there is one thread: both sandboxes hold for the threads it starts. */
	sandbox_enter(app);
	owned(db_close) struct db *db = NULL;
	rc = db_open(app->config->moad_store, &db, err);
	if (rc < 0)
		return rc;
	struct config *config = app->config;
	struct api_config api_config = {.points_15min = config->api_points_15min,
		.points_24h = config->api_points_24h,
		.guesses_15min = config->api_guesses_15min,
		.node_endpoint = config_path(config, "unix:%s/node.sock", config->moad_run_dir)};
	owned(api_close) struct api *api = NULL;
	rc = api_open(&api_config, db, &api, err);
	if (rc < 0)
		return rc;
	owned_in(stop_servers) struct servers servers = {0};
	rc = start_all(app, api, fds, &servers, err);
	if (rc < 0)
		return rc;
	log_info("serving as uid %d", (int)getuid());
	service_ready();
	serve_until_ended(app);
	log_info("stopping");
	return 0;
}

int run_api(struct app *app)
{
	struct error err;
	if (open_and_serve(app, &err) == 0)
		return EXIT_SUCCESS;
	log_error("%s", err.message);
	return EXIT_FAILURE;
}
