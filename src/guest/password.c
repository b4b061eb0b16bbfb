/* Root's password: made, and hashed as the guest's own crypt(3) reads it. */
#include "guest/guest.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/text.h"
#include <crypt.h>
#include <stdlib.h>
#include <string.h>

/* Tens of milliseconds on a server of today, and bearable at the login of an emulated guest. */
enum { SHA512_ROUNDS = 50000, PASSWORD_LEN = 12, PASSWORD_MAX = 128, SALT_BYTES = 16 };

int password_hash(const char *password, char place[128], struct error *err)
{
	size_t len = strlen(password);
	if (len < 1 || len > PASSWORD_MAX)
		return err_say(err, ERR_INVALID, "A password has 1 to %d characters", PASSWORD_MAX);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)password[i] < 0x20 || password[i] == 0x7f)
			return err_say(err, ERR_INVALID, "A password holds no control characters");
	char salt_bytes[SALT_BYTES], setting[CRYPT_GENSALT_OUTPUT_SIZE];
	random_bytes(salt_bytes, sizeof(salt_bytes));
	if (!crypt_gensalt_rn("$6$", SHA512_ROUNDS, salt_bytes, sizeof(salt_bytes), setting, sizeof(setting)))
		return err_set(err, ERR_INTERNAL, "no SHA-512 crypt here");
	struct crypt_data *data = mem_new(struct crypt_data);
	const char *hash = crypt_r(password, setting, data);
	int rc = 0;
	if (!hash || hash[0] != '$' || !text_copy(place, 128, hash))
		rc = err_set(err, ERR_INTERNAL, "crypt failed");
	mem_wipe(data, sizeof(*data));
	free(data);
	return rc;
}

/* Nobody mistakes one character for another: no 0 and O, no 1, l and I. */
void password_make(char place[13])
{
	random_text(place, PASSWORD_LEN, "23456789abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ");
}
