"""What helm is told of values: private files, and assignments in an order in which the right one wins."""

from __future__ import annotations

import json
import stat
from pathlib import Path

from shipit.helm.values import large_integers, value_flags
from shipit.model import Json, Values


def test_everything_is_handed_over_in_the_order_of_the_contract(tmp_path: Path) -> None:
    theirs = tmp_path / "values.yaml"
    values = Values((theirs, {"password": "hunter2!"}), ("a=1", "b={x,y}"), ("c=2",)).with_tag(
        "v2", ("image.tag",)
    )
    flags = value_flags(values, tmp_path)
    file, table = (Path(flag.removeprefix("--values=")) for flag in flags.below)
    assert file == theirs
    assert json.loads(table.read_text()) == {"password": "hunter2!"}
    assert stat.S_IMODE(table.stat().st_mode) == 0o600
    assert flags.above == ("--set=a=1", "--set=b={x,y}", "--set-string=c=2", "--set-string=image.tag=v2")


def test_only_large_integers_of_a_table_show_in_the_process_list(tmp_path: Path) -> None:
    table: Json = {
        "small": 999_999,
        "large": 1_000_000,
        "truth": True,
        "float": 2.5e7,
        "text": "20251129",
        "a.b": {"c": [1, {"d": -20251129}]},
        "": {"unnamed": 20251129},
    }
    flags = value_flags(Values((table,)), tmp_path)
    assert flags.below[1:] == ("--set=large=1000000", r"--set=a\.b.c[1].d=-20251129")


def test_an_integer_that_a_layer_above_replaces_is_not_assigned(tmp_path: Path) -> None:
    above = tmp_path / "migration.yaml"
    above.write_text("kept: {other: 3000000}\nreplaced: 5\nlist: [1]\ngone: null\n")
    below: Json = {"kept": {"n": 2000000}, "replaced": 2000000, "list": [2000000], "gone": {"n": 2000000}}
    values = Values((tmp_path / "not-read.yaml", below, above, {"own": 4000000}))
    assert large_integers(values) == {("kept", "n"): 2000000, ("own",): 4000000}


def test_a_path_with_a_comma_is_one_path(tmp_path: Path) -> None:
    """Helm reads `--values` as a line of CSV."""
    flags = value_flags(Values((Path('/a,b/"c".yaml'),)), tmp_path)
    assert flags.below == ('--values="/a,b/""c"".yaml"',)
