/* Which texts may become names: every value that ends up in a path, a command line, a DNS name or a domain
 * passes one of these first. Each returns whether TEXT is allowed. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

bool name_is_hostname(const char *text); /* RFC 1123, 1-253 bytes, labels of 1-63, not all digits and dots */
bool name_is_template(
	const char *text); /* "debian-12-x86_64": lower case, digits, -_. inside, at most 63 bytes */
bool name_is_identifier(
	const char *text); /* plan and pool names: [A-Za-z0-9][A-Za-z0-9._-]*, at most 63 bytes */
bool name_is_location(const char *text); /* "USCA_1": upper case, digits, underscore, at most 15 bytes */
bool name_is_email(const char *text);	 /* one @, no spaces or control characters, at most 254 bytes */
bool name_is_ipv4(const char *text);	 /* dotted quad without leading zeros */
bool name_is_ipv6(const char *text);
bool name_is_mac(const char *text); /* six lower-case hex pairs */
