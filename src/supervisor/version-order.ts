/** The order of dotted version numbers (pure). */

/** Whether dotted version `have` (`6.18.0-rc1`) is at least `want` (`6.9`); only the leading numbers count. */
export function atLeast(have: string, want: string): boolean {
  const numbers = (text: string): number[] => (text.match(/^\d+(?:\.\d+)*/)?.[0] ?? '0').split('.').map(Number);
  const [a, b] = [numbers(have), numbers(want)];
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}
