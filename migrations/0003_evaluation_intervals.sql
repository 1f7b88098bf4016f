-- How sure a score is, what it is made of, and what makes it doubtful. Lists that are only ever read
-- whole are JSON text.
ALTER TABLE evaluations ADD COLUMN interval_low REAL;
ALTER TABLE evaluations ADD COLUMN interval_high REAL;
ALTER TABLE evaluations ADD COLUMN interval_kind TEXT NOT NULL DEFAULT '';
ALTER TABLE evaluations ADD COLUMN score_columns TEXT NOT NULL DEFAULT '[]';
ALTER TABLE evaluations ADD COLUMN score_groups TEXT NOT NULL DEFAULT '[]';
ALTER TABLE evaluations ADD COLUMN flags TEXT NOT NULL DEFAULT '[]';
ALTER TABLE evaluations ADD COLUMN prompt_tokens_asked INTEGER NOT NULL DEFAULT 0;
ALTER TABLE evaluations ADD COLUMN prompt_tokens_computed INTEGER NOT NULL DEFAULT 0;

ALTER TABLE task_scores ADD COLUMN primary_filter TEXT NOT NULL DEFAULT 'none';

ALTER TABLE metric_scores ADD COLUMN filter TEXT NOT NULL DEFAULT 'none';
ALTER TABLE metric_scores ADD COLUMN higher_is_better INTEGER NOT NULL DEFAULT 1
  CHECK (higher_is_better IN (0, 1));
ALTER TABLE metric_scores ADD COLUMN interval_low REAL;
ALTER TABLE metric_scores ADD COLUMN interval_high REAL;
ALTER TABLE metric_scores ADD COLUMN interval_kind TEXT NOT NULL DEFAULT '';
