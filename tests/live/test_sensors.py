"""Hardware clocks as sources of time: the real program and devices that
clockguard.c pretends.  Servers and devices show the machine's own time plus an
offset; the wall clock of the daemon is wrong by -o."""

import json
import re
import signal
import time

import pytest

from world import NTPD, is_static, until

pytestmark = pytest.mark.scenario

HOUR = 3600.0
KVM = "KVM virtual PTP"


def ctl(w, *arguments):
    return w.run(NTPD, "ctl", *arguments, capture_output=True, text=True,
                 check=False).stdout


def shown(w):
    return json.loads(until(lambda: ctl(w, "-j", "-s", "all")))


def sensor(w, i=0):
    return shown(w)["sensors"][i]


def three(w, offset=0.0):
    for i in (1, 2, 3):
        w.ntp("10.99.0.%d" % i, offset=offset)
    return "".join("server %s poll 4..8\n" % s.address for s in w.servers)


def agrees(w):
    """Its interval holds the time of the majority.  It is an outlier where
    servers on a quick path know the time better than the 5 ms that a device
    without an error of its own is believed."""
    o = sensor(w)
    return o["selected"] in ("used", "system", "outlier") and o


def took(d):
    """Seconds from exec to the first step."""
    log = d.executed()
    first = next(r for r in d.clock() if r["step"] != 0)
    return (log["zero"] + first["t"] - log["exec"]) / 1e9


def is_soon(d):
    """Nobody was waited for, which would take 2.5 s.  It takes 10 to 50 ms,
    most of which are the guard's; a busy machine may need more, and sanitizers
    take a second to start."""
    if is_static(NTPD):
        assert took(d) < 2


def is_right(w):
    s = shown(w)
    return s["synced"] and s["sources_valid"] == 3 and s


# ------------------------------------------------------ trusted, without network

@pytest.mark.parametrize("ways", [1, 2, 4, 7])
@pytest.mark.parametrize("wrong", [-2 * HOUR, HOUR + 0.5])
def test_a_trusted_sensor_sets_the_clock_offline(w, ways, wrong):
    """Each way to read a device is enough."""
    w.device("ptp0", KVM, ways=ways)
    d = w.start("-d", "-s", conf='sensor "ptp_kvm" trusted\n',
                guard_options=("-o", str(wrong)))
    assert abs(d.wait_step(30) + wrong) < 0.01
    d.wait("^clock is now synced$", 60)
    assert len(d.steps()) == 1
    is_soon(d)
    s = shown(w)
    assert s["stratum"] == 1 and s["system_source"] == "ptp0"
    assert 0.005 <= s["error_bound"] < 0.02     # nobody said more
    assert s["sensors"][0]["clock"] == KVM
    # After the set it is read anew.
    until(lambda: shown(w)["sensors"][0]["offset"] is not None)
    assert abs(shown(w)["sensors"][0]["offset"]) < 0.01


def test_silent_servers_are_not_waited_for(w):
    w.device("ptp0", "hyperv")
    conf = three(w) + "sensor hyperv trusted\n"
    for s in w.servers:
        s.silent = True
    d = w.start("-d", "-s", conf=conf, guard_options=("-o", "-900"))
    assert abs(d.wait_step(30) - 900) < 0.01
    is_soon(d)
    d.wait("^clock is now synced$", 60)


def test_q_sets_the_clock_by_a_trusted_sensor(w):
    w.device("ptp0", "hyperv")
    d = w.start("-q", "-s", conf="sensor hyperv trusted\n",
                guard_options=("-o", "-900"))
    assert d.process.wait(30) == 0
    assert abs(d.steps()[0] - 900) < 0.01


@pytest.mark.parametrize("wrong,steps", [(-100.0, 1), (-30.0, 0), (100.0, 0)])
def test_without_s_a_trusted_sensor_sets_forward_only(w, wrong, steps):
    w.device("ptp0", "hyperv")
    d = w.start("-d", conf="sensor * trusted\n",
                guard_options=("-o", str(wrong)))
    if steps:
        assert abs(d.wait_step(30) + wrong) < 0.01
    else:
        d.wait("^cancel settime", 30)
        until(lambda: any(r["offset"] for r in d.clock()))      # it slews
    assert len(d.steps()) == steps


def test_tai_is_subtracted_where_the_configuration_says_so(w):
    w.device("ptp0", "mlx5_ptp", offset=37.0)
    d = w.start("-d", "-s", conf="sensor ptp0 tai trusted correction -70000\n",
                guard_options=("-o", "-900"))
    assert abs(d.wait_step(30) - 900 + 0.07) < 0.01
    assert sensor(w)["tai"] == 37


