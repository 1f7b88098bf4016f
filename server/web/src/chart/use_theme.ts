import { useEffect, useState } from 'preact/hooks';

/** Rises when the page changes between light and dark: what is drawn on a canvas is drawn again. */
export function useTheme(): number {
  const [version, setVersion] = useState(0);
  useEffect(() => {
    const dark = window.matchMedia('(prefers-color-scheme: dark)');
    const next = () => setVersion((old) => old + 1);
    dark.addEventListener('change', next);
    return () => dark.removeEventListener('change', next);
  }, []);
  return version;
}
