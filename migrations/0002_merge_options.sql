-- What else decides a merge's bytes, beside recipe, models and seed.
ALTER TABLE jobs ADD COLUMN compatibility TEXT NOT NULL DEFAULT 'none'
  CHECK (compatibility IN ('none', 'mergekit'));
ALTER TABLE jobs ADD COLUMN allow_nonfinite INTEGER NOT NULL DEFAULT 0
  CHECK (allow_nonfinite IN (0, 1));
