"""The daemon tells a supervisor how it stands, as systemd's Type=notify asks."""
import os
import pathlib
import socket
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parent.parent
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
