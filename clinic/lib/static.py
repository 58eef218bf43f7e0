"""How static files are stored for the web: lean, under names that carry their hash, compressed beside."""

from pathlib import Path
from typing import Any

from django.core.files.base import ContentFile
from whitenoise.compress import Compressor
from whitenoise.storage import CompressedManifestStaticFilesStorage

from clinic.lib.bundles import lean

OURS = ("clinic/", "complications/", "checklists/")


class OwnBrotli(Compressor):  # type: ignore[misc]
    """gzip for every file, brotli for our own only: at its best quality the schema browser's would take seconds."""

    def __init__(self, root: Path, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.root, self.gzip_only = root, Compressor(**kwargs, use_brotli=False)

    def compress(self, path: str) -> list[str]:
        """Write the compressed neighbours of a file and return their paths."""
        ours = Path(path).relative_to(self.root).as_posix().startswith(OURS)
        written: list[str] = super().compress(path) if ours else self.gzip_only.compress(path)
        return written


class HashedStaticFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Hashed names for scripts too: an ES module imports the hashed name of the next one, never a stale copy."""

    support_js_module_import_aggregation = True
    # One pass for each step of the longest chain of imports.
    max_post_process_passes = 12
    # A file that nobody collected is served under its plain name; it must not take a page down.
    manifest_strict = False

    def create_compressor(self, **kwargs: Any) -> Compressor:
        """Return the compressor of this storage."""
        return OwnBrotli(Path(self.location), **kwargs)

    def _save(self, name: str, content: Any) -> str:
        """Store a file; our own scripts and sheets leave their comments in the repository."""
        if name.endswith((".js", ".css")) and name.startswith(OURS):
            content.seek(0)
            content = ContentFile(lean(name, content.read().decode("utf-8")).encode("utf-8"), name)
        saved: str = super()._save(name, content)
        return saved
