/* Public keys: what is taken, what is refused and how it is said. The whole keys are OpenSSH's own work. */
#include "base/memory.h"
#include "base/owned.h"
#include "base/text.h"
#include "guest/guest.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

static const char *const real[] = {
	"ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBMTP5R9ToB5Q25735J"
	"HHV7HLWs0t2aLYwFlQGZf8+s0I0jtsqGdxQrlVplKNb5sp0BX839w/2Wa2zmgQE5T1jbY= user@example",
	"ecdsa-sha2-nistp521 AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAAIbmlzdHA1MjEAAACFBAHQQZDJyesjmFwVje"
	"1ICesp7N1rHmkKtU8TvAd3DlYTVtf+bxmbi4dTyyyUFQmNK21PYfcSf1ZqSH4Hs40QX1m5rQAqgIHnj0WTw4Ofxhs/"
	"DJW0r822vAUc9fN5ZG9EIgKuLvesJSPocziTa67P9NmmcOq6MJFXNMhSuXqO68etbgtUjg== user@example",
	"ecdsa-sha2-nistp384 AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBMAcMPdkraww7SS4SP"
	"r8UaZrk5n0yBjrE9ftepjqZE8FVTN7Tm26Lnr73TUxCniFHMkSj1CbCyPFmEZxZzFBdj3LMncLMoz8nl5o+ipFaTgD"
	"hHls0AaAE8ghNzKRZ9HQYA== user@example",
	"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQDkaiiB1akHi6zwwv11UQyiIE8lFsKKkRFnIb5EE/tbbMajJjEijr"
	"aAXzaBZTY3j1DrBaYbtOeNq5BXr3CyiwwIhuxk09DATcfVMojnQHN5JzW6nfDdo2EpFcrQBaKFOnZZjaUoCBBzV1yU"
	"Mz2AuuoQdC2ZPzh/rOht4D8D6S1n6BCXkT5e+pKKmhgmiRuPqUo12zpoYDNNM6rGFxXutok3aGnsh/af88Xk072oW5"
	"EahI1p1aMR5exL7rIzqf1NfSD7ORZJcmdc9IbxgZMd8hthsZrD7AhW/3dK5jTCSkVQooOiJJqXPY/laOMtyG1XIDM7"
	"SRpG42k2tNBCHAIxg3b1 user@example",
	"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIL/0nOasnKtlntii9x+ThhnbQRi030bEsXR+FYHlWBve user@exam"
	"ple",
	"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQDXswFA3JGbycBMObj9ai/fm5HfOvHGCTk9ejpRzQCUAB+kSHiU0/"
	"DL/mvwg2+0m3WoCDB0bSmWJIowB0bpnI6zSN8391393WxZO59tRcGa83UqwSwQG0GP/b6vUc0MFQu/2IgQ28u+XuDf"
	"mGwkX3ylvaWsNvkIYZIKHFsO5w7eTQ== user@example",
};

static int parse(const char *text, struct arena *arena, const char **ret, struct error *err)
{
	*ret = NULL;
	return ssh_keys_parse(text, arena, ret, err);
}

static void real_keys_pass_unchanged(void **state)
{
	(void)state;
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	for (size_t i = 0; i < ARRAY_LEN(real); i++) {
		const char *keys;
		struct error err = {0};
		if (parse(real[i], &arena, &keys, &err) < 0)
			fail_msg("%s", err.message);
		assert_string_equal(keys, real[i]);
	}
}

static void lines_are_tidied(void **state)
{
	(void)state;
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	const char *keys;
	char *text =
		arena_printf(&arena, "# mine\r\n\r\n  %s \t\r\n\n%s\n%s again\n", real[0], real[1], real[0]);
	char *wanted = arena_printf(&arena, "%s\n%s", real[0], real[1]);
	assert_int_equal(parse(text, &arena, &keys, NULL), 0);
	assert_string_equal(keys, wanted);
	assert_int_equal(parse("", &arena, &keys, NULL), 0);
	assert_string_equal(keys, "");
	assert_int_equal(parse("\n#\n \r\n", &arena, &keys, NULL), 0);
	assert_string_equal(keys, "");
}

