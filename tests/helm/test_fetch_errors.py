"""Why a chart can't be fetched, in the words that Helm 3.13, 3.22 and 4.3 have for it (measured)."""

from __future__ import annotations

import pytest

from shipit.helm.fetch_errors import build_failure, fetch_failure
from shipit.helm.stderr import clean

CREDENTIALS, GONE, AWAY = "needs credentials, or other ones", "was not found", "can't be reached"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ('looks like "http://h/private" is not a valid chart repository or cannot be reached: failed to fetch http://h/private/index.yaml : 401 Unauthorized', CREDENTIALS),
        ("failed to fetch http://h/private/shop-1.4.2.tgz : 401 Unauthorized", CREDENTIALS),
        ("unexpected status from HEAD request to http://h/v2/charts/shop/manifests/1.4.2: 401 Unauthorized", CREDENTIALS),
        ('failed to perform "FetchReference" on source: GET "http://h/v2/charts/shop/manifests/1.4.2": basic credential not found', CREDENTIALS),
        ('GET "http://h/v2/charts/shop/tags/list": credential required for basic auth', CREDENTIALS),
        ('failed to perform "FetchReference" on source: GET "http://h/v2/charts/shop/manifests/1": response status code 403: denied: no pull access', CREDENTIALS),
        ('chart "shap" not found in http://h repository', GONE),
        ('chart "shop" version "9.9.9" not found in http://h repository', GONE),
        ("failed to fetch http://h/shop-1.4.3.tgz : 404 File not found", GONE),
        ('GET "http://h:5000/v2/charts/shap/tags/list": unexpected status code 404: name unknown: repository name not known to registry', GONE),
        ("h:5000/charts/shop:9.9.9: not found", GONE),
        ('failed to perform "FetchReference" on source: h:5000/charts/shop:9.9.9: not found', GONE),
        ("Could not locate a version matching provided version string ^9", GONE),
        ("invalid_reference: invalid tag", GONE),
        ('looks like "http://h:1" is not a valid chart repository or cannot be reached: Get "http://h:1/index.yaml": dial tcp 127.0.0.1:1: connect: connection refused', AWAY),
        ('failed to do request: Head "https://nowhere.invalid/v2/charts/shop/manifests/1": dial tcp: lookup nowhere.invalid on 10.0.0.53:53: no such host', AWAY),
        ('failed to do request: Head "https://h:5000/v2/charts/shop/manifests/1": http: server gave HTTP response to HTTPS client', "speaks plain HTTP"),
        ('failed to perform "FetchReference" on source: Get "https://h/v2/": tls: failed to verify certificate: x509: certificate signed by unknown authority', "is not trusted"),
        ("repo charts not found", "helm knows no chart repository of that name"),
        ("no cached repo found. (try 'helm repo update'): open /c/index.yaml: no such file or directory", "no index of the chart repository"),
        ('scheme "s3" not supported', "no plugin that fetches"),
        ('failed to fetch provenance "http://h/shop-1.4.2.tgz.prov"', "can't be verified"),
        ("something new", "helm failed while fetching"),
    ],
)  # fmt: skip
def test_the_cause_is_told_in_plain_words(said: str, why: str) -> None:
    found = fetch_failure(clean(f"Error: {said}"), "oci://h/charts/shop 9.9.9")
    assert why in found.message
    assert "oci://h/charts/shop 9.9.9" in found.message
    assert "{chart}" not in str(found.hint)


def test_no_password_of_a_url_is_told() -> None:
    url = "http://bob:hunter2@h/private"
    said = f'looks like "{url}" is not a valid chart repository or cannot be reached: failed to fetch {url}/index.yaml : 401'
    found = fetch_failure(clean(f"Error: {said}"), f"{url}/shop.tgz")
    assert "http://***@h/private/shop.tgz needs credentials" in found.message
    assert "hunter2" not in str((found.message, found.hint, found.details))


@pytest.mark.parametrize(
    ("said", "why", "hint"),
    [
        (
            "the lock file (Chart.lock) is out of sync with the dependencies file (Chart.yaml). Please update the dependencies",
            "is older than its list",
            "helm dependency update /c",
        ),
        (
            "no repository definition for https://h. Please add the missing repos",
            "in no chart repository",
            "add it with",
        ),
        ("something new", "what /c depends on (db)", "helm dependency build /c"),
    ],
)
def test_dependencies_that_cannot_be_built(said: str, why: str, hint: str) -> None:
    found = build_failure((said,), "/c", "db")
    assert why in found.message
    assert str(found.hint).startswith(hint)
