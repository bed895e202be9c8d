"""Run the reproductions, print their tables and write ``reproductions/results.md``.

The exit code is 1 when a reproduction could not run, never because a claim does not hold.
"""

from __future__ import annotations

import argparse
import importlib
import platform
import sys
import time
import traceback
from importlib.metadata import version

from reproductions.claims import FOLDER, Claim, fingerprint, frozen, markdown

VERSIONS = ("numpy", "polars", "scikit-learn", "numba")


def main() -> int:
    """Run what was asked for."""
    known = sorted(path.stem for path in FOLDER.glob("*.toml"))
    parser = argparse.ArgumentParser(prog="python -m reproductions", description=__doc__)
    parser.add_argument("slugs", nargs="*", metavar="slug", help=f"of {', '.join(known)}; default: all")
    parser.add_argument(
        "--only", nargs="*", default=(), metavar="part", help="parts of them; writes no results.md"
    )
    parser.add_argument(
        "--trial",
        type=int,
        default=1,
        metavar="N",
        help="an N-th of the rows, two seeds; writes no results.md",
    )
    given = parser.parse_args()
    unknown = [slug for slug in given.slugs if slug not in known]
    if unknown or given.trial < 1:
        parser.error(
            f"no reproduction named {unknown}; there are {known}" if unknown else "--trial must be >= 1"
        )
    pages, failed = [], False
    for slug in given.slugs or known:
        started = time.perf_counter()
        module = importlib.import_module(f"reproductions.{slug}")
        claims: list[Claim] = []
        for part, run in module.PARTS.items():
            if given.only and part not in given.only:
                continue
            begun = time.perf_counter()
            try:
                claims += run(scaled(frozen(slug), given.trial))
            except Exception as error:
                traceback.print_exc()
                claims.append(Claim(part, "", f"ERROR: {error}", "did not run"))
                failed = True
            print(f"{slug} {part}: {time.perf_counter() - begun:.0f} s", file=sys.stderr, flush=True)
        pages.append(_page(slug, module, claims, time.perf_counter() - started))
        print(pages[-1], flush=True)
    whole = not (given.only or given.slugs or failed) and given.trial == 1
    if whole:
        (FOLDER / "results.md").write_text("# Reproductions\n\n" + "\n".join(pages))
    return int(failed)


def scaled(found: dict, share: int) -> dict:
    """For a trial: an n-th of every ``rows`` and ``..._rows``, and two seeds. The file itself is not touched."""
    if share == 1:
        return found
    return {
        name: scaled(value, share)
        if isinstance(value, dict)
        else max(value // share, 2000)
        if name.endswith("rows")
        else value[:2]
        if name == "seeds"
        else value
        for name, value in found.items()
    }


def _page(slug: str, module: object, claims: list[Claim], seconds: float) -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in VERSIONS)
    title = (module.__doc__ or slug).strip().splitlines()[0]
    return (
        f"## {title}\n\n{markdown(claims)}\n\n"
        f"Thresholds, seeds {frozen(slug)['seeds']} and sizes: `{slug}.toml`, {fingerprint(slug)}. "
        f"{time.strftime('%Y-%m-%d')}, {seconds:.0f} s on {platform.machine()}, Python {platform.python_version()}, "
        f"{versions}.\n"
    )


if __name__ == "__main__":
    sys.exit(main())
