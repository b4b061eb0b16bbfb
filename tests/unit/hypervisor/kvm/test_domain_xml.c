/* The domain XML against golden files, and values that must not stand in it. MOA_GOLDEN_WRITE=1 writes the
 * files anew. */
#include "base/fd.h"
#include "base/owned.h"
#include "base/text.h"
#include "hypervisor/kvm/domain_xml.h"
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct guest_spec model_spec(void)
{
	return (struct guest_spec){.name = "moa-1000001",
		.veid = 1000001,
		.type = VPS_KVM,
		.uuid = "0d6f1c2a-3400-4000-8000-000000000001",
		.hostname = "example.test",
		.ram_bytes = 512ll << 20,
		.cpu_percent = 100,
		.disk_path = "/pool/1000001/disk.raw",
		.seed_path = "/pool/1000001/seed.iso",
		.bridge = "moabr0",
		.interface = "moa1000001",
		.mac = "02:00:00:00:00:01"};
}

static void expect_golden(const char *name, const struct guest_spec *spec, const struct domain_host *host)
{
	char path[512];
	struct error err = {0};
	owned_in(buffer_done) struct buffer xml = BUFFER_INIT(64 << 10);
	owned_mem char *golden = NULL;
	assert_true(text_format(path, sizeof(path), "%s/%s.xml", GOLDEN_DIR, name));
	if (kvm_domain_xml_write(spec, host, &xml, &err) < 0)
		fail_msg("%s", err.message);
	if (getenv("MOA_GOLDEN_WRITE"))
		assert_int_equal(file_write_atomic(path, xml.data, xml.len, 0644, &err), 0);
	if (file_read(path, 64 << 10, &golden, NULL, &err) < 0)
		fail_msg("%s", err.message);
	assert_string_equal(xml.data, golden);
}

static void test_emulated(void **state)
{
	(void)state;
	struct guest_spec spec = model_spec();
	expect_golden("emulated", &spec, &(struct domain_host){.direct_io = true});
}

static void test_accelerated_with_cd(void **state)
{
	(void)state;
	struct guest_spec spec = model_spec();
	spec.cpu_percent = 250;
	spec.ram_bytes += 1;
	spec.seed_path = NULL;
	spec.iso_path = "/iso/debian.iso";
	expect_golden("accelerated-cd", &spec, &(struct domain_host){.kvm = true});
}

static void test_escapes(void **state)
{
	(void)state;
	struct guest_spec spec = model_spec();
	spec.disk_path = "/pool/it's <a> \"b\" & c/disk.raw";
	expect_golden("escaped", &spec, &(struct domain_host){.direct_io = true});
}

static void expect_refused(const struct guest_spec *spec)
{
	struct error err = {0};
	owned_in(buffer_done) struct buffer xml = BUFFER_INIT(64 << 10);
	assert_int_equal(kvm_domain_xml_write(spec, &(struct domain_host){0}, &xml, &err), -ERR_INVALID);
	assert_int_equal(xml.len, 0);
}

static void test_refuses_texts(void **state)
{
	(void)state;
	static const struct {
		size_t offset;
		const char *value;
	} rows[] = {
		{offsetof(struct guest_spec, name), NULL},
		{offsetof(struct guest_spec, name), ""},
		{offsetof(struct guest_spec, name), "../x"},
		{offsetof(struct guest_spec, name), "a b"},
		{offsetof(struct guest_spec, name), "a/b"},
		{offsetof(struct guest_spec, uuid), "not-a-uuid"},
		{offsetof(struct guest_spec, uuid), "0d6f1c2a-3400-4000-8000-00000000000'"},
		{offsetof(struct guest_spec, disk_path), NULL},
		{offsetof(struct guest_spec, disk_path), "relative.raw"},
		{offsetof(struct guest_spec, disk_path), "nbd://host/x"},
		{offsetof(struct guest_spec, disk_path), "/a\nb"},
		{offsetof(struct guest_spec, disk_path), "/a\xff"},
		{offsetof(struct guest_spec, seed_path), "seed.iso"},
		{offsetof(struct guest_spec, iso_path), "/\x01"},
		{offsetof(struct guest_spec, bridge), "a'b"},
		{offsetof(struct guest_spec, bridge), "0123456789abcdef"},
		{offsetof(struct guest_spec, interface), NULL},
		{offsetof(struct guest_spec, interface), "../tap"},
		{offsetof(struct guest_spec, mac), "02:00:00:00:00"},
		{offsetof(struct guest_spec, mac), "02:00:00:00:00:0g"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct guest_spec spec = model_spec();
		*(const char **)((char *)&spec + rows[i].offset) = rows[i].value;
		expect_refused(&spec);
	}
}

static void test_refuses_numbers(void **state)
{
	(void)state;
	struct guest_spec spec = model_spec();
	spec.ram_bytes = 0;
	expect_refused(&spec);
	spec = model_spec();
	spec.cpu_percent = 0;
	expect_refused(&spec);
	spec.cpu_percent = INT64_MAX;
	expect_refused(&spec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_emulated),
		cmocka_unit_test(test_accelerated_with_cd),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_refuses_texts),
		cmocka_unit_test(test_refuses_numbers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
