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
	int index = text_index(name, type_names, ARRAY_LEN(type_names));
	if (index >= 0)
		*ret = (enum vps_type)index;
	return index >= 0;
}

const char *vps_state_name(enum vps_state state)
{
	return state_names[state];
}

bool vps_state_from_name(const char *name, enum vps_state *ret)
{
	int index = text_index(name, state_names, ARRAY_LEN(state_names));
	if (index >= 0)
		*ret = (enum vps_state)index;
	return index >= 0;
}

const char *vps_preferred_ssh_keys(const struct vps *vps)
{
	return vps->ssh_keys[0] ? vps->ssh_keys : vps->account.ssh_keys;
}
