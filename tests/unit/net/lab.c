/* The lab of the tests that need root. Everything in it belongs to namespaces this process alone holds, so
 * nothing is left behind whatever ends it. */
#include "lab.h"
#include "base/fd.h"
#include "base/memory.h"
#include "base/process.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WAIT_MS = 20000 };

static const uint16_t open_ports[] = {8443, 0};
static const char *const interfaces[] = {[LAB_ALICE] = "moa1", [LAB_BOB] = "moa2", [LAB_STRANGER] = "moa3"};
static const char *const macs[] = {[LAB_ALICE] = "02:00:00:00:00:01",
	[LAB_BOB] = "02:00:00:00:00:02",
	[LAB_STRANGER] = "02:00:00:00:00:03"};
static const char *const ipv4[] = {
	[LAB_ALICE] = "10.77.0.11", [LAB_BOB] = "10.77.0.12", [LAB_STRANGER] = "10.77.0.13"};
static const char *const ipv6[] = {
	[LAB_ALICE] = "2001:db8:1:1::", [LAB_BOB] = "2001:db8:1:2::", [LAB_STRANGER] = "2001:db8:1:3::"};

const char *lab_missing(void)
{
	if (geteuid() != 0)
		return "needs root";
	if (access("/sbin/ip", X_OK) != 0 && access("/usr/sbin/ip", X_OK) != 0 &&
		access("/bin/ip", X_OK) != 0)
		return "needs iproute2";
	return NULL;
}

static int namespace_open(void)
{
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

/* One processor, so that frames arrive in the order they were sent. */

void lab_init(struct lab *lab)
{
	cpu_set_t one;
	CPU_ZERO(&one);
	CPU_SET((unsigned)sched_getcpu(), &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	*lab = (struct lab){.config = {.bridge = "moabr0",
				    .table = "moa",
				    .gateway = LAB_GATEWAY,
				    .prefix_len = 16,
				    .nat = true,
				    .open_ports = open_ports}};
	for (int place = LAB_PLACES - 1; place >= 0; place--) {
		assert_int_equal(unshare(CLONE_NEWNET), 0);
		lab->namespaces[place] = namespace_open();
		lab_run("ip", "link", "set", "lo", "up", NULL);
	}
	for (int place = LAB_ALICE; place <= LAB_STRANGER; place++) {
		lab->addresses[place][0] = (struct address){ipv4[place], 16, LAB_GATEWAY, NULL};
		lab->addresses[place][1] = (struct address){ipv6[place], 64, "", NULL};
		lab->vps[place] = (struct net_vps){.veid = 1000000 + place,
			.interface = interfaces[place],
			.mac = macs[place],
			.addresses = lab->addresses[place],
			.address_count = 2,
			.ssh_port = 20000 + place};
	}
}

void lab_done(struct lab *lab)
{
	for (int place = 0; place < LAB_PLACES; place++)
		close(lab->namespaces[place]);
}

void lab_enter(const struct lab *lab, enum lab_place place)
{
	assert_int_equal(setns(lab->namespaces[place], CLONE_NEWNET), 0);
}

bool lab_bridge_hooks(bool on)
{
	static const char *const settings[] = {"iptables", "ip6tables", "arptables"};
	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		owned_mem char *path = mem_printf("/proc/sys/net/bridge/bridge-nf-call-%s", settings[i]);
		owned_fd int fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0)
			return !on;
		assert_int_equal(write(fd, on ? "1" : "0", 1), 1);
	}
	return true;
}

void lab_run(const char *first, ...)
{
	const char *argv[24] = {first};
	va_list args;
	va_start(args, first);
	for (size_t i = 1; i < ARRAY_LEN(argv) && argv[i - 1]; i++)
		argv[i] = va_arg(args, const char *);
	va_end(args);
	struct error err = {0};
	if (process_check(argv, WAIT_MS, &err) < 0)
		fail_msg("%s", err.message);
}

static void namespace_path(const struct lab *lab, enum lab_place place, char path[64])
{
	snprintf(path, 64, "/proc/%d/fd/%d", (int)getpid(), lab->namespaces[place]);
}

