/* The probe's boot sector really runs: under emulation it always must. What it says of KVM depends on the
 * machine. */
#include "hypervisor/kvm/probe.h"
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static void test_sector_runs(void **state)
{
	(void)state;
	if (!kvm_probe_emulator()) {
		print_message("SKIP: QEMU is not installed\n");
		skip();
	}
	struct acceleration acceleration;
	kvm_probe_run("tcg", &acceleration);
	if (!acceleration.works)
		fail_msg("%s", acceleration.says);
	kvm_probe_run("nonesuch", &acceleration);
	assert_false(acceleration.works);
	assert_non_null(strstr(acceleration.says, "nonesuch"));
}

static void test_without_device(void **state)
{
	(void)state;
	struct acceleration acceleration;
	kvm_probe_acceleration(&acceleration);
	assert_true(*acceleration.says);
	if (access("/dev/kvm", F_OK) < 0)
		assert_false(acceleration.works);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sector_runs),
		cmocka_unit_test(test_without_device),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
