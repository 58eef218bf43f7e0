"""The page that must start fast gets its scripts in two pieces, which do what the modules do."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.http import HttpResponse

from clinic.lib.bundles import EAGER, BundleError, BundleFinder, Scripts, lean
from clinic.lib.static import OURS
from clinic.middleware import StaticMiddleware
from tests.checklists.test_vectors import node_program

MODULES = {
    "app/count.js": "let n = 0;\nexport const count = () => (n += 1);\nexport class Box {}\n",
    "app/words.js": 'import { count } from "./count.js";\nconst hello = (name) => `${name} ${count()}`;\nexport { hello };\n',
    "app/entry.js": 'import { count as counted } from "./count.js";\nimport { hello } from "./words.js";\n'
    'const far = async () => (await import("./far.js")).far();\ncounted();\nglobalThis.said = [hello("near"), far];\n',
    "app/far.js": '/** Only later. */\nimport { hello } from "./words.js";\nexport const far = () => hello("far");\n',
}


def joined(modules: dict[str, str]) -> Scripts:
    return Scripts("app/entry.js", modules.__getitem__)


def both_pieces(modules: dict[str, str]) -> str:
    scripts = joined(modules)
    return scripts.first_text() + scripts.later_text("./page.js")


def test_both_pieces_share_one_copy_of_each_module_and_load_in_two_steps(tmp_path: Path) -> None:
    scripts = joined(MODULES)
    assert scripts.first == ["app/count.js", "app/words.js", "app/entry.js"]
    assert scripts.later == ["app/far.js"]
    (tmp_path / "page.mjs").write_text(lean("page.js", scripts.first_text()))
    (tmp_path / "page.later.mjs").write_text(lean("page.later.js", scripts.later_text("./page.mjs")))
    (tmp_path / "run.mjs").write_text(
        f'globalThis.document = {{ body: {{ dataset: {{ later: "{tmp_path}/page.later.mjs" }} }} }};\n'
        'await import("./page.mjs");\n'
        "const [near, far] = globalThis.said;\nconsole.log(JSON.stringify([near, await far(), await far()]));\n"
    )
    done = subprocess.run([node_program(), "run.mjs"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == ["near 2", "far 3", "far 4"]


def test_a_second_piece_that_could_not_be_loaded_is_asked_for_under_another_address(tmp_path: Path) -> None:
    (tmp_path / "page.mjs").write_text(joined(MODULES).first_text())
    (tmp_path / "run.mjs").write_text(
        f'globalThis.document = {{ body: {{ dataset: {{ later: "{tmp_path}/missing.mjs" }} }} }};\n'
        'await import("./page.mjs");\nconst missed = [];\n'
        "for (const _ of [1, 2]) await globalThis.said[1]().catch((error) => missed.push(error.message));\n"
        "console.log(JSON.stringify(missed));\n"
    )
    done = subprocess.run([node_program(), "run.mjs"], cwd=tmp_path, capture_output=True, text=True, check=True)
    missed = json.loads(done.stdout)
    assert len(missed) == 2
    assert "missing.mjs" in missed[0]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("app/far.js", "export default 1;\n", "not joined"),
        ("app/far.js", 'import * as all from "./count.js";\n', "not joined"),
        ("app/far.js", "const a = 1;\nexport { a as b };\n", "not joined"),
        ("app/far.js", "export const count = 1;\n", "exported by"),
        ("app/count.js", 'import { hello } from "./words.js";\nexport const count = hello;\n', "imports itself"),
    ],
)
def test_what_cannot_be_joined_is_an_error_and_never_a_wrong_script(name: str, text: str, says: str) -> None:
    with pytest.raises(BundleError, match=says):
        both_pieces({**MODULES, name: text})


def test_the_run_page_starts_without_what_comes_later() -> None:
    found = {name: str(finders.find(f"checklists/run-page{name}")) for name in (".js", ".later.js", ".css")}
    texts: dict[str, Any] = {name: Path(path).read_text(encoding="utf-8") for name, path in found.items()}
    bundle = settings.STATIC_BUNDLES["checklists/run-page"]
    scripts = Scripts(str(bundle["script"]), lambda name: Path(str(finders.find(name))).read_text(encoding="utf-8"))
    first, later = set(scripts.first), set(scripts.later)
    # The queue and the call watch over data from the first moment; sheets and the cement moment can wait.
    assert {f"clinic/js/{name}.js" for name in ("store", "queue")} <= first
    assert {f"checklists/{name}.js" for name in ("rules", "guard", "rows")} <= first
    assert {f"checklists/{name}.js" for name in ("cement", "people", "report", "others", "keypad", "lock")} <= later
    assert re.match(r'import\{given\}from"\./run-page\.js"', texts[".later.js"])
    assert "/*" not in texts[".css"]
    # The hint to compile at once outlives being made small; what comes later is compiled as it is called.
    assert lean("run-page.js", texts[".js"]).startswith(EAGER)
    assert EAGER not in texts[".later.js"]
    # Collecting makes everything small, the joined files for a second time: that needs room and never makes them longer.
    assert all(len(lean(f"run-page{name}", text)) <= len(text) for name, text in texts.items())


def test_everything_of_ours_that_is_collected_can_be_made_small() -> None:
    found = [
        (name, storage)
        for finder in finders.get_finders()
        for name, storage in finder.list([])
        if name.endswith((".js", ".css")) and name.startswith(OURS)
    ]
    assert len(found) > 30
    for name, storage in found:
        with storage.open(name) as file:
            lean(name, file.read().decode())


def test_every_joined_file_can_be_stored() -> None:
    finder = BundleFinder()
    assert {Path(name).name for name in finder.names} >= {"run-page.js", "run-page.later.js", "bedside-page.js"}
    for name in finder.names:
        # Storing makes a file lean that is lean already.
        text = Path(finder.find(name)).read_text(encoding="utf-8")
        assert lean(name, text)
    # A page that loads nothing later gets no second script.
    assert "complications/bedside-page.later.js" not in finder.names


def test_a_file_whose_name_is_its_content_comes_without_a_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed, plain = tmp_path / "page.0123456789ab.js", tmp_path / "page.js"
    for path in (hashed, plain):
        path.write_text("1;\n")
    static = StaticMiddleware(lambda _: HttpResponse())
    monkeypatch.setattr(static, "immutable_file_test", lambda path, url: "0123456789ab" in url)
    headers = {
        path.name: dict(static.get_static_file(str(path), f"/static/{path.name}").alternatives[0][2])
        for path in (hashed, plain)
    }
    assert "Last-Modified" not in headers[hashed.name]
    assert "immutable" in headers[hashed.name]["Cache-Control"]
    assert headers[hashed.name]["ETag"]
    assert "Last-Modified" in headers[plain.name]
