"""The three lock files: how they are made, and what must be true of them."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from devstack.environment import ALL_LOCKS, BASE, DEVELOPMENT, EMBEDDED, PRODUCTION
from devstack.terminal import fail, say

_PINNED = re.compile(r"[a-z0-9][a-z0-9._-]*(\[[a-z0-9,._-]+\])?==\S+( ; .+)? \\")
_HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")


def mistakes(paths: Sequence[Path] = ALL_LOCKS) -> list[str]:
    """A sentence for each line that is not a pinned package or one of its hashes.

    No address and no option may stand there: then any mirror serves, and nothing but these hashes is ever installed.
    """
    return [
        f"{path.name}, line {number}: “{line[:80]}” is neither a pinned package nor a hash"
        for path in paths
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if not (_PINNED.fullmatch(line) or _HASH.fullmatch(line))
    ]


def make() -> int:
    """Resolve pyproject.toml anew into the lock files: for every system and Python we support, wheels only."""
    uv = shutil.which("uv") or fail("uv, which resolves the packages, is not installed: pipx install uv")
    compile_ = [uv, "pip", "compile", "--universal", "--python-version", "3.11", "--generate-hashes", "--quiet"]
    compile_ += [
        "--only-binary",
        ":all:",
        "--no-emit-index-url",
        "--no-emit-find-links",
        "--no-header",
        "--no-annotate",
    ]
    steps = (
        ["pyproject.toml", "-o", PRODUCTION],
        # The constraints keep one version of each package, whichever files are installed together.
        ["--group", "embedded", "-c", PRODUCTION, "-o", EMBEDDED],
        ["--group", "dev", "-c", PRODUCTION, "-c", EMBEDDED, "-o", DEVELOPMENT],
    )
    for step in steps:
        if status := subprocess.run([*compile_, *map(str, step)], check=False, cwd=BASE).returncode:
            return status
    if found := mistakes():
        fail("\n".join(found))
    say("made the lock files anew")
    return 0
