/** Opening nftables: which adapter, what is said when none can be had, and what becomes of an owner table. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { systemClock } from '../../src/core/clock.ts';
import type { AgentEvent, OwnTableConfig } from '../../src/system/linux/nft-agent-protocol.ts';
import { InteractiveNft } from '../../src/system/linux/nft-interactive.ts';
import { openNft } from '../../src/system/linux/nft-open.ts';
import { OwnTable } from '../../src/system/linux/nft-own-table.ts';
import { SetKeeper } from '../../src/system/linux/nft-set-keeper.ts';
import { netlinkEvents, openRulesetEvents } from '../../src/system/linux/ruleset-events.ts';
import { refusalOf } from '../../src/system/nft-error.ts';
import { nftScript } from '../../src/system/nft-script.ts';
import { plainTableConfig } from '../fakes/agent-configs.ts';
import { eventually } from '../system/eventually.ts';
import { insideNamespace, repeatInNamespace } from './nft-namespace.ts';

const table = { family: 'inet', name: 'owned' } as const;
const nft = (...words: string[]): string => execFileSync('nft', words, { encoding: 'utf8', stdio: 'pipe' });

/** Opens nftables in another process, and tells the error's code and message. */
const opener = `
  import { openNft } from ${JSON.stringify(join(import.meta.dirname, '../../src/system/linux/nft-open.js'))};
  openNft().then(
    (nft) => { console.log('opened', nft.kind); return nft.close(); },
    (error) => console.log(error.code, error.message),
  );`;
const node = [process.execPath, '--input-type=module', '-e', opener];

function run(command: readonly string[]): string {
  const [program = '', ...args] = command;
  const { stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  return stdout + stderr;
}

if (!insideNamespace) {
  test('nftables is opened, or it is said why not (in a namespace)', (t) => repeatInNamespace(t, import.meta.url));
} else {
  test('libnftables is taken where it loads', () => assert.equal(run(node), 'opened libnftables\n'));

  test('without CAP_NET_ADMIN over the network namespace it says so', () => {
    assert.match(run(['unshare', '-U', ...node]), /^nft-not-permitted .*CAP_NET_ADMIN/);
  });

  test('without library and program it says what to install', async () => {
    // Loaded by now, and so in the list of mapped files.
    await (await openNft('libnftables')).close();
    const library = /\S*\/libnftables\.so\S*/.exec(readFileSync('/proc/self/maps', 'utf8'))?.[0];
    const program = execFileSync('bash', ['-c', 'realpath "$(command -v nft)"'], { encoding: 'utf8' }).trim();
    assert.ok(library !== undefined);
    const hidden = `mount --bind /dev/null ${library}; mount --bind /dev/null ${program}; exec "$@"`;
    assert.match(
      run(['unshare', '-m', 'bash', '-c', hidden, 'bash', ...node]),
      /^nft-missing nftables is not installed/,
    );
  });

  test('a worker thread may not open it', async () => {
    const worker = new Worker(
      `import(${JSON.stringify(join(import.meta.dirname, '../../src/system/linux/nft-open.js'))})
        .then(({ openNft }) => openNft())
        .catch((error) => require('node:worker_threads').parentPort.postMessage(error.code));`,
      { eval: true },
    );
    assert.equal(await new Promise((resolve) => worker.once('message', resolve)), 'nft-in-worker');
    await worker.terminate();
  });

  test('a child of the process does not keep an owner table alive', async () => {
    const owner = await openNft('libnftables');
    await owner.apply(nftScript({ op: 'add-table', table, flags: ['owner'] }));
    const child = spawn('sleep', ['60']);
    assert.match(nft('list', 'tables'), /table inet owned/);
    await owner.close();
    assert.equal(nft('list', 'tables'), '');
    child.kill();
  });

  test('when the nft -i child dies, the call under way is told, the next one starts another', async () => {
    const interactive = await InteractiveNft.open();
    await interactive.apply(nftScript({ op: 'add-table', table, flags: ['owner'] }));
    const [pid, port] = [interactive.childPid, interactive.portId];
    assert.ok(pid !== undefined && port !== undefined);
    process.kill(pid, 'SIGSTOP');
    const stuck = interactive.apply(nftScript({ op: 'add-set', table, set: 's', type: 'ipv4_addr' }));
    process.kill(pid, 'SIGKILL');
    await assert.rejects(stuck, (error) => refusalOf(error) === 'died' && /SIGKILL/.test(String(error)));
    assert.equal(nft('list', 'tables'), '');
    await interactive.apply(nftScript({ op: 'add-table', table, flags: ['owner'] }));
    assert.notEqual(interactive.childPid, pid);
    assert.notEqual(interactive.portId, port);
    await interactive.close();
    assert.equal(nft('list', 'tables'), '');
    await assert.rejects(InteractiveNft.open('/nonexistent/nft'), { code: 'ENOENT' });
  });

  test('an own table that went with its nft -i child is made again', async () => {
    await openRulesetEvents();
    const config: OwnTableConfig = { ...plainTableConfig, name: table.name, mark: 1, mask: 1 };
    const interactive = await InteractiveNft.open();
    const told: AgentEvent[] = [];
    const keeper = new SetKeeper({
      home: new OwnTable(interactive, config),
      nft: interactive,
      events: netlinkEvents,
      clock: systemClock,
      never: new Set(),
      tell: (event) => told.push(event),
    });
    await keeper.replace(new Map([['blocked4', ['192.0.2.1']]]));
    const pid = interactive.childPid;
    assert.ok(pid !== undefined);
    process.kill(pid, 'SIGKILL');
    await eventually('refilled', () => told.some(({ event }) => event === 'refilled'));
    assert.match(nft('list', 'set', 'inet', table.name, 'blocked4'), /192\.0\.2\.1/);
    await keeper.close('flush');
    await interactive.close();
  });
}
