#include "daemon/app.h"
#include "daemon/service.h"
#include "http/http.h"
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const names[SOCKET_COUNT] = {"http", "https", "admin", "node"};

const char *socket_name(int which)
{
	return names[which];
}

static const char *address_of(struct app *app, int which)
{
	struct config *config = app->config;
	switch (which) {
	case SOCKET_HTTP:
		return config->api_http;
	case SOCKET_HTTPS:
		return config->api_https;
	case SOCKET_ADMIN:
		return config_path(config, "unix:%s/admin.sock", config->moad_run_dir);
	default:
		return config_path(config, "unix:%s/node.sock", config->moad_run_dir);
	}
}

int socket_take(struct app *app, int which, int *ret, struct error *err)
{
	const char *address = address_of(app, which);
	*ret = service_socket(names[which]);
	if (*ret >= 0 || !address[0])
		return 0;
	/* Both unix sockets are for root; the node's is opened to the api's group by folders_make's caller.
	 */
	int rc = http_listen(address, 0600, ret, err);
	return rc < 0 ? err_wrap(err, "%s", names[which]) : 0;
}

int socket_share_node(struct app *app, unsigned api_gid, struct error *err)
{
	const char *path = address_of(app, SOCKET_NODE) + strlen("unix:");
	if (geteuid() == 0 && (chown(path, 0, api_gid) < 0 || chmod(path, 0660) < 0))
		return err_errno(err, errno, "owner of %s", path);
	return 0;
}
