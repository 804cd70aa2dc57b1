"""The ledger's tables, and how older ones become the present ones.

Money is integer nano-dollars (`_nusd`), times are UTC microseconds since 1970 (`_us`), energy is millijoules (`_mj`).
NULL is unknown and differs from 0. What repeats from row to row (names, class, reason) stands once in a table of its
own, so that a row of `attempts` is short to write; the view `entries` puts the words back for whoever reads with SQL.
"""

from __future__ import annotations

from typing import Final

from twintrack.ledger.audit import schema as audit

_FIRST: Final = """
CREATE TABLE deployments (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  model TEXT NOT NULL,
  provider TEXT NOT NULL,
  zone TEXT NOT NULL,
  region TEXT NOT NULL,
  simulated INTEGER NOT NULL,
  per_hour_nusd INTEGER NOT NULL,     -- 0: charged by the token, if at all
  UNIQUE (name, model, provider, zone, region, simulated, per_hour_nusd)
) STRICT;

-- What was asked and how it was chosen, as far as it repeats.
CREATE TABLE contexts (
  id INTEGER PRIMARY KEY,
  policy_version TEXT NOT NULL,
  route TEXT,                         -- NULL: the client named the deployment
  tier TEXT,
  key TEXT,                           -- NULL: no key configured
  endpoint TEXT NOT NULL,
  stream INTEGER NOT NULL,
  data_class TEXT NOT NULL,
  reason TEXT NOT NULL,
  task TEXT NOT NULL,
  language TEXT NOT NULL,
  deployment INTEGER NOT NULL REFERENCES deployments,
  chosen INTEGER REFERENCES deployments,
  baseline INTEGER REFERENCES deployments
) STRICT;

-- How an attempt ended, as far as it repeats.
CREATE TABLE endings (
  id INTEGER PRIMARY KEY,
  state TEXT NOT NULL CHECK (state IN ('settled', 'released', 'unknown')),
  outcome TEXT NOT NULL,
  status INTEGER NOT NULL,
  usage_source TEXT NOT NULL,
  energy_source TEXT NOT NULL,
  UNIQUE (state, outcome, status, usage_source, energy_source)
) STRICT;

CREATE TABLE attempts (
  id INTEGER PRIMARY KEY,             -- order of loading, shared with refusals
  request_id TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  at_us INTEGER NOT NULL,
  context INTEGER NOT NULL REFERENCES contexts,
  prompt_tokens_est INTEGER,
  predicted_nusd INTEGER,
  p_good REAL,
  complexity REAL,
  propensity REAL,
  ruled_out TEXT,                     -- JSON [[deployment, code, have, need], …]; NULL: none
  request_bytes INTEGER,
  writer TEXT,                        -- whose journal it is in, while it is open
  ending INTEGER REFERENCES endings,  -- NULL: dispatched, still open
  settled_us INTEGER,
  detail TEXT,
  ttft_us INTEGER,
  total_us INTEGER,
  input_tokens INTEGER,
  output_tokens INTEGER,
  cache_read_tokens INTEGER,
  cache_write_tokens INTEGER,
  reasoning_tokens INTEGER,
  cost_nusd INTEGER,
  baseline_nusd INTEGER,
  energy_mj INTEGER,
  response_bytes INTEGER,
  UNIQUE (request_id, attempt)
) STRICT;

CREATE INDEX attempts_open ON attempts (writer) WHERE ending IS NULL;

CREATE TABLE refusals (
  id INTEGER PRIMARY KEY,
  request_id TEXT NOT NULL UNIQUE,
  at_us INTEGER NOT NULL,
  policy_version TEXT NOT NULL,
  route TEXT,
  key TEXT,
  endpoint TEXT NOT NULL,
  status INTEGER NOT NULL,
  code TEXT NOT NULL,
  data_class TEXT NOT NULL,
  prompt_tokens_est INTEGER,
  ruled_out TEXT
) STRICT;

-- What a rollup row is about. A refused request has deployment NULL and state and outcome 'refused'.
CREATE TABLE slices (
  id INTEGER PRIMARY KEY,
  deployment INTEGER REFERENCES deployments,
  route TEXT,
  tier TEXT,
  key TEXT,
  endpoint TEXT NOT NULL,
  data_class TEXT NOT NULL,
  state TEXT NOT NULL,
  outcome TEXT NOT NULL
) STRICT;

-- Sums over closed attempts and refusals by the hour of their dispatch.
CREATE TABLE rollups (
  hour INTEGER NOT NULL,              -- at_us / 3600000000
  slice INTEGER NOT NULL REFERENCES slices,
  requests INTEGER NOT NULL,          -- first attempts, and refusals
  attempts INTEGER NOT NULL,
  input_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  cache_read_tokens INTEGER NOT NULL,
  cache_write_tokens INTEGER NOT NULL,
  reasoning_tokens INTEGER NOT NULL,
  usage_estimated INTEGER NOT NULL,   -- attempts whose tokens the provider did not report
  usage_unknown INTEGER NOT NULL,
  cost_nusd INTEGER NOT NULL,
  cost_known INTEGER NOT NULL,        -- attempts in cost_nusd
  cost_unknown INTEGER NOT NULL,
  cost_hourly INTEGER NOT NULL,       -- attempts whose cost is their part of the engine's hour
  estimated_nusd INTEGER NOT NULL,    -- predictions for attempts of state unknown, to reconcile
  estimated INTEGER NOT NULL,         -- attempts in estimated_nusd
  baseline_nusd INTEGER NOT NULL,
  baseline_known INTEGER NOT NULL,
  both_known INTEGER NOT NULL,        -- attempts that savings are computed over
  saving_nusd INTEGER NOT NULL,       -- over these: baseline - cost; by the hour: baseline
  saving_sq REAL NOT NULL,            -- sum of squares of the same
  both_us INTEGER NOT NULL,           -- by the hour, over these: their part of hourly_us,
  saving_t REAL NOT NULL,             --   sum of baseline x duration,
  saving_tt REAL NOT NULL,            --   sum of squares of durations
  hourly_us INTEGER NOT NULL,         -- by the hour: what lies in this hour of all durations
  ttft_known INTEGER NOT NULL,
  ttft_us INTEGER NOT NULL,
  ttft_histogram BLOB NOT NULL,       -- see histogram.py
  total_us INTEGER NOT NULL,
  total_histogram BLOB NOT NULL,
  energy_measured_mj INTEGER NOT NULL,
  energy_estimated_mj INTEGER NOT NULL,
  energy_unknown INTEGER NOT NULL,    -- attempts
  PRIMARY KEY (hour, slice)
) STRICT, WITHOUT ROWID;

-- Own engines: every hour the gateway is up is paid for, busy or not.
CREATE TABLE engine_hours (
  hour INTEGER NOT NULL,
  deployment INTEGER NOT NULL REFERENCES deployments,
  up_us INTEGER NOT NULL,
  busy_us INTEGER NOT NULL,           -- with at least one attempt running
  PRIMARY KEY (hour, deployment)
) STRICT, WITHOUT ROWID;

CREATE TABLE engine_marks (
  deployment INTEGER PRIMARY KEY REFERENCES deployments,
  seen_us INTEGER NOT NULL
) STRICT;

-- Disjoint busy times already in busy_us that an attempt still running may yet touch.
CREATE TABLE engine_busy (
  deployment INTEGER NOT NULL REFERENCES deployments,
  start_us INTEGER NOT NULL,
  end_us INTEGER NOT NULL,
  PRIMARY KEY (deployment, start_us)
) STRICT, WITHOUT ROWID;

CREATE TABLE journal_cursor (
  writer TEXT NOT NULL,               -- hex, random for each life of a worker
  seq INTEGER NOT NULL,
  segment TEXT NOT NULL,
  offset INTEGER NOT NULL,            -- everything before it is loaded
  finished INTEGER NOT NULL,          -- 1: the file may go
  PRIMARY KEY (writer, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE journal_writers (
  writer TEXT PRIMARY KEY,
  last_us INTEGER NOT NULL            -- of its newest loaded record
) STRICT, WITHOUT ROWID;

CREATE TABLE journal_names (
  writer TEXT NOT NULL,
  generation INTEGER NOT NULL,
  names BLOB NOT NULL,                -- the record as msgpack
  PRIMARY KEY (writer, generation)
) STRICT, WITHOUT ROWID;

-- What could not be loaded. `kept_as` names the file it still lies in.
CREATE TABLE incidents (
  id INTEGER PRIMARY KEY,
  at_us INTEGER NOT NULL,
  kept_as TEXT NOT NULL,              -- in the folder of the journals
  what TEXT NOT NULL
) STRICT;

CREATE VIEW entries AS
SELECT
  a.id, a.request_id, a.attempt, a.at_us, c.policy_version, c.route, c.tier, c.key, c.endpoint, c.stream,
  c.data_class, c.reason, c.task, c.language,
  d.name AS deployment, d.model, d.provider, d.zone, d.region, d.simulated, d.per_hour_nusd,
  ch.name AS chosen, b.name AS baseline,
  a.prompt_tokens_est, a.predicted_nusd, a.p_good, a.complexity, a.propensity, a.ruled_out, a.request_bytes,
  coalesce(e.state, 'dispatched') AS state, e.outcome, e.status, a.detail, a.settled_us, a.ttft_us, a.total_us,
  a.input_tokens, a.output_tokens, a.cache_read_tokens, a.cache_write_tokens, a.reasoning_tokens,
  e.usage_source, a.cost_nusd, a.baseline_nusd, a.energy_mj, e.energy_source, a.response_bytes
FROM attempts a
CROSS JOIN contexts c ON c.id = a.context   -- CROSS: SQLite keeps this order, and with it that of the ids
CROSS JOIN deployments d ON d.id = c.deployment
LEFT JOIN deployments ch ON ch.id = c.chosen
LEFT JOIN deployments b ON b.id = c.baseline
LEFT JOIN endings e ON e.id = a.ending;
"""

