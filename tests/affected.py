"""Print which tests `make quick` runs: those of the packages that differ from main, and whether everything loads."""

import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
ALWAYS = {"tests/platform/test_harness.py"}
OF = {
    "clinic": {"tests/clinic"},
    "complications": {"tests/complications"},
    "checklists": {"tests/checklists"},
    "templates": {"tests/pages"},
    "locale": {"tests/pages"},
    "docs": {"tests/platform/test_documented.py"},
    "requirements.in": {"tests/platform/test_documented.py"},
    "requirements-dev.in": {"tests/platform/test_documented.py"},
}


def affected(changed: list[str]) -> set[str]:
    """Return the test folders and files for the changed paths; a file that all tests share is left to `make test`."""
    found = set(ALWAYS)
    for name in changed:
        parts = Path(name).parts
        if parts[0] == "tests":
            found.add("/".join(parts[:2]) if len(parts) > 2 else name)
        else:
            found |= OF.get(parts[0], set())
        if "static" in parts or "pages" in parts:
            found.add("tests/pages")
    return {
        path
        for path in found
        if (TOP / path).is_dir() or (Path(path).name.startswith("test_") and (TOP / path).is_file())
    }


def main() -> None:
    """Compare with main, committed or not; without git or on main itself, run everything."""
    done = subprocess.run(["git", "diff", "--name-only", "main"], cwd=TOP, capture_output=True, text=True, check=False)
    changed = done.stdout.split()
    wanted = affected(changed) if done.returncode == 0 and changed else {"tests"}
    sys.stdout.write(" ".join(sorted(wanted)) + "\n")


if __name__ == "__main__":
    main()
