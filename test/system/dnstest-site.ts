/** A container with the test zone's server, a real unbound that asks it, and what tests do to that unbound. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkout } from '../checkout.ts';
import { bootContainer, type Container, skip as noContainer } from './container.ts';
import { eventually } from './eventually.ts';

const unbound = spawnSync('sh', [
  '-c',
  'PATH=$PATH:/usr/sbin; command -v unbound && command -v unbound-control',
]).status;
export const skip: string | false =
  noContainer !== false || unbound === 0 ? noContainer : 'NOT TESTED: unbound is not installed (apt: unbound)';

export const daemon = 'netsteward-dnstest-daemon.service';
export const resolver = 'unbound.service';
export const key = 'hash-key';
export const name = '@.test.example';

/** The zone is at 127.0.0.2; unbound, at 127.0.0.1, knows no other server. */
const unboundConf = `server:
  chroot: ""
  username: ""
  use-syslog: no
  logfile: ""
  pidfile: ""
  do-daemonize: no
  interface: 127.0.0.1
  access-control: 127.0.0.0/8 allow
  do-not-query-localhost: no
  module-config: "iterator"
remote-control:
  control-enable: yes
  control-interface: /run/unbound.ctl
  control-use-cert: no
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@1
stub-zone:
  name: "test.example"
  stub-addr: 127.0.0.2
`;

export function packaged(...files: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    files.map((file) => [`/etc/systemd/system/${file}`, readFileSync(join(checkout, 'packaging', file), 'utf8')]),
  );
}

/** Zone and resolver are up when it resolves. */
export async function bootSite(files: Readonly<Record<string, string>>): Promise<Container> {
  const box = await bootContainer({
    files: {
      '/usr/bin/netsteward': '#!/bin/sh\nexec /usr/local/bin/node /opt/netsteward/dist/src/main.js "$@"\n',
      ...packaged(daemon),
      '/etc/netsteward/dnstest.key': `${key}\n`,
      '/etc/netsteward/dnstest-daemon.env': `OPTIONS=--zone test.example --ns ns.test.example=127.0.0.2 -b 127.0.0.2\n`,
      '/etc/unbound/unbound.conf': unboundConf,
      ...files,
    },
  });
  try {
    await box.run(['systemctl', 'start', daemon, resolver]);
    await eventually('the resolver answers right', async () => (await check(box)) === 0, { seconds: 60 });
  } catch (error) {
    const said = (await box.journal()).slice(-40).map(({ MESSAGE }) => String(MESSAGE));
    await box.stop();
    throw new Error(`${error}\n${said.join('\n')}`);
  }
  return box;
}

/** Exit code of one check of the resolver. */
export async function check(box: Container): Promise<number> {
  const words = ['dnstest', 'check', '-k', key, '-r', '127.0.0.1', '--control', '127.0.0.2', '--timeout', '1s', name];
  return (await box.exec(['netsteward', ...words])).code;
}

/** Another one: it was restarted. */
export async function mainPid(box: Container, unit = resolver): Promise<number> {
  return Number(await box.run(['systemctl', 'show', '--property=MainPID', '--value', unit]));
}

export const freeze = (box: Container): Promise<string> => box.run(['systemctl', 'kill', '--signal=STOP', resolver]);

/** Until it is restarted: SERVFAIL for the zone, because it asks itself. */
export async function makeServfail(box: Container): Promise<void> {
  await control(box, 'stub_add', 'test.example', '127.0.0.1');
}

/** Until it is restarted: no answer to any query for the zone. */
export async function makeDrop(box: Container): Promise<void> {
  await control(box, 'local_zone', 'test.example', 'deny');
}

async function control(box: Container, ...words: readonly string[]): Promise<void> {
  await box.run(['unbound-control', ...words]);
}
