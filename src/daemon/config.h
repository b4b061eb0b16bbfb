/* moad.conf: sections and settings of api/config.def. A missing setting has its default; an unknown or
 * malformed one is an error that names file, line and what it takes. */
#pragma once
#include "base/error.h"
#include "base/owned.h"
#include <stdbool.h>
#include <stdint.h>

#define CONFIG_TYPE_text const char *
#define CONFIG_TYPE_int int64_t
#define CONFIG_TYPE_size int64_t
#define CONFIG_TYPE_flag bool

struct config {
	struct config_texts *texts; /* what the texts below are kept in */
#define SECTION(name, doc)
#define SETTING(section, key, kind, fallback, doc) CONFIG_TYPE_##kind section##_##key;
#include "api/config.def"
#undef SECTION
#undef SETTING
};

#define CONFIG_DEFAULT_PATH "/etc/moa/moad.conf"

/* Reads PATH; NULL reads CONFIG_DEFAULT_PATH when there is one. Derived defaults (store, pool_dir,
 * certificate) are filled in. */
int config_load(const char *path, struct config **ret, struct error *err);
void config_free(struct config *config);
OWNED_DEFINE(struct config, config_free);
/* A path below a folder of the configuration; lives as long as it. */
const char *config_path(struct config *config, const char *format, ...) __attribute__((format(printf, 2, 3)));
