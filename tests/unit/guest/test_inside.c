/* Programs that change the system they run in: the host name and root's password. Run with a folder of our
 * own over /etc and a host name of our own, and in a root that holds nothing but busybox. */
#include "base/fd.h"
#include "base/memory.h"
#include "base/owned.h"
#include "base/process.h"
#include "base/text.h"
#include "guest/guest.h"
#include "shells.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <crypt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

struct place {
	char top[32];
};

static void put(const struct place *place, const char *name, const char *text)
{
	owned_mem char *path = mem_printf("%s/%s", place->top, name), *folder = mem_strdup(path);
	*strrchr(folder, '/') = '\0';
	assert_int_equal(dir_make(folder, 0755, NULL), 0);
	assert_int_equal(file_write_atomic(path, text, strlen(text), 0644, NULL), 0);
}

static char *get(const struct place *place, const char *name)
{
	owned_mem char *path = mem_printf("%s/%s", place->top, name);
	char *text = NULL;
	struct error err = {0};
	if (file_read(path, 65536, &text, NULL, &err) < 0)
		fail_msg("%s", err.message);
	return text;
}

static void assert_file(const struct place *place, const char *name, const char *expected)
{
	owned_mem char *text = get(place, name);
	assert_string_equal(text, expected);
}

/* Runs REQUEST with TOP/etc as /etc and a host name that vanishes; then prints that name. SHELL is words for
 * one line. */
static void run_inside(const struct place *place, const char *shell, const struct exec_request *request,
	int status, const char *output)
{
	owned_mem char *etc = mem_printf("%s/etc", place->top);
	owned_mem char *program = mem_printf("mount --bind \"$0\" /etc || exit 99; %s -c \"$@\"; status=$?; "
					     "cat /proc/sys/kernel/hostname; exit $status",
		shell);
	const char *const prefix[] = {
		"unshare", "--mount", "--uts", "--propagation", "private", "sh", "-c", program, etc, NULL};
	struct exec_request inner = *request;
	inner.argv = request->argv + 1; /* -c goes into PROGRAM */
	owned_in(process_result_done) struct process_result result;
	run_request(prefix, &inner, &result);
	assert_string_equal(result.output.data, output);
	assert_int_equal(result.exit_status, status);
}

static void run_in_busybox(
	const struct place *place, const struct exec_request *request, struct process_result *result)
{
	const char *const prefix[] = {"unshare", "--uts", "chroot", place->top, "/bin/sh", NULL};
	run_request(prefix, request, result);
	assert_int_equal(result->exit_status, 0);
}

static const char *const words[] = {"sh", "dash", "bash", "'busybox' sh"};

static void set_name(const struct place *place, const char *shell, const char *name, const char *running)
{
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	struct exec_request request;
	owned_mem char *line = mem_printf("%s\n", running);
	guest_hostname_request(name, &arena, &request);
	run_inside(place, shell, &request, 0, line);
	assert_file(place, "etc/hostname", line);
}

#define HOSTS_BEFORE "127.0.0.1\tlocalhost\n# kept \\n %s $x `y`\n"
#define HOSTS_AFTER "\n::1 localhost\n  indented   line\n"

static void a_name_is_set(void **state)
{
	const struct place *place = *state;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		put(place, "etc/hostname", "old\n");
		put(place, "etc/hosts", HOSTS_BEFORE "127.0.1.1\told.example.com old\n" HOSTS_AFTER);
		set_name(place, words[i], "web.example.com", "web.example.com");
		assert_file(place, "etc/hosts", HOSTS_BEFORE "127.0.1.1 web.example.com web\n" HOSTS_AFTER);
		set_name(place, words[i], "db", "db");
		assert_file(place, "etc/hosts", HOSTS_BEFORE "127.0.1.1 db\n" HOSTS_AFTER);
		set_name(place, words[i], "db", "db");
		assert_file(place, "etc/hosts", HOSTS_BEFORE "127.0.1.1 db\n" HOSTS_AFTER);
	}
}

