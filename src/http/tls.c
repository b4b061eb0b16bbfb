/* The certificate of this process's HTTPS servers. A loaded pair never changes: a reload makes a new one
 * current, and each connection holds the one it was greeted with until it is closed. Making a certificate is
 * for certificate.c. */
#include "base/fd.h"
#include "base/log.h"
#include "base/memory.h"
#include "http/internal.h"
#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CERT_MAX = 1 << 20, KEY_MAX = 1 << 16, KEY_ID_MAX = 64 };

struct tls_identity {
	atomic_uint holders;
	gnutls_pcert_st *chain;
	unsigned count;
	gnutls_privkey_t key;
};

static struct {
	pthread_mutex_t mutex;
	struct tls_identity *current;
} tls = {.mutex = PTHREAD_MUTEX_INITIALIZER};

void tls_identity_release(struct tls_identity *identity)
{
	if (atomic_fetch_sub(&identity->holders, 1) > 1)
		return;
	for (unsigned i = 0; i < identity->count; i++)
		gnutls_pcert_deinit(&identity->chain[i]);
	free(identity->chain);
	gnutls_privkey_deinit(identity->key);
	free(identity);
}
OWNED_DEFINE(struct tls_identity, tls_identity_release);

static struct tls_identity *identity_current(void)
{
	pthread_mutex_lock(&tls.mutex);
	struct tls_identity *identity = tls.current;
	if (identity)
		atomic_fetch_add(&identity->holders, 1);
	pthread_mutex_unlock(&tls.mutex);
	return identity;
}

bool tls_is_loaded(void)
{
	struct tls_identity *identity = identity_current();
	if (!identity)
		return false;
	tls_identity_release(identity);
	return true;
}

/* libmicrohttpd keeps its connection in the session's pointer. */
static int choose_certificate(gnutls_session_t session, const gnutls_datum_t *names, int name_count,
	const gnutls_pk_algorithm_t *algorithms, int algorithm_count, gnutls_pcert_st **ret_chain,
	unsigned *ret_count, gnutls_privkey_t *ret_key)
{
	struct connection *connection = connection_of(gnutls_session_get_ptr(session));
	(void)names, (void)name_count, (void)algorithms, (void)algorithm_count;
	if (!connection->identity)
		connection->identity = identity_current();
	if (!connection->identity)
		return -1;
	*ret_chain = connection->identity->chain;
	*ret_count = connection->identity->count;
	*ret_key = connection->identity->key;
	return 0;
}

void *tls_certificate_callback(void)
{
	return (void *)(uintptr_t)choose_certificate;
}

static int add_chain(struct tls_identity *identity, gnutls_x509_crt_t *certificates, unsigned count,
	const char *path, struct error *err)
{
	identity->chain = mem_alloc(count, sizeof(*identity->chain));
	for (; identity->count < count; identity->count++) {
		int rc = gnutls_pcert_import_x509(
			&identity->chain[identity->count], certificates[identity->count], 0);
		if (rc < 0)
			return err_set(err, ERR_INVALID, "certificate %s: %s", path, gnutls_strerror(rc));
	}
	if (gnutls_x509_crt_get_expiration_time(certificates[0]) < time(NULL))
		log_warning("certificate %s has expired", path);
	return 0;
}

static int load_chain(struct tls_identity *identity, const char *path, struct error *err)
{
	owned_mem char *text = NULL;
	size_t len;
	int rc = file_read(path, CERT_MAX, &text, &len, err);
	if (rc < 0)
		return err_wrap(err, "certificate");
	gnutls_x509_crt_t *certificates = NULL;
	unsigned count = 0;
	const gnutls_datum_t datum = {(unsigned char *)text, (unsigned)len};
	rc = gnutls_x509_crt_list_import2(
		&certificates, &count, &datum, GNUTLS_X509_FMT_PEM, GNUTLS_X509_CRT_LIST_SORT);
	if (rc < 0 || count == 0)
		return err_set(err, ERR_INVALID, "certificate %s is not a PEM certificate chain: %s", path,
			gnutls_strerror(rc));
	rc = add_chain(identity, certificates, count, path, err);
	for (unsigned i = 0; i < count; i++)
		gnutls_x509_crt_deinit(certificates[i]);
	gnutls_free(certificates);
	return rc;
}

