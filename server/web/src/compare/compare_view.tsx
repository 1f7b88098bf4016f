import { useResource } from '../api/use_resource';
import { useRefresh } from '../live/use_refresh';
import { route, setQuery } from '../route/router';
import { scoreOfEvaluation } from '../stats/latest';
import { ProblemPanel } from '../ui/problem_panel';
import { Empty, Loading } from '../ui/states';
import { type Compared, type Loaded, loadCompared, suitesOf } from './compared';
import { type CompareQuery, kLeastModels, readCompareQuery } from './compare_query';
import { ItemSection } from './item_section';
import { ModelBar } from './model_bar';
import { PairTable } from './pair_table';
import { ProfileChart } from './profile_chart';
import { RecipeSection } from './recipe_section';
import { ScoreTable } from './score_table';

function showItems(suite: string, against: number): void {
  setQuery({ suite, against: String(against), item: null });
  const section = document.getElementById('items');
  section?.scrollIntoView();
  section?.focus({ preventScroll: true });
}

function Scores({
  models,
  reference,
  suites,
}: {
  models: Compared[];
  reference: Compared;
  suites: string[];
}) {
  return (
    <>
      <section class="part" aria-labelledby="scores-title">
        <h2 id="scores-title">Scores</h2>
        <ScoreTable models={models} suites={suites} reference={reference.model.id} />
        <p class="notes muted">
          Shares in percent ± one standard error, with their 95 % intervals below. The tick on a bar
          is the score of {reference.model.name}.
        </p>
      </section>
      <section class="part" aria-labelledby="pairs-title">
        <h2 id="pairs-title">Against {reference.model.name}</h2>
        <PairTable models={models} suites={suites} reference={reference} onItems={showItems} />
        <p class="notes muted">
          The model’s score minus that of {reference.model.name} on the same items, with a 95 %
          interval from resampling those items. A difference that the test cannot tell from chance
          is grey.
        </p>
      </section>
      <section class="part" aria-labelledby="profile-title">
        <h2 id="profile-title">Profile</h2>
        <ProfileChart
          suites={suites}
          profiles={models.map(({ model, evaluations }) => ({
            name: model.name,
            scores: suites.map((suite) => scoreOfEvaluation(evaluations.get(suite))),
          }))}
        />
      </section>
    </>
  );
}

function Comparison({ models, query }: { models: Compared[]; query: CompareQuery }) {
  const reference = models.find(({ model }) => model.id === query.reference) ?? models[0]!;
  const others = models.filter((one) => one !== reference);
  const other = others.find(({ model }) => model.id === query.against) ?? others[0]!;
  const suites = suitesOf(models);
  return (
    <>
      {suites.length === 0 ? (
        <Empty title="None of these models has been scored yet">
          <p>
            Score them on a suite from <a href={`#/models/${reference.model.id}`}>their pages</a>;
            their recipes are below.
          </p>
        </Empty>
      ) : (
        <>
          <Scores models={models} reference={reference} suites={suites} />
          <ItemSection query={query} reference={reference} others={others} />
        </>
      )}
      <RecipeSection query={query} models={models} reference={reference} other={other} />
    </>
  );
}

function Missing({ loaded, ids }: { loaded: Loaded; ids: number[] }) {
  return (
    <>
      {loaded.missing
        .filter(({ id }) => ids.includes(id))
        .map(({ id, problem }) => (
          <div key={id}>
            <ProblemPanel problem={{ ...problem, detail: `There is no model ${id}` }} />
          </div>
        ))}
    </>
  );
}

function TooFew() {
  return (
    <Empty title="Choose two to six models">
      <p>
        Add them above, or tick rows of the <a href="#/leaderboard">leaderboard</a> and press
        Compare. Their scores are set side by side, item by item, with their recipes.
      </p>
    </Empty>
  );
}

/** Two to six models side by side. */
export function CompareView() {
  const query = readCompareQuery(route.value.query);
  const ids = query.models;
  const loaded = useResource(`compare ${ids.join(',')}`, (signal) => loadCompared(ids, signal));
  useRefresh(loaded.reload, (event) => event.type === 'state' && event.state === 'succeeded');
  const known = new Map(loaded.data?.models.map((one) => [one.model.id, one]));
  const models = ids.map((id) => known.get(id)).filter((one) => one !== undefined);
  const ready = loaded.data !== null && (!loaded.loading || models.length === ids.length);
  return (
    <>
      <div class="view-head">
        <h1>Compare</h1>
        {models.length > 1 && <p class="muted">{models.length} models</p>}
      </div>
      <ModelBar
        ids={ids}
        reference={query.reference}
        nameOf={(id) => known.get(id)?.model.name ?? `model ${id}`}
      />
      {loaded.problem && <ProblemPanel problem={loaded.problem} onRetry={loaded.reload} />}
      {loaded.data && !loaded.loading && <Missing loaded={loaded.data} ids={ids} />}
      {!ready && !loaded.problem && <Loading what="models" />}
      {ready && models.length < kLeastModels && <TooFew />}
      {ready && models.length >= kLeastModels && <Comparison models={models} query={query} />}
    </>
  );
}
