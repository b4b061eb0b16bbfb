/* Reads and judges the header of a request where libmicrohttpd 0.9.75 is lenient: names must be tokens, a
 * body has one length, told in one way, and the only transfer coding is chunked. A header two programs can
 * read in two ways is how requests are smuggled past a proxy. */
#include "http/internal.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct header {
	struct exchange *exchange;
	const char *content_type;
	const char *length;
	const char *encoding;
	unsigned lengths, encodings, hosts;
	bool expects_continue;
	bool is_malformed;
};

/* RFC 9110, 5.6.2. */
static bool is_token_byte(unsigned char byte)
{
	static const bool tokens[256] = {
		['!'] = 1,
		['#' ... '\''] = 1,
		['*'] = 1,
		['+'] = 1,
		['-'] = 1,
		['.'] = 1,
		['0' ... '9'] = 1,
		['A' ... 'Z'] = 1,
		['^' ... 'z'] = 1,
		['|'] = 1,
		['~'] = 1,
	};
	return tokens[byte];
}

bool header_name_is_valid(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!is_token_byte((unsigned char)name[i]))
			return false;
	return len > 0;
}

bool header_value_is_valid(const char *value, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (((unsigned char)value[i] < 0x20 && value[i] != '\t') || value[i] == 0x7f)
			return false;
	return true;
}

static bool is_name(const char *name, size_t len, const char *wanted)
{
	return strncasecmp(name, wanted, len) == 0;
}

static enum MHD_Result header_line(void *context, enum MHD_ValueKind kind, const char *name, size_t name_len,
	const char *value, size_t value_len)
{
	struct header *header = context;
	(void)kind;
	if (!header_name_is_valid(name, name_len) || !header_value_is_valid(value, value_len)) {
		header->is_malformed = true;
		return MHD_NO;
	}
	switch (name_len) {
	case sizeof("Host") - 1:
		header->hosts += is_name(name, name_len, "Host");
		break;
	case sizeof("Expect") - 1:
		header->expects_continue |= is_name(name, name_len, "Expect");
		break;
	case sizeof("Content-Type") - 1:
		if (is_name(name, name_len, "Content-Type"))
			header->content_type = value;
		break;
	case sizeof("Content-Length") - 1:
		if (is_name(name, name_len, "Content-Length")) {
			header->length = value;
			header->lengths++;
		}
		break;
	case sizeof("Transfer-Encoding") - 1:
		if (is_name(name, name_len, "Transfer-Encoding")) {
			header->encoding = value;
			header->encodings++;
		}
		break;
	default:
		break;
	}
	return MHD_YES;
}

/* Static texts, since the request may outlive libmicrohttpd's copy; NULL for a method we don't offer. */
static const char *method_of(const char *method)
{
	static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "DELETE"};
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (strcmp(method, methods[i]) == 0)
			return methods[i];
	return NULL;
}

static const char *content_type_of(struct arena *arena, const char *value)
{
	if (!value)
		return "";
	size_t len = strcspn(value, "; \t,");
	char *type = arena_strndup(arena, value, len);
	for (size_t i = 0; i < len; i++)
		type[i] = (char)tolower((unsigned char)type[i]);
	return type;
}

static unsigned check_framing(const struct header *header, size_t body_max)
{
	if (header->is_malformed || header->hosts > 1 || header->lengths > 1 || header->encodings > 1)
		return MHD_HTTP_BAD_REQUEST;
	if (header->encoding && header->length)
		return MHD_HTTP_BAD_REQUEST;
	if (header->encoding && strcasecmp(header->encoding, "chunked") != 0)
		return MHD_HTTP_NOT_IMPLEMENTED;
	if (!header->length)
		return 0;
	/* libmicrohttpd has seen to it that these are digits and fit. */
	unsigned long long length = strtoull(header->length, NULL, 10);
	/* Little too much is read and dropped, so that the client sees the answer instead of a broken pipe.
	 */
	if (length > 2 * (unsigned long long)body_max || (length > body_max && header->expects_continue))
		return MHD_HTTP_CONTENT_TOO_LARGE;
	return 0;
}

static enum body_form form_of(const char *content_type)
{
	if (strcmp(content_type, "application/x-www-form-urlencoded") == 0)
		return FORM_URLENCODED;
	return strcmp(content_type, "multipart/form-data") == 0 ? FORM_MULTIPART : FORM_NONE;
}

/* 0.9.75 takes NUL bytes in a request line and so hands out a shortened path; the version tells, as it stands
 * right behind the line's end. Later versions refuse them. */
static bool target_is_cut(const struct exchange *exchange, const char *version, const char *url)
{
#if MHD_VERSION <= 0x00097500
	return version[0] && version != url + exchange->target_len + 1;
#else
	(void)exchange, (void)version, (void)url;
	return false;
#endif
}

unsigned header_read(struct exchange *exchange, const char *method, const char *version, const char *url,
	bool *ret_has_body)
{
	const struct http_limits *limits = &exchange->loop->server->config.limits;
	struct header header = {.exchange = exchange};
	MHD_get_connection_values_n(exchange->mhd, MHD_HEADER_KIND, header_line, &header);
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(exchange->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
	if (info && info->header_size > limits->header_bytes)
		return MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE;
	if (target_is_cut(exchange, version, url))
		return MHD_HTTP_BAD_REQUEST;
	unsigned refusal = check_framing(&header, limits->body_bytes);
	if (refusal)
		return refusal;
	exchange->request.method = method_of(method);
	if (!exchange->request.method)
		return MHD_HTTP_NOT_IMPLEMENTED;
	exchange->request.content_type = content_type_of(&exchange->request.arena, header.content_type);
	exchange->form = form_of(exchange->request.content_type);
	*ret_has_body = header.encoding || (header.length && strcmp(header.length, "0") != 0);
	return 0;
}
