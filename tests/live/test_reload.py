"""The configuration is read again: by SIGHUP, and when its file changes."""

import json
import os
import re
import shutil
import signal
import socket
import time

import pytest

import world
from test_status import get, ntpctl
from web import ADDRESS, PORT, https, trust, url
from world import children, until

pytestmark = pytest.mark.scenario

AGAIN = ": read again$"
REFUSED = ": refused, the former configuration stays in force$"


def servers(w, n, first=1):
    for i in range(first, first + n):
        w.ntp("10.99.0.%d" % i)
    return "".join("server 10.99.0.%d\n" % i for i in range(first, first + n))


def run(w, conf, *options, **keywords):
    """A daemon whose servers have all answered four times by now."""
    d = w.start("-d", "-vv", *options, conf=conf, **keywords)
    d.conf = os.path.join(w.dir, "conf%d" % w.commands)
    d.wait("now valid$", 60, len(w.servers))
    return d


def hup(d, line=AGAIN):
    """Send SIGHUP, and wait until the daemon has said one more such line."""
    n = len(d.matching(line))
    d.process.send_signal(signal.SIGHUP)
    return d.wait(line, 30, n + 1)


def write(d, text):
    with open(d.conf, "w") as f:
        f.write(text)


def state(w):
    return json.loads(ntpctl(w, "-j")[1])


def of(s, name):
    return next(x for x in s["sources"] if x["name"] == name)


def still(d):
    """Nothing was ordered that moves the clock by more than its slews do."""
    assert d.steps() == []
    assert not d.matching("unsynced|jump|something else|now invalid|sandbox ref")


