"""What libraries warn of, log and die of never reaches the screen: every byte there is shipit's own."""

from __future__ import annotations

import json
import os
import re
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shipit import cli
from tests.faults.certificates import make_certificates
from tests.scripted_api import Api, kubeconfig, missing, says, serving

ENVIRONMENTS: tuple[dict[str, str], ...] = (
    {},
    {"PYTHONWARNINGS": "always"},
    {"PYTHONWARNINGS": "error"},
    {"PYTHONDEVMODE": "1"},
)
each_environment = pytest.mark.parametrize("environ", ENVIRONMENTS, ids=str)


def python(
    code: str, *argv: str, folder: Path, environ: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    src = str(Path(cli.__file__).parents[2])
    kept = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": src}
    return subprocess.run(
        [sys.executable, *(("-c", code) if code else ("-m", "shipit")), *argv],
        cwd=folder,
        env=kept | (environ or {}),
        capture_output=True,
        text=True,
        check=False,
    )


LIBRARY = """
import atexit, logging, sys, threading, types, warnings

class Odd:
    def __del__(self):
        raise ValueError("in a finalizer")

def leave():
    raise ValueError("at exit")

def call(argv):
    warnings.warn("of the default", UserWarning)
    warnings.simplefilter("always")
    warnings.warn("in spite of all filters", DeprecationWarning)
    logging.error("to the root logger")
    logging.getLogger("library").warning("to a logger of its own")
    logging.getLogger("alone").propagate = False
    logging.getLogger("alone").critical("where nobody listens")
    logging.getLogger("library").error("%d", "not a number")
    thread = threading.Thread(target=leave)
    thread.start()
    thread.join()
    Odd()
    atexit.register(leave)
    call.left_open = open(__import__("os").devnull)
    return 0
"""
THROUGH_SHIPIT = """
sys.modules["shipit.cli.app"] = types.ModuleType("shipit.cli.app")
sys.modules["shipit.cli.app"].call = call
from shipit import cli
cli.main()
"""


@each_environment
def test_a_library_that_tells_in_every_way_there_is_is_not_heard(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    ran = python(LIBRARY + THROUGH_SHIPIT, folder=tmp_path, environ=environ)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def test_without_shipit_it_is_heard(tmp_path: Path) -> None:
    ran = python(LIBRARY + "call([])", folder=tmp_path)
    for words in ("in spite of", "the root", "its own", "listens", "a number", "at exit", "a finalizer"):
        assert words in ran.stderr


THREAD = """
import sys, threading
import typer
from shipit.cli.options import Common, OutputKind
from shipit.cli.session import Done, conduct

def fail():
    raise ValueError("the keeper is asleep")

def work(session):
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    return Done("all is well")

try:
    conduct(Common(output=OutputKind.PLAIN, verbose=sys.argv[1:] == ["-v"]), work, tag="v1")
except typer.Exit as left:
    sys.exit(left.exit_code)
"""


def test_a_thread_that_dies_of_a_bug_is_a_warning_and_its_traceback_is_shown_when_asked_for(
    tmp_path: Path,
) -> None:
    brief, verbose = python(THREAD, folder=tmp_path), python(THREAD, "-v", folder=tmp_path)
    assert (brief.returncode, brief.stderr) == (verbose.returncode, verbose.stderr) == (0, "")
    said = "warning: a bug in shipit: ValueError: the keeper is asleep"
    assert (said in brief.stdout, said in verbose.stdout) == (True, True)
    assert ("Traceback" in brief.stdout, "Traceback" in verbose.stdout) == (False, True)


@pytest.fixture
def insecure(tmp_path: Path) -> Iterator[Api]:
    """A cluster with a certificate that nobody vouches for, a kubeconfig that doesn't mind, and a project."""
    certificates = make_certificates(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificates.certificate, certificates.key)
    with serving(tls) as api:
        api.on("GET", missing())
        api.on("GET /version", says({"gitVersion": "v1.34.4"}))
        kubeconfig(tmp_path, api.address, None, **{"insecure-skip-tls-verify": True})
        (tmp_path / "chart").mkdir()
        (tmp_path / "chart" / "Chart.yaml").write_text("apiVersion: v2\nname: shop\nversion: 1.0.0\n")
        (tmp_path / "shipit.toml").write_text('[release]\nname = "shop"\nchart = "chart"\n')
        yield api


NO_TLS = (
    "TLS verification is off for context here (insecure-skip-tls-verify): anyone on the network path to the API "
    "server can read and change what is sent"
)
FIX = "kubectl config set-cluster c --certificate-authority=ca.crt --embed-certs --context here --kubeconfig kubeconfig"


@each_environment
def test_a_cluster_without_tls_verification_is_warned_of_once_and_in_our_words(
    insecure: Api, tmp_path: Path, environ: dict[str, str]
) -> None:
    ran = python("", "unlock", "-o", "plain", "--kubeconfig", "kubeconfig", folder=tmp_path, environ=environ)
    assert len(insecure.calls) > 1
    assert (ran.returncode, ran.stderr) == (0, "")
    lines = [re.sub(r"^\S+Z ", "", line) for line in ran.stdout.splitlines()]
    assert lines[:2] == [f"warning: {NO_TLS}", f"  next: {FIX}"]
    assert lines[2].strip() == "verifies it, once the cluster's CA certificate is in ca.crt"
    assert lines[3] == "nobody holds the lock of shop"


def test_it_is_an_event_like_any_other(insecure: Api, tmp_path: Path) -> None:
    ran = python("", "unlock", "-q", "-o", "json", "--kubeconfig", "kubeconfig", folder=tmp_path)
    warning, result = (json.loads(line) for line in ran.stdout.splitlines())
    assert (warning["type"], warning["message"], warning["hint"]) == ("warning", NO_TLS, FIX)
    assert (result["type"], ran.stderr) == ("result", "")
