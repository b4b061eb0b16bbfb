/* The files of a seed, by the names NoCloud looks for. */
#pragma once
#include "guest/guest.h"

enum { SEED_FILES = 3 };

struct seed_file {
	const char *name, *content; /* borrowed from the seed */
};

static inline void seed_files(const struct seed *seed, struct seed_file place[SEED_FILES])
{
	place[0] = (struct seed_file){"meta-data", seed->meta_data};
	place[1] = (struct seed_file){"network-config", seed->network_config};
	place[2] = (struct seed_file){"user-data", seed->user_data};
}