#define ED25519 "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIL/0nOasnKtlntii9x+ThhnbQRi030bEsXR+FYHlWBve"

static void comments_become_printable(void **state)
{
	(void)state;
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	const char *keys;
	assert_int_equal(parse(ED25519 " J\xc3\xbcrgen\x1b[31m \xe2\x80\xae x", &arena, &keys, NULL), 0);
	assert_string_equal(keys, ED25519 " J?rgen?[31m ? x");
}

/* A key of TYPE whose parts are given as (length, byte) pairs, a length of 0 ending them. */
struct part {
	size_t len;
	int byte, last_byte;
	const char *text;
};

static char *make_key(struct arena *arena, const char *type, const char *inner_type, const struct part *parts)
{
	unsigned char blob[8192];
	size_t len = 0;
	struct part first = {strlen(inner_type), 0, 0, inner_type};
	for (const struct part *part = &first; part->len; part = part == &first ? parts : part + 1) {
		unsigned char size[4] = {(unsigned char)(part->len >> 24), (unsigned char)(part->len >> 16),
			(unsigned char)(part->len >> 8), (unsigned char)part->len};
		memcpy(blob + len, size, 4);
		memset(blob + len + 4, 0x55, part->len);
		if (part->text)
			memcpy(blob + len + 4, part->text, part->len);
		if (part->byte)
			blob[len + 4] = (unsigned char)part->byte;
		if (part->last_byte)
			blob[len + 4 + part->len - 1] = (unsigned char)part->last_byte;
		len += 4 + part->len;
	}
	char base64[sodium_base64_ENCODED_LEN(sizeof(blob), sodium_base64_VARIANT_ORIGINAL)];
	sodium_bin2base64(base64, sizeof(base64), blob, len, sodium_base64_VARIANT_ORIGINAL);
	return arena_printf(arena, "%s %s", type, base64);
}

static void assert_key(const char *key, struct arena *arena, bool taken, const char *says)
{
	const char *keys;
	struct error err = {0};
	int rc = parse(key, arena, &keys, &err);
	assert_int_equal(rc, taken ? 0 : -ERR_INVALID);
	if (!taken) {
		assert_non_null(strstr(err.said, "line 1"));
		assert_non_null(strstr(err.said, says));
	}
}

#define RSA_E \
	{ \
		3, 1, 1, NULL \
	}
#define SK_ED "sk-ssh-ed25519@openssh.com"
#define SK_EC "sk-ecdsa-sha2-nistp256@openssh.com"

static void made_keys(void **state)
{
	(void)state;
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	static const struct {
		const char *type, *inner;
		struct part parts[4];
		bool taken;
		const char *says;
	} keys[] = {
		{"ssh-ed25519", "ssh-ed25519", {{32, 0, 0, NULL}}, true, ""},
		{SK_ED, SK_ED, {{32, 0, 0, NULL}, {4, 0, 0, "ssh:"}}, true, ""},
		{SK_EC, SK_EC, {{8, 0, 0, "nistp256"}, {65, 4, 0, NULL}, {4, 0, 0, "ssh:"}}, true, ""},
		{SK_ED, SK_ED, {{32, 0, 0, NULL}}, false, "cut short"},
		{"ssh-ed25519", "ssh-ed25519", {{31, 0, 0, NULL}}, false, "cut short"},
		{"ssh-ed25519", "ssh-ed25519", {{32, 0, 0, NULL}, {1, 0, 0, NULL}}, false, "after its end"},
		{"ssh-ed25519", "ssh-rsa", {{32, 0, 0, NULL}}, false, "another type"},
		{"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", {{8, 0, 0, "nistp384"}, {97, 4, 0, NULL}},
			false, "curve"},
		{"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", {{8, 0, 0, "nistp256"}, {65, 2, 0, NULL}},
			false, "curve"},
		{"ssh-rsa", "ssh-rsa", {RSA_E, {128, 0x7f, 1, NULL}}, false, "1024 bits"},
		{"ssh-rsa", "ssh-rsa", {RSA_E, {2048, 0x7f, 1, NULL}}, true, ""},
		{"ssh-rsa", "ssh-rsa", {RSA_E, {2050, 0x7f, 1, NULL}}, false, "modulus"},
		{"ssh-rsa", "ssh-rsa", {RSA_E, {256, 0x80, 1, NULL}}, false, "modulus"},
		{"ssh-rsa", "ssh-rsa", {{3, 1, 2, NULL}, {256, 0x7f, 1, NULL}}, false, "exponent"},
	};
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		assert_key(make_key(&arena, keys[i].type, keys[i].inner, keys[i].parts), &arena,
			keys[i].taken, keys[i].says);
}

