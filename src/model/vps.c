#include "model/vps.h"
#include "base/memory.h"
#include "base/text.h"

static const char *const type_names[] = {[VPS_KVM] = "kvm", [VPS_OVZ] = "ovz"};
static const char *const state_names[] = {[VPS_CREATING] = "creating",
	[VPS_ACTIVE] = "active",
	[VPS_FAILED] = "failed",
	[VPS_DELETED] = "deleted"};

const char *vps_type_name(enum vps_type type)
{
	return type_names[type];
}

bool vps_type_from_name(const char *name, enum vps_type *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(type_names); i++) {
		if (!text_equal(name, type_names[i]))
			continue;
		*ret = (enum vps_type)i;
		return true;
	}
	return false;
}

const char *vps_state_name(enum vps_state state)
{
	return state_names[state];
}

bool vps_state_from_name(const char *name, enum vps_state *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(state_names); i++) {
		if (!text_equal(name, state_names[i]))
			continue;
		*ret = (enum vps_state)i;
		return true;
	}
	return false;
}

const char *vps_preferred_ssh_keys(const struct vps *vps)
{
	return vps->ssh_keys[0] ? vps->ssh_keys : vps->account.ssh_keys;
}
