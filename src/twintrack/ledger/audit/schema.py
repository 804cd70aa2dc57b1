"""Tables of the audit chain. They lie in the ledger's database, so an entry is there exactly if its rows are.

Entries lie in blocks: a row of its own for each would cost half as much time again as all the rest of loading.
"""

from __future__ import annotations

from typing import Final

BLOCK: Final = 64
"""Most entries of one row."""

TABLES: Final = """
CREATE TABLE audit (
  seq INTEGER PRIMARY KEY,            -- of the first entry in it; from 1, without gaps
  entries INTEGER NOT NULL,
  first_us INTEGER NOT NULL,          -- the earliest and the latest time told in it
  last_us INTEGER NOT NULL,
  reach INTEGER NOT NULL,             -- attempts and refusals with lower ids are told of here or before
  bodies BLOB NOT NULL,               -- msgpack: the canonical form of each
  personal BLOB NOT NULL,             -- msgpack: bytes, or [SHA-256] of what was erased
  hash BLOB NOT NULL                  -- of the last entry
) STRICT;

-- Rows before this one are older than the chain: they were there when this table was made.
CREATE TABLE audit_begin (
  first_row INTEGER NOT NULL
) STRICT;

INSERT INTO audit_begin SELECT 1 + max(
  coalesce((SELECT max(id) FROM attempts), 0), coalesce((SELECT max(id) FROM refusals), 0)
);

CREATE INDEX audit_reach ON audit (reach);

CREATE TABLE audit_policies (
  version TEXT PRIMARY KEY,
  seq INTEGER NOT NULL                -- of the entry that says what it is
) STRICT, WITHOUT ROWID;

CREATE TABLE audit_checkpoints (
  entries INTEGER PRIMARY KEY,        -- of the chain when it was made
  at_us INTEGER NOT NULL,
  body TEXT NOT NULL,                 -- JSON, as it is sent away
  sent_us INTEGER                     -- NULL: nowhere yet
) STRICT;
"""
