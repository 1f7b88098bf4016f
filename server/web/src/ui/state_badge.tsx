import type { JobState, SweepState } from '../api/types';
import { Badge, type Tone } from './badge';

const kTones: Record<JobState | SweepState, Tone> = {
  queued: 'plain',
  leased: 'info',
  running: 'info',
  publishing: 'info',
  succeeded: 'good',
  retry_wait: 'warn',
  failed: 'bad',
  dead: 'bad',
  cancelled: 'plain',
  paused: 'warn',
};

const kMeanings: Record<JobState | SweepState, string> = {
  queued: 'Waiting for a worker',
  leased: 'A worker has taken it',
  running: 'At work',
  publishing: 'Making the result visible',
  succeeded: 'Done',
  retry_wait: 'Will be tried again',
  failed: 'The input is at fault; trying again as it is will not help',
  dead: 'All attempts are spent',
  cancelled: 'Cancelled',
  paused: 'Stopped; goes on from here when it is resumed',
};

export function StateBadge({ state }: { state: JobState | SweepState }) {
  return (
    <Badge tone={kTones[state]} title={kMeanings[state]}>
      {state.replace('_', ' ')}
    </Badge>
  );
}
