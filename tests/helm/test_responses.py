"""helm's JSON as our types."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from shipit.errors import HelmFailed
from shipit.helm import responses
from shipit.model import HelmVersion, Hook, Revision


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("v3.19", (3, 19, 0)),
        ("v3.13.3", (3, 13, 3)),
        ("v3.19.2+g8766e71\n", (3, 19, 2)),
        ("v4.0.0-rc.1", (4, 0, 0)),
        ("4.1.0", (4, 1, 0)),
    ],
)
def test_a_version_is_read_in_all_its_spellings(text: str, version: tuple[int, int, int]) -> None:
    assert responses.version(text) == HelmVersion(*version)


@pytest.mark.parametrize("text", ["", "hello", "version.BuildInfo{}"])
def test_what_is_no_version_is_said_so(text: str) -> None:
    with pytest.raises(HelmFailed, match="did not say its version"):
        responses.version(text)


def test_a_first_install_by_helm_3() -> None:
    """No `hooks` when there are none, and no `apply_method`."""
    rendered = responses.rendered(
        json.dumps({"name": "shop", "info": {"status": "pending-install"}, "manifest": "---\n", "version": 1})
    )

    assert (rendered.revision, rendered.install, rendered.server_side) == (1, True, False)
    assert (rendered.manifest, rendered.hooks, rendered.notes) == ("---\n", (), "")


def test_an_upgrade_by_helm_4_with_hooks() -> None:
    release = {
        "info": {"status": "pending-upgrade", "notes": "hello"},
        "manifest": "",
        "version": 8,
        "apply_method": "ssa",
        "hooks": [
            {"name": "a", "kind": "Job", "path": "shop/templates/a.yaml", "manifest": "kind: Job", "events": ["pre-upgrade"]},
            {
                "name": "b", "kind": "Pod", "path": "p", "manifest": "m", "events": ["test"],
                "weight": -5, "delete_policies": ["hook-succeeded"],
            },
        ],
    }  # fmt: skip

    rendered = responses.rendered(json.dumps(release))

    assert (rendered.revision, rendered.install, rendered.server_side) == (8, False, True)
    assert rendered.notes == "hello"
    assert rendered.hooks == (
        Hook("a", "Job", "shop/templates/a.yaml", "kind: Job", ("pre-upgrade",)),
        Hook("b", "Pod", "p", "m", ("test",), -5, ("hook-succeeded",)),
    )


def test_a_history_is_told_oldest_first_with_gos_long_fractions() -> None:
    lines = [
        {"revision": 2, "updated": "2025-11-25T13:02:03.123456789+02:00", "status": "pending-upgrade", "chart": "shop-1.4.2",
         "app_version": "7", "description": "Preparing upgrade"},
        {"revision": 1, "updated": "", "status": "superseded"},
    ]  # fmt: skip

    assert responses.history(json.dumps(lines)) == (
        Revision(1, "superseded"),
        Revision(
            2,
            "pending-upgrade",
            "shop-1.4.2",
            "7",
            "Preparing upgrade",
            datetime(2025, 11, 25, 11, 2, 3, 123456, tzinfo=UTC),
        ),
    )


@pytest.mark.parametrize("text", ["", "no json", "[]", '"text"', '{"info": []}'])
def test_an_answer_that_is_none_is_refused_without_showing_it(text: str) -> None:
    if text == '{"info": []}':
        assert responses.rendered(text).manifest == ""
        return
    with pytest.raises(HelmFailed, match="is not the JSON that it should be") as failed:
        responses.rendered(text)

    assert failed.value.details == ()
    assert "SHIPIT_HELM" in str(failed.value.hint)
