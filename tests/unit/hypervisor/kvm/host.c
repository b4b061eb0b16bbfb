/* See host.h. Commands run through base/process.h; what a run leaves is taken away by host_down. */
#include "host.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/owned.h"
#include "base/process.h"
#include "base/text.h"
#include "hypervisor/kvm/probe.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

const struct hypervisor_ops *const ops = &hypervisor_kvm;

enum { COMMAND_TIMEOUT_MS = 60000, NEWS_TIMEOUT_MS = 120000, NEWS_MAX = 256, DISK_SIZE = 1 << 20 };

/* Writes an M to the screen, asks the chipset (PIIX4, power management at 0x600) for its power button, and
 * powers off once it is pressed. */
static const uint8_t sector_code[] = {
	/* 00 */ 0xfa, 0x31, 0xc0, 0x8e, 0xd0, 0xbc, 0x00, 0x7c, /* cli; ss = 0; sp = 0x7c00 */
	/* 08 */ 0xb8, 0x00, 0xb8, 0x8e, 0xc0,			 /* es = 0xb800 */
	/* 0d */ 0x26, 0xc7, 0x06, 0x00, 0x00, 0x4d, 0x1f,	 /* es:[0] = 'M', white on blue */
	/* 14 */ 0xba, 0x02, 0x06, 0xb8, 0x00, 0x01, 0xef,	 /* port 0x602: enable the button */
	/* 1b */ 0xba, 0x00, 0x06,				 /* dx = 0x600 */
	/* 1e */ 0xfb, 0xf4, 0xed, 0xf6, 0xc4, 0x01, 0x74, 0xf8, /* sti; hlt; pressed? else again */
	/* 26 */ 0xba, 0x04, 0x06, 0xb8, 0x00, 0x20, 0xef,	 /* port 0x604: power off */
	/* 2d */ 0xf4, 0xeb, 0xfd,				 /* hlt, again and again */
};
enum { ENABLE_AT = 0x1a, AGAIN_AT = 0x24, NOP = 0x90 };

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	size_t count;
	struct {
		char name[40];
		enum guest_state state;
	} items[NEWS_MAX];
} news = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void run(const char *const *argv)
{
	struct error err = {0};
	if (process_check(argv, COMMAND_TIMEOUT_MS, &err) < 0)
		fail_msg("%s", err.message);
}

static bool make_bridge(struct host *host)
{
	text_format(host->bridge, sizeof(host->bridge), "moak%d", getpid());
	const char *const add[] = {"ip", "link", "add", host->bridge, "type", "bridge", NULL};
	host->has_bridge = process_check(add, COMMAND_TIMEOUT_MS, NULL) == 0;
	return host->has_bridge;
}

static bool start_libvirtd(struct host *host)
{
	char dir[80], owner[32];
	owned_in(process_result_done) struct process_result result = {0};
	text_format(dir, sizeof(dir), "%s/libvirt", host->dir);
	text_format(owner, sizeof(owner), "MOA_OWNER_PID=%d", getpid());
	const char *const argv[] = {PRIVATE_LIBVIRTD, "start", dir, NULL};
	const char *const env[] = {
		owner, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL};
	struct process_request request = {.argv = argv, .env = env, .timeout_ms = COMMAND_TIMEOUT_MS};
	if (process_run(&request, &result, NULL) < 0 || result.exit_status != 0)
		return false;
	result.output.data[strcspn(result.output.data, "\n")] = '\0';
	host->has_libvirtd = text_copy(host->uri, sizeof(host->uri), result.output.data);
	return host->has_libvirtd;
}

const char *host_up(struct host *host)
{
	*host = (struct host){.dir = "/tmp/moa-kvm-XXXXXX"};
	if (geteuid() != 0)
		return "needs root";
	if (!kvm_probe_emulator())
		return "needs QEMU (qemu-system-x86)";
	if (access("/usr/sbin/libvirtd", X_OK) < 0 || access("/usr/sbin/virtlogd", X_OK) < 0)
		return "needs libvirtd and virtlogd";
	if (!mkdtemp(host->dir))
		return "needs a writable /tmp";
	chmod(host->dir, 0711);
	text_format(host->prefix, sizeof(host->prefix), "moat%d-", getpid());
	if (!make_bridge(host))
		return "needs the right to make a bridge";
	return start_libvirtd(host) ? NULL : "libvirtd does not start here";
}

