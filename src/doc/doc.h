/* moa-doc fills the marked lines of a hand-written page with tables made from the rows of api/. Each table is
 * one function that writes to a stream; main.c knows which mark means which. */
#pragma once
#include "base/error.h"
#include "schema/schema.h"
#include <stdint.h>
#include <stdio.h>

/* For man pages (scdoc). */
void doc_write_verbs(FILE *out);    /* every verb of moactl and its options, from api/admin.def */
void doc_write_settings(FILE *out); /* every setting of moad.conf, from api/config.def */
/* For Markdown. */
void doc_write_calls(FILE *out);  /* every call, from api/calls.def */
void doc_write_errors(FILE *out); /* every number an answer's "error" can have, from api/errors.def */

/* What a field takes, in words: as schema's field_takes, without bounds nobody could reach. Into PLACE,
 * returned. */
const char *doc_takes(const struct field *field, char *place, size_t size);
/* BYTES as moad.conf and moactl read it: "20G". Into PLACE of at least 24 bytes, returned. */
const char *doc_size(int64_t bytes, char place[24]);
/* Writes TEXT for scdoc, with what it would take for markup escaped. */
void doc_put_scdoc(FILE *out, const char *text);
/* Writes TEXT as a cell of a Markdown table. */
void doc_put_cell(FILE *out, const char *text);
