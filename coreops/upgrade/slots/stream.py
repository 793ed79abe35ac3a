"""The Program that brings an image into a passive slot: look, send what is missing in parts, read back. Pure."""

from __future__ import annotations

from pathlib import Path

from coreops.model import Blob, Record, Segment, ShellStep
from coreops.upgrade.guard import Guard, guarded
from coreops.upgrade.release import Release
from coreops.upgrade.slots import staging
from coreops.upgrade.slots.protocol import Tell
from coreops.upgrade.slots.script import header, script

LOOK, PART, DONE = "stage.look", "stage.part", "stage.done"
_TIMEOUT = 3600.0


class StageProgram:
    """``failed`` is the record that ended it, for ``guard.failure_kind``."""

    def __init__(self, release: Release, image: Path, guard: Guard, tell: Tell) -> None:
        staging.check(release)
        self.failure: str | None = None
        self.failed_fatally = False
        self.failed: Record | None = None
        self._release = release
        self._image = image
        self._guard = guard
        self._tell = tell
        self._values: dict[str, str | int] = {
            "SHA256": release.sha256,
            "VERSION": release.version,
            "CODEC": release.codec,
            "FRAME": release.frame,
            "USR_SIZE": release.usr_size,
            "KERNEL_SIZE": release.kernel_size,
            "KERNEL_SHA256": release.kernel_sha256,
        }
        self._next: Segment | None = Segment("stage.look", (self.look(),))
        self._after: dict[str, int] = {}

    def look(self) -> ShellStep:
        """May it be written there, and what is there already?"""
        text = script("staging", "stage_look", **self._values)
        return ShellStep(id=LOOK, title="look at the passive slot", probe=guarded(text, self._guard), timeout=120.0)

    def part(self, part: staging.Part) -> ShellStep:
        """Write some frames."""
        probe = (
            'read -r sha _ frames dot <"$folder/staging" || exit 1\n'
            f'[ "$sha$dot" = "$SHA256." ] && [ "$frames" -ge {part.end} ] || exit 1\n'
        )
        values = self._values | {
            "FROM": part.first,
            "LENGTHS": " ".join(str(length) for length in self._release.frames[part.first : part.end]),
            "BATCH": staging.batch(self._release),
        }
        return ShellStep(
            id=f"{PART}.{part.first}",
            title="write the image to the passive slot",
            probe=guarded(header(SHA256=self._release.sha256) + probe, self._guard),
            act=guarded(script("staging", "stage_part", **values), self._guard),
            stdin=Blob(self._release.sha256, part.size, path=self._image, offset=part.offset),
            timeout=_TIMEOUT,
        )

    def done(self, frames: int) -> ShellStep:
        """Read the slot back, when so many frames were to be sent; fewer than all: the node has the kernel already."""
        release = self._release
        values = self._values | {
            "FRAMES": frames,
            "USR_SHA256": release.usr_sha256,
            "KERNEL_IS_HERE": "yes" if frames < len(release.frames) else "",
        }
        text = script("staging", "stage_done", **values)
        return ShellStep(id=DONE, title="read the slot back", act=guarded(text, self._guard), timeout=_TIMEOUT)

    def next(self) -> Segment | None:
        segment, self._next = self._next, None
        return segment

    def abandon(self) -> None:
        """Nobody waits for one node's image."""

    def feed(self, record: Record) -> None:
        if record.state in ("failed", "unknown"):
            said = record.stderr.decode(errors="backslashreplace").strip().splitlines()
            self.failed, self.failure = record, said[-1] if said else f"the image was not staged: exit {record.rc}"
        elif record.step == LOOK:
            self._plan(record.stdout.decode(errors="replace").split())
        elif record.step in self._after:
            self._tell(self._after[record.step], self._release.size)

    def _plan(self, said: list[str]) -> None:
        size = self._release.size
        if said == ["staged"]:
            self._tell(size, size)
            return
        frames = int(said[1]) if len(said) >= 2 and said[0] == "frames" and said[1].isdigit() else 0
        end = staging.usr_frames(self._release) if said[2:] == ["kernel"] else len(self._release.frames)
        parts = list(staging.parts(self._release, min(frames, end), end=end))
        steps = {f"{PART}.{part.first}": part.offset + part.size for part in parts}
        self._tell(parts[0].offset if parts else sum(self._release.frames[:end]), size)
        self._after = steps | ({DONE: size} if end < len(self._release.frames) else {})
        self._next = Segment("stage.write", (*(self.part(part) for part in parts), self.done(end)))
