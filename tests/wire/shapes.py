"""The answers of wire.md 3 as data: keys in wire order with their types."""

INT, STR, BOOL, TEXTS, MAP, TEXT_MAP, NONE_OR_MAP = "int", "str", "bool", "[str]", "{}", "{str}", "[] or {}"

SERVICE_INFO = {
    "hostname": STR, "node_ip": STR, "node_alias": STR, "node_location_id": STR, "node_location": STR,
    "node_datacenter": STR, "location_ipv6_ready": BOOL, "plan": STR, "plan_monthly_data": INT,
    "monthly_data_multiplier": INT, "plan_disk": INT, "plan_ram": INT, "plan_swap": INT, "plan_max_ipv6s": INT, "os": STR,
    "email": STR, "data_counter": INT, "data_next_reset": INT, "ip_addresses": TEXTS, "private_ip_addresses": TEXTS,
    "ip_nullroutes": NONE_OR_MAP, "iso1": STR, "iso2": STR, "available_isos": TEXTS,
    "plan_private_network_available": BOOL, "location_private_network_available": BOOL, "rdns_api_available": BOOL,
    "ptr": MAP, "suspended": BOOL, "policy_violation": BOOL, "suspension_count": INT, "total_abuse_points": INT,
    "max_abuse_points": INT, "plan_kiwivm_theme": STR, "free_ip_replacement_interval": INT,
}
GET_SERVICE_INFO = {"vm_type": STR, **SERVICE_INFO, "error": INT}

KVM_LIVE = {
    "ve_status": STR, "ve_mac1": STR, "ve_used_disk_space_b": INT, "ve_disk_quota_gb": STR, "is_cpu_throttled": STR,
    "is_disk_throttled": STR, "ssh_port": INT, "live_hostname": STR, "load_average": STR, "mem_available_kb": INT,
    "swap_total_kb": INT, "swap_available_kb": INT, "screendump_png_base64": STR,
}
OVZ_LIVE = {
    "vz_status": TEXT_MAP, "vz_quota": TEXT_MAP, "is_cpu_throttled": STR, "ssh_port": INT, "ve_status": STR, "ve_mac1": STR,
    "ve_used_disk_space_b": INT, "ve_disk_quota_gb": STR, "is_disk_throttled": STR, "live_hostname": STR,
    "load_average": STR, "mem_available_kb": INT, "swap_total_kb": INT, "swap_available_kb": INT,
}
LIVE = {kind: {"vm_type": STR, **live, **SERVICE_INFO, "error": INT, "veid": INT}
        for kind, live in {"kvm": KVM_LIVE, "ovz": OVZ_LIVE}.items()}
VZ_STATUS = ["status", "hostname", "load_average", "nproc", "nproc_b", "kmemsize", "kmemsize_b", "privvmpages",
             "privvmpages_b", "oomguarpages", "oomguarpages_b", "numtcpsock", "numtcpsock_b", "numfile", "numfile_b",
             "swappages", "swappages_b", "physpages", "physpages_l"]
VZ_QUOTA = ["occupied_kb", "softlimit_kb", "hardlimit_kb", "occupied_inodes", "softlimit_inodes", "hardlimit_inodes"]

GET_SSH_KEYS = {"error": INT, "ssh_keys_veid": STR, "ssh_keys_user": STR, "ssh_keys_preferred": STR,
                "shortened_ssh_keys_veid": STR, "shortened_ssh_keys_user": STR, "shortened_ssh_keys_preferred": STR}


def type_of(value):
    """The type as the tables name it. Booleans are no integers here, and floats are nothing."""
    if isinstance(value, bool):
        return BOOL
    if isinstance(value, int):
        return INT
    if isinstance(value, str):
        return STR
    if isinstance(value, list):
        return TEXTS if all(isinstance(item, str) for item in value) else "[?]"
    if isinstance(value, dict):
        return MAP
    return repr(value)


def fits(value, wanted):
    if wanted == NONE_OR_MAP:
        return value == [] or isinstance(value, dict)
    if wanted == TEXT_MAP:
        return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())
    return type_of(value) == wanted


def check(answer, shape):
    """Every key in its place and of its type."""
    data = answer.json
    assert list(data) == list(shape)
    wrong = {key: value for key, value in data.items() if not fits(value, shape[key])}
    assert not wrong
