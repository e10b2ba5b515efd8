"""config.c against files: tests/conf/NAME.conf, and beside it what must come
of it: NAME.ok (everything in struct conf, after the warnings) or NAME.err (the
messages). CONF_UPDATE=1 writes these anew; read them with git diff.

confdump runs with sanitizers and, where musl-gcc is there, as the daemon is
built."""

import os
import re
import resource
import subprocess

import pytest

from built import built

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
CONF = HERE
NAMES = sorted(n[:-5] for n in os.listdir(CONF) if n.endswith(".conf"))
DEFAULT = os.path.join(TOP, "ntpd.conf")


@pytest.fixture(scope="session", params=["sanitized", "musl"])
def dump(request):
    return built(request.param, "confdump")


def cpu_limit():
    # A text that is read in linear time needs milliseconds; one that is not
    # would need minutes.
    resource.setrlimit(resource.RLIMIT_CPU, (30, 30))


def run(dump, *arguments):
    p = subprocess.run([dump] + list(arguments),
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       preexec_fn=cpu_limit)
    assert p.stderr == b""
    assert all(b == 10 or 32 <= b < 127 or b == 9 for b in p.stdout)
    return p.returncode, p.stdout.decode()


@pytest.fixture
def parse(dump, tmp_path):
    def parse(text):
        path = tmp_path / "t.conf"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return run(dump, str(path))
    return parse


@pytest.mark.parametrize("name", NAMES)
def test_file(dump, name):
    path = os.path.join(CONF, name)
    status, out = run(dump, path + ".conf")
    want = path + (".ok" if status == 0 else ".err")
    if os.environ.get("CONF_UPDATE"):
        for end in ".ok", ".err":
            if os.path.exists(path + end):
                os.remove(path + end)
        with open(want, "w") as f:
            f.write(out)
    assert os.path.exists(want), out
    with open(want) as f:
        assert out == f.read()


def test_every_result_has_its_file():
    ends = {".ok", ".err"}
    results = [n for n in os.listdir(CONF) if os.path.splitext(n)[1] in ends]
    assert sorted(os.path.splitext(n)[0] for n in results) == NAMES


@pytest.mark.parametrize("name", NAMES + ["default"])
def test_no_memory(dump, name):
    """Whichever allocation fails, it is noticed; nothing is lost, and nothing
    is touched that is not there."""
    path = os.path.join(CONF, name + ".conf")
    if name == "default":
        path = DEFAULT
    assert run(dump, "-m", path) == (0, "")


def test_the_default(dump):
    status, out = run(dump, DEFAULT)
    assert status == 0
    assert [line.split(None, 1)[1] for line in out.splitlines()] == [
        'servers "time.cloudflare.com" address - weight 1',
        'sensor "*" correction 0 refid "" stratum 1 weight 1',
        'constraint host "9.9.9.9" port 443 path "/" numeric 9.9.9.9',
        'constraint host "2620:fe::fe" port 443 path "/" numeric 2620:fe::fe',
        'constraints host "www.google.com" port 443 path "/" numeric -',
    ]


def test_one_line_of_users(parse):
    """The same line as printf, kubectl --from-literal and YAML's |- write
    it."""
    assert parse("servers pool.ntp.org") == \
        (0, '1 servers "pool.ntp.org" address - weight 1\n')


# ------------------------------------------------------------------ sizes

MEGABYTE_LINES = {
    "word": "a" * 2000000,
    "number": "1" * 2000000,
    "string": '"' + "a" * 2000000 + '"',
    "string_without_end": "'" + "a" * 2000000,
    "name": "server " + "a" * 2000000,
    "weight": "server a weight " + "1" * 2000000,
    "url": 'constraint from "https://' + "a" * 2000000 + '/"',
    "options": "server a " + "weight 5 " * 200000 + "weight 11",
    "addresses": "constraint from a" + " 192.0.2.1" * 200000,
    "joined": "\\\n" * 1000000 + ")",
    "comment": "server a #" + "\\\n" * 1000000 + "\0",
}


