"""What "make release" makes of a program: the same bytes twice, images that a runtime
takes, and lists of parts that name the right files.  The program here is ./ntpd; that
of other machines is built by the Dockerfile, which test_image.py does for arm64."""
import hashlib
import io
import json
import pathlib
import subprocess
import sys
import tarfile

import pytest

import lab

TOP = pathlib.Path(__file__).resolve().parents[2]
VERSION = (TOP / "VERSION").read_text().strip()
EPOCH = 1767225600              # 2026-01-01
URL = "https://example.com/ntpd"
pytestmark = [
    pytest.mark.skipif(not (TOP / "ntpd").exists(),
                       reason="units: ntpd is not built"),
    pytest.mark.skipif(not (TOP / ".git").exists(),
                       reason="a release is made of a commit")]


@pytest.fixture(scope="module")
def parts():
    return subprocess.run(["make", "-s", "parts"], cwd=TOP, check=True,
                          text=True, stdout=subprocess.PIPE).stdout


def make(where, parts):
    """Two kinds, of which both are this machine's program."""
    (where / "parts").write_text(parts)
    given = f"={TOP / 'ntpd'}={where / 'parts'}"
    subprocess.run([sys.executable, TOP / "tools/release.py", "--epoch",
                    str(EPOCH), "--url", URL, "--program", "amd64" + given,
                    "--program", "armv7" + given, where / "out"], check=True)
    return {p.name: p.read_bytes() for p in (where / "out").iterdir()}


@pytest.fixture(scope="module")
def made(tmp_path_factory, parts):
    return make(tmp_path_factory.mktemp("release"), parts)


def test_a_release_made_twice_is_the_same(made, parts, tmp_path):
    assert make(tmp_path, parts) == made


def test_the_sums_are_of_all_files(made):
    sums = dict(line.split("  ")[::-1]
                for line in made["SHA256SUMS"].decode().splitlines())
    assert sums == {name: hashlib.sha256(data).hexdigest()
                    for name, data in made.items() if name != "SHA256SUMS"}
    assert f"ntpd-{VERSION}-linux-amd64" in sums


def test_a_part_of_a_release_is_checked_by_its_sums(made, tmp_path):
    """As docs/releasing.md shows it to those who have not loaded all files."""
    for name in f"ntpd-{VERSION}-linux-amd64", "SHA256SUMS":
        (tmp_path / name).write_bytes(made[name])
    check = ["sha256sum", "-c", "--ignore-missing", "SHA256SUMS"]
    assert subprocess.run(check, cwd=tmp_path).returncode == 0
    (tmp_path / f"ntpd-{VERSION}-linux-amd64").write_bytes(b"other")
    assert subprocess.run(check, cwd=tmp_path).returncode != 0


def test_the_recipe_for_alpine_has_the_sum_of_the_sources(made):
    name = f"ntpd-{VERSION}.tar.gz"
    digest = hashlib.sha512(made[name]).hexdigest()
    assert made["APKBUILD"].decode().endswith(
        f'}}\nsha512sums="\n{digest}  {name}\n"\n')


def test_the_sources_are_those_of_the_commit(made):
    with tarfile.open(fileobj=io.BytesIO(
            made[f"ntpd-{VERSION}.tar.gz"])) as tar:
        names = {m.name for m in tar.getmembers() if m.isfile()}
    assert {f"ntpd-{VERSION}/{name}" for name in ("VERSION", "ntpd.c")} <= names
    assert all(name.startswith(f"ntpd-{VERSION}/") for name in names)


def test_parts_are_files_and_packages_of_this_machine(parts):
    lines = [line.split("\t") for line in parts.splitlines()]
    assert [line[0] for line in lines] == \
        ["musl", "BearSSL", "libgcc", "CA roots"]
    for name, package, version, licence, file, digest in lines:
        assert len(digest) == 64 and version[0].isdigit(), name
        assert licence.split("-")[0] in ("MIT", "GPL", "MPL")
    linked = subprocess.run([TOP / "ntpd", "-V"], text=True,
                            stdout=subprocess.PIPE).stdout
    for name, _, version, *_ in lines[:2]:
        assert f"{name} {version}" in linked


