/* The bridge guests hang on, and the kernel settings that go with it. A setting is read before it is written,
 * so that a host whose /proc/sys is read-only and already right works too. */
#include "net/bridge.h"
#include "net/links.h"
#include "base/fd.h"
#include "base/memory.h"
#include "base/text.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* FNV-1a over what makes this network this one. */
static uint64_t network_hash(const struct net_config *config)
{
	uint64_t hash = 0xcbf29ce484222325;
	const char *const parts[] = {config->bridge, "/", config->gateway};
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		for (const char *at = parts[i]; *at; at++)
			hash = (hash ^ (unsigned char)*at) * 0x100000001b3;
	return hash;
}

static void mac_bytes(const struct net_config *config, unsigned char mac[6])
{
	uint64_t hash = network_hash(config);
	mac[0] = 0x02;
	for (int i = 1; i < 6; i++)
		mac[i] = (unsigned char)(hash >> (8 * i));
	mac[1] |= 0x80; /* away from the low numbers that are handed to guests */
}

void bridge_mac_of(const struct net_config *config, char place[18])
{
	unsigned char mac[6];
	mac_bytes(config, mac);
	snprintf(place, 18, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

static int setting_write(const char *path, const char *value, struct error *err)
{
	owned_mem char *now = NULL;
	int rc = file_read(path, 64, &now, NULL, err);
	if (rc < 0)
		return rc;
	now[strcspn(now, "\n")] = '\0';
	if (text_equal(now, value))
		return 0;
	owned_fd int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, errno, "open %s", path);
	rc = fd_write_all(fd, value, strlen(value), err);
	if (rc < 0)
		err_wrap(err, "%s", path);
	return rc;
}

/* The bridge takes no advice from guests. A kernel without IPv6 has no such files, and needs none. */
static int bridge_settings_write(const char *name, struct error *err)
{
	static const struct {
		const char *family, *setting;
	} settings[] = {{"ipv4", "accept_redirects"}, {"ipv4", "send_redirects"}, {"ipv4", "route_localnet"},
		{"ipv6", "accept_ra"}, {"ipv6", "autoconf"}, {"ipv6", "accept_redirects"}};
	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		char path[128];
		snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", settings[i].family, name,
			settings[i].setting);
		int rc = setting_write(path, "0", err);
		bool optional = text_equal(settings[i].family, "ipv6");
		if (rc < 0 && !(optional && rc == -ERR_NOT_FOUND))
			return rc;
	}
	return 0;
}

int bridge_forwarding_ensure(struct error *err)
{
	return setting_write("/proc/sys/net/ipv4/ip_forward", "1", err);
}

static int bridge_make(const struct net_config *config, struct link *link, struct error *err)
{
	unsigned char mac[6];
	int rc = link_find(config->bridge, link, err);
	if (rc < 0 && rc != -ERR_NOT_FOUND)
		return rc;
	if (rc == 0 && !link->is_bridge)
		return err_say(err, ERR_EXISTS, "%s is already the name of a link that is no bridge",
			config->bridge);
	mac_bytes(config, mac);
	rc = link_bridge_set(config->bridge, mac, err);
	return rc < 0 ? rc : link_find(config->bridge, link, err);
}

int bridge_ensure(const struct net_config *config, struct error *err)
{
	struct link link;
	struct in_addr gateway = {0};
	inet_pton(AF_INET, config->gateway, &gateway);
	int rc = bridge_make(config, &link, err);
	if (rc == 0)
		rc = bridge_settings_write(config->bridge, err);
	if (rc == 0)
		rc = link_address_set(link.index, gateway, config->prefix_len, err);
	if (rc == 0)
		rc = link_up(link.index, err);
	if (rc < 0)
		err_wrap(err, "bridge %s", config->bridge);
	return rc;
}

int bridge_remove(const char *name, struct error *err)
{
	struct link link;
	int rc = link_find(name, &link, err);
	if (rc == -ERR_NOT_FOUND)
		return 0;
	if (rc < 0)
		return rc;
	if (!link.is_bridge)
		return err_say(err, ERR_EXISTS, "%s is the name of a link that is no bridge", name);
	return link_delete(link.index, err);
}
