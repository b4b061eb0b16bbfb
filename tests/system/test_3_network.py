"""What guests reach and what they may send."""
import json
import socket
import threading

import pytest
from host import is_connectable, run
from moa import eventually

SENDER = r"""
import socket, struct, sys
interface, own_mac, own_ip, other_ip, gateway, case = sys.argv[1:]
link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
link.bind((interface, 0))
mac = lambda text: bytes.fromhex(text.replace(':', ''))
ip = socket.inet_aton
EVERYBODY = b'\xff' * 6

def checksum(data):
    total = sum(struct.unpack('>%dH' % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff

def udp(source_mac, source_ip, payload, source_port=7, port=7, tag=b''):
    body = struct.pack('>HHHH', source_port, port, 8 + len(payload), 0) + payload
    head = struct.pack('>BBHHHBBH4s4s', 0x45, 0, 20 + len(body), 1, 0, 64, 17, 0, ip(source_ip), ip('255.255.255.255'))
    head = head[:10] + struct.pack('>H', checksum(head)) + head[12:]
    return EVERYBODY + mac(source_mac) + tag + b'\x08\x00' + head + body

def arp(sender_mac, sender_ip, ether_mac):
    return (EVERYBODY + mac(ether_mac) + b'\x08\x06' + struct.pack('>HHBBH', 1, 0x800, 6, 4, 2) + mac(sender_mac) +
            ip(sender_ip) + EVERYBODY + ip(gateway) + b'MOA-SPOOF'.ljust(18, b'\0'))

spoofed = {
    'address': lambda: udp(own_mac, other_ip, b'MOA-SPOOF'),
    'outside address': lambda: udp(own_mac, '198.51.100.7', b'MOA-SPOOF'),
    'mac': lambda: udp('02:00:00:00:00:99', own_ip, b'MOA-SPOOF'),
    'arp address': lambda: arp(own_mac, other_ip, own_mac),
    'arp gateway': lambda: arp(own_mac, gateway, own_mac),
    'arp mac': lambda: arp('02:00:00:00:00:99', own_ip, own_mac),
    'dhcp server': lambda: udp(own_mac, own_ip, b'MOA-SPOOF', 67, 68),
    'vlan': lambda: udp(own_mac, own_ip, b'MOA-SPOOF', tag=b'\x81\x00\x00\x05'),
    'unknown protocol': lambda: EVERYBODY + mac(own_mac) + b'\x88\xcc' + b'MOA-SPOOF'.ljust(50, b'\0'),
}
for i in range(3):
    link.send(spoofed[case]())
link.send(udp(own_mac, own_ip, b'MOA-HONEST'))
"""
CASES = ["address", "outside address", "mac", "arp address", "arp gateway", "arp mac", "dhcp server", "vlan",
         "unknown protocol"]


@pytest.mark.parametrize("case", CASES)
def test_a_guest_only_sends_as_itself(guest, guests, host, case):
    """On one link frames keep their order, so when the honest one behind the spoofed ones has come, they were dropped."""
    other = guests["kvm" if guest is guests["ovz"] else "ovz"]
    interface = json.loads(guest.run("ip -j -4 route show default"))[0]["dev"]
    mac = host.moad.ctl("vps", "show", guest.veid)["mac"]
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as bridge:
        bridge.bind((host.bridge, 0))
        bridge.settimeout(120)
        guest.python(SENDER, interface, mac, guest.ip, other.ip, host.gateway, case)
        while b"MOA-HONEST" not in (frame := bridge.recv(65536)):
            assert b"MOA-SPOOF" not in frame


def test_guests_reach_gateway_and_each_other(guest, guests, host):
    other = guests["kvm" if guest is guests["ovz"] else "ovz"]
    for address in (host.gateway, other.ip):
        guest.run(f"ping -c 1 -W 20 {address}")
    assert guest.run(f"timeout 25 bash -c 'exec 3<>/dev/tcp/{other.ip}/22; head -c 4 <&3'") == "SSH-"


def test_a_neighbours_address_cannot_be_taken(guest, guests, host):
    other = guests["kvm" if guest is guests["ovz"] else "ovz"]
    interface = json.loads(guest.run("ip -j -4 route show default"))[0]["dev"]
    guest.run(f"ip addr add {other.ip}/32 dev {interface}")
    try:
        guest.run(f"ping -c 2 -W 3 -I {other.ip} {host.gateway}", status=1)
    finally:
        guest.run(f"ip addr del {other.ip}/32 dev {interface}")
    guest.run(f"ping -c 1 -W 20 {host.gateway}")
    other.run(f"ping -c 1 -W 20 {host.gateway}")