static void a_missing_line_and_file_are_made(void **state)
{
	const struct place *place = *state;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		put(place, "etc/hosts", "127.0.0.1 localhost\n127.0.1.10 other\n# no end");
		set_name(place, words[i], "db", "db");
		assert_file(place, "etc/hosts",
			"127.0.0.1 localhost\n127.0.1.10 other\n# no end\n127.0.1.1 db\n");
		owned_mem char *hosts = mem_printf("%s/etc/hosts", place->top);
		assert_int_equal(unlink(hosts), 0);
		set_name(place, words[i], "db", "db");
		assert_file(place, "etc/hosts", "127.0.1.1 db\n");
	}
}

#define LONG_NAME "a-rather-long-label.another-quite-long-label.and-one-more-to-be-sure.example.com"

static void a_long_name_runs_as_its_first_label(void **state)
{
	const struct place *place = *state;
	put(place, "etc/hosts", "");
	set_name(place, "sh", LONG_NAME, "a-rather-long-label");
	assert_file(place, "etc/hosts", "127.0.1.1 " LONG_NAME " a-rather-long-label\n");
}

static void cloud_init_is_told(void **state)
{
	const struct place *place = *state;
	owned_mem char *told = mem_printf("%s/etc/cloud", place->top);
	set_name(place, "sh", "db", "db");
	assert_int_equal(access(told, F_OK), -1);
	put(place, "etc/cloud/cloud.cfg", "preserve_hostname: false\n");
	set_name(place, "sh", "db", "db");
	assert_file(place, "etc/cloud/cloud.cfg.d/99-moa-hostname.cfg",
		"preserve_hostname: true\nmanage_etc_hosts: false\n");
}

/* Where /etc/hosts is a mount of its own it cannot be renamed over. */
static void a_mounted_file_is_written_in_place(void **state)
{
	const struct place *place = *state;
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	struct exec_request request;
	put(place, "etc/hosts", "127.0.0.1 localhost\n");
	put(place, "mounted", "127.0.1.1 old\n::1 localhost\n");
	guest_hostname_request("db", &arena, &request);
	owned_mem char *shell = mem_printf("mount --bind %s/mounted /etc/hosts && sh", place->top);
	run_inside(place, shell, &request, 0, "db\n");
	assert_file(place, "mounted", "127.0.1.1 db\n::1 localhost\n");
	assert_file(place, "etc/hosts", "127.0.0.1 localhost\n");
}

static void nothing_temporary_is_left(void **state)
{
	const struct place *place = *state;
	put(place, "etc/hosts", "127.0.0.1 localhost\n");
	set_name(place, "sh", "db", "db");
	owned_mem char *etc = mem_printf("%s/etc", place->top);
	const char *const argv[] = {"ls", "-A", etc, NULL};
	owned_in(process_result_done) struct process_result result;
	assert_int_equal(process_run(&(struct process_request){.argv = argv}, &result, NULL), 0);
	assert_string_equal(result.output.data, "hostname\nhosts\n");
}

static void busybox_alone_takes_a_name(void **state)
{
	const struct place *place = *state;
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	owned_in(process_result_done) struct process_result result;
	struct exec_request request;
	put(place, "etc/hosts", "127.0.0.1 localhost\n127.0.1.1 old\n");
	guest_hostname_request("web.example.com", &arena, &request);
	run_in_busybox(place, &request, &result);
	assert_file(place, "etc/hosts", "127.0.0.1 localhost\n127.0.1.1 web.example.com web\n");
	assert_file(place, "etc/hostname", "web.example.com\n");
}

static void busybox_alone_runs_commands(void **state)
{
	const struct place *place = *state;
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	owned_in(process_result_done) struct process_result result;
	struct exec_request request;
	guest_shell_request("cat; echo $SHELL in $(pwd)", &arena, &request);
	run_in_busybox(place, &request, &result);
	assert_string_equal(result.output.data, "/bin/sh in /root\n");
}