def descriptors(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def cpu(pid):
    """ns of processor time that the process has used."""
    with open("/proc/%d/schedstat" % pid) as f:
        return int(f.read().split()[0])


def replace(path, text):
    with open(path + ".tmp", "w") as f:
        f.write(text)
    os.rename(path + ".tmp", path)


def config_map(directory, text):
    """What the kubelet does: a new directory, and one link is replaced."""
    os.makedirs(directory, exist_ok=True)
    new = "..%d" % time.monotonic_ns()
    os.mkdir(os.path.join(directory, new))
    with open(os.path.join(directory, new, "ntpd.conf"), "w") as f:
        f.write(text)
    data = os.path.join(directory, "..data")
    old = os.readlink(data) if os.path.islink(data) else None
    os.symlink(new, data + "_tmp")
    os.rename(data + "_tmp", data)
    if old is not None:
        shutil.rmtree(os.path.join(directory, old))
    path = os.path.join(directory, "ntpd.conf")
    if not os.path.islink(path):
        os.symlink("..data/ntpd.conf", path)
    return path


# ------------------------------------------------------------- what stays

def test_sighup_puts_a_changed_file_in_force_and_the_clock_does_not_notice(w):
    """Servers that stay keep samples, counters and options that did not
    change; others come and go."""
    d = run(w, servers(w, 4))
    before = state(w)
    w.ntp("10.99.0.9")
    write(d, "server 10.99.0.9\nserver 10.99.0.3 weight 7\n"
          "server 10.99.0.1\nserver 10.99.0.2 trusted\nready within 30\n")
    hup(d)
    after = state(w)
    assert [x["name"] for x in after["sources"]] == [
        "10.99.0.9", "10.99.0.3", "10.99.0.1", "10.99.0.2"]
    for name in ("10.99.0.1", "10.99.0.2", "10.99.0.3"):
        a, b = of(before, name), of(after, name)
        assert b["replies"] >= a["replies"] >= 4
        assert b["trust"] >= a["trust"] and b["reach"] > 0
        assert b["selected"] not in ("none", "false")
    assert of(after, "10.99.0.3")["weight"] == 7
    assert of(after, "10.99.0.2")["trusted"]
    assert after["synced"] and after["ready_within"] == 30
    assert after["config_good"] and not after["config_restart_needed"]
    assert after["config_time"] > before["config_time"]
    d.wait("^reply from 10.99.0.9: ", 30)
    still(d)
    # All at once may go too, and the clock is not called wrong for it.
    write(d, "server 10.99.0.9\n")
    hup(d)
    write(d, "")
    hup(d)
    assert state(w)["sources"] == [] and state(w)["synced"]
    write(d, "server 10.99.0.9\n")
    hup(d)
    until(lambda: of(state(w), "10.99.0.9")["selected"] == "system")
    still(d)


def test_a_name_that_stays_is_not_looked_up_again(w):
    w.dns.open()
    w.dns.names["pool.test"] = ["10.99.0.%d" % i for i in range(1, 5)]
    servers(w, 4)
    d = run(w, "servers pool.test\n")
    asked, before = len(w.dns.asked), state(w)
    write(d, "server 10.99.0.4\nservers pool.test\n")
    hup(d)
    write(d, "servers pool.test weight 3\n")
    hup(d)
    after = state(w)
    assert len(w.dns.asked) == asked
    for a in before["sources"]:
        b = next(x for x in after["sources"] if x["address"] == a["address"])
        assert b["replies"] >= a["replies"] and b["weight"] == 3
    # Its first address by number is the same server, with the same samples.
    write(d, "server 10.99.0.1\n")
    hup(d)
    assert of(state(w), "10.99.0.1")["replies"] >= 4
    still(d)


def test_constraints_that_stay_keep_their_answers(w):
    conf = servers(w, 3) + "cafile \"%s\"\n" % trust().cafile
    https(w)
    https(w, address="10.99.0.81")
    line = "constraint from %s\n"
    d = run(w, conf + line % url())
    d.wait("^constraint reply from %s" % ADDRESS, 30)
    write(d, conf + line % url("10.99.0.81") + line % url())
    hup(d)
    kept = state(w)["constraints"]
    assert kept[1]["host"] == ADDRESS and kept[1]["answered"]
    assert kept[1]["queries"] == 1 and state(w)["constraint_known"]
    d.wait("^constraint reply from 10.99.0.81", 30)
    assert state(w)["synced"]
    write(d, conf)
    hup(d)
    assert not state(w)["constraint_known"]
    still(d)


# ---------------------------------------------------------------- triggers

def test_each_way_to_change_a_file_is_noticed(w):
    """A plain write, a rename over it, and both through a link that leads
    elsewhere.  What is written is there within some seconds."""
    conf = servers(w, 3)
    os.mkdir(os.path.join(w.dir, "etc"))
    os.mkdir(os.path.join(w.dir, "else"))
    real = os.path.join(w.dir, "else", "real.conf")
    link = os.path.join(w.dir, "etc", "ntpd.conf")
    replace(real, conf)
    os.symlink("../else/real.conf", link)
    d = w.start("-d", "-vv", "-f", link)
    d.wait("now synced$", 60)
    with open(real, "w") as f:
        f.write(conf + "ready within 11\n")
    d.wait(AGAIN, 30, 1)
    replace(real, conf + "ready within 12\n")
    d.wait(AGAIN, 30, 2)
    replace(link, conf + "ready within 13\n")
    d.wait(AGAIN, 30, 3)
    assert state(w)["ready_within"] == 13
    # The same bytes again are no change, and other files are none.
    replace(link, conf + "ready within 13\n")
    w.file("etc/other", "x")
    hup(d, ": read again, unchanged$")
    time.sleep(3)
    assert len(d.matching("read again")) == 4
    still(d)


def test_a_config_map_is_noticed(w):
    """Also by another user than root, who may not write there."""
    conf = servers(w, 3) + "user 65532\n"
    os.chmod(w.dir, 0o755)
    path = config_map(os.path.join(w.dir, "map"), conf)
    d = w.start("-d", "-vv", "-f", path)
    d.wait("now synced$", 60)
    for i in (1, 2):
        config_map(os.path.join(w.dir, "map"), conf + "ready within %d\n" % i)
        d.wait(AGAIN, 30, i)
        assert state(w)["ready_within"] == i
    still(d)


def test_a_file_in_an_empty_root_is_read_again(w):
    if not world.is_static(world.NTPD):
        pytest.skip("needs the static program")
    conf, root = servers(w, 3), w.empty_root()
    d = w.start("-d", "-vv", conf=conf, root=root)
    d.wait("now synced$", 60)
    with open(root + "/ntpd.conf", "w") as f:
        f.write(conf + "ready within 9\n")
    d.wait(AGAIN, 30)
    still(d)


def test_what_cannot_be_read_again_says_so(w):
    conf = servers(w, 3)
    with open(w.file("c", conf)) as f:
        d = w.start("-c", "exec \"$0\" -d -vv -f - < %s" % f.name, world.NTPD,
                    program="/bin/sh")
    d.wait("now synced$", 60)
    hup(d, "^configuration /dev/stdin: it cannot be read again$")
    still(d)


# -------------------------------------------------------------- a bad file

def test_a_bad_file_is_refused_everywhere_until_it_is_mended(w):
    conf = servers(w, 3)
    d = run(w, conf + "metrics on 127.0.0.1\nready within 50\n")
    write(d, conf + "server 10.99.0.9\nserver weight\n")
    hup(d, REFUSED)
    where = "%s:5:8: " % d.conf
    assert d.matching("^" + re.escape(where))
    s = state(w)
    assert not s["config_good"] and s["config_error"].startswith(where)
    assert s["synced"] and s["ready"] and len(s["sources"]) == 3
    for view in ("status", "all"):
        lines = ntpctl(w, "-s", view)[1].split("\n")
        assert re.match("3/3 peers valid, .*clock synced, stratum 2$", lines[0])
        assert any(x.startswith("configuration refused: " + where)
                   for x in lines)
    code, out, _ = ntpctl(w, "-s", "ready")
    assert code == 0 and out.startswith("ready: ")
    assert "; configuration refused: " in out
    metrics = get("/metrics")[1]
    assert "\nntpd_config_last_reload_successful 0\n" in metrics
    assert "\nntpd_config_last_reload_success_timestamp_seconds 1" in metrics
    # It is mended without a signal.
    write(d, conf + "metrics on 127.0.0.1\n")
    d.wait(AGAIN, 30)
    s = state(w)
    assert s["config_good"] and s["config_error"] == ""
    assert "refused" not in ntpctl(w, "-s", "all")[1]
    still(d)


def test_roots_that_cannot_be_read_refuse_the_file(w):
    conf = servers(w, 3)
    d = run(w, conf)
    bad = w.file("bad.pem", "none\n")
    write(d, conf + "cafile \"%s\"\nready within 4\n" % bad)
    hup(d, REFUSED)
    why = "%s:4: cafile \"%s\": " % (d.conf, bad)
    assert d.matching("^" + re.escape(why))
    assert state(w)["config_error"].startswith(why)
    assert state(w)["ready_within"] == 1
    shutil.copy(trust().cafile, bad)
    hup(d, "read again")
    assert state(w)["ready_within"] == 4
    still(d)


def test_half_of_a_file_is_not_judged(w):
    """A writer that rests in the midst of a word."""
    conf = servers(w, 3)
    d = run(w, conf)
    with open(d.conf, "w") as f:
        f.write(conf + "ready wit")
        f.flush()
        time.sleep(4)
        f.write("hin 7\n")
    d.wait(AGAIN, 30)
    assert not d.matching(REFUSED) and state(w)["ready_within"] == 7
    still(d)


def test_a_file_that_is_gone_is_said_once(w):
    d = run(w, servers(w, 3))
    os.rename(d.conf, d.conf + ".old")
    d.wait(REFUSED, 40)
    assert d.matching("^%s: No such file or directory$" % d.conf)
    assert not state(w)["config_good"]
    time.sleep(3)
    assert len(d.matching(REFUSED)) == 1
    os.rename(d.conf + ".old", d.conf)
    d.wait("read again$", 40)
    assert state(w)["config_good"]
    still(d)


# ---------------------------------------------------- what takes a restart

def test_what_takes_a_restart_is_named_and_the_rest_is_in_force(w):
    conf = servers(w, 3) + "cafile \"%s\"\n" % trust().cafile
    https(w)
    d = run(w, conf + "metrics on 127.0.0.1\nconstraint from %s\n" % url())
    d.wait("^constraint reply", 30)
    write(d, conf + "server 10.99.0.9\nuser nobody\nstrict\n"
          "driftfile \"%s/elsewhere/drift\"\nmetrics on 127.0.0.1 port 9777\n"
          "constraint from \"https://%s:%d\"\nlisten on 127.0.0.1\n"
          "clockbound on\n" % (w.dir, ADDRESS, PORT + 1))
    hup(d)
    s = state(w)
    words = s["config_after_restart"].split(", ")
    assert s["config_restart_needed"] and s["config_good"]
    assert words[:3] == ["user", "strict", "driftfile"]
    assert words[-1] == "clockbound"
    if "landlock 6" in s["sandbox"]:
        assert "constraint" in words and "metrics on" in words
        # What was in force stays so.
        assert s["constraint_known"]
        assert [x["bound"] for x in s["listeners"]
                if x["address"] == "127.0.0.1"] == [True]
    assert len(s["sources"]) == 4
    assert "\ntakes effect after a restart: user, strict" in ntpctl(
        w, "-s", "status")[1]
    said = len(d.matching(": user takes effect after a restart$"))
    hup(d, "unchanged")
    assert len(d.matching(": user takes effect after a restart$")) == said == 1
    write(d, conf)
    hup(d)
    assert not state(w)["config_restart_needed"]
    still(d)


def test_a_file_that_appears_beside_the_compiled_in_one_is_told(w):
    if os.path.exists("/etc/ntpd.conf"):
        pytest.skip("this machine has /etc/ntpd.conf")
    w.run("mount", "-t", "tmpfs", "etc", "/etc")
    d = w.start("-d", "-vv", "-x", default=True)
    d.wait("ntp engine ready", 60)
    hup(d, r"^configuration \(compiled in\): it cannot be read again$")
    with open("/etc/ntpd.conf", "w") as f:
        f.write("server 10.99.0.1\n")
    d.wait("^/etc/ntpd.conf takes effect after a restart$", 40)
    assert state(w)["config_after_restart"] == "/etc/ntpd.conf"


# ---------------------------------------------------------------- how much

def test_hundreds_of_reloads_lose_nothing_and_cost_little(w):
    """Fifty servers, two files in turn: no descriptor and no memory is lost,
    a listener answers each request, and the processor time of a reload is
    below 5 ms."""
    conf = servers(w, 50)
    d = run(w, conf + "listen on 127.0.0.1\n")
    texts = [conf + "listen on 127.0.0.1\nserver 10.99.1.%d\n" % i
             for i in (1, 2)]
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.settimeout(20)
    client.connect(("127.0.0.1", 123))

    def reloads(n):
        for i in range(n):
            replace(d.conf, texts[i % 2])
            hup(d, "read again")
            client.send(b"\x23" + bytes(47))
            assert len(client.recv(100)) == 48

    reloads(100)
    before = state(w)["server_replies"]
    rss, fds, used = d.rss()[1], descriptors(d.pid), cpu(d.pid)
    reloads(200)
    used = (cpu(d.pid) - used) / 200
    assert state(w)["server_replies"] == before + 200
    assert descriptors(d.pid) <= fds + 3        # requests that are under way
    if world.is_static(world.NTPD):     # sanitizers keep what is freed
        # It comes and goes by 16 KiB.  A source that is lost each time would
        # be 600.
        assert d.rss()[1] <= rss + 32
        assert used < 5e6, "%.2f ms" % (used / 1e6)
    print("%.3f ms of processor time for a reload" % (used / 1e6))
    assert min(x["replies"] for x in state(w)["sources"][:50]) >= 4
    still(d)


def test_a_storm_of_sighup_costs_little(w):
    d = run(w, servers(w, 3))
    before, begin = cpu(d.pid), time.monotonic()
    while time.monotonic() < begin + 2:
        os.kill(d.pid, signal.SIGHUP)
    took = time.monotonic() - begin
    used = (cpu(d.pid) - before) / 1e9
    assert state(w)["synced"]
    if world.is_static(world.NTPD):
        assert used < 0.7 * took, used  # most of it is the signals' own
    still(d)


# --------------------------------------------------------- in the midst of

def test_answers_of_children_never_reach_another_line(w):
    """Lookups and HTTPS questions are under way while their lines go, move
    and come."""
    w.dns.open()
    for i in (1, 2, 3):
        w.dns.names["slow%d.test" % i] = (2, ["10.99.0.%d" % i])
        w.ntp("10.99.0.%d" % i)
    https(w)
    roots = "cafile \"%s\"\n" % trust().cafile
    one, two = ("constraint from %s\n" % url(path=p) for p in ("/1", "/2"))
    d = w.start("-d", "-vv", conf=roots + "".join(
        "server slow%d.test\n" % i for i in (1, 2, 3)) + one)
    d.conf = os.path.join(w.dir, "conf1")
    until(lambda: len(w.dns.asked) >= 3)
    write(d, roots + two + "server slow3.test\nserver slow4.test\n" + one +
          "server slow2.test\n")
    hup(d)
    until(lambda: of(state(w), "slow2.test")["replies"] > 0)
    until(lambda: of(state(w), "slow3.test")["replies"] > 0)
    s = state(w)
    assert of(s, "slow3.test")["address"] == "10.99.0.3"
    assert of(s, "slow2.test")["address"] == "10.99.0.2"
    assert of(s, "slow4.test")["address"] == ""
    assert not any(x["address"] == "10.99.0.1" for x in s["sources"])
    until(lambda: all(x["answered"] for x in state(w)["constraints"]))
    assert not d.matching("terminated with signal|sandbox refused")
    until(lambda: not children(d.pid))
