import type { ComponentChildren } from 'preact';
import { useId, useState } from 'preact/hooks';

interface Props {
  title: string;
  description: ComponentChildren;
  /** The same as a table; made once it is opened. */
  table?: () => ComponentChildren;
  children: ComponentChildren;
}

/** A chart with its title, what it shows, and its twin as a table. */
export function Figure({ title, description, table, children }: Props) {
  const id = useId();
  const [open, setOpen] = useState(false);
  return (
    <figure class="panel figure" aria-labelledby={`${id}-title`} aria-describedby={`${id}-text`}>
      <figcaption>
        <h2 id={`${id}-title`}>{title}</h2>
        <p id={`${id}-text`} class="muted small">
          {description}
        </p>
      </figcaption>
      {children}
      {table && (
        <details
          class="twin"
          onToggle={(event) => {
            setOpen(event.currentTarget.open);
          }}
        >
          <summary>As a table</summary>
          {open && table()}
        </details>
      )}
    </figure>
  );
}
