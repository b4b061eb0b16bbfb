#include "daemon/config.h"
#include "base/arena.h"
#include "base/fd.h"
#include "base/memory.h"
#include "base/text.h"
#include <ini.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { FILE_MAX = 1 << 20 };

struct config_texts {
	struct arena arena;
};

enum kind { KIND_text, KIND_int, KIND_size, KIND_flag };
static const char *const kind_takes[] = {
	"a text", "a whole number", "a size such as 512M or 20G", "yes or no"};

static const struct setting {
	const char *section, *key;
	enum kind kind;
	size_t offset;
} settings[] = {
#define SECTION(name, doc)
#define SETTING(section, key, kind, fallback, doc) \
	{#section, #key, KIND_##kind, offsetof(struct config, section##_##key)},
#include "api/config.def"
#undef SECTION
#undef SETTING
};

struct reader {
	struct config *config;
	const char *path;
	struct error *err;
	int rc;
};

static const struct setting *find_setting(const char *section, const char *key)
{
	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		if (text_equal(settings[i].section, section) && text_equal(settings[i].key, key))
			return &settings[i];
	return NULL;
}

static bool to_flag(const char *text, bool *ret)
{
	*ret = text_equal(text, "yes") || text_equal(text, "true") || text_equal(text, "1") ||
	       text_equal(text, "on");
	return *ret || text_equal(text, "no") || text_equal(text, "false") || text_equal(text, "0") ||
	       text_equal(text, "off");
}

static bool store_value(struct config *config, const struct setting *setting, const char *value)
{
	void *place = (char *)config + setting->offset;
	uint64_t size;
	switch (setting->kind) {
	case KIND_text:
		*(const char **)place = arena_strdup(&config->texts->arena, value);
		return true;
	case KIND_int:
		return text_to_int64(value, 0, INT64_MAX, place);
	case KIND_size:
		if (!text_to_bytes(value, &size))
			return false;
		*(int64_t *)place = (int64_t)size;
		return true;
	case KIND_flag:
		return to_flag(value, place);
	}
	return false;
}

/* inih's callback: 1 goes on. */
static int take_setting(void *context, const char *section, const char *key, const char *value)
{
	struct reader *reader = context;
	const struct setting *setting = find_setting(section, key);
	if (reader->rc < 0)
		return 1;
	if (!setting)
		reader->rc = err_say(reader->err, ERR_INVALID, "%s: there is no setting %s in section [%s]",
			reader->path, key, section);
	else if (!store_value(reader->config, setting, value))
		reader->rc = err_say(reader->err, ERR_INVALID, "%s: [%s] %s takes %s, not \"%.60s\"",
			reader->path, section, key, kind_takes[setting->kind], value);
	return 1;
}

static int read_file(struct config *config, const char *path, struct error *err)
{
	owned_mem char *text = NULL;
	int rc = file_read(path, FILE_MAX, &text, NULL, err);
	if (rc < 0)
		return rc;
	struct reader reader = {.config = config, .path = path, .err = err};
	int line = ini_parse_string(text, take_setting, &reader);
	if (reader.rc == 0 && line != 0)
		return err_say(
			err, ERR_INVALID, "%s: line %d is not \"key = value\" or \"[section]\"", path, line);
	return reader.rc;
}

const char *config_path(struct config *config, const char *format, ...)
{
	char path[512];
	va_list args;
	va_start(args, format);
	vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	return arena_strdup(&config->texts->arena, path);
}

static void set_defaults(struct config *config)
{
#define SECTION(name, doc)
#define SETTING(section, key, kind, fallback, doc) config->section##_##key = fallback;
#include "api/config.def"
#undef SECTION
#undef SETTING
}

static void derive(struct config *config)
{
	if (!config->moad_store[0])
		config->moad_store = config_path(config, "sqlite:%s/store/moa.db", config->moad_state_dir);
	if (!config->node_pool_dir[0])
		config->node_pool_dir = config_path(config, "%s/pool", config->moad_state_dir);
	if (!config->api_tls_cert[0])
		config->api_tls_cert = config_path(config, "%s/tls/cert.pem", config->moad_state_dir);
	if (!config->api_tls_key[0])
		config->api_tls_key = config_path(config, "%s/tls/key.pem", config->moad_state_dir);
}

static int check(const struct config *config, struct error *err)
{
	if (config->moad_state_dir[0] != '/' || config->moad_run_dir[0] != '/')
		return err_say(err, ERR_INVALID, "[moad] state_dir and run_dir take absolute paths");
	if (strlen(config->node_name_prefix) > 8 || !config->node_name_prefix[0] ||
		!text_only(config->node_name_prefix, TEXT_LOWER TEXT_DIGITS))
		return err_say(
			err, ERR_INVALID, "[node] name_prefix takes 1 to 8 lower-case letters and digits");
	if (!text_equal(config->node_hypervisor, "real") && !text_equal(config->node_hypervisor, "sim"))
		return err_say(err, ERR_INVALID, "[node] hypervisor takes real or sim");
	if (strlen(config->node_bridge) > 15 || !config->node_bridge[0])
		return err_say(err, ERR_INVALID, "[node] bridge takes an interface name of at most 15 bytes");
	return 0;
}

int config_load(const char *path, struct config **ret, struct error *err)
{
	owned(config_free) struct config *config = mem_new(struct config);
	config->texts = mem_new(struct config_texts);
	set_defaults(config);
	int rc = read_file(config, path ? path : CONFIG_DEFAULT_PATH, err);
	if (rc == -ERR_NOT_FOUND && !path)
		rc = 0;
	if (rc == 0)
		rc = check(config, err);
	if (rc < 0)
		return rc;
	derive(config);
	*ret = take(config);
	return 0;
}

void config_free(struct config *config)
{
	arena_done(&config->texts->arena);
	free(config->texts);
	free(config);
}
