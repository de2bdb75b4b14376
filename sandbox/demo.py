"""The demo: `shipit deploy` on a real Kubernetes, with migrations that work and one that fails."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence

from sandbox import SandboxError, ensure_up
from sandbox.demo_stage import NOTES, Stage, say, typed
from sandbox.progress import clock

MADE_BY_A_DEMO = "shipit.sandbox/demo"
MIGRATION_FAILED = 4
MIGRATION_TIMED_OUT = 5

SCHEMA_1 = {"revision": "0001", "columns": ["id", "title", "body", "created_at"]}
SCHEMA_2 = {"revision": "0002", "columns": ["id", "title", "body", "created_at", "slug"]}
SCHEMA_4 = {**SCHEMA_2, "revision": "0004"}


def deploy_postgres(stage: Stage) -> None:
    """PostgreSQL, empty, in a namespace of its own"""
    fresh_namespace(stage)
    image = f"--set=image.repository={stage.sandbox.registry}/postgres"
    stage.run(stage.helm("install", "postgres", str(NOTES / "postgres"), image, "--wait", "--timeout=2m"))


def deploy_v1(stage: Stage) -> None:
    """v1: its migration creates the schema, then the app is installed"""
    stage.run(stage.shipit("deploy", "--tag=v1"))
    stage.app_answers(tag="v1", schema=SCHEMA_1)


def deploy_v2(stage: Stage) -> None:
    """v2: its migration adds a column and fills it, batch by batch"""
    stage.run(stage.shipit("deploy", "--tag=v2"))
    stage.app_answers(tag="v2", schema=SCHEMA_2)


def deploy_v3(stage: Stage) -> None:
    """v3: its migration fails half-way, and the app stays as it is"""
    before = stage.pods()
    stage.run(stage.shipit("deploy", "--tag=v3"), code=MIGRATION_FAILED)
    stage.app_answers(tag="v2", schema=SCHEMA_2)
    if stage.pods() != before:
        raise SandboxError("the app's pods were to be left alone, and are others now")
    say("The same pods of v2 still serve, with the schema of v2.")


def deploy_v4(stage: Stage) -> None:
    """v4: its migration takes longer than its timeout; the same deploy, with more time, picks it up"""
    stage.run(stage.shipit("deploy", "--tag=v4", "--env=hasty"), code=MIGRATION_TIMED_OUT)
    stage.app_answers(tag="v2", schema=SCHEMA_2)
    stage.run(stage.shipit("deploy", "--tag=v4"))
    stage.app_answers(tag="v4", schema=SCHEMA_4)


def fresh_namespace(stage: Stage) -> None:
    """Start from nothing; a namespace that no demo made is not touched."""
    name = stage.namespace
    if found := stage.ask(stage.kubectl("get", "namespace", name, "--ignore-not-found", "--output=json")):
        if MADE_BY_A_DEMO not in json.loads(found)["metadata"].get("labels", {}):
            raise SandboxError(
                f"the namespace {name} is there already, and was not made by a demo",
                "delete it, or choose another with --namespace",
            )
        stage.run(stage.kubectl("delete", "namespace", name, "--timeout=2m"))
    stage.run(stage.kubectl("create", "namespace", name))
    stage.ask(stage.kubectl("label", "namespace", name, f"{MADE_BY_A_DEMO}=true"))


def where_to_look(stage: Stage) -> str:
    """Commands to go on with, as they can be pasted."""
    commands = [
        ("what is in the cluster", stage.kubectl("get", "jobs,pods", stage.here)),
        ("what the last migration said", stage.kubectl("logs", "job/notes-migrate", stage.here)),
        ("the revisions of the app: v3 never came to be one", stage.helm("history", "notes")),
        ("a migration of 25 s, to watch or to interrupt", stage.shipit("deploy", "--tag=v4")),
    ]
    if not stage.sandbox.external:
        commands.append(("the end of the cluster", ["python", "-m", "sandbox", "down"]))
    return "\n".join([stage.exports, *(f"\n# {why}\n{typed(command)}" for why, command in commands)])


def play(stage: Stage, steps: Sequence[Callable[[Stage], None]]) -> None:
    """One step after the other, each announced; the first, the cluster itself, is over."""
    for number, step in enumerate(steps, start=2):
        say(f"\n# {number}/{len(steps) + 1} {step.__doc__}", bold=True)
        step(stage)


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser("python -m sandbox.demo", description="shipit on a real Kubernetes.")
    found.add_argument(
        "--helm", default=os.environ.get("HELM") or "4", help="3, 3.13 or 4 (default: $HELM, else 4)"
    )
    found.add_argument(
        "--namespace", default="shipit-demo", help="made anew by each run (default: shipit-demo)"
    )
    found.add_argument("--with-timeout", action="store_true", help="also deploy v4, which takes 40 s more")
    return found


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    started = time.monotonic()
    steps = [deploy_postgres, deploy_v1, deploy_v2, deploy_v3, *([deploy_v4] if args.with_timeout else [])]
    try:
        say(f"# 1/{len(steps) + 1} A Kubernetes, and what talks to it", bold=True)
        sandbox = ensure_up()
        if args.helm not in sandbox.helms:
            raise SandboxError(f"there is no helm {args.helm}", f"choose of {', '.join(sandbox.helms)}")
        stage = Stage(sandbox, args.helm, args.namespace)
        say(stage.exports)
        play(stage, steps)
        say(
            f"\nAll of it as it should be, in {clock(time.monotonic() - started)}. Where to look next:",
            bold=True,
        )
        say(where_to_look(stage))
    except SandboxError as error:
        print(f"\ndemo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndemo: interrupted; run it again, it starts anew", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
