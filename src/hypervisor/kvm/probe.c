/* Boots a sector of our own under QEMU with KVM. It goes where every guest goes on its way up: real mode
 * under the firmware, protected mode, paging and long mode through the EFER register, one more model-specific
 * register written and read back. Then it writes to QEMU's debug exit port; nothing else ends QEMU with that
 * status. */
#include "hypervisor/kvm/probe.h"
#include "base/fd.h"
#include "base/memory.h"
#include "base/owned.h"
#include "base/process.h"
#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECTOR_SIZE = 512, TIME_LIMIT_MS = 3000, EXIT_VALUE = 0x2a, EXIT_STATUS = EXIT_VALUE << 1 | 1 };

/* Loaded at 0x7c00. Page tables at 0x1000 (PML4), 0x2000 (PDPT) and 0x3000 map the first 2 MiB onto
 * themselves. */
static const uint8_t sector_code[] = {
	/* 00 */ 0xfa, 0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0,
	0xfc,							 /* cli; ds = es = ss = ax = 0; cld */
	/* 0a */ 0xbf, 0x00, 0x10, 0x66, 0x31, 0xc0,		 /* di = 0x1000; eax = 0 */
	/* 10 */ 0xb9, 0x00, 0x0c, 0x66, 0xf3, 0xab,		 /* cx = 0xc00; rep stosd */
	/* 16 */ 0xc7, 0x06, 0x00, 0x10, 0x03, 0x20,		 /* [0x1000] = 0x2003 */
	/* 1c */ 0xc7, 0x06, 0x00, 0x20, 0x03, 0x30,		 /* [0x2000] = 0x3003 */
	/* 22 */ 0xc7, 0x06, 0x00, 0x30, 0x83, 0x00,		 /* [0x3000] = 0x0083, a page of 2 MiB */
	/* 28 */ 0x66, 0x0f, 0x01, 0x16, 0xc0, 0x7c,		 /* lgdt [0x7cc0] */
	/* 2e */ 0x0f, 0x20, 0xc0, 0x0c, 0x01, 0x0f, 0x22, 0xc0, /* cr0 |= 1: protected mode */
	/* 36 */ 0xea, 0x3b, 0x7c, 0x08, 0x00,			 /* jmp 0x08:0x7c3b */
	/* 3b */ 0x66, 0xb8, 0x10, 0x00, 0x8e, 0xd8, 0x8e, 0xd0, /* ax = 0x10; ds = ss = ax */
	/* 43 */ 0x0f, 0x20, 0xe0, 0x83, 0xc8, 0x20, 0x0f, 0x22, 0xe0,		   /* cr4 |= PAE */
	/* 4c */ 0xb8, 0x00, 0x10, 0x00, 0x00, 0x0f, 0x22, 0xd8,		   /* cr3 = 0x1000 */
	/* 54 */ 0xb9, 0x80, 0x00, 0x00, 0xc0, 0x0f, 0x32,			   /* ecx = EFER; rdmsr */
	/* 5b */ 0x0d, 0x00, 0x01, 0x00, 0x00, 0x0f, 0x30,			   /* eax |= LME; wrmsr */
	/* 62 */ 0x0f, 0x20, 0xc0, 0x0d, 0x00, 0x00, 0x00, 0x80, 0x0f, 0x22, 0xc0, /* cr0 |= PG */
	/* 6d */ 0xea, 0x74, 0x7c, 0x00, 0x00, 0x18, 0x00,	       /* jmp 0x18:0x7c74: long mode */
	/* 74 */ 0xb9, 0x82, 0x00, 0x00, 0xc0,			       /* ecx = LSTAR */
	/* 79 */ 0xb8, 0x78, 0x56, 0x34, 0x12, 0x31, 0xd2, 0x0f, 0x30, /* eax = 0x12345678; edx = 0; wrmsr */
	/* 82 */ 0x31, 0xc0, 0x0f, 0x32,			       /* eax = 0; rdmsr */
	/* 86 */ 0x3d, 0x78, 0x56, 0x34, 0x12, 0x75, 0x0a,	       /* eax == 0x12345678? else to 97 */
	/* 8d */ 0x31, 0xc0, 0x0f, 0xa2, 0x0f, 0x31,		       /* eax = 0; cpuid; rdtsc */
	/* 93 */ 0xb0, EXIT_VALUE, 0xe6, 0xf4,			       /* out 0xf4, al: the end */
	/* 97 */ 0xf4, 0xeb, 0xfd,				       /* hlt, again and again */
};

/* Flat segments: 0x08 code of 32 bits, 0x10 data, 0x18 code of 64 bits; then the table's length and place. */
static const uint8_t sector_table[] = {
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* a0 */
	0xff, 0xff, 0x00, 0x00, 0x00, 0x9a, 0xcf, 0x00, /* a8 */
	0xff, 0xff, 0x00, 0x00, 0x00, 0x92, 0xcf, 0x00, /* b0 */
	0xff, 0xff, 0x00, 0x00, 0x00, 0x9a, 0xaf, 0x00, /* b8 */
	0x1f, 0x00, 0xa0, 0x7c, 0x00, 0x00,		/* c0 */
};
enum { TABLE_OFFSET = 0xa0 };

