/** A block's timestamp as text: two decimals, exactly as the original writes it (pure). */

/**
 * Python's `'{:.2f}'.format(seconds)` for a finite number that is not negative. toFixed alone differs in ties (.125,
 * .625), where Python rounds to the even digit and ECMAScript up, and from 1e21 on, where it writes an exponent.
 */
export function formatTimestamp(seconds: number): string {
  if (seconds >= 2 ** 53) return `${BigInt(seconds)}.00`;
  const whole = Math.floor(seconds);
  const fraction = seconds - whole;
  if (fraction === 0.125) return `${whole}.12`;
  if (fraction === 0.625) return `${whole}.62`;
  return seconds.toFixed(2);
}

/** What the header says after an update at `seconds`: at most 5 ms from it, on either side. */
export function headerValue(seconds: number): number {
  return Number(formatTimestamp(seconds));
}
