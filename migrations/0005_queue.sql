-- Which job is next, what it needs, and whether any is taken at all.
ALTER TABLE jobs ADD COLUMN priority INTEGER NOT NULL DEFAULT 0 CHECK (priority BETWEEN -100 AND 100);
ALTER TABLE jobs ADD COLUMN memory_bytes INTEGER NOT NULL DEFAULT 0 CHECK (memory_bytes >= 0);
ALTER TABLE jobs ADD COLUMN disk_bytes INTEGER NOT NULL DEFAULT 0 CHECK (disk_bytes >= 0);
DROP INDEX jobs_to_claim;
CREATE INDEX jobs_to_claim ON jobs (state, kind, priority DESC, id);

CREATE TABLE queue_pauses (
  kind      TEXT    PRIMARY KEY CHECK (kind IN ('merge', 'evaluation')),
  paused_at INTEGER NOT NULL,
  paused_by TEXT    NOT NULL  -- name of a token, or ''
) STRICT, WITHOUT ROWID;
