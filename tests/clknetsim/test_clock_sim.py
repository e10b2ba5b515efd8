"""The whole daemon in clknetsim: promises about time that need minutes or hours.

Skipped unless CLKNETSIM names a built clknetsim; see tests/clknetsim/simlab.py.
"""
import os
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "bench"))
import bench_clock                                              # noqa: E402
import simlab                                                      # noqa: E402
import peers                                                    # noqa: E402

HOME = os.environ.get("CLKNETSIM")
pytestmark = pytest.mark.skipif(
    not HOME or not os.path.exists(os.path.join(HOME, "clknetsim.so")),
    reason="CLKNETSIM names no clknetsim")


@pytest.fixture(scope="module")
def server():
    if peers.path("chronyd") is None:
        pytest.skip("chronyd is not to be had")
    os.environ["CLKNETSIM"] = os.path.abspath(HOME)
    subprocess.run(["make", "-C", simlab.TOP, "glibc"], check=True,
                   stdout=subprocess.DEVNULL)
    return peers.path("chronyd")


def settled(offset, level, start):
    """Seconds after start until the error is below level for good."""
    late = [i for i in range(start, len(offset)) if abs(offset[i]) > level]
    return late[-1] + 1 - start if late else 0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_wrong_by_300_ms_and_100_ppm_is_right_in_a_minute(server, seed):
    offset, _, _ = simlab.run("cold300ms", seed, bench_clock.ours(None), server)
    assert settled(offset, 1e-3, 0) <= 60


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_clock_set_60_s_back_is_noticed_at_once(server, seed):
    offset, _, _ = simlab.run("jump60", seed, bench_clock.ours(None), server)
    assert any(abs(v) > 1 for v in offset[19990:20020])
    assert settled(offset, 10e-3, 20000) <= 60


@pytest.mark.parametrize("world,rms", [
    ("lan", 15e-6), ("cloud", 50e-6), ("wan4", 2e-3), ("loss30", 150e-6),
    ("false1s", 2e-3), ("gauss", 60e-6)])
def test_error_stays_small(server, world, rms):
    figures = simlab.figures(world, *simlab.run(world, 7, bench_clock.ours(None),
                                          server))
    assert figures["rms"] < rms
    assert figures["packets"] < (70 if world in ("lan", "cloud", "gauss")
                                 else 130)


def test_little_traffic_range_keeps_its_promise(server):
    figures = simlab.figures("lan", *simlab.run("lan", 7, bench_clock.ours(
        "280..1024"), server))
    assert figures["packets"] < 19
    assert figures["rms"] < 40e-6
