/* The tests' own rows as structs and tables. */
#pragma once
#include "base/memory.h"
#include "schema/rows.h"

struct tester {
	int calls;
};

#define ROWS_FILE "rows.def"
#include "schema/structs.inc"
#undef ROWS_FILE

int test_everything(struct tester *tester, const struct everything_args *args, struct everything_reply *reply,
	struct error *err);
int test_nothing(struct tester *tester, const struct nothing_args *args, struct nothing_reply *reply,
	struct error *err);
int test_formats(struct tester *tester, const struct formats_args *args, struct formats_reply *reply,
	struct error *err);
