/* Public SSH keys as people paste them. A key is accepted when it is one of the types OpenSSH takes today,
 * its data is whole and says the same type, and nothing stands before it: options such as command="…" would
 * be the panel's to offer, not to smuggle. What comes out is plain ASCII, one key a line, each once. */
#include "guest/guest.h"
#include "base/memory.h"
#include "base/owned.h"
#include "base/text.h"
#include <sodium.h>
#include <stdio.h>
#include <string.h>

/* KEY_BYTES_MAX fits the longest key allowed, RSA with 16384 bits. */
enum { KEYS_MAX = 64, TEXT_MAX = 64 << 10, KEY_BYTES_MAX = 4096, COMMENT_MAX = 256 };
enum { RSA_BITS_MIN = 1024, RSA_BITS_MAX = 16384 };

enum key_form { KEY_ED25519, KEY_RSA, KEY_ECDSA };
static const struct key_type {
	const char *name;
	enum key_form form;
	bool in_hardware;  /* an application name follows */
	const char *curve; /* ecdsa */
	size_t point_len;  /* ecdsa: uncompressed */
} key_types[] = {
	{"ssh-ed25519", KEY_ED25519, false, NULL, 0},
	{"ssh-rsa", KEY_RSA, false, NULL, 0},
	{"ecdsa-sha2-nistp256", KEY_ECDSA, false, "nistp256", 65},
	{"ecdsa-sha2-nistp384", KEY_ECDSA, false, "nistp384", 97},
	{"ecdsa-sha2-nistp521", KEY_ECDSA, false, "nistp521", 133},
	{"sk-ssh-ed25519@openssh.com", KEY_ED25519, true, NULL, 0},
	{"sk-ecdsa-sha2-nistp256@openssh.com", KEY_ECDSA, true, "nistp256", 65},
};

/* A piece of the text; not terminated. */
struct span {
	const char *at;
	size_t len;
};

static bool span_is(struct span span, const char *text)
{
	return span.len == strlen(text) && memcmp(span.at, text, span.len) == 0;
}

static const struct key_type *type_of(struct span word)
{
	for (size_t i = 0; i < ARRAY_LEN(key_types); i++)
		if (span_is(word, key_types[i].name))
			return &key_types[i];
	return NULL;
}

/* ---- the data, RFC 4253 section 6.6 and its successors ---- */

/* Takes a length-prefixed string off the front of BLOB. */
static bool take_string(struct span *blob, struct span *ret)
{
	if (blob->len < 4)
		return false;
	const unsigned char *bytes = (const unsigned char *)blob->at;
	size_t len = (size_t)bytes[0] << 24 | (size_t)bytes[1] << 16 | (size_t)bytes[2] << 8 | bytes[3];
	if (len > blob->len - 4)
		return false;
	*ret = (struct span){blob->at + 4, len};
	*blob = (struct span){blob->at + 4 + len, blob->len - 4 - len};
	return true;
}

/* Bits of a positive number in its shortest form, 0 for anything else. */
static size_t number_bits(struct span number)
{
	const unsigned char *bytes = (const unsigned char *)number.at;
	if (!number.len || bytes[0] & 0x80)
		return 0;
	size_t skip = bytes[0] == 0;
	if (skip && (number.len < 2 || !(bytes[1] & 0x80)))
		return 0;
	size_t bits = 8 * (number.len - skip);
	for (unsigned char top = bytes[skip]; !(top & 0x80); top = (unsigned char)(top << 1))
		bits--;
	return bits;
}

static const char *check_rsa(struct span *blob)
{
	struct span exponent, modulus;
	if (!take_string(blob, &exponent) || !take_string(blob, &modulus))
		return "its data is cut short";
	size_t bits = number_bits(modulus), exponent_bits = number_bits(exponent);
	if (exponent_bits < 2 || exponent_bits > 64 || !(exponent.at[exponent.len - 1] & 1))
		return "its exponent is no good";
	if (!bits || bits > RSA_BITS_MAX)
		return "its modulus is no good";
	return bits < RSA_BITS_MIN ? "an RSA key needs at least 1024 bits" : NULL;
}

static const char *check_ecdsa(const struct key_type *type, struct span *blob)
{
	struct span curve, point;
	if (!take_string(blob, &curve) || !take_string(blob, &point))
		return "its data is cut short";
	if (!span_is(curve, type->curve) || point.len != type->point_len || point.at[0] != 4)
		return "its data is no point of its curve";
	return NULL;
}

static const char *check_ed25519(struct span *blob)
{
	struct span point;
	if (!take_string(blob, &point) || point.len != 32)
		return "its data is cut short";
	return NULL;
}

static const char *check_form(const struct key_type *type, struct span *blob)
{
	switch (type->form) {
	case KEY_RSA:
		return check_rsa(blob);
	case KEY_ECDSA:
		return check_ecdsa(type, blob);
	case KEY_ED25519:
		break;
	}
	return check_ed25519(blob);
}

/* The decoder lets some bytes outside ASCII pass. */
static bool is_base64(struct span data)
{
	for (size_t i = 0; i < data.len; i++)
		if (!memchr(TEXT_ALNUM "+/=", data.at[i], sizeof(TEXT_ALNUM "+/=") - 1))
			return false;
	return true;
}

