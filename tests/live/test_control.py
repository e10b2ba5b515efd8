"""The control socket, the metrics listener and ntpctl, with a made-up daemon
(controltest.c), but real sockets and real clients, hostile ones among them.

Deadlines pass when the test says so, by signals (see controltest.c), so
nothing here sleeps, and nothing depends on how fast the machine is."""

import contextlib
import fcntl
import json
import os
import pathlib
import re
import select
import resource
import shutil
import signal
import socket
import stat
import struct
import subprocess
import tempfile
import termios
import threading
import time
import urllib.request

import pytest

import peers
from built import built
from world import free_port, install, until

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
HANG = 60               # s: a test that takes this long hangs
NOBODY = 65534

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def open_directory():
    """A directory that others than root can look into, which those of pytest
    are not."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="ntpd-control-"))
    directory.chmod(0o755)
    return directory


@pytest.fixture(scope="session", params=["sanitized", "musl"])
def flavour(request):
    return request.param


@pytest.fixture(scope="session")
def programs(flavour):
    """A directory with controltest and ntpctl."""
    directory = open_directory()
    install(built(flavour, "controltest"), directory / "controltest")
    os.symlink("controltest", directory / "ntpctl")
    yield str(directory)
    shutil.rmtree(directory)


@pytest.fixture
def directory():
    path = open_directory()
    yield path
    shutil.rmtree(path)


class Server:
    """A controltest that runs."""

    def __init__(self, programs, path, *arguments, prefix=(), opened="open",
                 user=None, limit=None):
        self.path, self.programs, self.passed = str(path), programs, 0
        self.prefix = list(prefix)
        environment = dict(os.environ, ASAN_OPTIONS="detect_leaks=1")
        environment.pop("NTP_CONTROL_SOCKET", None)
        if path is not None:
            environment["NTP_CONTROL_SOCKET"] = self.path

        def before():
            if limit is not None:
                resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
            if user is not None:
                os.setgroups([])
                os.setresgid(user, user, user)
                os.setresuid(user, user, user)
        self.process = subprocess.Popen(
            [*self.prefix, os.path.join(programs, "controltest"), *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=environment, preexec_fn=before)
        self.opened = self.process.stdout.readline().strip()
        if self.opened not in opened.split("|"):
            self.process.kill()
            raise AssertionError(self.opened + self.process.stderr.read())
        if opened != "busy":
            assert self.process.stdout.readline() == "ready\n"

    def signal(self, number):
        """Let time pass; how many descriptors are watched afterwards."""
        self.process.send_signal(number)
        self.passed += 3 if number == signal.SIGUSR1 else 30
        line = self.process.stdout.readline()
        assert line.startswith("now %d, " % self.passed), line
        self.turns = int(line.split()[4])
        return int(line.split()[2])

    def ntpctl(self, *arguments, user=None, **more):
        environment = dict(os.environ)
        environment.pop("NTP_CONTROL_SOCKET", None)
        if self.path != "None":
            environment["NTP_CONTROL_SOCKET"] = self.path
        command = [*more.pop("prefix", self.prefix),
                   os.path.join(self.programs, "ntpctl"), *arguments]
        if user is not None:
            command = ["setpriv", "--reuid", str(user), "--regid", str(user),
                       "--clear-groups", *command]
        p = subprocess.run(command, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, text=True, env=environment,
                           timeout=HANG, **more)
        return p.returncode, p.stdout, p.stderr

    def local(self):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(HANG)
        s.connect(self.path)
        return s

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        out, err = self.process.communicate(timeout=HANG)
        # The sanitizers report errors, and leaks too.
        assert self.process.returncode == 0, err
        return err


@pytest.fixture
def serve(programs, directory):
    """Start servers; at the end stop them and look for complaints of the
    sanitizers."""
    running = []

    def serve(*arguments, path=directory / "ntpd.sock", **more):
        running.append(Server(programs, path, *arguments, **more))
        return running[-1]
    yield serve
    for s in running:
        if s.process.poll() is None:
            s.close()


@pytest.fixture
def port():
    return free_port()


def metrics(port):
    return ("-m", "127.0.0.1,%d" % port)


def connect(port, host="127.0.0.1"):
    s = socket.create_connection((host, port), HANG)
    return s


def rest(s):
    data = b""
    while True:
        try:
            piece = s.recv(65536)
        except ConnectionResetError:
            return data + b"(reset)"
        if not piece:
            return data
        data += piece


def exchange(s, request):
    """The status, the headers and the body of the one answer."""
    with s:
        s.sendall(request)
        return parse(rest(s))


def parse(data):
    head, end, body = data.partition(b"\r\n\r\n")
    assert end, data
    lines = head.decode().split("\r\n")
    assert lines[0].startswith("HTTP/1.1 ")
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(": ")
        assert name not in headers
        headers[name] = value
    return int(lines[0].split()[1]), headers, body


def get(port, path, headers="", method="GET", host="127.0.0.1"):
    return exchange(connect(port, host), (
        "%s %s HTTP/1.1\r\nHost: x\r\n%s\r\n" % (method, path,
                                                 headers)).encode())


# ------------------------------------------------------------------- ntpctl

ALL = "4/4 peers valid, constraint offset -1s, clock synced, stratum 3\n"
STATUS = ALL + "sandbox: caps seccomp landlock 6\n"
PEERS = """peer
   wt tl st  next  poll          offset       delay      jitter
10.0.0.0 from pool pool.example
 *  1 10  2   19s   31s         2.500ms     0.300ms     0.200ms
10.0.0.1 from pool pool.example
    1 10  2   19s   31s         2.500ms     0.300ms     0.200ms
