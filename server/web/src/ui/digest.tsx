import { useState } from 'preact/hooks';
import { shortDigest } from '../format/number';

/** A digest shortened, whole in its title, copied by a click. */
export function DigestText({ digest }: { digest: string }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(digest);
      setCopied(true);
      window.setTimeout(() => setCopied(false), 1500);
    } catch {
      // No clipboard on an insecure origin: the title still has the whole digest.
    }
  };
  return (
    <span class="digest">
      <code title={digest}>{shortDigest(digest)}</code>
      <button type="button" class="link-button" onClick={() => void copy()}>
        {copied ? 'copied' : 'copy'}
      </button>
    </span>
  );
}
