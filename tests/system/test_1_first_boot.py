"""What a new VPS has at its first boot: password, key, name, network, and the limits of its plan."""
from host import TEMPLATE


def test_root_password_that_was_printed_works(guest):
    assert guest.ssh("id -u", password=guest.created["root_password"]) == "0\n"


def test_wrong_root_password_does_not(guest):
    assert guest.refuses("wrong" + guest.created["root_password"])


def test_key_of_the_account_works(guest):
    assert guest.ssh("hostname") == guest.info()["hostname"] + "\n"


def test_root_file_system_fills_the_disk_of_the_plan(guest):
    kilobytes = int(guest.run("df -k --output=size / | tail -1"))
    assert 2.5 * 2**20 < kilobytes <= 3 * 2**20


def test_addresses_routes_and_name_servers(guest, host):
    addresses = guest.run("ip -o -4 addr show scope global").split()
    assert f"{guest.ip}/16" in addresses
    assert f"default via {host.gateway}" in guest.run("ip -4 route")
    assert "192.0.2.53" in guest.run("resolvectl dns 2>/dev/null; cat /etc/resolv.conf")
    assert guest.run("cat /sys/class/net/e*/address").strip() == host.moad.ctl("vps", "show", guest.veid)["mac"]


def test_memory_of_the_plan(machine, container):
    assert 400_000 < int(machine.run("awk '/MemTotal/ {print $2}' /proc/meminfo")) <= 512 * 1024
    limit = container.run("cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max")
    assert int(limit) == 512 << 20


def test_no_unit_failed(guest):
    assert guest.run("systemctl --failed --plain --no-legend") == ""


def test_service_info_is_what_was_ordered(guest, host):
    info = guest.info()
    assert (info["plan"], info["plan_disk"], info["plan_ram"], info["plan_swap"]) == ("small", 3 << 30, 512 << 20, 128 << 20)
    assert info["ip_addresses"] == [guest.ip] and info["os"] == TEMPLATE and info["email"] == "customer@example.com"
    assert info["node_ip"] == host.node_ip and info["suspended"] is False
    assert list(info)[0] == "vm_type" and list(info)[-1] == "error"


def test_available_os(guest):
    answer = guest.call.ok("getAvailableOS")
    assert answer == {"error": 0, "installed": TEMPLATE, "templates": [TEMPLATE]}
