#!/usr/bin/env python3
"""release.py: what "make release" puts into a directory.

    ntpd-VERSION-linux-KIND             the static program
    ntpd-VERSION-linux-KIND.spdx.json   of what it is made (SPDX 2.3)
    ntpd-VERSION-linux-KIND.cdx.json    the same (CycloneDX 1.5)
    ntpd-VERSION-oci.tar                an OCI layout: one index, an image for each kind
    ntpd-VERSION.tar.gz                 the sources
    APKBUILD                            the recipe for Alpine, with their sum
    SHA256SUMS                          of all these

The programs come out of the Dockerfile's stage "parts", for which a builder is needed,
or are given, all of them: --program KIND=FILE=PARTS, where "make parts" has written
PARTS.  All else is made here, so that the bytes depend on the sources, the programs and
the date only: layers are not compressed, since compressors differ.
"""
import argparse
import datetime
import gzip
import hashlib
import io
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import uuid

TOP = pathlib.Path(__file__).resolve().parent.parent
# Of each kind: what an image calls it, and what qemu does.
KINDS = {"amd64": ({"architecture": "amd64"}, "x86_64"),
         "arm64": ({"architecture": "arm64"}, "aarch64"),
         "armv7": ({"architecture": "arm", "variant": "v7"}, "arm"),
         "riscv64": ({"architecture": "riscv64"}, "riscv64")}
