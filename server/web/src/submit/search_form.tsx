import { useState } from 'preact/hooks';
import type { Model, Suite } from '../api/types';
import { searchExamples } from '../recipe/search_examples';
import { DocumentSection } from './document_section';
import { change, documentVerdict, draft } from './draft';
import { startSearch } from './send';

interface Props {
  models: Model[];
  suites: Suite[];
}

function Explanation({ suites }: { suites: Suite[] }) {
  const usable = suites.filter((suite) => suite.error === null);
  return (
    <aside class="methods" aria-label="About searches">
      <h2>What a search does</h2>
      <p>
        A sampler proposes values from the space, each is merged in memory, and all race: those that
        are certainly behind answer no more items. The winner is scored once more, on items that the
        search has not seen, against the parents and the default.
      </p>
      <p>
        In the recipe <code>{'${name}'}</code> stands where the value of <code>name</code> goes; a
        path such as <code>parameters.t</code> needs no placeholder. Everything is checked before
        any work is done.
      </p>
      <h3>Suites here</h3>
      <p class="wraps">{usable.map((suite) => suite.name).join(', ') || 'none'}</p>
    </aside>
  );
}

/** A sweep document, checked and started by the server. */
export function SearchForm({ models, suites }: Props) {
  const [busy, setBusy] = useState(false);
  const { name } = draft.value;
  const start = async () => {
    setBusy(true);
    await startSearch();
    setBusy(false);
  };
  return (
    <div class="submit-grid">
      <form
        class="submit-form"
        onSubmit={(event) => {
          event.preventDefault();
          void start();
        }}
      >
        <div class="examples" role="group" aria-label="Start from an example">
          <span class="muted">Start from</span>
          {searchExamples(models, suites).map((example) => (
            <button
              key={example.name}
              type="button"
              class="button small"
              title={example.title}
              onClick={() => {
                change({ document: example.document });
                documentVerdict.value = null;
              }}
            >
              {example.name}
            </button>
          ))}
        </div>
        <DocumentSection />
        <label class="field">
          <span>Name (optional)</span>
          <input
            name="name"
            value={name}
            onInput={(event) => change({ name: event.currentTarget.value })}
          />
        </label>
        <div class="submit-actions">
          <button type="submit" class="button primary" disabled={busy}>
            Start search
          </button>
        </div>
      </form>
      <Explanation suites={suites} />
    </div>
  );
}
