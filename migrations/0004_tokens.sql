-- Who may ask for what, and who asked. Only the SHA-256 of a token's secret is kept.
CREATE TABLE tokens (
  id         TEXT    PRIMARY KEY CHECK (length(id) = 8),
  name       TEXT    NOT NULL UNIQUE,  -- never used again: jobs name their submitter by it
  role       TEXT    NOT NULL CHECK (role IN ('read', 'submit', 'admin')),
  digest     TEXT    NOT NULL CHECK (length(digest) = 64),
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  revoked_at INTEGER
) STRICT, WITHOUT ROWID;

ALTER TABLE jobs ADD COLUMN submitter TEXT NOT NULL DEFAULT '';
ALTER TABLE sweeps ADD COLUMN submitter TEXT NOT NULL DEFAULT '';
CREATE INDEX jobs_open_by_submitter ON jobs (submitter) WHERE finished_at IS NULL;
