/* The text of nft transactions: of the whole rule set, and of one VPS's change. Pure: members and a checked
 * config in, text out. Who runs it is net.c. */
#pragma once
#include "base/buffer.h"
#include "net/member.h"

struct rules_form {
	bool recreate; /* drop the tables first (in the same transaction), instead of refilling them */
	bool vouched;  /* drop what enters the bridge by a port no VPS vouches for; needs the kernel's bridge
			  meta */
};

/* Static part and all elements, in one transaction that also removes whatever stood there before. */
void rules_replace_text(const struct net_config *config, struct rules_form form,
	const struct member *const *members, size_t count, struct buffer *out);
/* From BEFORE to AFTER; either may be NULL. */
void rules_change_text(const struct net_config *config, const struct member *before,
	const struct member *after, struct buffer *out);
/* Both tables go; fine when they are not there. */
void rules_remove_text(const struct net_config *config, struct buffer *out);
