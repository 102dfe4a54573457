/** A rehearsal's file: answers of the resolver and results of checks, instead of the network (pure). */
import { type Diagnostic, DiagnosticError } from '../core/diagnostic.ts';
import { printable } from '../core/printable.ts';
import type { ResolveOutcome, ResolveRequest, Resolver } from '../system/ports.ts';
import { canonicalAddress } from './address.ts';
import type { CheckSource, CheckTarget } from './checker.ts';
import { parseCodes } from './expectation.ts';
import type { CheckResult } from './model.ts';

/** White-space separated items `[host@]addr[=code]`. */
export class Replay implements Resolver, CheckSource {
  readonly #answers: ReadonlyMap<string, readonly string[]>;
  /** By address alone; null is success without a code. */
  readonly #results: ReadonlyMap<string, number | null>;

  private constructor(answers: ReadonlyMap<string, readonly string[]>, results: ReadonlyMap<string, number | null>) {
    this.#answers = answers;
    this.#results = results;
  }

  /** Throws DiagnosticError with every item that cannot be read. */
  static parse(text: string, file: string): Replay {
    const answers = new Map<string, string[]>();
    const results = new Map<string, number | null>();
    const problems: Diagnostic[] = [];
    for (const [index, line] of text.split('\n').entries()) {
      for (const match of line.matchAll(/\S+/g)) {
        const [item] = match;
        const at = item.lastIndexOf('@');
        const place = item.slice(at + 1);
        const equals = place.indexOf('=');
        const code = equals < 0 ? undefined : place.slice(equals + 1);
        const address = canonicalAddress(equals < 0 ? place : place.slice(0, equals));
        const codes = code === undefined ? undefined : parseCodes(code === '' ? '/' : code);
        if (address === undefined || (code !== undefined && codes?.size !== 1)) {
          const message = `${printable(item)}: must be [host@]address[=code]`;
          problems.push({ file, line: index + 1, column: match.index + 1, message });
          continue;
        }
        results.set(address, [...(codes ?? [])][0] ?? null);
        if (at < 0) continue;
        const host = item.slice(0, at);
        const known = answers.get(host);
        if (known === undefined) answers.set(host, [address]);
        else known.push(address);
      }
    }
    if (problems.length > 0) throw new DiagnosticError('usage', problems);
    return new Replay(answers, results);
  }

  resolve({ name }: ResolveRequest): Promise<ResolveOutcome> {
    const addresses = this.#answers.get(name);
    if (addresses === undefined)
      return Promise.resolve({ ok: false, kind: 'nxdomain', detail: 'not in the rehearsal' });
    return Promise.resolve({ ok: true, addresses });
  }

  check({ address }: CheckTarget, codes: ReadonlySet<number>): Promise<CheckResult> {
    const code = this.#results.get(address);
    if (code === undefined) return Promise.resolve({ kind: 'none' });
    if (code === null || codes.has(code)) return Promise.resolve({ kind: 'ok' });
    return Promise.resolve({ kind: 'fail', reason: 'na' });
  }
}
