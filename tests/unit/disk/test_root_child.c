/* The confined child: what it may not do, its limits, and that nothing of it stays. Needs root. */
#include "support.h"
#include "base/fd.h"
#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>

static int run(int (*function)(void *, int64_t *, struct error *), enum child_rights rights, void *context,
	int64_t result[2], struct error *err)
{
	const struct child child = {.rights = rights,
		.dir = "/tmp",
		.keep_fd = -1,
		.run = function,
		.context = context,
		.timeout_ms = 20000,
		.file_bytes_max = 1 << 20,
		.memory_bytes_max = (int64_t)1 << 30};
	return child_run(&child, result, err);
}

static int look(void *context, int64_t result[2], struct error *err)
{
	const pid_t *parent = context;
	(void)err;
	result[0] = geteuid();
	result[1] = (kill(*parent, 0) == 0) | (mount("none", "/mnt", "tmpfs", 0, NULL) == 0) << 1 |
		    (access("/etc/shadow", R_OK) == 0) << 2 | (setuid(0) == 0) << 3 |
		    (mknod("d", S_IFBLK, 0x701) == 0) << 4;
	return 0;
}

static void test_nobody(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	struct error err = {0};
	int64_t result[2] = {-1, -1};
	pid_t parent = getpid();
	assert_ok(run(look, CHILD_NOBODY, &parent, result, &err), err);
	assert_int_equal(result[0], CHILD_UID);
	assert_int_equal(result[1], 0);
}

static int look_as_unpacker(void *context, int64_t result[2], struct error *err)
{
	const pid_t *parent = context;
	(void)err;
	result[0] = (access("/etc/passwd", F_OK) == 0) | (chroot("/") == 0) << 1;
	result[1] = (kill(*parent, 0) == 0) | (mount("none", "/", "tmpfs", 0, NULL) == 0) << 1 |
		    (mknod("d", S_IFBLK, 0x701) == 0) << 2 | (socket(AF_PACKET, SOCK_RAW, 0) >= 0) << 3;
	return 0;
}

static void test_unpacker(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	struct error err = {0};
	int64_t result[2] = {-1, -1};
	pid_t parent = getpid();
	assert_ok(run(look_as_unpacker, CHILD_UNPACKER, &parent, result, &err), err);
	assert_int_equal(result[0], 0);
	assert_int_equal(result[1], 0);
}

static int count_files(void *context, int64_t result[2], struct error *err)
{
	(void)context, (void)err;
	for (int fd = 0; fd < 256; fd++)
		result[0] += fcntl(fd, F_GETFD) >= 0;
	return 0;
}

static void test_no_files_leak(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	struct error err = {0};
	int64_t result[2] = {0};
	int leaked[8];
	for (int i = 0; i < 8; i++)
		assert_true((leaked[i] = open("/etc/passwd", O_RDONLY)) >= 0);
	assert_ok(run(count_files, CHILD_NOBODY, NULL, result, &err), err);
	for (int i = 0; i < 8; i++)
		close(leaked[i]);
	assert_int_equal(result[0], 4); /* standard input, output, error and the report */
}

static int write_much(void *context, int64_t result[2], struct error *err)
{
	(void)context;
	static char block[1 << 16];
	owned_fd int fd = open(".", O_TMPFILE | O_WRONLY, 0600);
	if (fd < 0)
		return err_errno(err, errno, "open");
	while (result[0] < 8 << 20) {
		ssize_t wrote = write(fd, block, sizeof(block));
		if (wrote < 0)
			return err_set(err, ERR_TOO_LARGE, "stopped: %d", errno == EFBIG);
		result[0] += wrote;
	}
	return 0;
}

static void test_file_limit(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	struct error err = {0};
	assert_int_equal(run(write_much, CHILD_NOBODY, NULL, NULL, &err), -ERR_TOO_LARGE);
	assert_string_equal(err.message, "stopped: 1");
}

static int crash(void *context, int64_t result[2], struct error *err)
{
	(void)context, (void)result, (void)err;
	static const char words[] = "No space left on device\n";
	if (context)
		_exit(write(STDERR_FILENO, words, sizeof(words) - 1) > 0 ? 3 : 4);
	_exit(5);
}

static int hang(void *context, int64_t result[2], struct error *err)
{
	(void)context, (void)result, (void)err;
	while (pause() < 0)
		;
	return 0;
}

static void test_bad_ends(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	struct error err = {0};
	int flag;
	assert_int_equal(run(crash, CHILD_NOBODY, NULL, NULL, &err), -ERR_IO);
	assert_int_equal(run(crash, CHILD_NOBODY, &flag, NULL, &err), -ERR_CAPACITY);
	const struct child child = {.rights = CHILD_NOBODY,
		.dir = "/tmp",
		.keep_fd = -1,
		.run = hang,
		.timeout_ms = 200,
		.file_bytes_max = 1 << 20,
		.memory_bytes_max = (int64_t)1 << 30};
	assert_int_equal(child_run(&child, NULL, &err), -ERR_TIMEOUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_nobody), cmocka_unit_test(test_unpacker),
		cmocka_unit_test(test_no_files_leak), cmocka_unit_test(test_file_limit),
		cmocka_unit_test(test_bad_ends)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
