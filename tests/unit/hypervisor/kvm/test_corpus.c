/* Replays the corpus of the fuzz targets, which need not be built for it. */
#include "base/fd.h"
#include "base/owned.h"
#include "base/text.h"
#include "hypervisor/kvm/agent_json.h"
#include "hypervisor/kvm/picture.h"
#include <dirent.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

static void read_as_reply(const char *bytes, size_t len)
{
	owned_in(exec_result_done) struct exec_result result = {.output = BUFFER_INIT(64)};
	bool exited = false;
	int64_t pid = 0;
	agent_read_pid(bytes, len, &pid, NULL);
	assert_in_range(pid, 0, INT32_MAX);
	agent_read_status(bytes, len, 64, &exited, &result, NULL);
	assert_false(result.output.overflowed);
	assert_in_range(result.exit_status, 0, 255);
}

static void read_as_picture(const char *bytes, size_t len)
{
	owned_in(buffer_done) struct buffer png = BUFFER_INIT(PICTURE_PNG_MAX);
	int rc = kvm_picture_to_png(bytes, len, &png, NULL);
	assert_int_equal(rc == 0, png.len > 0);
}

static void replay(const char *folder, void (*read_one)(const char *bytes, size_t len))
{
	char path[1024];
	int count = 0;
	text_format(path, sizeof(path), "%s/%s", CORPUS_DIR, folder);
	DIR *dir = opendir(path);
	assert_non_null(dir);
	for (struct dirent *entry; (entry = readdir(dir));) {
		owned_mem char *bytes = NULL;
		size_t len = 0;
		if (entry->d_name[0] == '.')
			continue;
		assert_true(text_format(path, sizeof(path), "%s/%s/%s", CORPUS_DIR, folder, entry->d_name));
		assert_true(file_read(path, 1 << 20, &bytes, &len, NULL) >= 0);
		read_one(bytes, len);
		count++;
	}
	closedir(dir);
	assert_true(count > 0);
}

static void test_replies(void **state)
{
	(void)state;
	replay("agent", read_as_reply);
}

static void test_pictures(void **state)
{
	(void)state;
	replay("picture", read_as_picture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_pictures),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