/* What is wrong with the key's data, or NULL. */
static const char *check_data(const struct key_type *type, struct span data)
{
	unsigned char bytes[KEY_BYTES_MAX];
	size_t len = 0;
	const char *end = NULL;
	if (!is_base64(data) ||
		sodium_base642bin(bytes, sizeof(bytes), data.at, data.len, NULL, &len, &end,
			sodium_base64_VARIANT_ORIGINAL) != 0 ||
		end != data.at + data.len)
		return "its data is not valid base64";
	struct span blob = {(const char *)bytes, len}, name, application;
	if (!take_string(&blob, &name) || !span_is(name, type->name))
		return "its data is of another type than its name";
	const char *wrong = check_form(type, &blob);
	if (wrong)
		return wrong;
	if (type->in_hardware && !take_string(&blob, &application))
		return "its data is cut short";
	return blob.len ? "its data goes on after its end" : NULL;
}

/* ---- lines ---- */

static struct span take_line(const char **text)
{
	struct span line = {*text, strcspn(*text, "\n")};
	*text += line.len + (line.at[line.len] == '\n');
	while (line.len && strchr(" \t\r", line.at[line.len - 1]))
		line.len--;
	while (line.len && strchr(" \t", line.at[0])) {
		line.at++;
		line.len--;
	}
	return line;
}

static struct span take_word(struct span *line)
{
	struct span word = {line->at, 0};
	while (word.len < line->len && word.at[word.len] != ' ' && word.at[word.len] != '\t')
		word.len++;
	size_t next = word.len;
	while (next < line->len && (line->at[next] == ' ' || line->at[next] == '\t'))
		next++;
	*line = (struct span){line->at + next, line->len - next};
	return word;
}

static bool holds_a_type(struct span line)
{
	while (line.len)
		if (type_of(take_word(&line)))
			return true;
	return false;
}

/* Anything outside printable ASCII becomes one "?" a character; no spaces stay at either end. */
static void add_comment(struct span comment, struct buffer *out)
{
	size_t kept = 0;
	for (size_t i = 0; i < comment.len && kept < COMMENT_MAX; i++) {
		unsigned char byte = (unsigned char)comment.at[i];
		if ((byte & 0xc0) == 0x80 || (byte == ' ' && !kept))
			continue;
		buffer_add_byte(out, byte >= 0x20 && byte < 0x7f ? (char)byte : '?');
		kept++;
	}
	while (out->len && out->data[out->len - 1] == ' ')
		out->data[--out->len] = '\0';
}

/* The keys so far, to know one that comes again. */
struct key_list {
	struct span keys[KEYS_MAX];
	size_t count;
	struct buffer out;
};

static bool is_known(const struct key_list *list, struct span data)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->keys[i].len == data.len && memcmp(list->keys[i].at, data.at, data.len) == 0)
			return true;
	return false;
}

static int add_line(struct key_list *list, struct span line, int number, struct error *err)
{
	struct span rest = line, word = take_word(&rest), data = take_word(&rest);
	const struct key_type *type = type_of(word);
	if (!type && holds_a_type(line))
		return err_say(
			err, ERR_INVALID, "SSH key in line %d: options before a key are not allowed", number);
	if (!type)
		return err_say(err, ERR_INVALID,
			"SSH key in line %d: it does not start with a known key type, such as ssh-ed25519",
			number);
	const char *wrong = check_data(type, data);
	if (wrong)
		return err_say(err, ERR_INVALID, "SSH key in line %d: %s", number, wrong);
	if (is_known(list, data))
		return 0;
	if (list->count == KEYS_MAX)
		return err_say(err, ERR_INVALID, "SSH key in line %d: more than %d keys", number, KEYS_MAX);
	list->keys[list->count++] = data;
	buffer_addf(&list->out, "%s%s %.*s", list->out.len ? "\n" : "", type->name, (int)data.len, data.at);
	if (rest.len) {
		buffer_add_byte(&list->out, ' ');
		add_comment(rest, &list->out);
	}
	return 0;
}

static void key_list_done(struct key_list *list)
{
	buffer_done(&list->out);
}

int ssh_keys_parse(const char *text, struct arena *arena, const char **ret, struct error *err)
{
	owned_in(key_list_done) struct key_list list = {.out = BUFFER_INIT(TEXT_MAX + KEYS_MAX)};
	if (strnlen(text, TEXT_MAX + 1) > TEXT_MAX)
		return err_say(err, ERR_INVALID, "SSH keys: more than 64 KiB");
	int number = 1;
	for (const char *at = text; *at; number++) {
		struct span line = take_line(&at);
		if (!line.len || line.at[0] == '#')
			continue;
		int rc = add_line(&list, line, number, err);
		if (rc < 0)
			return rc;
	}
	*ret = arena_strndup(arena, list.out.data, list.out.len);
	return 0;
}

/* ---- short forms ---- */

enum { HEAD_LEN = 8, TAIL_LEN = 8 };

static void add_short(struct span line, struct buffer *out)
{
	struct span word = take_word(&line), data = take_word(&line);
	buffer_add(out, word.at, word.len);
	buffer_add_byte(out, ' ');
	if (data.len > HEAD_LEN + TAIL_LEN + 3) {
		buffer_add(out, data.at, HEAD_LEN);
		buffer_add_text(out, "...");
		buffer_add(out, data.at + data.len - TAIL_LEN, TAIL_LEN);
	} else {
		buffer_add(out, data.at, data.len);
	}
	if (line.len) {
		buffer_add_byte(out, ' ');
		buffer_add(out, line.at, line.len);
	}
}

const char *ssh_keys_shorten(const char *keys, struct arena *arena)
{
	owned_in(buffer_done) struct buffer out = BUFFER_INIT(0);
	while (*keys) {
		struct span line = take_line(&keys);
		if (!line.len)
			continue;
		if (out.len)
			buffer_add_byte(&out, '\n');
		add_short(line, &out);
	}
	return arena_strndup(arena, out.data, out.len);
}
