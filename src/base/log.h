/* One line a fact, to standard error: under systemd with its <N> priority prefix, elsewhere with the time. A
 * line carries the thread's request or work id. Callers never pass secrets; control characters are escaped.
 */
#pragma once

enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARNING = 4, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };

/* Sets the level (lines above it are dropped) and the program's part, e.g. "api", which every line starts
 * with. */
void log_open(enum log_level level, const char *part);
/* The id lines of this thread carry, at most 31 bytes; NULL or "" for none. Copied. */
void log_id_set(const char *id);
const char *log_id(void);
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)