_KINDS_OF_TOKENS: Final = """
ALTER TABLE attempts ADD COLUMN cache_write_1h_tokens INTEGER;  -- of cache_write_tokens, those kept for an hour
ALTER TABLE attempts ADD COLUMN input_audio_tokens INTEGER;
ALTER TABLE attempts ADD COLUMN output_audio_tokens INTEGER;
ALTER TABLE attempts ADD COLUMN input_image_tokens INTEGER;
ALTER TABLE attempts ADD COLUMN output_image_tokens INTEGER;

ALTER TABLE rollups ADD COLUMN cache_write_1h_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollups ADD COLUMN input_audio_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollups ADD COLUMN output_audio_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollups ADD COLUMN input_image_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollups ADD COLUMN output_image_tokens INTEGER NOT NULL DEFAULT 0;

DROP VIEW entries;
CREATE VIEW entries AS
SELECT
  a.id, a.request_id, a.attempt, a.at_us, c.policy_version, c.route, c.tier, c.key, c.endpoint, c.stream,
  c.data_class, c.reason, c.task, c.language,
  d.name AS deployment, d.model, d.provider, d.zone, d.region, d.simulated, d.per_hour_nusd,
  ch.name AS chosen, b.name AS baseline,
  a.prompt_tokens_est, a.predicted_nusd, a.p_good, a.complexity, a.propensity, a.ruled_out, a.request_bytes,
  coalesce(e.state, 'dispatched') AS state, e.outcome, e.status, a.detail, a.settled_us, a.ttft_us, a.total_us,
  a.input_tokens, a.output_tokens, a.cache_read_tokens, a.cache_write_tokens, a.reasoning_tokens,
  a.cache_write_1h_tokens, a.input_audio_tokens, a.output_audio_tokens, a.input_image_tokens, a.output_image_tokens,
  e.usage_source, a.cost_nusd, a.baseline_nusd, a.energy_mj, e.energy_source, a.response_bytes
FROM attempts a
CROSS JOIN contexts c ON c.id = a.context   -- CROSS: SQLite keeps this order, and with it that of the ids
CROSS JOIN deployments d ON d.id = c.deployment
LEFT JOIN deployments ch ON ch.id = c.chosen
LEFT JOIN deployments b ON b.id = c.baseline
LEFT JOIN endings e ON e.id = a.ending;
"""

