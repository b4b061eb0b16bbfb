/* Feeds a fuzz target with every file of a folder, and with every beginning of each. */
#include "base/fd.h"
#include "base/memory.h"
#include "base/owned.h"
#include <dirent.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t len);

static int replay(const char *folder, const char *name)
{
	owned_mem char *path = mem_printf("%s/%s", folder, name), *bytes = NULL;
	size_t len = 0;
	struct error err = {0};
	if (file_read(path, 1 << 20, &bytes, &len, &err) < 0) {
		fprintf(stderr, "%s\n", err.message);
		return -1;
	}
	for (size_t part = 0; part <= len; part++)
		LLVMFuzzerTestOneInput((const unsigned char *)bytes, part);
	return 0;
}

int main(int argc, char **argv)
{
	int count = 0;
	DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
	if (!folder)
		return 2;
	for (struct dirent *entry; (entry = readdir(folder));) {
		if (entry->d_name[0] == '.')
			continue;
		if (replay(argv[1], entry->d_name) < 0)
			return 1;
		count++;
	}
	closedir(folder);
	printf("%d files\n", count);
	return count ? 0 : 1;
}
