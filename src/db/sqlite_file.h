/* The file of an SQLite store: who may read it, and whose it is. */
#pragma once
#include "base/error.h"

/* Makes sure PATH is a regular file in a folder that exists: a new one has mode 0600 and, made by root, the
 * folder's owner. No link is followed in its last part. *ret is the path without any link, the caller's to
 * free. */
int sqlite_file_prepare(const char *path, char **ret, struct error *err);
