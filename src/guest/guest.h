/* What goes into a guest: cloud-init data for the first boot, and the small programs run inside later for
 * password, host name and live figures. Pure text in, text out, except seed_write_*. Nothing here talks to a
 * hypervisor. */
#pragma once
#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "model/guest.h"
#include <stdint.h>
#include <sys/types.h>

/* ---- first boot: cloud-init NoCloud ---- */

struct seed_spec {
	int64_t veid;
	const char *instance_id; /* changes with each reinstall, so that cloud-init runs again */
	const char *hostname;
	const char *password_hash; /* crypt(3) form for root; "" locks password login */
	const char *ssh_keys;	   /* newline-separated; "" for none */
	const char *mac;
	const struct address *addresses;
	size_t address_count;
	const char *const *dns; /* name servers, ends with NULL */
};

struct seed {
	char *meta_data, *user_data, *network_config; /* owned, YAML/JSON as cloud-init's NoCloud wants */
};

int seed_build(const struct seed_spec *spec, struct seed *ret, struct error *err);
void seed_done(struct seed *seed);
/* An ISO 9660 image with the volume label "cidata", through libarchive; atomic; MODE as given. */
int seed_write_iso(const struct seed *seed, const char *path, mode_t mode, struct error *err);
/* The same files below /var/lib/cloud/seed/nocloud of a container's root file system, which a hostile root
 * may have filled with links: every path is resolved inside ROOTFS_FD (openat2, RESOLVE_IN_ROOT). Owner ids
 * are 0. */
int seed_write_dir(const struct seed *seed, int rootfs_fd, struct error *err);

/* ---- passwords and keys ---- */

/* A SHA-512 crypt(3) hash with a fresh salt; PLACE holds 128 bytes. */
int password_hash(const char *password, char place[128], struct error *err);
/* 12 alphanumerics, without look-alikes; PLACE holds 13 bytes. */
void password_make(char place[13]);
/* Checks and tidies newline-separated public keys (one a line, known type, valid base64 that starts with that
 * type's name, comment kept printable; at most 64 keys and 64 KiB). *ret lives in ARENA; "" for none.
 * ERR_INVALID says which line. */
int ssh_keys_parse(const char *text, struct arena *arena, const char **ret, struct error *err);
/* For lists: each key as "ssh-ed25519 AAAAC3Nz...last8 comment", newline-separated, in ARENA. */
const char *ssh_keys_shorten(const char *keys, struct arena *arena);

/* ---- programs run inside ---- */

/* Sets root's password. The password travels on standard input only. Text in ARENA. */
void guest_password_request(const char *password, struct arena *arena, struct exec_request *ret);
/* Sets the running and the stored host name, and the line in /etc/hosts. HOSTNAME passed name_is_hostname. */
void guest_hostname_request(const char *hostname, struct arena *arena, struct exec_request *ret);
/* basicShell/exec: COMMAND run by /bin/sh -c (bash where there is one) from /root with a login-like
 * environment. */
void guest_shell_request(const char *command, struct arena *arena, struct exec_request *ret);
/* basicShell/cd: prints the new directory, or fails with the shell's words. */
void guest_cd_request(
	const char *current_dir, const char *new_dir, struct arena *arena, struct exec_request *ret);
/* shellScript/exec: stores SCRIPT (from standard input) and runs it detached with its output in LOG_PATH. */
void guest_script_request(
	const char *script, const char *log_path, struct arena *arena, struct exec_request *ret);
/* Prints what guest_live_parse reads. */
void guest_live_request(struct arena *arena, struct exec_request *ret);

struct guest_live {
	const char *hostname;	  /* "" when unknown */
	const char *load_average; /* the raw line of /proc/loadavg */
	int64_t mem_total_kb, mem_available_kb, swap_total_kb, swap_available_kb;
	int64_t conntrack_count, tcp_sockets, open_files;
};
/* OUTPUT is hostile: anything missing or wrong becomes 0 or ""; strings are cut, made printable and live in
 * ARENA. */
void guest_live_parse(const char *output, size_t len, struct arena *arena, struct guest_live *ret);
