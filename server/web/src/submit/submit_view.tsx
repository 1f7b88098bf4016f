import { useEffect, useState } from 'preact/hooks';
import { api } from '../api/client';
import { useResource } from '../api/use_resource';
import type { Suite } from '../api/types';
import type { Example } from '../recipe/examples';
import { route } from '../route/router';
import { ProblemPanel } from '../ui/problem_panel';
import { SuiteChoice } from '../ui/suite_choice';
import { change, draft, type Mode, verdict } from './draft';
import { ExamplePicker } from './example_picker';
import { MethodsReference } from './methods_reference';
import { RecipeSection } from './recipe_section';
import { SearchForm } from './search_form';
import { check, submit } from './send';
import { SweepFields } from './sweep_fields';

function pick(example: Example): void {
  const sweep =
    example.parameter === ''
      ? {}
      : { parameter: example.parameter, from: String(example.from), to: String(example.to) };
  change({ recipe: example.recipe, ...sweep });
  verdict.value = null;
}

const kModes: Record<Mode, string> = { merge: 'One merge', sweep: 'A sweep', search: 'A search' };

function ModeChoice({ mode }: { mode: Mode }) {
  return (
    <div class="modes" role="radiogroup" aria-label="What to submit">
      {(['merge', 'sweep', 'search'] as const).map((name) => (
        <label key={name} class="mode">
          <input
            type="radio"
            name="mode"
            value={name}
            checked={mode === name}
            onChange={() => change({ mode: name })}
          />
          <span>{kModes[name]}</span>
        </label>
      ))}
    </div>
  );
}

function NameAndSeed() {
  const { name, seed } = draft.value;
  return (
    <div class="row">
      <label class="field grow">
        <span>Name (optional)</span>
        <input name="name" value={name} onInput={(e) => change({ name: e.currentTarget.value })} />
      </label>
      <label class="field narrow">
        <span>Seed</span>
        <input
          name="seed"
          inputMode="numeric"
          value={seed}
          onInput={(e) => change({ seed: e.currentTarget.value })}
        />
      </label>
    </div>
  );
}

/** What is scored on unless asked otherwise: the installation's own suites, else the small built-in one. */
function usualSuites(suites: Suite[]): string[] {
  const usable = suites.filter((suite) => suite.error === null);
  const own = usable.filter((suite) => !suite.built_in);
  const usual = own.length > 0 ? own : usable.filter((suite) => suite.name === 'crucible-basics');
  return usual.map((suite) => suite.name);
}

export function SubmitView() {
  const models = useResource('models', (signal) => api.models(signal));
  const suites = useResource('suites', (signal) => api.suites(signal));
  const [busy, setBusy] = useState(false);
  const { mode } = draft.value;
  const asked = route.value.query.get('mode');
  useEffect(() => {
    if (asked === 'sweep' || asked === 'merge' || asked === 'search') change({ mode: asked });
  }, [asked]);
  const chosen = draft.value.suites ?? new Set(usualSuites(suites.data?.items ?? []));
  const run = async (action: (names: string[]) => Promise<void>) => {
    setBusy(true);
    await action([...chosen]);
    setBusy(false);
  };
  const head = (
    <div class="view-head">
      <h1>Submit</h1>
      <ModeChoice mode={mode} />
    </div>
  );
  if (mode === 'search') {
    return (
      <>
        {head}
        <SearchForm models={models.data?.items ?? []} suites={suites.data?.items ?? []} />
      </>
    );
  }
  return (
    <>
      {head}
      <div class="submit-grid">
        <form
          class="submit-form"
          onSubmit={(e) => {
            e.preventDefault();
            void run(submit);
          }}
        >
          <ExamplePicker models={models.data?.items ?? []} onPick={pick} />
          <RecipeSection />
          {mode === 'sweep' && <SweepFields draft={draft.value} />}
          <NameAndSeed />
          {suites.problem && <ProblemPanel problem={suites.problem} onRetry={suites.reload} />}
          {suites.data && (
            <SuiteChoice
              legend="Then score on"
              suites={suites.data.items}
              chosen={chosen}
              onChange={(names) => change({ suites: names })}
            />
          )}
          <div class="submit-actions">
            <button type="button" class="button" disabled={busy} onClick={() => void run(check)}>
              Check
            </button>
            <button type="submit" class="button primary" disabled={busy}>
              {mode === 'sweep' ? 'Submit sweep' : 'Submit'}
            </button>
          </div>
        </form>
        <MethodsReference />
      </div>
    </>
  );
}
