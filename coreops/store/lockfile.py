"""The artifact lock file: which programs, for which architecture, with which SHA-256, from where. Reads one file;
fetches nothing.

::

    artifacts:
      - name: etcd              # one of PROGRAMS
        version: 3.5.1          # as the vendor writes it: 1.7.7 (nomad), v1.28.5+k3s1 (k3s)
        arch: amd64
        sha256: <64 hex digits, of the archive (or the bare program) as it is downloaded>
        url: https://...        # or  path: relative/to/this/file.tar.gz   or  pypi: package
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from coreops.errors import InputError, did_you_mean
from coreops.model import Position

SOURCES = ("url", "path", "pypi")
FIELDS = ("name", "version", "arch", "sha256", *SOURCES)
FILE_NAME = "artifacts.lock.yml"
DEFAULT = Path(__file__).with_name(FILE_NAME)


@dataclass(frozen=True, slots=True)
class Programs:
    """What an artifact is made of: a tar, a zip or a wheel with ``programs`` in it, of which ``required`` must be
    there, or the one required program itself. No programs: it travels as it is (k3s's images), with its suffix, which
    is one of ``suffixes``.
    """

    programs: tuple[str, ...]
    required: tuple[str, ...]
    version: str
    example: str
    suffixes: tuple[str, ...] = ()


_THREE = r"\d+\.\d+\.\d+"
_TARS = (".tar", ".tar.gz", ".tgz", ".tar.zst", ".tzst", ".tar.bz2", ".tbz", ".tar.lz4")  # k3s looks at names
_ANY = rf"v?{_THREE}([-+][0-9A-Za-z]+([.+-][0-9A-Za-z]+)*)?"
PROGRAMS: Mapping[str, Programs] = {
    "etcd": Programs(("etcd", "etcdctl", "etcdutl"), ("etcd", "etcdctl"), _THREE, "3.5.17"),
    "fleet": Programs(("fleetd", "fleetctl"), ("fleetd",), _ANY, "0.11.8"),
    "k3s": Programs(("k3s",), ("k3s",), _ANY, "v1.28.5+k3s1"),
    "k3s-images": Programs((), (), _ANY, "v1.28.5+k3s1", _TARS),
    "nomad": Programs(("nomad",), ("nomad",), _ANY, "1.7.7"),
}


@dataclass(frozen=True, slots=True)
class Locked:
    """One pinned archive. ``source`` says what ``location`` is: a url, a path, or a package."""

    name: str
    version: str
    arch: str
    sha256: str
    source: str
    location: str
    position: Position

    @property
    def suffix(self) -> str:
        """Of what travels as it is: its longest one."""
        found = [each for each in PROGRAMS[self.name].suffixes if urlsplit(self.location).path.endswith(each)]
        return max(found, key=len, default="")

    @property
    def release(self) -> str:
        """The name of the folder it is unpacked to: two archives of one version never share one."""
        return f"{self.version}-{self.sha256[:8]}"


def find(folder: Path) -> Path:
    """The lock file beside the inventory, or the packaged one."""
    own = folder / FILE_NAME
    return own if own.exists() else DEFAULT


def choose(locked: Sequence[Locked], name: str, arch: str, version: str | None, *, where: object) -> Locked:
    """The one entry for this architecture (and version, when given). Raises InputError for none or several."""
    fits = [item for item in locked if item.name == name and item.arch == arch and version in (None, item.version)]
    if len(fits) == 1:
        return fits[0]
    wanted = " ".join(part for part in (name, version, arch) if part)
    if fits:
        raise InputError(
            f"the artifact lock file has {len(fits)} entries for {wanted}",
            where=fits[1].position,
            next=f"set {name.replace('-', '_')}_version in the inventory: "
            + " or ".join(item.version for item in fits),
        )
    have = ", ".join(f"{item.name} {item.version} {item.arch}" for item in locked) or "nothing"
    raise InputError(
        f"the artifact lock file has no {wanted}", where=where, why=f"it has {have}", next="add an entry for it"
    )


def read(path: Path) -> tuple[Locked, ...]:
    """Parse and check a lock file. Raises InputError with file:line:col."""
    import yaml

    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("the artifact lock file cannot be read", where=path, why=str(error)) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = Position(str(path), mark.line + 1, mark.column + 1) if mark else Position(str(path))
        raise InputError("the artifact lock file is not valid YAML", where=place, why=error.problem) from error

    def at(node: yaml.Node | None) -> Position:
        if node is None:
            return Position(str(path))
        return Position(str(path), node.start_mark.line + 1, node.start_mark.column + 1)

    def entry(item: yaml.Node) -> Locked:
        if not isinstance(item, yaml.MappingNode):
            raise InputError("an artifact must be a mapping", where=at(item), next=f"give it {', '.join(FIELDS[:4])}")
        values: dict[str, str] = {}
        for key, value in item.value:
            if key.value not in FIELDS:
                hint = did_you_mean(str(key.value), FIELDS) or f"known: {', '.join(FIELDS)}"
                raise InputError(f"unknown field {key.value!r} of an artifact", where=at(key), next=hint)
            if not isinstance(value, yaml.ScalarNode) or not value.value:
                raise InputError(f"{key.value} must be a text", where=at(value))
            if key.value in values:
                raise InputError(f"{key.value} is given twice", where=at(key))
            values[key.value] = value.value
        return _checked(values, at(item))

    if not isinstance(node, yaml.MappingNode) or [key.value for key, _ in node.value] != ["artifacts"]:
        raise InputError("an artifact lock file has one key, artifacts", where=at(node), next=f"see {DEFAULT}")
    items = node.value[0][1]
    if not isinstance(items, yaml.SequenceNode):
        raise InputError("artifacts must be a list", where=at(items))
    return tuple(entry(item) for item in items.value)


_UNPINNED = (
    "coreops installs nothing whose content is not pinned",
    "take the SHA-256 from the vendor's signed list of checksums (or, for your own file: sha256sum FILE)",
)


def _checked(values: dict[str, str], position: Position) -> Locked:
    for name in FIELDS[:4]:
        if name not in values:
            why, hint = _UNPINNED if name == "sha256" else (None, None)
            raise InputError(f"an artifact lacks {name}", where=position, why=why, next=hint)
    if values["name"] not in PROGRAMS:
        hint = did_you_mean(values["name"], PROGRAMS) or f"known: {', '.join(PROGRAMS)}"
        raise InputError(f"no artifact is called {values['name']!r}", where=position, next=hint)
    sources = [name for name in SOURCES if name in values]
    if len(sources) != 1:
        raise InputError("an artifact has exactly one of url, path, pypi", where=position, why=f"found {sources}")
    digest = values["sha256"].lower()
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise InputError("sha256 must be 64 hex digits", where=position, why=f"found {values['sha256']!r}")
    known = PROGRAMS[values["name"]]
    if not re.fullmatch(known.version, values["version"]):
        raise InputError(f"version must look like {known.example}", where=position, why=f"found {values['version']!r}")
    location = values[sources[0]]
    if sources[0] == "path":
        location = str(Path(position.file).parent / location)
    if sources[0] == "url" and not location.startswith(("https://", "http://")):
        raise InputError("url must begin with https:// or http://", where=position, why=f"found {location!r}")
    if sources[0] == "pypi" and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", location):
        raise InputError("pypi must be the name of a package", where=position, why=f"found {location!r}")
    locked = Locked(values["name"], values["version"], values["arch"], digest, sources[0], location, position)
    if known.suffixes and not locked.suffix:
        raise InputError(
            f"{values['name']} must be a file of one of the kinds {', '.join(known.suffixes)}",
            where=position,
            why=f"found {location!r}",
        )
    return locked
