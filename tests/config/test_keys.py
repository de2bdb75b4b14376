"""Keys as `--set` takes them, read and written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipit.config.keys import KeyPath, assigned, key_path, written


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("tag", ("tag",)),
        ("image.tag", ("image", "tag")),
        ("images[0].tag", ("images", 0, "tag")),
        ("a[1][2]", ("a", 1, 2)),
        (r"labels.app\.kubernetes\.io/version", ("labels", "app.kubernetes.io/version")),
        (r"a\,b\=c\[d\\e", ("a,b=c[d\\e",)),
        ("ü b", ("ü b",)),
    ],
)
def test_a_key_names_a_path(key: str, path: KeyPath) -> None:
    assert key_path(key) == path
    assert written(path) == key


@pytest.mark.parametrize(
    "key",
    ["", ".", "a.", ".a", "a..b", "[0]", "a[", "a[x]", "a[-1]", "a[0]b", "a=1", "a,b", "a\\", "a[123456]"],
)
def test_what_names_no_path_is_none(key: str) -> None:
    assert key_path(key) is None


@given(
    st.lists(st.text(min_size=1) | st.integers(0, 65536), min_size=1, max_size=8).filter(
        lambda parts: isinstance(parts[0], str)
    )
)
def test_a_path_that_is_written_is_read_back(parts: list[str | int]) -> None:
    assert key_path(written(tuple(parts))) == tuple(parts)


def test_the_keys_of_an_assignment_are_found_beside_its_values() -> None:
    assert assigned(r"a.b=x\,y.z=1,c[0].d=,e") == (("a", "b"), ("c", 0, "d"))
