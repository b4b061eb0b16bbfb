/* Netlink with libmnl: find a link and its counters, make a bridge, give it an address. Each request waits
 * for the kernel's answer, so an error belongs to the request that caused it. */
#include "net/links.h"
#include "base/owned.h"
#include "base/text.h"
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* Enough for a request and for what one read of a dump gives: MNL_SOCKET_BUFFER_SIZE is not a constant. */
enum { MESSAGE_SIZE = 1024, ANSWER_SIZE = 32768, SURPLUS_MAX = 16 };

static void socket_close(struct mnl_socket *socket)
{
	mnl_socket_close(socket);
}
OWNED_DEFINE(struct mnl_socket, socket_close);

/* Sends REQUEST and feeds TAKE (may be NULL) with the answers up to the last. */
static int talk(
	struct nlmsghdr *request, mnl_cb_t take_answer, void *data, const char *what, struct error *err)
{
	owned(socket_close) struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0)
		return err_errno(err, errno, "netlink socket");
	unsigned seq = (unsigned)time(NULL), port = mnl_socket_get_portid(socket);
	request->nlmsg_seq = seq;
	if (mnl_socket_sendto(socket, request, request->nlmsg_len) < 0)
		return err_errno(err, errno, "%s", what);
	char answer[ANSWER_SIZE];
	int more = MNL_CB_OK;
	while (more > MNL_CB_STOP) {
		ssize_t got = mnl_socket_recvfrom(socket, answer, sizeof(answer));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_errno(err, errno, "%s", what);
		more = mnl_cb_run(answer, (size_t)got, seq, port, take_answer, data);
		if (more < 0)
			return err_errno(err, errno, "%s", what);
	}
	return 0;
}

static struct nlmsghdr *request_start(char *place, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *request = mnl_nlmsg_put_header(place);
	request->nlmsg_type = type;
	request->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	return request;
}

static struct ifinfomsg *request_link(struct nlmsghdr *request, int index)
{
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(request, sizeof(*info));
	info->ifi_family = AF_UNSPEC;
	info->ifi_index = index;
	return info;
}

static int take_kind(const struct nlattr *attribute, void *data)
{
	struct link *link = data;
	if (mnl_attr_get_type(attribute) == IFLA_INFO_KIND &&
		mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >= 0)
		link->is_bridge = text_equal(mnl_attr_get_str(attribute), "bridge");
	return MNL_CB_OK;
}

static int take_link_attribute(const struct nlattr *attribute, void *data)
{
	struct link *link = data;
	struct rtnl_link_stats64 stats = {0};
	switch (mnl_attr_get_type(attribute)) {
	case IFLA_LINKINFO:
		return mnl_attr_parse_nested(attribute, take_kind, link);
	case IFLA_STATS64:
		memcpy(&stats, mnl_attr_get_payload(attribute),
			mnl_attr_get_payload_len(attribute) < sizeof(stats)
				? mnl_attr_get_payload_len(attribute)
				: sizeof(stats));
		link->received_bytes = stats.rx_bytes;
		link->sent_bytes = stats.tx_bytes;
		return MNL_CB_OK;
	default:
		return MNL_CB_OK;
	}
}

static int take_link(const struct nlmsghdr *answer, void *data)
{
	struct link *link = data;
	if (answer->nlmsg_type != RTM_NEWLINK)
		return MNL_CB_OK;
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(answer);
	link->index = info->ifi_index;
	return mnl_attr_parse(answer, sizeof(*info), take_link_attribute, link);
}

int link_find(const char *name, struct link *ret, struct error *err)
{
	char place[MESSAGE_SIZE];
	if (!name[0] || strlen(name) >= IFNAMSIZ)
		return err_set(err, ERR_NOT_FOUND, "no link of such a name");
	struct link link = {0};
	struct nlmsghdr *request = request_start(place, RTM_GETLINK, 0);
	request_link(request, 0);
	mnl_attr_put_strz(request, IFLA_IFNAME, name);
	int rc = talk(request, take_link, &link, "find link", err);
	if (rc < 0)
		return err_wrap(err, "%s", name), rc;
	*ret = link;
	return 0;
}

