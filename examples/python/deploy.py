"""Deploy a tag to one environment after the other; stop at the first one that does not take it.

python deploy.py v42 staging production
"""

from __future__ import annotations

import sys

from shipit import deploy
from shipit.errors import Busy, ShipitError


def roll_out(tag: str, environments: list[str]) -> int:
    """The exit code of the first environment that fails, else 0."""
    for environment in environments:
        try:
            with deploy(tag, environment=environment, if_changed=True, confirmed=True) as going:
                for event in going:
                    if event.type == "log":
                        print(f"{environment} | {event.fields['line']}")
        except Busy as busy:
            print(f"{environment}: somebody else is at work: {busy}", file=sys.stderr)
            return busy.exit_code
        except ShipitError as error:
            print(f"{environment}: {error}\n  next: {error.hint}", file=sys.stderr)
            return error.exit_code
        print(f"{environment}: {tag} is revision {going.result.revision}")
    return 0


if __name__ == "__main__":
    sys.exit(roll_out(sys.argv[1], sys.argv[2:]))
