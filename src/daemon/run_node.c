/* The node process: this host's machines and containers, as root. */
#include "daemon/app.h"
#include "daemon/service.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "core/host.h"
#include "node/server.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OPEN_PORTS_MAX = 4 };

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

/* "10.77.0.0/16" into the bridge's own address, the first of the network, and the prefix length. */
static int split_network(struct app *app, struct net_config *net, struct error *err)
{
	char network[64];
	int64_t prefix_len;
	struct in_addr address;
	bool fits = text_copy(network, sizeof(network), app->config->node_network);
	char *slash = fits ? strchr(network, '/') : NULL;
	if (slash)
		*slash = '\0';
	if (!slash || inet_pton(AF_INET, network, &address) != 1 || !text_to_int64(slash + 1, 8, 30, &prefix_len))
		return err_say(err, ERR_INVALID, "[node] network takes an IPv4 network such as 10.77.0.0/16");
	address.s_addr = htonl(ntohl(address.s_addr) + 1);
	net->gateway = config_path(app->config, "%s", inet_ntop(AF_INET, &address, network, sizeof(network)));
	net->prefix_len = (int)prefix_len;
	return 0;
}

/* Guests may reach the API like everybody else. */
static const uint16_t *open_ports(const struct config *config, uint16_t ports[OPEN_PORTS_MAX])
{
	const char *addresses[] = { config->api_http, config->api_https };
	size_t count = 0;
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		int64_t port;
		const char *colon = strrchr(addresses[i], ':');
		bool loopback = text_starts(addresses[i], "127.") || text_starts(addresses[i], "[::1]");
		if (colon && !loopback && text_to_int64(colon + 1, 1, UINT16_MAX, &port))
			ports[count++] = (uint16_t)port;
	}
	ports[count] = 0;
	return ports;
}

/* The host's name servers, for guests; loopback ones are of no use to them. */
static const char *host_dns(struct config *config)
{
	owned_mem char *text = NULL;
	if (config->node_dns[0] || file_read("/etc/resolv.conf", 65536, &text, NULL, NULL) < 0)
		return config->node_dns;
	const char *list = "";
	char *rest = text;
	for (char *line; (line = strsep(&rest, "\n"));) {
		char server[64];
		if (sscanf(line, "nameserver %63s", server) == 1 && !text_starts(server, "127.") &&
			!text_equal(server, "::1"))
			list = config_path(config, "%s%s%s", list, list[0] ? "," : "", server);
	}
	return list;
}

/* A program of ours: beside this one while it is not installed, else in libexec. */
static const char *helper(struct config *config, const char *name, const char *build_place)
{
	char self[512];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (len > 0) {
		self[len] = '\0';
		*strrchr(self, '/') = '\0';
		const char *beside = config_path(config, "%s/%s", self, build_place);
		if (access(beside, X_OK) == 0)
			return beside;
	}
	return config_path(config, "%s/%s", MOA_LIBEXEC_DIR, name);
}

static int fill_config(struct app *app, struct host_config *ret, uint16_t ports[OPEN_PORTS_MAX], struct error *err)
{
	struct config *config = app->config;
	*ret = (struct host_config){
		.alias = config->node_alias,
		.state_dir = config->moad_state_dir,
		.run_dir = config->moad_run_dir,
		.simulated = text_equal(config->node_hypervisor, "sim"),
		.name_prefix = config->node_name_prefix,
		.endpoint = config_path(config, "unix:%s/node.sock", config->moad_run_dir),
		.pool = { .dir = config->node_pool_dir,
			.image_path = config_path(config, "%s/pool.xfs", config->moad_state_dir),
			.image_bytes = config->node_pool_size,
			.mount_dir = config_path(config, "%s/node/mnt", config->moad_state_dir),
			.reflinks_required = true },
		.net = { .bridge = config->node_bridge,
			.table = config->node_name_prefix,
			.nat = config->node_nat,
			.open_ports = open_ports(config, ports) },
		.network = config->node_network,
		.libvirt_uri = config->node_libvirt_uri,
		.accelerate = config->node_accelerate,
		.container_helper = helper(config, "moa-container", "../hypervisor/ovz/moa-container"),
		.pause_helper = helper(config, "moa-pause", "../core/moa-pause"),
		.template_script = helper(config, "template-build", "../../template-build"),
		.dns = host_dns(config),
		.id_base = (uint32_t)config->node_id_base,
		.undo_window_s = config->node_undo_window_s,
		.stop_timeout_ms = (int)config->node_stop_timeout_s * 1000,
		.work_threads = (unsigned)config->node_works,
	};
	return split_network(app, &ret->net, err);
}

static int open_socket(struct app *app, unsigned api_gid, int *ret, struct error *err)
{
	int rc = socket_take(app, SOCKET_NODE, ret, err);
	if (rc < 0)
		return rc;
	/* Root and the api process may ask; the server looks at the peer's uid as well. */
	const char *path = config_path(app->config, "%s/node.sock", app->config->moad_run_dir);
	if (geteuid() == 0 && (chown(path, 0, api_gid) < 0 || chmod(path, 0660) < 0))
		return err_errno(err, errno, "owner of %s", path);
	return 0;
}

static void serve_until_ended(void)
{
	for (;;) {
		int number = signals_wait();
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
		rc = fill_config(app, &config, ports, err);
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
	struct node_server_config server_config = { .listen_fd = listen_fd, .api_uid = api_uid, .host = host };
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
