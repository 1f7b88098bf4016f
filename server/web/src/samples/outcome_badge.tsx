import { plain } from '../format/number';
import { Badge } from '../ui/badge';
import { outcomeOf, type PairOutcome, type Sample } from './sample';

const kSigns = { right: '✓', wrong: '✗', graded: '' };

export function sampleVerdict(sample: Sample): string {
  const outcome = outcomeOf(sample);
  if (outcome !== 'graded') return `${kSigns[outcome]} ${outcome}`;
  const name = sample.metric === '' ? 'value' : sample.metric;
  return sample.value === null ? 'not graded' : `${name} ${plain(sample.value)}`;
}

export function OutcomeBadge({ sample }: { sample: Sample }) {
  const outcome = outcomeOf(sample);
  const tone = outcome === 'right' ? 'good' : outcome === 'wrong' ? 'bad' : 'plain';
  return <Badge tone={tone}>{sampleVerdict(sample)}</Badge>;
}

const kPairTexts: Record<PairOutcome, string> = { win: '▲ win', loss: '▼ loss', tie: '= tie' };

export function PairBadge({ outcome }: { outcome: PairOutcome }) {
  const tone = outcome === 'win' ? 'good' : outcome === 'loss' ? 'bad' : 'plain';
  return <Badge tone={tone}>{kPairTexts[outcome]}</Badge>;
}