"""


def test_ntpctl_shows_what_openntpd_shows(serve):
    s = serve()
    assert s.ntpctl("-s", "status") == (0, STATUS, "")
    code, out, err = s.ntpctl("-s", "peers")
    assert (code, err) == (0, "") and out.startswith(PEERS)
    assert s.ntpctl("-s", "Sensors") == (0, "no sensors configured\n", "")
    assert s.ntpctl("-s", "all") == (0, ALL + "\n" + out, "")


@pytest.mark.parametrize("word,whole", [
    ("s", "status"), ("p", "peers"), ("S", "Sensors"), ("a", "all"),
    ("stat", "status"), ("Sen", "Sensors"), ("r", "ready"), ("l", "live"),
    ("m", "metrics")])
def test_modifiers_may_be_cut(serve, word, whole):
    s = serve()
    assert s.ntpctl("-s", word) == s.ntpctl("-s", whole)
    assert s.ntpctl("-s" + word)[0] == 0


@pytest.mark.parametrize("arguments,message", [
    (("-x",), "ntpctl: invalid option -- 'x'\n"),
    (("--json",), "ntpctl: unrecognized option '--json'\n"),
    (("-s",), "ntpctl: option requires an argument -- 's'\n"),
    (("reload",), "ntpctl: Unknown show modifier 'reload'\n"),
    (("-",), "ntpctl: Unknown show modifier '-'\n"),
    (("status", "peers"), "ntpctl: 'peers' beside 'status': one at a time\n"),
    (("-s", "status", "peers"),
     "ntpctl: 'peers' beside 'status': one at a time\n"),
    (("-s", "x"), "ntpctl: Unknown show modifier 'x'\n"),
    (("-s", "statuses"), "ntpctl: Unknown show modifier 'statuses'\n"),
    (("-s", "Status"), "ntpctl: Unknown show modifier 'Status'\n"),
    (("-s", ""), "ntpctl: Unknown show modifier ''\n"),
    (("-w", "1x"), "ntpctl: Invalid number of seconds '1x'\n"),
    (("-w", "-1"), "ntpctl: Invalid number of seconds '-1'\n"),
    (("-i", "0"), "ntpctl: Invalid number of seconds '0'\n"),
    (("-w", "99999999999999999999"), None)])
def test_wrong_usage_is_status_1(serve, arguments, message):
    code, out, err = serve().ntpctl(*arguments)
    assert (code, out) == (1, "")
    assert "usage: ntpctl [-j] [-i seconds] [-w seconds] [-s all | " in err
    assert err.endswith('\n"ntpctl" shows the state, "ntpctl WORD" one of '
                        "these, -h explains\n")
    if message is not None:
        assert err.startswith(message + "usage: ")


@pytest.mark.parametrize("short,long", [
    (("status",), ("-s", "status")),
    (("all",), ("-s", "all")), (("peers",), ("-s", "peers")),
    (("sensors",), ("-s", "Sensors")), (("-s", "sensors"), ("-s", "S")),
    (("ready",), ("-s", "ready")), (("live",), ("-s", "live")),
    (("st",), ("-s", "status")), (("status", "-j"), ("-j", "-s", "status")),
    (("-j", "peers"), ("-j", "-s", "peers")),
    (("ready", "-w", "1"), ("-w", "1", "-s", "ready"))])
def test_a_word_alone_will_do(serve, short, long):
    s = serve()
    assert s.ntpctl(*long)[0] == 0
    assert s.ntpctl(*short) == s.ntpctl(*long)


def test_without_a_daemon_the_status_is_2(serve, directory):
    s = serve()
    s.close()
    assert not os.path.exists(s.path)
    for word in ("status", "ready", "live", "metrics"):
        code, out, err = s.ntpctl("-s", word)
        assert (code, out) == (2, "")
        assert err == "ntpctl: connect: %s: No such file or directory " \
            "(is ntpd up?)\n" % s.path
    s.path = str(directory / ("x" * 200))
    assert s.ntpctl("-s", "ready")[0] == 2


def test_ready_tells_by_its_status(serve):
    s = serve()
    assert s.ntpctl("-s", "ready") == (
        0, "ready: error bound 0.012300s, stratum 3\n", "")
    assert s.ntpctl("-s", "live") == (0, "live\n", "")
    s.close()
    s = serve("-u")
    assert s.ntpctl("-s", "ready") == (
        1, "not ready: no majority: 1 of 4 sources agree\n", "")
    assert s.ntpctl("-s", "live") == (0, "live\n", "")
    assert s.ntpctl("-s", "status")[0] == 0


def test_waits_until_ready(serve, programs, directory):
    s = serve()
    # ntpctl would hang here if it waited before it looked.
    assert s.ntpctl("-w", "86400")[0] == 0
    assert s.ntpctl("-w", "86400", "-s", "status") == (0, STATUS, "")
    s.close()
    # The daemon comes later than ntpctl.
    waiting = subprocess.Popen(
        [os.path.join(programs, "ntpctl"), "-w", "86400"],
        env=dict(os.environ, NTP_CONTROL_SOCKET=s.path),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    s = serve()
    out, err = waiting.communicate(timeout=HANG)
    assert (waiting.returncode, err) == (0, "")
    assert out.startswith("ready: ")


def test_waits_no_longer_than_told(serve):
    s = serve("-u")
    code, out, err = s.ntpctl("-w", "1")
    assert (code, err) == (1, "") and out.startswith("not ready: ")
    assert s.ntpctl("-w", "0")[0] == 1
    # It shows what it was asked for even so.
    code, out, err = s.ntpctl("-w", "1", "-s", "status")
    assert code == 1 and "clock unsynced" in out
    s.close()
    assert s.ntpctl("-w", "1")[0] == 2


def test_a_daemon_that_hangs_makes_the_waiting_no_longer(serve):
    s = serve()
    s.process.send_signal(signal.SIGSTOP)
    question = Terminal(s, 80, "live")
    code, out, err = s.ntpctl("-w", "1", "-s", "status")
    assert (code, out) == (2, "")
    assert re.fullmatch("ntpctl: %s: .* timed out\n" % s.path, err), err
    # A question gives up after ten seconds, the waiting before that.
    assert question.process.poll() is None
    s.process.send_signal(signal.SIGCONT)
    assert question.whole() == "live\n"


def test_json_is_the_same_everywhere(serve, port):
    s = serve(*metrics(port))
    code, out, err = s.ntpctl("-j")
    whole = json.loads(out)
    assert s.ntpctl("-j", "-s", "all")[1] == out
    assert json.loads(get(port, "/status")[2]) == whole
    assert json.loads(s.ntpctl("-j", "-s", "peers")[1])["sources"] == \
        whole["sources"]
    assert json.loads(s.ntpctl("-j", "-s", "Sensors")[1]) == {"sensors": []}
    state = json.loads(s.ntpctl("-j", "-s", "status")[1])
    assert {**whole, **state} == whole and "sources" not in state
    assert whole["frequency"] == pytest.approx(-12.3e-6, abs=1e-15)
    assert whole["listeners"] == [{"address": "127.0.0.1", "bound": True,
                                   "service": "metrics", "reason": ""}]
    s.close()
    s = serve("-u")
    assert json.loads(s.ntpctl("-j")[1])["error_bound"] is None


class Terminal:
    """ntpctl on a terminal of so many columns; one stream may go elsewhere."""

    def __init__(self, s, columns, *arguments, term="xterm", only=None,
                 **more):
        self.master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ,
                    struct.pack("4H", 24, columns, 0, 0))
        streams = {"stdout": slave, "stderr": slave}
        if only:
            streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
                       only: slave}
        environment = {"NTP_CONTROL_SOCKET": s.path, "TERM": term, **more}
        # A shell that has no terminal ignores SIGINT for what runs in the
        # background, and so do the tests then.
        self.process = subprocess.Popen(
            ["env", "--default-signal=INT",
             os.path.join(s.programs, "ntpctl"), *arguments],
            env=dict(environment, PATH=os.environ["PATH"]), **streams)
        os.close(slave)
        self.text = ""

    def more(self):
        """False at the end."""
        assert select.select([self.master], [], [], HANG)[0], self.text
        try:
            got = os.read(self.master, 65536).decode()
        except OSError:         # EIO: nobody has the other end any more
            got = ""
        self.text += got.replace("\r\n", "\n")
        return got != ""

    def until(self, condition):
        while not condition(self.text):
            assert self.more(), self.text

    def whole(self):
        while self.more():
            pass
        self.status = self.process.wait(HANG)
        os.close(self.master)
        return self.text


SCREEN = """\
+ clock synchronised, ready: error bound 0.012300s, stratum 3

  state         offset     delay stratum  source
