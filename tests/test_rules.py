"""tools/rules.sh notices each rule that is broken, in a small house with one
or two rooms a floor."""
import pathlib
import re
import shutil
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parent.parent

# Each room has one function; those of upper floors call those below.
HOUSE = {
    "core/ear.h": "int ear_hear(void);\n",
    "core/ear.c": '#include "core/ear.h"\nint\near_hear(void)\n{\n'
                  "\treturn 1;\n}\n",
    "core/mind.h": '#include "core/ear.h"\nint mind_think(void);\n',
    "core/mind.c": '#include "core/mind.h"\nint\nmind_think(void)\n{\n'
                   "\treturn ear_hear();\n}\n",
    "sys/hand.h": "int hand_do(int n);\n",
    "sys/hand.c": '#include "core/mind.h"\n#include "sys/hand.h"\nint\n'
                  "hand_do(int n)\n{\n\treturn n + mind_think();\n}\n",
    "tls/lock.h": "int lock_open(void);\n",
    "tls/lock.c": '#include "sys/hand.h"\n#include "tls/lock.h"\nint\n'
                  "lock_open(void)\n{\n\treturn hand_do(1);\n}\n",
    "serve/door.h": "int door_open(void);\n",
    "serve/door.c": '#include "sys/hand.h"\n#include "serve/door.h"\nint\n'
                    "door_open(void)\n{\n\treturn hand_do(2);\n}\n",
    "peers.h": "int peers_ask(void);\n",
    "peers.c": '#include "peers.h"\nint\npeers_ask(void)\n{\n\treturn 1;\n}\n',
    "steer.h": "int steer_turn(void);\n",
    "steer.c": '#include "steer.h"\nint\nsteer_turn(void)\n{\n\treturn 1;\n}\n',
    "ntpd.c": '#include "peers.h"\n#include "serve/door.h"\n'
              '#include "steer.h"\n#include "tls/lock.h"\nint\nmain(void)\n{\n'
              "\treturn peers_ask() + steer_turn() + lock_open() +\n"
              "\t    door_open();\n}\n",
    "tools/make.c": "int\nmain(void)\n{\n\treturn 0;\n}\n",
    "tests/core/ear.c": '#include "core/ear.h"\n',
    "tests/sys/lesser.c": '#include "sys/lesser.c"\n',
}


def build(where, files):
    for name, text in files.items():
        path = where / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for name in files:
        if name.endswith(".c") and not name.startswith(("tools/", "tests/")):
            out = where / "build/static" / (name[:-2] + ".o")
            out.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(["cc", "-I.", "-w", "-c", "-o", out, name],
                           cwd=where, check=True)


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    where = tmp_path_factory.mktemp("house")
    build(where, HOUSE)
    return where


def check(house, where, before):
    """What rules.sh says of the house, when a text stands before that of some
    files."""
    shutil.copytree(house, where, dirs_exist_ok=True)
    build(where, {name: text + HOUSE.get(name, "")
                  for name, text in before.items()})
    objects = [str(path.relative_to(where))
               for path in sorted(where.glob("build/**/*.o"))]
    out = subprocess.run(["sh", TOP / "tools/rules.sh", *objects], cwd=where,
                         text=True, capture_output=True)
    lines = out.stderr.splitlines()
    assert (out.returncode == 0) == (not lines)
    return [line.removeprefix("breaks docs/house.md: ") for line in lines]


def test_a_house_in_order_passes(house, tmp_path):
    assert check(house, tmp_path, {}) == []


