"""Pages that must start fast get one script and one sheet, joined from their files when static files are collected.

`settings.STATIC_BUNDLES` names them: `{"app/page": {"script": "app/entry.js", "sheets": ["app/a.css", …]}}` gives `app/page.js` (the entry with
everything that it imports), `app/page.later.js` (what it imports with `import("./x.js")`, where it does) and `app/page.css`. The sources stay
plain modules that a browser could run as they are: each becomes a function, called once, in the order in which they need each other.
Only the syntax that they use is understood (named imports; exported constants, functions and classes); anything else is an error.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import minify
from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.files.storage import FileSystemStorage

IMPORT = re.compile(r'^import \{([^}]*)\} from "([^"]+)";\n', re.MULTILINE)
LATER = re.compile(r'\bimport\("([^"]+)"\)')
EXPORT = re.compile(r"^export (const|let|class|function\*?|async function) (\w+)", re.MULTILINE)
EXPORT_LIST = re.compile(r"^export \{([^}]*)\};\n", re.MULTILINE)
LEFT = re.compile(r"^(?:import|export)\b(?!\()", re.MULTILINE)
# The shell says under which address the second script lies: the first cannot name it, since each would need the other's
# hash in its own. A browser remembers an address that it could not load, so each further try has another one.
LOAD = """let missed = 0;
const m_later = () => import(document.body.dataset.later + (missed ? `?${missed}` : "")).catch((error) => {
  missed += 1;
  throw error;
});
"""
# Chromium compiles such a script whole, beside the page's thread, and not function by function when each is first called
# (https://github.com/WICG/explicit-javascript-compile-hints-file-based); for other browsers it is a comment.
EAGER = "//# allFunctionsCalledOnLoad\n"


class BundleError(Exception):
    """A script uses a form of import or export that is not joined."""


def lean(name: str, text: str) -> str:
    """Return a script or sheet without what only its readers need; `name` says by its ending which of both it is."""
    kinds = {".js": "application/javascript", ".css": "text/css"}
    # The minifier writes into as much room as it was given, and a text that is small already may come out longer.
    small = str(minify.string(kinds[Path(name).suffix], text + "\n" * (len(text) // 8 + 64)))
    hint = EAGER if text.startswith(EAGER) else ""
    return min(text, hint + small, key=len)


class Scripts:
    """The modules that hang on one entry, read through `read(name)`."""

    def __init__(self, entry: str, read: Any) -> None:
        self.entry, self.read = entry, read
        self.first = self._in_order([entry], [])
        self.later: list[str] = []
        self.later = self._in_order(self._asked_later(self.first), self.first)
        self._refuse_doubles()

    def first_text(self) -> str:
        """Return the script that the page starts with; it exports what the second one takes from it."""
        body = f"{LOAD}{self._joined(self.first)}return{{{','.join(self._taken())}}}"
        return f"{EAGER}export const given=(()=>{{{body}}})();\n"

    def later_text(self, first: str) -> str:
        """Return the script with what is loaded later, one object for each module; `first` is where the other one lies."""
        taken = ",".join(self._taken())
        names = ",".join(_variable(name) for name in self._asked_later(self.first))
        objects = "".join(
            f"const {_variable(name)}={{{','.join(_given(self.read(name)))}}};"
            for name in self._asked_later(self.first)
        )
        body = f"const {{{taken}}}=given;{self._joined(self.later)}{objects}return{{{names}}}"
        return f'import{{given}}from"{first}";const {{{names}}}=(()=>{{{body}}})();export{{{names}}};\n'

    def _taken(self) -> list[str]:
        """Return the names that modules of the second script import from modules of the first."""
        found = {
            one.strip().split(" as ")[0]
            for name in self.later
            for names, path in IMPORT.findall(self.read(name))
            if _beside(name, path) in self.first
            for one in names.split(",")
            if one.strip()
        }
        return sorted(found)

    def _in_order(self, names: Iterable[str], known: list[str]) -> list[str]:
        """Return modules with what they import before them; `known` ones are there already."""
        order: list[str] = []

        def visit(name: str, above: tuple[str, ...]) -> None:
            if name in above:
                raise BundleError(f"{name} imports itself through {' → '.join(above)}")
            if name in order or name in known:
                return
            for _, path in IMPORT.findall(self.read(name)):
                visit(_beside(name, path), (*above, name))
            order.append(name)

        for name in names:
            visit(name, ())
        return order

    def _refuse_doubles(self) -> None:
        """All modules see each other's exports, so each name may be exported once."""
        owners: dict[str, str] = {}
        for name in (*self.first, *self.later):
            for given in _given(self.read(name)):
                if given in owners:
                    raise BundleError(f"{given} is exported by {owners[given]} and by {name}")
                owners[given] = name

    def _asked_later(self, names: Iterable[str]) -> list[str]:
        found = [_beside(name, path) for name in names for path in LATER.findall(self.read(name))]
        return [name for name in dict.fromkeys(found) if name not in self.first]

    def _joined(self, names: Iterable[str]) -> str:
        return "".join(self._as_function(name) for name in names)

    def _as_function(self, name: str) -> str:
        """Return a module as `const {its exports} = (() => {…; return {its exports}})();`: later ones see the names as they are."""
        text = self.read(name)
        renamed = [
            pair.split(" as ")
            for names, _ in IMPORT.findall(text)
            for one in names.split(",")
            if " as " in (pair := one.strip())
        ]
        taken = "".join(f"const {local} = {other};\n" for other, local in renamed)
        given = ", ".join(_given(text))
        body = EXPORT.sub(r"\1 \2", EXPORT_LIST.sub("", IMPORT.sub("", text)))
        if left := LEFT.search(body):
            raise BundleError(f"{name}: this form is not joined: {body[left.start() : left.start() + 60]!r}")
        body = LATER.sub(lambda found: self._loaded(_beside(name, found[1])), body)
        return f"const {{{given}}} = (() => {{\n{taken}{body}\nreturn {{{given}}};\n}})();\n"

    def _loaded(self, name: str) -> str:
        if name in self.first:
            raise BundleError(f"{name} is imported at once elsewhere, so it cannot come later")
        return f"m_later().then((all) => all.{_variable(name)})"