static void connect_guest(const struct lab *lab, enum lab_place place)
{
	char path[64], address[64];
	namespace_path(lab, place, path);
	snprintf(address, sizeof(address), "%s/16", ipv4[place]);
	lab_run("ip", "link", "add", interfaces[place], "type", "veth", "peer", "name", "eth0", "address",
		macs[place], "netns", path, NULL);
	lab_run("ip", "link", "set", interfaces[place], "master", lab->config.bridge, "up", NULL);
	lab_enter(lab, place);
	lab_run("ip", "link", "set", "eth0", "up", NULL);
	lab_run("ip", "address", "add", address, "dev", "eth0", NULL);
	lab_run("ip", "route", "add", "default", "via", LAB_GATEWAY, NULL);
	lab_enter(lab, LAB_HOST);
}

void lab_connect(struct lab *lab)
{
	char path[64];
	for (int place = LAB_ALICE; place <= LAB_STRANGER; place++)
		connect_guest(lab, (enum lab_place)place);
	namespace_path(lab, LAB_OUTSIDE, path);
	lab_run("ip", "link", "add", "outer", "type", "veth", "peer", "name", "eth0", "netns", path, NULL);
	lab_run("ip", "link", "set", "outer", "up", NULL);
	lab_run("ip", "address", "add", LAB_HOST_OUTER "/24", "dev", "outer", NULL);
	lab_enter(lab, LAB_OUTSIDE);
	lab_run("ip", "link", "set", "eth0", "up", NULL);
	lab_run("ip", "address", "add", LAB_OUTSIDE_IP "/24", "dev", "eth0", NULL);
	lab_run("ip", "route", "add", "10.77.0.0/16", "via", LAB_HOST_OUTER, NULL);
	lab_enter(lab, LAB_HOST);
}

static struct sockaddr_in address_of(const char *address, int port)
{
	struct sockaddr_in place = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	assert_int_equal(inet_pton(AF_INET, address, &place.sin_addr), 1);
	return place;
}

static int tcp_socket(const struct lab *lab, enum lab_place place)
{
	lab_enter(lab, place);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	lab_enter(lab, LAB_HOST);
	assert_true(fd >= 0);
	return fd;
}

int lab_listen(const struct lab *lab, enum lab_place place, const char *address, int port)
{
	int fd = tcp_socket(lab, place), on = 1;
	struct sockaddr_in own = address_of(address, port);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&own, sizeof(own)), 0);
	assert_int_equal(listen(fd, 16), 0);
	return fd;
}

int lab_connect_to(const struct lab *lab, enum lab_place place, const char *address, int port)
{
	int fd = tcp_socket(lab, place);
	struct sockaddr_in far = address_of(address, port);
	int rc = connect(fd, (struct sockaddr *)&far, sizeof(far));
	assert_true(rc == 0 || errno == EINPROGRESS || errno == ECONNREFUSED);
	return fd;
}

static bool is_ready(int fd, short events, int timeout_ms)
{
	struct pollfd one = {.fd = fd, .events = events};
	return poll(&one, 1, timeout_ms) == 1;
}

int lab_accept(int listener, char place[46])
{
	struct sockaddr_in peer;
	socklen_t len = sizeof(peer);
	assert_true(is_ready(listener, POLLIN, WAIT_MS));
	int fd = accept4(listener, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC);
	assert_true(fd >= 0);
	assert_non_null(inet_ntop(AF_INET, &peer.sin_addr, place, 46));
	return fd;
}

bool lab_is_quiet(int listener)
{
	return !is_ready(listener, POLLIN, 0);
}

bool lab_is_connected(int fd)
{
	int error = 0;
	socklen_t len = sizeof(error);
	if (!is_ready(fd, POLLOUT, 0))
		return false;
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len), 0);
	return error == 0;
}

void lab_wait_connected(int fd)
{
	assert_true(is_ready(fd, POLLOUT, WAIT_MS));
	assert_true(lab_is_connected(fd));
}

int lab_packets(const struct lab *lab, enum lab_place place, const char *interface)
{
	lab_enter(lab, place);
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
	assert_true(fd >= 0);
	struct sockaddr_ll own = {.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(interface)};
	assert_true(own.sll_ifindex > 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&own, sizeof(own)), 0);
	lab_enter(lab, LAB_HOST);
	return fd;
}