def test_both_lists_name_the_same_parts(made, parts):
    name = f"ntpd-{VERSION}-linux-amd64"
    spdx = json.loads(made[name + ".spdx.json"])
    cdx = json.loads(made[name + ".cdx.json"])
    own = hashlib.sha256(made[name]).hexdigest()
    expected = {"ntpd": (VERSION, own)}
    for line in parts.splitlines():
        what, _, version, _, _, digest = line.split("\t")
        expected[what] = version, digest
    assert {p["name"]: (p["versionInfo"], p["checksums"][0]["checksumValue"])
            for p in spdx["packages"]} == expected
    assert {c["name"]: (c["version"], c["hashes"][0]["content"]) for c in
            [cdx["metadata"]["component"], *cdx["components"]]} == expected
    known = {p["SPDXID"] for p in spdx["packages"]} | {"SPDXRef-DOCUMENT"}
    for relation in spdx["relationships"]:
        assert {relation["spdxElementId"],
                relation["relatedSpdxElement"]} <= known
    (edges,) = cdx["dependencies"]
    assert set(edges["dependsOn"]) == {c["bom-ref"] for c in cdx["components"]}
    assert spdx["creationInfo"]["created"] == cdx["metadata"]["timestamp"] == \
        "2026-01-01T00:00:00Z"


def blobs_of(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {m.name: tar.extractfile(m).read()
                for m in tar.getmembers() if m.isfile()}


def test_the_images_hold_the_program_and_say_what_the_dockerfile_says(made):
    files = blobs_of(made[f"ntpd-{VERSION}-oci.tar"])

    def blob(entry):
        data = files["blobs/" + entry["digest"].replace(":", "/")]
        assert len(data) == entry["size"]
        assert hashlib.sha256(data).hexdigest() == entry["digest"][7:]
        return data
    (outer,) = json.loads(files["index.json"])["manifests"]
    assert outer["annotations"]["org.opencontainers.image.ref.name"] == VERSION
    entries = json.loads(blob(outer))["manifests"]
    assert [e["platform"] for e in entries] == [
        {"os": "linux", "architecture": "amd64"},
        {"os": "linux", "architecture": "arm", "variant": "v7"}]
    for entry in entries:
        manifest = json.loads(blob(entry))
        image = json.loads(blob(manifest["config"]))
        config = image["config"]
        assert config["Entrypoint"] == ["/ntpd"]
        assert config["Cmd"] == ["-d", "-s"] and config["Env"] == ["PATH=/"]
        assert config["Healthcheck"]["Test"] == ["CMD", "/ntpctl", "-s", "ready"]
        labels = config["Labels"]
        assert labels["org.opencontainers.image.version"] == VERSION
        assert labels["org.opencontainers.image.source"] == URL
        assert len(labels["org.opencontainers.image.revision"]) == 40
        (layer,) = map(blob, manifest["layers"])
        assert image["rootfs"]["diff_ids"] == \
            ["sha256:" + hashlib.sha256(layer).hexdigest()]
        with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
            link, program = tar.getmembers()
            assert (link.name, link.linkname) == ("ntpctl", "ntpd")
            assert program.mode == 0o755 and program.mtime == EPOCH
            assert tar.extractfile(program).read() == \
                (TOP / "ntpd").read_bytes()


@pytest.mark.skipif(lab.missing() is not None, reason=f"image: {lab.missing()}")
def test_a_runtime_takes_the_image(made, tmp_path):
    """It picks the image of its machine, and finds all that the label says."""
    path = tmp_path / "oci.tar"
    path.write_bytes(made[f"ntpd-{VERSION}-oci.tar"])
    store = ["--root", tmp_path / "store", "--runroot", tmp_path / "run",
             "--storage-driver", "vfs"]
    lab.run("buildah", *store, "pull", "-q", f"oci-archive:{path}:{VERSION}")
    (image,) = json.loads(lab.run("buildah", *store, "images",
                                  "--json").stdout)
    told = json.loads(lab.run("buildah", *store, "inspect", "--type", "image",
                              image["id"]).stdout)
    assert told["OCIv1"]["architecture"] == "amd64"
    assert told["OCIv1"]["config"]["Entrypoint"] == ["/ntpd"]
    assert told["OCIv1"]["created"].startswith("2026-01-01T00:00:00")
