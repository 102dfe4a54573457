/** What `netsteward check --host` says of the status page: where it will listen, and whether it can. */
import { NetstewardError } from '../../core/errors.ts';
import type { Finding } from '../../core/module.ts';
import { bindingText, isLocal } from './binding.ts';
import type { PageConfig } from './config.ts';
import type { PageFiles } from './ports.ts';
import { readToken } from './token.ts';

export interface PagePreflightHost extends PageFiles {
  /** Why this address cannot be listened on; undefined: it can. In use by the page itself is no reason. */
  whyNot(address: string): Promise<string | undefined>;
  /** Whether this user may make or replace a file there, with the folders that are missing. */
  writable(path: string): Promise<boolean>;
}

export async function preflight(config: PageConfig, host: PagePreflightHost): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  const error = (text: string, remedy: string): void => void findings.push({ severity: 'error', text, remedy });
  const { listen, group, token_file: file } = config;
  if (listen.kind === 'unix' && !(await host.writable(listen.path))) {
    error(`${listen.path} cannot be made`, 'Make its folder, writable for the user that netsteward runs as.');
  } else if (listen.kind === 'tcp') {
    const why = await host.whyNot(listen.address);
    if (why !== undefined) error(`${bindingText(listen)} cannot be listened on: ${why}`, 'Name another page.listen.');
  }
  if (group !== undefined && (await host.groupId(group)) === undefined) {
    error(`there is no group ${group}`, `Make it (groupadd --system ${group}), or name another one in page.group.`);
  }
  try {
    await readToken(file, host);
  } catch (cause) {
    if (!(cause instanceof NetstewardError)) throw cause;
    error(cause.message, cause.remedy ?? '');
  }
  if ((await host.assets()).size === 0) {
    findings.push({
      severity: 'warning',
      text: 'the files of the status page are missing in this installation',
      remedy: 'Build it: npm run build in the checkout; or install netsteward again.',
    });
  }
  if (!isLocal(listen)) {
    findings.push({
      severity: 'warning',
      text: `${bindingText(listen)} can be reached from other machines, and the token crosses the network unencrypted`,
      remedy: 'Listen on a unix socket or a loopback address, and open the way with ssh -L (`netsteward page`).',
    });
  }
  const check = file === undefined ? '' : ', with "check now" for who has the token';
  findings.push({ severity: 'ok', text: `will listen on ${bindingText(listen)}${check}` });
  return findings;
}
