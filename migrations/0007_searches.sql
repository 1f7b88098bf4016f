-- Sweeps that search: a sampler chooses the merges, races decide, one job does all of it. The jobs'
-- table is made anew, since the list of kinds is part of it. (Foreign keys are off during a step and
-- checked at its end.)
CREATE TABLE jobs_of_7 (
  id               INTEGER PRIMARY KEY AUTOINCREMENT,
  kind             TEXT    NOT NULL CHECK (kind IN ('merge', 'evaluation', 'sweep')),
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
  parent_id        INTEGER REFERENCES jobs_of_7 (id),
  sweep_id         INTEGER REFERENCES sweeps (id),
  compatibility    TEXT    NOT NULL DEFAULT 'none' CHECK (compatibility IN ('none', 'mergekit')),
  allow_nonfinite  INTEGER NOT NULL DEFAULT 0 CHECK (allow_nonfinite IN (0, 1)),
  submitter        TEXT    NOT NULL DEFAULT '',
  priority         INTEGER NOT NULL DEFAULT 0 CHECK (priority BETWEEN -100 AND 100),
  memory_bytes     INTEGER NOT NULL DEFAULT 0 CHECK (memory_bytes >= 0),
  disk_bytes       INTEGER NOT NULL DEFAULT 0 CHECK (disk_bytes >= 0),
  CHECK ((state = 'retry_wait') = (not_before IS NOT NULL)),
  CHECK ((state IN ('succeeded', 'failed', 'dead', 'cancelled')) = (finished_at IS NOT NULL))
) STRICT;
INSERT INTO jobs_of_7
  SELECT id, kind, state, name, attempt, max_attempts, failures, signals, created_at, updated_at,
         started_at, finished_at, not_before, cancel_requested, progress_stage, progress_done,
         progress_total, progress_unit, error_code, error_message, error_faults, merge_method,
         recipe, recipe_digest, seed, work_key, suites, model_id, parent_id, sweep_id,
         compatibility, allow_nonfinite, submitter, priority, memory_bytes, disk_bytes
  FROM jobs;
DROP TABLE jobs;
ALTER TABLE jobs_of_7 RENAME TO jobs;
CREATE INDEX jobs_to_claim ON jobs (state, kind, priority DESC, id);
CREATE INDEX jobs_by_kind ON jobs (kind, id);
CREATE INDEX jobs_by_work ON jobs (work_key, state);
CREATE INDEX jobs_by_parent ON jobs (parent_id, id);
CREATE INDEX jobs_by_sweep ON jobs (sweep_id, id);
CREATE INDEX jobs_waiting ON jobs (not_before) WHERE not_before IS NOT NULL;  -- retry_wait

CREATE TABLE queue_pauses_of_7 (
  kind      TEXT    PRIMARY KEY CHECK (kind IN ('merge', 'evaluation', 'sweep')),
  paused_at INTEGER NOT NULL,
  paused_by TEXT    NOT NULL  -- name of a token, or ''
) STRICT, WITHOUT ROWID;
INSERT INTO queue_pauses_of_7 SELECT kind, paused_at, paused_by FROM queue_pauses;
DROP TABLE queue_pauses;
ALTER TABLE queue_pauses_of_7 RENAME TO queue_pauses;

ALTER TABLE sweeps ADD COLUMN document TEXT;     -- NULL: one merge and its evaluations a value
ALTER TABLE sweeps ADD COLUMN paused_at INTEGER;
ALTER TABLE sweeps ADD COLUMN job_id INTEGER REFERENCES jobs (id);  -- of the search, the last one
ALTER TABLE sweeps ADD COLUMN result TEXT;       -- JSON, once the search is over
ALTER TABLE sweeps ADD COLUMN evaluations INTEGER NOT NULL DEFAULT 0;  -- answers kept
ALTER TABLE sweeps ADD COLUMN seconds REAL NOT NULL DEFAULT 0;         -- of work for them

-- Merges that a search has tried, and what they are measured against.
CREATE TABLE candidates (
  sweep_id INTEGER NOT NULL REFERENCES sweeps (id),
  name     TEXT    NOT NULL,  -- 't17', 'default', 'parent sums'
  trial    INTEGER,           -- NULL: a reference
  point    TEXT    NOT NULL,  -- JSON: values by name
  recipe   TEXT    NOT NULL,
  model    TEXT    NOT NULL,  -- of a parent
  standing TEXT    NOT NULL DEFAULT 'racing',
  seen     INTEGER NOT NULL DEFAULT 0,
  estimate REAL,
  suites   TEXT    NOT NULL DEFAULT '[]',
  failure  TEXT,
  PRIMARY KEY (sweep_id, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX candidates_by_trial ON candidates (sweep_id, trial);
CREATE INDEX candidates_by_estimate ON candidates (sweep_id, seen DESC, estimate DESC);

-- Their answers: all the state that a search has. `subject` stands for recipe or parent.
CREATE TABLE candidate_scores (
  sweep_id INTEGER NOT NULL REFERENCES sweeps (id),
  subject  TEXT    NOT NULL CHECK (length(subject) = 64),
  phase    TEXT    NOT NULL CHECK (phase IN ('tune', 'report')),
  first    INTEGER NOT NULL,  -- item in the search's order
  scores   TEXT    NOT NULL,  -- JSON: a number an item
  tokens   INTEGER NOT NULL,
  seconds  REAL    NOT NULL,
  PRIMARY KEY (sweep_id, subject, phase, first)
) STRICT, WITHOUT ROWID;
CREATE TABLE candidate_failures (
  sweep_id INTEGER NOT NULL REFERENCES sweeps (id),
  subject  TEXT    NOT NULL CHECK (length(subject) = 64),
  message  TEXT    NOT NULL,
  PRIMARY KEY (sweep_id, subject)
) STRICT, WITHOUT ROWID;
