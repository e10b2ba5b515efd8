"""config.c against files: tests/conf/NAME.conf, and beside it what must come
of it: NAME.ok (everything in struct conf, after the warnings) or NAME.err (the
messages). CONF_UPDATE=1 writes these anew; read them with git diff.

confdump is built here, once with sanitizers and, where musl-gcc is there, once
as the daemon is built."""

import os
import re
import resource
import shutil
import subprocess

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
CONF = HERE
NAMES = sorted(n[:-5] for n in os.listdir(CONF) if n.endswith(".conf"))
DEFAULT = os.path.join(TOP, "ntpd.conf")
SANITIZE = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


def build(compiler, flags, out):
    subprocess.run([compiler, "-std=gnu11", "-Wall", "-Wextra", "-Werror"] +
                   flags + ["-Wl,--wrap=malloc,--wrap=realloc", "-o", out,
                            "-I" + TOP,
                            os.path.join(TOP, "config.c"),
                            os.path.join(TOP, "core/address.c"),
                            os.path.join(TOP, "core/lex.c"),
                            os.path.join(HERE, "confdump.c")], check=True)
    return out


@pytest.fixture(scope="session", params=["sanitized", "musl"])
def dump(request, tmp_path_factory):
    out = str(tmp_path_factory.mktemp("confdump") / "confdump")
    if request.param == "sanitized":
        return build("cc", SANITIZE, out)
    if shutil.which("musl-gcc") is None:
        pytest.skip("no musl-gcc")
    return build("musl-gcc", ["-Os", "-static"], out)


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

WORDS = [
    "sensor %s\n",
    'sensor "%s"\n',
    "sensor '%s'",
]


@pytest.mark.parametrize("form", WORDS, ids=["bare", "double", "single"])
def test_words_end_at_8095_bytes(parse, form):
    word = "a" * 8095
    status, out = parse("server x\n" + form % word)
    assert status == 0
    found = word in out
    assert found
    status, out = parse(form % (word + "a") + "\nserver a weight 11")
    assert status == 1
    assert out.splitlines()[0] == "t.conf:1:8: string too long"
    assert "weight must be between 1 and 10" in out
    assert len(out.splitlines()) == 2


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


def test_names_end_at_253_bytes(parse):
    for form in "server %s", "listen on %s", "constraint from %s", \
            'constraint from "https://%s:5/"':
        name = ("a" * 62 + ".") * 4 + "b"
        assert len(name) == 253
        assert parse("server x\n" + form % name)[0] == 0
        assert parse("server x\n" + form % (name + "b"))[0] == 1


def test_paths_end_at_1023_bytes(parse):
    url = 'server x\nconstraint from "https://a/%s"'
    status, out = parse(url % ("b" * 1022))
    assert status == 0 and 'path "/' + "b" * 1022 + '"' in out
    assert parse(url % ("b" * 1023))[0] == 1


@pytest.mark.parametrize("line,most", [
    ("server a", 4096), ("servers 192.0.2.1", 4096), ("sensor a", 64),
    ("constraint from a", 64), ("constraints from a", 64),
    ("listen on a", 64), ("metrics on a", 64), ("allow from ::1", 1024),
])
def test_so_many_and_no_more(parse, line, most):
    status, out = parse((line + "\n") * most)
    assert status == 0
    count = len([x for x in out.splitlines() if "warning" not in x])
    assert count == most
    status, out = parse((line + "\n") * (most + 1))
    assert status == 1
    assert re.fullmatch(r"t\.conf:%d:\d+: too many of these statements: "
                        r"found \"[a1:2.09]*\"\n" % (most + 1), out)


def test_other_statements_are_not_bounded(parse):
    text = 'query from ::1\ndriftfile "/a"\ncafile "/b"\nready within 1\n' \
        "limit rate 5\n" * 5000
    assert parse("server a\n" + text)[0] == 0


def test_a_thousand_errors_then_no_more(parse):
    status, out = parse("x\n" * 1000)
    assert status == 1
    lines = out.splitlines()
    assert "1000:1: syntax error" in lines[-1]
    count = len(lines)
    assert count == 1000
    status, out = parse("x\n" * 100000)
    lines = out.splitlines()
    count = len(lines)
    assert count == 1001
    assert lines[-1] == "t.conf:1001:1: too many errors"


def test_warnings_are_bounded_too(parse):
    status, out = parse("server a:b:c\n" * 2000)
    assert status == 0
    assert out.count("warning") == 1000


# -------------------------------------------------------- every byte, once

def lines_of(out):
    """The messages, by line number."""
    return {int(line.split(":")[1]): line.split(": ", 1)[1]
            for line in out.splitlines() if line.startswith("t.conf:")}


def test_bytes_that_begin_no_word(parse):
    # Line n + 1 begins with byte n.  Backslash and quotes would join lines.
    bytes_ = [b"" if b in b'\\"\'\n' else bytes([b]) for b in range(256)]
    status, out = parse(b"\n".join(bytes_))
    said = lines_of(out)
    for b in range(256):
        if bytes_[b] in (b"", b"\t", b" ", b"#", b"\r"):
            assert b + 1 not in said
            continue
        shown = '"%s"' % chr(b) if 32 < b < 127 else \
            "byte 0x%02x" % b if b else "a NUL byte"
        assert said[b + 1].startswith("syntax error: found %s, " % shown)


def test_bytes_that_begin_a_word(parse):
    first = set(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                b"0123456789:_*")
    bytes_ = [b"x" if b in b'\\"\'\n \t' else bytes([b])
              for b in range(256)]
    status, out = parse(b"".join(b"server " + b + b"a\n" for b in bytes_))
    said = lines_of(out)
    for b in range(256):
        assert (b + 1 in said and "warning" not in said[b + 1]) == \
            (bytes_[b][0] not in first), b


def test_bytes_that_end_a_word(parse):
    bytes_ = [b"x" if b in b"\\\n" else bytes([b]) for b in range(256)]
    status, out = parse(b"".join(b"server a" + b + b"b\n" for b in bytes_))
    assert status == 1
    said = lines_of(out)
    for b in range(256):
        c = bytes_[b][0]		# a comment may follow at once
        inside = 32 < c < 127 and c not in b"(){}<>!=/,"
        assert (b + 1 in said and "warning" not in said[b + 1]) != inside, b


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
    assert len(examples) == 3
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
