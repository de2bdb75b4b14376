"""A chart with three migrations: two before the upgrade and one after it, unless something else is asked for."""

from __future__ import annotations

from collections.abc import Sequence

from tests.faults.ledger import migration, script
from tests.faults.scene import Scene

NAMES = ("expand", "backfill", "contract")
"""In the file's order, which is not theirs."""


def three_migrations(
    scene: Scene,
    keys: Sequence[str] = ("", "", 'phase = "after"'),
    *,
    env: str = "",
    rest: str = "",
) -> None:
    """Give the chart these instead of its one; `keys` are more lines of each table, `rest` of all of them."""
    scene.project.without_template("migrate")
    for name in NAMES:
        scene.project.template(name, migration(scene.ledger, script(), name=name, env=env))
    tables = (
        f'[[migration]]\ntemplate = "templates/{name}.yaml"\n{more}\n{rest}\n'
        for name, more in zip(NAMES, keys, strict=True)
    )
    scene.configure(rest="".join(tables))
    scene.jobs = NAMES
