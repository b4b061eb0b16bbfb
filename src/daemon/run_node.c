/* The node process: this host's machines and containers, as root. */
#include "daemon/app.h"
#include "daemon/node_config.h"
#include "daemon/service.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "core/host.h"
#include "node/server.h"
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Two node processes on one state would fight over guests. */
static int lock_state(struct app *app, int *ret, struct error *err)
{
	const char *folder = config_path(app->config, "%s/node", app->config->moad_state_dir);
	int rc = dir_make(folder, 0711, err);
	if (rc < 0)
		return rc;
	int fd = open(config_path(app->config, "%s/lock", folder), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_errno(err, errno, "open the node's lock");
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		close(fd);
		return err_set(err, ERR_EXISTS, "another moad node runs on %s", app->config->moad_state_dir);
	}
	*ret = fd;
	return 0;
}

static int open_socket(struct app *app, unsigned api_gid, int *ret, struct error *err)
{
	int rc = socket_take(app, SOCKET_NODE, ret, err);
	return rc < 0 ? rc : socket_share_node(app, api_gid, err);
}

static void serve_until_ended(void)
{
	for (;;) {
		int number = signals_wait(-1);
		if (number == SIGTERM || number == SIGINT)
			return;
	}
}

static int open_and_serve(struct app *app, struct error *err)
{
	owned_fd int lock = -1;
	unsigned api_uid, api_gid;
	uint16_t ports[OPEN_PORTS_MAX];
	struct host_config config;
	int listen_fd = -1;
	int rc = folders_make(app, err);
	if (rc == 0)
		rc = api_user(app, &api_uid, &api_gid, err);
	if (rc == 0)
		rc = lock_state(app, &lock, err);
	if (rc == 0)
		rc = node_config_fill(app, &config, ports, err);
	if (rc == 0)
		rc = open_socket(app, api_gid, &listen_fd, err);
	owned(db_close) struct db *db = NULL;
	if (rc == 0)
		rc = db_open(app->config->moad_store, &db, err);
	owned(host_close) struct host *host = NULL;
	if (rc == 0)
		rc = host_open(&config, db, &host, err);
	if (rc < 0)
		return rc;
	struct node_server_config server_config = {.listen_fd = listen_fd, .api_uid = api_uid, .host = host};
	struct node_server *server;
	rc = node_server_start(&server_config, &server, err);
	if (rc < 0)
		return rc;
	log_info("node %s is up", config.alias);
	/* Opening takes memory that is not needed again: the hypervisors' capabilities, rule texts. */
	malloc_trim(0);
	service_ready();
	serve_until_ended();
	log_info("stopping; guests keep running");
	node_server_stop(server);
	return 0;
}

int run_node(struct app *app)
{
	struct error err;
	if (open_and_serve(app, &err) == 0)
		return EXIT_SUCCESS;
	log_error("%s", err.message);
	return EXIT_FAILURE;
}

/* Takes away what a stopped node leaves on the host: rules, bridge, and the pool's mount. Disks stay. */
static int teardown(struct app *app, struct error *err)
{
	owned_fd int lock = -1;
	uint16_t ports[OPEN_PORTS_MAX];
	struct host_config config;
	int rc = lock_state(app, &lock, err);
	if (rc == 0)
		rc = node_config_fill(app, &config, ports, err);
	if (rc == 0)
		rc = pool_unmount(&config.pool, err);
	return rc < 0 ? rc : net_remove(&config.net, err);
}

int run_teardown(struct app *app)
{
	struct error err;
	if (teardown(app, &err) == 0)
		return EXIT_SUCCESS;
	log_error("%s", err.message);
	return EXIT_FAILURE;
}
