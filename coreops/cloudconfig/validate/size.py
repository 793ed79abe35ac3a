"""Rule on size: user-data that the platform does not take."""

from __future__ import annotations

from collections.abc import Iterator

from coreops.cloudconfig.platforms.size import fit
from coreops.cloudconfig.validate.document import Document
from coreops.cloudconfig.validate.finding import Finding


def size(document: Document) -> Iterator[Finding]:
    """User-data over the limit of the platform, and what is biggest in it."""
    platform = document.platform
    if platform is None or platform.limit is None:
        return
    fits = fit(document.data, platform, document.target.name)
    if fits.over:
        form = "compressed it has" if fits.zipped else "it has"
        yield Finding(
            document.top,
            "error",
            f"{fits.over} {fits.unit} too many for {platform.name}",
            f"{form} {fits.size}, and {fits.most} is the most ({platform.limit.source}); biggest: {_biggest(document)}",
            "fetch the big parts from elsewhere when the machine is up",
        )
    elif fits.zipped:
        why = f"{len(document.data)} bytes; {fits.most} {fits.unit} is the most ({platform.limit.source})"
        yield Finding(document.top, "warning", f"fits {platform.name} only compressed", why, "hand it over gzipped")


def _biggest(document: Document) -> str:
    found = sorted(document.root.scalars(), key=lambda pair: pair[1].span[0] - pair[1].span[1])[:3]
    return ", ".join(f"{'.'.join(path)} at line {value.at.line} ({len(value.text)})" for path, value in found)
