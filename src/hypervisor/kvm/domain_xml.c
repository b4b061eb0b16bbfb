/* guest_spec to libvirt domain XML (https://libvirt.org/formatdomain.html). Every device has its PCI address
 * written out, so that a guest's interface keeps its name when a seed or a CD comes or goes. No disk may have
 * a backing file, and its format is always said: a guest that writes a qcow2 header into its raw disk gains
 * nothing. */
#include "hypervisor/kvm/domain_xml.h"
#include "base/text.h"
#include "model/name.h"
#include <inttypes.h>
#include <string.h>

enum { NAME_MAX_LEN = 63, INTERFACE_MAX_LEN = 15, PATH_MAX_LEN = 1023, VCPU_MAX = 255 };

/* Slots of PCI bus 0; 0 is the host bridge, 1 the ISA bridge with IDE, 2 the VGA card. */
enum { SLOT_VGA = 2, SLOT_NETWORK, SLOT_CHANNELS, SLOT_DISK, SLOT_SEED, SLOT_BALLOON, SLOT_RANDOM };

#define NAME_CHARS TEXT_ALNUM "._-"

/* TEXT for an attribute or an element: nothing in it can end either. */
static void add_escaped(struct buffer *xml, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '&':
			buffer_add_text(xml, "&amp;");
			break;
		case '<':
			buffer_add_text(xml, "&lt;");
			break;
		case '>':
			buffer_add_text(xml, "&gt;");
			break;
		case '"':
			buffer_add_text(xml, "&quot;");
			break;
		case '\'':
			buffer_add_text(xml, "&apos;");
			break;
		default:
			buffer_add_byte(xml, *text);
		}
	}
}

/* BEFORE, the escaped text, AFTER. */
static void add_value(struct buffer *xml, const char *before, const char *text, const char *after)
{
	buffer_add_text(xml, before);
	add_escaped(xml, text);
	buffer_add_text(xml, after);
}

static void add_slot(struct buffer *xml, int slot)
{
	buffer_addf(
		xml, "<address type='pci' domain='0x0000' bus='0x00' slot='0x%02x' function='0x0'/>\n", slot);
}

static bool is_short_name(const char *text, size_t max_len)
{
	return text && *text && *text != '-' && *text != '.' && strlen(text) <= max_len &&
	       text_only(text, NAME_CHARS);
}

static bool is_path(const char *text)
{
	if (!text || *text != '/' || strlen(text) > PATH_MAX_LEN || !text_is_utf8(text, strlen(text)))
		return false;
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	return true;
}

static bool is_uuid(const char *text)
{
	return text && strlen(text) == 36 && text_only(text, "0123456789abcdefABCDEF-");
}

static int check(const struct guest_spec *spec, struct error *err)
{
	if (!is_short_name(spec->name, NAME_MAX_LEN))
		return err_set(err, ERR_INVALID, "a guest's name cannot be used");
	if (!is_uuid(spec->uuid))
		return err_set(err, ERR_INVALID, "%s: the UUID is none", spec->name);
	if (!is_path(spec->disk_path) || (spec->seed_path && !is_path(spec->seed_path)) ||
		(spec->iso_path && !is_path(spec->iso_path)))
		return err_set(err, ERR_INVALID, "%s: a path is not absolute or not printable", spec->name);
	if (!is_short_name(spec->bridge, INTERFACE_MAX_LEN) ||
		!is_short_name(spec->interface, INTERFACE_MAX_LEN) || !spec->mac || !name_is_mac(spec->mac))
		return err_set(err, ERR_INVALID, "%s: bridge, interface or MAC is none", spec->name);
	if (spec->ram_bytes < 1 << 20 || spec->cpu_percent < 1 || spec->cpu_percent > 100 * VCPU_MAX)
		return err_set(err, ERR_INVALID, "%s: memory or CPU share is out of bounds", spec->name);
	return 0;
}

static void add_memory_and_cpus(
	struct buffer *xml, const struct guest_spec *spec, const struct domain_host *host)
{
	int64_t cpus = (spec->cpu_percent + 99) / 100;
	buffer_addf(xml, "<memory unit='KiB'>%" PRId64 "</memory>\n", (spec->ram_bytes + 1023) / 1024);
	buffer_addf(xml, "<vcpu placement='static'>%" PRId64 "</vcpu>\n<iothreads>1</iothreads>\n", cpus);
	/* A quota for the whole guest rather than one a CPU: one busy thread may use a full core of its
	 * share. */
	if (spec->cpu_percent % 100)
		buffer_addf(xml,
			"<cputune>\n<global_period>100000</global_period>\n<global_quota>%" PRId64
			"</global_quota>\n</cputune>\n",
			spec->cpu_percent * 1000);
	buffer_addf(xml, "<cpu mode='%s' check='none' migratable='on'>\n",
		host->kvm ? "host-passthrough" : "maximum");
	buffer_addf(xml, "<topology sockets='1' dies='1' cores='%" PRId64 "' threads='1'/>\n", cpus);
	/* Emulated page walks of five levels cost time, and nobody has 128 TiB. */
	if (!host->kvm)
		buffer_add_text(xml, "<feature policy='disable' name='la57'/>\n");
	buffer_add_text(xml, "</cpu>\n");
}