+ followed       2.5ms   300.0us     2  pool pool.example 10.0.0.0
+ agrees         2.5ms   300.0us     2  pool pool.example 10.0.0.1
+ agrees         2.5ms   300.0us     2  pool pool.example 10.0.0.2
+ agrees         2.5ms   300.0us     2  pool pool.example 10.0.0.3
! failed      -300.0ms                  https://www.example 192.0.2.9: \
connect: Connection refused
"""
# On 40 columns.
NARROW = """\
+ clock synchronised, ready: error bound
    0.012300s, stratum 3

  state         offset     delay stratum
    source
+ followed       2.5ms   300.0us     2 
    pool pool.example 10.0.0.0
"""


def test_without_a_word_a_screen_is_shown(serve):
    s = serve()
    assert s.ntpctl() == (0, SCREEN, "")
    s.close()
    s = serve("-u")
    code, out, err = s.ntpctl()
    assert (code, err) == (0, "")
    assert out.startswith("! clock not synchronised, not ready: no majority: "
                          "1 of 4 sources agree\n\n")


def test_a_terminal_has_colours_and_whole_words(serve):
    s = serve()
    wide = SCREEN.replace("connect: Conn", "connect:\n    Conn")
    for more in ({"NO_COLOR": "1"}, {"term": "dumb"}):
        assert Terminal(s, 80, **more).whole() == wide
        assert Terminal(s, 40, **more).whole().startswith(NARROW)
        # Nobody knows how wide it is.
        assert Terminal(s, 0, **more).whole() == wide
    green, red, plain = "\033[32m", "\033[31m", "\033[m"
    assert Terminal(s, 200, NO_COLOR="").whole() == re.sub(
        "(?m)^!(.*)$", red + r"!\1" + plain,
        re.sub(r"(?m)^\+(.*)$", green + r"+\1" + plain, SCREEN))
    for columns in range(1, 30):
        text = Terminal(s, columns).whole()
        assert "".join(re.sub(r"\033\[\d*m", "", text).split()) == "".join(
            SCREEN.split())
    # What OpenNTPD shows is the same everywhere.
    assert Terminal(s, 20, "all").whole() == s.ntpctl("all")[1]


def test_a_terminal_shows_what_is_waited_for(serve, programs):
    s = serve("-u")
    t = Terminal(s, 80, "-w", "1", only="stderr")
    line = r"\r[01] of 1 s: not ready: no majority: 1 of 4 sources agree\033\[K"
    assert re.fullmatch(rf"({line})+\r\033\[K", t.whole())
    assert t.process.stdout.read().startswith(b"not ready: ")
    assert t.status == 1
    # It is cut, and a terminal that cannot rewrite a line shows none.
    assert "\r0 of 1 s: not ready:\033[K" in Terminal(s, 21, "-w",
                                                    "1").whole()
    assert Terminal(s, 80, "-w", "1", term="dumb").whole().startswith(
        "not ready: ")
    s.close()
    t = Terminal(s, 80, "-w", "86400")
    t.until(lambda text: "\r0 of 86400 s: no daemon answers\033[K" in text)
    s = serve()
    assert t.whole().endswith("\r\033[K" + s.ntpctl("ready")[1])
    assert t.status == 0


def test_it_is_shown_again_and_again(serve):
    s = serve()
    t = Terminal(s, 200, "-i", "1", NO_COLOR="1")
    t.until(lambda text: text.count(SCREEN) == 2)
    assert t.text == 2 * ("\033[H\033[J" + SCREEN)
    s.close()                   # it waits for the next daemon
    t.until(lambda text: "is ntpd up?" in text)
    s = serve()
    t.until(lambda text: text.count(SCREEN) == 3)
    t.process.send_signal(signal.SIGINT)
    t.whole()
    assert t.status == -signal.SIGINT
    t = Terminal(s, 80, "-i", "1", "-s", "status", term="dumb")
    t.until(lambda text: text.count(STATUS) == 2)
    assert t.text == 2 * STATUS
    t.process.kill()
    t.whole()
    with open("/dev/full", "w") as full:
        p = subprocess.run(
            [os.path.join(s.programs, "ntpctl"), "-i", "1"], stdout=full,
            stderr=subprocess.PIPE, text=True, timeout=HANG,
            env=dict(os.environ, NTP_CONTROL_SOCKET=s.path))
    assert (p.returncode, p.stderr) == (
        2, "ntpctl: write: No space left on device\n")


def test_answers_longer_than_any_buffer(serve):
    s = serve("-n", "4096")
    code, out, err = s.ntpctl("-s", "peers")
    assert (code, err) == (0, "") and out.count("\n") == 2 + 2 * 4096
    assert len(json.loads(s.ntpctl("-j")[1])["sources"]) == 4096


def test_a_broken_stdout_is_an_error(serve):
    s = serve()
    with open("/dev/full", "w") as full:
        p = subprocess.run(
            [os.path.join(s.programs, "ntpctl"), "-s", "all"], stdout=full,
            stderr=subprocess.PIPE, text=True,
            env=dict(os.environ, NTP_CONTROL_SOCKET=s.path))
    assert p.returncode == 2
    assert p.stderr == "ntpctl: write: No space left on device\n"


@contextlib.contextmanager
def impostor(path, answer, close=True, times=1):
    """Something at the control socket that is no ntpd."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    stop = threading.Event()

    def run():
        for _ in range(times):
            s, _ = listener.accept()
            with s:
                request = s.recv(1000)
                s.sendall(answer(request) if callable(answer) else answer)
                if not close:
                    stop.wait(HANG)
    thread = threading.Thread(target=run)
    thread.start()
    yield
    stop.set()
    thread.join()
    listener.close()
    os.unlink(path)


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"


