"""What a `shipit.toml` may already say and shipit does not do yet: refused, never ignored.

One line to delete for each as it comes.
"""

from __future__ import annotations

from shipit.config.structure import MigrationTable, OnTable, ReleaseTable
from shipit.config.tables import Layer

_LATER = {
    ReleaseTable: ("version",),
    MigrationTable: ("from", "container", "command", "prerequisites", "first_install"),
    OnTable: ("start", "success", "failure"),
}
SEVERAL = "several migrations are not supported yet; allowed is one [migration]"


def refuse_later(*layers: Layer) -> None:
    """Raises Usage for the first key, in any of the layers, that is not supported yet."""
    for layer in layers:
        for section in layer.sections:
            for key in _LATER[section.kind]:
                if section.raw.get(key):
                    raise section.wrong(key, "not supported yet")
