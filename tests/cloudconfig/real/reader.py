"""Runs inside cloud-init's own Python: judges documents by its schema and decodes files as its modules do.

``reader.py DOCUMENT...`` prints JSON: document -> {errors, unknown, files, script}. Many at once, as its start is slow.
"""

import base64
import json
import sys

from cloudinit import util
from cloudinit.config import cc_write_files, schema


def judge(path, whole):
    """What the schema says; the keys that it passes over without a word (23.4 and newer warn); the files."""
    errors = []
    try:
        schema.validate_cloudconfig_file(path, whole)
    except (schema.SchemaValidationError, RuntimeError) as error:
        errors = [str(error)]
    with open(path, "rb") as stream:
        said = util.load_yaml(stream.read()) or {}
    return {
        "errors": errors,
        "unknown": sorted(set(said) - keys(whole)),
        "files": written(said.get("write_files")),
        "script": util.shellify(said.get("runcmd", [])),
    }


def keys(whole):
    parts = (whole["$defs"][part["$ref"].rpartition("/")[2]] for part in whole["allOf"])
    return {key for part in parts for key in part.get("properties", ())}


def written(files):
    """What write_files would put on the disk."""
    found = []

    def write_file(path, content, omode, mode):
        data = content if isinstance(content, bytes) else content.encode()
        more = {"mode": mode, "append": omode == "ab", "content": base64.b64encode(data).decode()}
        found.append({"path": path, **more})

    def chownbyname(path, user, group):
        found[-1].update(user=user, group=group)

    util.write_file, util.chownbyname = write_file, chownbyname
    cc_write_files.write_files("test", files, "root:root")
    return found


# What cloud-init itself prints must not be in the way.
out, sys.stdout = sys.stdout, sys.stderr
whole = schema.get_schema()
json.dump({path: judge(path, whole) for path in sys.argv[1:]}, out)
