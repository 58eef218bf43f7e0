"""Exports: version rows as lines, streamed from the database to the reader; see docs/exports.md.

`shape` is what a package declares, `registry` finds the declarations, `selection` turns a request into one SELECT,
`delivery` streams it with audit and hash, `manifest` says what was delivered, `ground` declares this floor's datasets.
"""