_VERDICTS: Final = """
-- What was said about answers: of each who judges and each source the last word.
CREATE TABLE verdicts (
  request_id TEXT NOT NULL,
  key TEXT NOT NULL,                  -- of who judges; '': the operator, or no key was configured
  source TEXT NOT NULL,               -- feedback, human, check or judge
  at_us INTEGER NOT NULL,
  score REAL NOT NULL,                -- 0 to 1
  label TEXT NOT NULL,                -- a word of a fixed list; '': none
  PRIMARY KEY (request_id, key, source)
) STRICT, WITHOUT ROWID;

-- Numbers that describe a request, of routes that learn from verdicts and of classes up to internal.
CREATE TABLE features (
  attempt INTEGER PRIMARY KEY REFERENCES attempts,
  numbers BLOB NOT NULL               -- see signals/features.py
) STRICT;

-- What was seen of drafts when they were checked, of the same routes and classes.
CREATE TABLE drafts (
  attempt INTEGER PRIMARY KEY REFERENCES attempts,
  numbers BLOB NOT NULL               -- see gateway/verifier_features.py
) STRICT;

CREATE VIEW judged AS
SELECT
  v.request_id, v.source, v.key AS judged_by, v.at_us AS judged_us, v.score, v.label,
  CASE
    WHEN f.id IS NULL AND r.id IS NULL THEN 'unknown'  -- no request of this ledger, or not yet
    WHEN v.source = 'feedback' AND v.key NOT IN ('', coalesce(c.key, r.key, '')) THEN 'foreign'
    WHEN a.id IS NULL THEN 'unanswered'
    ELSE 'counts'
  END AS standing,
  a.id AS entry                       -- of the attempt whose answer the client got
FROM verdicts v
LEFT JOIN attempts f ON f.request_id = v.request_id AND f.attempt = 0
LEFT JOIN contexts c ON c.id = f.context
LEFT JOIN refusals r ON r.request_id = v.request_id
LEFT JOIN attempts a ON a.request_id = v.request_id AND a.attempt = (
  SELECT max(b.attempt) FROM attempts b JOIN endings e ON e.id = b.ending JOIN contexts bc ON bc.id = b.context
  WHERE b.request_id = v.request_id AND e.outcome IN ('ok', 'client_left') AND bc.role <> 'classifier'
);
"""