SECOND = 10 ** 9                # ns, in which Docker writes lengths of time
LICENCE = "ISC"


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def compact(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def run(what, words, **more):
    """Run a command that must succeed; else one line says what has failed, below
    what the command itself has said."""
    try:
        status = subprocess.run(words, cwd=TOP, **more)
    except OSError as error:
        sys.exit(f"release: {what} failed: {words[0]}: {error.strerror}")
    if status.returncode != 0:
        sys.exit(f"release: {what} failed: {shlex.join(words)}")
    return status.stdout


def git(*words):
    return run("asking for the commit", ["git", "-c", "safe.directory=*", *words],
               stdout=subprocess.PIPE)


def date(epoch):
    return datetime.datetime.fromtimestamp(
        epoch, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


# ------------------------------------------------------------- the programs

def build(engine, kind, epoch, where):
    """Have the builder make the stage "parts" for that kind."""
    (command, flags), name = engine, KINDS[kind][0]
    platform = "/".join(["linux", name["architecture"],
                         *filter(None, [name.get("variant")])])
    run(f"building for {kind}",
        [*command, "build", *flags, "--platform", platform, "--target", "parts",
         "--build-arg", f"SOURCE_DATE_EPOCH={epoch}",
         "--output", f"type=local,dest={where}", "."],
        env={**os.environ, "DOCKER_BUILDKIT": "1"})
    return (where / "ntpd").read_bytes(), (where / "parts").read_text()


def engine_words(text):
    """The engine's own options stand before its command "build", those for
    building behind it: "buildah --root DIR build --layers"."""
    words = shlex.split(text)
    at = words.index("build") if "build" in words else len(words)
    return words[:at], words[at + 1:]


def try_out(kind, program, version):
    """Run the program, in qemu-user if it is another machine's.  Says what was
    done."""
    qemu = f"qemu-{KINDS[kind][1]}"
    runner = shutil.which(qemu + "-static") or shutil.which(qemu)
    if kind == "amd64" and subprocess.run(
            ["uname", "-m"], stdout=subprocess.PIPE).stdout == b"x86_64\n":
        runner = "env"
    if not runner:
        return f"not run: there is no {qemu}"
    for argument in "-V", "-n":
        out = subprocess.run([runner, program, argument], text=True,
                             env={"NTP_CONF_FILE": str(TOP / "ntpd.conf")},
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if out.returncode != 0 or argument == "-V" and \
                not out.stdout.startswith(f"ntpd {version}, built "):
            sys.exit(f"{program} {argument}: {out.stdout}")
    return "runs" if runner == "env" else f"runs in {qemu}"


# ------------------------------------------------------- of what it is made

def parts_of(text):
    """The lines of "make parts"."""
    for line in text.splitlines():
        name, package, version, licence, file, digest = line.split("\t")
        package, _, machine = package.partition(":")
        purl = f"pkg:deb/debian/{package}@{version.replace('+', '%2B')}"
        yield {"name": name, "version": version, "licence": licence,
               "file": file, "sha256": digest,
               "purl": purl + (f"?arch={machine}" if machine else "")}


def spdx(name, version, digest, parts, when, url):
    def package(key, what, version, licence, digest, **more):
        return {"SPDXID": f"SPDXRef-{key}", "name": what,
                "versionInfo": version, "downloadLocation": "NOASSERTION",
                "filesAnalyzed": False, "licenseConcluded": licence,
                "licenseDeclared": licence, "copyrightText": "NOASSERTION",
                "checksums": [{"algorithm": "SHA256",
                               "checksumValue": digest}], **more}
    packages = [package("ntpd", "ntpd", version, LICENCE, digest,
                        primaryPackagePurpose="APPLICATION",
                        packageFileName=name,
                        **({"downloadLocation": url} if url else {}))]
    relations = [("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-ntpd")]
    for part in parts:
        key = part["name"].replace(" ", "-")
        packages.append(package(
            key, part["name"], part["version"], part["licence"],
            part["sha256"], packageFileName=part["file"],
            externalRefs=[{"referenceCategory": "PACKAGE-MANAGER",
                           "referenceType": "purl",
                           "referenceLocator": part["purl"]}]))
        relations.append(("SPDXRef-ntpd", "STATIC_LINK" if
                          part["file"].endswith(".a") else "CONTAINS",
                          f"SPDXRef-{key}"))
    return {"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0",
            "SPDXID": "SPDXRef-DOCUMENT", "name": name,
            "documentNamespace":
                f"https://spdx.org/spdxdocs/{name}-{digest}",
            "creationInfo": {"created": when,
                             "creators": ["Tool: ntpd-release"]},
            "packages": packages,
            "relationships": [
                {"spdxElementId": a, "relationshipType": kind,
                 "relatedSpdxElement": b} for a, kind, b in relations]}


def cyclonedx(name, version, digest, parts, when, url):
    def component(key, kind, what, version, licence, digest, **more):
        licence = {"expression": licence} if " " in licence else \
            {"license": {"id": licence}}
        return {"bom-ref": key, "type": kind, "name": what,
                "version": version, "licenses": [licence],
                "hashes": [{"alg": "SHA-256", "content": digest}], **more}
    more = {"externalReferences": [{"type": "vcs", "url": url}]} if url else {}
    return {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
            "serialNumber": uuid.uuid5(uuid.NAMESPACE_URL,
                                       f"{name}-{digest}").urn,
            "metadata": {"timestamp": when, "component": component(
                "ntpd", "application", "ntpd", version, LICENCE, digest,
                **more)},
            "components": [component(
                part["name"], "library" if part["file"].endswith(".a")
                else "data", part["name"], part["version"], part["licence"],
                part["sha256"], purl=part["purl"]) for part in parts],
            "dependencies": [{"ref": "ntpd", "dependsOn": [
                part["name"] for part in parts]}]}


# --------------------------------------------------------------- the images

def dockerfile(values):
    """What the last stage of the Dockerfile says of an image, with the values
    of its arguments.  A label whose value is empty is left out."""
    text = (TOP / "Dockerfile").read_text().rpartition("\nFROM ")[2]
    text = re.sub(r"(?m)^#.*\n", "", text).replace("\\\n", " ")
    text = re.sub(r"\$(\w+)", lambda name: values[name.group(1)], text)
    config = {"Labels": {}, "Env": []}
    for line in text.splitlines()[1:]:
        word, _, rest = line.partition(" ")
        if word == "LABEL":
            for pair in shlex.split(rest):
                key, _, value = pair.partition("=")
                if value:
                    config["Labels"][key] = value
        elif word == "ENV":
            config["Env"].append(rest)
        elif word in ("ENTRYPOINT", "CMD"):
            config[word.capitalize()] = json.loads(rest)
        elif word == "STOPSIGNAL":
            config["StopSignal"] = rest
        elif word == "HEALTHCHECK":
            options, _, command = rest.partition(" CMD ")
            asked = dict(re.findall(r"--([\w-]+)=(\d+)", options))
            config["Healthcheck"] = {
                "Test": ["CMD", *json.loads(command)],
                "Interval": int(asked["interval"]) * SECOND,
                "Timeout": int(asked["timeout"]) * SECOND,
                "StartPeriod": int(asked["start-period"]) * SECOND,
                "Retries": int(asked["retries"])}
        elif word not in ("", "ARG", "COPY"):
            sys.exit(f"Dockerfile: {word} is not known here")
    return config


def archive(entries, epoch):
    """A tar of (name, bytes, or the target of a link, or None for a directory),
    with one date and root as the owner."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in entries:
            info = tarfile.TarInfo(name)
            info.mtime, info.mode = epoch, 0o755
            if data is None:
                info.type = tarfile.DIRTYPE
            elif isinstance(data, str):
                info.type, info.linkname, info.mode = \
                    tarfile.SYMTYPE, data, 0o777
            else:
                info.size = len(data)
                info.mode = 0o755 if name == "ntpd" else 0o644
            tar.addfile(info, io.BytesIO(data) if info.size else None)
    return out.getvalue()


def layout(programs, config, version, epoch):
    """An OCI image layout: the index leads to one index of all kinds, which has
    the version as its name."""
    blobs, kind_of = {}, "application/vnd.oci.image.%s"

    def blob(data, media, **more):
        blobs[f"blobs/sha256/{sha256(data)}"] = data
        return {"mediaType": kind_of % media, "size": len(data),
                "digest": f"sha256:{sha256(data)}", **more}
    manifests = []
    for kind, program in programs.items():
        layer = archive([("ntpctl", "ntpd"), ("ntpd", program)], epoch)
        platform = {"os": "linux", **KINDS[kind][0]}
        image = {**platform, "created": date(epoch), "config": config,
                 "rootfs": {"type": "layers",
                            "diff_ids": [f"sha256:{sha256(layer)}"]},
                 "history": [{"created": date(epoch),
                              "created_by": "make release"}]}
        manifest = {"schemaVersion": 2, "mediaType": kind_of % "manifest.v1+json",
                    "config": blob(compact(image), "config.v1+json"),
                    "layers": [blob(layer, "layer.v1.tar")]}
        manifests.append(blob(compact(manifest), "manifest.v1+json",
                              platform=platform))
    def index(entries):
        return compact({"schemaVersion": 2,
                        "mediaType": kind_of % "index.v1+json",
                        "manifests": entries})
    outer = index([blob(index(manifests), "index.v1+json", annotations={
        "org.opencontainers.image.ref.name": version})])
    return archive([("blobs", None), ("blobs/sha256", None),
                    *sorted(blobs.items()), ("index.json", outer),
                    ("oci-layout", compact({"imageLayoutVersion": "1.0.0"}))],
                   epoch)


# ------------------------------------------------------------------ the rest

def gather(options, where):
    """The programs and their parts, of each kind."""
    for word in options.program:
        kind, program, parts = word.split("=")
        yield kind, pathlib.Path(program).read_bytes(), \
            pathlib.Path(parts).read_text()
    for kind in [] if options.program else KINDS:
        yield kind, *build(engine_words(options.engine), kind, options.epoch,
                           where / ".build" / kind)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--engine", default="docker")
    parser.add_argument("--epoch", type=int, required=True)
    parser.add_argument("--url", default="")
    parser.add_argument("--program", action="append", default=[])
    parser.add_argument("where", type=pathlib.Path)
    options = parser.parse_args()
    version = (TOP / "VERSION").read_text().strip()
    where, when = options.where.resolve(), date(options.epoch)
    shutil.rmtree(where, ignore_errors=True)
    where.mkdir(parents=True)
    programs, files = {}, {}
    for kind, program, lines in gather(options, where):
        programs[kind] = program
        name = f"ntpd-{version}-linux-{kind}"
        facts = (name, version, sha256(program), list(parts_of(lines)), when,
                 options.url)
        for kind_of, bom in ("spdx", spdx(*facts)), ("cdx", cyclonedx(*facts)):
            files[f"{name}.{kind_of}.json"] = json.dumps(
                bom, indent=1).encode() + b"\n"
        files[name] = program
        (where / name).write_bytes(program)
        (where / name).chmod(0o755)
        print(f"{name}: {len(program)} bytes,", "given" if options.program
              else try_out(kind, where / name, version))
    shutil.rmtree(where / ".build", ignore_errors=True)
    config = dockerfile({"SOURCE_URL": options.url,
                         "REVISION": git("rev-parse", "HEAD").decode().strip()})
    files[f"ntpd-{version}-oci.tar"] = layout(programs, config, version,
                                              options.epoch)
    tarball = f"ntpd-{version}.tar.gz"
    files[tarball] = gzip.compress(
        git("archive", "--format=tar", f"--prefix=ntpd-{version}/", "HEAD"),
        mtime=options.epoch)
    files["APKBUILD"] = (TOP / "deploy/apk/APKBUILD").read_bytes() + (
        'sha512sums="\n%s  %s\n"\n' % (hashlib.sha512(
            files[tarball]).hexdigest(), tarball)).encode()
    files["SHA256SUMS"] = "".join(
        f"{sha256(data)}  {name}\n"
        for name, data in sorted(files.items())).encode()
    for name, data in files.items():
        (where / name).write_bytes(data)


main()
