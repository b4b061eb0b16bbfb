#include "base/random.h"
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void random_bytes(void *place, size_t len)
{
	char *next = place;
	while (len) {
		ssize_t got = getrandom(next, len, 0);
		if (got < 0)
			continue; /* only EINTR is possible: the pool is ready once init runs */
		next += got;
		len -= (size_t)got;
	}
}

void random_text(char *place, size_t len, const char *alphabet)
{
	size_t count = strlen(alphabet);
	unsigned limit =
		(unsigned)(256 - 256 % count); /* above it the draw would favour the first characters */
	for (size_t i = 0; i < len;) {
		unsigned char byte;
		random_bytes(&byte, 1);
		if (byte < limit)
			place[i++] = alphabet[byte % count];
	}
	place[len] = '\0';
}
