BEGIN TRANSACTION;
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
INSERT INTO "attempts" VALUES(1,'a',0,1800000000000000,1,800,120000,0.93,0.4,1.0,NULL,4312,NULL,1,1800000002000000,NULL,300000,2000000,812,301,12,100,5,100000,1000000,12000,9000);
INSERT INTO "attempts" VALUES(2,'b',0,1800000000000000,1,800,120000,0.93,0.4,1.0,'[["gpt@openai","context",512,812]]',4312,NULL,2,1800000002000000,NULL,NULL,2000000,NULL,NULL,0,0,NULL,0,NULL,NULL,9000);
INSERT INTO "attempts" VALUES(3,'b',1,1800000000000000,1,800,120000,0.93,0.4,1.0,'[["gpt@openai","context",512,812]]',4312,NULL,1,1800000002000000,NULL,300000,2000000,812,301,0,0,NULL,100000,1000000,12000,9000);
INSERT INTO "attempts" VALUES(5,'own',0,1800000000000000,2,800,120000,0.93,0.4,1.0,'[["gpt@openai","context",512,812]]',4312,NULL,1,1800000005000000,NULL,300000,5000000,812,301,0,0,NULL,NULL,1000000,12000,9000);
INSERT INTO "attempts" VALUES(6,'open',0,1800000000000000,1,800,120000,0.93,0.4,1.0,'[["gpt@openai","context",512,812]]',4312,'a0e6f824ad323806',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
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
INSERT INTO "contexts" VALUES(1,'0123456789ab','auto','balanced','dev','chat',1,'internal','good_enough','code','en',1,1,2);
INSERT INTO "contexts" VALUES(2,'0123456789ab','auto','small','dev','chat',1,'internal','good_enough','code','en',3,3,2);
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
INSERT INTO "deployments" VALUES(1,'mid@managed','mid','managed','contracted','eu-west',0,0);
INSERT INTO "deployments" VALUES(2,'gpt@openai','gpt','openai','third_party','us',0,0);
INSERT INTO "deployments" VALUES(3,'llama@gpu','llama','gpu-room','own','eu-west',0,9600000007);
CREATE TABLE endings (
  id INTEGER PRIMARY KEY,
  state TEXT NOT NULL CHECK (state IN ('settled', 'released', 'unknown')),
  outcome TEXT NOT NULL,
  status INTEGER NOT NULL,
  usage_source TEXT NOT NULL,
  energy_source TEXT NOT NULL,
  UNIQUE (state, outcome, status, usage_source, energy_source)
) STRICT;
INSERT INTO "endings" VALUES(1,'settled','ok',200,'reported','estimated');
INSERT INTO "endings" VALUES(2,'released','upstream_refused',503,'none','unknown');
CREATE TABLE engine_busy (
  deployment INTEGER NOT NULL REFERENCES deployments,
  start_us INTEGER NOT NULL,
  end_us INTEGER NOT NULL,
  PRIMARY KEY (deployment, start_us)
) STRICT, WITHOUT ROWID;
INSERT INTO "engine_busy" VALUES(3,1800000000000000,1800000005000000);
CREATE TABLE engine_hours (
  hour INTEGER NOT NULL,
  deployment INTEGER NOT NULL REFERENCES deployments,
  up_us INTEGER NOT NULL,
  busy_us INTEGER NOT NULL,           -- with at least one attempt running
  PRIMARY KEY (hour, deployment)
) STRICT, WITHOUT ROWID;
INSERT INTO "engine_hours" VALUES(500000,3,0,5000000);
CREATE TABLE engine_marks (
  deployment INTEGER PRIMARY KEY REFERENCES deployments,
  seen_us INTEGER NOT NULL
) STRICT;
CREATE TABLE incidents (
  id INTEGER PRIMARY KEY,
  at_us INTEGER NOT NULL,
  kept_as TEXT NOT NULL,              -- in the folder of the journals
  what TEXT NOT NULL
) STRICT;
CREATE TABLE journal_cursor (
  writer TEXT NOT NULL,               -- hex, random for each life of a worker
  seq INTEGER NOT NULL,
  segment TEXT NOT NULL,
  offset INTEGER NOT NULL,            -- everything before it is loaded
  finished INTEGER NOT NULL,          -- 1: the file may go
  PRIMARY KEY (writer, seq)
) STRICT, WITHOUT ROWID;
INSERT INTO "journal_cursor" VALUES('a0e6f824ad323806',1,'w0-000001.journal',1286,0);
CREATE TABLE journal_names (
  writer TEXT NOT NULL,
  generation INTEGER NOT NULL,
  names BLOB NOT NULL,                -- the record as msgpack
  PRIMARY KEY (writer, generation)
) STRICT, WITHOUT ROWID;
INSERT INTO "journal_names" VALUES('a0e6f824ad323806',1,X'99000101AC303132333435363738396162A277309596A96C6C616D6140677075A56C6C616D61A86770752D726F6F6DA36F776EA765752D77657374C296AB6D6964406D616E61676564A36D6964A76D616E61676564AA636F6E74726163746564A765752D77657374C296AA677074406F70656E6169A3677074A66F70656E6169AB74686972645F7061727479A27573C296A964656D6F4064656D6FA464656D6FA464656D6FA36F776EA0C396A76E6577406C6162A36E6577A36C6162AB74686972645F7061727479A0C295CF000000023C346007000000009292A46175746F93A5736D616C6CA862616C616E636564A77072656D69756D92A3626F7491A77072656D69756D92A3646576A3617070');
CREATE TABLE journal_writers (
  writer TEXT PRIMARY KEY,
  last_us INTEGER NOT NULL            -- of its newest loaded record
) STRICT, WITHOUT ROWID;
INSERT INTO "journal_writers" VALUES('a0e6f824ad323806',1800000000000000);
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
INSERT INTO "refusals" VALUES(4,'f',1800000000000000,'0123456789ab','auto','dev','chat',422,'no_eligible_model','restricted',800,'[["gpt@openai","zone",2,25]]');
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
INSERT INTO "rollups" VALUES(500000,1,1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0.0,0,0.0,0.0,0,0,0,X'',0,X'',0,0,0);
INSERT INTO "rollups" VALUES(500000,2,1,2,1624,602,12,100,5,0,0,200000,2,0,0,0,0,2000000,2,2,1800000,1620000000000.0,0,0.0,0.0,0,2,600000,X'00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000002',4000000,X'000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000002',0,24000,0);
INSERT INTO "rollups" VALUES(500000,3,1,1,0,0,0,0,0,0,1,0,1,0,0,0,0,0,0,1,0,0.0,0,0.0,0.0,0,0,0,X'',2000000,X'000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000001',0,0,1);
INSERT INTO "rollups" VALUES(500000,4,1,1,812,301,0,0,0,0,0,0,0,0,1,0,0,1000000,1,1,1000000,1000000000000.0,5000000,5000000000000.0,25000000000000.0,5000000,1,300000,X'00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000001',5000000,X'000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000001',0,12000,0);
CREATE TABLE schema_version (version INTEGER PRIMARY KEY, since TEXT NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO "schema_version" VALUES(1,'2026-11-20T22:30:23Z');
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
INSERT INTO "slices" VALUES(1,NULL,'auto',NULL,'dev','chat','restricted','refused','refused');
INSERT INTO "slices" VALUES(2,1,'auto','balanced','dev','chat','internal','settled','ok');
INSERT INTO "slices" VALUES(3,1,'auto','balanced','dev','chat','internal','released','upstream_refused');
INSERT INTO "slices" VALUES(4,3,'auto','small','dev','chat','internal','settled','ok');
CREATE INDEX attempts_open ON attempts (writer) WHERE ending IS NULL;
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
COMMIT;