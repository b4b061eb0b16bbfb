/* What the files of this folder share. A server has event loops; a loop is one thread, one libmicrohttpd
 * daemon polled by it, and the connections it accepted, which no other thread touches. A connection has one
 * exchange, reused from request to request: the request, its memory and its answer. The only meeting point of
 * threads is the gate of a loop: a request that is answered elsewhere is answered under the gate's mutex. */
#pragma once
#include "http/http.h"
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

enum { LOOP_TICK_MS = 500 };

struct loop;
struct source;

/* Outlives its loop: an exchange nobody waits for any more still locks it to find that out. */
struct gate {
	pthread_mutex_t mutex;
	atomic_uint holders;
};
struct gate *gate_new(void);
struct gate *gate_hold(struct gate *gate);
void gate_release(struct gate *gate);

struct param_list {
	struct http_param *items; /* in the arena */
	size_t count, capacity, limit;
};

enum stage {
	STAGE_IDLE,    /* no byte of a request line seen */
	STAGE_HEADER,  /* request line read */
	STAGE_BODY,    /* header accepted */
	STAGE_HANDLED, /* the handler has it */
	STAGE_SENDING, /* the answer is libmicrohttpd's */
};

enum body_form { FORM_NONE, FORM_URLENCODED, FORM_MULTIPART };

struct exchange {
	struct http_request request; /* first, so that the handler's pointer leads back here */
	struct gate *gate;
	struct loop *loop; /* valid while not abandoned, as is the next */
	struct MHD_Connection *mhd;
	enum stage stage;      /* the loop's alone */
	pthread_t thread;      /* the loop's */
	bool is_in_handler;    /* the loop's alone: the handler runs below us on this thread */
	bool is_answered_here; /* the loop's alone: and answered at once */
	bool is_answered;      /* under the gate: by another thread, or later */
	bool is_suspended;     /* under the gate */
	bool is_abandoned;     /* under the gate: the connection is gone, whoever answers frees */
	const char *query;     /* raw, without the '?' */
	size_t query_len;
	size_t target_len; /* of the request line's middle, as sent */
	struct param_list params;
	enum body_form form;
	struct buffer body;
	size_t body_seen; /* bytes, also of what is no longer kept */
	unsigned refusal; /* status this folder answers by itself, 0 for none */
	unsigned status;
	struct MHD_Response *response; /* owned until queued */
	struct buffer answer;	       /* what the response points to */
	http_handler *run;	       /* for a worker */
	struct exchange *next;	       /* in the queue of workers */
};

struct connection {
	struct loop *loop;
	struct connection *next, *previous; /* of the loop */
	struct MHD_Connection *mhd;
	int fd;
	int64_t deadline_ms;   /* 0 while the handler has the request */
	struct source *source; /* counted there; NULL for a unix socket */
	struct in6_addr address;
	uid_t peer_uid;
	struct exchange *exchange;
	struct tls_identity *identity; /* the certificate it was greeted with */
	bool has_own_timeout;	       /* libmicrohttpd watches the progress of a large answer */
};

/* Connections per source address, for all loops of a server. */
struct source_table;
struct source_table *source_table_new(unsigned limit);
void source_table_free(struct source_table *table);
/* Counts one more connection of ADDRESS; NULL when it has as many as it may. */
struct source *source_enter(struct source_table *table, const struct in6_addr *address);
void source_leave(struct source_table *table, struct source *source);

struct loop {
	struct http_server *server;
	struct MHD_Daemon *daemon;
	struct gate *gate;
	pthread_t thread;
	int listen_fd; /* its own copy */
	int wake_fd;
	struct connection *connections;
	struct source *admitted; /* counted for the connection that is being accepted */
	struct in6_addr admitted_address;
	bool is_admitted;
	int64_t now_ms; /* of the last turn, so that a request costs no look at the clock */
	int64_t next_tick_ms;
	bool is_closing;
};

struct http_server {
	struct http_server_config config;
	struct source_table *sources;
	atomic_uint connections;
	atomic_llong stop_at_ms; /* 0 while serving, then when what still runs is cut off */
	int port;
	unsigned loop_count;
	struct loop loops[];
};

/* loop.c */
int loop_start(struct loop *loop, struct http_server *server, struct error *err);
void loop_wake(struct loop *loop); /* from any thread: makes it look at what has changed */
void loop_stop(struct loop *loop); /* after stop_at_ms was set: waits, frees */

/* connection.c: callbacks of libmicrohttpd, and what a loop does with its connections */
enum MHD_Result connection_admit(void *loop, const struct sockaddr *address, socklen_t len);
void connection_notify(
	void *loop, struct MHD_Connection *mhd, void **context, enum MHD_ConnectionNotificationCode code);
struct connection *connection_of(struct MHD_Connection *mhd);
void connection_set_deadline(struct connection *connection, unsigned timeout_s);
/* Shuts down the sockets that are over their deadline; gives back memory of idle ones. */
void connections_tick(struct loop *loop);
void connections_close_idle(struct loop *loop);
void connections_abandon(struct loop *loop);

/* exchange.c */
struct exchange *exchange_new(struct loop *loop, struct MHD_Connection *mhd);
void exchange_free(struct exchange *exchange);
void exchange_reset(struct exchange *exchange);
static inline struct exchange *exchange_of(struct http_request *request)
{
	return (struct exchange *)request;
}

/* request.c: callbacks of libmicrohttpd */
void *request_line(void *loop, const char *uri, struct MHD_Connection *mhd);
enum MHD_Result request_proceed(void *loop, struct MHD_Connection *mhd, const char *url, const char *method,
	const char *version, const char *upload, size_t *upload_size, void **context);
void request_completed(
	void *loop, struct MHD_Connection *mhd, void **context, enum MHD_RequestTerminationCode code);

/* header.c */
/* Reads the header; 0, or the status to refuse the request with. */
unsigned header_read(struct exchange *exchange, const char *method, const char *version, const char *url,
	bool *ret_has_body);
bool header_name_is_valid(const char *name, size_t len);
bool header_value_is_valid(const char *value, size_t len);

/* params.c, form.c */
bool params_add(
	struct arena *arena, struct param_list *list, const char *name, const char *value, size_t value_len);
bool params_parse(struct arena *arena, struct param_list *list, const char *text, size_t len);
/* The multipart/form-data body of EXCHANGE into its parameters; 0 or the status to refuse it with. */
unsigned form_read(struct exchange *exchange);

/* workers.c: once a server */
void workers_open(unsigned count);
/* The last one ends the idle threads and drops what nobody waits for. */
void workers_close(void);
/* A thread of ours: no signals, a small stack. Returns errno. */
int thread_start(pthread_t *ret, size_t stack_bytes, bool is_detached, void *(*run)(void *), void *context);

/* tls.c, certificate.c */
struct tls_identity;
void tls_identity_release(struct tls_identity *identity);
bool tls_is_loaded(void);
/* The callback for MHD_OPTION_HTTPS_CERT_CALLBACK, which that option takes as an untyped pointer. */
void *tls_certificate_callback(void);
/* Writes a new self-signed certificate for NAME and its key. */
int certificate_make(const char *cert_path, const char *key_path, const char *name, struct error *err);
