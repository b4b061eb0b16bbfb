/* What the node is told, from the settings and from the host it runs on. */
#include "daemon/node_config.h"
#include "base/fd.h"
#include "base/memory.h"
#include "base/owned.h"
#include "base/text.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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
	if (!slash || inet_pton(AF_INET, network, &address) != 1 ||
		!text_to_int64(slash + 1, 8, 30, &prefix_len))
		return err_say(err, ERR_INVALID, "[node] network takes an IPv4 network such as 10.77.0.0/16");
	address.s_addr = htonl(ntohl(address.s_addr) + 1);
	net->gateway = config_path(app->config, "%s", inet_ntop(AF_INET, &address, network, sizeof(network)));
	net->prefix_len = (int)prefix_len;
	return 0;
}

/* Guests may reach the API like everybody else. */
static const uint16_t *open_ports(const struct config *config, uint16_t ports[OPEN_PORTS_MAX])
{
	const char *addresses[] = {config->api_http, config->api_https};
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

int node_config_fill(
	struct app *app, struct host_config *ret, uint16_t ports[OPEN_PORTS_MAX], struct error *err)
{
	struct config *config = app->config;
	*ret = (struct host_config){
		.alias = config->node_alias,
		.state_dir = config->moad_state_dir,
		.run_dir = config->moad_run_dir,
		.simulated = text_equal(config->node_hypervisor, "sim"),
		.name_prefix = config->node_name_prefix,
		.endpoint = config_path(config, "unix:%s/node.sock", config->moad_run_dir),
		.pool = {.dir = config->node_pool_dir,
			.image_path = config_path(config, "%s/pool.xfs", config->moad_state_dir),
			.image_bytes = config->node_pool_size,
			.mount_dir = config_path(config, "%s/node/mnt", config->moad_state_dir),
			.reflinks_required = true},
		.net = {.bridge = config->node_bridge,
			.table = config->node_name_prefix,
			.nat = config->node_nat,
			.open_ports = open_ports(config, ports)},
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
