/** How each check could be made by hand with curl: nothing is checked and nothing is saved. */
import { formatDiagnostic } from '../core/diagnostic.ts';
import { requestPath } from '../nbrpc/checker.ts';
import { draftForChecks } from '../nbrpc/decide.ts';
import { expectationOf } from '../nbrpc/expectation.ts';
import { readLists } from '../nbrpc/lists.ts';
import { policyOf } from '../nbrpc/policy-spec.ts';
import { addressesByUse, hostsByDomain } from '../nbrpc/print.ts';
import { resolveHost } from '../nbrpc/resolve.ts';
import { dueHosts } from '../nbrpc/schedule.ts';
import type { State, StateView } from '../nbrpc/state.ts';
import type { LoopOptions } from './nbrpc-loop.ts';
import { openSources } from './nbrpc-sources.ts';

/** The state as a run with these flags would find it before its checks: lists read, hosts that are due resolved. */
export async function knownChecks(
  state: State,
  { flags, settings, clock, files, signals, say }: Omit<LoopOptions, 'store' | 'reopen' | 'sources' | 'hooks'>,
): Promise<StateView> {
  if (flags.checkListFile.length === 0) return state;
  const now = settings.now ?? clock.now() / 1000;
  const lists = await readLists(files, flags.checkListFile, state.lists());
  for (const reading of lists) {
    if (reading.kind !== 'rejected') continue;
    for (const problem of reading.problems) say('error', formatDiagnostic(problem));
  }
  const inputs = { now, counted: now, lists, graceless: false };
  const listed = draftForChecks(state, settings, { ...inputs, resolved: [] });
  const { updateHost: only } = flags;
  const due = dueHosts(listed, {
    now,
    interval: settings.timers.hostAddrs,
    forced: flags.updateAll === true || settings.checks !== undefined || only !== undefined,
    limit: Number.POSITIVE_INFINITY,
    ...(only === undefined ? {} : { only }),
  });
  const { resolver, rehearsal } = await openSources(flags, settings);
  const how = { timeout: settings.timeouts.addr_check * 1000, filter: !rehearsal };
  const resolved = await Promise.all(
    due.map(({ record }) => {
      const { family } = policyOf(record.policy, settings.defaultPolicy);
      return resolveHost(resolver, record.name, family, how, signals.stop);
    }),
  );
  return draftForChecks(state, settings, { ...inputs, resolved });
}

/** One line a check. `timeout` in seconds. */
export function curlCommands(state: StateView, timeout: number, userAgent: string): string {
  const lines: string[] = [];
  for (const entry of hostsByDomain(state)) {
    const { name, check } = entry.record;
    const expectation = expectationOf(check);
    if (expectation.kind !== 'http') continue;
    const { scheme } = expectation;
    const port = scheme === 'https' ? 443 : 80;
    // A trailing dot is not part of the name in a certificate or in a Host header (RFC 6066 §3), as checker.ts has it.
    const host = name.endsWith('.') ? name.slice(0, -1) : name;
    for (const { address } of addressesByUse(entry)) {
      const to = address.includes(':') ? `[${address}]` : address;
      const limits = `--connect-timeout ${timeout} --max-time ${timeout} --no-keepalive --no-sessionid`;
      const shape = `--silent --globoff --output /dev/null --write-out '%{http_code}\\n'`;
      const url = `${scheme}://${host}:${port}${requestPath(check.path)}`;
      const place = `--resolve ${quoted(`${host}:${port}:${to}`)} --user-agent ${quoted(userAgent)}`;
      lines.push(`curl --disable ${shape} ${limits} ${place} ${quoted(url)}\n`);
    }
  }
  return lines.join('');
}

/** For a POSIX shell: nothing inside single quotes is special but the quote itself. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