STEPS = "\tn++;\n"
BROKEN = {
    "core includes sys": ({"core/ear.c": '#include "sys/hand.h"\n'},
                          "core/ear includes sys/hand"),
    "core includes the top": ({"core/ear.c": '#include "peers.h"\n'},
                              "core/ear includes peers"),
    "a header of core includes sys": ({"core/ear.h": '#include "sys/hand.h"\n'},
                                      "core/ear includes sys/hand"),
    "sys includes tls": ({"sys/hand.c": '#include "tls/lock.h"\n'},
                         "sys/hand includes tls/lock"),
    "sys includes the top": ({"sys/hand.c": '#include "steer.h"\n'},
                             "sys/hand includes steer"),
    "tls includes serve": ({"tls/lock.c": '#include "serve/door.h"\n'},
                           "tls/lock includes serve/door"),
    "serve includes tls": ({"serve/door.c": '#include "tls/lock.h"\n'},
                           "serve/door includes tls/lock"),
    "serve includes the top": ({"serve/door.c": '#include "peers.h"\n'},
                               "serve/door includes peers"),
    "a call without an include": (
        {"core/ear.c": "int hand_do(int);\nstatic int up(void) "
                       "{ return hand_do(0); }\nint (*ear_up)(void) = up;\n"},
        "core/ear calls sys/hand"),
    "owners include each other": ({"steer.c": '#include "peers.h"\n'},
                                  "steer includes peers"),
    "a circle of includes": ({"core/ear.c": '#include "core/mind.h"\n'},
                             "a circle: core/ear core/mind"),
    "a circle of calls": (
        {"core/ear.c": "int mind_think(void);\nstatic int up(void) "
                       "{ return mind_think(); }\nint (*ear_up)(void) = up;\n"},
        "a circle: core/ear core/mind"),
    "another room's function": (
        {"core/mind.c": "int ear_wiggle(void) { return 0; }\n",
         "core/ear.h": "int ear_wiggle(void);\n"},
        "core/ear.h declares ear_wiggle, which is in core/mind.c"),
    "a function in no header": (
        {"core/mind.c": "int mind_wander(void) { return 0; }\n"},
        "core/mind.c has mind_wander, which no header declares"),
    "a long header": ({"core/ear.h": "/* */\n" * 200},
                      "core/ear.h has 201 lines"),
    "a long function": (
        {"core/ear.c": "static int\nlong_tale(int n)\n{\n" + STEPS * 57 +
                       "\treturn n;\n}\n"},
        "core/ear.c:2 long_tale has 61 lines"),
    "a long function of a tool": (
        {"tools/make.c": "static int\nlong_tale(int n)\n{\n" + STEPS * 57 +
                         "\treturn n;\n}\n"},
        "tools/make.c:2 long_tale has 61 lines"),
    "the daemon in a header": ({"steer.h": "struct daemon {\n\tint n;\n};\n"},
                               "steer.h:1:struct daemon { in a header"),
    "a test that includes a room": (
        {"tests/core/ear.c": '#include "core/ear.c"\n'},
        'tests/core/ear.c:1:#include "core/ear.c"'),
    "a full top folder": ({f"note{i}": "" for i in range(24)},
                          "35 entries in the top folder"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_rule_is_noticed(house, tmp_path, name):
    before, line = BROKEN[name]
    assert line in check(house, tmp_path, before)


def test_what_is_at_a_limit_breaks_no_rule(house, tmp_path):
    assert check(house, tmp_path, {
        "core/ear.h": "/* */\n" * 199,
        "core/ear.c": "static int\nlong_tale(int n)\n{\n" + STEPS * 56 +
                      "\treturn n;\n}\n",
        **{f"note{i}": "" for i in range(23)},
        "README.md": "", "VERSION": ""}) == []


def test_each_promise_of_the_page_has_its_test():
    """docs/promises.md names tests by what they promise."""
    listed = subprocess.run(["sh", "tools/promises.sh", ""], cwd=TOP,
                            capture_output=True, text=True, check=True).stdout
    page = (TOP / "docs/promises.md").read_text()
    named = [x for x in re.findall(r"`([^`]*)`", page)
             if " " in x and not x.startswith("make ")]
    assert len(named) > 40
    assert [x for x in named if x not in listed] == []
