/* HTTPS as a GnuTLS client sees it: versions, the self-signed certificate, a reload, and pairs that do not
 * fit. */
#include "client.h"
#include "base/fd.h"
#include "base/memory.h"
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define GET "GET /x?a=1 HTTP/1.1\r\nHost: h\r\n\r\n"

static char folder[] = "/tmp/moa-http-tls-XXXXXX";

struct tls_client {
	int fd;
	gnutls_session_t session;
	gnutls_certificate_credentials_t credentials;
	int result; /* of the handshake */
};

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	return dir_remove_tree(folder, NULL);
}

static int load(const char *cert, const char *key, struct error *err)
{
	owned_mem char *cert_path = mem_printf("%s/%s", folder, cert);
	owned_mem char *key_path = mem_printf("%s/%s", folder, key);
	return http_tls_load(cert_path, key_path, "moa.example", err);
}

static void put(const char *name, const char *text)
{
	struct error err = {0};
	owned_mem char *path = mem_printf("%s/%s", folder, name);
	assert_int_equal(file_write_atomic(path, text, strlen(text), 0600, &err), 0);
}

static struct http_server *start_https(http_handler *handler)
{
	return server_start((struct http_server_config){.tls = true, .workers = 1, .handler = handler});
}

static struct tls_client tls_connect(const struct http_server *server, const char *priorities)
{
	struct tls_client client = {.fd = client_connect(server)};
	const gnutls_datum_t protocol = {(unsigned char *)"http/1.1", 8};
	gnutls_certificate_allocate_credentials(&client.credentials);
	gnutls_init(&client.session, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL);
	assert_int_equal(gnutls_priority_set_direct(client.session, priorities, NULL), 0);
	gnutls_credentials_set(client.session, GNUTLS_CRD_CERTIFICATE, client.credentials);
	gnutls_alpn_set_protocols(client.session, &protocol, 1, 0);
	gnutls_transport_set_int(client.session, client.fd);
	do
		client.result = gnutls_handshake(client.session);
	while (client.result < 0 && !gnutls_error_is_fatal(client.result));
	return client;
}

static void tls_close(struct tls_client *client)
{
	gnutls_deinit(client->session);
	gnutls_certificate_free_credentials(client->credentials);
	close(client->fd);
}

static bool asks_well(struct tls_client *client)
{
	char text[1024];
	size_t len = 0;
	gnutls_record_send(client->session, GET, strlen(GET));
	while (len < sizeof(text) - 1) {
		ssize_t got = gnutls_record_recv(client->session, text + len, sizeof(text) - 1 - len);
		if (got <= 0)
			return false;
		len += (size_t)got;
		text[len] = '\0';
		if (strstr(text, "\r\n\r\nGET /x [] a=1;|"))
			return true;
	}
	return false;
}

static gnutls_x509_crt_t certificate_of(const struct tls_client *client)
{
	unsigned count;
	const gnutls_datum_t *chain = gnutls_certificate_get_peers(client->session, &count);
	gnutls_x509_crt_t certificate;
	assert_non_null(chain);
	gnutls_x509_crt_init(&certificate);
	assert_int_equal(gnutls_x509_crt_import(certificate, &chain[0], GNUTLS_X509_FMT_DER), 0);
	return certificate;
}

