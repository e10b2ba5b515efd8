"""For every test: no clock can be set from here.  For tests/test_net*.py: the
scenarios run side by side.

A test function marked with @scenario takes a World and mostly waits for time
to pass.  All that were collected are started in threads of their own once the
collection is complete, some at a time; the test itself only asks for the
outcome.  -p no:xdist and plain pytest give the same results.
"""

import os
import sys
import threading

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "net"))
import world  # noqa: E402

# Before anything is started.  This holds for whatever pytest starts, also the
# tests of other files; guests in QEMU have clocks of their own.
world.give_up_sys_time()

# Scenarios at a time: they sleep, so this is bound by memory and by the noise
# that they make for each other, not by processors.
AT_A_TIME = int(os.environ.get("SCENARIOS", "14"))


def needs():
    """Why scenarios cannot run here, or None."""
    if os.geteuid() != 0:
        return "needs root (or: unshare -Ur make test)"
    if not os.access(world.NTPD, os.X_OK):
        return "%s is not built" % world.NTPD
    return None


class Outcome:
    """One scenario, running or done."""

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


def pytest_sessionfinish():
    """Interrupted: what still runs was started here."""
    for o in outcomes:
        if not o.done.is_set() and o.world is not None:
            for d in o.world.daemons:
                d.process.kill()


@pytest.fixture
def w():
    """Scenarios get their World from the thread that runs them."""
    return None