def _variable(name: str) -> str:
    return "m_" + re.sub(r"\W", "_", Path(name).stem)


def _beside(name: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), path))


def _given(text: str) -> list[str]:
    """Return the names that a module exports."""
    listed = [one.strip() for names in EXPORT_LIST.findall(text) for one in names.split(",") if one.strip()]
    if any(" as " in one for one in listed):
        raise BundleError(f"an export under another name is not joined: {listed}")
    return [found[1] for found in EXPORT.findall(text)] + listed


class BundleFinder(finders.BaseFinder):
    """Finds the joined files, for `collectstatic` and for tests, which serve what finders find."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.storage = FileSystemStorage(location=settings.DATA_DIR / "bundles")

    def check(self, **kwargs: Any) -> list[Any]:
        """Nothing can be configured wrongly that joining would not say."""
        return []

    @cached_property
    def names(self) -> list[str]:
        """Write the joined files once for each process and return their names."""
        return [name for stem, bundle in settings.STATIC_BUNDLES.items() for name in self._write(stem, bundle)]

    def _write(self, stem: str, bundle: dict[str, Any]) -> Iterator[str]:
        sheets = "".join(_source(name) for name in bundle["sheets"])
        scripts = Scripts(bundle["script"], _source)
        texts = {
            f"{stem}.css": sheets,
            f"{stem}.js": scripts.first_text(),
        }
        if scripts.later:
            texts[f"{stem}.later.js"] = scripts.later_text(f"./{Path(stem).name}.js")
        for name, text in texts.items():
            path = Path(self.storage.path(name))
            path.parent.mkdir(parents=True, exist_ok=True)
            small = lean(name, text).encode()
            # An unchanged file keeps its time, so that nothing is collected anew; two processes may write at once.
            if not path.is_file() or path.read_bytes() != small:
                fresh = path.with_name(f"{path.name}.{id(self)}")
                fresh.write_bytes(small)
                fresh.replace(path)
            yield name

    def find(self, path: str, find_all: bool = False, **kwargs: Any) -> Any:  # noqa: FBT001 (as Django calls it)
        """Return where a joined file lies; an empty list for any other."""
        found = [self.storage.path(path)] if path in self.names else []
        return found if find_all or not found else found[0]

    def list(self, ignore_patterns: Any) -> Iterator[tuple[str, FileSystemStorage]]:
        """Give each joined file with its storage."""
        for name in self.names:
            yield name, self.storage


def _source(name: str) -> str:
    """Return the text of a static file as it lies in its package."""
    for finder in finders.get_finders():
        if not isinstance(finder, BundleFinder) and (found := finder.find(name)):
            return Path(str(found)).read_text(encoding="utf-8")
    raise BundleError(f"no static file {name}")
