"""A day of troubles on a real kernel clock; "make soak" runs a month."""
import copy
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import soak                                                     # noqa: E402
from guest import Line                                          # noqa: E402
from test_guest import machine, story                           # noqa: E402,F401


@story
def day():
    world = soak.World(1, 6, calm=(5000, 5400))
    return world, world.run()


def test_a_day_of_troubles_leaves_nothing_behind():
    world, run = day()
    assert soak.faults(world, run) == []
    assert {kind for _, kind in world.kinds} == set(soak.KINDS)


def test_each_fault_is_found():
    """What faults() looks for, one after the other, in a copy of that run."""
    world, run = day()

    def found(change):
        other = copy.deepcopy(run)
        change(other)
        return " ".join(soak.faults(world, other))

    def late(other):
        return [x for x in other.between(*world.calm[-1])][-1]

    def say(other, tag, text):
        other.lines.append(Line(tag, world.end - 1, text))

    def wrong(other):
        late(other).err = 1.0

    def unsynced(other):
        late(other).status |= 0x40

    assert "beyond its bound" in found(wrong)
    assert "not right again" in found(unsynced)
    assert "steps" in found(lambda other: [
        say(other, "D", "set local clock to then") for _ in range(99)])
    assert "ended with 1" in found(lambda other: say(other, "Exit", "1"))
    pid, name, anon, unit, files = run.log("Life")[-1].text.split()
    for more in ((int(anon) + 12, files), (anon, int(files) + 2)):
        assert "grew" in found(lambda other: say(other, "Life", " ".join(
            (pid, name, str(more[0]), unit, str(more[1])))))
    assert "bytes of log" in found(lambda other: say(other, "D", "x" * 300001))
