"""A virtual machine that is moved or restored, as the real program notices it.

What answers such an event is in tests/top/steer.c, what counts as one in
tests/sys/machine.c.  Here a file in an empty root is /dev/vmclock0, and a uevent
comes through the kernel.  The pretended clock stays where it is, so a restored
machine is one whose servers are hours ahead from then on."""

import mmap
import os
import socket
import struct
import time
import urllib.request

import pytest

import world
from test_setting import jump, three
from world import until

pytestmark = pytest.mark.scenario

HOURS = 7 * 3600.0
UEVENT = 15                     # NETLINK_KOBJECT_UEVENT
RESTORED = "^machine was restored from a snapshot: asking all peers again$"
# As Linux 6.18 sends it in a Firecracker guest, up to the last variable.
EVENT = (b"change@/devices/platform/VMGENCTR:00\0ACTION=change\0"
         b"DEVPATH=/devices/platform/VMGENCTR:00\0SUBSYSTEM=platform\0%s\0"
         b"DRIVER=vmgenid\0MODALIAS=acpi:VMGENCTR:VM_GEN_COUNTER:\0")


class Device:
    """A page of /dev/vmclock0 as linux/vmclock-abi.h has it."""

    def __init__(self, root, flags=256):
        os.makedirs(root + "/dev", exist_ok=True)
        with open(root + "/dev/vmclock0", "wb+") as f:
            f.write(struct.pack("<4sIHBBIQQ", b"VCLK", 112, 1, 255, 0, 0, 7,
                                flags).ljust(mmap.PAGESIZE, b"\0"))
            f.flush()
            self.page = mmap.mmap(f.fileno(), mmap.PAGESIZE)

    def change(self, generation):
        """As a hypervisor does: it writes between an odd and an even
        number."""
        for at, form in ((12, "<I"), (16, "<Q"), *(
                [(104, "<Q")] if generation else []), (12, "<I")):
            number, = struct.unpack_from(form, self.page, at)
            struct.pack_into(form, self.page, at, number + 1)


def uevent(words):
    """Send an event to all of this network namespace, by the kernel."""
    s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, UEVENT)
    event = EVENT % words
    # The head of a netlink message: a request of the least type.
    s.sendto(struct.pack("=IHHII", 16 + len(event), 16, 1, 1, 0) + event,
             (0, 0))
    s.close()


def needs_a_static_program():
    if not world.is_static(world.NTPD):
        pytest.skip("only the static program runs in an empty root")


@pytest.mark.parametrize("generation, said", [
    (True, RESTORED),
    (False, "^machine was moved to another host: asking all peers again$"),
])
def test_a_change_of_vmclock_is_answered_by_one_step(w, generation, said):
    needs_a_static_program()
    root = w.empty_root()
    device = Device(root)
    d = w.start("-d", "-s", root=root, guard_options=("-m",), conf=three(w))
    d.wait("^clock is now synced$", 60)
    before = len(d.steps())     # a busy machine delays the first replies
    time.sleep(2.1)             # the last query is not answered from before
    jump(w, HOURS)
    device.change(generation)
    d.wait(said, 60)
    until(lambda: len(d.steps()) > before)
    assert abs(d.steps()[-1] - HOURS) < 1
    d.wait("^clock is now synced$", 60, 2)
    device.change(True)
    d.wait(RESTORED, 60, 1 + generation)
    d.wait("^clock is now synced$", 60, 3)
    assert len(d.steps()) == before + 1


def test_a_uevent_of_a_new_generation_is_answered_within_seconds(w):
    """Without a device; nothing else wakes the daemon.  Other events, and those
    that users make, are none of its business."""
    d = w.start("-d", "-s", guard_options=("-m",), env={
        "NTP_CONTROL_SOCKET": os.path.join(w.dir, "sock")},
        conf="".join("server %s\n" % a for a in (
            "10.99.0.1", "10.99.0.2", "10.99.0.3")
            if w.ntp(a)))
    d.wait("^clock is now synced$", 60)
    d.wait("^reply from ", 60, 12)
    try:
        uevent(b"SYNTH_ARG_NEW_VMGENID=1")
    except PermissionError:
        pytest.skip("uevents may not be sent here")
    uevent(b"NEW_DISK=1")
    time.sleep(1)
    assert not d.matching("^machine was ")
    jump(w, HOURS)
    asked = [len(s.queries) for s in w.servers]
    at = time.monotonic()
    uevent(b"NEW_VMGENID=1")
    d.wait(RESTORED, 60)
    assert abs(d.wait_step(60) - HOURS) < 1
    until(lambda: all(len(s.queries) > n for s, n in zip(w.servers, asked)))
    # On a busy machine each step of that takes as long as a reply does.
    assert all(s.queries[n].mono - at < 3 + 4 * d.slack()
               for s, n in zip(w.servers, asked))
    d.wait("^clock is now synced$", 60, 2)


def test_disruptions_are_counted_by_kind(w):
    needs_a_static_program()
    root = w.empty_root()
    device = Device(root)
    d = w.start("-d", "-s", root=root, guard_options=("-m",), conf=three(w)
                + "metrics on 10.99.1.1\n")
    d.wait("^clock is now synced$", 60)
    device.change(True)
    d.wait(RESTORED, 60)
    text = urllib.request.urlopen(
        "http://10.99.1.1:9559/metrics", timeout=30).read().decode()
    assert 'ntpd_clock_disruptions_total{kind="restored"} 1\n' in text
    assert 'ntpd_clock_disruptions_total{kind="moved"} 0\n' in text
