"""The page of "clockbound on", read as ClockBound's clients of version 2 do.

What is promised when is in tests/top/steer.c, and how the page is written in
tests/sys/clockbound.c."""

import mmap
import os
import struct
import time
from types import SimpleNamespace

import pytest

from test_setting import three
from test_status import ntpctl
from world import until

pytestmark = pytest.mark.scenario

COARSE = 6                      # CLOCK_MONOTONIC_COARSE
UNKNOWN, SYNCHRONIZED = 0, 1


class Client:
    """It maps the page once, as it was published: docs/PROTOCOL.md there."""

    def __init__(self, path):
        with open(path, "rb") as f:
            self.page = mmap.mmap(f.fileno(), 80, prot=mmap.PROT_READ)

    def read(self):
        while True:
            one, two, size, version, generation = struct.unpack_from(
                "=IIIHH", self.page, 0)
            body = struct.unpack_from("=qqqqqQIiB", self.page, 16)
            if generation & 1 == 0 and self.page[14:16] == struct.pack(
                    "=H", generation):
                break
        assert (one, two, version) == (0x414d5a4e, 0x43420200, 2)
        assert size == 80
        return SimpleNamespace(
            generation=generation, as_of=body[0] + body[1] / 1e9,
            void_after=body[2] + body[3] / 1e9, bound=body[4], marker=body[5],
            drift=body[6], status=body[7], support=body[8])

    def status(self, status):
        until(lambda: self.read().status == status)
        return self.read()


def test_applications_read_how_wrong_the_clock_can_be(w):
    path = os.path.join(w.dir, "shm0")
    word = 'clockbound on "%s"\n' % path
    d = w.start("-d", "-s", conf=three(w) + word)
    until(lambda: os.path.exists(path) and os.path.getsize(path) == 80)
    assert os.stat(path).st_mode & 0o777 == 0o644
    client = Client(path)
    d.wait("^clock is now synced$", 60)
    page = client.status(SYNCHRONIZED)
    now = time.clock_gettime(COARSE)
    assert page.as_of <= now < page.void_after
    assert page.void_after - page.as_of == 60
    assert page.marker == page.support == 0
    assert 0 < page.bound < 1e9 and 0 < page.drift < 1e7
    # It is renewed before a client calls it free running, although nobody has
    # to be asked so often.
    until(lambda: client.read().as_of > page.as_of + 8)
    d.stop()
    left = client.read()
    assert left.status == SYNCHRONIZED
    # The next daemon writes to what clients have mapped.
    w.start("-d", "-s", conf="server %s\n" % w.ntp("10.99.0.9").address + word)
    until(lambda: client.read().as_of > left.as_of)
    assert client.status(SYNCHRONIZED).bound < 1e9


def test_a_clock_that_is_not_steered_promises_nothing(w):
    path = os.path.join(w.dir, "shm0")
    d = w.start("-d", "-x", conf=three(w) + 'clockbound on "%s"\n' % path)
    d.wait("^clock is now synced$", 60)
    assert Client(path).read().status == UNKNOWN


def test_a_second_daemon_that_only_measures_leaves_the_page_alone(w):
    w.rates = False             # two daemons ask
    path = os.path.join(w.dir, "shm0")
    conf = three(w) + 'clockbound on "%s"\n' % path
    d = w.start("-d", "-s", conf=conf)
    d.wait("^clock is now synced$", 60)
    client = Client(path)
    client.status(SYNCHRONIZED)
    second = w.start("-d", "-x", conf=conf)
    second.wait("^clock is now synced$", 60)
    assert not second.matching("clockbound")
    assert client.read().status == SYNCHRONIZED


def test_a_page_that_cannot_be_written_is_one_warning(w):
    d = w.start("-d", "-s", conf=three(w) +
                'clockbound on "%s/missing/shm0"\n' % w.dir)
    d.wait("^clock is now synced$", 60)
    line, = d.matching("clockbound")
    assert line == ("no clockbound page %s/missing/shm0: No such file or "
                    "directory; its directory must exist and be writable"
                    % w.dir)
    assert ntpctl(w, "-s", "ready")[0] == 0
