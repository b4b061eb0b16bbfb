/* What the disk tests share: a pool in a folder of its own that is gone afterwards whatever the test did, and
 * templates made by hand. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "disk/internal.h"

struct fixture {
	char base[64], dir[96], mounts[96], image[96];
	struct pool_config config;
	struct pool *pool;
};

int fixture_setup(void **state);     /* a pool without reflinks: anywhere */
int fixture_setup_xfs(void **state); /* on an XFS file; *state is NULL where that cannot be done */
int fixture_teardown(void **state);
struct fixture *fixture_or_skip(void **state);
void fixture_reopen(struct fixture *fixture);
/* A template with an image of SIZE bytes that begins with TEXT; ovz images are real ext4 when MAKE_EXT4. */
void add_template(struct fixture *fixture, const char *name, enum vps_type type, const char *text,
	int64_t size, bool make_ext4);
void write_file(const char *path, const void *bytes, size_t len);
int count_entries(struct fixture *fixture, const char *folder);
int64_t file_size(const char *path); /* -1 when it is missing */
/* How many loop devices have a file below the fixture's folder. */
int count_loops(const struct fixture *fixture);
#define assert_ok(rc, err) \
	do { \
		if ((rc) < 0) \
			fail_msg("%s", (err).message); \
	} while (0)
