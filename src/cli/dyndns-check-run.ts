/** One run of `netsteward dyndns check`: every block, key and record of zone files, and what is wrong in them; nothing is changed. */
import { describeError, NetstewardError } from '../core/errors.ts';
import { type ExitCode, exitCodes } from '../core/exit-codes.ts';
import { type OptionalKind, optionalKinds } from '../dyndns/record.ts';
import { parseZone, type Zone } from '../dyndns/zone-file.ts';
import { lintZone, listBlock } from '../dyndns/zone-lint.ts';
import type { DyndnsCheckFlags } from './dyndns-check.ts';
import { print, printError } from './output.ts';

/** Records of one block that are listed. */
const mostListed = 50;

/** Never rejects for what is in the files; rejects with `usage`. */
export async function checkZones(paths: readonly string[], flags: DyndnsCheckFlags): Promise<ExitCode> {
  const [{ composeZoneFiles }, { systemClock }] = await Promise.all([
    import('./compose-dyndns.ts'),
    import('../core/clock.ts'),
  ]);
  const files = await composeZoneFiles();
  const optional = recordKinds(flags.records);
  let wrong = false;
  for (const path of paths) {
    let zone: Zone;
    try {
      zone = parseZone((await files.read(path)).content, { optional, mostProblems: 10_000 });
    } catch (error) {
      printError(`${describeError(error)}\n`);
      wrong = true;
      continue;
    }
    const patchedTinydns = flags.patchedTinydns === true;
    const findings = lintZone(zone, { patchedTinydns, now: systemClock.now() / 1000 });
    for (const { line, severity, message } of findings) printError(`${path}:${line}: ${severity}: ${message}\n`);
    wrong ||= findings.some(({ severity }) => severity === 'error');
    print(listZone(path, zone));
  }
  return wrong ? exitCodes.config : exitCodes.ok;
}

function listZone(path: string, zone: Zone): string {
  const blocks = zone.blocks.map((block) => {
    const { line, records } = listBlock(zone, block);
    const keys = block.keys.map(({ id }) => id).join(', ') || 'no key';
    const since = block.timestamp === 0 ? 'never updated' : `updated ${new Date(block.timestamp * 1000).toISOString()}`;
    const listed = records.slice(0, mostListed).map(({ name, address }) => `    ${name} ${address}\n`);
    const more = records.length > mostListed ? `    and ${records.length - mostListed} more\n` : '';
    return `  line ${line}: ${keys}, ${block.usable ? since : 'takes no update'}\n${listed.join('')}${more}`;
  });
  return `${path}: ${zone.blocks.length} block(s)\n${blocks.join('')}`;
}

/** `text`: any of `=@.&`, with blanks or commas between. Throws NetstewardError `usage`. */
export function recordKinds(text = ''): readonly OptionalKind[] {
  const kinds = text.split('').filter((character) => !/[\s,]/.test(character));
  const known: readonly string[] = optionalKinds;
  if (kinds.every((kind): kind is OptionalKind => known.includes(kind))) return kinds;
  throw new NetstewardError('usage', `--records ${text}: only ${optionalKinds.join(' ')} may be named`, {
    remedy: 'Quote them for the shell, as in --records "=@".',
  });
}
