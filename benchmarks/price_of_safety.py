"""The price of safety: one simulated day of many sites with outages, under each policy (`simulator.world.day`).

Stated for each policy: the share of good customers who were refused, beside what it exposed the issuer to. There is
no limit to keep but the promise itself: under the policies that hold a cap, nothing is used beyond it; under those
that hold single use, no serial is used twice. `--full` is the day of 200 sites, takes twenty minutes, and draws
docs/images/price-of-safety.svg.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.figures import Limits, Size, given
from loyalty.campaign import Policy
from simulator.world.day import POLICIES, Day, Outcome
from simulator.world.run import installed

SEED: Final = 1
PLOT: Final = Path(__file__).resolve().parent.parent / "docs" / "images" / "price-of-safety.svg"
HOLDS_CAP: Final = frozenset({Policy.ONLINE, Policy.LEASE})
HOLDS_SERIALS: Final = frozenset({Policy.ONLINE, Policy.HOME})


class Sizes(NamedTuple):
    sites: int
    customers: int


SIZES: Final = {Size.QUICK: Sizes(6, 120), Size.USUAL: Sizes(30, 1_000), Size.FULL: Sizes(200, 8_000)}


def measure(folder: Path, sizes: Sizes) -> tuple[Limits, list[Outcome]]:
    """Every policy on the same day, printed as a Markdown table."""
    limits, outcomes = Limits(), []
    for policy in POLICIES:
        with installed(SEED) as ground:
            day = Day(folder / policy, policy, sites=sizes.sites, customers=sizes.customers, seed=SEED, ground=ground)
            outcomes.append(day.run())
            day.world.close()
    print(f"  {sizes.sites} sites, {sizes.customers:,} customers, cap {day.cap:,}\n")
    print("| policy | good customers refused | used twice | beyond the cap |\n|---|---|---|---|")
    for one in outcomes:
        share = f"{one.refused_share:.1%} ({one.refused:,} of {one.customers:,})"
        print(f"| `{one.policy}` | {share} | {one.doubled:,} | {one.over_cap:,} |")
    print()
    for one in outcomes:
        if one.policy in HOLDS_CAP:
            limits.at_most(f"beyond the cap under {one.policy}", one.over_cap, 0, f"{one.shown:,} uses")
        if one.policy in HOLDS_SERIALS:
            limits.at_most(f"serials used twice under {one.policy}", one.doubled, 0, f"{one.shown:,} uses")
    return limits, outcomes


# --- the plot -------------------------------------------------------------------------------------------------

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 640, 360, 70, 50, 30, 120


def plot(outcomes: list[Outcome]) -> str:
    """Refused customers to the right, exposure upwards: the nearer to the corner, the better."""
    most_refused = max(0.01, *(one.refused_share for one in outcomes)) * 1.1
    exposed = [(one.doubled + one.over_cap) / one.shown for one in outcomes]
    most_exposed = max(0.01, *exposed) * 1.1

    def at(refused: float, exposure: float) -> tuple[float, float]:
        x = LEFT + refused / most_refused * (WIDTH - LEFT - RIGHT)
        y = HEIGHT - BOTTOM - exposure / most_exposed * (HEIGHT - TOP - BOTTOM)
        return round(x, 1), round(y, 1)

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        'font-size="13" fill="#222">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
    ]
    for step in range(5):
        share = step / 4
        x, _ = at(share * most_refused, 0)
        _, y = at(0, share * most_exposed)
        lines.append(f'<path d="M{x} {TOP}V{HEIGHT - BOTTOM}M{LEFT} {y}H{WIDTH - RIGHT}" stroke="#e4e4e4"/>')
        lines.append(f'<text x="{x}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{share * most_refused:.1%}</text>')
        lines.append(f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{share * most_exposed:.1%}</text>')
    lines.append(f'<text x="{LEFT}" y="{HEIGHT - 8}">good customers refused →</text>')
    lines.append(f'<text x="{LEFT - 60}" y="{TOP - 12}">↑ uses beyond what the issuer set, of all uses</text>')
    for one, exposure in zip(outcomes, exposed, strict=True):
        x, y = at(one.refused_share, exposure)
        lines.append(
            f'<circle cx="{x}" cy="{y}" r="6" fill="#1f6feb"/><text x="{x + 11}" y="{y - 6}">{one.policy}</text>'
        )
    return "\n".join([*lines, "</svg>", ""])


def main(arguments: list[str] | None = None) -> int:
    taken = given("One day of many sites under each policy.", arguments)
    with tempfile.TemporaryDirectory(dir=taken.folder) as folder:
        limits, outcomes = measure(Path(folder), SIZES[taken.size])
    if taken.size is Size.FULL:
        PLOT.write_text(plot(outcomes), encoding="utf-8")
        print(f"  drawn: {PLOT.name}")
    return limits.code()


if __name__ == "__main__":
    sys.exit(main())
