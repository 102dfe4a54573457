/** How each check could be made by hand with curl (pure). */

import { requestPath } from '../nbrpc/checker.ts';
import { expectationOf } from '../nbrpc/expectation.ts';
import { addressesByUse, hostsByDomain } from '../nbrpc/print.ts';
import type { StateView } from '../nbrpc/state.ts';

/** One line a check. `timeout` in seconds. */
export function curlCommands(state: StateView, timeout: number): string {
  const lines: string[] = [];
  for (const entry of hostsByDomain(state)) {
    const { name, check } = entry.record;
    const expectation = expectationOf(check);
    if (expectation.kind !== 'http') continue;
    const { scheme } = expectation;
    const port = scheme === 'https' ? 443 : 80;
    for (const { address } of addressesByUse(entry)) {
      const to = address.includes(':') ? `[${address}]` : address;
      const limits = `--connect-timeout ${timeout} --max-time ${timeout} --no-keepalive --no-sessionid`;
      const shape = `--silent --globoff --output /dev/null --write-out '%{http_code}\\n'`;
      const url = `${scheme}://${name}:${port}${requestPath(check.path)}`;
      lines.push(`curl --disable ${shape} ${limits} --resolve '${name}:${port}:${to}' ${quoted(url)}\n`);
    }
  }
  return lines.join('');
}

/** For a POSIX shell: nothing inside single quotes is special but the quote itself. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