static void makes_a_certificate(void **state)
{
	(void)state;
	struct error err = {0};
	struct stat st;
	unsigned bits;
	assert_int_equal(load("own.crt", "own.key", &err), 0);
	owned_mem char *key_path = mem_printf("%s/own.key", folder);
	assert_int_equal(stat(key_path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	struct http_server *server = start_https(echo);
	struct tls_client client = tls_connect(server, "NORMAL");
	assert_int_equal(client.result, 0);
	gnutls_x509_crt_t certificate = certificate_of(&client);
	assert_true(gnutls_x509_crt_check_hostname(certificate, "moa.example"));
	assert_true(gnutls_x509_crt_check_hostname(certificate, "localhost"));
	assert_true(gnutls_x509_crt_check_hostname(certificate, "127.0.0.1"));
	assert_false(gnutls_x509_crt_check_hostname(certificate, "other.example"));
	assert_int_equal(gnutls_x509_crt_get_pk_algorithm(certificate, &bits), GNUTLS_PK_ECDSA);
	assert_int_equal(bits, 256);
	assert_true(gnutls_x509_crt_get_expiration_time(certificate) > time(NULL) + 3650L * 86400 - 86400);
	gnutls_x509_crt_deinit(certificate);
	gnutls_datum_t protocol;
	assert_int_equal(gnutls_alpn_get_selected_protocol(client.session, &protocol), 0);
	assert_memory_equal(protocol.data, "http/1.1", 8);
	assert_true(asks_well(&client));
	assert_true(asks_well(&client));
	tls_close(&client);
	http_server_stop(server, 0);
}

static void speaks_only_safe_versions(void **state)
{
	(void)state;
	static const struct {
		const char *priorities;
		bool works;
	} versions[] = {
		{"NORMAL:-VERS-ALL:+VERS-TLS1.3", true},
		{"NORMAL:-VERS-ALL:+VERS-TLS1.2", true},
		{"NORMAL:-VERS-ALL:+VERS-TLS1.1:%COMPAT", false},
		{"NORMAL:-VERS-ALL:+VERS-TLS1.0:%COMPAT", false},
	};
	struct http_server *server = start_https(echo_deferred);
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct tls_client client = tls_connect(server, versions[i].priorities);
		assert_int_equal(client.result == 0, versions[i].works);
		if (versions[i].works)
			assert_true(asks_well(&client));
		tls_close(&client);
	}
	http_server_stop(server, 0);
}

static void survives_plain_text(void **state)
{
	(void)state;
	struct http_server *server = start_https(echo);
	owned_fd int fd = client_connect(server);
	client_say(fd, GET);
	char bytes[64];
	while (recv(fd, bytes, sizeof(bytes), 0) > 0)
		continue; /* an alert at most */
	struct tls_client client = tls_connect(server, "NORMAL");
	assert_true(asks_well(&client));
	tls_close(&client);
	http_server_stop(server, 0);
}

static void reloads_for_new_connections(void **state)
{
	(void)state;
	struct error err = {0};
	struct http_server *server = start_https(echo);
	struct tls_client before = tls_connect(server, "NORMAL");
	assert_int_equal(load("new.crt", "new.key", &err), 0);
	struct tls_client after = tls_connect(server, "NORMAL");
	gnutls_x509_crt_t old = certificate_of(&before), new = certificate_of(&after);
	assert_false(gnutls_x509_crt_equals(old, new));
	assert_true(asks_well(&before));
	assert_true(asks_well(&after));
	gnutls_x509_crt_deinit(old);
	gnutls_x509_crt_deinit(new);
	tls_close(&before);
	tls_close(&after);
	http_server_stop(server, 0);
}

static void names_what_is_wrong(void **state)
{
	(void)state;
	put("junk", "not a certificate");
	static const struct {
		const char *cert, *key, *said;
	} wrong[] = {
		{"own.crt", "new.key", "do not belong together"},
		{"junk", "own.key", "not a PEM certificate chain"},
		{"own.crt", "junk", "not a PEM private key"},
		{"own.crt", "absent", "no key"},
		{"absent", "own.key", "no certificate"},
		{"none/a.crt", "none/a.key", "none/a.key"},
	};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct error err = {0};
		assert_true(load(wrong[i].cert, wrong[i].key, &err) < 0);
		if (!strstr(err.message, wrong[i].said))
			fail_msg("%s", err.message);
	}
	/* And the good one still stands. */
	struct http_server *server = start_https(echo);
	struct tls_client client = tls_connect(server, "NORMAL");
	assert_true(asks_well(&client));
	tls_close(&client);
	http_server_stop(server, 0);
}

static void needs_a_certificate(void **state)
{
	(void)state;
	struct error err = {0};
	struct http_server_config config = {.tls = true, .handler = echo};
	struct http_server *server = NULL;
	assert_int_equal(http_listen("127.0.0.1:0", 0, &config.listen_fd, &err), 0);
	assert_int_equal(http_server_start(&config, &server, &err), -ERR_INVALID);
	assert_null(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(needs_a_certificate),
		cmocka_unit_test(makes_a_certificate),
		cmocka_unit_test(speaks_only_safe_versions),
		cmocka_unit_test(survives_plain_text),
		cmocka_unit_test(reloads_for_new_connections),
		cmocka_unit_test(names_what_is_wrong),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
