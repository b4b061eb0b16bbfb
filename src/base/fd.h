/* File descriptors and whole small files. */
#pragma once
#include "base/buffer.h"
#include "base/error.h"
#include <stddef.h>
#include <sys/types.h>
#include <unistd.h>

static inline void fd_close_owned(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
/* `owned_fd int fd = -1;` is closed at the end of the scope when it is 0 or more. */
#define owned_fd __attribute__((cleanup(fd_close_owned)))
/* The descriptor in FD, which becomes -1: the caller owns it from here on. */
#define fd_take(fd) \
	({ \
		int taken_fd_ = (fd); \
		(fd) = -1; \
		taken_fd_; \
	})

/* Writes all LEN bytes. */
int fd_write_all(int fd, const void *bytes, size_t len, struct error *err);
/* Reads to the end into BUFFER; ERR_TOO_LARGE past its maximum. */
int fd_read_all(int fd, struct buffer *buffer, struct error *err);
/* The whole file, at most MAX_LEN bytes, NUL-terminated; *ret is the caller's to free. Returns 0; len may be
 * NULL. */
int file_read(const char *path, size_t max_len, char **ret, size_t *ret_len, struct error *err);
/* Replaces PATH by a file of these bytes and MODE, whole or not at all: temporary name, fsync, rename, fsync
 * of the folder. */
int file_write_atomic(const char *path, const void *bytes, size_t len, mode_t mode, struct error *err);
/* mkdir -p; what exists is left as it is. */
int dir_make(const char *path, mode_t mode, struct error *err);
/* Removes a tree below PATH without following links or leaving its file system; a missing one is fine. */
int dir_remove_tree(const char *path, struct error *err);
/* Makes a rename or a new name in the folder of PATH durable. */
int dir_sync_of(const char *path, struct error *err);