_AUDIT: Final = audit.TABLES

_ROLES: Final = """
ALTER TABLE contexts ADD COLUMN role TEXT NOT NULL DEFAULT 'answer';  -- or draft, or classifier
ALTER TABLE attempts ADD COLUMN p_enough REAL;  -- the least p_good that would have done when the route chose
ALTER TABLE attempts ADD COLUMN p_best REAL;    -- p_good of the best of the last tier then

DROP VIEW entries;
CREATE VIEW entries AS
SELECT
  a.id, a.request_id, a.attempt, a.at_us, c.policy_version, c.route, c.tier, c.key, c.endpoint, c.stream,
  c.data_class, c.reason, c.task, c.language,
  d.name AS deployment, d.model, d.provider, d.zone, d.region, d.simulated, d.per_hour_nusd,
  ch.name AS chosen, b.name AS baseline,
  a.prompt_tokens_est, a.predicted_nusd, a.p_good, a.complexity, a.propensity, a.ruled_out, a.request_bytes,
  coalesce(e.state, 'dispatched') AS state, e.outcome, e.status, a.detail, a.settled_us, a.ttft_us, a.total_us,
  a.input_tokens, a.output_tokens, a.cache_read_tokens, a.cache_write_tokens, a.reasoning_tokens,
  a.cache_write_1h_tokens, a.input_audio_tokens, a.output_audio_tokens, a.input_image_tokens, a.output_image_tokens,
  e.usage_source, a.cost_nusd, a.baseline_nusd, a.energy_mj, e.energy_source, a.response_bytes, c.role,
  a.p_enough, a.p_best
FROM attempts a
CROSS JOIN contexts c ON c.id = a.context   -- CROSS: SQLite keeps this order, and with it that of the ids
CROSS JOIN deployments d ON d.id = c.deployment
LEFT JOIN deployments ch ON ch.id = c.chosen
LEFT JOIN deployments b ON b.id = c.baseline
LEFT JOIN endings e ON e.id = a.ending;
"""
"""What attempts are for, and what was good enough."""

MIGRATIONS: Final = (_FIRST, _KINDS_OF_TOKENS, _AUDIT + _ROLES + _VERDICTS)
"""Step n leads from version n to n + 1. A step that has been released is never changed again."""

VERSION: Final = len(MIGRATIONS)
