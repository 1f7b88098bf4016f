import { api } from '../api/client';
import { type Resource, useResource } from '../api/use_resource';
import { parseSamples, type Samples } from './sample';

const kKept = 8;
const kept = new Map<number, Samples>(); // an evaluation's samples never change

/** Samples of an evaluation, from those read before where they are still kept. */
export async function samplesOf(evaluation: number, signal: AbortSignal): Promise<Samples> {
  const known = kept.get(evaluation);
  if (known) return known;
  const samples = parseSamples(await api.samples(evaluation, signal));
  kept.set(evaluation, samples);
  const oldest = kept.keys().next().value;
  if (kept.size > kKept && oldest !== undefined) kept.delete(oldest);
  return samples;
}

export function useSamples(evaluations: number[]): Resource<Samples[]> {
  return useResource(`samples ${evaluations.join(' ')}`, (signal) =>
    Promise.all(evaluations.map((id) => samplesOf(id, signal))),
  );
}
