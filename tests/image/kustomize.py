"""A small kustomize: as much of it as deploy/ uses.

It reads kustomization.yaml (resources, components, configMapGenerator with
files, strategic-merge patches, images) and gives the list of objects that
"kubectl apply -k" would send.  What it does not know is an error, so that the
files cannot drift into something that only looks tested.
"""
import copy
import hashlib
import pathlib

import yaml

KNOWN = {"apiVersion", "kind", "resources", "components", "images",
         "configMapGenerator", "patches"}
# These lists are merged by a key (the API's x-kubernetes-patch-merge-key); all
# others are replaced as a whole.
MERGE_KEYS = {"containers": "name", "volumes": "name", "env": "name",
              "volumeMounts": "mountPath", "ports": "containerPort"}


def merge(base, patch, name=""):
    """A strategic merge patch."""
    if isinstance(base, dict) and isinstance(patch, dict):
        result = dict(base)
        for key, value in patch.items():
            result[key] = merge(base[key], value, key) if key in base \
                else copy.deepcopy(value)
        return result
    if isinstance(base, list) and name in MERGE_KEYS:
        key = MERGE_KEYS[name]
        result = list(base)
        for item in patch:
            for i, old in enumerate(result):
                if old[key] == item[key]:
                    result[i] = volume_or_merge(old, item, name)
                    break
            else:
                result.insert(0, copy.deepcopy(item))
        return result
    return copy.deepcopy(patch)


def volume_or_merge(old, new, name):
    merged = merge(old, new)
    if name == "volumes" and len(merged) != 2:
        raise ValueError(f"volume of two kinds: {merged}")
    return merged


def identity(obj):
    meta = obj["metadata"]
    return obj["kind"], meta.get("namespace"), meta["name"]


def generate(directory, entry):
    unknown = set(entry) - {"name", "namespace", "files"}
    if unknown:
        raise ValueError(f"configMapGenerator: {unknown}")
    data = {}
    for item in entry["files"]:
        key, _, source = item.rpartition("=")
        data[key or source] = (directory / source).read_text()
    digest = hashlib.sha256(repr(sorted(data.items())).encode()).hexdigest()
    meta = {"name": f"{entry['name']}-{digest[:10]}"}
    if "namespace" in entry:
        meta["namespace"] = entry["namespace"]
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta,
            "data": data}


def apply_patch(objects, entry):
    patch = yaml.safe_load(entry["patch"])
    target = entry.get("target")
    hits = [obj for obj in objects
            if (obj["kind"] == target["kind"] if target
                else identity(obj) == identity(patch))]
    if not hits:
        raise ValueError(f"patch hits nothing: {entry}")
    for obj in hits:
        if patch.get("$patch") == "delete":
            objects.remove(obj)
            continue
        change = copy.deepcopy(patch)
        change.pop("metadata")
        obj.update(merge(obj, change))


def name_configmaps(objects, names):
    """Point volumes at the generated names."""
    for obj in objects:
        pod = obj.get("spec", {}).get("template", {}).get("spec", {})
        for volume in pod.get("volumes", []):
            reference = volume.get("configMap")
            if reference and reference["name"] in names:
                reference["name"] = names[reference["name"]]


def set_images(objects, images):
    for obj in objects:
        pod = obj.get("spec", {}).get("template", {}).get("spec", {})
        for container in pod.get("containers", []):
            name, _, tag = container["image"].partition(":")
            for image in images:
                if image["name"] == name:
                    container["image"] = "{}:{}".format(
                        image.get("newName", name), image.get("newTag", tag))


def build(directory, objects=None, edit=None):
    """The objects of directory/kustomization.yaml.  edit may change the parsed
    kustomization of the outermost directory first."""
    directory = pathlib.Path(directory)
    rules = yaml.safe_load((directory / "kustomization.yaml").read_text())
    if edit:
        rules = edit(rules)
    unknown = set(rules) - KNOWN
    if unknown:
        raise ValueError(f"{directory}: {unknown}")
    objects = [] if objects is None else objects
    for item in rules.get("resources", []):
        path = directory / item
        if path.is_dir():
            objects += build(path)
        else:
            objects += [o for o in yaml.safe_load_all(path.read_text()) if o]
    names = {}
    for entry in rules.get("configMapGenerator", []):
        made = generate(directory, entry)
        names[entry["name"]] = made["metadata"]["name"]
        objects.append(made)
    for entry in rules.get("patches", []):
        apply_patch(objects, entry)
    name_configmaps(objects, names)
    for item in rules.get("components", []):
        build(directory / item, objects)
    set_images(objects, rules.get("images", []))
    if len({identity(o) for o in objects}) != len(objects):
        raise ValueError(f"{directory}: the same object twice")
    return objects