class Listener:
    """A TCP server of the host on all its addresses."""

    def __enter__(self):
        self.socket = socket.create_server(("0.0.0.0", 0))
        self.port = self.socket.getsockname()[1]
        self.accepted = []
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def serve(self):
        while True:
            try:
                connection, peer = self.socket.accept()
            except OSError:
                return
            self.accepted.append(peer)
            connection.close()

    def __exit__(self, *_):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def test_host_is_closed_to_guests_but_for_the_api(guest, host):
    reach = "timeout 8 bash -c 'exec 3<>/dev/tcp/{0}/{1}'"
    with Listener() as listener:
        for address in (host.gateway, host.node_ip):
            answer = guest.call("basicShell/exec", command=reach.format(address, listener.port))
            assert answer["error"] != 0
            assert guest.run(reach.format(address, host.moad.http_port)) == ""
        assert is_connectable(host.node_ip, listener.port), "the server must be there for this to mean anything"
        eventually("the host's own connection came", lambda: listener.accepted, 30)
        assert not [peer for peer in listener.accepted if peer[0].startswith(f"10.{host.number}.")]


def test_ssh_port_is_forwarded_and_nothing_else(guest, host):
    with socket.create_connection((host.node_ip, guest.ssh_port), 30) as connection:
        assert connection.recv(4) == b"SSH-"
    assert not is_connectable(host.node_ip, 20000 + host.number * 100 + 99)


def test_bridge_does_not_learn_a_spoofed_mac(container, host):
    """Frames are dropped before the bridge could send a neighbour's traffic here."""
    interface = json.loads(container.run("ip -j -4 route show default"))[0]["dev"]
    mac = host.moad.ctl("vps", "show", container.veid)["mac"]
    container.python(SENDER, interface, mac, container.ip, host.gateway, host.gateway, "mac")
    learnt = json.loads(run("bridge", "-j", "fdb", "show", "br", host.bridge))
    assert "02:00:00:00:00:99" not in [entry["mac"] for entry in learnt]


# ---- what a container sees of the host ----

def test_container_sees_nothing_of_the_host(container, host):
    seen = container.run("cat /proc/mounts /proc/self/mountinfo; ls -laR /run 2>/dev/null")
    for secret in (str(host.base), "libvirt", "admin.sock", "node.sock", "moa.db", "pool.xfs", "/tmp/"):
        hits = [line for line in seen.splitlines() if secret in line]
        # systemd's own temporary folders inside are called /tmp/systemd-private-…
        assert not [line for line in hits if "systemd-private" not in line], hits
    assert container.run("find / -xdev -name '*.sock' -path '*moa*'; find / -xdev -name 'moa.db'") == ""


def test_container_cannot_reach_disks(container):
    assert container.run("ls /dev | grep -E '^(loop|vd|sd|nvme|kvm|mem|dm)' ; true") == ""
    container.run("mknod /root/disk b 7 0 2>/dev/null && head -c 1 /root/disk", status=1)
    container.run("mount -t ext4 /dev/loop0 /mnt 2>/dev/null", status=32)


def test_container_cannot_change_the_host(container):
    before = open("/proc/sys/kernel/hostname").read()
    for command in ("echo 1 >/proc/sys/kernel/panic", "echo b >/proc/sysrq-trigger", "echo x >/proc/sys/kernel/core_pattern",
                    "date -s 2001-01-01", "modprobe loop", "echo 1 >/sys/kernel/mm/ksm/run", "dmesg -C"):
        assert container.call("basicShell/exec", command=f"( {command} ) 2>/dev/null")["error"] != 0, command
    assert open("/proc/sys/kernel/hostname").read() == before


def test_container_processes_are_not_root_outside(container, host):
    listed = host.footprint.processes()
    inside = [pid for pid, where in listed.items() if "moa.guest" in where]
    assert inside
    for pid in inside:
        try:
            uid = int(open(f"/proc/{pid}/status").read().split("Uid:")[1].split()[0])
        except OSError:
            continue  # it has ended
        assert uid >= host.number * 10**6
