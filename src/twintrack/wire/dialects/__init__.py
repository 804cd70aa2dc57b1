"""One package a dialect, each between its own JSON and the canonical form.

Each holds `shapes.py` (its JSON as types), what reads and writes requests, answers and streams, and in `__init__.py` a
`CLIENT`, a `PROVIDER` or both. No dialect imports another.
"""
