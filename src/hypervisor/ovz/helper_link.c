/* A container that ended in the middle of its own reboot can leave its end of the network for the kernel to
 * clear away some time later; the next start needs the name at once. One rtnetlink message (rtnetlink(7)). */
#include "hypervisor/ovz/helper_link.h"
#include "base/owned.h"
#include "base/fd.h"
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

void link_remove(const char *name)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg link;
	} request = {
		.header = {.nlmsg_len = sizeof(request),
			.nlmsg_type = RTM_DELLINK,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
		.link = {.ifi_family = AF_UNSPEC, .ifi_index = (int)if_nametoindex(name)},
	};
	char answer[1024];
	if (request.link.ifi_index == 0)
		return;
	owned_fd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	/* The answer comes when the interface is gone. */
	if (fd >= 0 && send(fd, &request, sizeof(request), 0) > 0 && recv(fd, answer, sizeof(answer), 0) < 0)
		return;
}