def test_a_devices_own_error_is_the_bound(w):
    w.device("ptp0", "ena-ptp-05", width=1000).bound("21500\n")
    w.device("ptp1", "gve").bound("4294967295\n")       # it does not know
    d = w.start("-d", "-s", guard_options=("-o", "-900"), conf="""
        sensor ena trusted
        sensor ptp1 trusted error 700
    """.replace("        ", ""))
    d.wait_step(30)
    d.wait("^clock is now synced$", 60)
    until(lambda: all(s["valid"] for s in shown(w)["sensors"]))
    ena, gve = shown(w)["sensors"]
    assert 21.5e-6 <= ena["distance"] < 700e-6 <= gve["distance"] < 0.005


# ------------------------------------------------------------------ not trusted

@pytest.mark.parametrize("wrong", [-900.0, -30.0])
def test_a_sensor_that_is_not_trusted_sets_nothing(w, wrong):
    """Without servers it is all there is, so it is followed, but the clock is
    only slewed."""
    w.device("ptp0", "igb")
    d = w.start("-d", "-s", conf="sensor ptp0\n",
                guard_options=("-o", str(wrong)))
    d.wait('^the clock is not set: no sensor is "trusted"$', 30)
    if wrong < -600:
        d.wait("too far to slew", 30)
    else:
        until(lambda: any(r["offset"] for r in d.clock()))
    assert not d.steps()
    assert not shown(w)["synced"]


@pytest.mark.parametrize("nonsense", [
    {"offset": "=77"},                          # 1970, and it stands still
    {"offset": 4 * HOUR}, {"offset": -0.3},
    {"rate": 20000.0, "offset": 0.001},         # nobody steers it
], ids=["1970", "hours", "behind", "fast"])
def test_nonsense_never_wins_over_honest_servers(w, nonsense):
    """Not even four of a kind: the ports of one card show the same."""
    for i in range(4):
        w.device("ptp%d" % i, "igb", **nonsense)
    conf = three(w) + "sensor *\n"
    d = w.start("-d", "-s", conf=conf, guard_options=("-o", "-900"))
    assert abs(d.wait_step(60) - 900) < 0.01 + d.slack()
    s = until(lambda: is_right(w))
    time.sleep(5)
    s = shown(w)
    assert s["synced"] and abs(s["offset"]) < 0.01 + d.slack()
    for o in s["sensors"]:
        assert o["selected"] not in ("used", "system"), o
    assert len(d.steps()) == 1


def test_tai_is_told_apart_beside_servers(w):
    w.device("ptp0", "mlx5_ptp", offset=37.0)
    d = w.start("-d", "-s", conf=three(w) + "sensor *\n",
                guard_options=("-o", "-900"))
    d.wait("^sensor ptp0 shows TAI$", 60)
    o = until(lambda: agrees(w), 90)
    assert o["tai"] == 37 and not o["votes"]
    assert len(d.steps()) == 1


def test_all_sensors_cost_nothing_where_there_is_none(w):
    conf = three(w) + "sensor *\n"
    d = w.start("-d", "-s", conf=conf, guard_options=("-o", "-5"))
    d.wait_step(60)
    assert not d.matching("sensor")
    assert ctl(w, "-s", "Sensors") == "no sensors configured\n"


# ---------------------------------------------------------------- what happens

def test_a_restored_snapshot_is_set_at_the_next_reading(w):
    """All raw time before it is void, and only the sensor shows that."""
    clock = w.device("ptp0", KVM)
    conf = three(w) + "sensor kvm trusted\n"
    d = w.start("-d", conf=conf, guard_options=("-m",))
    until(lambda: is_right(w) and agrees(w), 90)
    for s in w.servers:                 # all show the same, some hours later
        s.offset = 5 * HOUR
    clock.show(offset=5 * HOUR)
    assert abs(d.wait_step(60) - 5 * HOUR) < 0.02 + d.slack()
    assert len(d.matching("^time jumped by .* against a trusted sensor")) == 1
    until(lambda: is_right(w), 90)
    assert len(d.steps()) == 1


def test_a_sensor_that_goes_and_comes_is_told_once(w):
    clock = w.device("ptp0", "hyperv")
    d = w.start("-d", "-s", conf="sensor hyperv trusted\n",
                guard_options=("-m",))
    d.wait("^clock is now synced$", 60)
    clock.vanish()
    d.wait("^sensor ptp0 not valid: cannot be read$", 60)
    assert "sensor not valid" in ctl(w, "-s", "Sensors")
    clock.show()
    until(lambda: sensor(w)["valid"], 90)
    assert len(d.matching("^sensor ptp0")) == 2
    assert not d.steps()


