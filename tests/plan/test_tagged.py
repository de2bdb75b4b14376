"""A tag with a digest goes where the chart has keys for both, and stays whole where it has not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from shipit.chart import uses_tag
from shipit.config import Request
from shipit.model import Json, Layer, Values
from shipit.plan.tagged import tagged
from tests.releases import a_request, configured

DIGEST = "sha256:" + "a" * 64
WHOLE = f"v42@{DIGEST}"


@pytest.fixture
def asked(tmp_path: Path) -> Request:
    return replace(a_request(tmp_path), tag=WHOLE)


def chart(folder: Path, values: str, **files: str) -> str:
    for name, text in {"Chart.yaml": "name: shop\n", "values.yaml": values, **files}.items():
        (folder / "own" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "own" / name).write_text(text)
    return str(folder / "own")


def set_in(
    asked: Request, folder: Path, keys: tuple[str, ...], values: str, *layers: Layer, **files: str
) -> tuple[str, ...]:
    request = configured(asked, tag_key=keys)
    return tagged(request, Values(layers), chart(folder, values, **files)).set_string


@pytest.mark.parametrize(
    ("key", "values", "expected"),
    [
        ("image.tag", "image: {tag: x, digest: ''}", ("image.tag=v42", f"image.digest={DIGEST}")),
        ("image.tag", "image: {tag: x, digest: null}", ("image.tag=v42", f"image.digest={DIGEST}")),
        ("image.tag", "image: {tag: x}", (f"image.tag={WHOLE}",)),
        ("image.tag", "digest: x", (f"image.tag={WHOLE}",)),
        ("tag", "{tag: x, digest: ''}", ("tag=v42", f"digest={DIGEST}")),
        ("appTag", "{appTag: x, appDigest: ''}", ("appTag=v42", f"appDigest={DIGEST}")),
        ("images[1].tag", "images: [{digest: ''}, {tag: x, digest: ''}]", ("images[1].tag=v42", f"images[1].digest={DIGEST}")),
        ("images[2].tag", "images: [{digest: ''}]", (f"images[2].tag={WHOLE}",)),
        ("image", "{image: x, digest: ''}", (f"image={WHOLE}",)),
        ("image.tag", "{", (f"image.tag={WHOLE}",)),
    ],
)  # fmt: skip
def test_the_chart_s_values_say_whether_it_has_a_key_for_the_digest(
    asked: Request, tmp_path: Path, key: str, values: str, expected: tuple[str, ...]
) -> None:
    assert set_in(asked, tmp_path, (key,), values) == expected


def test_each_of_several_images_is_looked_at(asked: Request, tmp_path: Path) -> None:
    found = set_in(
        asked, tmp_path, ("web.tag", "worker.tag"), "web: {tag: x}\nworker: {tag: x, digest: ''}\n"
    )
    assert found == (f"web.tag={WHOLE}", "worker.tag=v42", f"worker.digest={DIGEST}")


def test_values_on_top_may_bring_the_key(asked: Request, tmp_path: Path) -> None:
    layer: Json = {"image": {"digest": "sha256:old"}}
    assert set_in(asked, tmp_path, ("image.tag",), "image: {tag: x}", layer) == (
        "image.tag=v42",
        f"image.digest={DIGEST}",
    )


def test_the_key_may_be_that_of_a_subchart_under_its_alias(asked: Request, tmp_path: Path) -> None:
    files = {
        "Chart.yaml": "name: shop\ndependencies: [{name: web, alias: front}, {name: web, alias: back}]\n",
        "charts/web-1/Chart.yaml": "name: web\n",
        "charts/web-1/values.yaml": "image: {tag: x, digest: ''}\n",
        "charts/api/Chart.yaml": "name: api\n",
        "charts/api/values.yaml": "image: {tag: x, digest: ''}\n",
    }
    for key in ("front.image", "back.image", "api.image"):
        found = set_in(asked, tmp_path, (f"{key}.tag",), "", **files)
        assert found == (f"{key}.tag=v42", f"{key}.digest={DIGEST}")


def test_a_tag_without_a_digest_leaves_the_digest_alone(asked: Request, tmp_path: Path) -> None:
    plain = replace(asked, tag="v43")
    assert set_in(plain, tmp_path, ("image.tag",), "image: {tag: x, digest: ''}") == ("image.tag=v43",)


def test_an_image_by_digest_alone_is_the_one_that_was_asked_for() -> None:
    def pod(image: str) -> Json:
        return {"kind": "Pod", "spec": {"containers": [{"image": image}]}}

    assert uses_tag(pod(f"r/shop@{DIGEST}"), WHOLE)
    assert uses_tag(pod(f"r/shop:v42@{DIGEST}"), WHOLE)
    assert not uses_tag(pod(f"r/shop:v41@{DIGEST}"), WHOLE)
    assert not uses_tag(pod("r/shop:v42"), WHOLE)
    assert not uses_tag(pod(f"r/shop@{DIGEST}"), "v42")
