"""The one kubeconfig that helm and our own client get: a context alone, written anew from what it was chosen from."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from shipit.cluster.kubeconfig import Chosen, Wanted, choose, pinned
from shipit.errors import IdentityChanged, ShipitError
from shipit.hints import kubectl


class PrivateKubeconfig:
    """A file in a private folder, readable by this user only. `chosen` is what it holds."""

    def __init__(self, wanted: Wanted, folder: Path) -> None:
        """Raises Usage or Refused, as `choose` does."""
        self.chosen = choose(wanted)
        self.folder = folder
        self.path = folder / "kubeconfig"
        self._wanted = pinned(wanted, self.chosen)
        self._identity = self.chosen.identity
        self._write()

    def renew(self) -> Chosen:
        """Read the originals again: credentials rotate. Raises IdentityChanged when they lead elsewhere by now, and
        Usage or Refused when they can't be read.
        """
        chosen = choose(self._wanted)
        if chosen.identity != self._identity:
            raise self._changed(chosen)
        self.chosen = chosen
        self._write()
        return chosen

    def refresh(self) -> bool:
        """Renew it before helm is run. While the originals can't be read, because somebody may be writing them, the last
        copy is used. Returns whether the user's credentials have changed.
        """
        before = self.chosen.user
        try:
            self.renew()
        except IdentityChanged:
            raise
        except ShipitError:
            return False
        return self.chosen.user != before

    def _changed(self, chosen: Chosen) -> IdentityChanged:
        before, now = self._identity, chosen.identity
        told = (
            ("server", before.server != now.server),
            ("user", before.user != now.user),
            ("impersonation", before.impersonation != now.impersonation),
        )
        what = next((name for name, differs in told if differs), "certificate authority")
        return IdentityChanged(
            f"{chosen.where} changed while shipit ran: its {what} is another one now",
            hint=kubectl("config", "view", "--minify", why="shows where it leads now"),
        )

    def _write(self) -> None:
        """In one go: a helm may be reading it."""
        opened, path = tempfile.mkstemp(prefix="kubeconfig-", dir=self.folder)
        with os.fdopen(opened, "w", encoding="utf-8") as file:
            json.dump(self.chosen.document(), file, default=str)
        Path(path).replace(self.path)
