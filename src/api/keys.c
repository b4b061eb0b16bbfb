/* API keys: made, hashed, never kept. */
#include "api/inner.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/text.h"
#include <sodium.h>
#include <string.h>

enum { RANDOM_LEN = 24 };
static const char prefix[] = "private_";

void key_hash(const struct api *api, const char *key, size_t len, unsigned char hash[HASH_SIZE])
{
	crypto_generichash(hash, HASH_SIZE, (const unsigned char *)key, len, api->key_secret, HASH_SIZE);
}

void call_new_key(struct call *call, char key[KEY_SIZE], unsigned char hash[32])
{
	_Static_assert(sizeof(prefix) + RANDOM_LEN == KEY_SIZE, "a key is the prefix and 24 characters");
	memcpy(key, prefix, sizeof(prefix));
	random_text(key + strlen(prefix), RANDOM_LEN, TEXT_ALNUM);
	key_hash(call->api, key, strlen(key), hash);
}