@pytest.mark.parametrize("answer", [
    b"", b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\nhello", OK + b"short",
    b"HTTP/1.1 200 OK\r\n" * 1000, b"\0" * 5000, OK[:-1],
    b"HTTP/1.1 999999999999 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 404 Not Found\r\nContent-Length: 10\r\n\r\nNot Found\n"],
    ids=["nothing", "ssh", "no_length", "short", "no_end", "zeros", "no_body",
         "huge_code", "not_found"])
def test_what_is_no_answer_is_status_2(serve, answer):
    s = serve()
    s.close()
    with impostor(s.path, answer):
        code, out, err = s.ntpctl("-s", "status")
    assert code == 2 and "Sanitizer" not in err
    assert err.startswith("ntpctl: " + s.path) or err == "Not Found\n"


def test_an_older_daemon_shows_all(serve):
    """It runs until it is restarted, while the program is of today."""
    s = serve()
    s.close()
    asked = []
    with impostor(s.path, lambda request: asked.append(request) or (
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 10\r\n\r\nNot Found\n"
            if len(asked) == 1 else OK + b"it is all\n"), times=2):
        assert s.ntpctl() == (0, "it is all\n", "")
    assert [request.split()[1] for request in asked] == [
        b"/ntpctl", b"/ntpctl/all"]


@pytest.mark.parametrize("status", [b"200 OK", b"404 Not Found"])
def test_no_control_character_reaches_the_terminal(serve, status):
    """The program that answers may be older or compromised.  Its escape
    sequences are those of C0 and of C1, as bytes and in UTF-8."""
    s = serve()
    s.close()
    body = b"a\x1b[31m\x9b31m\xc2\x9b31m\x85\x07\x7f\tb\r\n"
    with impostor(s.path, b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (
            status, len(body), body)):
        code, out, err = s.ntpctl("-s", "status")
    assert out + err == "a?[31m?31m??31m????b?\n"


# ------------------------------------------------------- the control socket

def test_socket_is_for_its_owner_and_group(serve, directory):
    deep = directory / "var" / "run" / "ntpd.sock"
    old = os.umask(0)
    try:
        s = serve(path=deep)
    finally:
        os.umask(old)
    mode = os.stat(s.path).st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o660
    assert stat.S_IMODE(os.stat(deep.parent).st_mode) == 0o755
    assert s.ntpctl("-s", "live")[0] == 0
    s.close()
    assert not os.path.exists(s.path)


def test_stale_socket_is_replaced(serve):
    s = serve()
    s.process.kill()
    s.process.wait()
    assert os.path.exists(s.path)
    code, out, err = s.ntpctl("-s", "live")
    assert (code, out) == (2, "") and "Connection refused" in err
    assert serve().ntpctl("-s", "live")[0] == 0


def test_living_daemon_keeps_its_socket(serve):
    s = serve()
    second = serve(opened="busy")
    assert second.process.wait(HANG) == 1
    assert s.ntpctl("-s", "live")[0] == 0


def test_what_is_no_socket_is_left_alone(serve, directory):
    path = directory / "file"
    path.write_text("precious")
    # glibc and musl have different words for the error.
    s = serve(path=path, opened="Address already in use|Address in use")
    assert s.ntpctl("-s", "live")[0] == 2
    s.close()
    assert path.read_text() == "precious"


def test_without_a_socket_the_rest_works(serve, port):
    s = serve(*metrics(port), path="/dev/null/ntpd.sock",
              opened="Not a directory")
    assert get(port, "/healthz")[0] == 200


@needs_root
def test_others_may_not_ask(serve):
    s = serve()
    code, out, err = s.ntpctl("-s", "status", user=NOBODY)
    assert (code, out) == (2, "") and "Permission denied" in err
    # If the file's mode does not stop them, their credentials do.
    os.chmod(s.path, 0o666)
    code, out, err = s.ntpctl("-s", "status", user=NOBODY)
    assert (code, out, err) == (2, "", "Forbidden\n")
    assert s.ntpctl("-s", "status")[0] == 0


@needs_root
def test_root_and_its_own_user_may_ask(serve, directory):
    os.chown(directory, NOBODY, NOBODY)
    s = serve(user=NOBODY)
    assert s.ntpctl("-s", "status") == (0, STATUS, "")
    assert s.ntpctl("-s", "status", user=NOBODY) == (0, STATUS, "")
    # In a directory where anybody may write, anybody may answer.
    os.chmod(directory, 0o1777)
    code, out, err = s.ntpctl("-s", "status")
    assert (code, out) == (2, "") and "answered by another user" in err


# A /run of its own, with the directory that systemd makes for the unit.
UNIT = ("unshare", "-m", "sh", "-c",
        'mount -t tmpfs none /run && mkdir -m 755 /run/ntpd && '
        f'chown {NOBODY} /run/ntpd && exec "$@"', "sh")