static void bad_lines_are_refused(void **state)
{
	(void)state;
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	assert_key("command=\"reboot\" " ED25519, &arena, false, "options");
	assert_key("no-pty " ED25519, &arena, false, "options");
	assert_key("ssh-dss AAAAB3NzaC1kc3M=", &arena, false, "known key type");
	assert_key("hello", &arena, false, "known key type");
	assert_key("-----BEGIN OPENSSH PRIVATE KEY-----", &arena, false, "known key type");
	assert_key("ssh-ed25519", &arena, false, "another type");
	assert_key("ssh-ed25519 AAAA!", &arena, false, "base64");
	assert_key("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIL/0nOasnKtlntii9x+ThhnbQRi03\2150bEsXR+FYHlWBve",
		&arena, false, "base64");
	assert_key(ED25519 "=", &arena, false, "base64");
	assert_key(ED25519 ED25519, &arena, false, "base64");
}

static void the_line_is_named(void **state)
{
	(void)state;
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	const char *keys;
	struct error err = {0};
	assert_int_equal(parse(arena_printf(&arena, "# x\n\n%s\nnonsense\n", real[0]), &arena, &keys, &err),
		-ERR_INVALID);
	assert_non_null(strstr(err.said, "line 4"));
	assert_null(strstr(err.said, "nonsense"));
	assert_null(keys);
}

static void there_are_bounds(void **state)
{
	(void)state;
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	owned_in(buffer_done) struct buffer text = BUFFER_INIT(0);
	const char *keys;
	for (int i = 0; i < 65; i++) {
		struct part parts[] = {{32, i + 1, 0, NULL}, {0}};
		if (i == 64)
			assert_int_equal(parse(text.data, &arena, &keys, NULL), 0);
		buffer_addf(&text, "%s\n", make_key(&arena, "ssh-ed25519", "ssh-ed25519", parts));
	}
	assert_int_equal(parse(text.data, &arena, &keys, NULL), -ERR_INVALID);
	buffer_clear(&text);
	while (text.len <= 64 << 10)
		buffer_add_text(&text, "# a long comment\n");
	assert_int_equal(parse(text.data, &arena, &keys, NULL), -ERR_INVALID);
}

static void short_forms(void **state)
{
	(void)state;
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	assert_string_equal(ssh_keys_shorten(ED25519 " a b\n" ED25519, &arena),
		"ssh-ed25519 AAAAC3Nz...FYHlWBve a b\nssh-ed25519 AAAAC3Nz...FYHlWBve");
	assert_string_equal(ssh_keys_shorten("", &arena), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_keys_pass_unchanged),
		cmocka_unit_test(lines_are_tidied),
		cmocka_unit_test(comments_become_printable),
		cmocka_unit_test(made_keys),
		cmocka_unit_test(bad_lines_are_refused),
		cmocka_unit_test(the_line_is_named),
		cmocka_unit_test(there_are_bounds),
		cmocka_unit_test(short_forms),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
