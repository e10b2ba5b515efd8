"""The real daemon seen from outside: ntpctl, probes and metrics."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import time

import pytest

import peers
import world

pytestmark = pytest.mark.scenario


def ntpctl(w, *arguments, **keywords):
    p = subprocess.run([world.NTPD, "ctl", *arguments], text=True,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       timeout=60, cwd=w.dir, **keywords)
    return p.returncode, p.stdout, p.stderr


def get(path, port=9559, method="GET"):
    """An HTTP answer, asked from this thread's network namespace.  Who is held up
    for 2 s by a busy machine before it has asked gets none, and asks again."""
    patience = world.Patience(60)
    while True:
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        began = time.monotonic()
        try:
            c.request(method, path)
            r = c.getresponse()
            return r.status, r.read().decode()
        except ConnectionError:
            if time.monotonic() - began < 1 or patience.left() < 0:
                raise
        finally:
            c.close()


def not_ready_in_a_second(w):
    """ntpctl says so.  Its status is 2 if a busy machine has no answer in that
    time, and then it is asked again."""
    world.until(lambda: ntpctl(w, "-w", "1")[0] == 1)


def four(w, **more):
    servers = [w.ntp("10.99.0.%d" % i, **more) for i in (1, 2, 3, 4)]
    return "".join("server %s\n" % s.address for s in servers)


def start(w, conf, *arguments, **more):
    d = w.start("-d", *arguments, conf=conf, **more)
    d.wait("ntp engine ready", 60)
    return d


def test_shows_a_clock_that_is_right(w):
    """ntpctl, probes and metrics tell the same story."""
    start(w, four(w) + "metrics on 127.0.0.1\n", "-s")
    code, out, err = ntpctl(w, "-w", "30")
    assert (code, err) == (0, "")
    assert re.fullmatch(r"ready: error bound 0\.\d{6}s, stratum 2\n", out)
    code, out, err = ntpctl(w, "-s", "all")
    assert (code, err) == (0, "")
    line = "[0-4]/4 peers valid, clock synced, stratum 2\n"
    assert re.fullmatch(line + r"sandbox: caps( seccomp)?( landlock \d)?\n",
                        ntpctl(w, "-s", "status")[1])
    assert re.match(line + r"\npeer\n"
                    r"   wt tl st  next  poll          offset       delay"
                    r"      jitter\n", out)
    rows = out.split("\n")[4:]
    assert [r.rstrip() for r in rows[:-1:2]] == [
        "10.99.0.%d" % i for i in (1, 2, 3, 4)]
    for row in rows[1::2]:
        assert re.fullmatch(
            r" [ *] {2}1 +\d+ +\d+ +\d+s +\d+s  +-?\d+\.\d{3}ms +\d+\.\d{3}ms"
            r"  +\d+\.\d{3}ms| [ *] {2}1 +\d+ +\d+ +\d+s +\d+s {13}"
            r"---- peer not valid ----", row), row
    code, out, err = ntpctl(w)
    assert (code, err) == (0, "")
    assert re.match(r"\+ clock synchronised, ready: error bound 0\.\d{6}s, "
                    r"stratum 2\n\n  state .*source\n", out)
    assert len(re.findall(r"^. [a-z]+ .* 10\.99\.0\.[1-4]$", out, re.M)) == 4
    assert len(re.findall(r"^\+ followed .* 1  10\.99\.0\.", out, re.M)) == 1
    state = json.loads(ntpctl(w, "-j")[1])
    assert state["synced"] and state["ready"]
    assert 0 < state["error_bound"] < state["ready_within"] == 1
    assert sum(s["system"] for s in state["sources"]) == 1
    assert get("/healthz") == (200, "live\n")
    assert get("/readyz")[0] == 200
    code, text = get("/metrics")
    assert "\nntpd_clock_synced 1\n" in text
    assert len(re.findall(r"^ntpd_source_offset_seconds\{", text, re.M)) == 4
    requests = dict(re.findall(
        r'^ntpd_source_requests_total\{address="([^"]+)".* (\d+)$', text,
        re.M))
    for s in w.servers:
        assert 1 <= int(requests[s.address])


def test_tells_why_it_is_not_ready(w):
    """The servers disagree: both probes say so in a short line."""
    a = w.ntp("10.99.0.1")
    b = w.ntp("10.99.0.2", offset=100)
    d = start(w, "server %s\nserver %s\nmetrics on 127.0.0.1\n" % (
        a.address, b.address), "-s")
    d.wait("no majority", 60)
    code, out, err = ntpctl(w, "-s", "ready")
    assert (code, err) == (1, "")
    assert out.startswith("not ready: ") and len(out) <= 81
    assert get("/readyz") == (503, out)
    assert get("/healthz")[0] == 200
    not_ready_in_a_second(w)


def reason(w):
    """The reason why it is not ready."""
    code, out, err = ntpctl(w, "-s", "ready")
    assert (code, err) == (1, "") and out.startswith("not ready: ")
    return out[len("not ready: "):-1]


def only_measures(w):
    """All that can be asked says that it only measures, and nothing else."""
    why = reason(w)
    assert re.fullmatch(r"only measuring: Operation not permitted: .*(SYS_TIME"
                        r"|user namespace|seccomp).*", why), why
    assert get("/readyz") == (503, "not ready: %s\n" % why)
    assert get("/healthz") == (200, "live\n")
    # Peers may become valid meanwhile.
    for what in "status", "all":
        line = ntpctl(w, "-s", what)[1].splitlines()[0]
        assert re.fullmatch(r"\d/4 peers valid, clock unsynced, " +
                            re.escape(why), line), line
    state = json.loads(ntpctl(w, "-j")[1])
    assert (state["ready"], state["not_ready"]) == (False, why)
    assert not state["synced"] and state["permission"] == "denied"
    assert why.endswith(state["permission_text"])
    text = get("/metrics")[1]
    for sample in ("ntpd_ready 0", "ntpd_clock_synced 0",
                   'ntpd_clock_remedy_info{clock_remedy="%s"} 1'
                   % state["permission_text"],
                   'ntpd_clock_permission{permission="denied"} 1'):
        assert "\n%s\n" % sample in text
    not_ready_in_a_second(w)


@pytest.mark.parametrize("arguments", [[], ["-s"]], ids=["plain", "s"])
def test_without_the_right_it_only_measures_and_is_not_ready(w, arguments):
    """This holds however right the clock is, so that a wrong manifest stops at
    its first node."""
    d = start(w, four(w) + "metrics on 127.0.0.1\n", *arguments,
              guard_options=("-e", "1", "-m"))
    d.wait("now valid", 60, 4)
    only_measures(w)
    assert not d.matching("clock is now synced")


def test_a_right_that_is_lost_later_is_missed_at_once(w):
    lost = os.path.join(w.dir, "lost")
    d = start(w, four(w).replace("\n", " poll 4..4\n") +
              "metrics on 127.0.0.1\n", "-s",
              guard_options=("-e", "1", "-m", "-g", lost))
    assert ntpctl(w, "-w", "60")[0] == 0
    open(lost, "w").close()
    d.wait("^adjtimex failed: Operation not permitted: only measuring from "
           "now on; ", 120)
    d.wait("^clock is now unsynced$", 30)
    only_measures(w)


def test_x_is_ready_as_the_clock_is(w):
    """It measures because it was told to.  Somebody else steers that clock,
    and probes ask whether it is right."""
    start(w, four(w) + "metrics on 127.0.0.1\n", "-x", guarded=False)
    assert ntpctl(w, "-w", "60")[0] == 0
    assert "clock synced, stratum 2" in ntpctl(w, "-s", "status")[1]
    assert json.loads(ntpctl(w, "-j")[1])["permission"] == "measuring"


def test_names_a_bound_that_is_too_wide(w):
    d = start(w, four(w) + "ready within 0.000002\n", "-s")
    d.wait("clock is now synced", 30)
    m = re.fullmatch(r"error bound (0\.\d{6})s exceeds 0.000002s", reason(w))
    assert m and float(m.group(1)) > 2e-6


def test_names_what_it_waits_for_without_any_peer(w):
    start(w, "metrics on 127.0.0.1\n")
    assert reason(w) == "no usable time: no peers configured"


def test_names_what_it_waits_for_without_dns(w):
    start(w, "server a.test\nservers b.test\n")
    assert reason(w) == "no usable time: no address known of any peer"


def test_names_what_it_waits_for_without_replies(w):
    a = w.ntp("10.99.0.1")
    a.silent = True
    start(w, "server 10.99.0.1\nserver 10.99.0.2\n")
    assert reason(w) == "no usable time: no reply from any peer"


def test_names_what_is_wrong_with_the_replies(w):
    def behave(query, reply):
        reply.leap = 3
    w.ntp("10.99.0.1", behave=behave)
    d = start(w, "server 10.99.0.1\n")
    d.wait("not synced", 10)
    assert reason(w) == "no usable time: alarm"


def test_names_the_silence_of_its_servers(w):
    a = w.ntp("10.99.0.1")
    d = start(w, "server 10.99.0.1 poll 4..4\n", "-s")
    assert ntpctl(w, "-w", "30")[0] == 0
    a.silent = True
    d.wait("unsynced due to lack of replies", 90)
    assert re.fullmatch(r"no reply for \d\d+s", reason(w))


def test_one_daemon_a_socket(w):
    """A socket that another daemon holds is neither taken nor removed."""
    w.rates = False             # three daemons ask them
    d = start(w, four(w))
    assert ntpctl(w, "-s", "live") == (0, "live\n", "")
    second = w.start("-d", conf="server 10.99.0.1\n")
    assert second.process.wait(30) == 1
    second.wait("^ntpd already running: it answers at /", 30)
    assert ntpctl(w, "-s", "live") == (0, "live\n", "")
    # A daemon that is killed leaves a socket, which the next one replaces.
    d.process.kill()
    d.process.wait()
    assert ntpctl(w, "-s", "live")[0] == 2
    d = start(w, "server 10.99.0.1\n")
    assert ntpctl(w, "-s", "live") == (0, "live\n", "")
    assert d.stop()[0] == 0
    code, out, err = ntpctl(w, "-s", "live")
    # In /run, where it may remove nothing, its socket stays.
    assert (code, out) == (2, "") and "Connection refused" in err


def test_metrics_by_name(w):
    """The name of a listener is looked up, and the listener comes with the
    answer."""
    w.dns.open()
    w.dns.names["metrics.test"] = ["127.0.0.1"]
    d = start(w, four(w) + "metrics on metrics.test port 9000\n")
    d.wait("metrics on 127.0.0.1 port 9000", 60)
    assert get("/healthz", 9000) == (200, "live\n")


def test_crowds_do_not_disturb_the_clock(w):
    """Many connections say nothing, and a storm of scrapes comes: queries
    leave in time, and the daemon ends as fast as ever."""
    d = start(w, four(w) + "metrics on 127.0.0.1\n", "-s")
    assert ntpctl(w, "-w", "30")[0] == 0
    idle = []
    for _ in range(200):
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex(("127.0.0.1", 9559))
        idle.append(s)
    for s in idle:
        try:
            s.send(b"GET /metr")
        except OSError:
            pass
    for _ in range(300):
        assert get("/metrics")[0] == 200
    assert ntpctl(w, "-s", "ready")[0] == 0
    status, took = d.stop(signal.SIGTERM)
    assert status == 0 and took < world.SOON
    for s in idle:
        s.close()
    assert not d.matching("[Ee]rror")


def descriptors(d):
    return len(os.listdir("/proc/%d/fd" % d.pid))


def test_killed_clients_leave_nothing_behind(w):
    d = start(w, four(w), "-s")
    assert ntpctl(w, "-w", "30")[0] == 0
    before = descriptors(d)
    for i in range(100):
        p = subprocess.Popen([world.NTPD, "ctl", "-j"],
                             stdout=subprocess.DEVNULL)
        time.sleep(i % 10 * 0.0002)     # at any moment of its turn
        p.kill()
        p.wait()
    assert ntpctl(w, "-s", "ready")[0] == 0
    end = time.monotonic() + 30
    while descriptors(d) > before:      # requests under way come and go
        assert time.monotonic() < end
        time.sleep(0.1)


def memory(pid):
    out = {}
    with open("/proc/%d/smaps_rollup" % pid) as f:
        for line in f:
            if line.startswith(("Rss:", "Anonymous:")):
                out[line.split(":")[0]] = int(line.split()[1])
    return out


def test_answers_leave_no_memory_behind(w):
    if not world.is_static(world.NTPD):
        pytest.skip("the sanitizers keep memory")
    d = start(w, four(w) + "metrics on 127.0.0.1\n", "-s", guarded=False)
    for _ in range(100):
        get("/metrics")
        get("/status")
    before = memory(d.pid)
    for _ in range(300):
        get("/metrics")
        get("/status")
    after = memory(d.pid)
    assert after["Anonymous"] <= before["Anonymous"] + 32


def test_prometheus_scrapes_the_daemon(w):
    """A real Prometheus in the same namespace has the alert rules: the target
    is up, no rule fails, and promtool finds no fault in the text."""
    package = peers.fetch("prometheus")
    if package is None:
        pytest.skip("Debian's prometheus package cannot be had")
    start(w, four(w) + "metrics on 127.0.0.1\nlisten on 10.99.1.1\n", "-s")
    assert ntpctl(w, "-w", "30")[0] == 0
    text = ntpctl(w, "-s", "metrics")[1]
    promtool = package + "/usr/bin/promtool"
    if os.path.exists(promtool):        # not in Debian 13's package
        check = subprocess.run([promtool, "check", "metrics"],
                               input=text, text=True, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
        assert (check.returncode, check.stdout) == (0, "")
    w.file("prometheus.yml",
           "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
           "rule_files: [%s/deploy/alerts.yaml]\n"
           "scrape_configs: [{job_name: ntpd, static_configs: "
           "[{targets: ['127.0.0.1:9559']}]}]\n" % world.TOP)
    server = subprocess.Popen(
        ["nice", package + "/usr/bin/prometheus",
         "--config.file=prometheus.yml", "--storage.tsdb.path=data",
         "--web.listen-address=127.0.0.1:9090"], cwd=w.dir,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        def ask(path):
            return json.loads(get("/api/v1/" + path, 9090)[1])["data"]

        def samples(query):
            try:
                return ask("query?query=" + query)["result"]
            except (OSError, ValueError):       # not there yet, not ready
                return []
        end = time.monotonic() + 60
        while not samples("ntpd_clock_synced==1"):
            assert server.poll() is None and time.monotonic() < end
            time.sleep(0.1)
        target = ask("targets")["activeTargets"][0]
        assert (target["health"], target["lastError"]) == ("up", "")
        assert len(samples("ntpd_source_delay_seconds")) == 4
        rules = [r for g in ask("rules")["groups"] for r in g["rules"]]
        assert len(rules) > 10
        assert {r["health"] for r in rules} <= {"ok", "unknown"}
        # A clock that is right alerts nobody.
        assert {r["name"] for r in rules if r["state"] == "firing"} == set()
    finally:
        server.terminate()
        server.wait(60)