int link_bridge_set(const char *name, const unsigned char mac[6], struct error *err)
{
	char place[MESSAGE_SIZE];
	struct nlmsghdr *request = request_start(place, RTM_NEWLINK, NLM_F_CREATE);
	request_link(request, 0);
	mnl_attr_put_strz(request, IFLA_IFNAME, name);
	mnl_attr_put(request, IFLA_ADDRESS, 6, mac);
	struct nlattr *info = mnl_attr_nest_start(request, IFLA_LINKINFO);
	mnl_attr_put_strz(request, IFLA_INFO_KIND, "bridge");
	struct nlattr *settings = mnl_attr_nest_start(request, IFLA_INFO_DATA);
	mnl_attr_put_u32(request, IFLA_BR_STP_STATE, 0);
	mnl_attr_put_u32(request, IFLA_BR_FORWARD_DELAY, 0);
	mnl_attr_put_u8(request, IFLA_BR_MCAST_SNOOPING, 0);
	mnl_attr_nest_end(request, settings);
	mnl_attr_nest_end(request, info);
	return talk(request, NULL, NULL, "make bridge", err);
}

int link_up(int index, struct error *err)
{
	char place[MESSAGE_SIZE];
	struct nlmsghdr *request = request_start(place, RTM_NEWLINK, 0);
	struct ifinfomsg *info = request_link(request, index);
	info->ifi_flags = info->ifi_change = IFF_UP;
	return talk(request, NULL, NULL, "link up", err);
}

int link_delete(int index, struct error *err)
{
	char place[MESSAGE_SIZE];
	struct nlmsghdr *request = request_start(place, RTM_DELLINK, 0);
	request_link(request, index);
	return talk(request, NULL, NULL, "delete link", err);
}

/* The addresses of a link that are not the wanted one, and whether that one is there. */
struct address_search {
	int index;
	struct in_addr wanted;
	int prefix_len;
	bool found;
	struct surplus {
		struct in_addr address;
		unsigned char prefix_len;
	} surplus[SURPLUS_MAX];
	size_t surplus_count;
};

static int take_local(const struct nlattr *attribute, void *data)
{
	struct in_addr *local = data;
	if (mnl_attr_get_type(attribute) == IFA_LOCAL &&
		mnl_attr_get_payload_len(attribute) == sizeof(*local))
		memcpy(local, mnl_attr_get_payload(attribute), sizeof(*local));
	return MNL_CB_OK;
}

static int take_address(const struct nlmsghdr *answer, void *data)
{
	struct address_search *search = data;
	if (answer->nlmsg_type != RTM_NEWADDR)
		return MNL_CB_OK;
	const struct ifaddrmsg *info = mnl_nlmsg_get_payload(answer);
	if ((int)info->ifa_index != search->index || info->ifa_family != AF_INET)
		return MNL_CB_OK;
	struct in_addr local = {0};
	mnl_attr_parse(answer, sizeof(*info), take_local, &local);
	if (local.s_addr == search->wanted.s_addr && info->ifa_prefixlen == search->prefix_len)
		search->found = true;
	else if (search->surplus_count < SURPLUS_MAX)
		search->surplus[search->surplus_count++] = (struct surplus){local, info->ifa_prefixlen};
	return MNL_CB_OK;
}

static int search_addresses(struct address_search *search, struct error *err)
{
	char place[MESSAGE_SIZE];
	struct nlmsghdr *request = request_start(place, RTM_GETADDR, NLM_F_DUMP);
	struct ifaddrmsg *info = mnl_nlmsg_put_extra_header(request, sizeof(*info));
	info->ifa_family = AF_INET;
	return talk(request, take_address, search, "list addresses", err);
}

static int change_address(int index, uint16_t type, struct in_addr address, int prefix_len, struct error *err)
{
	char place[MESSAGE_SIZE];
	bool add = type == RTM_NEWADDR;
	struct nlmsghdr *request = request_start(place, type, add ? NLM_F_CREATE | NLM_F_EXCL : 0);
	struct ifaddrmsg *info = mnl_nlmsg_put_extra_header(request, sizeof(*info));
	info->ifa_family = AF_INET;
	info->ifa_index = (unsigned)index;
	info->ifa_prefixlen = (unsigned char)prefix_len;
	mnl_attr_put_u32(request, IFA_LOCAL, address.s_addr);
	mnl_attr_put_u32(request, IFA_ADDRESS, address.s_addr);
	if (add)
		mnl_attr_put_u32(request, IFA_BROADCAST, address.s_addr | htonl(UINT32_MAX >> prefix_len));
	return talk(request, NULL, NULL, add ? "add address" : "delete address", err);
}

int link_address_set(int index, struct in_addr address, int prefix_len, struct error *err)
{
	struct address_search search = {.index = index, .wanted = address, .prefix_len = prefix_len};
	int rc = search_addresses(&search, err);
	for (size_t i = 0; i < search.surplus_count && rc == 0; i++)
		rc = change_address(
			index, RTM_DELADDR, search.surplus[i].address, search.surplus[i].prefix_len, err);
	if (rc == 0 && !search.found)
		rc = change_address(index, RTM_NEWADDR, address, prefix_len, err);
	return rc;
}
