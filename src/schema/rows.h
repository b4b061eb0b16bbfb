/* The X-macro machinery behind the row files in api/. A .def file is rows of
 *
 *     RECORD(snapshot, F(text, fileName, (.doc = "…")), F(flag, sticky, (.doc = "…")))
 *     CALL(snapshot_list, "snapshot/list", (.points = 1, .doc = "…"),
 *          P(int, limit, (.flags = OPTIONAL, .min = 1, .max = 100, .doc = "…")),
 *          R(int, error, (.doc = "…")), R_LIST(snapshot, snapshots, (.doc = "…")))
 *
 * P is a parameter, R a key of the answer, F a key of a record; the order of rows is the order on the wire. A
 * file that wants the structs includes schema/structs.inc with ROWS_FILE set, one that wants the tables
 * schema/tables.inc. A parameter or key of a wrong name or type does not compile. */
#pragma once
#include "schema/schema.h"

/* FOR_EACH(M, context, a, b, …) is M(context, a) M(context, b) …, for up to 256 entries. */
#define ROWS_PARENS ()
#define ROWS_EXPAND(...) ROWS_EXPAND3(ROWS_EXPAND3(ROWS_EXPAND3(ROWS_EXPAND3(__VA_ARGS__))))
#define ROWS_EXPAND3(...) ROWS_EXPAND2(ROWS_EXPAND2(ROWS_EXPAND2(ROWS_EXPAND2(__VA_ARGS__))))
#define ROWS_EXPAND2(...) ROWS_EXPAND1(ROWS_EXPAND1(ROWS_EXPAND1(ROWS_EXPAND1(__VA_ARGS__))))
#define ROWS_EXPAND1(...) ROWS_EXPAND0(ROWS_EXPAND0(ROWS_EXPAND0(ROWS_EXPAND0(__VA_ARGS__))))
#define ROWS_EXPAND0(...) __VA_ARGS__
#define ROWS_FOR_EACH(macro, context, ...) __VA_OPT__(ROWS_EXPAND(ROWS_STEP(macro, context, __VA_ARGS__)))
#define ROWS_STEP(macro, context, entry, ...) \
	macro(context, entry) __VA_OPT__(ROWS_AGAIN ROWS_PARENS(macro, context, __VA_ARGS__))
#define ROWS_AGAIN() ROWS_STEP

/* ROWS_APPLY(M, id, P(int, x, (…))) is M_P(id, int, x, (…)). */
#define ROWS_APPLY(macro, id, ...) ROWS_APPLY2(macro, id, __VA_ARGS__)
#define ROWS_APPLY2(macro, id, kind, ...) macro##_##kind(id, __VA_ARGS__)
#define ROWS_ENTRY_P(...) P, __VA_ARGS__
#define ROWS_ENTRY_P_LIST(...) P_LIST, __VA_ARGS__
#define ROWS_ENTRY_R(...) R, __VA_ARGS__
#define ROWS_ENTRY_R_LIST(...) R_LIST, __VA_ARGS__
#define ROWS_ENTRY_R_OBJECT(...) R_OBJECT, __VA_ARGS__
#define ROWS_ENTRY_R_SPREAD(...) R_SPREAD, __VA_ARGS__
#define ROWS_ENTRY_F(...) F, __VA_ARGS__
#define ROWS_ENTRY_F_LIST(...) F_LIST, __VA_ARGS__

#define ROWS_UNPAREN(...) __VA_ARGS__

/* The C type of a field type. */
#define ROWS_TYPE_text const char *
#define ROWS_TYPE_bytes struct field_bytes
#define ROWS_TYPE_int int64_t
#define ROWS_TYPE_size int64_t
#define ROWS_TYPE_flag bool
#define ROWS_TYPE_texts struct field_texts
#define ROWS_TYPE_map struct field_map
#define ROWS_TYPE_raw const char *

