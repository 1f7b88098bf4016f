import { useMemo } from 'preact/hooks';
import type { Candidate } from '../api/types';
import { VirtualTable } from '../ui/virtual_table';
import { valuesText } from './dimensions';
import { StandingText } from './standing';
import { share } from './texts';

interface Props {
  label: string;
  candidates: readonly Candidate[];
  suites?: string[];
}

/** Candidates as a plain table: the twin of the charts. */
export function CandidateTable({ label, candidates, suites = [] }: Props) {
  const columns = useMemo(
    () => [
      { name: 'Name', cell: (one: Candidate) => one.name },
      { name: 'Values', cell: (one: Candidate) => valuesText(one.values) },
      { name: 'Standing', cell: (one: Candidate) => <StandingText standing={one.standing} /> },
      { name: 'Items', number: true, cell: (one: Candidate) => one.seen },
      { name: 'Estimate, %', number: true, cell: (one: Candidate) => share(one.estimate) },
      ...suites.map((suite, i) => ({
        name: `${suite}, %`,
        number: true,
        cell: (one: Candidate) => share(one.suites[i]),
      })),
    ],
    [suites.join('\n')],
  );
  return (
    <VirtualTable label={label} columns={columns} rows={candidates} rowKey={(one) => one.name} />
  );
}
