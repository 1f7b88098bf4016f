import type { ComponentChildren } from 'preact';
import { answerText, type Sample } from './sample';

/** The prompt's last paragraph on one line: the question itself, after examples and instructions. */
function questionOf({ prompt }: Sample): string {
  const paragraphs = (prompt ?? '').trim().split(/\n\s*\n/);
  return (paragraphs.at(-1) ?? '').replace(/\s+/g, ' ').slice(0, 300);
}

/** An item's two lines in a list: what was asked (or its id), and who said what. */
export function ItemRow({
  sample,
  badge,
  said,
}: {
  sample: Sample;
  badge: ComponentChildren;
  said: string;
}) {
  const asked = questionOf(sample) || `${sample.task}, item ${sample.id}`;
  return (
    <>
      <span class="item-line">
        {badge} <span class="item-asked">{asked}</span>
      </span>
      <span class="item-said muted small">{said}</span>
    </>
  );
}

export function said(sample: Sample): string {
  return answerText(sample).replace(/\s+/g, ' ').trim() || '(nothing)';
}