const char *kvm_probe_emulator(void)
{
	static const char *const places[] = {"/usr/bin/qemu-system-x86_64",
		"/usr/local/bin/qemu-system-x86_64", "/usr/bin/qemu-kvm", "/usr/libexec/qemu-kvm"};
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (access(places[i], X_OK) == 0)
			return places[i];
	return NULL;
}

/* The user libvirt runs guests as, or NULL to run as ourselves. */
static const struct passwd *guest_user(struct passwd *place, char *names, size_t size)
{
	static const char *const users[] = {"libvirt-qemu", "qemu"};
	struct passwd *found = NULL;
	for (size_t i = 0; geteuid() == 0 && !found && i < ARRAY_LEN(users); i++)
		getpwnam_r(users[i], place, names, size, &found);
	return found;
}

/* A file with the boot sector, which any user may read. */
static int write_sector(char *path, struct error *err)
{
	uint8_t sector[SECTOR_SIZE] = {0};
	memcpy(sector, sector_code, sizeof(sector_code));
	memcpy(sector + TABLE_OFFSET, sector_table, sizeof(sector_table));
	sector[SECTOR_SIZE - 2] = 0x55;
	sector[SECTOR_SIZE - 1] = 0xaa;
	owned_fd int fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, errno, "make %s", path);
	int rc = fd_write_all(fd, sector, sizeof(sector), err);
	if (rc == 0 && fchmod(fd, 0644) < 0)
		rc = err_errno(err, errno, "chmod %s", path);
	if (rc < 0)
		unlink(path);
	return rc;
}

static int run_emulator(const char *emulator, const char *accelerator, const char *sector_path,
	struct process_result *result, struct error *err)
{
	char names[1024], machine[64], drive[128], uid[32], gid[32];
	struct passwd place;
	const struct passwd *user = guest_user(&place, names, sizeof(names));
	text_format(machine, sizeof(machine), "pc,accel=%s", accelerator);
	text_format(drive, sizeof(drive), "file=%s,format=raw,if=floppy,readonly=on", sector_path);
	text_format(uid, sizeof(uid), "--reuid=%u", user ? user->pw_uid : 0);
	text_format(gid, sizeof(gid), "--regid=%u", user ? user->pw_gid : 0);
	const char *const argv[] = {"setpriv", uid, gid, "--init-groups", "--no-new-privs", emulator,
		"-machine", machine, "-cpu", text_equal(accelerator, "kvm") ? "host" : "max", "-m", "16",
		"-nodefaults", "-no-user-config", "-display", "none", "-device",
		"isa-debug-exit,iobase=0xf4,iosize=1", "-drive", drive, NULL};
	enum { PRIVILEGE_ARGUMENTS = 5 };
	struct process_request request = {.argv = user ? argv : argv + PRIVILEGE_ARGUMENTS,
		.max_output = 4096,
		.timeout_ms = TIME_LIMIT_MS};
	return process_run(&request, result, err);
}

static void judge(struct process_result *result, struct acceleration *ret)
{
	/* The first line names the cause; what follows are its consequences. */
	int first_line = (int)strcspn(result->output.data, "\r\n");
	ret->works = !result->timed_out && result->exit_status == EXIT_STATUS;
	if (ret->works)
		text_format(ret->says, sizeof(ret->says), "a virtual CPU ran");
	else if (result->timed_out)
		text_format(ret->says, sizeof(ret->says), "a virtual CPU got nowhere within %d s",
			TIME_LIMIT_MS / 1000);
	else if (strstr(result->output.data, "Permission denied"))
		text_copy(ret->says, sizeof(ret->says), "the user that runs guests may not open /dev/kvm");
	else
		text_format(ret->says, sizeof(ret->says), "a virtual CPU failed: %.*s",
			first_line < 180 ? first_line : 180, result->output.data);
}

void kvm_probe_run(const char *accelerator, struct acceleration *ret)
{
	struct error err = {0};
	char path[] = "/tmp/moa-probe-XXXXXX";
	*ret = (struct acceleration){0};
	const char *emulator = kvm_probe_emulator();
	if (!emulator) {
		text_copy(ret->says, sizeof(ret->says), "QEMU is not installed (qemu-system-x86)");
		return;
	}
	int rc = write_sector(path, &err);
	if (rc == 0) {
		owned_in(process_result_done) struct process_result result = {.output = BUFFER_INIT(0)};
		rc = run_emulator(emulator, accelerator, path, &result, &err);
		if (rc == 0)
			judge(&result, ret);
		unlink(path);
	}
	if (rc < 0)
		text_format(ret->says, sizeof(ret->says), "it cannot be tried out: %.200s", err.message);
}

void kvm_probe_acceleration(struct acceleration *ret)
{
	*ret = (struct acceleration){0};
	if (access("/dev/kvm", F_OK) < 0)
		text_copy(ret->says, sizeof(ret->says), "there is no /dev/kvm");
	else
		kvm_probe_run("kvm", ret);
}