@needs_root
def test_the_units_socket_is_found(serve):
    """The systemd unit's user cannot write to /run itself, so its socket is in
    a directory of its own."""
    s = serve(path="/run/ntpd/ntpd.sock",
              prefix=(*UNIT, "setpriv", "--reuid", str(NOBODY), "--regid",
                      str(NOBODY), "--clear-groups"))
    s.path = "None"             # the usual one from here on
    inside = ("nsenter", "-t", str(s.process.pid), "-m")
    assert s.ntpctl("-s", "status", prefix=inside) == (0, STATUS, "")
    # Whoever starts another one by hand is told.
    second = serve(path=None, prefix=inside, opened="busy")
    assert second.process.wait(HANG) == 1
    # A socket that a killed daemon left at the usual path is in no way.
    left = serve(path="/run/ntpd.sock", prefix=inside)
    left.process.kill()
    left.process.wait()
    assert s.ntpctl("-s", "status", prefix=inside) == (0, STATUS, "")
    # Another user than root may not ask, and is told where.
    code, out, err = s.ntpctl("-s", "status", prefix=inside + (
        "setpriv", "--reuid", "1", "--regid", "1", "--clear-groups"))
    assert (code, out) == (2, "")
    assert err == ("ntpctl: connect: /run/ntpd/ntpd.sock: Permission denied "
                   "(root may ask)\n")
    # Where others can write, others may answer.
    subprocess.run([*inside, "chmod", "777", "/run/ntpd"], check=True)
    code, out, err = s.ntpctl("-s", "status", prefix=inside)
    assert (code, out) == (2, "") and "answered by another user" in err


ALONE = ("unshare", "-m", "sh", "-c",
         'mount -t tmpfs -o ro none "$(readlink -f /var/run)" && exec "$@"',
         "sh")


@needs_root
def test_name_without_a_path_is_the_last_resort(serve):
    s = serve(path=None, prefix=("unshare", "-n", *ALONE), opened="abstract")
    pid = str(s.process.pid)
    inside = ("nsenter", "-t", pid, "-n", "-m")
    assert s.ntpctl("-s", "status", prefix=inside) == (0, STATUS, "")
    # An abstract name counts in its own network only.
    assert s.ntpctl("-s", "status", prefix=("unshare", "-n",
                                                 *ALONE))[0] == 2
    s.close()


@needs_root
def test_name_is_not_taken_in_the_hosts_network(serve):
    if not os.path.exists("/proc/sys/net/core/netdev_max_backlog"):
        pytest.skip("this is not the host's network namespace")
    s = serve(path=None, prefix=ALONE, opened="Read-only file system")
    with open("/proc/net/unix") as f:
        assert "@ntpd.sock" not in f.read()
    s.close()


# ---------------------------------------------------------------------- HTTP

@pytest.mark.parametrize("path,kind", [
    ("/metrics", "text/plain; version=0.0.4; charset=utf-8"),
    ("/healthz", "text/plain; charset=utf-8"),
    ("/readyz", "text/plain; charset=utf-8"),
    ("/status", "application/json"),
    ("/ntpctl/all", "text/plain; charset=utf-8")])
def test_get_and_head(serve, port, path, kind):
    serve(*metrics(port))
    code, headers, body = get(port, path)
    assert code == 200 and headers["Content-Type"] == kind
    assert int(headers["Content-Length"]) == len(body) > 0
    assert headers["Connection"] == "close"
    if path != "/healthz":
        assert headers["Date"] == "Tue, 14 Nov 2023 22:13:20 GMT"
    assert get(port, path, method="HEAD") == (code, headers, b"")


def test_readyz_names_the_reason(serve, port):
    serve("-u", *metrics(port))
    code, headers, body = get(port, "/readyz")
    assert (code, body) == (
        503, b"not ready: no majority: 1 of 4 sources agree\n")
    # A clock that nobody should trust gives no Date.
    assert "Date" not in headers
    assert get(port, "/healthz")[0] == 200


