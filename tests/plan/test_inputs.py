"""What a deploy is made from: every input makes another one, and nothing else does."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from shipit.config import MigrationSpec, Request
from shipit.errors import Refused
from shipit.model import Revision, Values
from shipit.plan.inputs import inputs_of
from shipit.plan.rendering import ReleaseRendering
from tests.releases import a_request, configured, rendered

RENDERING = ReleaseRendering(rendered(""), (), (Revision(1, "deployed"),), ())


@pytest.fixture
def asked(tmp_path: Path) -> Request:
    return replace(a_request(tmp_path), project=tmp_path)


def write(path: Path, text: str = "x") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


Change = Callable[[Request, Path], Request | None]
CHANGES: dict[str, Change] = {
    "a template": lambda asked, folder: write(folder / "chart/templates/x.yaml"),
    "a file that a template may read": lambda asked, folder: write(folder / "chart/files/1.sql"),
    "a subchart": lambda asked, folder: write(folder / "chart/charts/db/values.yaml"),
    "a values file": lambda asked, folder: write(folder / "values.yaml", "replicas: 3"),
    "a table of values": lambda asked, folder: replace(asked, values=asked.values.with_layers({"a": 1})),
    "--set": lambda asked, folder: replace(asked, values=replace(asked.values, set=("a=1",))),
    "--set-string": lambda asked, folder: replace(asked, values=replace(asked.values, set_string=("a=1",))),
    "the tag": lambda asked, folder: replace(asked, tag="v3"),
    "tag_key": lambda asked, folder: configured(asked, tag_key="other.tag"),
    "the migration's template": lambda asked, folder: replace(asked, migrations=(MigrationSpec(template="templates/x.yaml"),)),
    "the migration's values": lambda asked, folder: replace(asked, migrations=(MigrationSpec(set={"a": 1}),)),
    "the migration's chart": lambda asked, folder: replace(asked, migrations=(MigrationSpec(chart=str(folder / "db")),)),
    "a post-renderer": lambda asked, folder: configured(asked, helm_args=("--post-renderer", "./kustomize")),
    "a value in helm_args": lambda asked, folder: configured(asked, helm_args=("--set-json", "a=1")),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
def test_every_input_counts(asked: Request, tmp_path: Path, what: str) -> None:
    before = inputs_of(asked, RENDERING)
    assert inputs_of(asked, RENDERING) == before
    changed = CHANGES[what](asked, tmp_path) or asked
    assert inputs_of(changed, RENDERING) != before


@pytest.mark.parametrize(
    "changed",
    [
        lambda asked: replace(asked, run="run-2", workdir=Path("/other"), rerun=True, lock_wait=9.0),
        lambda asked: replace(asked, migrations=(MigrationSpec(timeout=7200.0, on_timeout="delete"),)),
        lambda asked: configured(
            asked, timeout=60.0, helm_args=("--debug", "--password", "rotates", "--qps=9")
        ),
    ],
    ids=["who asks", "patience", "how the cluster is reached"],
)
def test_what_is_no_input_does_not(asked: Request, changed: Callable[[Request], Request]) -> None:
    assert inputs_of(changed(asked), RENDERING) == inputs_of(asked, RENDERING)


@pytest.mark.parametrize("ignored", [True, False])
def test_what_helm_leaves_out_of_a_chart_does_not_count(
    asked: Request, tmp_path: Path, ignored: bool
) -> None:
    if ignored:
        write(tmp_path / "chart/.helmignore", "notes/\n")
    before = inputs_of(asked, RENDERING)
    write(tmp_path / "chart/notes/today", "x")
    write(tmp_path / "chart/.git/index", "x")
    assert (inputs_of(asked, RENDERING) == before) is ignored


@pytest.mark.parametrize("flag", ["--set-file=a=secret.pem", "--post-renderer=./render"])
def test_what_a_file_named_in_helm_args_holds_counts(asked: Request, tmp_path: Path, flag: str) -> None:
    asked = configured(asked, helm_args=(flag,))
    before = inputs_of(asked, RENDERING)
    write(tmp_path / flag.rpartition("=")[2], "other")
    assert inputs_of(asked, RENDERING) != before


def test_values_that_are_taken_from_the_live_revision_count(asked: Request) -> None:
    later = replace(RENDERING, history=(Revision(2, "deployed"),))
    assert inputs_of(asked, later) == inputs_of(asked, RENDERING)
    asked = configured(asked, helm_args=("--reuse-values",))
    assert inputs_of(asked, later) != inputs_of(asked, RENDERING)


def test_a_packed_chart_counts_by_its_files_not_by_when_it_was_packed(asked: Request, tmp_path: Path) -> None:
    def packed(text: str, when: int) -> str:
        with tarfile.open(tmp_path / "chart.tgz", "w:gz") as archive:
            member = tarfile.TarInfo("shop/templates/x.yaml")
            member.size, member.mtime = len(text), when
            archive.addfile(member, io.BytesIO(text.encode()))
        return inputs_of(configured(asked, chart=str(tmp_path / "chart.tgz")), RENDERING)

    assert packed("a", 1) == packed("a", 2) != packed("b", 1)


def test_a_chart_that_can_t_be_read_is_a_refusal(asked: Request, tmp_path: Path) -> None:
    write(tmp_path / "broken.tgz", "no archive")
    with pytest.raises(Refused, match="can't be read"):
        inputs_of(configured(asked, chart=str(tmp_path / "broken.tgz")), RENDERING)


def test_a_chart_that_is_not_on_this_machine_counts_by_what_it_is_called(asked: Request) -> None:
    one, two = (configured(asked, chart=f"oci://registry/shop-{name}") for name in "ab")
    assert inputs_of(one, RENDERING) == inputs_of(one, RENDERING) != inputs_of(two, RENDERING)


def test_a_values_file_that_is_not_there_is_helm_s_to_refuse(asked: Request, tmp_path: Path) -> None:
    inputs_of(replace(asked, values=Values((tmp_path / "gone.yaml",))), RENDERING)