static void assert_password(const struct place *place, const char *password)
{
	owned_mem char *shadow = get(place, "etc/shadow");
	struct crypt_data data = {0};
	assert_true(text_starts(shadow, "root:$"));
	char *hash = shadow + strlen("root:");
	hash[strcspn(hash, ":")] = '\0';
	assert_string_equal(crypt_rn(password, hash, &data, sizeof(data)), hash);
}

/* Under the system's own chpasswd, with the host's rules for passwords and a password file of our own. */
static void a_password_is_set(void **state)
{
	const struct place *place = *state;
	if (access("/usr/sbin/chpasswd", X_OK) != 0) {
		print_message("SKIP: chpasswd is not installed\n");
		skip();
	}
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	struct exec_request request;
	char name[65] = "";
	assert_int_equal(gethostname(name, sizeof(name) - 1), 0);
	owned_mem char *line = mem_printf("%s\n", name), *etc = mem_printf("%s/etc", place->top);
	const char *const copy[] = {
		"cp", "-a", "/etc/pam.d", "/etc/login.defs", "/etc/nsswitch.conf", etc, NULL};
	assert_int_equal(process_check(copy, 0, NULL), 0);
	put(place, "etc/passwd", "root:x:0:0:root:/root:/bin/sh\n");
	put(place, "etc/group", "root:x:0:\nshadow:x:42:\n");
	put(place, "etc/shadow", "root:!:19000:0:99999:7:::\n");
	guest_password_request("Ab3dEf5hJk7m", &arena, &request);
	run_inside(place, "sh", &request, 0, line);
	assert_password(place, "Ab3dEf5hJk7m");
}

static int set_up(void **state)
{
	struct place *place = mem_new(struct place);
	strcpy(place->top, "/tmp/moa-inside-XXXXXX");
	assert_non_null(mkdtemp(place->top));
	*state = place;
	owned_mem char *etc = mem_printf("%s/etc", place->top);
	return dir_make(etc, 0755, NULL);
}

/* A busybox that needs no libraries, under the names of what it can do. */
static int set_up_busybox(void **state)
{
	set_up(state);
	struct place *place = *state;
	const char *source = access("/bin/busybox", X_OK) == 0 ? "/bin/busybox" : "/usr/bin/busybox";
	owned_mem char *bin = mem_printf("%s/bin", place->top), *root = mem_printf("%s/root", place->top),
		       *target = mem_printf("%s/busybox", bin);
	const char *const copy[] = {"cp", source, target, NULL};
	const char *const install[] = {"chroot", place->top, "/bin/busybox", "--install", "-s", "/bin", NULL};
	owned_mem char *dev = mem_printf("%s/dev", place->top), *null = mem_printf("%s/dev/null", place->top);
	assert_int_equal(dir_make(dev, 0755, NULL), 0);
	assert_int_equal(mknod(null, S_IFCHR | 0666, makedev(1, 3)), 0);
	assert_int_equal(dir_make(bin, 0755, NULL), 0);
	assert_int_equal(dir_make(root, 0755, NULL), 0);
	assert_int_equal(process_check(copy, 0, NULL), 0);
	return process_check(install, 0, NULL);
}

static int tear_down(void **state)
{
	struct place *place = *state;
	int rc = dir_remove_tree(place->top, NULL);
	free(place);
	return rc;
}

#define IN_ETC(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define IN_BUSYBOX(test) cmocka_unit_test_setup_teardown(test, set_up_busybox, tear_down)

int main(void)
{
	if (geteuid() != 0 || (access("/bin/busybox", X_OK) != 0 && access("/usr/bin/busybox", X_OK) != 0)) {
		print_message("SKIP: needs root and busybox\n");
		return 77;
	}
	const struct CMUnitTest tests[] = {
		IN_ETC(a_name_is_set),
		IN_ETC(a_missing_line_and_file_are_made),
		IN_ETC(a_long_name_runs_as_its_first_label),
		IN_ETC(cloud_init_is_told),
		IN_ETC(a_mounted_file_is_written_in_place),
		IN_ETC(nothing_temporary_is_left),
		IN_BUSYBOX(busybox_alone_takes_a_name),
		IN_BUSYBOX(busybox_alone_runs_commands),
		IN_ETC(a_password_is_set),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
