import { absolute, relative } from '../format/time';
import { now } from '../live/clock';

export function TimeAgo({ time }: { time: string }) {
  return (
    <time dateTime={time} title={absolute(time)}>
      {relative(time, now.value)}
    </time>
  );
}
