/* How many connections each peer address has. An IPv6 peer counts by its /64, which is what one customer
 * gets; with single addresses the limit would not limit. What to do over the limit is for connection.c. */
#include "base/memory.h"
#include "http/internal.h"
#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 1024 };

struct source {
	struct source *next;
	struct in6_addr prefix;
	unsigned count;
};

struct source_table {
	pthread_mutex_t mutex;
	unsigned limit;
	struct source *buckets[BUCKETS];
};

struct source_table *source_table_new(unsigned limit)
{
	struct source_table *table = mem_new(struct source_table);
	pthread_mutex_init(&table->mutex, NULL);
	table->limit = limit;
	return table;
}

void source_table_free(struct source_table *table)
{
	pthread_mutex_destroy(&table->mutex);
	free(table);
}

static struct in6_addr prefix_of(const struct in6_addr *address)
{
	struct in6_addr prefix = *address;
	if (!IN6_IS_ADDR_V4MAPPED(address))
		memset(prefix.s6_addr + 8, 0, 8);
	return prefix;
}

static struct source **bucket_of(struct source_table *table, const struct in6_addr *prefix)
{
	uint32_t hash = 2166136261u;
	for (size_t i = 0; i < sizeof(prefix->s6_addr); i++)
		hash = (hash ^ prefix->s6_addr[i]) * 16777619u;
	return &table->buckets[(hash ^ hash >> 16) % BUCKETS];
}

static struct source *find_or_add(struct source **bucket, const struct in6_addr *prefix)
{
	for (struct source *source = *bucket; source; source = source->next)
		if (memcmp(&source->prefix, prefix, sizeof(*prefix)) == 0)
			return source;
	struct source *source = mem_new(struct source);
	source->prefix = *prefix;
	source->next = *bucket;
	*bucket = source;
	return source;
}

struct source *source_enter(struct source_table *table, const struct in6_addr *address)
{
	struct in6_addr prefix = prefix_of(address);
	pthread_mutex_lock(&table->mutex);
	struct source *source = find_or_add(bucket_of(table, &prefix), &prefix);
	if (source->count < table->limit)
		source->count++;
	else
		source = NULL; /* it has connections, so it stays in the table */
	pthread_mutex_unlock(&table->mutex);
	return source;
}

void source_leave(struct source_table *table, struct source *source)
{
	pthread_mutex_lock(&table->mutex);
	if (--source->count == 0) {
		struct source **link = bucket_of(table, &source->prefix);
		while (*link != source)
			link = &(*link)->next;
		*link = source->next;
		free(source);
	}
	pthread_mutex_unlock(&table->mutex);
}
