/* Whole small files and trees, in a folder of the test's own; and what the log lets through. */
#include "base/fd.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/owned.h"
#include "base/text.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

struct folder {
	char path[64];
	char file[96];
};

static int make_folder(void **state)
{
	struct folder *folder = mem_new(struct folder);
	strcpy(folder->path, "/tmp/moa-files-XXXXXX");
	if (!mkdtemp(folder->path))
		return -1;
	snprintf(folder->file, sizeof(folder->file), "%s/file", folder->path);
	*state = folder;
	return 0;
}

static int remove_folder(void **state)
{
	struct folder *folder = *state;
	int rc = dir_remove_tree(folder->path, NULL);
	free(folder);
	return rc;
}

static int count_entries(const char *path)
{
	DIR *dir = opendir(path);
	int count = 0;
	for (struct dirent *entry; (entry = readdir(dir));)
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

static void written_is_read(void **state)
{
	struct folder *folder = *state;
	struct error err = {0};
	owned_mem char *text = NULL;
	size_t len;
	umask(077);
	assert_int_equal(file_write_atomic(folder->file, "a\0b", 3, 0644, &err), 0);
	assert_int_equal(file_read(folder->file, 100, &text, &len, &err), 0);
	assert_int_equal(len, 3);
	assert_memory_equal(text, "a\0b", 4);
	struct stat st;
	assert_int_equal(stat(folder->file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(count_entries(folder->path), 1);
}

static void a_replaced_file_is_whole_for_who_has_it_open(void **state)
{
	struct folder *folder = *state;
	assert_int_equal(file_write_atomic(folder->file, "old", 3, 0600, NULL), 0);
	owned_fd int fd = open(folder->file, O_RDONLY | O_CLOEXEC);
	assert_int_equal(file_write_atomic(folder->file, "newer", 5, 0600, NULL), 0);
	char bytes[8] = "";
	assert_int_equal(read(fd, bytes, sizeof(bytes)), 3);
	assert_string_equal(bytes, "old");
	owned_mem char *text = NULL;
	assert_int_equal(file_read(folder->file, 100, &text, NULL, NULL), 0);
	assert_string_equal(text, "newer");
}

/* The write fails half-way (a limit on file sizes stands for a full disk): the old file stays, nothing else
 * does. */
static void a_failed_write_leaves_the_old_file_alone(void **state)
{
	struct folder *folder = *state;
	assert_int_equal(file_write_atomic(folder->file, "old", 3, 0600, NULL), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct rlimit limit = {4096, 4096};
		setrlimit(RLIMIT_FSIZE, &limit);
		signal(SIGXFSZ, SIG_IGN);
		char big[10000] = {0};
		struct error err = {0};
		int rc = file_write_atomic(folder->file, big, sizeof(big), 0600, &err);
		_exit(rc < 0 && err.code != 0 ? 7 : 1);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 7);
	owned_mem char *text = NULL;
	assert_int_equal(file_read(folder->file, 100, &text, NULL, NULL), 0);
	assert_string_equal(text, "old");
	assert_int_equal(count_entries(folder->path), 1);
}

static void writing_over_a_folder_fails_and_leaves_nothing(void **state)
{
	struct folder *folder = *state;
	struct error err = {0};
	assert_int_equal(dir_make(folder->file, 0700, NULL), 0);
	assert_true(file_write_atomic(folder->file, "x", 1, 0600, &err) < 0);
	assert_int_equal(count_entries(folder->path), 1);
	owned_mem char *nowhere = mem_printf("%s/missing/file", folder->path);
	assert_int_equal(file_write_atomic(nowhere, "x", 1, 0600, &err), -ERR_NOT_FOUND);
	assert_int_equal(count_entries(folder->path), 1);
}

static void a_link_is_replaced_and_not_followed(void **state)
{
	struct folder *folder = *state;
	owned_mem char *target = mem_printf("%s/target", folder->path);
	assert_int_equal(file_write_atomic(target, "untouched", 9, 0600, NULL), 0);
	assert_int_equal(symlink(target, folder->file), 0);
	assert_int_equal(file_write_atomic(folder->file, "x", 1, 0600, NULL), 0);
	owned_mem char *text = NULL;
	assert_int_equal(file_read(target, 100, &text, NULL, NULL), 0);
	assert_string_equal(text, "untouched");
}

static void too_large_is_refused(void **state)
{
	struct folder *folder = *state;
	struct error err = {0};
	char *text = NULL;
	char big[40000];
	memset(big, 'x', sizeof(big));
	assert_int_equal(file_write_atomic(folder->file, big, sizeof(big), 0600, NULL), 0);
	assert_int_equal(file_read(folder->file, sizeof(big) - 1, &text, NULL, &err), -ERR_TOO_LARGE);
	assert_null(text);
	assert_int_equal(file_read(folder->file, sizeof(big), &text, NULL, &err), 0);
	free(text);
	text = NULL;
	assert_int_equal(file_read("/dev/zero", 5000, &text, NULL, &err), -ERR_TOO_LARGE);
	assert_int_equal(file_read("/nonexistent/file", 10, &text, NULL, &err), -ERR_NOT_FOUND);
	assert_null(text);
}

static void folders_are_made_with_their_parents(void **state)
{
	struct folder *folder = *state;
	struct error err = {0};
	owned_mem char *deep = mem_printf("%s/a/b//c/", folder->path);
	assert_int_equal(dir_make(deep, 0700, &err), 0);
	assert_int_equal(dir_make(deep, 0700, &err), 0);
	assert_int_equal(access(deep, F_OK), 0);
	assert_int_equal(file_write_atomic(folder->file, "x", 1, 0600, NULL), 0);
	owned_mem char *below_file = mem_printf("%s/x/y", folder->file);
	assert_true(dir_make(below_file, 0700, &err) < 0);
	assert_int_equal(dir_make("", 0700, &err), -ERR_INVALID);
}

static void removing_a_tree_follows_no_link(void **state)
{
	struct folder *folder = *state;
	owned_mem char *kept = mem_printf("%s/kept", folder->path);
	owned_mem char *precious = mem_printf("%s/kept/precious", folder->path);
	owned_mem char *tree = mem_printf("%s/tree/deep", folder->path);
	owned_mem char *link = mem_printf("%s/tree/deep/link", folder->path);
	owned_mem char *top = mem_printf("%s/tree", folder->path);
	assert_int_equal(dir_make(kept, 0700, NULL), 0);
	assert_int_equal(file_write_atomic(precious, "x", 1, 0600, NULL), 0);
	assert_int_equal(dir_make(tree, 0700, NULL), 0);
	assert_int_equal(symlink(kept, link), 0);
	assert_int_equal(dir_remove_tree(top, NULL), 0);
	assert_int_not_equal(access(top, F_OK), 0);
	assert_int_equal(access(precious, F_OK), 0);
	assert_int_equal(dir_remove_tree(top, NULL), 0);
}

static void descriptors_are_handed_over(void **state)
{
	(void)state;
	int copy;
	{
		owned_fd int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		copy = fd_take(fd);
		assert_int_equal(fd, -1);
	}
	assert_true(fcntl(copy, F_GETFD) >= 0);
	{
		owned_fd int fd = copy;
		(void)fd;
	}
	assert_int_equal(fcntl(copy, F_GETFD), -1);
	assert_int_equal(errno, EBADF);
}

/* Runs a child whose log goes to the folder's file, and reads it. */
static char *logged(struct folder *folder, const char *message)
{
	pid_t pid = fork();
	if (pid == 0) {
		unsetenv("JOURNAL_STREAM");
		int fd = open(folder->file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		dup2(fd, STDERR_FILENO);
		log_open(LOG_LEVEL_INFO, "unit");
		log_id_set("request1");
		log_debug("not seen: below the level");
		log_error("%s", message);
		_exit(0);
	}
	int status;
	waitpid(pid, &status, 0);
	char *text = NULL;
	assert_int_equal(file_read(folder->file, 1 << 20, &text, NULL, NULL), 0);
	return text;
}

static void a_log_line_cannot_be_forged(void **state)
{
	owned_mem char *text = logged(*state, "name \"a\n2026 moad: all is well\x1b[2J\r\x7f\"");
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	assert_null(strchr(text, '\x1b'));
	assert_null(strchr(text, '\r'));
	assert_null(strchr(text, '\x7f'));
	assert_non_null(strstr(text, "unit: [request1] error: name"));
	assert_null(strstr(text, "not seen"));
}

static void a_long_log_line_is_cut(void **state)
{
	char big[5000];
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	owned_mem char *text = logged(*state, big);
	assert_true(strlen(text) < 2100);
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)
	const struct CMUnitTest tests[] = {
		IN_FOLDER(written_is_read),
		IN_FOLDER(a_replaced_file_is_whole_for_who_has_it_open),
		IN_FOLDER(a_failed_write_leaves_the_old_file_alone),
		IN_FOLDER(writing_over_a_folder_fails_and_leaves_nothing),
		IN_FOLDER(a_link_is_replaced_and_not_followed),
		IN_FOLDER(too_large_is_refused),
		IN_FOLDER(folders_are_made_with_their_parents),
		IN_FOLDER(removing_a_tree_follows_no_link),
		cmocka_unit_test(descriptors_are_handed_over),
		IN_FOLDER(a_log_line_cannot_be_forged),
		IN_FOLDER(a_long_log_line_is_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
