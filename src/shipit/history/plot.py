"""How long the migrations of past deploys took, as a small SVG: one bar each, the oldest left. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

from shipit.events import PastDeploy

WIDTH, HEIGHT, MARGIN = 720, 240, 32
GOOD, BAD = "#2da44e", "#cf222e"


def plot(deploys: Sequence[PastDeploy], title: str) -> str:
    """The SVG of deploys, newest first as they are recorded; a bar's tooltip says tag, time and outcome."""
    shown = [(each, took(each)) for each in reversed(deploys) if each.migrations]
    most = max((seconds for _, seconds in shown), default=0.0) or 1.0
    step = (WIDTH - 2 * MARGIN) / max(len(shown), 1)
    bars = [
        _bar(each, seconds / most, MARGIN + number * step, step)
        for number, (each, seconds) in enumerate(shown)
    ]
    head = escape(f"{title}: seconds that migrations took, at most {most:.1f}")
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
            f'<text x="{MARGIN}" y="20" font-size="13" fill="#1f2328">{head}</text>',
            *bars,
            f'<path d="M{MARGIN} {HEIGHT - MARGIN}H{WIDTH - MARGIN}" stroke="#1f2328"/>',
            "</svg>\n",
        )
    )


def took(deploy: PastDeploy) -> float:
    """Seconds that the migrations of a deploy took together."""
    return sum(each.duration for each in deploy.migrations)


def _bar(deploy: PastDeploy, part: float, x: float, step: float) -> str:
    height = max(1.0, part * (HEIGHT - 3 * MARGIN))
    color = (
        BAD if any(each.outcome in ("failed", "timed_out", "unknown") for each in deploy.migrations) else GOOD
    )
    told = escape(
        f"{deploy.tag or 'rollback'}, {deploy.started[:16]}: {took(deploy):.1f} s, {deploy.outcome}"
    )
    return (
        f'<rect x="{x + step * 0.1:.1f}" y="{HEIGHT - MARGIN - height:.1f}" width="{step * 0.8:.1f}" '
        f'height="{height:.1f}" fill="{color}"><title>{told}</title></rect>'
    )
