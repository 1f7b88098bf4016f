import { useState } from 'preact/hooks';
import { refused, setToken } from '../api/token';

/** What is shown instead of a view while the server wants a token. */
export function SignIn() {
  const [text, setText] = useState('');
  return (
    <section class="sign-in panel" aria-labelledby="sign-in-title">
      <h1 id="sign-in-title">This daemon asks for a token</h1>
      <p role="status">
        {refused.value === 'invalid'
          ? 'The token was not accepted: it is unknown, expired or revoked.'
          : 'Nobody is let in without one.'}
      </p>
      <p>
        On the machine where it runs, <code>crucible page</code> prints this page's address with
        your token in it. Others get one by{' '}
        <code>crucible token create --name NAME --role read</code>.
      </p>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (text.trim()) setToken(text);
        }}
      >
        <label for="token">Token</label>
        <input
          id="token"
          type="password"
          autocomplete="off"
          spellcheck={false}
          placeholder="cru_…"
          value={text}
          onInput={(event) => {
            setText(event.currentTarget.value);
          }}
        />
        <button type="submit" class="button primary" disabled={!text.trim()}>
          Use this token
        </button>
      </form>
      <p class="hint">It is kept for this tab only.</p>
    </section>
  );
}
