"""How static files are stored for the web: under names that carry their hash, compressed beside."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedStaticFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Hashed names for scripts too: an ES module imports the hashed name of the next one, never a stale copy."""

    support_js_module_import_aggregation = True
    # A file that nobody collected is served under its plain name; it must not take a page down.
    manifest_strict = False