void host_down(struct host *host)
{
	char dir[80];
	text_format(dir, sizeof(dir), "%s/libvirt", host->dir);
	const char *const stop[] = {PRIVATE_LIBVIRTD, "stop", dir, NULL};
	const char *const remove[] = {"ip", "link", "delete", host->bridge, NULL};
	if (host->has_libvirtd)
		process_check(stop, COMMAND_TIMEOUT_MS, NULL);
	if (host->has_bridge)
		process_check(remove, COMMAND_TIMEOUT_MS, NULL);
	dir_remove_tree(host->dir, NULL);
}

void host_daemon(const struct host *host, const char *command)
{
	char dir[80];
	text_format(dir, sizeof(dir), "%s/libvirt", host->dir);
	const char *const argv[] = {PRIVATE_LIBVIRTD, command, dir, NULL};
	run(argv);
}

void host_kill_emulator(const struct host *host, const char *name)
{
	static const char script[] = "exec nsenter --target \"$(cat \"$1/init.pid\")\" --mount --pid -- "
				     "sh -c 'kill -KILL $(cat \"/run/libvirt/qemu/$0.pid\")' \"$2\"";
	char dir[80];
	text_format(dir, sizeof(dir), "%s/libvirt", host->dir);
	const char *const argv[] = {"sh", "-c", script, "sh", dir, name, NULL};
	run(argv);
}

void tiny_make(const struct host *host, struct tiny *tiny, unsigned number, enum tiny_kind kind)
{
	uint8_t sector[512] = {0};
	memcpy(sector, sector_code, sizeof(sector_code));
	sector[510] = 0x55;
	sector[511] = 0xaa;
	if (kind != TINY_OBEYS)
		sector[ENABLE_AT] = NOP;
	if (kind == TINY_BRIEF)
		memset(sector + AGAIN_AT, NOP, 2);
	text_format(tiny->name, sizeof(tiny->name), "%s%u", host->prefix, number);
	text_format(tiny->disk, sizeof(tiny->disk), "%s/%u.raw", host->dir, number);
	text_format(tiny->interface, sizeof(tiny->interface), "mk%d-%u", getpid(), number);
	text_format(tiny->mac, sizeof(tiny->mac), "02:00:00:00:00:%02x", number & 0xff);
	text_format(
		tiny->uuid, sizeof(tiny->uuid), "0d6f1c2a-3400-4000-%04x-%012x", 0x8000 | number, getpid());
	owned_fd int fd = open(tiny->disk, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, DISK_SIZE), 0);
	assert_int_equal(fd_write_all(fd, sector, sizeof(sector), NULL), 0);
	tiny->spec = (struct guest_spec){.name = tiny->name,
		.veid = number,
		.type = VPS_KVM,
		.uuid = tiny->uuid,
		.hostname = "tiny",
		.ram_bytes = 32 << 20,
		.cpu_percent = 50,
		.disk_path = tiny->disk,
		.bridge = host->bridge,
		.interface = tiny->interface,
		.mac = tiny->mac};
}

void news_event(void *context, const char *name, enum guest_state state)
{
	(void)context;
	pthread_mutex_lock(&news.lock);
	if (news.count < NEWS_MAX && text_copy(news.items[news.count].name, sizeof(news.items[0].name), name))
		news.items[news.count++].state = state;
	pthread_cond_broadcast(&news.changed);
	pthread_mutex_unlock(&news.lock);
}

void news_clear(void)
{
	pthread_mutex_lock(&news.lock);
	news.count = 0;
	pthread_mutex_unlock(&news.lock);
}

static bool was_told(const char *name, enum guest_state state)
{
	for (size_t i = 0; i < news.count; i++)
		if (text_equal(news.items[i].name, name) && news.items[i].state == state)
			return true;
	return false;
}

void news_await(const char *name, enum guest_state state)
{
	int64_t until_s = clock_unix_s() + NEWS_TIMEOUT_MS / 1000;
	struct timespec until = {.tv_sec = until_s};
	int rc = 0;
	pthread_mutex_lock(&news.lock);
	while (!was_told(name, state) && rc == 0)
		rc = pthread_cond_timedwait(&news.changed, &news.lock, &until);
	pthread_mutex_unlock(&news.lock);
	if (rc)
		fail_msg("never told that %s is %s", name, guest_state_name(state));
}
