/* Makes the self-signed certificate a fresh installation starts with: P-256, ten years, for the given name
 * and for local use. Loading it is for tls.c. */
#include "base/fd.h"
#include "base/random.h"
#include "http/internal.h"
#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { DAY_S = 86400, VALID_DAYS = 3652, SERIAL_LEN = 16, COMMON_NAME_MAX = 64 };

static void key_free(gnutls_x509_privkey_t *key)
{
	if (*key)
		gnutls_x509_privkey_deinit(*key);
}

static void certificate_free(gnutls_x509_crt_t *certificate)
{
	if (*certificate)
		gnutls_x509_crt_deinit(*certificate);
}

static void datum_free(gnutls_datum_t *datum)
{
	if (datum->data)
		gnutls_memset(datum->data, 0, datum->size);
	gnutls_free(datum->data);
}

static int set_serial(gnutls_x509_crt_t certificate)
{
	unsigned char serial[SERIAL_LEN];
	random_bytes(serial, sizeof(serial));
	serial[0] = (serial[0] & 0x7f) | 0x40; /* positive, and of full length */
	return gnutls_x509_crt_set_serial(certificate, serial, sizeof(serial));
}

static int add_name(gnutls_x509_crt_t certificate, const char *name)
{
	struct in6_addr address;
	if (inet_pton(AF_INET, name, &address) == 1)
		return gnutls_x509_crt_set_subject_alt_name(
			certificate, GNUTLS_SAN_IPADDRESS, &address, 4, GNUTLS_FSAN_APPEND);
	if (inet_pton(AF_INET6, name, &address) == 1)
		return gnutls_x509_crt_set_subject_alt_name(
			certificate, GNUTLS_SAN_IPADDRESS, &address, 16, GNUTLS_FSAN_APPEND);
	return gnutls_x509_crt_set_subject_alt_name(
		certificate, GNUTLS_SAN_DNSNAME, name, (unsigned)strlen(name), GNUTLS_FSAN_APPEND);
}

static int set_names(gnutls_x509_crt_t certificate, const char *name)
{
	const char *common = strlen(name) <= COMMON_NAME_MAX ? name : "localhost";
	int rc = gnutls_x509_crt_set_dn_by_oid(
		certificate, GNUTLS_OID_X520_COMMON_NAME, 0, common, (unsigned)strlen(common));
	if (rc == 0)
		rc = add_name(certificate, name);
	if (rc == 0 && strcmp(name, "localhost") != 0)
		rc = add_name(certificate, "localhost");
	return rc == 0 && strcmp(name, "127.0.0.1") != 0 ? add_name(certificate, "127.0.0.1") : rc;
}

static int set_times(gnutls_x509_crt_t certificate)
{
	time_t now = time(NULL);
	/* From yesterday on, for clients whose clock is behind. */
	int rc = gnutls_x509_crt_set_activation_time(certificate, now - DAY_S);
	return rc ? rc : gnutls_x509_crt_set_expiration_time(certificate, now + (time_t)VALID_DAYS * DAY_S);
}

static int set_purpose(gnutls_x509_crt_t certificate)
{
	int rc = gnutls_x509_crt_set_basic_constraints(certificate, 0, -1);
	if (rc == 0)
		rc = gnutls_x509_crt_set_key_usage(certificate, GNUTLS_KEY_DIGITAL_SIGNATURE);
	return rc ? rc : gnutls_x509_crt_set_key_purpose_oid(certificate, GNUTLS_KP_TLS_WWW_SERVER, 0);
}

static int generate(gnutls_x509_privkey_t *key, gnutls_x509_crt_t *certificate, const char *name)
{
	int rc = gnutls_x509_privkey_init(key);
	if (rc == 0)
		rc = gnutls_x509_privkey_generate(
			*key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
	if (rc == 0)
		rc = gnutls_x509_crt_init(certificate);
	if (rc == 0)
		rc = gnutls_x509_crt_set_version(*certificate, 3);
	if (rc == 0)
		rc = set_serial(*certificate);
	if (rc == 0)
		rc = set_times(*certificate);
	if (rc == 0)
		rc = set_names(*certificate, name);
	if (rc == 0)
		rc = set_purpose(*certificate);
	if (rc == 0)
		rc = gnutls_x509_crt_set_key(*certificate, *key);
	return rc ? rc : gnutls_x509_crt_sign2(*certificate, *certificate, *key, GNUTLS_DIG_SHA256, 0);
}

int certificate_make(const char *cert_path, const char *key_path, const char *name, struct error *err)
{
	__attribute__((cleanup(key_free))) gnutls_x509_privkey_t key = NULL;
	__attribute__((cleanup(certificate_free))) gnutls_x509_crt_t certificate = NULL;
	__attribute__((cleanup(datum_free))) gnutls_datum_t key_text = {NULL, 0};
	__attribute__((cleanup(datum_free))) gnutls_datum_t cert_text = {NULL, 0};
	int rc = generate(&key, &certificate, name);
	if (rc == 0)
		rc = gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &key_text);
	if (rc == 0)
		rc = gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &cert_text);
	if (rc < 0)
		return err_set(
			err, ERR_INTERNAL, "making a certificate for %s: %s", name, gnutls_strerror(rc));
	rc = file_write_atomic(key_path, key_text.data, key_text.size, 0600, err);
	if (rc < 0)
		return err_wrap(err, "key");
	rc = file_write_atomic(cert_path, cert_text.data, cert_text.size, 0644, err);
	if (rc < 0) {
		unlink(key_path); /* or the next start would complain about half a pair */
		return err_wrap(err, "certificate");
	}
	return 0;
}
