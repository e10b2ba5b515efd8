"""For every test: no clock can be set from here.  For tests/live/: the
scenarios run side by side.

A test function marked with @scenario takes a World and mostly waits for time
to pass.  All that were collected begin once the collection is complete, some
at a time, in threads of their own; the test itself only asks for the outcome.
-p no:xdist and plain pytest give the same results."""

import collections
import os
import re
import sys
import threading
import time

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "tls-cases"))
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "live"))
import peers  # noqa: E402
import world  # noqa: E402

# fuzz/corpus/config is a link to conf, whose test would be collected twice.
collect_ignore = ["fuzz"]

# This comes before anything is started, and holds for whatever pytest starts,
# in tests of other files too.  Guests in QEMU have clocks of their own.
world.give_up_sys_time()


def be_plain():
    """What plain.sh does, for a pytest that is started by hand: the tests have
    neither the user's environment nor his umask."""
    with open(os.path.join(os.path.dirname(__file__), "plain.sh")) as f:
        keep = re.search(r'keep="([^"]*)"', f.read()).group(1).split()
    for name in set(os.environ) - set(keep):
        if not name.startswith("PYTEST"):
            del os.environ[name]
    os.environ["LC_ALL"] = "C.UTF-8"
    # What the tests serve themselves is not asked of a proxy.
    os.environ["no_proxy"] = ",".join(filter(None, [
        os.environ.get("no_proxy"), "localhost", "127.0.0.1", "::1"]))
    time.tzset()
    os.umask(0o022)


be_plain()

# So many scenarios run at a time.  They mostly sleep, so the limit is memory,
# and the delays that they cause each other, not the number of processors.
AT_A_TIME = int(os.environ.get("SCENARIOS", "14"))


def needs():
    """Why scenarios cannot run here, or None."""
    if os.geteuid() != 0:
        return "network: needs root (or: unshare -Ur make test)"
    if not os.access(world.NTPD, os.X_OK):
        return "network: %s is not built" % world.NTPD
    return None


class Outcome:
    """A scenario that runs or is done."""

    def __init__(self, function, name, arguments, room):
        self.function, self.name, self.arguments = function, name, arguments
        self.room, self.error = room, None
        self.begun, self.done = threading.Event(), threading.Event()
        self.world = None
        self.lines = []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        try:
            with self.room:
                self.begun.set()
                # Namespaces belong to the thread that made them.
                w = self.world = world.World(self.name)
                try:
                    self.function(w, **self.arguments)
                    w.check_sandbox()
                    if w.rates:
                        w.check_rates()
                finally:
                    self.lines = [d.text for d in w.daemons]
                    w.close()
        except BaseException as e:      # pytest.skip is a BaseException
            self.error = e
        finally:
            self.done.set()

    def result(self):
        # Its turn may come late on a slow machine; then it must not hang.
        assert self.begun.wait(3600), "no room for the scenario"
        assert self.done.wait(300), "the scenario hangs"
        if self.error is not None:
            for text in self.lines:
                print("---- a daemon's lines:\n" + text)
            raise self.error


def pytest_configure(config):
    config.addinivalue_line("markers",
                            "scenario: runs beside others in a World")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """While the scenarios wait, the tests that do not are run."""
    items.sort(key=lambda i: i.get_closest_marker("scenario") is not None)


def pytest_collection_finish(session):
    if session.config.option.collectonly or session.testsfailed:
        return
    chosen = [i for i in session.items
              if getattr(i, "function", None) is not None
              and i.get_closest_marker("scenario")]
    if not chosen:
        return
    reason = needs()
    if reason is None:
        world.guard()
        peers.fetch_all(any("prometheus" in i.name for i in chosen))
    room = threading.Semaphore(AT_A_TIME)
    for item in chosen:
        if reason is not None:
            item.add_marker(pytest.mark.skip(reason=reason))
            continue
        arguments = dict(item.callspec.params) \
            if hasattr(item, "callspec") else {}
        outcome = Outcome(item.function, item.nodeid, arguments, room)
        outcomes.append(outcome)
        item.obj = lambda outcome=outcome, **_: outcome.result()


outcomes = []


# Rings of the tests.  "image: podman is not installed" is a reason to skip
# one, but not in CI (CI=true), where it makes the run fail.  The others, fuzz
# and simulation, are the Makefile's.
RINGS = "units", "network", "guest", "image"
skipped = collections.Counter()


def note_skip(report):
    if report.skipped and isinstance(report.longrepr, tuple):
        skipped[report.longrepr[2].removeprefix("Skipped: ")] += 1


pytest_runtest_logreport = pytest_collectreport = note_skip


def missing_rings():
    return [reason for reason in skipped
            if os.environ.get("CI") == "true" and
            reason.split(":")[0] in RINGS]


def pytest_terminal_summary(terminalreporter):
    """What was skipped, and what was missing for it.  "make test" wants it in
    a file, to which its other parts add theirs."""
    if "SKIPPED" in os.environ:
        with open(os.environ["SKIPPED"], "a") as f:
            f.writelines("%s\n" % reason for reason in skipped.elements())
    elif skipped:
        terminalreporter.section("skipped")
        for reason, count in sorted(skipped.items()):
            terminalreporter.line("%4d  %s" % (count, reason))
    for reason in missing_rings():
        terminalreporter.line("CI=true, but skipped: %s" % reason, red=True)


def pytest_sessionfinish(session):
    """After an interruption, end what was started here and still runs."""
    if missing_rings():
        session.exitstatus = 1
    for o in outcomes:
        if not o.done.is_set() and o.world is not None:
            for d in o.world.daemons:
                d.process.kill()


@pytest.fixture
def w():
    """Scenarios get their World from the thread that runs them."""
    return None