static int import_key(
	struct tls_identity *identity, const char *path, char *text, size_t len, struct error *err)
{
	const gnutls_datum_t datum = {(unsigned char *)text, (unsigned)len};
	int rc = gnutls_privkey_init(&identity->key);
	if (rc == 0)
		rc = gnutls_privkey_import_x509_raw(identity->key, &datum, GNUTLS_X509_FMT_PEM, NULL, 0);
	mem_wipe(text, len);
	if (rc == GNUTLS_E_DECRYPTION_FAILED)
		return err_set(err, ERR_INVALID, "key %s is protected by a password", path);
	if (rc < 0)
		return err_set(
			err, ERR_INVALID, "key %s is not a PEM private key: %s", path, gnutls_strerror(rc));
	return 0;
}

static int load_key(struct tls_identity *identity, const char *path, struct error *err)
{
	owned_mem char *text = NULL;
	size_t len;
	int rc = file_read(path, KEY_MAX, &text, &len, err);
	return rc < 0 ? err_wrap(err, "key") : import_key(identity, path, text, len, err);
}

static bool key_id(gnutls_pubkey_t key, unsigned char *id, size_t *len)
{
	*len = KEY_ID_MAX;
	return gnutls_pubkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, id, len) == 0;
}

static bool is_a_pair(const struct tls_identity *identity)
{
	unsigned char of_chain[KEY_ID_MAX], of_key[KEY_ID_MAX];
	size_t chain_len, key_len;
	gnutls_pubkey_t public = NULL;
	bool is = gnutls_pubkey_init(&public) == 0 &&
		  gnutls_pubkey_import_privkey(public, identity->key, 0, 0) == 0 &&
		  key_id(public, of_key, &key_len) &&
		  key_id(identity->chain[0].pubkey, of_chain, &chain_len) && chain_len == key_len &&
		  memcmp(of_chain, of_key, key_len) == 0;
	if (public)
		gnutls_pubkey_deinit(public);
	return is;
}

static int make_if_absent(const char *cert_path, const char *key_path, const char *name, struct error *err)
{
	bool has_cert = access(cert_path, F_OK) == 0 || errno != ENOENT;
	bool has_key = access(key_path, F_OK) == 0 || errno != ENOENT;
	if (has_cert && has_key)
		return 0;
	if (has_cert)
		return err_set(
			err, ERR_NOT_FOUND, "there is a certificate %s but no key %s", cert_path, key_path);
	if (has_key)
		return err_set(
			err, ERR_NOT_FOUND, "there is a key %s but no certificate %s", key_path, cert_path);
	log_info("making a self-signed certificate for %s", name);
	return certificate_make(cert_path, key_path, name, err);
}

int http_tls_load(const char *cert_path, const char *key_path, const char *name, struct error *err)
{
	int rc = make_if_absent(cert_path, key_path, name, err);
	if (rc < 0)
		return rc;
	owned(tls_identity_release) struct tls_identity *identity = mem_new(struct tls_identity);
	atomic_init(&identity->holders, 1);
	if ((rc = load_chain(identity, cert_path, err)) < 0 || (rc = load_key(identity, key_path, err)) < 0)
		return rc;
	if (!is_a_pair(identity))
		return err_set(err, ERR_INVALID, "certificate and key do not belong together (%s, %s)",
			cert_path, key_path);
	pthread_mutex_lock(&tls.mutex);
	struct tls_identity *replaced = tls.current;
	tls.current = take(identity);
	pthread_mutex_unlock(&tls.mutex);
	if (replaced)
		tls_identity_release(replaced);
	return 0;
}
