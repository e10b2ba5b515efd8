"""What the Makefile builds for tests, beside the daemon."""
import pathlib
import shutil
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parent.parent


def built(kind, name):
    """The path of a program of one kind, "sanitized" or "musl", which is as the
    daemon is."""
    if kind == "musl" and shutil.which("musl-gcc") is None:
        pytest.skip("units: musl-gcc is not installed")
    program = "build/%s/%s" % ({"sanitized": "asan", "musl": "static"}[kind],
                               name)
    # "make test" has built it before.
    done = subprocess.run(["make", "-s", program], cwd=TOP, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
    return str(TOP / program)