@pytest.mark.parametrize("name", MEGABYTE_LINES)
def test_a_megabyte_line_is_one_error(parse, name):
    status, out = parse(MEGABYTE_LINES[name] +
                        "\nserver b\nserver c weight 11\n")
    assert status == 1
    lines = out.splitlines()
    assert len(lines) == 2
    assert lines[1].endswith('weight must be between 1 and 10: found "11"')
    assert max(map(len, lines)) < 300


def test_a_long_comment_is_nothing(parse):
    assert parse("#" + "x" * 2000000 + "\nserver a")[0] == 0


JUNK = {
    "quotes": '"\n' * 1000000,
    "both_quotes": "'\n\"\n" * 500000,
    "escaped_quotes": '"\\"\n' * 700000,
    "late_quotes": 'x"\n' * 700000,
    "devices": 'sensor "a\n' * 200000,
    "escaped_names": 'server "\\"\n' * 200000,
    "backslashes": "\\" * 2000000,
    "joins": "\\\n" * 1000000,
    "nul": "\0" * 2000000,
    "cr": "\r" * 2000000,
    "nul_lines": "\0\n" * 1000000,
    "empty_lines_in_quotes": "sensor '" + "\n" * 2000000 + "'x",
    "the_same_again": ("sensor '" + "\n" * 100000) * 20,
    "networks": "allow from " + "10.0.0.0/8," * 200000,
}


@pytest.mark.parametrize("name", JUNK)
def test_junk_takes_linear_time(parse, name):
    status, out = parse(JUNK[name])
    assert status in (0, 1)
    lines = out.count("\n")
    assert lines <= 1002


# ------------------------------------------------------------ the manual

def test_the_manual_names_every_word():
    with open(os.path.join(TOP, "man", "ntpd.conf.5")) as f:
        manual = f.read()
    with open(os.path.join(TOP, "config.c")) as f:
        source = f.read()
    words = set(re.findall(r'(?:take|need)\(p, "(\w+)"\)', source))
    assert len(words) > 20
    for word in words:
        assert re.search(r"(Ic|Cm) ([^\n]* )?%s\b" % word, manual), word


def test_the_manual_has_the_limits():
    with open(os.path.join(TOP, "man", "ntpd.conf.5")) as f:
        manual = f.read()
    header = ""
    for name in "conf", "address", "constraint":
        with open(os.path.join(TOP, "core", name + ".h")) as f:
            header += f.read()
    for name in ("METRICS_PORT", "POLL_LEAST", "POLL_MOST", "LIMIT_RATE",
                 "LIMIT_MOST", "LISTENS_MAX", "ALLOWS_MAX", "URL_PATH_MAX",
                 "SOURCES_MAX", "POOL_MAX", "CONSTRAINT_ADDRESSES"):
        value = re.search(r"\b%s = (\d+)\b" % name, header).group(1)
        assert re.search(r"(?<!\d)%s(?!\d)" % value, manual), name


def test_the_examples_of_the_manual_parse(parse):
    with open(os.path.join(TOP, "man", "ntpd.conf.5")) as f:
        manual = f.read()
    manual = manual[manual.index(".Sh EXAMPLES"):manual.index(".Sh DIAG")]
    examples = re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed", manual,
                          re.M | re.S)
    assert len(examples) == 13
    for text in examples:
        status, out = parse(text.replace("\\e", "\\"))
        assert status == 0, out
        assert "warning" not in out


def test_the_diagnostics_of_the_manual(parse):
    status, out = parse("\n\nserver a.example.com weight 11\nsever b\n")
    with open(os.path.join(TOP, "man", "ntpd.conf.5")) as f:
        manual = f.read()
    for line in out.splitlines():
        line = line.replace("t.conf", "ntpd.conf")
        line = re.sub(r"server, servers.*", "server, ...", line)
        assert "\n%s\n" % line in manual