#define ROWS_KIND_text FIELD_TEXT
#define ROWS_KIND_bytes FIELD_BYTES
#define ROWS_KIND_int FIELD_INT
#define ROWS_KIND_size FIELD_SIZE
#define ROWS_KIND_flag FIELD_BOOL
#define ROWS_KIND_texts FIELD_TEXTS
#define ROWS_KIND_map FIELD_MAP
#define ROWS_KIND_raw FIELD_RAW

/* A member of a struct, by entry kind. */
#define ROWS_MEMBER(type, name) ROWS_TYPE_##type name;
#define ROWS_MEMBER_LIST(record, name) \
	struct { \
		struct record##_record *items; \
		size_t count; \
	} name;

#define ROWS_ARGS_P(id, type, name, options) ROWS_MEMBER(type, name)
#define ROWS_ARGS_P_LIST(id, record, name, options) ROWS_MEMBER_LIST(record, name)
#define ROWS_ARGS_R(...)
#define ROWS_ARGS_R_LIST(...)
#define ROWS_ARGS_R_OBJECT(...)
#define ROWS_ARGS_R_SPREAD(...)

#define ROWS_REPLY_P(...)
#define ROWS_REPLY_P_LIST(...)
#define ROWS_REPLY_R(id, type, name, options) ROWS_MEMBER(type, name)
#define ROWS_REPLY_R_LIST(id, record, name, options) ROWS_MEMBER_LIST(record, name)
#define ROWS_REPLY_R_OBJECT(id, record, name, options) struct record##_record name;
#define ROWS_REPLY_R_SPREAD(id, record, name, options) struct record##_record name;

#define ROWS_RECORD_F(id, type, name, options) ROWS_MEMBER(type, name)
#define ROWS_RECORD_F_LIST(id, record, name, options) ROWS_MEMBER_LIST(record, name)

/* A row of a field table, by entry kind. */
#define ROWS_NAMES(member) .name = #member, .quoted = "\"" #member "\":", .quoted_len = sizeof(#member) + 2
#define ROWS_FIELD(struct_name, field_kind, member, opts) \
	{ROWS_NAMES(member), .type = ROWS_KIND_##field_kind, .offset = offsetof(struct struct_name, member), \
		.options = {ROWS_UNPAREN opts}},
#define ROWS_FIELD_NESTED(struct_name, field_kind, nested, member, opts) \
	{ROWS_NAMES(member), .type = field_kind, .offset = offsetof(struct struct_name, member), \
		.record = &nested##_record_table, .options = {ROWS_UNPAREN opts}},

#define ROWS_PARAM_ROW_P(id, type, name, options) ROWS_FIELD(id##_args, type, name, options)
#define ROWS_PARAM_ROW_P_LIST(id, nested, name, options) \
	ROWS_FIELD_NESTED(id##_args, FIELD_LIST, nested, name, options)
#define ROWS_PARAM_ROW_R(...)
#define ROWS_PARAM_ROW_R_LIST(...)
#define ROWS_PARAM_ROW_R_OBJECT(...)
#define ROWS_PARAM_ROW_R_SPREAD(...)

#define ROWS_REPLY_ROW_P(...)
#define ROWS_REPLY_ROW_P_LIST(...)
#define ROWS_REPLY_ROW_R(id, type, name, options) ROWS_FIELD(id##_reply, type, name, options)
#define ROWS_REPLY_ROW_R_LIST(id, nested, name, options) \
	ROWS_FIELD_NESTED(id##_reply, FIELD_LIST, nested, name, options)
#define ROWS_REPLY_ROW_R_OBJECT(id, nested, name, options) \
	ROWS_FIELD_NESTED(id##_reply, FIELD_OBJECT, nested, name, options)
#define ROWS_REPLY_ROW_R_SPREAD(id, nested, name, options) \
	ROWS_FIELD_NESTED(id##_reply, FIELD_SPREAD, nested, name, options)

#define ROWS_RECORD_ROW_F(id, type, name, options) ROWS_FIELD(id##_record, type, name, options)
#define ROWS_RECORD_ROW_F_LIST(id, nested, name, options) \
	ROWS_FIELD_NESTED(id##_record, FIELD_LIST, nested, name, options)
