/** The cures that a resolver's table asks for (pure). */
import type { ResolverConfig } from './config.ts';
import type { Cure } from './cures.ts';

/** What parse() has taken, from the mildest cure on. */
export function curesOf(each: ResolverConfig): readonly Cure[] {
  const { flush, reload, restart, hook, fallback_file: file, fallback_content: content } = each;
  const common = { timeout: each.cure_timeout, settle: each.settle };
  const cures: Cure[] = [];
  if (flush.length > 0) cures.push({ kind: 'flush', command: flush, ...common });
  if (reload !== undefined) cures.push({ kind: 'reload', unit: reload, ...common });
  if (restart !== undefined) cures.push({ kind: 'restart', unit: restart, ...common });
  if (hook.length > 0) cures.push({ kind: 'hook', command: hook, ...common });
  if (file !== undefined && content !== undefined) {
    const { fallback_command: reread, fallback_resolver: other } = each;
    cures.push({ kind: 'fallback', file, content, command: reread, resolver: other, ...common });
  }
  return cures;
}
