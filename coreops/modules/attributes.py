"""Mode, owner and group: the arguments that every module which makes files shares."""

from __future__ import annotations

from typing import Any

from coreops.modules import readers, sh
from coreops.modules.declared import Arguments, argument


class Attributes(Arguments):
    """mode, owner, group."""

    mode = argument(
        readers.file_mode,
        None,
        description="Permissions: octal in quotes (`'0644'`) or symbolic (`u=rwX,go=rX`). Default: keep, or 0644.",
    )
    owner = argument(readers.name, None, description="Name or id of the user who owns it.")
    group = argument(readers.name, None, description="Name or id of the group that owns it.")

    @property
    def symbolic(self) -> bool:
        """Does the mode depend on what is there? A FileStep cannot say that."""
        return self.mode is not None and self.mode.exact is None

    @property
    def bits(self) -> int | None:
        """The mode as a FileStep takes it."""
        return None if self.mode is None else self.mode.exact

    def holds(self, *, follow: bool = True) -> str:
        """The sh function ``attributes_hold PATH``."""
        return sh.holds(self.mode, self.owner, self.group, follow=follow)

    def told(self) -> dict[str, Any]:
        """What a result says of them."""
        mode = None if self.bits is None else f"{self.bits:04o}"
        wanted = (("mode", mode), ("owner", self.owner), ("group", self.group))
        return {name: value for name, value in wanted if value}
