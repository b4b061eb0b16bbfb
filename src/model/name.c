#include "model/name.h"
#include "base/text.h"
#include <arpa/inet.h>
#include <string.h>

static bool is_label(const char *label, size_t len)
{
	if (len < 1 || len > 63 || label[0] == '-' || label[len - 1] == '-')
		return false;
	return strspn(label, TEXT_ALNUM "-") >= len;
}

bool name_is_hostname(const char *text)
{
	size_t len = strlen(text);
	if (len < 1 || len > 253 || text_only(text, TEXT_DIGITS "."))
		return false;
	for (const char *label = text;;) {
		size_t label_len = strcspn(label, ".");
		if (!is_label(label, label_len))
			return false;
		label += label_len;
		if (!*label)
			return true;
		label++;
	}
}

static bool is_word(const char *text, size_t max_len, const char *first, const char *rest)
{
	size_t len = strlen(text);
	return len >= 1 && len <= max_len && strchr(first, text[0]) && text_only(text, rest);
}

bool name_is_template(const char *text)
{
	return is_word(text, 63, TEXT_LOWER TEXT_DIGITS, TEXT_LOWER TEXT_DIGITS "-_.") && !strstr(text, "..");
}

bool name_is_identifier(const char *text)
{
	return is_word(text, 63, TEXT_ALNUM, TEXT_ALNUM "._-");
}

bool name_is_location(const char *text)
{
	return is_word(text, 15, TEXT_UPPER, TEXT_UPPER TEXT_DIGITS "_");
}

bool name_is_email(const char *text)
{
	size_t len = strlen(text);
	const char *at = strchr(text, '@');
	if (len > 254 || !at || at == text || strchr(at + 1, '@'))
		return false;
	if (!text_only(text, TEXT_ALNUM "!#$%&'*+/=?^_`{|}~.-@"))
		return false;
	return name_is_hostname(at + 1);
}

bool name_is_ipv4(const char *text)
{
	struct in_addr address;
	char canonical[INET_ADDRSTRLEN];
	return inet_pton(AF_INET, text, &address) == 1 &&
	       text_equal(inet_ntop(AF_INET, &address, canonical, sizeof(canonical)), text);
}

bool name_is_ipv6(const char *text)
{
	struct in6_addr address;
	return inet_pton(AF_INET6, text, &address) == 1;
}

bool name_is_mac(const char *text)
{
	if (strlen(text) != 17)
		return false;
	for (size_t i = 0; i < 17; i++) {
		const char *allowed = i % 3 == 2 ? ":" : TEXT_DIGITS "abcdef";
		if (!strchr(allowed, text[i]))
			return false;
	}
	return true;
}