static void add_system(struct buffer *xml)
{
	buffer_add_text(xml,
		"<os>\n<type arch='x86_64' machine='pc'>hvm</type>\n</os>\n"
		"<features>\n<acpi/>\n<apic/>\n</features>\n"
		"<clock offset='utc'>\n<timer name='rtc' tickpolicy='catchup'/>\n"
		"<timer name='pit' tickpolicy='delay'/>\n<timer name='hpet' present='no'/>\n</clock>\n"
		"<on_poweroff>destroy</on_poweroff>\n<on_reboot>restart</on_reboot>\n"
		"<on_crash>destroy</on_crash>\n"
		"<pm>\n<suspend-to-mem enabled='no'/>\n<suspend-to-disk enabled='no'/>\n</pm>\n");
}

static void add_disk(struct buffer *xml, const struct guest_spec *spec, const struct domain_host *host)
{
	buffer_add_text(xml, "<disk type='file' device='disk'>\n<driver name='qemu' type='raw' ");
	buffer_add_text(xml, host->direct_io ? "cache='none' io='native'" : "cache='writeback' io='threads'");
	buffer_add_text(
		xml, " error_policy='enospace' discard='unmap' iothread='1' detect_zeroes='unmap'/>\n");
	add_value(xml, "<source file='", spec->disk_path, "'/>\n<backingStore/>\n");
	buffer_addf(xml, "<target dev='vda' bus='virtio'/>\n<boot order='%d'/>\n", spec->iso_path ? 2 : 1);
	add_slot(xml, SLOT_DISK);
	buffer_add_text(xml, "</disk>\n");
}

/* On the bus of the disk, so that a guest that finds the one finds the other without another driver. */
static void add_seed(struct buffer *xml, const char *path)
{
	buffer_add_text(xml, "<disk type='file' device='disk'>\n<driver name='qemu' type='raw'/>\n");
	add_value(xml, "<source file='", path, "'/>\n<backingStore/>\n<target dev='vdb' bus='virtio'/>\n");
	buffer_add_text(xml, "<readonly/>\n");
	add_slot(xml, SLOT_SEED);
	buffer_add_text(xml, "</disk>\n");
}

static void add_cdrom(struct buffer *xml, const char *path)
{
	buffer_add_text(xml, "<disk type='file' device='cdrom'>\n<driver name='qemu' type='raw'/>\n");
	add_value(xml, "<source file='", path, "'/>\n<backingStore/>\n<target dev='hda' bus='ide'/>\n");
	buffer_add_text(xml, "<readonly/>\n<boot order='1'/>\n"
			     "<address type='drive' controller='0' bus='0' target='0' unit='0'/>\n</disk>\n");
}

static void add_network(struct buffer *xml, const struct guest_spec *spec)
{
	add_value(xml, "<interface type='bridge'>\n<mac address='", spec->mac, "'/>\n");
	add_value(xml, "<source bridge='", spec->bridge, "'/>\n");
	add_value(
		xml, "<target dev='", spec->interface, "'/>\n<model type='virtio'/>\n<rom enabled='no'/>\n");
	add_slot(xml, SLOT_NETWORK);
	buffer_add_text(xml, "</interface>\n");
}

/* Console, guest agent and screen. Sockets lie where libvirt puts them, below its own folder of the guest. No
 * log file behind the console: a guest may write to it without end. */
static void add_ways_in(struct buffer *xml)
{
	buffer_add_text(xml, "<controller type='virtio-serial' index='0'>\n");
	add_slot(xml, SLOT_CHANNELS);
	buffer_add_text(xml,
		"</controller>\n<serial type='pty'>\n<target type='isa-serial' port='0'/>\n</serial>\n"
		"<console type='pty'>\n<target type='serial' port='0'/>\n</console>\n"
		"<channel type='unix'>\n<target type='virtio' name='org.qemu.guest_agent.0'/>\n"
		"</channel>\n<graphics type='vnc'>\n<listen type='socket'/>\n</graphics>\n"
		"<video>\n<model type='vga' vram='8192' heads='1' primary='yes'/>\n");
	add_slot(xml, SLOT_VGA);
	buffer_add_text(xml, "</video>\n");
}

static void add_helpers(struct buffer *xml)
{
	buffer_add_text(xml, "<memballoon model='virtio' autodeflate='on' freePageReporting='on'>\n");
	add_slot(xml, SLOT_BALLOON);
	buffer_add_text(
		xml, "</memballoon>\n<rng model='virtio'>\n<backend model='random'>/dev/urandom</backend>\n");
	add_slot(xml, SLOT_RANDOM);
	buffer_add_text(xml, "</rng>\n");
}

int kvm_domain_xml_write(
	const struct guest_spec *spec, const struct domain_host *host, struct buffer *xml, struct error *err)
{
	int rc = check(spec, err);
	if (rc < 0)
		return rc;
	buffer_addf(xml, "<domain type='%s'>\n", host->kvm ? "kvm" : "qemu");
	add_value(xml, "<name>", spec->name, "</name>\n");
	add_value(xml, "<uuid>", spec->uuid, "</uuid>\n");
	add_memory_and_cpus(xml, spec, host);
	add_system(xml);
	buffer_add_text(xml, "<devices>\n<controller type='usb' model='none'/>\n");
	add_disk(xml, spec, host);
	if (spec->seed_path)
		add_seed(xml, spec->seed_path);
	if (spec->iso_path)
		add_cdrom(xml, spec->iso_path);
	add_network(xml, spec);
	add_ways_in(xml);
	add_helpers(xml);
	buffer_add_text(xml, "</devices>\n</domain>\n");
	if (xml->overflowed)
		return err_set(err, ERR_TOO_LARGE, "%s: the definition is too large", spec->name);
	return 0;
}
