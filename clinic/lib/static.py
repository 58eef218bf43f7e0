"""How static files are stored for the web: under names that carry their hash, compressed beside."""

import re
from typing import Any

from django.core.files.base import ContentFile
from whitenoise.storage import CompressedManifestStaticFilesStorage

# Comments that stand on lines of their own, and indentation: what a reader needs and a browser does not. Nothing that
# stands behind code is touched, so that no string and no template can be mistaken for a comment.
COMMENTS = re.compile(r"^[ \t]*(?://.*\n|/\*\*(?:[^*]|\*(?!/))*\*/[ \t]*\n)", re.MULTILINE)
INDENTATION = re.compile(r"^[ \t]+", re.MULTILINE)
OURS = ("clinic/", "complications/", "checklists/")


def lean_script(text: str) -> str:
    """Return a script of ours without its comment lines and indentation."""
    return INDENTATION.sub("", COMMENTS.sub("", text))


class HashedStaticFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Hashed names for scripts too: an ES module imports the hashed name of the next one, never a stale copy."""

    support_js_module_import_aggregation = True
    # A file that nobody collected is served under its plain name; it must not take a page down.
    manifest_strict = False

    def _save(self, name: str, content: Any) -> str:
        """Store a file; our own scripts leave their comments in the repository."""
        if name.endswith(".js") and name.startswith(OURS):
            content.seek(0)
            content = ContentFile(lean_script(content.read().decode("utf-8")).encode("utf-8"), name)
        saved: str = super()._save(name, content)
        return saved
