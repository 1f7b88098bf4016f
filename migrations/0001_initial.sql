-- The daemon's first schema. Times are milliseconds since the Unix epoch, UTC. Lists and faults that
-- are only ever read whole are JSON text. AUTOINCREMENT: ids are never reused, they appear in URLs.

CREATE TABLE sweeps (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  name         TEXT    NOT NULL,
  parameter    TEXT    NOT NULL,
  recipe       TEXT    NOT NULL,
  suites       TEXT    NOT NULL,
  seed         INTEGER NOT NULL,
  created_at   INTEGER NOT NULL,
  cancelled_at INTEGER
) STRICT;

CREATE TABLE models (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  name         TEXT    NOT NULL UNIQUE,
  origin       TEXT    NOT NULL CHECK (origin IN ('registered', 'merged')),
  digest       TEXT    NOT NULL CHECK (length(digest) = 64),
  path         TEXT    NOT NULL UNIQUE,
  fingerprint  TEXT    NOT NULL,  -- names, sizes and times of the folder's files when it was hashed
  architecture TEXT    NOT NULL,
  dtype        TEXT    NOT NULL,
  parameters   INTEGER NOT NULL,
  weight_bytes INTEGER NOT NULL,
  created_at   INTEGER NOT NULL,
  merge_method TEXT    NOT NULL,
  recipe       TEXT,
  job_id       INTEGER REFERENCES jobs (id),
  sweep_id     INTEGER REFERENCES sweeps (id)
) STRICT;
CREATE INDEX models_by_digest ON models (digest);
CREATE INDEX models_by_job ON models (job_id);

