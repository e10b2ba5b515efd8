"""The daemon tells a supervisor how it stands, as systemd's Type=notify asks."""
import os
import pathlib
import socket
import re
import subprocess
import time

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
NTPD = os.environ.get("NTPD", str(TOP / "ntpd"))


@pytest.fixture(params=["path", "abstract"])
def supervisor(request, tmp_path):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.settimeout(60)
    if request.param == "path":
        name = str(tmp_path / "notify")
        sock.bind(name)
    else:
        name = f"@ntpd-test-{os.getpid()}"
        sock.bind("\0" + name[1:])
    yield name, sock
    sock.close()


def start(tmp_path, **environment):
    conf = tmp_path / "ntpd.conf"
    conf.write_text("server 127.0.0.1\n")
    return subprocess.Popen(
        [NTPD, "-d", "-x", "-f", conf], stderr=subprocess.PIPE, text=True,
        env={**os.environ, "NTP_CONTROL_SOCKET": str(tmp_path / "sock"),
             **environment})


@pytest.mark.skipif(not os.access(NTPD, os.X_OK), reason="ntpd is not built")
def test_says_ready_and_stopping(supervisor, tmp_path):
    name, sock = supervisor
    process = start(tmp_path, NOTIFY_SOCKET=name)
    try:
        lines = sock.recv(4096).decode().split("\n")
        assert lines[0] == "READY=1"
        assert lines[1].startswith("STATUS=")
        process.terminate()
        while "STOPPING=1" not in lines:
            lines = sock.recv(4096).decode().split("\n")
    finally:
        process.terminate()
        assert process.wait(60) == 0
        process.stderr.close()


@pytest.mark.skipif(not os.access(NTPD, os.X_OK), reason="ntpd is not built")
@pytest.mark.parametrize("name", ["", "/", "@", "nonsense", "/no/such/place",
                                  "/" + "x" * 200])
def test_a_strange_socket_does_no_harm(name, tmp_path):
    process = start(tmp_path, NOTIFY_SOCKET=name)
    said = [process.stderr.readline()]
    while said[-1] not in ("", "ntp engine ready\n"):
        said.append(process.stderr.readline())
    assert said[-1], said
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.3)
    process.terminate()
    assert process.wait(60) == 0
    process.stderr.close()


def lines_as(stream, tmp_path):
    """What it writes to a stderr that JOURNAL_STREAM describes."""
    conf = tmp_path / "ntpd.conf"
    conf.write_text("server a:b\nserver 127.0.0.1\nsensor nmea0\n")
    with open(tmp_path / "log", "w+") as log:
        st = os.fstat(log.fileno())
        process = subprocess.Popen(
            [NTPD, "-d", "-x", "-f", conf], stderr=log,
            env={**os.environ, "NTP_CONTROL_SOCKET": str(tmp_path / "sock"),
                 "JOURNAL_STREAM": stream.format(st.st_dev, st.st_ino)})
        while "ntp engine ready" not in (tmp_path / "log").read_text():
            assert process.poll() is None
            time.sleep(0.02)
        process.terminate()
        assert process.wait(60) == 0
    return (tmp_path / "log").read_text().splitlines()


@pytest.mark.skipif(not os.access(NTPD, os.X_OK), reason="ntpd is not built")
def test_lines_for_the_journal_carry_their_priority(tmp_path):
    lines = lines_as("{}:{}", tmp_path)
    assert all(re.match("<[467]>[^<]", line) for line in lines), lines
    assert re.match(r"<4>\S+:1:8: warning: ", lines[0])
    assert "<6>ntp engine ready" in lines
    assert "<6>sensor nmea0: no such device, or no right to open it" in lines


@pytest.mark.skipif(not os.access(NTPD, os.X_OK), reason="ntpd is not built")
@pytest.mark.parametrize("stream", ["", "{}:{}1", "1{}:{}", "{1}:{0}", "x"])
def test_lines_for_others_carry_none(stream, tmp_path):
    """A program that writes somewhere else may have inherited the variable."""
    lines = lines_as(stream, tmp_path)
    assert "ntp engine ready" in lines
    assert not [line for line in lines if line.startswith("<")]
