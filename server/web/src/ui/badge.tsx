import type { ComponentChildren } from 'preact';

export type Tone = 'plain' | 'accent' | 'good' | 'bad' | 'warn' | 'info';

interface Props {
  tone?: Tone;
  title?: string;
  children: ComponentChildren;
}

export function Badge({ tone = 'plain', title, children }: Props) {
  return (
    <span class={`badge badge-${tone}`} title={title}>
      {children}
    </span>
  );
}
