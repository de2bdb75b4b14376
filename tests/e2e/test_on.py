"""The commands of `[on]` around a real deploy, and its report as a page."""

from __future__ import annotations

import pytest

from tests.e2e.kit import Project, job

pytestmark = pytest.mark.e2e

ON = """
[on]
start = ["./note", "start"]
success = ["./note", "success"]
failure = ["./note", "failure"]
"""
NOTE = """\
#!/bin/sh
echo "$1 $SHIPIT_DEPLOY_TAG $SHIPIT_DEPLOY_OUTCOME $SHIPIT_DEPLOY_REVISION" >> told
[ ! -e refuse-$1 ]
"""


def told(project: Project) -> list[str]:
    """What the commands noted since the last look."""
    path = project.folder / "told"
    lines = [line.strip() for line in path.read_text().splitlines()] if path.exists() else []
    path.unlink(missing_ok=True)
    return lines


def test_commands_on_this_machine_frame_a_deploy_and_start_may_refuse_it(project: Project) -> None:
    project.template("migrate", job("echo '<b>migrating</b>'"))
    project.configure(rest=ON)
    project.write("note", NOTE)
    (project.folder / "note").chmod(0o755)
    done = project.deploy("v1", "--report", "report.html")
    assert done.exit_code == 0, done.told
    assert told(project) == ["start v1", "success v1 deployed 1"]
    page = (project.folder / "report.html").read_text()
    assert "migrate | &lt;b&gt;migrating&lt;/b&gt;" in page
    assert '<span class="added">  + Deployment shop' in page

    assert project.deploy("v1", "--if-changed").exit_code == 0
    assert project.start("plan", "--tag", "v2").end().exit_code == 0
    assert told(project) == [], "there was nothing to do, and a plan does nothing"

    project.write("refuse-start", "")
    refused = project.deploy("v2")
    assert (refused.exit_code, refused.error["outcome"]) == (3, "refused"), refused.told
    assert told(project) == ["start v2", "failure v2 refused"]
    assert project.kube.image() == "v1"
