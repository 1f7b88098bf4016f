import type { ComponentChildren } from 'preact';

interface Props {
  label: string;
  children: ComponentChildren;
}

/** A wide table's own scroll container, reachable by keyboard. */
export function TableScroll({ label, children }: Props) {
  return (
    <div class="table-scroll" role="region" aria-label={label} tabIndex={0}>
      {children}
    </div>
  );
}