REFUSED = [
    (b"POST /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 405),
    (b"DELETE / HTTP/1.1\r\nHost: x\r\n\r\n", 405),
    (b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    (b"GET /metrics HTTP/1.1\r\n\r\n", 400),
    (b"GET /metrics\r\n\r\n", 400),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500, 400),
    (b"GET /" + b"a" * 300, 414),
    (b"GET /metrics HTTP/3.0\r\n\r\n", 505),
    (b"GET /metrics HTTP/1.1\r\n" + b"A: b\r\n" * 2000, 431),
    (b"GET /metrics HTTP/1.1\r\nA: " + b"b" * 9000, 431),
    (b"\r\n" * 10000, 431)]


@pytest.mark.parametrize("request_,code", REFUSED,
                         ids=[str(c) for _, c in REFUSED])
def test_bad_requests_are_refused(serve, port, request_, code):
    serve(*metrics(port))
    got, headers, body = exchange(connect(port), request_)
    assert got == code and len(body) == int(headers["Content-Length"])
    assert ("Allow" in headers) == (code == 405)


def test_request_may_come_byte_by_byte(serve, port):
    serve(*metrics(port))
    with connect(port) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for b in b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n":
            s.sendall(bytes([b]))
        assert parse(rest(s))[2] == b"live\n"


def test_one_request_a_connection(serve, port):
    """What is sent behind the request is not answered, and does not harm the
    answer."""
    s = serve("-n", "500", *metrics(port))
    whole = get(port, "/status")[2]
    more = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 400
    for _ in range(20):
        code, headers, body = exchange(
            connect(port),
            b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n" + more)
        assert (code, body) == (200, whole)
    assert s.signal(signal.SIGUSR1) == 2


def test_both_families_share_a_port(serve, port):
    if not socket.has_ipv6 or not os.path.exists("/proc/net/if_inet6"):
        pytest.skip("no IPv6")
    serve("-m", "*,%d" % port)
    assert get(port, "/healthz")[0] == 200
    assert get(port, "/healthz", host="::1")[0] == 200
    code, _, body = get(port, "/status")
    assert [x["address"] for x in json.loads(body)["listeners"]] == [
        "0.0.0.0", "::"]


@pytest.mark.parametrize("wildcard", ["*", "0.0.0.0"])
def test_a_wildcard_holds_all_addresses(serve, port, wildcard):
    """No other address of the port can be bound beside it, and none needs to
    be."""
    s = serve("-m", "127.0.0.1,%d" % port, "-m", "%s,%d" % (wildcard, port),
              "-m", "127.0.0.2,%d" % port)
    out = json.loads(s.ntpctl("-j")[1])["listeners"]
    assert all(x["bound"] for x in out) and out[0]["address"] == "0.0.0.0"
    for host in "127.0.0.1", "127.0.0.2", "127.0.0.3":
        assert get(port, "/healthz", host=host)[0] == 200
    assert "retrying" not in s.close()


def test_address_that_is_not_free_is_tried_again(serve, port):
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        s = serve(*metrics(port))
        out = json.loads(s.ntpctl("-j")[1])["listeners"]
        assert out == [{"address": "127.0.0.1", "service": "metrics",
                        "bound": False, "reason": out[0]["reason"]}]
        assert "in use" in out[0]["reason"]
        s.signal(signal.SIGUSR2)
        other.close()
    assert s.signal(signal.SIGUSR2) == 2
    assert get(port, "/healthz")[0] == 200
    # Each change is a line, and nothing else is.
    err = s.close()
    assert err.count("in use, retrying\n") == 1
    assert err.count("metrics on 127.0.0.1 port %d\n" % port) == 1


@needs_root
def test_address_that_comes_late_is_found(serve):
    s = serve("-m", "10.99.99.1,9559", prefix=("unshare", "-n"))
    inside = ("nsenter", "-t", str(s.process.pid), "-n")
    subprocess.run([*inside, "ip", "address", "add", "10.99.99.1/32", "dev",
                    "lo"], check=True)
    subprocess.run([*inside, "ip", "link", "set", "lo", "up"], check=True)
    assert s.signal(signal.SIGUSR2) == 2
    out = subprocess.run(
        [*inside, "curl", "-s", "--noproxy", "*", "http://10.99.99.1:9559/healthz"],
        stdout=subprocess.PIPE, timeout=HANG, check=True).stdout
    assert out == b"live\n"


# ------------------------------------------------------------ hostile clients

def test_slow_request_is_dropped(serve, port):
    s = serve(*metrics(port))
    with connect(port) as c, s.local() as d:
        c.sendall(b"GET /metrics HTTP/1.1\r\n")
        d.sendall(b"G")
        # Both have been accepted once a later client is answered.
        assert get(port, "/healthz")[0] == 200
        assert s.ntpctl("-s", "live")[0] == 0
        assert s.signal(signal.SIGUSR1) == 2
        assert rest(c) in (b"", b"(reset)")
        assert rest(d) == b""


@contextlib.contextmanager
def stalled(make, n):
    """n clients that ask for much and read only its beginning."""
    with contextlib.ExitStack() as stack:
        out = []
        for _ in range(n):
            c = stack.enter_context(make())
            c.sendall(b"GET /status HTTP/1.0\r\n\r\n")
            assert c.recv(1) == b"H"
            out.append(c)
        yield out


def slow(port):
    c = socket.socket()
    c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    c.connect(("127.0.0.1", port))
    return c


LOCAL, STRANGERS = 4, 12        # places: CONTROL_LOCAL and the rest


def test_reader_that_stalls_is_dropped(serve, port):
    """It is dropped after a second in which it took no byte; the first look
    may find that the kernel moved some.  Others are served meanwhile."""
    s = serve("-n", "4096", *metrics(port))
    with stalled(s.local, LOCAL - 1) as a, \
            stalled(lambda: slow(port), STRANGERS - 1) as b:
        assert s.ntpctl("-s", "live")[0] == 0
        assert get(port, "/healthz")[0] == 200
        s.signal(signal.SIGUSR1)
        assert s.signal(signal.SIGUSR1) == 2
        for c in a + b:
            assert not rest(c).endswith(b"}\n")


def test_reader_that_takes_its_time_is_dropped_after_ten_seconds(serve):
    """It took some bytes, but too few to make room in the kernel."""
    s = serve("-n", "4096")
    with s.local() as c:
        c.sendall(b"GET /status HTTP/1.0\r\n\r\n")
        # All that there is room for is written in the turn after the one that
        # the first of these may share.
        for _ in range(2):
            assert s.ntpctl("-s", "live")[0] == 0
        for _ in range(3):
            assert c.recv(40000, socket.MSG_WAITALL)
            assert s.signal(signal.SIGUSR1) == 2
        assert c.recv(40000, socket.MSG_WAITALL)
        assert s.signal(signal.SIGUSR1) == 1


def test_newcomers_take_the_place_of_readers_that_stall(serve, port):
    """They do so at once, since a probe waits for a second only.  The reader
    that has stalled for longest goes first."""
    s = serve("-n", "4096", *metrics(port))
    with stalled(s.local, LOCAL) as a, \
            stalled(lambda: slow(port), STRANGERS) as b:
        for _ in range(3):
            assert s.ntpctl("-s", "live")[0] == 0
            assert get(port, "/healthz")[0] == 200
            assert get(port, "/readyz")[0] == 200
        assert b"}\n" not in rest(a[0]) + rest(b[0])
        # The other clients are served.
        assert rest(a[-1]).endswith(b"}\n") and rest(b[-1]).endswith(b"}\n")


def idle(port, n, begin=b"GET /metr"):
    """n connections that will send nothing more."""
    out = []
    for _ in range(n):
        c = socket.socket()
        c.setblocking(False)
        c.connect_ex(("127.0.0.1", port))
        out.append(c)
    for c in out:
        try:
            c.send(begin)
        except OSError:
            pass
    return out


def answers(port, path):
    with connect(port) as c:
        c.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path.encode())
        return rest(c).startswith(b"HTTP/1.1 200 ")


def test_thousands_of_idle_connections(serve, port):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    n = min(2000, (hard if hard != resource.RLIM_INFINITY else 4096) - 200)
    if n < 200:
        pytest.skip("too few descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, n + 100), hard))
    try:
        s = serve(*metrics(port))
        out = idle(port, n)
        # Neither the administrator nor a scrape is locked out.  One that a
        # busy machine holds up, before it has asked, may have to go.
        assert s.ntpctl("-s", "all")[0] == 0
        until(lambda: answers(port, "/metrics"))
        out += idle(port, 50)
        until(lambda: answers(port, "/readyz"))
        # There are never more than twelve at a time, and none stays long.
        assert s.signal(signal.SIGUSR1) <= 2 + STRANGERS
        for c in out:
            c.close()
        assert get(port, "/healthz")[0] == 200
        for _ in range(2000):
            if s.signal(signal.SIGUSR1) == 2:
                break
        else:
            raise AssertionError("connections stay")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_places_of_each_kind_are_its_own(serve, port):
    """Of the clients that do not finish their request, the one that has waited
    for longest must go."""
    s = serve(*metrics(port))
    with contextlib.ExitStack() as stack:
        local = [stack.enter_context(s.local()) for _ in range(40)]
        for c in local:
            with contextlib.suppress(BrokenPipeError):
                c.sendall(b"GET ")
        assert get(port, "/healthz")[0] == 200
        assert s.ntpctl("-s", "live")[0] == 0
        assert rest(local[0]) in (b"", b"(reset)")
        assert s.signal(signal.SIGUSR1) == 2


def test_clients_that_reset(serve, port):
    s = serve(*metrics(port))
    for i in range(300):
        c = connect(port)
        c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                     struct.pack("ii", 1, 0))
        c.sendall(b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n"[:i % 60 + 1])
        c.close()
    assert s.ntpctl("-s", "live")[0] == 0
    s.signal(signal.SIGUSR1)
    assert s.signal(signal.SIGUSR2) == 2


def test_endless_sender_is_dropped(serve, port):
    s = serve(*metrics(port))
    with connect(port) as c:
        c.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        with pytest.raises(OSError):
            for _ in range(100000):
                c.sendall(b"x" * 65536)
    assert s.ntpctl("-s", "live")[0] == 0


def test_without_descriptors_it_waits(serve, port):
    """Connections that cannot be accepted must not make the loop spin."""
    s = serve(*metrics(port), limit=10)
    out = [connect(port) for _ in range(20)]
    for c in out:
        c.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n")
    for _ in range(20):
        s.signal(signal.SIGUSR1)
    # A few wake-ups for each connection; a busy loop makes thousands.
    assert s.turns < 300
    for c in out:
        c.close()
    for _ in range(10):
        s.signal(signal.SIGUSR1)
    assert get(port, "/healthz")[0] == 200


def heap(pid):
    with open("/proc/%d/status" % pid) as f:
        return {line.split(":")[0]: int(line.split()[1]) for line in f
                if line.startswith(("RssAnon", "VmData"))}


def test_memory_does_not_grow(serve, port, flavour):
    s = serve(*metrics(port))
    if flavour == "sanitized":
        pytest.skip("the sanitizers keep memory")
    paths = ("/metrics", "/status", "/ntpctl/all", "/none")
    for i in range(100):
        get(port, paths[i % 4])
    before = heap(s.process.pid)
    for i in range(1000):
        get(port, paths[i % 4])
    after = heap(s.process.pid)
    # KiB: the allocator may keep a piece or two of those it has given, which
    # are some 34 here.
    assert after["VmData"] <= before["VmData"] + 80
    assert after["RssAnon"] <= before["RssAnon"] + 80


# ---------------------------------------------------------------- Prometheus

# What another program makes of our text is the same for both programs.
once = pytest.mark.parametrize("flavour", ["musl"], indirect=True,
                               scope="session")


@pytest.mark.parametrize("name", ["alerts.yaml", "grafana.json"])
def test_rules_and_dashboard_know_the_metrics(serve, port, name):
    """Every metric that they name exists, with the labels by which they
    choose."""
    code, text, err = serve(*metrics(port)).ntpctl("-s", "metrics")
    with open(os.path.join(TOP, "deploy", name)) as f:
        used = f.read()
    if name.endswith(".json"):
        targets = [t for p in json.loads(used)["panels"] for t in p["targets"]]
        used = "\n".join(t["expr"] for t in targets)
        for t in targets:               # and what its legend shows
            metric = re.search(r"\bntpd_\w+", t["expr"]).group()
            for label in re.findall(r"\{\{(\w+)\}\}", t["legendFormat"]):
                assert label == "instance" or re.search(
                    r'^%s\{.*\b%s="' % (metric, label), text, re.M)
    names = set(re.findall(r"\bntpd_\w+", used))
    assert len(names) > 10
    assert names <= set(re.findall(r"^ntpd_\w+", text, re.M))
    for metric, label, value in re.findall(
            r'(ntpd_\w+)\{(\w+)="(\w+)"', used):
        assert re.search(r'^%s\{.*\b%s="%s"' % (metric, label, value), text,
                         re.M)


def tool(name):
    """A program of Debian's prometheus package, unpacked, not installed."""
    directory = peers.fetch("prometheus")
    path = directory and os.path.join(directory, "usr/bin", name)
    if not path or not os.path.exists(path):
        pytest.skip("Debian's prometheus package cannot be had")
    return path


@once
@pytest.mark.parametrize("arguments", [(), ("-u",), ("-n", "0"),
                                       ("-n", "100")])
def test_promtool_finds_nothing_to_say(serve, arguments):
    promtool = tool("promtool")
    s = serve(*arguments)
    code, text, err = s.ntpctl("-s", "metrics")
    p = subprocess.run([promtool, "check", "metrics"], input=text, text=True,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert (p.returncode, p.stdout) == (0, "")
    # It notices errors: here a metric has no HELP.
    p = subprocess.run([promtool, "check", "metrics"], input=text.replace(
        "# HELP ntpd_ready ", "# x "), text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT)
    assert p.returncode != 0 and "ntpd_ready" in p.stdout


HEALTHY = {     # beside what the made-up clock says
    "ntpd_uptime_seconds": "7200", "ntpd_build_timestamp_seconds": "100",
    "ntpd_ca_roots_expiry_timestamp_seconds": "4000000000"}


# (what fires, what differs from a good clock)
ALERTS = [
    (None, {}),
    ("NtpdClockUnsynchronised", {"ntpd_clock_synced": "0"}),
    (None, {"ntpd_clock_synced": "0", "ntpd_uptime_seconds": "200"}),
    # (what comes behind this is missing: "_x144")
    ("NtpdGone", {"ntpd_uptime_seconds": "7200+0x142 _"}),
    ("NtpdErrorBoundLarge", {"ntpd_clock_error_bound_seconds": "1.1"}),
    ("NtpdClockOffsetLarge", {"ntpd_clock_offset_seconds": "-0.06"}),
    ("NtpdMayNotSetClock", {'ntpd_clock_permission{permission="denied"}': "1"}),
    ("NtpdAnotherSteersTheClock", {
        'ntpd_clock_permission{permission="yielded"}': "1"}),
    ("NtpdConfigRefused", {"ntpd_config_last_reload_successful": "0"}),
    ("NtpdConfigNeedsRestart", {"ntpd_config_restart_needed": "1"}),
    ("NtpdFewSources", {"ntpd_sources_valid": "2"}),
    (None, {"ntpd_sources_valid": "2", "ntpd_sources": "2"}),
    ("NtpdSourceUnreachable", {
        'ntpd_source_reachability_ratio{address="10.0.0.0",'
        'name="pool.example"}': "0"}),
    ("NtpdSourceIsWrong", {
        'ntpd_source_selection{address="10.0.0.0",name="pool.example",'
        'state="falseticker"}': "1"}),
    ("NtpdNotAuthenticated", {"ntpd_sources_authentic": "1"}),
    (None, {"ntpd_clock_authenticated": "1", "ntpd_sources_authentic": "1"}),
    ("NtpdConstraintsMissing", {"ntpd_constraint_known": "0"}),
    ("NtpdClockSetByAnother", {"ntpd_clock_foreign_sets_total": "0+1"}),
    ("NtpdClockStepped", {"ntpd_clock_steps_total": "0+1"}),
    ("NtpdListenerDown", {
        'ntpd_listener_bound{address="192.0.2.1",service="ntp"}': "0"}),
    ("NtpdRootsExpire", {"ntpd_ca_roots_expiry_timestamp_seconds": "3600"}),
    # If a root had expired by the build, the age of the program is unknown.
    (None, {"ntpd_ca_roots_expiry_timestamp_seconds": "50"}),
    (None, {"ntpd_ca_roots_expiry_timestamp_seconds": "3600",
            "ntpd_constraints": "0"}),
    ("NtpdRootsExpire", {"ntpd_ca_roots_expiry_timestamp_seconds": "3600",
                         "ntpd_constraints": "0", "ntpd_sources_authentic": "1",
                         "ntpd_clock_authenticated": "1"}),
]


@once
def test_alerts_that_fire(serve, tmp_path):
    """Each case is two days of a clock that differs from a good one in one
    thing."""
    promtool = tool("promtool")
    text = serve().ntpctl("-s", "metrics")[1]
    made_up = dict(re.findall(r"^(ntpd_\w+(?:\{.*\})?) (-?[0-9.]+)$", text,
                              re.M))
    tests = []
    for alert, changed in ALERTS:
        series = {**made_up, **HEALTHY, **changed}
        assert all(n in made_up or "listener" in n for n in changed)
        tests.append({
            "interval": "20m",
            "input_series": [
                {"series": name, "values": value +
                 ("x144" if "+" in value else "+0x144")}
                for name, value in series.items()],
            "promql_expr_test": [{
                "eval_time": "2d",
                "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                "exp_samples": [] if alert is None else [
                    {"labels": '{alertname="%s"}' % alert, "value": 1}],
            }]})
    rules = tmp_path / "rules.yaml"
    rules.write_text(json.dumps({
        "rule_files": [os.path.join(TOP, "deploy", "alerts.yaml")],
        "evaluation_interval": "20m", "tests": tests}))
    p = subprocess.run([promtool, "test", "rules", str(rules)], text=True,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert p.returncode == 0, p.stdout
    with open(os.path.join(TOP, "deploy", "alerts.yaml")) as f:
        assert set(re.findall(r"alert: (\w+)", f.read())) == \
            {alert for alert, _ in ALERTS} - {None}


def test_openmetrics_is_what_its_parser_takes(serve, port):
    found = [peers.fetch("python3-prometheus-client"),
             peers.fetch("python3-decorator")]
    if None in found:
        pytest.skip("Debian's python3-prometheus-client cannot be had")
    serve(*metrics(port))
    code, headers, body = get(
        port, "/metrics", "Accept: application/openmetrics-text;version=1.0.0,"
        "text/plain;version=0.0.4;q=0.5\r\n")
    assert headers["Content-Type"] == \
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    p = subprocess.run(
        ["/usr/bin/python3", "-c", "import sys\n"
         "from prometheus_client.openmetrics.parser import "
         "text_string_to_metric_families as parse\n"
         "for f in parse(sys.stdin.read()): print(f.type, f.name)\n"],
        input=body.decode(), text=True, stdout=subprocess.PIPE, env=dict(
            os.environ, PYTHONPATH=":".join(
                os.path.join(d, "usr/lib/python3/dist-packages")
                for d in found)), check=True)
    families = p.stdout.split("\n")
    assert "info ntpd_build" in families
    assert "counter ntpd_source_rejected" in families
    assert "gauge ntpd_clock_error_bound_seconds" in families


def test_prometheus_scrapes_it(serve, port, tmp_path):
    prometheus = tool("prometheus")
    serve(*metrics(port))
    own = free_port()
    config = tmp_path / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
        "rule_files: [%s]\n"
        "scrape_configs:\n- job_name: ntpd\n  static_configs:\n"
        "  - targets: ['127.0.0.1:%d']\n" % (
            os.path.join(TOP, "deploy", "alerts.yaml"), port))
    address = "http://127.0.0.1:%d/api/v1/" % own
    p = subprocess.Popen(
        ["nice", prometheus, "--config.file=%s" % config,
         "--storage.tsdb.path=%s" % (tmp_path / "data"),
         "--web.listen-address=127.0.0.1:%d" % own],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        def ask(path):
            with urllib.request.urlopen(address + path, timeout=HANG) as r:
                return json.load(r)["data"]

        def up():
            try:
                return ask("query?query=up%3D%3D1")["result"]
            except OSError:
                return []
        end = time.monotonic() + HANG
        while not up():
            assert p.poll() is None, p.stderr.read()
            assert time.monotonic() < end, "no scrape succeeded"
            time.sleep(0.1)
        value = ask("query?query=ntpd_clock_error_bound_seconds")["result"]
        assert value[0]["value"][1] == "0.0123"
        value = ask("query?query=count(ntpd_source_offset_seconds)")["result"]
        assert value[0]["value"][1] == "4"
        target = ask("targets")["activeTargets"][0]
        assert (target["health"], target["lastError"]) == ("up", "")
        # The rules load, and judge this made-up clock rightly.
        groups = ask("rules")["groups"]
        assert groups and all(
            r["health"] in ("ok", "unknown") for g in groups
            for r in g["rules"])
    finally:
        p.terminate()
        p.wait(HANG)
