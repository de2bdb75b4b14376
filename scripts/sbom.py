"""What shipit runs with, by version and hash, as a CycloneDX bill of materials on stdout: python scripts/sbom.py VERSION"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

LOCK = Path(__file__).parent.parent / "requirements-run.lock"
_PIN = re.compile(r"^([\w.-]+)==([^\s;\\]+)", re.MULTILINE)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def components(lock: str) -> list[dict[str, Any]]:
    """Each package of a lock; its hashes are those of all its wheels."""
    pins = [*_PIN.finditer(lock)]
    ends = [*(pin.start() for pin in pins[1:]), len(lock)]
    return [
        {
            "type": "library",
            "name": pin[1],
            "version": pin[2],
            "purl": f"pkg:pypi/{pin[1]}@{pin[2]}",
            "bom-ref": f"pkg:pypi/{pin[1]}@{pin[2]}",
            "hashes": [
                {"alg": "SHA-256", "content": digest} for digest in _HASH.findall(lock[pin.start() : end])
            ],
        }
        for pin, end in zip(pins, ends, strict=True)
    ]


def bill(version: str, lock: str) -> dict[str, Any]:
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "shipit", "version": version}},
        "components": components(lock),
    }


if __name__ == "__main__":
    json.dump(bill(sys.argv[1], LOCK.read_text(encoding="utf-8")), sys.stdout, indent=2)