CREATE TABLE model_parents (
  model_id  INTEGER NOT NULL REFERENCES models (id),
  position  INTEGER NOT NULL,
  parent_id INTEGER NOT NULL REFERENCES models (id),
  PRIMARY KEY (model_id, position),
  UNIQUE (model_id, parent_id),
  CHECK (model_id <> parent_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX model_parents_by_parent ON model_parents (parent_id, model_id);

CREATE TABLE jobs (
  id               INTEGER PRIMARY KEY AUTOINCREMENT,
  kind             TEXT    NOT NULL CHECK (kind IN ('merge', 'evaluation')),
  state            TEXT    NOT NULL CHECK (state IN ('queued', 'leased', 'running', 'publishing', 'succeeded',
                                                     'retry_wait', 'failed', 'dead', 'cancelled')),
  name             TEXT    NOT NULL,
  attempt          INTEGER NOT NULL DEFAULT 0 CHECK (attempt >= 0),  -- fencing token, only rises
  max_attempts     INTEGER NOT NULL CHECK (max_attempts > 0),
  failures         INTEGER NOT NULL DEFAULT 0,  -- attempts that count against max_attempts
  signals          INTEGER NOT NULL DEFAULT 0,  -- attempts whose worker a signal killed, not by us
  created_at       INTEGER NOT NULL,
  updated_at       INTEGER NOT NULL,
  started_at       INTEGER,
  finished_at      INTEGER,
  not_before       INTEGER,
  cancel_requested INTEGER NOT NULL DEFAULT 0 CHECK (cancel_requested IN (0, 1)),
  progress_stage   TEXT    NOT NULL DEFAULT '',
  progress_done    INTEGER NOT NULL DEFAULT 0,
  progress_total   INTEGER NOT NULL DEFAULT 0,
  progress_unit    TEXT    NOT NULL DEFAULT '',
  error_code       TEXT,
  error_message    TEXT,
  error_faults     TEXT,
  merge_method     TEXT    NOT NULL DEFAULT '',
  recipe           TEXT    NOT NULL DEFAULT '',
  recipe_digest    TEXT    NOT NULL DEFAULT '',
  seed             INTEGER NOT NULL DEFAULT 0,  -- the 64 bits of an unsigned number
  work_key         TEXT    NOT NULL,            -- equal keys give equal results: see the results table
  suites           TEXT    NOT NULL,
  model_id         INTEGER REFERENCES models (id),
  parent_id        INTEGER REFERENCES jobs (id),
  sweep_id         INTEGER REFERENCES sweeps (id),
  CHECK ((state = 'retry_wait') = (not_before IS NOT NULL)),
  CHECK ((state IN ('succeeded', 'failed', 'dead', 'cancelled')) = (finished_at IS NOT NULL))
) STRICT;
CREATE INDEX jobs_to_claim ON jobs (state, kind, id);
CREATE INDEX jobs_by_kind ON jobs (kind, id);
CREATE INDEX jobs_by_work ON jobs (work_key, state);
CREATE INDEX jobs_by_parent ON jobs (parent_id, id);
CREATE INDEX jobs_by_sweep ON jobs (sweep_id, id);
CREATE INDEX jobs_waiting ON jobs (not_before) WHERE not_before IS NOT NULL;  -- retry_wait

-- Which model each reference of a merge's recipe meant when it was submitted.
CREATE TABLE job_inputs (
  job_id    INTEGER NOT NULL REFERENCES jobs (id),
  position  INTEGER NOT NULL,
  reference TEXT    NOT NULL,
  model_id  INTEGER NOT NULL REFERENCES models (id),
  PRIMARY KEY (job_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE job_events (
  id             INTEGER PRIMARY KEY AUTOINCREMENT,
  job_id         INTEGER NOT NULL REFERENCES jobs (id),
  at             INTEGER NOT NULL,
  type           TEXT    NOT NULL CHECK (type IN ('state', 'progress')),
  state          TEXT    NOT NULL CHECK (state IN ('queued', 'leased', 'running', 'publishing', 'succeeded',
                                                   'retry_wait', 'failed', 'dead', 'cancelled')),
  attempt        INTEGER NOT NULL,
  message        TEXT    NOT NULL,
  progress_stage TEXT    NOT NULL,
  progress_done  INTEGER NOT NULL,
  progress_total INTEGER NOT NULL,
  progress_unit  TEXT    NOT NULL
) STRICT;
CREATE INDEX job_events_by_job ON job_events (job_id, id);
CREATE TRIGGER job_events_are_final BEFORE UPDATE ON job_events
BEGIN SELECT raise(ABORT, 'job_events is append-only'); END;
CREATE TRIGGER job_events_stay BEFORE DELETE ON job_events
BEGIN SELECT raise(ABORT, 'job_events is append-only'); END;

CREATE TABLE attempts (
  job_id        INTEGER NOT NULL REFERENCES jobs (id),
  attempt       INTEGER NOT NULL,
  pid           INTEGER,
  boot_id       TEXT,
  process_start INTEGER,  -- clock ticks since boot: with pid and boot id, one process for ever
  started_at    INTEGER NOT NULL,
  finished_at   INTEGER,
  log_path      TEXT    NOT NULL,
  result        TEXT,  -- kept from publishing on
  outcome       TEXT    NOT NULL CHECK (outcome IN ('open', 'succeeded', 'failed', 'killed', 'cancelled',
                                                    'requeued')),
  PRIMARY KEY (job_id, attempt)
) STRICT, WITHOUT ROWID;

-- Work that is done: the same recipe on the same inputs is not run twice.
CREATE TABLE merge_results (
  work_key TEXT    PRIMARY KEY,
  model_id INTEGER NOT NULL REFERENCES models (id)
) STRICT, WITHOUT ROWID;

CREATE TABLE evaluations (
  id             INTEGER PRIMARY KEY AUTOINCREMENT,
  work_key       TEXT    NOT NULL UNIQUE,  -- over model digest, suite digest and evaluator
  model_id       INTEGER NOT NULL REFERENCES models (id),
  model_digest   TEXT    NOT NULL,
  suite          TEXT    NOT NULL,
  suite_digest   TEXT    NOT NULL,
  engine         TEXT    NOT NULL,
  dtype          TEXT    NOT NULL,
  score          REAL    NOT NULL,
  standard_error REAL,
  items          INTEGER NOT NULL,
  seconds        REAL    NOT NULL,
  created_at     INTEGER NOT NULL,
  job_id         INTEGER REFERENCES jobs (id),
  samples_path   TEXT    NOT NULL,
  UNIQUE (model_digest, suite_digest, engine, dtype)
) STRICT;
CREATE INDEX evaluations_by_suite ON evaluations (suite, model_digest, id);

CREATE TABLE task_scores (
  evaluation_id  INTEGER NOT NULL REFERENCES evaluations (id),
  position       INTEGER NOT NULL,
  task           TEXT    NOT NULL,
  version        TEXT    NOT NULL,
  digest         TEXT    NOT NULL,
  primary_metric TEXT    NOT NULL,
  items          INTEGER NOT NULL,
  PRIMARY KEY (evaluation_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE metric_scores (
  evaluation_id  INTEGER NOT NULL,
  task_position  INTEGER NOT NULL,
  position       INTEGER NOT NULL,
  name           TEXT    NOT NULL,
  value          REAL    NOT NULL,
  standard_error REAL,
  PRIMARY KEY (evaluation_id, task_position, position),
  FOREIGN KEY (evaluation_id, task_position) REFERENCES task_scores (evaluation_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE trials (
  sweep_id INTEGER NOT NULL REFERENCES sweeps (id),
  position INTEGER NOT NULL,
  value    REAL    NOT NULL,
  job_id   INTEGER NOT NULL UNIQUE REFERENCES jobs (id),
  PRIMARY KEY (sweep_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency_keys (
  key            TEXT    PRIMARY KEY,
  request_digest TEXT    NOT NULL,
  resource       TEXT    NOT NULL CHECK (resource IN ('job', 'evaluation_jobs', 'sweep')),
  ids            TEXT    NOT NULL,
  created_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
