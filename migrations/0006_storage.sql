-- What garbage collection may take, and what each artefact must look like. A model whose files were
-- removed keeps its row, recipe and scores.
ALTER TABLE models ADD COLUMN pinned_at INTEGER;
ALTER TABLE models ADD COLUMN removed_at INTEGER;

CREATE TABLE artefact_files (
  folder TEXT    NOT NULL,  -- below the state folder: 'models/<digest>', 'evaluations/<key>'
  name   TEXT    NOT NULL,
  bytes  INTEGER NOT NULL,
  digest TEXT    NOT NULL CHECK (length(digest) = 64),  -- SHA-256 of the whole file
  PRIMARY KEY (folder, name)
) STRICT, WITHOUT ROWID;
