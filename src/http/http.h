/* HTTP/1.1 and HTTPS listener; the only user of libmicrohttpd and, for certificates, GnuTLS. Limits on
 * everything a client sends; slow and idle clients are cut off by deadlines that drip-feeding cannot push
 * out. A handler runs on the server's thread and must not block: it answers at once with http_reply, or hands
 * the request to a worker thread with http_defer, which may block and then answers. Each request is answered
 * exactly once; it is freed with the answer. */
#pragma once
#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/owned.h"
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct http_param {
	const char *name;
	const char *value; /* NUL-terminated; may hold NUL bytes inside, see value_len */
	size_t value_len;
};

struct http_request {
	const char *method;	   /* "GET", "HEAD", "POST", "PUT", "DELETE" */
	const char *path;	   /* still percent-encoded, without the query, "/v1/start" */
	struct http_param *params; /* decoded: the query's, then the body's when it is a form (urlencoded or
				      multipart) */
	size_t param_count;
	const char *body; /* the body of any other content type, NUL-terminated */
	size_t body_len;
	const char *content_type; /* lower case, without parameters; "" when absent */
	struct in6_addr source;	  /* of the peer; IPv4 as ::ffff:a.b.c.d; :: for a unix socket */
	uid_t peer_uid;		  /* unix sockets (SO_PEERCRED); (uid_t)-1 otherwise */
	bool is_tls;
	struct arena arena; /* for whoever handles it; gone with the request */
	void *context;	    /* http_server_config.context */
	void *state;	    /* the handler's own, NULL at first: carries what it found to its deferred part */
};

typedef void http_handler(struct http_request *request);

struct http_limits {
	size_t header_bytes;		 /* 16 KiB */
	size_t body_bytes;		 /* 2 MiB; over it: 413 */
	size_t param_count;		 /* 256; over it: 400 */
	unsigned connections;		 /* 4096 */
	unsigned connections_per_source; /* 256; not for unix sockets */
	unsigned header_timeout_s; /* from accept, or from the last answer, to the end of the header: 30 */
	unsigned body_timeout_s;   /* from there to the end of the body: 60 */
	unsigned answer_timeout_s; /* without progress in sending: 60 */
};
extern const struct http_limits http_default_limits;

struct http_server_config {
	int listen_fd; /* owned by the server from http_server_start on */
	bool tls;      /* uses the certificate of http_tls_load */
	bool is_unix;
	unsigned threads; /* event loops; each calls the handler */
	unsigned workers; /* threads for http_defer, shared by the process: the first server's value counts */
	struct http_limits limits;
	http_handler *handler;
	void *context;
};

struct http_server;
int http_server_start(const struct http_server_config *config, struct http_server **ret, struct error *err);
/* No new connections; requests under way get up to GRACE_MS to end; then everything is closed and freed. */
void http_server_stop(struct http_server *server, int grace_ms);
/* The port a TCP server listens on (for port 0). */
int http_server_port(const struct http_server *server);

/* Answers and frees the request. BODY is copied. HEADERS is NULL or name, value, name, value, NULL. May be
 * called from any thread. */
void http_reply(struct http_request *request, unsigned status, const char *content_type, const void *body,
	size_t body_len, const char *const *headers);
/* Runs RUN on a worker thread with the request, which RUN must answer. When all workers are busy and the
 * queue (1024) is full the request is answered 503 here. */
void http_defer(struct http_request *request, http_handler *run);
/* Parses "a=b&c=d" and adds the parameters behind the request's own; false over param_count. Text is copied.
 */
bool http_add_params(struct http_request *request, const char *text, size_t len);

/* Loads certificate chain and key (PEM), for new connections from now on: call again after a renewal. When
 * neither file exists a self-signed P-256 certificate for NAME, valid 10 years, is made there (key mode
 * 0600). */
int http_tls_load(const char *cert_path, const char *key_path, const char *name, struct error *err);
/* Makes a listening socket: "127.0.0.1:8080", "[::]:443", "*:80" (both families) or "unix:/run/moa/x.sock"
 * with MODE. */
int http_listen(const char *address, mode_t mode, int *ret_fd, struct error *err);