def test_a_device_that_is_missing_is_told(w):
    w.device("ptp0", KVM)
    d = w.start("-d", "-s", conf="sensor ena\nsensor ptp7\nsensor ptp0\n",
                guard_options=("-m",))
    d.wait("^sensor ptp0 now valid", 60)
    missing = "sensor %s: no such device, or no right to open it"
    assert d.matching("no such") == [missing % "ena", missing % "ptp7"]


def test_options_of_a_sensor_change_with_the_configuration(w):
    """A device that is open stays so; another one needs a restart."""
    w.device("ptp0", KVM)
    w.device("ptp1", "igb")
    servers = three(w)
    conf = w.file("ntpd.conf", servers + "sensor ptp0\n")
    d = w.start("-d", "-f", conf, guard_options=("-m",))
    until(lambda: is_right(w))
    assert not sensor(w)["votes"]
    new = servers + "sensor ptp0 trusted refid KVM\n" \
        "constraint from sensor ptp0\n"
    w.file("ntpd.conf", new)
    d.process.send_signal(signal.SIGHUP)
    o = until(lambda: sensor(w)["votes"] and sensor(w))
    assert o["refid"] == "KVM" and o["valid"]
    until(lambda: shown(w)["constraint_known"])
    w.file("ntpd.conf", new + "sensor ptp1\n")
    d.process.send_signal(signal.SIGHUP)
    d.wait("sensor takes effect after a restart$", 60)
    assert sensor(w)["votes"]
    w.file("ntpd.conf", servers)
    d.process.send_signal(signal.SIGHUP)
    until(lambda: not sensor(w)["valid"])
    until(lambda: is_right(w))
    assert not d.steps()


# ------------------------------------------------------------------ constraints

def test_a_sensor_bounds_what_servers_say(w):
    """Liars by a day are refused without any HTTPS; the sensor itself does not
    set the clock."""
    w.device("ptp0", KVM)
    conf = three(w, offset=86400.0) + 'constraint from sensor "ptp0"\n'
    d = w.start("-d", "-s", conf=conf, guard_options=("-o", "-900"))
    d.wait("constraint check failed", 60, 3)
    for s in w.servers:
        s.offset = 0.0
    assert abs(d.wait_step(120) - 900) < 0.01 + d.slack()
    s = shown(w)
    assert not s["sensors"][0]["votes"] and s["constraint_known"]
    assert s["constraints"][0]["host"] == "ptp0"
    assert len(d.steps()) == 1


def test_a_constraint_by_a_missing_sensor_says_so(w):
    conf = three(w) + 'constraint from sensor "ena"\n'
    d = w.start("-d", "-s", conf=conf, guard_options=("-o", "-900"))
    d.wait("^waiting for constraint: ena: no such device$", 60)
    assert not d.steps()


# ------------------------------------------------------------------------ shown

def test_ntpctl_shows_sensors_as_openntpd_does(w):
    w.device("ptp0", KVM)
    w.device("ptp1", "igb", offset="=5")
    d = w.start("-d", "-s", guard_options=("-o", "-9"), conf=three(w) +
                "sensor ptp0 trusted refid KVM weight 2 correction 1000\n"
                "sensor ptp1 stratum 3\n")
    d.wait_step(60)
    until(lambda: is_right(w))
    lines = ctl(w, "-s", "Sensors").splitlines()
    assert lines[:3] == [
        "sensor", "   wt gd st  next  poll          offset  correction",
        "ptp0  KVM"]
    assert re.fullmatch(r" [* ]  2  1  0 +\d+s +\d+s   +-?\d+\.\d{3}ms "
                        r"    1\.000ms", lines[3]), lines[3]
    assert lines[4] == "ptp1  HARD"
    assert re.fullmatch(r"    1  0  2 +\d+s +\d+s         - sensor not valid -",
                        lines[5]), lines[5]
    assert ctl(w, "-s", "all").startswith("3/3 peers valid, 1/2 sensors valid, ")
    metrics = ctl(w, "-s", "metrics")
    assert 'ntpd_sensor_valid{device="ptp0"} 1\n' in metrics
    assert 'ntpd_sensor_valid{device="ptp1"} 0\n' in metrics
    assert re.search(r'ntpd_sensor_failures_total\{device="ptp1"\} [1-9]',
                     metrics)
